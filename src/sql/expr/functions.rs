//! The functions that there are.

use std::cmp::Ordering;

use gaplock_engine::types::{Collation, Value};

use super::Expression;
use super::arithmetic::{self, arithmetic};
use super::compare::compare;
use super::evaluate::{Environment, truth};
use crate::sql::ast::BinaryOperator;
use crate::sql::error::SqlError;

/// Longest text that REPEAT makes; more gives NULL, as beyond `max_allowed_packet`.
const LONGEST_TEXT: usize = 1 << 20;

/// A function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Function {
    /// IF(condition, then, else).
    If,
    /// COALESCE, IFNULL: the first that is not NULL.
    Coalesce,
    /// NULLIF(a, b): NULL if they are equal.
    NullIf,
    /// CONCAT.
    Concat,
    /// LENGTH, in bytes.
    Length,
    /// CHAR_LENGTH.
    CharLength,
    /// LOWER.
    Lower,
    /// UPPER.
    Upper,
    /// REPEAT(text, count).
    Repeat,
    /// ABS.
    Abs,
    /// MOD(a, b).
    Mod,
    /// GREATEST.
    Greatest,
    /// LEAST.
    Least,
    /// NOW: the statement's start in virtual time.
    Now,
    /// LAST_INSERT_ID().
    LastInsertId,
}

impl Function {
    /// The function of this name, in upper case, with how many arguments it takes.
    #[must_use]
    pub fn named(name: &str) -> Option<(Function, std::ops::RangeInclusive<usize>)> {
        const MANY: usize = usize::MAX;
        Some(match name {
            "IF" => (Function::If, 3..=3),
            "COALESCE" => (Function::Coalesce, 1..=MANY),
            "IFNULL" => (Function::Coalesce, 2..=2),
            "NULLIF" => (Function::NullIf, 2..=2),
            "CONCAT" => (Function::Concat, 1..=MANY),
            "LENGTH" => (Function::Length, 1..=1),
            "CHAR_LENGTH" => (Function::CharLength, 1..=1),
            "LOWER" => (Function::Lower, 1..=1),
            "UPPER" => (Function::Upper, 1..=1),
            "REPEAT" => (Function::Repeat, 2..=2),
            "ABS" => (Function::Abs, 1..=1),
            "MOD" => (Function::Mod, 2..=2),
            "GREATEST" => (Function::Greatest, 2..=MANY),
            "LEAST" => (Function::Least, 2..=MANY),
            "NOW" | "CURRENT_TIMESTAMP" => (Function::Now, 0..=1),
            "LAST_INSERT_ID" => (Function::LastInsertId, 0..=0),
            _ => return None,
        })
    }

    /// Calls it.
    ///
    /// # Errors
    /// Those of its arguments.
    pub(super) fn call(
        self,
        arguments: &[Expression],
        collation: Collation,
        environment: &Environment<'_>,
    ) -> Result<Value, SqlError> {
        let argument = |at: usize| match arguments.get(at) {
            Some(argument) => argument.evaluate(environment),
            None => Ok(Value::Null),
        };
        match self {
            Function::If => match truth(&argument(0)?) {
                Some(true) => argument(1),
                _ => argument(2),
            },
            Function::Coalesce => first_present(arguments, environment),
            Function::NullIf => {
                let (left, right) = (argument(0)?, argument(1)?);
                let equal = compare(&left, &right, collation) == Some(Ordering::Equal);
                Ok(if equal { Value::Null } else { left })
            }
            Function::Concat => concat(arguments, environment),
            Function::Length => Ok(on_text(&argument(0)?, |text| int(text.len()))),
            Function::CharLength => Ok(on_text(&argument(0)?, |text| int(text.chars().count()))),
            Function::Lower => Ok(on_text(&argument(0)?, |text| {
                Value::Text(text.to_lowercase())
            })),
            Function::Upper => Ok(on_text(&argument(0)?, |text| {
                Value::Text(text.to_uppercase())
            })),
            Function::Repeat => {
                let (text, count) = (argument(0)?, argument(1)?);
                Ok(on_text(&text, |text| repeat(text, count.to_int())))
            }
            Function::Abs => Ok(absolute(argument(0)?)),
            Function::Mod => {
                let (left, right) = (argument(0)?, argument(1)?);
                Ok(arithmetic(BinaryOperator::Modulo, &left, &right)?)
            }
            Function::Greatest => extreme(arguments, collation, environment, Ordering::Greater),
            Function::Least => extreme(arguments, collation, environment, Ordering::Less),
            Function::Now => Ok(Value::DateTime(
                environment.now - environment.now % 1_000_000,
            )),
            Function::LastInsertId => Ok(Value::Int(environment.last_insert_id)),
        }
    }
}

fn int(number: usize) -> Value {
    Value::Int(number as i128)
}

fn on_text(value: &Value, apply: impl FnOnce(&str) -> Value) -> Value {
    match value {
        Value::Null => Value::Null,
        Value::Text(text) => apply(text),
        other => apply(&arithmetic::text(other)),
    }
}

fn repeat(text: &str, count: Option<i128>) -> Value {
    let Some(count) = count else {
        return Value::Null;
    };
    let count = usize::try_from(count.max(0)).unwrap_or(usize::MAX);
    match text.len().checked_mul(count) {
        Some(length) if length <= LONGEST_TEXT => Value::Text(text.repeat(count)),
        _ => Value::Null,
    }
}

fn absolute(value: Value) -> Value {
    match &value {
        Value::Null => Value::Null,
        other if compare(other, &Value::Int(0), Collation::Binary) == Some(Ordering::Less) => {
            arithmetic::negate(other)
        }
        _ => value,
    }
}

fn first_present(
    arguments: &[Expression],
    environment: &Environment<'_>,
) -> Result<Value, SqlError> {
    for argument in arguments {
        let value = argument.evaluate(environment)?;
        if !value.is_null() {
            return Ok(value);
        }
    }
    Ok(Value::Null)
}

fn concat(arguments: &[Expression], environment: &Environment<'_>) -> Result<Value, SqlError> {
    let mut joined = String::new();
    for argument in arguments {
        match argument.evaluate(environment)? {
            Value::Null => return Ok(Value::Null),
            Value::Text(text) => joined.push_str(&text),
            other => joined.push_str(&arithmetic::text(&other)),
        }
    }
    Ok(Value::Text(joined))
}

/// The greatest or the least; NULL if one is NULL.
fn extreme(
    arguments: &[Expression],
    collation: Collation,
    environment: &Environment<'_>,
    wanted: Ordering,
) -> Result<Value, SqlError> {
    let mut best: Option<Value> = None;
    for argument in arguments {
        let value = argument.evaluate(environment)?;
        if value.is_null() {
            return Ok(Value::Null);
        }
        let better = match &best {
            None => true,
            Some(best) => compare(&value, best, collation) == Some(wanted),
        };
        if better {
            best = Some(value);
        }
    }
    Ok(best.unwrap_or(Value::Null))
}
