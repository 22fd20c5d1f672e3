//! Names to columns, and AST expressions to [`Expression`]s.

mod statement;

use gaplock_engine::types::{Collation, ColumnType, Value};

use crate::sql::ast::{self, BinaryOperator, Expr, Literal, Name, Select, UnaryOperator};
use crate::sql::error::{ErrorKind, SqlError};
use crate::sql::expr::{ColumnPlace, Comparison, Expression, Function};

pub use statement::{
    BoundDelete, BoundInsert, BoundSelect, BoundSource, BoundUpdate, Catalog, Query, QueryTable,
    delete, insert, select, update,
};

/// The tables whose columns can be named.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scope {
    /// By their place in FROM.
    pub tables: Vec<ScopeTable>,
}

/// One table of a [`Scope`].
#[derive(Clone, Debug, PartialEq)]
pub struct ScopeTable {
    /// The name it goes by.
    pub name: String,
    /// Its columns.
    pub columns: Vec<(String, ColumnType)>,
}

/// An aggregate of a SELECT.
#[derive(Clone, Debug, PartialEq)]
pub struct Aggregate {
    /// Which.
    pub function: AggregateFunction,
    /// Over what; none for `COUNT(*)`.
    pub argument: Option<Expression>,
}

/// The aggregates that there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AggregateFunction {
    /// COUNT.
    Count,
    /// SUM.
    Sum,
    /// MIN.
    Min,
    /// MAX.
    Max,
    /// AVG.
    Average,
}

impl Scope {
    /// Finds a column.
    ///
    /// # Errors
    /// When there is none, or several of that name.
    pub fn find(
        &self,
        table: Option<&str>,
        column: &Name,
        clause: &'static str,
    ) -> Result<ColumnPlace, SqlError> {
        let mut found = None;
        for (at, candidate) in self.tables.iter().enumerate() {
            if table.is_some_and(|table| table != candidate.name) {
                continue;
            }
            let place = candidate
                .columns
                .iter()
                .position(|(name, _)| name.eq_ignore_ascii_case(&column.text));
            if let Some(place) = place {
                if found.is_some() {
                    return Err(SqlError::from(ErrorKind::AmbiguousColumn {
                        column: column.text.clone(),
                        clause,
                    })
                    .at(column.position));
                }
                found = Some(ColumnPlace {
                    table: at,
                    column: place,
                });
            }
        }
        found.ok_or_else(|| self.unknown(table, column, clause))
    }

    fn unknown(&self, table: Option<&str>, column: &Name, clause: &'static str) -> SqlError {
        let written = match table {
            Some(table) => format!("{table}.{}", column.text),
            None => column.text.clone(),
        };
        let known: Vec<&str> = self
            .tables
            .iter()
            .flat_map(|table| table.columns.iter().map(|(name, _)| name.as_str()))
            .collect();
        SqlError {
            kind: ErrorKind::UnknownColumn {
                column: written,
                clause,
            },
            position: Some(column.position),
            advice: (!known.is_empty()).then(|| format!("the columns are {}", known.join(", "))),
        }
    }

    /// The type of a column.
    #[must_use]
    pub fn column_type(&self, place: ColumnPlace) -> ColumnType {
        self.tables[place.table].columns[place.column].1
    }
}

/// Binds the expressions of one clause.
pub struct Binder<'a> {
    scope: &'a Scope,
    clause: &'static str,
    /// Aggregates met, if the clause allows them.
    pub aggregates: Option<Vec<Aggregate>>,
    /// Subqueries met, in order; an [`Expression::Subquery`] counts into it.
    pub subqueries: Vec<Select>,
    /// For ON DUPLICATE KEY UPDATE: the table whose new values `VALUES(column)` and
    /// `alias.column` name.
    new_row: Option<NewRow<'a>>,
}

/// What VALUES() may name.
#[derive(Clone, Copy)]
pub struct NewRow<'a> {
    /// The table's place in the scope.
    pub table: usize,
    /// The alias of the new row.
    pub alias: Option<&'a str>,
}

