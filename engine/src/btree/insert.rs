//! Inserting into a page that has room, and making room by packing a page anew.

use super::{Cursor, Insertion, RecordMoves, Tree, split::Upper};
use crate::{
    error::StoreError,
    mtr::{Latched, Mtr},
    page::{PAGE_SIZE, PageOp, Record, RecordImage, Tuple},
};

/// Below this much room to be won, a page is not packed anew.
pub(super) const REORGANIZE_LIMIT: usize = PAGE_SIZE / 32;

/// What sequential inserts leave free on a leaf of the clustered index, for rows to grow.
const SPACE_RESERVE: usize = PAGE_SIZE / 16;

impl Tree {
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
        let image = self.row_image(tuple)?;
        if !self.takes(mtr, cursor, image.size()) {
            return Ok(Insertion::Full);
        }
        let placed = self.place(mtr, cursor, image, moves);
        Ok(Insertion::Done(
            placed.expect("a page that takes a record has room"),
        ))
    }

    /// Inserts after the cursor, splitting pages as needed. Needs a cursor that a seek
    /// `AtOrBefore` for the whole key with [`super::Latching::ModifyTree`] has placed.
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
        if let Insertion::Done(cursor) = self.insert(mtr, cursor, tuple, moves)? {
            return Ok(cursor);
        }
        let key = &tuple.0[..self.layout.key_fields];
        let image = self.row_image(tuple)?;
        self.prepare_split(mtr, key)?;
        Ok(self.split_and_place(mtr, cursor, key, image, moves))
    }

    /// Whether a page takes a record of `size` bytes after the cursor without a split: not when
    /// only a little would be won by packing it anew, and not when rows keep coming in order and
    /// would take what is to stay free.
    pub(super) fn takes(&self, mtr: &Mtr<'_>, cursor: Cursor, size: usize) -> bool {
        let page = mtr.page(cursor.page);
        let room = page.space_reorganized(1);
        if page.garbage() > 0 {
            let little = room < size || room < REORGANIZE_LIMIT;
            if little && page.record_count() > 1 && page.space_at_top(1) < size {
                return false;
            }
        } else if room < size {
            return false;
        }
        let keeps_reserve = self.clustered && page.level() == 0 && page.record_count() >= 2;
        !(keeps_reserve
            && SPACE_RESERVE + size > room
            && (self.split_to_right(mtr, cursor).is_some()
                || self.split_to_left(mtr, cursor).is_some()))
    }

    /// Puts a record after the cursor's, packing the page anew if that makes room; `None` if there
    /// is none even so.
    pub(super) fn place(
        &self,
        mtr: &mut Mtr<'_>,
        cursor: Cursor,
        image: RecordImage,
        moves: &dyn RecordMoves,
    ) -> Option<Cursor> {
        let mut after = cursor.origin;
        if !mtr.page(cursor.page).has_room(image.size()) {
            let rank = rank_or_infimum(mtr, cursor);
            self.reorganize(mtr, cursor.page, moves);
            after = mtr.page(cursor.page).nth_record(rank);
        }
        if !mtr.page(cursor.page).has_room(image.size()) {
            return None;
        }
        mtr.apply(cursor.page, PageOp::Insert { after, image });
        let origin = mtr.page(cursor.page).next_record(after);
        Some(Cursor { origin, ..cursor })
    }

    /// Packs a page anew; records get new heap numbers.
    pub(super) fn reorganize(&self, mtr: &mut Mtr<'_>, page: Latched, moves: &dyn RecordMoves) {
        let before = heap_numbers(mtr, page);
        let images = self.images(mtr, page);
        mtr.apply(page, PageOp::Rebuild { images });
        if mtr.page(page).level() == 0 {
            let moved: Vec<(u16, u16)> = before.into_iter().zip(2..).collect();
            let page = mtr.page_no(page);
            moves.move_records(page, page, &moved);
        }
    }

    /// Copies of all rows of a page.
    pub(super) fn images(&self, mtr: &Mtr<'_>, page: Latched) -> Vec<RecordImage> {
        let page = mtr.page(page);
        page.records()
            .map(|origin| Record::new(page, &self.layout, origin).image())
            .collect()
    }

    /// Splits the cursor's page (raising the root first, if it is that) until the record fits, and
    /// puts it there. Everything needed has been latched.
    pub(super) fn split_and_place(
        &self,
        mtr: &mut Mtr<'_>,
        mut cursor: Cursor,
        key: &[crate::page::Field],
        image: RecordImage,
        moves: &dyn RecordMoves,
    ) -> Cursor {
        if self.is_root(mtr, cursor.page) {
            cursor = self.raise_root(mtr, cursor, moves);
        }
        for attempt in 0.. {
            let upper = self.choose_split(mtr, cursor, key, image.size(), attempt);
            let page = self.split(mtr, cursor, &upper, key, moves);
            let after = self.last_within(mtr.page(page), key, super::search::Bound::Through);
            cursor = Cursor {
                page,
                origin: after,
            };
            let rank = rank_or_infimum(mtr, cursor);
            if let Some(placed) = self.place(mtr, cursor, image.clone(), moves) {
                return placed;
            }
            cursor.origin = mtr.page(page).nth_record(rank);
        }
        unreachable!("two records always fit on a page")
    }

    /// Inserts a branch record above a page that was split, after the record of its lower half.
    pub(super) fn insert_branch(
        &self,
        mtr: &mut Mtr<'_>,
        father: Cursor,
        upper: &Upper,
        child: gaplock_wal::PageNo,
    ) {
        let image = self.layout.branch_image(&upper.key, child, false);
        if self.takes(mtr, father, image.size()) {
            let placed = self.place(mtr, father, image, &());
            assert!(placed.is_some(), "a page that takes a record has room");
        } else {
            self.split_and_place(mtr, father, &upper.key, image, &());
        }
    }
}

/// The cursor's place in its page's list: 0 for the infimum, 1 for the first row.
fn rank_or_infimum(mtr: &Mtr<'_>, cursor: Cursor) -> usize {
    let page = mtr.page(cursor.page);
    if cursor.origin == crate::page::INFIMUM {
        0
    } else {
        page.rank(cursor.origin) + 1
    }
}

/// Heap numbers of all rows of a page in order.
pub(super) fn heap_numbers(mtr: &Mtr<'_>, page: Latched) -> Vec<u16> {
    let page = mtr.page(page);
    page.records().map(|origin| page.heap_no(origin)).collect()
}
