//! How the fields of an index's records are stored.

use crate::types::FieldOrder;

/// How long a field's images are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Storage {
    /// Always this many bytes.
    Fixed(u16),
    /// Any number of bytes up to `max`; the record keeps the length in one byte, or in two when
    /// `max` is above 255 and the image longer than 127.
    Variable {
        /// Most bytes that an image may have.
        max: u32,
    },
}

/// How one field is stored and compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FieldLayout {
    /// Length of the images.
    pub storage: Storage,
    /// Whether the field may be NULL: it then has a bit in the record's NULL bitmap.
    pub nullable: bool,
    /// How images compare. NULL comes before all of them.
    pub order: FieldOrder,
}

/// The fields of an index's records.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RecordLayout {
    /// Fields of a leaf record.
    pub fields: Vec<FieldLayout>,
    /// How many of them, from the first on, make a record unique in the tree. A record above the
    /// leaves has just these, and the number of a child page.
    pub key_fields: usize,
}
