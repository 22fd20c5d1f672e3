//! Column types: from values to images and back, and the order of images.

use std::{cmp::Ordering, fmt};

use super::{Collation, Decimal, Value};

/// The type of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub enum ColumnType {
    /// TINYINT (1 byte) to BIGINT (8 bytes).
    Int {
        /// Bytes: 1, 2, 3, 4 or 8.
        bytes: u8,
        /// Without a sign.
        unsigned: bool,
    },
    /// DOUBLE.
    Double,
    /// DECIMAL(precision, scale).
    Decimal {
        /// Digits in all, at most 38 here.
        precision: u8,
        /// Digits after the point.
        scale: u8,
    },
    /// CHAR(n).
    Char {
        /// Most characters.
        characters: u32,
        /// Order.
        collation: Collation,
    },
    /// VARCHAR(n).
    VarChar {
        /// Most characters.
        characters: u32,
        /// Order.
        collation: Collation,
    },
    /// TEXT, kept in the row (rows stay below half a page).
    Text {
        /// Order.
        collation: Collation,
    },
    /// DATE.
    Date,
    /// DATETIME.
    DateTime,
    /// TIMESTAMP.
    Timestamp,
}

/// How images of a field compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FieldOrder {
    /// As bytes.
    Bytes,
    /// As a double.
    Float,
    /// As text.
    Text(Collation),
}

/// A value that a column cannot take.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TypeError {
    /// Out of the type's range (MySQL's 1264).
    #[error("value {value} is out of range for {column}")]
    OutOfRange {
        /// The value.
        value: String,
        /// The type.
        column: String,
    },
    /// Too long (1406).
    #[error("value of {length} characters is too long for {column}")]
    TooLong {
        /// Characters given.
        length: usize,
        /// The type.
        column: String,
    },
    /// Not a value of that kind (1366).
    #[error("incorrect value '{value}' for {column}")]
    Incorrect {
        /// The value.
        value: String,
        /// The type.
        column: String,
    },
}

impl FieldOrder {
    /// Compares two images.
    #[must_use]
    pub fn compare(self, left: &[u8], right: &[u8]) -> Ordering {
        match self {
            FieldOrder::Bytes => left.cmp(right),
            FieldOrder::Float => float(left).total_cmp(&float(right)),
            FieldOrder::Text(collation) => collation.compare(left, right),
        }
    }
}

/// Microseconds in a day.
const DAY: i64 = 86_400_000_000;

impl ColumnType {
    /// How images of this type compare.
    #[must_use]
    pub fn order(self) -> FieldOrder {
        match self {
            ColumnType::Double => FieldOrder::Float,
            ColumnType::Char { collation, .. }
            | ColumnType::VarChar { collation, .. }
            | ColumnType::Text { collation } => FieldOrder::Text(collation),
            _ => FieldOrder::Bytes,
        }
    }

    /// Bytes of every image, or `None` for a variable-length type. CHAR is of fixed length only
    /// where a character is one byte, as in the compact row format.
    #[must_use]
    pub fn fixed_length(self) -> Option<usize> {
        match self {
            ColumnType::Int { bytes, .. } => Some(usize::from(bytes)),
            ColumnType::Double => Some(8),
            ColumnType::Decimal { precision, scale } => Some(decimal_bytes(precision, scale)),
            ColumnType::Char {
                characters,
                collation,
            } => (collation.bytes_per_character() == 1).then_some(characters as usize),
            ColumnType::VarChar { .. } | ColumnType::Text { .. } => None,
            ColumnType::Date => Some(3),
            ColumnType::DateTime => Some(8),
            ColumnType::Timestamp => Some(7),
        }
    }

    /// Most bytes of an image.
    #[must_use]
    pub fn max_length(self) -> usize {
        match self {
            ColumnType::Char {
                characters,
                collation,
            }
            | ColumnType::VarChar {
                characters,
                collation,
            } => characters as usize * collation.bytes_per_character(),
            ColumnType::Text { .. } => 65_535,
            _ => self.fixed_length().unwrap_or(0),
        }
    }

    /// The image of a value (not NULL), converted and checked as strict mode does.
    ///
    /// # Errors
    /// When the type cannot hold it.
    pub fn encode(self, value: &Value) -> Result<Box<[u8]>, TypeError> {
        match self {
            ColumnType::Int { bytes, unsigned } => self.encode_int(value, bytes, unsigned),
            ColumnType::Double => {
                let number = value.to_double().ok_or_else(|| self.incorrect(value))?;
                Ok(Box::from(number.to_le_bytes()))
            }
            ColumnType::Decimal { precision, scale } => {
                self.encode_decimal(value, precision, scale)
            }
            ColumnType::Char { .. } | ColumnType::VarChar { .. } | ColumnType::Text { .. } => {
                self.encode_text(value)
            }
            ColumnType::Date => {
                let days = self.micros(value)? / DAY;
                let image = u32::try_from(days).map_err(|_| self.out_of_range(value))?;
                Ok(Box::from(&image.to_be_bytes()[1..]))
            }
            ColumnType::DateTime => Ok(flipped(i128::from(self.micros(value)?), 8)),
            ColumnType::Timestamp => Ok(flipped(i128::from(self.micros(value)?), 8)[1..].into()),
        }
    }

