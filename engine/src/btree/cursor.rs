//! Where one stands in a tree, how one came there, and what came of a change.

use crate::mtr::Latched;

/// Where to stand relative to a key prefix.
///
/// The search ends on one leaf: where all its records are on one side of the key, the cursor
/// stands on the leaf's supremum (`AtOrAfter`, `After`) or infimum (`AtOrBefore`, `Before`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seek {
    /// The first record that is not before the key.
    AtOrAfter,
    /// The first record after the key.
    After,
    /// The last record that is not after the key: where an insert goes.
    AtOrBefore,
    /// The last record before the key.
    Before,
}

/// What the search is for, and so what it latches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Latching {
    /// Reading: the leaf, shared.
    Read,
    /// Changing records of one leaf: the leaf, exclusively.
    ModifyLeaf,
    /// Splitting or merging: the tree, the leaf and its neighbours, exclusively.
    ModifyTree,
}

/// A record of a latched leaf. Valid within its mini-transaction, until the record is removed, or
/// its page is reorganised, split or merged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    pub(super) page: Latched,
    pub(super) origin: u16,
}

/// What came of an insert into a leaf.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Insertion {
    /// Inserted; the cursor stands on the new record.
    Done(Cursor),
    /// No room: let go, seek again with [`Latching::ModifyTree`], and call `insert_splitting`.
    Full,
}

/// What came of removing a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removal {
    /// Removed.
    Done,
    /// The page would be left with too little: let go, seek again with
    /// [`Latching::ModifyTree`], and call `remove_merging`.
    NeedsTree,
}

/// What came of replacing a record's fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Update {
    /// Replaced; the cursor stands on the record, which may have moved on its page.
    Done(Cursor),
    /// No room, or too little would be left on the page: let go, seek again with
    /// [`Latching::ModifyTree`], and call `update_splitting`.
    Full,
}

/// What a check of a tree has counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TreeStats {
    /// Levels; 1 if the root is a leaf.
    pub levels: usize,
    /// Leaf pages.
    pub leaf_pages: u64,
    /// Pages above the leaves.
    pub branch_pages: u64,
    /// Rows, those marked as deleted among them.
    pub records: u64,
    /// Rows marked as deleted.
    pub deleted: u64,
}
