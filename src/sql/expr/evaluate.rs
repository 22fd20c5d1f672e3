//! What an expression is worth.

use std::cmp::Ordering;

use gaplock_engine::types::{Collation, Value};

use super::compare::{compare, like, number, numeric_prefix};
use super::{Comparison, Expression, arithmetic};
use crate::sql::error::{ErrorKind, SqlError};

/// What a subquery gave: the values of its one column.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SubqueryResult {
    /// Its values, row by row.
    pub values: Vec<Value>,
}

/// What an expression may look at.
#[derive(Clone, Copy)]
pub struct Environment<'a> {
    /// The current row of each table, by its place in FROM; all columns.
    pub rows: &'a [Vec<Value>],
    /// The row that an INSERT failed to put in, for VALUES().
    pub new_row: &'a [Value],
    /// Results of the statement's subqueries.
    pub subqueries: &'a [SubqueryResult],
    /// Results of the aggregates.
    pub aggregates: &'a [Value],
    /// The statement's start, in microseconds as dates count.
    pub now: i64,
    /// LAST_INSERT_ID().
    pub last_insert_id: i128,
    /// Whether a text that is no number is an error where a number is wanted (statements that write,
    /// in strict mode).
    pub strict: bool,
}

impl Environment<'_> {
    /// An environment without rows.
    #[must_use]
    pub fn empty() -> Environment<'static> {
        Environment {
            rows: &[],
            new_row: &[],
            subqueries: &[],
            aggregates: &[],
            now: 0,
            last_insert_id: 0,
            strict: false,
        }
    }
}

/// Whether a value is true, false or unknown.
#[must_use]
pub fn truth(value: &Value) -> Option<bool> {
    match value {
        Value::Null => None,
        Value::Int(number) => Some(*number != 0),
        other => Some(number(other) != 0.0),
    }
}

fn of_truth(truth: Option<bool>) -> Value {
    truth.map_or(Value::Null, |truth| Value::Int(i128::from(truth)))
}

impl Expression {
    /// What it is worth for the rows of `environment`.
    ///
    /// # Errors
    /// Overflow; in strict statements texts that are no numbers; a scalar subquery of many rows.
    pub fn evaluate(&self, environment: &Environment<'_>) -> Result<Value, SqlError> {
        match self {
            Expression::Constant(value) => Ok(value.clone()),
            Expression::Column(place) => Ok(environment
                .rows
                .get(place.table)
                .and_then(|row| row.get(place.column))
                .cloned()
                .unwrap_or(Value::Null)),
            Expression::NewValue(column) => Ok(environment
                .new_row
                .get(*column)
                .cloned()
                .unwrap_or(Value::Null)),
            Expression::Subquery(subquery) => scalar(environment, *subquery),
            Expression::Aggregate(aggregate) => Ok(environment
                .aggregates
                .get(*aggregate)
                .cloned()
                .unwrap_or(Value::Null)),
            Expression::Negate(operand) => Ok(arithmetic::negate(&operand.evaluate(environment)?)),
            Expression::Arithmetic {
                operator,
                left,
                right,
            } => {
                let left = left.evaluate(environment)?;
                let right = right.evaluate(environment)?;
                for side in [&left, &right] {
                    check_number(side, environment.strict)?;
                }
                Ok(arithmetic::arithmetic(*operator, &left, &right)?)
            }
            Expression::Case {
                branches,
                otherwise,
            } => {
                for (when, then) in branches {
                    if when.holds(environment)? == Some(true) {
                        return then.evaluate(environment);
                    }
                }
                otherwise.evaluate(environment)
            }
            Expression::Call {
                function,
                arguments,
                collation,
            } => function.call(arguments, *collation, environment),
            _ => Ok(of_truth(self.holds(environment)?)),
        }
    }

    /// Whether it is true for the rows of `environment`; `None` is unknown.
    ///
    /// # Errors
    /// As [`Expression::evaluate`].
    pub fn holds(&self, environment: &Environment<'_>) -> Result<Option<bool>, SqlError> {
        match self {
            Expression::Not(operand) => Ok(operand.holds(environment)?.map(|truth| !truth)),
            Expression::And(parts) => junction(parts, environment, false),
            Expression::Or(parts) => junction(parts, environment, true),
            Expression::Xor(left, right) => {
                let (left, right) = (left.holds(environment)?, right.holds(environment)?);
                Ok(left.zip(right).map(|(left, right)| left != right))
            }
            Expression::Compare {
                operator,
                left,
                right,
                collation,
            } => {
                let left = left.evaluate(environment)?;
                let right = right.evaluate(environment)?;
                checked_compare(&left, &right, *collation, environment.strict)
                    .map(|ordering| compared(*operator, &left, &right, ordering))
            }
            Expression::IsNull(operand) => Ok(Some(operand.evaluate(environment)?.is_null())),
            Expression::Between {
                operand,
                low,
                high,
                collation,
            } => between(operand, [low, high], *collation, environment),
            Expression::In {
                operand,
                list,
                collation,
            } => {
                let operand = operand.evaluate(environment)?;
                let list: Result<Vec<Value>, SqlError> =
                    list.iter().map(|item| item.evaluate(environment)).collect();
                contains(&list?, &operand, *collation, environment.strict)
            }
            Expression::InSubquery {
                operand,
                subquery,
                collation,
            } => {
                let operand = operand.evaluate(environment)?;
                let values = environment
                    .subqueries
                    .get(*subquery)
                    .map_or(&[][..], |result| &result.values);
                contains(values, &operand, *collation, environment.strict)
            }
            Expression::Like {
                operand,
                pattern,
                collation,
            } => {
                let operand = operand.evaluate(environment)?;
                let pattern = pattern.evaluate(environment)?;
                if operand.is_null() || pattern.is_null() {
                    return Ok(None);
                }
                let (operand, pattern) = (arithmetic::text(&operand), arithmetic::text(&pattern));
                Ok(Some(like(&operand, &pattern, *collation)))
            }
            _ => Ok(truth(&self.evaluate(environment)?)),
        }
    }
}

