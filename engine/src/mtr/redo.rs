//! Doing logged changes again.
//!
//! Recovery never looks at a page on the disk before the log has made it anew: every page that was
//! changed since the redo position has an image, or its formatting, as its first change (D1). So
//! torn pages need no repair, and damage to them no attention.

use std::sync::Arc;

use gaplock_wal::{FileId, Lsn, PageId, PageNo};
use rustc_hash::FxHashSet;

use crate::{
    buffer::BufferPool,
    error::StoreError,
    page::{Page, PageOp},
};

/// Pages that recovery has made anew.
#[derive(Debug, Default)]
pub(crate) struct Redo {
    begun: FxHashSet<PageNo>,
}

impl Redo {
    /// Does one change of a group again, whose end is at `position`.
    ///
    /// # Errors
    /// When the change is one of a page that the log has not made anew, or no frame is free.
    pub(crate) fn apply(
        &mut self,
        pool: &BufferPool,
        page_no: PageNo,
        op: &PageOp,
        position: Lsn,
    ) -> Result<(), StoreError> {
        let complete = op.is_complete();
        if complete {
            self.begun.insert(page_no);
        } else if !self.begun.contains(&page_no) {
            return Err(StoreError::Damaged {
                page: PageId::new(FileId(0), page_no),
                what: format!(
                    "the log changes it at {} without an image of it",
                    position.0
                ),
            });
        }
        let pinned = if complete {
            pool.pin_fresh(page_no)?
        } else {
            pool.pin(page_no)?
        };
        let mut content = pinned.content().write();
        let page: &mut Arc<Page> = content.get_or_insert_with(|| Arc::new(Page::blank(page_no)));
        let page = Arc::make_mut(page);
        page.apply(op);
        page.set_lsn(position);
        if complete {
            pool.ledger().redo(page);
        }
        pinned.mark_dirty();
        Ok(())
    }

    /// How many pages were made anew.
    pub(crate) fn pages(&self) -> usize {
        self.begun.len()
    }
}
