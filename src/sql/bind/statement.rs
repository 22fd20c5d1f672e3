//! Whole statements with their names found.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Aggregate, Binder, NewRow, Scope, ScopeTable, check_aliases};
use crate::sql::ast::{
    Delete, Expr, IndexHint, Insert, InsertSource, Limit, Literal, Name, OrderItem, Select,
    SelectItem, SetClause, TableReference, Update,
};
use crate::sql::error::{ErrorKind, SqlError};
use crate::sql::expr::{ColumnPlace, Expression};
use crate::sql::plan::TableShape;

/// Where tables are looked up.
pub trait Catalog {
    /// The table of that name; `schema` is that written before it.
    fn shape(&self, schema: Option<&str>, name: &str) -> Option<Arc<TableShape>>;
}

/// The part that SELECT, UPDATE and DELETE have in common: which rows of which tables.
#[derive(Clone, Debug, PartialEq)]
pub struct Query {
    /// The tables.
    pub tables: Vec<QueryTable>,
    /// Their names.
    pub scope: Scope,
    /// WHERE, split at its ANDs.
    pub conditions: Vec<Expression>,
    /// ORDER BY: what by, and whether descending.
    pub order: Vec<(Expression, bool)>,
    /// LIMIT.
    pub limit: Option<Limit>,
    /// Subqueries of all clauses, by number.
    pub subqueries: Vec<Select>,
}

/// One table of a query.
#[derive(Clone, Debug, PartialEq)]
pub struct QueryTable {
    /// The table.
    pub shape: Arc<TableShape>,
    /// The schema written before its name.
    pub schema: Option<String>,
    /// Its hints.
    pub hints: Vec<IndexHint>,
    /// Columns that the statement needs, sorted.
    pub needed: Vec<usize>,
}

/// SELECT.
#[derive(Clone, Debug, PartialEq)]
pub struct BoundSelect {
    /// Which rows.
    pub query: Query,
    /// What of them.
    pub items: Vec<Expression>,
    /// The items' headings.
    pub headings: Vec<String>,
    /// Aggregates in the items.
    pub aggregates: Vec<Aggregate>,
    /// DISTINCT.
    pub distinct: bool,
}

/// UPDATE.
#[derive(Clone, Debug, PartialEq)]
pub struct BoundUpdate {
    /// Which rows.
    pub query: Query,
    /// New values, in the order written; none for DEFAULT.
    pub set: Vec<(ColumnPlace, Option<Expression>)>,
    /// IGNORE.
    pub ignore: bool,
}

/// DELETE.
#[derive(Clone, Debug, PartialEq)]
pub struct BoundDelete {
    /// Which rows.
    pub query: Query,
    /// IGNORE.
    pub ignore: bool,
}

/// INSERT and REPLACE.
#[derive(Clone, Debug, PartialEq)]
pub struct BoundInsert {
    /// The table.
    pub shape: Arc<TableShape>,
    /// The columns that values are given for, in the order of the values.
    pub columns: Vec<usize>,
    /// Rows.
    pub source: BoundSource,
    /// ON DUPLICATE KEY UPDATE.
    pub on_duplicate: Vec<(usize, Option<Expression>)>,
    /// Subqueries in VALUES and ON DUPLICATE KEY UPDATE.
    pub subqueries: Vec<Select>,
    /// REPLACE.
    pub replace: bool,
    /// IGNORE.
    pub ignore: bool,
}

/// Where an INSERT's rows come from.
#[derive(Clone, Debug, PartialEq)]
pub enum BoundSource {
    /// VALUES; none for DEFAULT.
    Values(Vec<Vec<Option<Expression>>>),
    /// SELECT.
    Select(Box<Select>),
}

/// Builds a [`Query`] clause by clause.
struct Builder {
    query: Query,
    needed: Vec<BTreeSet<usize>>,
}

