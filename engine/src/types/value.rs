//! Values as statements see them, and the conversions between them.

use std::fmt;

use super::datetime;

/// An exact decimal number: `unscaled / 10^scale`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Decimal {
    /// All digits, as an integer.
    pub unscaled: i128,
    /// How many of them stand after the point.
    pub scale: u8,
}

/// One value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// NULL.
    Null,
    /// Any integer of any integer type.
    Int(i128),
    /// A double.
    Double(f64),
    /// An exact decimal.
    Decimal(Decimal),
    /// Text.
    Text(String),
    /// A date and time, in microseconds since year 0 of the proleptic Gregorian calendar.
    DateTime(i64),
}

impl Value {
    /// Whether this is NULL.
    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(self, Value::Null)
    }

    /// As an integer, rounded half away from zero; `None` for NULL and for text that is not a
    /// number.
    #[must_use]
    pub fn to_int(&self) -> Option<i128> {
        match self {
            Value::Null => None,
            Value::Int(n) => Some(*n),
            Value::Double(d) => d.is_finite().then(|| d.round() as i128),
            Value::Decimal(_) => self.to_decimal(0).map(|d| d.unscaled),
            Value::Text(text) => text
                .trim()
                .parse()
                .ok()
                .or_else(|| Value::Double(text.trim().parse().ok()?).to_int()),
            Value::DateTime(micros) => Some(i128::from(*micros)),
        }
    }

    /// As a double; `None` for NULL and for text that is not a number.
    #[must_use]
    pub fn to_double(&self) -> Option<f64> {
        match self {
            Value::Null => None,
            Value::Int(n) => Some(*n as f64),
            Value::Double(d) => Some(*d),
            Value::Decimal(d) => Some(d.unscaled as f64 / 10_f64.powi(i32::from(d.scale))),
            Value::Text(text) => text.trim().parse().ok(),
            Value::DateTime(micros) => Some(*micros as f64),
        }
    }

    /// As a decimal with that many digits after the point, rounded half away from zero.
    #[must_use]
    pub fn to_decimal(&self, scale: u8) -> Option<Decimal> {
        match self {
            Value::Int(n) => {
                let unscaled = n.checked_mul(10_i128.checked_pow(u32::from(scale))?)?;
                Some(Decimal { unscaled, scale })
            }
            Value::Decimal(d) => Some(d.rescale(scale)?),
            Value::Text(text) => Decimal::parse(text.trim())?.rescale(scale),
            Value::Double(_) => {
                let scaled = self.to_double()? * 10_f64.powi(i32::from(scale));
                scaled.is_finite().then(|| Decimal {
                    unscaled: scaled.round() as i128,
                    scale,
                })
            }
            Value::Null | Value::DateTime(_) => None,
        }
    }

    /// As text; NULL is `NULL`.
    #[must_use]
    pub fn to_text(&self) -> String {
        match self {
            Value::Text(text) => text.clone(),
            other => other.to_string(),
        }
    }
}

impl Decimal {
    /// Reads `-12.50`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Decimal> {
        let (sign, digits) = match text.strip_prefix('-') {
            Some(rest) => (-1, rest),
            None => (1, text.strip_prefix('+').unwrap_or(text)),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let joined = format!("{whole}{fraction}");
        if joined.is_empty() || !joined.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let unscaled: i128 = joined.parse().ok()?;
        Some(Decimal {
            unscaled: sign * unscaled,
            scale: u8::try_from(fraction.len()).ok()?,
        })
    }

    /// With another number of digits after the point, rounded half away from zero; `None` when it
    /// gets too large.
    #[must_use]
    pub fn rescale(self, scale: u8) -> Option<Decimal> {
        let unscaled = if scale >= self.scale {
            self.unscaled
                .checked_mul(10_i128.checked_pow(u32::from(scale - self.scale))?)?
        } else {
            let divisor = 10_i128.checked_pow(u32::from(self.scale - scale))?;
            let half = self.unscaled.signum() * (divisor / 2);
            self.unscaled.checked_add(half)? / divisor
        };
        Some(Decimal { unscaled, scale })
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scale = usize::from(self.scale);
        let digits = format!(
            "{:0>width$}",
            self.unscaled.unsigned_abs(),
            width = scale + 1
        );
        let sign = if self.unscaled < 0 { "-" } else { "" };
        let (whole, fraction) = digits.split_at(digits.len() - scale);
        if scale == 0 {
            write!(f, "{sign}{whole}")
        } else {
            write!(f, "{sign}{whole}.{fraction}")
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Null => f.write_str("NULL"),
            Value::Int(n) => write!(f, "{n}"),
            Value::Double(d) => write!(f, "{d}"),
            Value::Decimal(d) => write!(f, "{d}"),
            Value::Text(text) => write!(f, "'{}'", text.replace('\'', "''")),
            Value::DateTime(micros) => write!(f, "'{}'", datetime::format(*micros)),
        }
    }
}
