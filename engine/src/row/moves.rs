//! The B+tree's reports of moved records, passed on to the lock table.

use std::cell::RefCell;

use gaplock_lockmgr::{HeapNo, LockTable, RecordAddress, Wakeup};
use gaplock_wal::PageNo;

use super::locking::page_address;
use crate::btree::RecordMoves;

/// Moves locks along with records; collects whom that woke.
#[derive(Debug)]
pub(crate) struct LockMoves<'l> {
    locks: &'l LockTable,
    woken: RefCell<Vec<Wakeup>>,
}

impl<'l> LockMoves<'l> {
    pub(crate) fn new(locks: &'l LockTable) -> Self {
        Self {
            locks,
            woken: RefCell::default(),
        }
    }

    /// Whom the moves woke.
    pub(crate) fn into_wakeups(self) -> Vec<Wakeup> {
        self.woken.into_inner()
    }
}

fn record(page: PageNo, heap: u16) -> RecordAddress {
    RecordAddress {
        page: page_address(page),
        heap: HeapNo(heap),
    }
}

impl RecordMoves for LockMoves<'_> {
    fn move_records(&self, from: PageNo, to: PageNo, moved: &[(u16, u16)]) {
        let moved: Vec<_> = moved
            .iter()
            .map(|(old, new)| (HeapNo(*old), HeapNo(*new)))
            .collect();
        self.locks
            .move_records(page_address(from), page_address(to), &moved);
    }

    fn split_right(&self, left: PageNo, right: PageNo, right_first: u16) {
        self.locks
            .split_right(page_address(left), page_address(right), HeapNo(right_first));
    }

    fn split_left(&self, left: PageNo, right: PageNo, right_first: u16) {
        self.locks
            .split_left(page_address(left), page_address(right), HeapNo(right_first));
    }

    fn restore_end(&self, left: PageNo, right: PageNo, right_first: u16) {
        let woken =
            self.locks
                .restore_end(page_address(left), page_address(right), HeapNo(right_first));
        self.woken.borrow_mut().extend(woken);
    }

    fn merge_right(&self, right: PageNo, right_old_first: u16, left: PageNo) {
        let woken = self
            .locks
            .merge_right(record(right, right_old_first), page_address(left));
        self.woken.borrow_mut().extend(woken);
    }

    fn merge_left(&self, left: PageNo, left_old_supremum_heir: Option<u16>, right: PageNo) {
        let heir = left_old_supremum_heir.map(HeapNo);
        let woken = self
            .locks
            .merge_left(page_address(left), heir, page_address(right));
        self.woken.borrow_mut().extend(woken);
    }

    fn root_raise(&self, root: PageNo, child: PageNo) {
        self.locks
            .root_raise(page_address(root), page_address(child));
    }

    fn copy_and_discard(&self, new: PageNo, old: PageNo) {
        self.locks
            .copy_and_discard(page_address(new), page_address(old));
    }

    fn discard(&self, heir_page: PageNo, heir: u16, page: PageNo) {
        let woken = self
            .locks
            .discard(record(heir_page, heir), page_address(page));
        self.woken.borrow_mut().extend(woken);
    }
}