impl Builder {
    fn new(tables: &[TableReference], catalog: &dyn Catalog) -> Result<Builder, SqlError> {
        check_aliases(tables)?;
        let mut bound = Vec::with_capacity(tables.len());
        let mut scope = Scope::default();
        for table in tables {
            let shape = find(catalog, table.schema.as_deref(), &table.table)?;
            scope.tables.push(scope_table(table.name(), &shape));
            bound.push(QueryTable {
                shape,
                schema: table.schema.clone(),
                hints: table.hints.clone(),
                needed: Vec::new(),
            });
        }
        Ok(Builder {
            needed: vec![BTreeSet::new(); bound.len()],
            query: Query {
                tables: bound,
                scope,
                conditions: Vec::new(),
                order: Vec::new(),
                limit: None,
                subqueries: Vec::new(),
            },
        })
    }

    fn bind(&mut self, expr: &Expr, clause: &'static str) -> Result<Expression, SqlError> {
        let before = std::mem::take(&mut self.query.subqueries);
        let mut binder = Binder::new(&self.query.scope, clause).with_subqueries(before);
        let bound = binder.bind(expr)?;
        self.query.subqueries = binder.subqueries;
        self.note(&bound);
        Ok(bound)
    }

    fn note(&mut self, expression: &Expression) {
        for place in expression.columns() {
            self.needed[place.table].insert(place.column);
        }
    }

    fn need_all(&mut self, table: usize) {
        let count = self.query.tables[table].shape.columns.len();
        self.needed[table].extend(0..count);
    }

    fn filter(&mut self, filter: Option<&Expr>) -> Result<(), SqlError> {
        if let Some(filter) = filter {
            let bound = self.bind(filter, "where clause")?;
            self.query.conditions = bound.conjuncts().into_iter().cloned().collect();
        }
        Ok(())
    }

    fn order(&mut self, order: &[OrderItem], items: &[SelectedItem]) -> Result<(), SqlError> {
        for item in order {
            let expression = match named_item(&item.expression, items, &self.query.scope) {
                Some(expression) => expression,
                None => self.bind(&item.expression, "order clause")?,
            };
            self.query.order.push((expression, item.descending));
        }
        Ok(())
    }

    fn finish(mut self) -> Query {
        for (table, needed) in self.query.tables.iter_mut().zip(self.needed) {
            table.needed = needed.into_iter().collect();
        }
        self.query
    }
}

/// An item of SELECT while ORDER BY may still name it.
struct SelectedItem {
    heading: String,
    aliased: bool,
    expression: Expression,
}

/// The item that an ORDER BY expression names by number or alias.
fn named_item(expr: &Expr, items: &[SelectedItem], scope: &Scope) -> Option<Expression> {
    match expr {
        Expr::Literal(Literal::Int(number)) => {
            let at = usize::try_from(*number).ok()?.checked_sub(1)?;
            Some(items.get(at)?.expression.clone())
        }
        Expr::Column {
            table: None,
            column,
        } if scope.find(None, column, "order clause").is_err() => items
            .iter()
            .find(|item| item.aliased && item.heading.eq_ignore_ascii_case(&column.text))
            .map(|item| item.expression.clone()),
        _ => None,
    }
}

fn find(
    catalog: &dyn Catalog,
    schema: Option<&str>,
    name: &Name,
) -> Result<Arc<TableShape>, SqlError> {
    catalog.shape(schema, &name.text).ok_or_else(|| {
        let written = match schema {
            Some(schema) => format!("{schema}.{}", name.text),
            None => name.text.clone(),
        };
        SqlError::from(ErrorKind::NoSuchTable(written)).at(name.position)
    })
}

fn scope_table(name: &str, shape: &TableShape) -> ScopeTable {
    ScopeTable {
        name: name.to_owned(),
        columns: shape
            .columns
            .iter()
            .map(|column| (column.name.clone(), column.column_type))
            .collect(),
    }
}

