//! Tables as the engine knows them: columns, indexes, foreign keys, and how rows lie in them.
//!
//! Index 0 is always the clustered one: its records are the rows, with the transaction that wrote
//! the row last and a pointer to the row's previous version. Every other index's records end with
//! the clustered key's columns that they don't have yet, which is how a row is found from them.

mod definition;
mod image;
mod index;

use std::fmt;

pub use definition::{Column, ForeignKey, IndexSpec, ReferentialAction, TableSpec};
pub use image::{ClusteredRow, RollPointer, RowImage, RowReference};
pub(crate) use image::{from_six_bytes, six_bytes};
pub(crate) use index::IndexShape;
pub use index::{Index, IndexField};

pub use crate::mtr::TableCounters;

/// A table.
pub struct Table {
    /// Its number, unique for ever.
    pub id: u64,
    /// Its name.
    pub name: String,
    /// Its columns.
    pub columns: Vec<Column>,
    /// Its indexes; the first is the clustered one.
    pub indexes: Vec<Index>,
    /// Foreign keys of which this table is the child.
    pub foreign_keys: Vec<ForeignKey>,
}

/// A definition never changes: another one has another set of index numbers. So these stand for it,
/// also in what suspended operations show of themselves.
impl fmt::Debug for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Table")
            .field("id", &self.id)
            .field("name", &self.name)
            .field(
                "indexes",
                &self.indexes.iter().map(|i| i.id).collect::<Vec<_>>(),
            )
            .finish()
    }
}

impl Table {
    /// The same table with other indexes.
    pub(crate) fn with_indexes(&self, indexes: Vec<Index>) -> Self {
        Self {
            id: self.id,
            name: self.name.clone(),
            columns: self.columns.clone(),
            indexes,
            foreign_keys: self.foreign_keys.clone(),
        }
    }

    /// The clustered index.
    #[must_use]
    pub fn clustered(&self) -> &Index {
        &self.indexes[0]
    }

    /// The position of the column of that name, compared without case.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<usize> {
        self.columns
            .iter()
            .position(|column| column.name.eq_ignore_ascii_case(name))
    }

    /// The position of the index of that name, compared without case.
    #[must_use]
    pub fn index(&self, name: &str) -> Option<usize> {
        self.indexes
            .iter()
            .position(|index| index.name.eq_ignore_ascii_case(name))
    }

    /// The first index whose leading columns are these, in this order; foreign keys are checked
    /// through it.
    #[must_use]
    pub fn index_with_prefix(&self, columns: &[usize]) -> Option<usize> {
        self.indexes
            .iter()
            .position(|index| index.columns.starts_with(columns))
    }

    /// Whether the rows have a hidden key.
    #[must_use]
    pub fn has_hidden_key(&self) -> bool {
        self.clustered().fields[0] == IndexField::RowId
    }
}