impl<'a> Binder<'a> {
    /// A binder for a clause, which error messages name.
    #[must_use]
    pub fn new(scope: &'a Scope, clause: &'static str) -> Binder<'a> {
        Binder {
            scope,
            clause,
            aggregates: None,
            subqueries: Vec::new(),
            new_row: None,
        }
    }

    /// Allows aggregates, numbered after those of the items before.
    #[must_use]
    pub fn with_aggregates(mut self, before: Vec<Aggregate>) -> Binder<'a> {
        self.aggregates = Some(before);
        self
    }

    /// Allows VALUES().
    #[must_use]
    pub fn with_new_row(mut self, new_row: NewRow<'a>) -> Binder<'a> {
        self.new_row = Some(new_row);
        self
    }

    /// Numbers subqueries from `first` on, those before having been met in other clauses.
    #[must_use]
    pub fn with_subqueries(mut self, before: Vec<Select>) -> Binder<'a> {
        self.subqueries = before;
        self
    }

    /// Binds an expression.
    ///
    /// # Errors
    /// Names that are not found; functions and aggregates that cannot stand here.
    pub fn bind(&mut self, expr: &Expr) -> Result<Expression, SqlError> {
        match expr {
            Expr::Literal(literal) => Ok(Expression::Constant(value(literal))),
            Expr::Column { table, column } => self.column(table.as_deref(), column),
            Expr::Unary { operator, operand } => {
                let operand = Box::new(self.bind(operand)?);
                Ok(match operator {
                    UnaryOperator::Not => Expression::Not(operand),
                    UnaryOperator::Minus => Expression::Negate(operand),
                })
            }
            Expr::Binary {
                operator,
                left,
                right,
            } => self.binary(*operator, left, right),
            Expr::Subquery(subquery) => Ok(Expression::Subquery(self.subquery(subquery))),
            Expr::IsNull { operand, negated } => {
                let operand = Box::new(self.bind(operand)?);
                Ok(negate_if(*negated, Expression::IsNull(operand)))
            }
            Expr::Case {
                operand,
                branches,
                otherwise,
            } => self.case(operand.as_deref(), branches, otherwise.as_deref()),
            Expr::Call {
                function,
                arguments,
                star,
            } => self.call(function, arguments, *star),
            Expr::InList { .. }
            | Expr::InSubquery { .. }
            | Expr::Between { .. }
            | Expr::Like { .. } => self.predicate(expr),
        }
    }

    /// IN, BETWEEN and LIKE.
    fn predicate(&mut self, expr: &Expr) -> Result<Expression, SqlError> {
        match expr {
            Expr::InList {
                operand,
                list,
                negated,
            } => {
                let operand = Box::new(self.bind(operand)?);
                let list = self.all(list)?;
                let collation = self.collation(list.iter().chain([&*operand]));
                let bound = Expression::In {
                    operand,
                    list,
                    collation,
                };
                Ok(negate_if(*negated, bound))
            }
            Expr::InSubquery {
                operand,
                subquery,
                negated,
            } => {
                let operand = Box::new(self.bind(operand)?);
                let collation = self.collation([&*operand]);
                let bound = Expression::InSubquery {
                    operand,
                    subquery: self.subquery(subquery),
                    collation,
                };
                Ok(negate_if(*negated, bound))
            }
            Expr::Between {
                operand,
                low,
                high,
                negated,
            } => {
                let operand = Box::new(self.bind(operand)?);
                let (low, high) = (Box::new(self.bind(low)?), Box::new(self.bind(high)?));
                let collation = self.collation([&*operand, &*low, &*high]);
                let bound = Expression::Between {
                    operand,
                    low,
                    high,
                    collation,
                };
                Ok(negate_if(*negated, bound))
            }
            Expr::Like {
                operand,
                pattern,
                negated,
            } => {
                let operand = Box::new(self.bind(operand)?);
                let pattern = Box::new(self.bind(pattern)?);
                let collation = self.collation([&*operand, &*pattern]);
                let bound = Expression::Like {
                    operand,
                    pattern,
                    collation,
                };
                Ok(negate_if(*negated, bound))
            }
            other => self.bind(other),
        }
    }

    fn all(&mut self, list: &[Expr]) -> Result<Vec<Expression>, SqlError> {
        list.iter().map(|expr| self.bind(expr)).collect()
    }

    fn column(&self, table: Option<&str>, column: &Name) -> Result<Expression, SqlError> {
        if let Some(new_row) = self.new_row
            && table.is_some()
            && table == new_row.alias
        {
            return self.new_value(new_row, column);
        }
        self.scope
            .find(table, column, self.clause)
            .map(Expression::Column)
    }

    fn new_value(&self, new_row: NewRow<'_>, column: &Name) -> Result<Expression, SqlError> {
        let name = &self.scope.tables[new_row.table].name;
        let place = self.scope.find(Some(name), column, self.clause)?;
        Ok(Expression::NewValue(place.column))
    }

    fn subquery(&mut self, select: &Select) -> usize {
        self.subqueries.push(select.clone());
        self.subqueries.len() - 1
    }

    fn binary(
        &mut self,
        operator: BinaryOperator,
        left: &Expr,
        right: &Expr,
    ) -> Result<Expression, SqlError> {
        let (left, right) = (self.bind(left)?, self.bind(right)?);
        let comparison = match operator {
            BinaryOperator::And => return Ok(Expression::And(flat_and(left, right))),
            BinaryOperator::Or => return Ok(Expression::Or(flat_or(left, right))),
            BinaryOperator::Xor => {
                return Ok(Expression::Xor(Box::new(left), Box::new(right)));
            }
            BinaryOperator::Equal => Comparison::Equal,
            BinaryOperator::NullSafeEqual => Comparison::NullSafeEqual,
            BinaryOperator::NotEqual => Comparison::NotEqual,
            BinaryOperator::Less => Comparison::Less,
            BinaryOperator::LessOrEqual => Comparison::LessOrEqual,
            BinaryOperator::Greater => Comparison::Greater,
            BinaryOperator::GreaterOrEqual => Comparison::GreaterOrEqual,
            arithmetic => {
                return Ok(Expression::Arithmetic {
                    operator: arithmetic,
                    left: Box::new(left),
                    right: Box::new(right),
                });
            }
        };
        Ok(self.comparison(comparison, left, right))
    }

    fn comparison(&self, operator: Comparison, left: Expression, right: Expression) -> Expression {
        let collation = self.collation([&left, &right]);
        Expression::Compare {
            operator,
            left: Box::new(left),
            right: Box::new(right),
            collation,
        }
    }

    /// The collation of the first text column among the operands; literals follow columns.
    fn collation<'e>(&self, operands: impl IntoIterator<Item = &'e Expression>) -> Collation {
        operands
            .into_iter()
            .find_map(|operand| match operand {
                Expression::Column(place) => text_collation(self.scope.column_type(*place)),
                _ => None,
            })
            .unwrap_or(Collation::Utf8Mb4NoPad)
    }

    fn case(
        &mut self,
        operand: Option<&Expr>,
        branches: &[(Expr, Expr)],
        otherwise: Option<&Expr>,
    ) -> Result<Expression, SqlError> {
        let operand = operand.map(|operand| self.bind(operand)).transpose()?;
        let mut bound = Vec::with_capacity(branches.len());
        for (when, then) in branches {
            let mut when = self.bind(when)?;
            if let Some(operand) = &operand {
                when = self.comparison(Comparison::Equal, operand.clone(), when);
            }
            bound.push((when, self.bind(then)?));
        }
        let otherwise = match otherwise {
            Some(otherwise) => self.bind(otherwise)?,
            None => Expression::Constant(Value::Null),
        };
        Ok(Expression::Case {
            branches: bound,
            otherwise: Box::new(otherwise),
        })
    }

    fn call(
        &mut self,
        function: &Name,
        arguments: &[Expr],
        star: bool,
    ) -> Result<Expression, SqlError> {
        if let Some(aggregate) = aggregate_named(&function.text) {
            return self.aggregate(aggregate, function, arguments, star);
        }
        if let ("VALUES", Some(new_row)) = (function.text.as_str(), self.new_row) {
            return match arguments {
                [Expr::Column { column, .. }] => self.new_value(new_row, column),
                _ => Err(
                    SqlError::from(ErrorKind::ParameterCount("VALUES".to_owned()))
                        .at(function.position),
                ),
            };
        }
        let Some((known, count)) = Function::named(&function.text) else {
            return Err(SqlError::unsupported(
                format!("the function {}", function.text),
                Some(function.position),
                "IF, COALESCE, IFNULL, NULLIF, CONCAT, LENGTH, LOWER, UPPER, REPEAT, ABS, MOD, GREATEST, \
                 LEAST, NOW and LAST_INSERT_ID are there",
            ));
        };
        if star || !count.contains(&arguments.len()) {
            return Err(
                SqlError::from(ErrorKind::ParameterCount(function.text.clone()))
                    .at(function.position),
            );
        }
        let arguments = self.all(arguments)?;
        let collation = self.collation(&arguments);
        Ok(Expression::Call {
            function: known,
            arguments,
            collation,
        })
    }

    fn aggregate(
        &mut self,
        aggregate: AggregateFunction,
        function: &Name,
        arguments: &[Expr],
        star: bool,
    ) -> Result<Expression, SqlError> {
        let misplaced = || SqlError::from(ErrorKind::InvalidAggregate).at(function.position);
        let Some(before) = self.aggregates.take() else {
            return Err(misplaced());
        };
        let argument = match arguments {
            [] if star && aggregate == AggregateFunction::Count => None,
            [argument] if !star => Some(self.bind(argument)?),
            _ => {
                return Err(
                    SqlError::from(ErrorKind::ParameterCount(function.text.clone()))
                        .at(function.position),
                );
            }
        };
        let mut aggregates = before;
        aggregates.push(Aggregate {
            function: aggregate,
            argument,
        });
        let number = aggregates.len() - 1;
        self.aggregates = Some(aggregates);
        Ok(Expression::Aggregate(number))
    }
}

