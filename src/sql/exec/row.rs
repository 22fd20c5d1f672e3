//! Values for columns: defaults, conversion, what strict mode refuses.

use gaplock_engine::table::{Column, Table};
use gaplock_engine::types::{ColumnType, TypeError, Value};

use crate::sql::bind::{Binder, Scope};
use crate::sql::error::{ErrorKind, SqlError};
use crate::sql::expr::{Environment, Expression};
use crate::sql::parse;

/// The value as the column stores it.
///
/// # Errors
/// NULL in a NOT NULL column, a value that the type cannot hold.
pub(super) fn store(column: &Column, value: &Value, row: u64) -> Result<Value, SqlError> {
    if value.is_null() {
        if column.nullable {
            return Ok(Value::Null);
        }
        return Err(ErrorKind::NotNull(column.name.clone()).into());
    }
    match column.ty.encode(value) {
        Ok(image) => Ok(column.ty.decode(&image)),
        Err(error) => Err(refusal(column, value, &error, row).into()),
    }
}

fn refusal(column: &Column, value: &Value, error: &TypeError, row: u64) -> ErrorKind {
    let name = column.name.clone();
    match error {
        TypeError::OutOfRange { .. } => ErrorKind::OutOfRange { column: name, row },
        TypeError::TooLong { .. } => ErrorKind::TooLong { column: name, row },
        TypeError::Incorrect { .. } => ErrorKind::Incorrect {
            wanted: match column.ty {
                ColumnType::Int { .. } => "integer",
                ColumnType::Double => "double",
                ColumnType::Decimal { .. } => "decimal",
                ColumnType::Date | ColumnType::DateTime | ColumnType::Timestamp => "datetime",
                ColumnType::Char { .. } | ColumnType::VarChar { .. } | ColumnType::Text { .. } => {
                    "string"
                }
            },
            value: value.to_text(),
            column: name,
            row,
        },
    }
}

/// The value that a column gets when the statement gives none; `None` for one that the column draws
/// from its counter.
///
/// # Errors
/// When the column has neither default nor NULL.
pub(super) fn default(
    column: &Column,
    environment: &Environment<'_>,
) -> Result<Option<Value>, SqlError> {
    if column.auto_increment {
        return Ok(None);
    }
    match &column.default {
        Some(text) => {
            let scope = Scope::default();
            let expression = Binder::new(&scope, "default").bind(&parse::expression_text(text)?)?;
            expression.evaluate(environment).map(Some)
        }
        None if column.nullable => Ok(Some(Value::Null)),
        None => Err(ErrorKind::NoDefault(column.name.clone()).into()),
    }
}

/// New values for a row, assigned from left to right: later ones see earlier ones.
///
/// # Errors
/// Those of evaluating and storing.
pub(super) fn assign<'s>(
    table: &Table,
    place: usize,
    set: impl IntoIterator<Item = (usize, Option<&'s Expression>)>,
    environment: &Environment<'_>,
    row_number: u64,
) -> Result<Vec<Value>, SqlError> {
    let mut rows = environment.rows.to_vec();
    for (column, expression) in set {
        let definition = &table.columns[column];
        let seen = Environment {
            rows: &rows,
            ..*environment
        };
        let value = match expression {
            Some(expression) => expression.evaluate(&seen)?,
            None => default(definition, &seen)?.unwrap_or(Value::Null),
        };
        rows[place][column] = store(definition, &value, row_number)?;
    }
    Ok(rows.swap_remove(place))
}
