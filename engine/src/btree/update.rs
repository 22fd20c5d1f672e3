//! Replacing the fields of a record whose key stays.

use super::{Cursor, RecordMoves, Tree, Update, insert::REORGANIZE_LIMIT, remove::MERGE_LIMIT};
use crate::{
    error::StoreError,
    mtr::Mtr,
    page::{INFIMUM, NO_PAGE, PageOp, RecordImage, Tuple},
};

/// Where an update parks a record's locks while the record is off the page.
const PARKED: u16 = 0;

impl Tree {
    /// Replaces the record's fields by others with an equal key. The deleted mark stays.
    ///
    /// If no length changes, the record stays where it is; else it is taken off the page and put
    /// there again, and its locks wait on the infimum meanwhile.
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
        let image = self.new_image(mtr, cursor, tuple)?;
        if self.write_in_place(mtr, cursor, &image) {
            return Ok(Update::Done(cursor));
        }
        let old = self.record(mtr, cursor).extent().size();
        let page = mtr.page(cursor.page);
        let too_little = page.data_size() - old + image.size() < MERGE_LIMIT;
        if too_little && !self.is_root(mtr, cursor.page) {
            return Ok(Update::Full);
        }
        let room = old + page.space_reorganized(1);
        let fits = room >= REORGANIZE_LIMIT && room >= image.size();
        if !fits && page.record_count() > 1 {
            return Ok(Update::Full);
        }
        let before = self.park(mtr, cursor, moves);
        let placed = self.place(mtr, before, image, moves);
        let placed = placed.expect("what is taken off leaves room enough");
        self.unpark(mtr, cursor, placed, moves);
        Ok(Update::Done(placed))
    }

    /// Replaces the record's fields, splitting or merging pages as needed. Needs a cursor on a
    /// record that a seek `AtOrBefore` for the whole key with [`super::Latching::ModifyTree`] has
    /// placed.
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
        let key = &tuple.0[..self.layout.key_fields];
        let image = self.new_image(mtr, cursor, tuple)?;
        self.prepare_split(mtr, key)?;
        if self.write_in_place(mtr, cursor, &image) {
            return Ok(cursor);
        }
        let before = self.park(mtr, cursor, moves);
        let rank = match before.origin {
            INFIMUM => 0,
            origin => mtr.page(before.page).rank(origin) + 1,
        };
        if let Some(placed) = self.place(mtr, before, image.clone(), moves) {
            self.unpark(mtr, cursor, placed, moves);
            return Ok(self.merge_around(mtr, placed, key, moves));
        }
        let origin = mtr.page(before.page).nth_record(rank);
        let before = Cursor { origin, ..before };
        let placed = self.split_and_place(mtr, before, key, image, moves);
        self.unpark(mtr, cursor, placed, moves);
        // What was the first record has an end of a page before it that knew its locks all along.
        if rank != 0 {
            self.restore_end_before(mtr, placed, moves);
        }
        Ok(placed)
    }

    fn new_image(
        &self,
        mtr: &Mtr<'_>,
        cursor: Cursor,
        tuple: &Tuple,
    ) -> Result<RecordImage, StoreError> {
        let record = self.record(mtr, cursor);
        let key = &tuple.0[..self.layout.key_fields];
        debug_assert!(
            record.compare_prefix(key).0.is_eq(),
            "an update does not change the key"
        );
        let deleted = record.is_deleted();
        Ok(self.row_image(tuple)?.with_deleted(deleted))
    }

    /// Overwrites the fields, if no length and no NULL changes.
    fn write_in_place(&self, mtr: &mut Mtr<'_>, cursor: Cursor, image: &RecordImage) -> bool {
        let old = self.record(mtr, cursor).image();
        let extra = usize::from(image.extra);
        let same_form = old.extra == image.extra
            && old.size() == image.size()
            && old.bytes[..extra] == image.bytes[..extra];
        if same_form {
            let op = PageOp::write(usize::from(cursor.origin), &image.bytes[extra..]);
            mtr.apply(cursor.page, op);
        }
        same_form
    }

    /// Takes the record off its page, and parks its locks; returns the record before it.
    fn park(&self, mtr: &mut Mtr<'_>, cursor: Cursor, moves: &dyn RecordMoves) -> Cursor {
        let page = mtr.page(cursor.page);
        let number = page.page_no();
        moves.move_records(number, number, &[(page.heap_no(cursor.origin), PARKED)]);
        let origin = page.previous_record(cursor.origin);
        self.remove_all(mtr, cursor.page, &[cursor.origin]);
        Cursor { origin, ..cursor }
    }

    /// Gives the parked locks to the record in its new place.
    fn unpark(&self, mtr: &Mtr<'_>, old: Cursor, new: Cursor, moves: &dyn RecordMoves) {
        let (from, to) = (mtr.page_no(old.page), mtr.page_no(new.page));
        let heap_no = self.record(mtr, new).heap_no();
        moves.move_records(from, to, &[(PARKED, heap_no)]);
    }

    /// The split has put a new end of a page before the record, while its locks were parked: that end
    /// has inherited from the record's successor, and has to have the record's own gaps instead.
    fn restore_end_before(&self, mtr: &Mtr<'_>, placed: Cursor, moves: &dyn RecordMoves) {
        let page = mtr.page(placed.page);
        if page.first_record() == placed.origin && page.prev() != NO_PAGE {
            let heap_no = page.heap_no(placed.origin);
            moves.restore_end(page.prev(), page.page_no(), heap_no);
        }
    }
}
