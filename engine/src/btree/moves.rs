//! Who is told when records change their place.

use gaplock_wal::PageNo;

/// Who is told that records of a leaf change their place, so that locks go along. Meanings are
/// those of the lock table's methods of the same names. Called under the page latches.
///
/// Nobody is `()`: for trees whose records are not locked yet, and for levels above the leaves.
pub trait RecordMoves {
    /// Records moved to another page, or to other heap numbers of the same one: pairs (old, new).
    /// Heap number 0 is where an update parks a record's locks for a moment.
    fn move_records(&self, from: PageNo, to: PageNo, moved: &[(u16, u16)]);
    /// The upper part of `left` moved to the new page `right`, whose first record (the supremum,
    /// if nothing moved) is `right_first`.
    fn split_right(&self, left: PageNo, right: PageNo, right_first: u16);
    /// The lower part of `right` moved to the new page `left`.
    fn split_left(&self, left: PageNo, right: PageNo, right_first: u16);
    /// `left`'s supremum inherits from `right`'s first record, and from nothing else.
    fn restore_end(&self, left: PageNo, right: PageNo, right_first: u16);
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

impl RecordMoves for () {
    fn move_records(&self, _from: PageNo, _to: PageNo, _moved: &[(u16, u16)]) {}
    fn split_right(&self, _left: PageNo, _right: PageNo, _right_first: u16) {}
    fn split_left(&self, _left: PageNo, _right: PageNo, _right_first: u16) {}
    fn restore_end(&self, _left: PageNo, _right: PageNo, _right_first: u16) {}
    fn merge_right(&self, _right: PageNo, _right_old_first: u16, _left: PageNo) {}
    fn merge_left(&self, _left: PageNo, _heir: Option<u16>, _right: PageNo) {}
    fn root_raise(&self, _root: PageNo, _child: PageNo) {}
    fn copy_and_discard(&self, _new: PageNo, _old: PageNo) {}
    fn discard(&self, _heir_page: PageNo, _heir: u16, _page: PageNo) {}
}
