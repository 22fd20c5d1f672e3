//! What a table is made from.

use serde::{Deserialize, Serialize};

use crate::types::ColumnType;

/// A column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Column {
    /// Its name as given.
    pub name: String,
    /// Its type.
    pub ty: ColumnType,
    /// Whether NULL may stand in it.
    pub nullable: bool,
    /// Whether it draws from the table's counter.
    pub auto_increment: bool,
    /// The SQL text of its default, kept for the SQL front; the engine does not look at it.
    pub default: Option<String>,
}

/// What happens to child rows when their parent goes away or changes its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ReferentialAction {
    /// The change is refused (NO ACTION is the same).
    Restrict,
    /// The child follows.
    Cascade,
    /// The child's columns become NULL.
    SetNull,
}

/// A foreign key, on the child's side.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForeignKey {
    /// Constraint name.
    pub name: String,
    /// The child's columns, by position.
    pub columns: Vec<usize>,
    /// The parent table's name.
    pub parent: String,
    /// The parent's columns, by name.
    pub parent_columns: Vec<String>,
    /// On DELETE of the parent.
    pub on_delete: ReferentialAction,
    /// On UPDATE of the parent's key.
    pub on_update: ReferentialAction,
}

/// What to create: one index.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IndexSpec {
    /// Its name; the clustered index of a table with a primary key is `PRIMARY`.
    pub name: String,
    /// Columns by position, in key order.
    pub columns: Vec<usize>,
    /// Whether equal keys are refused (NULLs never collide).
    pub unique: bool,
}

/// What to create: one table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TableSpec {
    /// Its name.
    pub name: String,
    /// Its columns.
    pub columns: Vec<Column>,
    /// The primary key's columns; without one the first unique index whose columns are all NOT NULL
    /// is clustered, else a hidden row id is.
    pub primary_key: Option<Vec<usize>>,
    /// The other indexes, in the order in which a row's entries are made.
    pub indexes: Vec<IndexSpec>,
    /// Foreign keys of which this table is the child.
    pub foreign_keys: Vec<ForeignKey>,
    /// First value of the auto-increment counter.
    pub auto_increment: u64,
}
