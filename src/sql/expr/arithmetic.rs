//! Arithmetic: exact while both sides are exact, doubles otherwise, NULL when a side is NULL.

use gaplock_engine::types::{Decimal, Value, datetime};

use super::compare::number;
use crate::sql::ast::BinaryOperator;
use crate::sql::error::ErrorKind;

/// Digits that a division adds after the point (`div_precision_increment`).
const DIVISION_DIGITS: u8 = 4;

/// Digits after the point that are kept at most.
const MAX_SCALE: u8 = 30;

/// Computes `left operator right`.
///
/// # Errors
/// When an integer result leaves the range of BIGINT, signed or unsigned.
pub(super) fn arithmetic(
    operator: BinaryOperator,
    left: &Value,
    right: &Value,
) -> Result<Value, ErrorKind> {
    if left.is_null() || right.is_null() {
        return Ok(Value::Null);
    }
    let computed = match (exact(left), exact(right)) {
        (Some(left), Some(right)) => exactly(operator, left, right),
        _ => None,
    };
    let value = computed.unwrap_or_else(|| in_doubles(operator, number(left), number(right)));
    match value {
        Value::Int(result) if !(i128::from(i64::MIN)..=i128::from(u64::MAX)).contains(&result) => {
            Err(ErrorKind::BigintRange(format!(
                "({} {operator} {})",
                text(left),
                text(right)
            )))
        }
        value => Ok(value),
    }
}

/// The value with its sign turned.
pub(super) fn negate(value: &Value) -> Value {
    match value {
        Value::Null => Value::Null,
        Value::Int(number) => Value::Int(-number),
        Value::Decimal(decimal) => Value::Decimal(Decimal {
            unscaled: -decimal.unscaled,
            scale: decimal.scale,
        }),
        other => Value::Double(-number(other)),
    }
}

/// A value as text, as CONCAT and messages show it.
pub(super) fn text(value: &Value) -> String {
    match value {
        Value::DateTime(micros) => datetime::format(*micros),
        other => other.to_text(),
    }
}

fn exact(value: &Value) -> Option<Decimal> {
    match value {
        Value::Int(unscaled) => Some(Decimal {
            unscaled: *unscaled,
            scale: 0,
        }),
        Value::Decimal(decimal) => Some(*decimal),
        _ => None,
    }
}

/// `None` when the digits do not suffice: doubles take over.
fn exactly(operator: BinaryOperator, left: Decimal, right: Decimal) -> Option<Value> {
    let scale = left.scale.max(right.scale);
    let (a, b) = (raised(left, scale)?, raised(right, scale)?);
    match operator {
        BinaryOperator::Add => Some(tidy(a.checked_add(b)?, scale)),
        BinaryOperator::Subtract => Some(tidy(a.checked_sub(b)?, scale)),
        BinaryOperator::Multiply => {
            let scale = left.scale + right.scale;
            let product = left.unscaled.checked_mul(right.unscaled)?;
            (scale <= MAX_SCALE).then(|| tidy(product, scale))
        }
        BinaryOperator::Divide => divide(left, right),
        BinaryOperator::IntegerDivide if b == 0 => Some(Value::Null),
        BinaryOperator::IntegerDivide => Some(Value::Int(a / b)),
        BinaryOperator::Modulo if b == 0 => Some(Value::Null),
        BinaryOperator::Modulo => Some(tidy(a % b, scale)),
        _ => None,
    }
}

fn raised(number: Decimal, scale: u8) -> Option<i128> {
    let factor = 10_i128.checked_pow(u32::from(scale - number.scale))?;
    number.unscaled.checked_mul(factor)
}

fn tidy(unscaled: i128, scale: u8) -> Value {
    if scale == 0 {
        Value::Int(unscaled)
    } else {
        Value::Decimal(Decimal { unscaled, scale })
    }
}

fn divide(left: Decimal, right: Decimal) -> Option<Value> {
    if right.unscaled == 0 {
        return Some(Value::Null);
    }
    let scale = left.scale.checked_add(DIVISION_DIGITS)?.min(MAX_SCALE);
    let dividend = raised(left, scale.checked_add(right.scale)?)?;
    let half = right.unscaled.unsigned_abs() / 2;
    let magnitude = (dividend.unsigned_abs().checked_add(half)?) / right.unscaled.unsigned_abs();
    let unscaled = i128::try_from(magnitude).ok()?;
    let negative = (dividend < 0) != (right.unscaled < 0);
    Some(Value::Decimal(Decimal {
        unscaled: if negative { -unscaled } else { unscaled },
        scale,
    }))
}

fn in_doubles(operator: BinaryOperator, left: f64, right: f64) -> Value {
    let zero = right == 0.0;
    match operator {
        BinaryOperator::Add => Value::Double(left + right),
        BinaryOperator::Subtract => Value::Double(left - right),
        BinaryOperator::Multiply => Value::Double(left * right),
        BinaryOperator::Divide if !zero => Value::Double(left / right),
        BinaryOperator::IntegerDivide if !zero => Value::Int((left / right).trunc() as i128),
        BinaryOperator::Modulo if !zero => Value::Double(left % right),
        _ => Value::Null,
    }
}
