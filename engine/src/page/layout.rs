//! How the fields of an index's records are stored, and images of whole records.
//!
//! ```text
//! lengths of variable fields, last field first: 1 byte, or 2 (0x80 set in the one nearer the data)
//! NULL bitmap, last byte first: a bit for each nullable field, 1 for NULL
//! 5 bytes of header: flags and owned count; heap number and kind; next record
//! -- origin: what directories and links point at --
//! data of the fields, NULLs without any
//! (above the leaves: just the key fields, and 4 bytes of child page)
//! ```
//! Lengths are InnoDB's COMPACT and DYNAMIC row formats' to the byte, since they decide when a
//! page is full.

use gaplock_wal::PageNo;

use super::{Field, Tuple};
use crate::types::FieldOrder;

/// Bytes of a record's fixed header.
pub(super) const HEADER: usize = 5;

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

/// What a record is, from its header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RecordKind {
    /// A row.
    Leaf,
    /// A key and the page from it on.
    Branch,
    /// The pseudo-record before all others.
    Infimum,
    /// The pseudo-record after all others.
    Supremum,
}

impl RecordKind {
    pub(super) fn code(self) -> u16 {
        match self {
            RecordKind::Leaf => 0,
            RecordKind::Branch => 1,
            RecordKind::Infimum => 2,
            RecordKind::Supremum => 3,
        }
    }
}

/// Set in a record's first header byte: marked as deleted.
pub(crate) const DELETED: u8 = 0x20;
/// Set in a record's first header byte: before every key, whatever its fields say. The first
/// record of the first page of each level above the leaves has it.
pub(crate) const LOWEST: u8 = 0x10;

/// A whole record outside a page: what a page change puts there. Heap number, owned count and link
/// are the page's affair and zero here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordImage {
    /// The record's bytes.
    pub(crate) bytes: Box<[u8]>,
    /// How many of them are before the origin.
    pub(crate) extra: u16,
}

impl RecordImage {
    /// Bytes that the record takes.
    #[must_use]
    pub(crate) fn size(&self) -> usize {
        self.bytes.len()
    }

    /// The same, marked as deleted or not.
    #[must_use]
    pub(crate) fn with_deleted(mut self, deleted: bool) -> Self {
        self.set_flag(DELETED, deleted);
        self
    }

    fn set_flag(&mut self, flag: u8, on: bool) {
        let flags = &mut self.bytes[usize::from(self.extra) - HEADER];
        *flags = if on { *flags | flag } else { *flags & !flag };
    }
}

impl RecordLayout {
    /// Bytes of the NULL bitmap.
    pub(super) fn null_bytes(&self) -> usize {
        let nullable = self.fields.iter().filter(|field| field.nullable).count();
        nullable.div_ceil(8)
    }

    /// Bytes that a row takes on a leaf.
    #[must_use]
    pub fn row_size(&self, tuple: &Tuple) -> usize {
        self.extra_size(&tuple.0) + data_size(&tuple.0)
    }

    /// Bytes before the origin of a record with these fields.
    fn extra_size(&self, fields: &[Field]) -> usize {
        let lengths: usize = self
            .fields
            .iter()
            .zip(fields)
            .filter_map(|(layout, field)| Some(layout.length_bytes(field.as_ref()?.len())))
            .sum();
        HEADER + self.null_bytes() + lengths
    }

    /// A row's image.
    ///
    /// # Panics
    /// When the fields are not as the layout says.
    #[must_use]
    pub fn row_image(&self, tuple: &Tuple) -> RecordImage {
        assert_eq!(tuple.0.len(), self.fields.len(), "a row has all fields");
        self.image(&tuple.0, RecordKind::Leaf, None)
    }

    /// The image of a record above the leaves: from `key` on, see page `child`.
    pub(crate) fn branch_image(&self, key: &[Field], child: PageNo, lowest: bool) -> RecordImage {
        let key = &key[..self.key_fields];
        let mut image = self.image(key, RecordKind::Branch, Some(child));
        image.set_flag(LOWEST, lowest);
        image
    }

