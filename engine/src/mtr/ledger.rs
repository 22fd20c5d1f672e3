//! What is known of the database beside its pages, at each position of the log: how many rows
//! tables have, which pages hold undo records, and since when pages need an image in the log.
//!
//! It changes with a group's place in the log, at the log's reservation point, and a checkpoint
//! takes it down at that point too. So what a checkpoint wrote, and what groups after it say, add
//! up to what was there.
//!
//! - D1. Whoever changes a page that was last changed at or before the *floor* logs an image of it.
//!   The floor is the position from which recovery would begin: it then never needs to trust a page
//!   on the disk that was being written when the power went.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
};

use gaplock_wal::{Lsn, PageNo};
use parking_lot::Mutex;

use crate::page::{Page, PageKind, PageOp};

/// A table's counters. They are not part of any transaction.
#[derive(Debug, Default)]
pub struct TableCounters {
    /// The next auto-increment value.
    pub auto_increment: AtomicU64,
    /// The last hidden row id drawn.
    pub row_id: AtomicU64,
    /// Rows, uncommitted ones included.
    pub rows: AtomicI64,
    /// Those of them whose insertion has not ended: statistics do not know them yet. Not kept.
    pub arriving: AtomicI64,
}

impl Clone for TableCounters {
    fn clone(&self) -> Self {
        use Ordering::Relaxed;
        Self {
            auto_increment: AtomicU64::new(self.auto_increment.load(Relaxed)),
            row_id: AtomicU64::new(self.row_id.load(Relaxed)),
            rows: AtomicI64::new(self.rows.load(Relaxed)),
            arriving: AtomicI64::new(self.arriving.load(Relaxed)),
        }
    }
}

impl TableCounters {
    /// Takes over what a group or a checkpoint says.
    pub(crate) fn add(&self, count: &RowCount) {
        self.rows.fetch_add(count.rows, Ordering::Relaxed);
        self.auto_increment
            .fetch_max(count.auto_increment, Ordering::Relaxed);
        self.row_id.fetch_max(count.row_id, Ordering::Relaxed);
    }

    /// Everything as a change of nothing.
    pub(crate) fn total(&self, table: u64) -> RowCount {
        RowCount {
            table,
            rows: self.rows.load(Ordering::Relaxed),
            auto_increment: self.auto_increment.load(Ordering::Relaxed),
            row_id: self.row_id.load(Ordering::Relaxed),
        }
    }
}

/// A change of a table's counters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RowCount {
    /// The table.
    pub table: u64,
    /// Rows more.
    pub rows: i64,
    /// The next auto-increment value is at least this.
    pub auto_increment: u64,
    /// Hidden row ids up to this one were drawn.
    pub row_id: u64,
}

impl RowCount {
    /// Adds what a later group says of the same table.
    pub(crate) fn add(&mut self, later: &RowCount) {
        self.table = later.table;
        self.rows += later.rows;
        self.auto_increment = self.auto_increment.max(later.auto_increment);
        self.row_id = self.row_id.max(later.row_id);
    }
}

/// What a group changes in the ledger.
#[derive(Debug, Default)]
pub(super) struct Entries {
    rows: Vec<(Arc<TableCounters>, i64)>,
    /// Pages that became undo pages, and pages that are none any more.
    undo: Vec<(PageNo, bool)>,
}

impl Entries {
    pub(super) fn count_rows(&mut self, counters: Arc<TableCounters>, rows: i64) {
        self.rows.push((counters, rows));
    }

    /// Notes what a change of a page means to the ledger.
    pub(super) fn note(&mut self, page: PageNo, op: &PageOp) {
        if let PageOp::Format { kind, .. } = op {
            match kind {
                PageKind::Undo => self.undo.push((page, true)),
                PageKind::Free => self.undo.push((page, false)),
                _ => {}
            }
        }
    }

    fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.undo.is_empty()
    }
}

/// The ledger.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    /// D1; zero while no page needs an image.
    floor: AtomicU64,
    undo_pages: Mutex<BTreeSet<PageNo>>,
}

impl Ledger {
    /// D1's floor.
    pub(super) fn floor(&self) -> Lsn {
        Lsn(self.floor.load(Ordering::Acquire))
    }

    /// Recovery would begin here from now on. At the log's reservation point, or when nobody else
    /// is there.
    pub(crate) fn set_floor(&self, floor: Lsn) {
        self.floor.store(floor.0, Ordering::Release);
    }

    /// At the reservation point: takes a group's entries over, unless the floor is not the one that
    /// the group was made for.
    pub(super) fn enter(&self, floor: Lsn, entries: &Entries) -> Option<()> {
        if self.floor() != floor {
            return None;
        }
        if !entries.is_empty() {
            for (counters, rows) in &entries.rows {
                counters.rows.fetch_add(*rows, Ordering::Relaxed);
            }
            let mut undo_pages = self.undo_pages.lock();
            for (page, is_undo) in &entries.undo {
                set_membership(&mut undo_pages, *page, *is_undo);
            }
        }
        Some(())
    }

    /// All undo pages.
    pub(crate) fn undo_pages(&self) -> BTreeSet<PageNo> {
        self.undo_pages.lock().clone()
    }

    /// Puts in what a checkpoint knew.
    pub(crate) fn restore_undo_pages(&self, pages: impl IntoIterator<Item = PageNo>) {
        *self.undo_pages.lock() = pages.into_iter().collect();
    }

    /// Recovery: a page begins anew with this content.
    pub(crate) fn redo(&self, page: &Page) {
        let is_undo = page.kind() == Some(PageKind::Undo);
        set_membership(&mut self.undo_pages.lock(), page.page_no(), is_undo);
    }

    /// A copy for a forked pool.
    pub(crate) fn fork(&self) -> Self {
        Self {
            // A fork has no files.
            floor: AtomicU64::new(0),
            undo_pages: Mutex::new(self.undo_pages()),
        }
    }
}

fn set_membership(pages: &mut BTreeSet<PageNo>, page: PageNo, member: bool) {
    if member {
        pages.insert(page);
    } else {
        pages.remove(&page);
    }
}