    fn encode_int(self, value: &Value, bytes: u8, unsigned: bool) -> Result<Box<[u8]>, TypeError> {
        let number = value.to_int().ok_or_else(|| self.incorrect(value))?;
        let bits = u32::from(bytes) * 8;
        let (low, high) = if unsigned {
            (0, (1_i128 << bits) - 1)
        } else {
            (-(1_i128 << (bits - 1)), (1_i128 << (bits - 1)) - 1)
        };
        if !(low..=high).contains(&number) {
            return Err(self.out_of_range(value));
        }
        if unsigned {
            Ok(number.to_be_bytes()[16 - usize::from(bytes)..].into())
        } else {
            Ok(flipped(number, usize::from(bytes)))
        }
    }

    fn encode_decimal(
        self,
        value: &Value,
        precision: u8,
        scale: u8,
    ) -> Result<Box<[u8]>, TypeError> {
        let number = value
            .to_decimal(scale)
            .ok_or_else(|| self.incorrect(value))?;
        let limit = 10_i128
            .checked_pow(u32::from(precision))
            .unwrap_or(i128::MAX);
        if number.unscaled.abs() >= limit {
            return Err(self.out_of_range(value));
        }
        Ok(flipped(number.unscaled, decimal_bytes(precision, scale)))
    }

    fn encode_text(self, value: &Value) -> Result<Box<[u8]>, TypeError> {
        let text = value.to_text();
        let (limit, pad) = match self {
            ColumnType::Char { characters, .. } => (characters as usize, true),
            ColumnType::VarChar { characters, .. } => (characters as usize, false),
            _ => (usize::MAX, false),
        };
        let text = if pad {
            text.trim_end_matches(' ').to_owned()
        } else {
            text
        };
        let length = text.chars().count();
        if length > limit || text.len() > 65_535 {
            return Err(TypeError::TooLong {
                length,
                column: self.to_string(),
            });
        }
        let mut image = text.into_bytes();
        if pad && image.len() < limit {
            image.resize(limit, b' ');
        }
        // Characters beyond ASCII take more than one byte here even where the character set has
        // one: a fixed-length image is cut to its length in that rare case by refusing it.
        if let Some(fixed) = self.fixed_length()
            && image.len() != fixed
        {
            return Err(TypeError::TooLong {
                length: image.len(),
                column: self.to_string(),
            });
        }
        Ok(image.into_boxed_slice())
    }

    fn micros(self, value: &Value) -> Result<i64, TypeError> {
        match value {
            Value::DateTime(micros) => Ok(*micros),
            Value::Text(text) => super::datetime::parse(text).ok_or_else(|| self.incorrect(value)),
            _ => Err(self.incorrect(value)),
        }
    }

    /// The value of an image that [`Self::encode`] made.
    #[must_use]
    pub fn decode(self, image: &[u8]) -> Value {
        match self {
            ColumnType::Int { unsigned: true, .. } => {
                Value::Int(image.iter().fold(0, |n, b| (n << 8) | i128::from(*b)))
            }
            ColumnType::Int { .. } => Value::Int(unflipped(image)),
            ColumnType::Double => Value::Double(float(image)),
            ColumnType::Decimal { scale, .. } => Value::Decimal(Decimal {
                unscaled: unflipped(image),
                scale,
            }),
            ColumnType::Char { .. } => Value::Text(
                String::from_utf8_lossy(image)
                    .trim_end_matches(' ')
                    .to_owned(),
            ),
            ColumnType::VarChar { .. } | ColumnType::Text { .. } => {
                Value::Text(String::from_utf8_lossy(image).into_owned())
            }
            ColumnType::Date => {
                let days = image.iter().fold(0_i64, |n, b| (n << 8) | i64::from(*b));
                Value::DateTime(days * DAY)
            }
            ColumnType::DateTime => Value::DateTime(unflipped(image) as i64),
            // The first byte of a non-negative 8-byte image below 2^55 is always 0x80.
            ColumnType::Timestamp => {
                let micros = image.iter().fold(0_i64, |n, b| (n << 8) | i64::from(*b));
                Value::DateTime(micros)
            }
        }
    }

    fn out_of_range(self, value: &Value) -> TypeError {
        TypeError::OutOfRange {
            value: value.to_text(),
            column: self.to_string(),
        }
    }

    fn incorrect(self, value: &Value) -> TypeError {
        TypeError::Incorrect {
            value: value.to_text(),
            column: self.to_string(),
        }
    }
}

