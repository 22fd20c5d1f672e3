//! A tree and what can be done with it.

use std::sync::Arc;

use gaplock_wal::PageNo;
use parking_lot::RwLock;

use super::{Cursor, Insertion, Latching, Removal, Seek, TreeStats, Update};
use crate::{
    buffer::BufferPool,
    error::StoreError,
    mtr::Mtr,
    page::{Field, Record, RecordLayout, Tuple},
};

/// Who is told that records of a leaf change their place, so that locks go along. Meanings are
/// those of the lock table's methods of the same names. Called under the page latches.
pub trait RecordMoves {
    /// Records moved to another page, or to other heap numbers of the same one: pairs (old, new).
    /// Heap number 0 is where an update parks a record's locks for a moment.
    fn move_records(&self, from: PageNo, to: PageNo, moved: &[(u16, u16)]);
    /// The upper part of `left` moved to the new page `right`.
    fn split_right(&self, left: PageNo, right: PageNo, right_first: u16);
    /// The lower part of `right` moved to the new page `left`.
    fn split_left(&self, left: PageNo, right: PageNo, right_first: u16);
    /// `left` was merged into `right`, whose first record was `right_old_first`.
    fn merge_right(&self, right: PageNo, right_old_first: u16, left: PageNo);
    /// `right` was merged into `left`; `left_old_supremum_heir` now stands where `left`'s supremum
    /// was.
    fn merge_left(&self, left: PageNo, left_old_supremum_heir: Option<u16>, right: PageNo);
    /// The root's records moved to the new page `child`.
    fn root_raise(&self, root: PageNo, child: PageNo);
    /// `old`'s records moved into `new`, its parent, and `old` goes away.
    fn copy_and_discard(&self, new: PageNo, old: PageNo);
    /// `page` goes away with what was on it; record `heir` of page `heir_page` inherits.
    fn discard(&self, heir_page: PageNo, heir: u16, page: PageNo);
}

/// A B+tree.
#[derive(Debug)]
pub struct Tree {
    /// The index's number, kept in every page.
    pub index: u64,
    /// Its root page; never moves.
    pub root: PageNo,
    /// Its records.
    pub layout: Arc<RecordLayout>,
    /// Whether it holds the rows: some of each leaf is then kept free on sequential inserts.
    pub clustered: bool,
    _latch: Arc<RwLock<()>>,
}