/// The collation of a text column.
#[must_use]
pub fn text_collation(column: ColumnType) -> Option<Collation> {
    match column {
        ColumnType::Char { collation, .. }
        | ColumnType::VarChar { collation, .. }
        | ColumnType::Text { collation } => Some(collation),
        _ => None,
    }
}

/// The value of a literal.
#[must_use]
pub fn value(literal: &Literal) -> Value {
    match literal {
        Literal::Null => Value::Null,
        Literal::Int(number) => Value::Int(*number),
        Literal::Decimal(number) => Value::Decimal(*number),
        Literal::Double(number) => Value::Double(*number),
        Literal::Text(text) => Value::Text(text.clone()),
    }
}

/// Checks that the names by which a statement's tables go differ.
///
/// # Errors
/// When two are the same.
pub fn check_aliases(tables: &[ast::TableReference]) -> Result<(), SqlError> {
    for (at, table) in tables.iter().enumerate() {
        let name = table.name();
        if tables[..at].iter().any(|earlier| earlier.name() == name) {
            return Err(
                SqlError::from(ErrorKind::DuplicateAlias(name.to_owned())).at(table.table.position)
            );
        }
    }
    Ok(())
}

fn aggregate_named(name: &str) -> Option<AggregateFunction> {
    Some(match name {
        "COUNT" => AggregateFunction::Count,
        "SUM" => AggregateFunction::Sum,
        "MIN" => AggregateFunction::Min,
        "MAX" => AggregateFunction::Max,
        "AVG" => AggregateFunction::Average,
        _ => return None,
    })
}

fn negate_if(negated: bool, expression: Expression) -> Expression {
    if negated {
        Expression::Not(Box::new(expression))
    } else {
        expression
    }
}

fn flat_and(left: Expression, right: Expression) -> Vec<Expression> {
    let mut parts = Vec::new();
    for side in [left, right] {
        match side {
            Expression::And(inner) => parts.extend(inner),
            other => parts.push(other),
        }
    }
    parts
}

fn flat_or(left: Expression, right: Expression) -> Vec<Expression> {
    let mut parts = Vec::new();
    for side in [left, right] {
        match side {
            Expression::Or(inner) => parts.extend(inner),
            other => parts.push(other),
        }
    }
    parts
}
