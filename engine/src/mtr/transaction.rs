//! The mini-transaction itself.

use std::sync::Arc;

use gaplock_wal::{Lsn, PageNo};
use parking_lot::RwLock;

use super::{
    LatchMode, Latched, RowCount, TableCounters,
    group::{GROUP, Group},
    latches::Latches,
    ledger::Entries,
    space::Reservation,
};
use crate::{
    buffer::BufferPool,
    error::StoreError,
    page::{CONTENT_END, CONTENT_START, Page, PageOp},
};

/// A mini-transaction: the pages it latched and what it changed. See the module's invariants.
///
/// Dropping one that changed nothing lets go of its latches; one that changed something must be
/// committed: asserted.
#[derive(Debug)]
pub struct Mtr<'s> {
    pool: &'s BufferPool,
    pub(super) latches: Latches,
    pub(super) reservation: Reservation,
    /// The changes as they go to the log.
    group: Group,
    /// What they change beside pages.
    entries: Entries,
}

impl<'s> Mtr<'s> {
    /// Begins one.
    #[must_use]
    pub fn begin(pool: &'s BufferPool) -> Self {
        Self {
            pool,
            latches: Latches::default(),
            reservation: Reservation::default(),
            group: Group::default(),
            entries: Entries::default(),
        }
    }

