//! Values, column types, and how their images on a page compare.
//!
//! A value is stored as InnoDB would store it, byte for byte in length, because the length decides
//! when a page is full; and so that images of most types compare as bytes: integers big-endian with
//! the sign bit flipped, dates packed, decimals offset. Text compares by its collation.

mod collation;
mod column;
pub mod datetime;
mod value;

pub use collation::Collation;
pub use column::{ColumnType, FieldOrder, TypeError};
pub use value::{Decimal, Value};