#[allow(unused_variables, clippy::unimplemented, reason = "interface first")]
impl Tree {
    /// Makes a new, empty tree.
    ///
    /// # Errors
    /// When no page can be allocated.
    pub fn create(
        mtr: &mut Mtr<'_>,
        index: u64,
        layout: Arc<RecordLayout>,
        clustered: bool,
    ) -> Result<Self, StoreError> {
        unimplemented!()
    }
    /// A tree that exists.
    #[must_use]
    pub fn open(index: u64, root: PageNo, layout: Arc<RecordLayout>, clustered: bool) -> Self {
        unimplemented!()
    }
    /// Frees all pages. Nobody else may use the tree, now or later.
    ///
    /// # Errors
    /// When pages cannot be read; some may have been freed.
    pub fn drop_pages(self, pool: &BufferPool) -> Result<(), StoreError> {
        unimplemented!()
    }
    /// Finds the place of a key, or of a prefix of a key.
    ///
    /// # Errors
    /// When pages cannot be read.
    pub fn seek(
        &self,
        mtr: &mut Mtr<'_>,
        key: &[Field],
        seek: Seek,
        latching: Latching,
    ) -> Result<Cursor, StoreError> {
        unimplemented!()
    }
    /// The first row (or the supremum, if the tree is empty).
    ///
    /// # Errors
    /// When pages cannot be read.
    pub fn first(&self, mtr: &mut Mtr<'_>, latching: Latching) -> Result<Cursor, StoreError> {
        unimplemented!()
    }
    /// The last row (or the infimum, if the tree is empty).
    ///
    /// # Errors
    /// When pages cannot be read.
    pub fn last(&self, mtr: &mut Mtr<'_>, latching: Latching) -> Result<Cursor, StoreError> {
        unimplemented!()
    }
    /// Moves on: to the next row of the page, then its supremum, then the next page's first row.
    /// `false`, without moving, on the last page's supremum.
    ///
    /// # Errors
    /// When pages cannot be read.
    pub fn next(&self, mtr: &mut Mtr<'_>, cursor: &mut Cursor) -> Result<bool, StoreError> {
        unimplemented!()
    }
    /// Moves back: to the previous row of the page, then its infimum, then the previous page's
    /// last row. `false`, without moving, on the first page's infimum.
    ///
    /// # Errors
    /// When pages cannot be read.
    pub fn prev(&self, mtr: &mut Mtr<'_>, cursor: &mut Cursor) -> Result<bool, StoreError> {
        unimplemented!()
    }
    /// The record on which the cursor stands.
    #[must_use]
    pub fn record<'m>(&'m self, mtr: &'m Mtr<'_>, cursor: Cursor) -> Record<'m> {
        unimplemented!()
    }
    /// The record after the cursor's on its page: a row or the supremum. The cursor must not
    /// stand on the supremum.
    #[must_use]
    pub fn successor(&self, mtr: &Mtr<'_>, cursor: Cursor) -> Cursor {
        unimplemented!()
    }
    /// Inserts after the cursor, which a seek `AtOrBefore` for the whole key has placed.
    ///
    /// # Errors
    /// When the row is too large.
    pub fn insert(
        &self,
        mtr: &mut Mtr<'_>,
        cursor: Cursor,
        tuple: &Tuple,
        moves: &dyn RecordMoves,
    ) -> Result<Insertion, StoreError> {
        unimplemented!()
    }
    /// Inserts after the cursor, splitting pages as needed. Needs [`Latching::ModifyTree`].
    ///
    /// # Errors
    /// When the row is too large or no page can be had; nothing has changed then.
    pub fn insert_splitting(
        &self,
        mtr: &mut Mtr<'_>,
        cursor: Cursor,
        tuple: &Tuple,
        moves: &dyn RecordMoves,
    ) -> Result<Cursor, StoreError> {
        unimplemented!()
    }
    /// Takes the record off its page for good.
    #[must_use]
    pub fn remove(&self, mtr: &mut Mtr<'_>, cursor: Cursor) -> Removal {
        unimplemented!()
    }
    /// Takes the record off, merging pages as needed. Needs [`Latching::ModifyTree`].
    ///
    /// # Errors
    /// When pages cannot be read; nothing has changed then.
    pub fn remove_merging(
        &self,
        mtr: &mut Mtr<'_>,
        cursor: Cursor,
        moves: &dyn RecordMoves,
    ) -> Result<(), StoreError> {
        unimplemented!()
    }
    /// Marks the record as deleted, or takes the mark away.
    pub fn set_deleted(&self, mtr: &mut Mtr<'_>, cursor: Cursor, deleted: bool) {
        unimplemented!()
    }
    /// Replaces the record's fields by others with an equal key. The deleted mark stays.
    ///
    /// # Errors
    /// When the row is too large.
    pub fn update(
        &self,
        mtr: &mut Mtr<'_>,
        cursor: Cursor,
        tuple: &Tuple,
        moves: &dyn RecordMoves,
    ) -> Result<Update, StoreError> {
        unimplemented!()
    }
    /// Replaces the record's fields, splitting or merging pages as needed. Needs
    /// [`Latching::ModifyTree`].
    ///
    /// # Errors
    /// When the row is too large or no page can be had; nothing has changed then.
    pub fn update_splitting(
        &self,
        mtr: &mut Mtr<'_>,
        cursor: Cursor,
        tuple: &Tuple,
        moves: &dyn RecordMoves,
    ) -> Result<Cursor, StoreError> {
        unimplemented!()
    }
    /// The newest transaction that changed the page (kept for secondary indexes).
    #[must_use]
    pub fn max_trx(&self, mtr: &Mtr<'_>, cursor: Cursor) -> u64 {
        unimplemented!()
    }
    /// Raises [`Self::max_trx`] to `trx`, if it is lower. Needs an exclusive latch.
    pub fn raise_max_trx(&self, mtr: &mut Mtr<'_>, cursor: Cursor, trx: u64) {
        unimplemented!()
    }
    /// A row or pseudo-record by its page and heap number, for listings of locks. The page is
    /// latched shared unless it is latched already.
    ///
    /// # Errors
    /// When the page cannot be read.
    pub fn find_heap(
        &self,
        mtr: &mut Mtr<'_>,
        page: PageNo,
        heap: u16,
    ) -> Result<Option<Cursor>, StoreError> {
        unimplemented!()
    }
    /// About how many rows lie between two places, each a key prefix and how to seek it (`None`:
    /// the tree's end). Exact when there are few.
    ///
    /// # Errors
    /// When pages cannot be read.
    pub fn estimate(
        &self,
        pool: &BufferPool,
        lower: Option<(&[Field], Seek)>,
        upper: Option<(&[Field], Seek)>,
    ) -> Result<u64, StoreError> {
        unimplemented!()
    }
    /// Number of leaf pages.
    ///
    /// # Errors
    /// When pages cannot be read.
    pub fn leaf_pages(&self, pool: &BufferPool) -> Result<u64, StoreError> {
        unimplemented!()
    }
    /// Checks the whole tree: order, heaps, directories, levels, sibling links, parents' keys.
    ///
    /// # Errors
    /// `Damaged`, with the page and what is wrong; or pages cannot be read.
    pub fn check(&self, pool: &BufferPool) -> Result<TreeStats, StoreError> {
        unimplemented!()
    }
}