    /// The pool whose pages it works on.
    #[must_use]
    pub fn pool(&self) -> &'s BufferPool {
        self.pool
    }

    /// Latches a page; the same handle again if it is latched already (an exclusive latch serves
    /// as a shared one; a shared one cannot be upgraded: asserted).
    ///
    /// # Errors
    /// When the page cannot be read or no frame is free.
    pub fn latch(&mut self, page: PageNo, mode: LatchMode) -> Result<Latched, StoreError> {
        self.assert_may_fail(page);
        self.latches.latch(self.pool, page, mode, false)
    }

    /// Latches a page if nobody is in the way just now.
    ///
    /// # Errors
    /// When the page cannot be read or no frame is free.
    pub fn try_latch(
        &mut self,
        page: PageNo,
        mode: LatchMode,
    ) -> Result<Option<Latched>, StoreError> {
        self.assert_may_fail(page);
        self.latches.try_latch(self.pool, page, mode)
    }

    /// Latches, exclusively, a page that was never used.
    pub(super) fn latch_fresh(&mut self, page: PageNo) -> Result<Latched, StoreError> {
        self.assert_may_fail(page);
        self.latches
            .latch(self.pool, page, LatchMode::Exclusive, true)
    }

    /// M2: a page that is latched already is always there.
    fn assert_may_fail(&self, page: PageNo) {
        debug_assert!(
            !self.has_changes() || self.latches.held(page).is_some(),
            "page {} should have been latched before the first change",
            page.0
        );
    }

    /// The handle of a page that is latched already.
    #[must_use]
    pub fn held(&self, page: PageNo) -> Option<Latched> {
        self.latches.held(page)
    }

    /// Lets go of a page that was not changed. Counted: as many times as it was latched.
    pub fn release(&mut self, page: Latched) {
        self.latches.release(page);
    }

    /// The page.
    #[must_use]
    pub fn page(&self, page: Latched) -> &Page {
        self.latches.entry(page).page()
    }

    /// The page's number.
    #[must_use]
    pub fn page_no(&self, page: Latched) -> PageNo {
        self.page(page).page_no()
    }

    /// How the page is latched.
    #[must_use]
    pub fn mode(&self, page: Latched) -> LatchMode {
        if self.latches.is_exclusive(page) {
            LatchMode::Exclusive
        } else {
            LatchMode::Shared
        }
    }

    /// Changes a page.
    ///
    /// # Panics
    /// When it is not latched exclusively.
    pub fn apply(&mut self, page: Latched, op: PageOp) {
        let entry = self.latches.entry_mut(page);
        let number = entry.page().page_no();
        entry.note_change(&op);
        self.group.push_page(number, &op);
        self.entries.note(number, &op);
        entry.page_mut().apply(&op);
    }

    /// Counts rows that this mini-transaction puts into a table or takes away.
    pub(crate) fn count_rows(&mut self, table: u64, counters: &Arc<TableCounters>, rows: i64) {
        self.group.push_rows(RowCount {
            rows,
            ..counters.total(table)
        });
        self.entries.count_rows(Arc::clone(counters), rows);
    }

    /// Overwrites bytes of a page's content (undo and catalog pages); `offset` counts from the
    /// page's first byte.
    ///
    /// # Panics
    /// When the page is not latched exclusively, or the bytes are not in its content.
    pub fn write_bytes(&mut self, page: Latched, offset: usize, bytes: &[u8]) {
        assert!(
            offset >= CONTENT_START && offset + bytes.len() <= CONTENT_END,
            "{} bytes at {offset} are not in the page's content",
            bytes.len()
        );
        self.apply(page, PageOp::write(offset, bytes));
    }

    /// Whether it has changed anything.
    #[must_use]
    pub fn has_changes(&self) -> bool {
        !self.group.is_empty()
    }

    /// Appends the changes to the log as one group, stamps the pages with its position and lets
    /// go of all latches. The position is the log's end after the group (or just its end, if
    /// nothing was changed).
    pub fn commit(mut self) -> Lsn {
        self.settle_space();
        if !self.has_changes() {
            return self.pool.log().end();
        }
        let position = self.append();
        for entry in self.latches.pages_mut().filter(|entry| entry.changed) {
            entry.page_mut().set_lsn(position);
        }
        self.group.clear();
        position
    }

    /// Appends the group, with images of the pages that need one (D1). The floor may move up
    /// meanwhile; then more pages may need one.
    fn append(&mut self) -> Lsn {
        let (log, ledger) = (self.pool.log(), self.pool.ledger());
        loop {
            let floor = ledger.floor();
            let images = images(&mut self.latches, floor);
            let with_images;
            let body = if images.is_empty() {
                self.group.bytes()
            } else {
                with_images = self.group.with_images(&images);
                &with_images
            };
            let entries = &self.entries;
            let appended = log.append_with(GROUP, body, |_| ledger.enter(floor, entries));
            if let Some((position, ())) = appended {
                return position;
            }
        }
    }

    /// Latches a tree, or nothing if it is latched already.
    pub(crate) fn latch_tree(&mut self, index: u64, latch: &Arc<RwLock<()>>, mode: LatchMode) {
        debug_assert!(
            self.latches.tree_mode(index).is_some() || !self.has_page_of(index),
            "a tree is latched before its pages (M4): let go of its leaf before seeking again"
        );
        self.latches.latch_tree(index, latch, mode);
    }

    /// How a tree's latch is held, if it is.
    pub(crate) fn tree_mode(&self, index: u64) -> Option<LatchMode> {
        self.latches.tree_mode(index)
    }

    /// Lets go of a tree's latch.
    pub(crate) fn release_tree(&mut self, index: u64) {
        self.latches.release_tree(index);
    }

    fn has_page_of(&self, index: u64) -> bool {
        let mut pages = self.latches.pages();
        pages.any(|entry| {
            entry.page().kind() == Some(crate::page::PageKind::Index)
                && entry.page().index() == index
        })
    }
}

/// Images of the changed pages that were last changed at or before the floor.
fn images(latches: &mut Latches, floor: Lsn) -> Vec<(PageNo, PageOp)> {
    if floor == Lsn(0) {
        return Vec::new();
    }
    latches
        .pages_mut()
        .filter(|entry| entry.changed && !entry.begun_anew && entry.page().lsn() <= floor)
        .map(|entry| (entry.page().page_no(), entry.page_mut().take_image()))
        .collect()
}

impl Drop for Mtr<'_> {
    fn drop(&mut self) {
        assert!(
            !self.has_changes() || std::thread::panicking(),
            "a mini-transaction with changes must be committed (M2)"
        );
    }
}