/// Binds a SELECT.
///
/// # Errors
/// Names that are not found, aggregates beside plain columns.
pub fn select(select: &Select, catalog: &dyn Catalog) -> Result<BoundSelect, SqlError> {
    let mut builder = Builder::new(&select.from, catalog)?;
    builder.filter(select.filter.as_ref())?;
    let mut items = Vec::new();
    let mut aggregates = Vec::new();
    for item in &select.items {
        match item {
            SelectItem::Star(table) => star(&mut builder, table.as_ref(), &mut items)?,
            SelectItem::Expression { expression, alias } => {
                let before = std::mem::take(&mut builder.query.subqueries);
                let mut binder = Binder::new(&builder.query.scope, "field list")
                    .with_subqueries(before)
                    .with_aggregates(std::mem::take(&mut aggregates));
                let bound = binder.bind(expression)?;
                aggregates = binder.aggregates.take().unwrap_or_default();
                builder.query.subqueries = binder.subqueries;
                builder.note(&bound);
                items.push(SelectedItem {
                    heading: alias.clone().unwrap_or_else(|| heading(expression)),
                    aliased: alias.is_some(),
                    expression: bound,
                });
            }
        }
    }
    for aggregate in &aggregates {
        if let Some(argument) = &aggregate.argument {
            builder.note(argument);
        }
    }
    check_mixture(&items, &aggregates)?;
    builder.order(&select.order, &items)?;
    builder.query.limit = select.limit;
    let (headings, items) = items
        .into_iter()
        .map(|item| (item.heading, item.expression))
        .unzip();
    Ok(BoundSelect {
        query: builder.finish(),
        items,
        headings,
        aggregates,
        distinct: select.distinct,
    })
}

/// The heading of an item without alias: a column's name, else the expression.
fn heading(expression: &Expr) -> String {
    match expression {
        Expr::Column { column, .. } => column.text.clone(),
        other => {
            let text = other.to_string();
            let inner = text
                .strip_prefix('(')
                .and_then(|text| text.strip_suffix(')'));
            inner.map_or(text.clone(), str::to_owned)
        }
    }
}

fn star(
    builder: &mut Builder,
    table: Option<&Name>,
    items: &mut Vec<SelectedItem>,
) -> Result<(), SqlError> {
    let mut found = false;
    for at in 0..builder.query.tables.len() {
        let name = &builder.query.scope.tables[at].name;
        if table.is_some_and(|table| table.text != *name) {
            continue;
        }
        found = true;
        for (column, definition) in builder.query.tables[at].shape.columns.iter().enumerate() {
            items.push(SelectedItem {
                heading: definition.name.clone(),
                aliased: false,
                expression: Expression::Column(ColumnPlace { table: at, column }),
            });
        }
        builder.need_all(at);
    }
    match table {
        Some(table) if !found => {
            Err(SqlError::from(ErrorKind::NoSuchTable(table.text.clone())).at(table.position))
        }
        None if !found => Err(SqlError {
            kind: ErrorKind::Syntax {
                expected: "FROM".to_owned(),
                found: "'*'".to_owned(),
            },
            position: None,
            advice: Some("name a table to select from".to_owned()),
        }),
        _ => Ok(()),
    }
}

fn check_mixture(items: &[SelectedItem], aggregates: &[Aggregate]) -> Result<(), SqlError> {
    if aggregates.is_empty() {
        return Ok(());
    }
    match items
        .iter()
        .position(|item| !item.expression.columns().is_empty())
    {
        Some(at) => Err(ErrorKind::MixedAggregate(at + 1).into()),
        None => Ok(()),
    }
}

/// Binds an UPDATE.
///
/// # Errors
/// Names that are not found.
pub fn update(update: &Update, catalog: &dyn Catalog) -> Result<BoundUpdate, SqlError> {
    let mut builder = Builder::new(&update.tables, catalog)?;
    builder.filter(update.filter.as_ref())?;
    let mut set = Vec::with_capacity(update.set.len());
    for clause in &update.set {
        let SetClause {
            table,
            column,
            value,
        } = clause;
        let scope = &builder.query.scope;
        let place = scope.find(table.as_deref(), column, "field list")?;
        let value = match value {
            Some(value) => Some(builder.bind(value, "field list")?),
            None => None,
        };
        builder.need_all(place.table);
        set.push((place, value));
    }
    builder.order(&update.order, &[])?;
    builder.query.limit = update.limit;
    let targets: Vec<&Name> = update.tables.iter().map(|table| &table.table).collect();
    check_targets(&targets, &builder.query.subqueries)?;
    Ok(BoundUpdate {
        query: builder.finish(),
        set,
        ignore: update.ignore,
    })
}

