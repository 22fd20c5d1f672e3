//! What the planner knows of a table: its columns, its indexes, and how many rows lie where.

use std::ops::Bound;

pub use gaplock_engine::row::KeyRange;
use gaplock_engine::types::{ColumnType, Value};

/// A table as the planner sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct TableShape {
    /// Its name.
    pub name: String,
    /// Its columns.
    pub columns: Vec<ColumnShape>,
    /// Its indexes; the first is the clustered one.
    pub indexes: Vec<IndexShape>,
}

/// A column as the planner sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct ColumnShape {
    /// Its name.
    pub name: String,
    /// Its type.
    pub column_type: ColumnType,
    /// Whether it takes NULL.
    pub nullable: bool,
}

/// An index as the planner sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct IndexShape {
    /// Its name.
    pub name: String,
    /// Columns that it was declared with; none for a hidden clustered key.
    pub columns: Vec<usize>,
    /// Columns that its records hold: those declared, then the primary key's; for the clustered
    /// index its key.
    pub all_columns: Vec<usize>,
    /// Whether equal keys are refused.
    pub unique: bool,
    /// Whether its records are the rows.
    pub clustered: bool,
}

/// How many rows lie where.
pub trait Statistics {
    /// Rows of a table.
    fn row_count(&self, table: &TableShape) -> u64;
    /// Index records in a range.
    fn records_in_range(&self, table: &TableShape, index: usize, range: &KeyRange) -> u64;
}

impl TableShape {
    /// The index of that name, compared without case.
    #[must_use]
    pub fn index(&self, name: &str) -> Option<usize> {
        self.indexes
            .iter()
            .position(|index| index.name.eq_ignore_ascii_case(name))
    }

    /// Whether rows have a primary key that statements can name (not a hidden one).
    #[must_use]
    pub fn has_named_key(&self) -> bool {
        !self.indexes[0].columns.is_empty()
    }

    /// The columns by which ranges on an index can be narrowed: a unique index's own, any other's
    /// with the primary key behind it.
    #[must_use]
    pub fn range_columns(&self, index: usize, extended: bool) -> &[usize] {
        let index = &self.indexes[index];
        if index.unique || index.clustered || !extended {
            &index.columns
        } else {
            &index.all_columns
        }
    }

    /// Whether all these columns are NOT NULL.
    #[must_use]
    pub fn all_not_null(&self, columns: &[usize]) -> bool {
        columns.iter().all(|column| !self.columns[*column].nullable)
    }
}

/// The key that a range consists of, if its ends are one key.
#[must_use]
pub fn point(range: &KeyRange) -> Option<&[Value]> {
    match (&range.lower, &range.upper) {
        (Bound::Included(lower), Bound::Included(upper)) if lower == upper => Some(lower),
        _ => None,
    }
}
