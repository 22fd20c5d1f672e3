//! From one record to the next, and back.

use super::{Cursor, Latching, Seek, Tree};
use crate::{
    error::StoreError,
    mtr::{LatchMode, Mtr},
    page::{INFIMUM, NO_PAGE, SUPREMUM},
};

impl Tree {
    /// Moves on: to the next row of the page, then its supremum, then the next page's first row.
    /// `false`, without moving, on the last page's supremum. The next page is latched, as this one
    /// is, before this one is let go of.
    ///
    /// # Errors
    /// When pages cannot be read.
    pub fn next(&self, mtr: &mut Mtr<'_>, cursor: &mut Cursor) -> Result<bool, StoreError> {
        let page = mtr.page(cursor.page);
        if cursor.origin != SUPREMUM {
            cursor.origin = page.next_record(cursor.origin);
            return Ok(true);
        }
        let right = page.next();
        if right == NO_PAGE {
            return Ok(false);
        }
        let right = mtr.latch(right, mtr.mode(cursor.page))?;
        mtr.release(cursor.page);
        *cursor = Cursor {
            page: right,
            origin: mtr.page(right).first_record(),
        };
        Ok(true)
    }

    /// Moves back: to the previous row of the page, then its infimum, then the previous page's
    /// last row. `false`, without moving, on the first page's infimum.
    ///
    /// If somebody is on the previous page, this page is let go of first; what others do in
    /// between is then seen, but no record that was there all the time is left out or met twice.
    ///
    /// # Errors
    /// When pages cannot be read; the cursor is then of no use any more.
    pub fn prev(&self, mtr: &mut Mtr<'_>, cursor: &mut Cursor) -> Result<bool, StoreError> {
        loop {
            let page = mtr.page(cursor.page);
            if cursor.origin != INFIMUM {
                cursor.origin = page.previous_record(cursor.origin);
                return Ok(true);
            }
            let left = page.prev();
            if left == NO_PAGE {
                return Ok(false);
            }
            let mode = mtr.mode(cursor.page);
            if let Some(left) = mtr.try_latch(left, mode)? {
                mtr.release(cursor.page);
                let origin = mtr.page(left).last_record();
                *cursor = Cursor { page: left, origin };
                return Ok(true);
            }
            if self.step_left_waiting(mtr, cursor, mode)? {
                return Ok(true);
            }
        }
    }

    /// Goes from a page's infimum to the last record before it, letting go of the page first.
    /// `false` if that led to an infimum again, from which one has to go on.
    fn step_left_waiting(
        &self,
        mtr: &mut Mtr<'_>,
        cursor: &mut Cursor,
        mode: LatchMode,
    ) -> Result<bool, StoreError> {
        let page = mtr.page(cursor.page);
        let (here, left, position) = (page.page_no(), page.prev(), page.lsn());
        let key = self.record_at(mtr, cursor.page, page.first_record()).key();
        mtr.release(cursor.page);
        // If nothing has changed once both are latched, from left to right, the way is short.
        let left = mtr.latch(left, mode)?;
        if self.is_leaf(mtr, left) && mtr.page(left).next() == here {
            let right = mtr.latch(here, mode)?;
            let unchanged = mtr.page(right).lsn() == position;
            mtr.release(right);
            if unchanged {
                let origin = mtr.page(left).last_record();
                *cursor = Cursor { page: left, origin };
                return Ok(true);
            }
        }
        mtr.release(left);
        let latching = match mode {
            LatchMode::Shared => Latching::Read,
            LatchMode::Exclusive => Latching::ModifyLeaf,
        };
        *cursor = self.seek(mtr, &key, Seek::Before, latching)?;
        Ok(cursor.origin != INFIMUM)
    }
}
