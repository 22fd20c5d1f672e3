//! Taking records off their page for good.

use super::{Cursor, RecordMoves, Removal, Tree};
use crate::{
    error::StoreError,
    mtr::{Latched, Mtr},
    page::{NO_PAGE, PAGE_SIZE},
};

/// Below this many bytes of records, a page is merged with a neighbour, if it fits there.
pub(super) const MERGE_LIMIT: usize = PAGE_SIZE / 2;

impl Tree {
    /// Whether [`Self::remove`] would take the record off without changing the tree.
    #[must_use]
    pub fn can_remove(&self, mtr: &Mtr<'_>, cursor: Cursor) -> bool {
        let size = self.record(mtr, cursor).extent().size();
        let page = mtr.page(cursor.page);
        let keeps_little = page.data_size() - size < MERGE_LIMIT;
        let is_alone = page.prev() == NO_PAGE && page.next() == NO_PAGE;
        let too_little = keeps_little || is_alone || page.record_count() < 2;
        !too_little || self.is_root(mtr, cursor.page)
    }

    /// Takes the record off its page for good, if the page keeps enough.
    #[must_use = "the record stays if the tree must change"]
    pub fn remove(&self, mtr: &mut Mtr<'_>, cursor: Cursor) -> Removal {
        if !self.can_remove(mtr, cursor) {
            return Removal::NeedsTree;
        }
        self.remove_all(mtr, cursor.page, &[cursor.origin]);
        Removal::Done
    }

    /// Takes the record off, merging pages as needed. Needs a cursor on a record that a seek
    /// `AtOrBefore` for the whole key with [`super::Latching::ModifyTree`] has placed.
    ///
    /// # Errors
    /// When pages cannot be read; nothing has changed then.
    pub fn remove_merging(
        &self,
        mtr: &mut Mtr<'_>,
        cursor: Cursor,
        moves: &dyn RecordMoves,
    ) -> Result<(), StoreError> {
        let key = self.record(mtr, cursor).key();
        self.prepare_merge(mtr, &key)?;
        let page = cursor.page;
        let content = mtr.page(page);
        let is_alone = content.prev() == NO_PAGE && content.next() == NO_PAGE;
        if content.record_count() < 2 && !is_alone {
            self.discard(mtr, page, moves);
        } else {
            self.remove_all(mtr, page, &[cursor.origin]);
            self.merge_if_useful(mtr, page, moves);
        }
        Ok(())
    }

    /// Merges a page that has too little on it with a neighbour, if it fits there. Everything
    /// needed has been latched.
    pub(super) fn merge_if_useful(
        &self,
        mtr: &mut Mtr<'_>,
        page: Latched,
        moves: &dyn RecordMoves,
    ) {
        if self.is_root(mtr, page) {
            return;
        }
        let content = mtr.page(page);
        if content.prev() == NO_PAGE && content.next() == NO_PAGE {
            self.lift_into_root(mtr, moves);
        } else if content.data_size() < MERGE_LIMIT {
            self.merge(mtr, page, moves);
        }
    }
}
