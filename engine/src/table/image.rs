//! Rows as images: what is stored, before it becomes values again.

use std::fmt;

use gaplock_lockmgr::TrxId;
use gaplock_wal::PageNo;

use super::{Index, IndexField, Table};
use crate::{
    page::{Field, Record, Tuple},
    types::{TypeError, Value},
};

/// Where a row's previous version is: a place in an undo page, and whether there is none because
/// the row was inserted.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct RollPointer {
    /// The row was inserted by this change: nothing is before it.
    pub insert: bool,
    /// The undo page.
    pub page: PageNo,
    /// Offset of the undo record in it.
    pub offset: u16,
}

/// Shown in one piece, so that a digest can leave it out (see `crate::digest`).
impl fmt::Debug for RollPointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.insert { "insert" } else { "update" };
        let place = format_args!("{kind} at {}:{}", self.page.0, self.offset).to_string();
        f.write_str("RollPointer")?;
        f.write_str("(")?;
        f.write_str(&place)?;
        f.write_str(")")
    }
}

impl RollPointer {
    /// Of a row without a history.
    #[must_use]
    pub fn none() -> Self {
        Self {
            insert: true,
            page: PageNo(0),
            offset: 0,
        }
    }

    /// The seven bytes that stand in the row.
    #[must_use]
    pub fn encode(self) -> Box<[u8]> {
        let mut image = vec![if self.insert { 0x80 } else { 0 }];
        image.extend(self.page.0.to_be_bytes());
        image.extend(self.offset.to_be_bytes());
        image.into_boxed_slice()
    }

    /// Reads what [`Self::encode`] wrote.
    #[must_use]
    pub fn decode(image: &[u8]) -> Self {
        Self {
            insert: image[0] & 0x80 != 0,
            page: PageNo(u32::from_be_bytes([image[1], image[2], image[3], image[4]])),
            offset: u16::from_be_bytes([image[5], image[6]]),
        }
    }
}

/// All columns of a row as images, and its hidden key if the table has one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RowImage {
    /// By column position.
    pub columns: Vec<Field>,
    /// The hidden key.
    pub row_id: Option<Box<[u8]>>,
}

/// A row's clustered key: names the row for as long as its key does not change.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RowReference(pub(crate) Vec<Field>);

/// A version of a row, as the clustered index or the undo log has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusteredRow {
    /// The row.
    pub image: RowImage,
    /// Who wrote this version.
    pub writer: TrxId,
    /// Where the version before it is.
    pub roll: RollPointer,
    /// Whether this version says that the row is deleted.
    pub deleted: bool,
}

/// The six bytes of a transaction or row id.
pub(crate) fn six_bytes(id: u64) -> Box<[u8]> {
    id.to_be_bytes()[2..].into()
}

/// Reads what [`six_bytes`] wrote.
pub(crate) fn from_six_bytes(image: &[u8]) -> u64 {
    image.iter().fold(0, |n, byte| (n << 8) | u64::from(*byte))
}

impl Table {
    /// A row's image. A value for a column that is NOT NULL must not be NULL: the SQL front checks.
    ///
    /// # Errors
    /// When a column cannot hold its value.
    pub fn encode_row(&self, values: &[Value]) -> Result<RowImage, TypeError> {
        let mut columns = Vec::with_capacity(values.len());
        for (column, value) in self.columns.iter().zip(values) {
            columns.push(if value.is_null() {
                None
            } else {
                Some(column.ty.encode(value)?)
            });
        }
        Ok(RowImage {
            columns,
            row_id: None,
        })
    }

    /// The values of a row.
    #[must_use]
    pub fn decode_row(&self, image: &RowImage) -> Vec<Value> {
        self.columns
            .iter()
            .zip(&image.columns)
            .map(|(column, field)| field.as_ref().map_or(Value::Null, |i| column.ty.decode(i)))
            .collect()
    }