/// Binds a DELETE.
///
/// # Errors
/// Names that are not found.
pub fn delete(delete: &Delete, catalog: &dyn Catalog) -> Result<BoundDelete, SqlError> {
    let mut builder = Builder::new(std::slice::from_ref(&delete.table), catalog)?;
    builder.filter(delete.filter.as_ref())?;
    builder.need_all(0);
    builder.order(&delete.order, &[])?;
    builder.query.limit = delete.limit;
    check_targets(&[&delete.table.table], &builder.query.subqueries)?;
    Ok(BoundDelete {
        query: builder.finish(),
        ignore: delete.ignore,
    })
}

/// A statement must not read a table in a subquery that it changes.
fn check_targets(targets: &[&Name], subqueries: &[Select]) -> Result<(), SqlError> {
    for subquery in subqueries {
        for table in &subquery.from {
            if targets.iter().any(|target| target.text == table.table.text) {
                return Err(SqlError {
                    kind: ErrorKind::UpdateTableUsed(table.table.text.clone()),
                    position: Some(table.table.position),
                    advice: Some("read the values in a statement of their own first".to_owned()),
                });
            }
        }
    }
    Ok(())
}

/// Binds an INSERT or REPLACE.
///
/// # Errors
/// Names that are not found, rows of the wrong length.
pub fn insert(insert: &Insert, catalog: &dyn Catalog) -> Result<BoundInsert, SqlError> {
    let shape = find(catalog, None, &insert.table)?;
    let scope = Scope {
        tables: vec![scope_table(&insert.table.text, &shape)],
    };
    let columns = insert_columns(insert, &shape, &scope)?;
    let mut binder = Binder::new(&scope, "field list");
    let source = match &insert.source {
        InsertSource::Select(select) => BoundSource::Select(select.clone()),
        InsertSource::Values(rows) => {
            let mut bound = Vec::with_capacity(rows.len());
            for (at, row) in rows.iter().enumerate() {
                let all_default = row.is_empty() && insert.columns.is_none();
                if row.len() != columns.len() && !all_default {
                    return Err(ErrorKind::ColumnCount(at + 1).into());
                }
                let values: Result<Vec<Option<Expression>>, SqlError> = row
                    .iter()
                    .map(|value| value.as_ref().map(|value| binder.bind(value)).transpose())
                    .collect();
                let mut values = values?;
                values.resize(columns.len(), None);
                bound.push(values);
            }
            BoundSource::Values(bound)
        }
    };
    let mut binder = binder.with_new_row(NewRow {
        table: 0,
        alias: insert.row_alias.as_deref(),
    });
    let mut on_duplicate = Vec::with_capacity(insert.on_duplicate.len());
    for clause in &insert.on_duplicate {
        let place = scope.find(clause.table.as_deref(), &clause.column, "field list")?;
        let value = clause
            .value
            .as_ref()
            .map(|value| binder.bind(value))
            .transpose()?;
        on_duplicate.push((place.column, value));
    }
    let subqueries = binder.subqueries;
    Ok(BoundInsert {
        shape,
        columns,
        source,
        on_duplicate,
        subqueries,
        replace: insert.replace,
        ignore: insert.ignore,
    })
}

fn insert_columns(
    insert: &Insert,
    shape: &TableShape,
    scope: &Scope,
) -> Result<Vec<usize>, SqlError> {
    let Some(names) = &insert.columns else {
        return Ok((0..shape.columns.len()).collect());
    };
    let mut columns = Vec::with_capacity(names.len());
    for name in names {
        let place = scope.find(None, name, "field list")?;
        if columns.contains(&place.column) {
            return Err(SqlError::from(ErrorKind::ColumnTwice(name.text.clone())).at(name.position));
        }
        columns.push(place.column);
    }
    Ok(columns)
}
