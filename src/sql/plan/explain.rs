//! A plan as EXPLAIN prints it.

use gaplock_engine::types::Value;

use super::{AccessPath, Plan, Purpose, Request, TablePlan, TableShape};
use crate::sql::expr::Expression;

/// The columns of EXPLAIN.
pub const EXPLAIN_COLUMNS: [&str; 7] = ["table", "type", "key", "key_len", "ref", "rows", "Extra"];

/// The rows of EXPLAIN.
#[must_use]
pub fn explain(request: &Request<'_>, plan: &Plan) -> Vec<Vec<Value>> {
    if plan.impossible {
        return vec![note("Impossible WHERE")];
    }
    if plan.tables.is_empty() {
        return vec![note("No tables used")];
    }
    plan.tables
        .iter()
        .enumerate()
        .map(|(at, table)| row(request, plan, table, at == 0))
        .collect()
}

fn note(text: &str) -> Vec<Value> {
    let mut row = vec![Value::Null; EXPLAIN_COLUMNS.len() - 1];
    row.push(Value::Text(text.to_owned()));
    row
}

fn row(request: &Request<'_>, plan: &Plan, table: &TablePlan, first: bool) -> Vec<Value> {
    let shape = request.tables[table.table].shape;
    let index = &shape.indexes[table.index];
    let text = |text: &str| Value::Text(text.to_owned());
    // UPDATE's scan of the table goes by the name of the clustered index.
    let by_name = matches!(request.purpose, Purpose::Update(_)) && shape.has_named_key();
    let (kind, uses_key) = match &table.path {
        AccessPath::Const(_) => ("const", true),
        AccessPath::EqRef(_) => ("eq_ref", true),
        AccessPath::Ref(_) => ("ref", true),
        AccessPath::Range(_) => ("range", true),
        AccessPath::All if by_name => ("index", true),
        AccessPath::Index => ("index", true),
        AccessPath::All => ("ALL", false),
    };
    let parts = if table.parts == 0 {
        index.columns.len()
    } else {
        table.parts
    };
    vec![
        text(&shape.name),
        text(kind),
        if uses_key {
            text(&index.name)
        } else {
            Value::Null
        },
        if uses_key {
            Value::Text(key_length(shape, table.index, parts).to_string())
        } else {
            Value::Null
        },
        reference(table),
        Value::Int(i128::from(table.rows)),
        extra(request, plan, table, first),
    ]
}

/// Bytes of the leading columns of a key as EXPLAIN counts them: one more where NULL may stand, two
/// more for a length.
fn key_length(shape: &TableShape, index: usize, parts: usize) -> usize {
    let columns = &shape.indexes[index].all_columns;
    columns
        .iter()
        .take(parts)
        .map(|column| {
            let column = &shape.columns[*column];
            let length = if column.column_type.fixed_length().is_some() {
                0
            } else {
                2
            };
            column.column_type.max_length() + length + usize::from(column.nullable)
        })
        .sum()
}

fn reference(table: &TablePlan) -> Value {
    let (AccessPath::Const(key) | AccessPath::EqRef(key) | AccessPath::Ref(key)) = &table.path
    else {
        return Value::Null;
    };
    let words: Vec<&str> = key
        .iter()
        .map(|part| match part {
            Expression::Column(_) => "column",
            constant if constant.is_constant() => "const",
            _ => "func",
        })
        .collect();
    Value::Text(words.join(","))
}

fn extra(request: &Request<'_>, plan: &Plan, table: &TablePlan, first: bool) -> Value {
    let shape = request.tables[table.table].shape;
    let mut notes: Vec<&str> = Vec::new();
    if table.pushed.is_some() {
        notes.push("Using index condition");
    }
    let is_const = matches!(table.path, AccessPath::Const(_));
    if table.filter.is_some() && table.pushed != table.filter && !is_const {
        notes.push("Using where");
    }
    if table.backward {
        notes.push("Backward index scan");
    }
    if table.covering && request.purpose == Purpose::Read && shape.has_named_key() {
        notes.push("Using index");
    }
    if plan.collect && !plan.filesort {
        notes.push("Using temporary");
    }
    if plan.filesort && first {
        notes.push("Using filesort");
    }
    Value::Text(notes.join("; "))
}