impl fmt::Display for ColumnType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ColumnType::Int { bytes, unsigned } => {
                let name = match bytes {
                    1 => "TINYINT",
                    2 => "SMALLINT",
                    3 => "MEDIUMINT",
                    4 => "INT",
                    _ => "BIGINT",
                };
                write!(f, "{name}{}", if *unsigned { " UNSIGNED" } else { "" })
            }
            ColumnType::Double => f.write_str("DOUBLE"),
            ColumnType::Decimal { precision, scale } => write!(f, "DECIMAL({precision},{scale})"),
            ColumnType::Char { characters, .. } => write!(f, "CHAR({characters})"),
            ColumnType::VarChar { characters, .. } => write!(f, "VARCHAR({characters})"),
            ColumnType::Text { .. } => f.write_str("TEXT"),
            ColumnType::Date => f.write_str("DATE"),
            ColumnType::DateTime => f.write_str("DATETIME"),
            ColumnType::Timestamp => f.write_str("TIMESTAMP"),
        }
    }
}

/// Bytes of a packed decimal: nine digits take four bytes, fewer take less.
fn decimal_bytes(precision: u8, scale: u8) -> usize {
    const PARTIAL: [usize; 10] = [0, 1, 1, 2, 2, 3, 3, 4, 4, 4];
    let half = |digits: usize| digits / 9 * 4 + PARTIAL[digits % 9];
    let packed = half(usize::from(precision - scale)) + half(usize::from(scale));
    // The image is one binary integer of that many bytes; where packing by halves is tighter than
    // the integer needs, the integer's length wins.
    let bits = (f64::from(precision) * std::f64::consts::LOG2_10).ceil() as usize + 1;
    packed.max(bits.div_ceil(8))
}

/// Big-endian with the sign bit flipped, so that images compare as bytes.
fn flipped(number: i128, bytes: usize) -> Box<[u8]> {
    let mut image: Box<[u8]> = number.to_be_bytes()[16 - bytes..].into();
    image[0] ^= 0x80;
    image
}

fn unflipped(image: &[u8]) -> i128 {
    let Some((first, rest)) = image.split_first() else {
        return 0;
    };
    let start = i128::from((first ^ 0x80).cast_signed());
    rest.iter().fold(start, |n, b| (n << 8) | i128::from(*b))
}

fn float(image: &[u8]) -> f64 {
    let mut bytes = [0; 8];
    let n = image.len().min(8);
    bytes[..n].copy_from_slice(&image[..n]);
    f64::from_le_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn integers_keep_their_order_and_value(a in any::<i32>(), b in any::<i32>()) {
            let ty = ColumnType::Int { bytes: 4, unsigned: false };
            let (x, y) = (Value::Int(i128::from(a)), Value::Int(i128::from(b)));
            let (i, j) = (ty.encode(&x).unwrap(), ty.encode(&y).unwrap());
            prop_assert_eq!(ty.order().compare(&i, &j), a.cmp(&b));
            prop_assert_eq!(ty.decode(&i), x);
        }

        #[test]
        fn decimals_keep_their_order_and_value(a in -99_999_i128..99_999, b in -99_999_i128..99_999) {
            let ty = ColumnType::Decimal { precision: 5, scale: 2 };
            let value = |unscaled| Value::Decimal(Decimal { unscaled, scale: 2 });
            let (i, j) = (ty.encode(&value(a)).unwrap(), ty.encode(&value(b)).unwrap());
            prop_assert_eq!(ty.order().compare(&i, &j), a.cmp(&b));
            prop_assert_eq!(ty.decode(&i), value(a));
        }

        #[test]
        fn moments_keep_their_order_and_value(a in 0_i64..1 << 55, b in 0_i64..1 << 55) {
            for ty in [ColumnType::DateTime, ColumnType::Timestamp] {
                let (i, j) =
                    (ty.encode(&Value::DateTime(a)).unwrap(), ty.encode(&Value::DateTime(b)).unwrap());
                prop_assert_eq!(ty.order().compare(&i, &j), a.cmp(&b));
                prop_assert_eq!(ty.decode(&i), Value::DateTime(a));
            }
        }
    }

    #[test]
    fn strict_mode_refuses_what_does_not_fit() {
        let tiny = ColumnType::Int {
            bytes: 1,
            unsigned: true,
        };
        assert!(matches!(
            tiny.encode(&Value::Int(256)),
            Err(TypeError::OutOfRange { .. })
        ));
        assert!(matches!(
            tiny.encode(&Value::Text("x".into())),
            Err(TypeError::Incorrect { .. })
        ));
        let short = ColumnType::VarChar {
            characters: 2,
            collation: Collation::Latin1,
        };
        assert!(matches!(
            short.encode(&Value::Text("abc".into())),
            Err(TypeError::TooLong { .. })
        ));
    }

    #[test]
    fn text_compares_without_case_and_by_the_padding_rule() {
        let compare = |c: Collation, a: &str, b: &str| c.compare(a.as_bytes(), b.as_bytes());
        assert_eq!(compare(Collation::Latin1, "abc", "ABC  "), Ordering::Equal);
        assert_eq!(
            compare(Collation::Utf8Mb4NoPad, "abc", "ABC"),
            Ordering::Equal
        );
        assert_eq!(
            compare(Collation::Utf8Mb4NoPad, "abc", "abc "),
            Ordering::Less
        );
        assert_eq!(compare(Collation::Binary, "a", "B"), Ordering::Greater);
    }
}