    fn image(&self, fields: &[Field], kind: RecordKind, child: Option<PageNo>) -> RecordImage {
        let extra = self.extra_size(fields);
        let size = extra + data_size(fields) + if child.is_some() { 4 } else { 0 };
        let mut bytes = vec![0; size].into_boxed_slice();
        bytes[extra - 4..extra - 2].copy_from_slice(&kind.code().to_be_bytes());
        let mut writer = FieldWriter {
            null_bit: 0,
            null_end: extra - HEADER,
            length_end: extra - HEADER - self.null_bytes(),
            data: extra,
        };
        for (layout, field) in self.fields.iter().zip(fields) {
            writer.put(&mut bytes, *layout, field.as_deref());
        }
        if let Some(child) = child {
            bytes[size - 4..].copy_from_slice(&child.0.to_be_bytes());
        }
        // Bounded by what an image is made for: the caller checks `MAX_RECORD_SIZE` or copies.
        let extra = u16::try_from(extra).unwrap_or(u16::MAX);
        RecordImage { bytes, extra }
    }
}

fn data_size(fields: &[Field]) -> usize {
    fields.iter().flatten().map(|image| image.len()).sum()
}

impl FieldLayout {
    /// Bytes that the length of an image takes.
    fn length_bytes(&self, length: usize) -> usize {
        match self.storage {
            Storage::Fixed(_) => 0,
            Storage::Variable { max } if max > 255 && length > 127 => 2,
            Storage::Variable { .. } => 1,
        }
    }
}

struct FieldWriter {
    null_bit: usize,
    null_end: usize,
    length_end: usize,
    data: usize,
}

impl FieldWriter {
    fn put(&mut self, bytes: &mut [u8], layout: FieldLayout, field: Option<&[u8]>) {
        if layout.nullable {
            let (byte, bit) = (self.null_bit / 8, self.null_bit % 8);
            bytes[self.null_end - 1 - byte] |= u8::from(field.is_none()) << bit;
            self.null_bit += 1;
        }
        let Some(image) = field else {
            assert!(layout.nullable, "NULL in a field that is never NULL");
            return;
        };
        match layout.storage {
            Storage::Fixed(length) => assert_eq!(image.len(), usize::from(length)),
            Storage::Variable { max } => assert!(image.len() <= max as usize),
        }
        let length = (image.len() as u64).to_be_bytes();
        match layout.length_bytes(image.len()) {
            0 => {}
            1 => bytes[self.length_end - 1] = length[7],
            _ => {
                bytes[self.length_end - 1] = length[6] | 0x80;
                bytes[self.length_end - 2] = length[7];
            }
        }
        self.length_end -= layout.length_bytes(image.len());
        bytes[self.data..self.data + image.len()].copy_from_slice(image);
        self.data += image.len();
    }
}

/// Reads the fields of a record one after another.
pub(super) struct FieldReader<'b> {
    bytes: &'b [u8],
    null_bit: usize,
    null_end: usize,
    length_end: usize,
    data: usize,
}

impl<'b> FieldReader<'b> {
    /// Reads the record with this origin.
    pub(super) fn new(layout: &RecordLayout, bytes: &'b [u8], origin: usize) -> Self {
        Self {
            bytes,
            null_bit: 0,
            null_end: origin - HEADER,
            length_end: origin - HEADER - layout.null_bytes(),
            data: origin,
        }
    }

    /// The next field's image; the caller tells how it is stored, in the layout's order.
    pub(super) fn next(&mut self, layout: &FieldLayout) -> Option<&'b [u8]> {
        if layout.nullable {
            let (byte, bit) = (self.null_bit / 8, self.null_bit % 8);
            self.null_bit += 1;
            if self.bytes[self.null_end - 1 - byte] >> bit & 1 == 1 {
                return None;
            }
        }
        let length = match layout.storage {
            Storage::Fixed(length) => usize::from(length),
            Storage::Variable { max } => {
                let first = self.bytes[self.length_end - 1];
                self.length_end -= 1;
                if max > 255 && first & 0x80 != 0 {
                    self.length_end -= 1;
                    usize::from(first & 0x7f) << 8 | usize::from(self.bytes[self.length_end])
                } else {
                    usize::from(first)
                }
            }
        };
        let start = self.data;
        self.data += length;
        Some(&self.bytes[start..start + length])
    }

    /// First byte of the record: once all variable fields have been read.
    pub(super) fn start(&self) -> usize {
        self.length_end
    }

    /// First byte after the fields read so far.
    pub(super) fn end(&self) -> usize {
        self.data
    }
}