/// BETWEEN, its ends included.
fn between(
    operand: &Expression,
    [low, high]: [&Expression; 2],
    collation: Collation,
    environment: &Environment<'_>,
) -> Result<Option<bool>, SqlError> {
    let operand = operand.evaluate(environment)?;
    let side = |bound: &Expression, wanted: Comparison| -> Result<Option<bool>, SqlError> {
        let bound = bound.evaluate(environment)?;
        let ordering = checked_compare(&operand, &bound, collation, environment.strict)?;
        Ok(compared(wanted, &operand, &bound, ordering))
    };
    let low = side(low, Comparison::GreaterOrEqual)?;
    let high = side(high, Comparison::LessOrEqual)?;
    Ok(match (low, high) {
        (Some(false), _) | (_, Some(false)) => Some(false),
        (Some(true), Some(true)) => Some(true),
        _ => None,
    })
}

/// AND (`decides` is false) or OR (`decides` is true): the first part that decides ends it.
fn junction(
    parts: &[Expression],
    environment: &Environment<'_>,
    decides: bool,
) -> Result<Option<bool>, SqlError> {
    let mut result = Some(!decides);
    for part in parts {
        match part.holds(environment)? {
            Some(truth) if truth == decides => return Ok(Some(decides)),
            Some(_) => {}
            None => result = None,
        }
    }
    Ok(result)
}

fn compared(
    operator: Comparison,
    left: &Value,
    right: &Value,
    ordering: Option<Ordering>,
) -> Option<bool> {
    if operator == Comparison::NullSafeEqual {
        return Some(match ordering {
            Some(ordering) => ordering == Ordering::Equal,
            None => left.is_null() && right.is_null(),
        });
    }
    ordering.map(|ordering| match operator {
        Comparison::Equal | Comparison::NullSafeEqual => ordering == Ordering::Equal,
        Comparison::NotEqual => ordering != Ordering::Equal,
        Comparison::Less => ordering == Ordering::Less,
        Comparison::LessOrEqual => ordering != Ordering::Greater,
        Comparison::Greater => ordering == Ordering::Greater,
        Comparison::GreaterOrEqual => ordering != Ordering::Less,
    })
}

fn contains(
    list: &[Value],
    operand: &Value,
    collation: Collation,
    strict: bool,
) -> Result<Option<bool>, SqlError> {
    let mut result = Some(false);
    for item in list {
        match checked_compare(operand, item, collation, strict)? {
            Some(Ordering::Equal) => return Ok(Some(true)),
            Some(_) => {}
            None => result = None,
        }
    }
    Ok(result)
}

fn checked_compare(
    left: &Value,
    right: &Value,
    collation: Collation,
    strict: bool,
) -> Result<Option<Ordering>, SqlError> {
    let as_numbers =
        |value: &Value| matches!(value, Value::Int(_) | Value::Decimal(_) | Value::Double(_));
    if strict && as_numbers(left) {
        check_number(right, strict)?;
    }
    if strict && as_numbers(right) {
        check_number(left, strict)?;
    }
    Ok(compare(left, right, collation))
}

/// Fails for a text that is no number, where strict mode asks for one.
fn check_number(value: &Value, strict: bool) -> Result<(), SqlError> {
    match value {
        Value::Text(text) if strict && !numeric_prefix(text).1 => {
            Err(ErrorKind::TruncatedNumber(text.clone()).into())
        }
        _ => Ok(()),
    }
}

fn scalar(environment: &Environment<'_>, subquery: usize) -> Result<Value, SqlError> {
    match environment
        .subqueries
        .get(subquery)
        .map(|result| &result.values[..])
    {
        None | Some([]) => Ok(Value::Null),
        Some([value]) => Ok(value.clone()),
        Some(_) => Err(ErrorKind::SubqueryRows.into()),
    }
}