    /// The row that a record of the clustered index is.
    #[must_use]
    pub fn read_clustered(&self, record: &Record<'_>) -> ClusteredRow {
        let index = self.clustered();
        let mut row = ClusteredRow {
            image: RowImage {
                columns: vec![None; self.columns.len()],
                row_id: None,
            },
            writer: TrxId(0),
            roll: RollPointer::none(),
            deleted: record.is_deleted(),
        };
        for (at, field) in index.fields.iter().enumerate() {
            let image = record.field(at);
            match (field, image) {
                (IndexField::Column(column), image) => {
                    row.image.columns[*column] = image.map(Into::into)
                }
                (IndexField::RowId, image) => row.image.row_id = image.map(Into::into),
                (IndexField::TrxId, Some(image)) => row.writer = TrxId(from_six_bytes(image)),
                (IndexField::RollPointer, Some(image)) => row.roll = RollPointer::decode(image),
                (IndexField::TrxId | IndexField::RollPointer, None) => {}
            }
        }
        row
    }

    /// The record of the clustered index that holds a row.
    #[must_use]
    pub fn clustered_tuple(&self, row: &ClusteredRow) -> Tuple {
        Tuple(
            self.clustered()
                .fields
                .iter()
                .map(|field| match field {
                    IndexField::Column(at) => row.image.columns[*at].clone(),
                    IndexField::RowId => row.image.row_id.clone(),
                    IndexField::TrxId => Some(six_bytes(row.writer.0)),
                    IndexField::RollPointer => Some(row.roll.encode()),
                })
                .collect(),
        )
    }

    /// A row's clustered key.
    #[must_use]
    pub fn reference(&self, image: &RowImage) -> RowReference {
        let index = self.clustered();
        RowReference(index.key_of(image, index.unique_fields))
    }

    /// The clustered key that a secondary index's entry carries.
    #[must_use]
    pub fn reference_in_entry(&self, index: &Index, entry: &[Field]) -> RowReference {
        let key = &self.clustered().fields[..self.clustered().unique_fields];
        let field = |wanted: &IndexField| index.position(*wanted).and_then(|at| entry[at].clone());
        RowReference(key.iter().map(field).collect())
    }

    /// The columns in which two rows differ, by position.
    #[must_use]
    pub fn changed_columns(&self, old: &RowImage, new: &RowImage) -> Vec<usize> {
        (0..self.columns.len())
            .filter(|at| old.columns[*at] != new.columns[*at])
            .collect()
    }
}

impl Index {
    /// The first `count` fields of this index's entry for a row.
    #[must_use]
    pub fn key_of(&self, image: &RowImage, count: usize) -> Vec<Field> {
        self.fields[..count]
            .iter()
            .map(|field| match field {
                IndexField::Column(at) => image.columns[*at].clone(),
                IndexField::RowId => image.row_id.clone(),
                IndexField::TrxId | IndexField::RollPointer => None,
            })
            .collect()
    }

    /// A secondary index's entry for a row.
    #[must_use]
    pub fn entry(&self, image: &RowImage) -> Tuple {
        Tuple(self.key_of(image, self.fields.len()))
    }

    /// Whether one of the declared columns is NULL in this entry: such entries never collide.
    #[must_use]
    pub fn has_null_key(&self, entry: &[Field]) -> bool {
        entry[..self.columns.len()].iter().any(Option::is_none)
    }

    /// Compares the declared order of two entries' leading fields.
    #[must_use]
    pub fn same_fields(&self, left: &[Field], right: &[Field], count: usize) -> bool {
        self.tree.layout.fields[..count]
            .iter()
            .zip(left)
            .zip(right)
            .all(|((layout, l), r)| match (l, r) {
                (None, None) => true,
                (Some(l), Some(r)) => layout.order.compare(l, r).is_eq(),
                _ => false,
            })
    }
}

impl Index {
    /// Orders a record's leading fields against a key prefix, as the tree does: NULL first.
    #[must_use]
    pub fn compare_fields(&self, fields: &[Field], prefix: &[Field]) -> std::cmp::Ordering {
        let layouts = &self.tree.layout.fields;
        for ((layout, left), right) in layouts.iter().zip(fields).zip(prefix) {
            let order = match (left, right) {
                (Some(l), Some(r)) => layout.order.compare(l, r),
                (l, r) => l.is_some().cmp(&r.is_some()),
            };
            if order.is_ne() {
                return order;
            }
        }
        std::cmp::Ordering::Equal
    }
}
