//! Column types: from values to images and back, and the order of images.

use std::cmp::Ordering;

use super::{Collation, Value};

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

fn float(image: &[u8]) -> f64 {
    let mut bytes = [0; 8];
    let n = image.len().min(8);
    bytes[..n].copy_from_slice(&image[..n]);
    f64::from_le_bytes(bytes)
}

#[allow(unused_variables, clippy::unimplemented, reason = "interface first")]
impl ColumnType {
    /// How images of this type compare.
    #[must_use]
    pub fn order(self) -> FieldOrder {
        unimplemented!()
    }
    /// Bytes of every image, or `None` for a variable-length type.
    #[must_use]
    pub fn fixed_length(self) -> Option<usize> {
        unimplemented!()
    }
    /// Most bytes of an image.
    #[must_use]
    pub fn max_length(self) -> usize {
        unimplemented!()
    }
    /// The image of a value (not NULL), converted and checked as strict mode does.
    ///
    /// # Errors
    /// When the type cannot hold it.
    pub fn encode(self, value: &Value) -> Result<Box<[u8]>, TypeError> {
        unimplemented!()
    }
    /// The value of an image that [`Self::encode`] made.
    #[must_use]
    pub fn decode(self, image: &[u8]) -> Value {
        unimplemented!()
    }
}
