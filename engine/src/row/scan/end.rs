//! Where a scan ends, and what it locks there.
//!
//! Which record is the last one looked at, and whether it is locked before or after its place is
//! known, is what releases differ in most. An equality ends at the first record that differs; a
//! range ends above the engine, after the record past it was locked and fetched; or, as the profile
//! has it, in the engine: on the index entry (pushdown), or on the clustered key before locking.

use std::ops::Bound;

use gaplock_lockmgr::LockMode;

use super::{Access, Bounds, Here, Scan, WaitPolicy, run::Look};
use crate::{
    access, btree::Cursor, db::Engine, error::Error, mtr::Mtr, page::Field, table::Index, trx::Trx,
};

impl Scan {
    /// Whether an equality search has left the equal records. Backwards only the first record is
    /// tested here; later ones are tested above the engine, after they were locked.
    pub(super) fn leaves_equal(&self, index: &Index, here: &Here) -> bool {
        let Some(bounds) = &self.bounds else {
            return false;
        };
        let Some(key) = &bounds.equal else {
            return false;
        };
        let tested = !bounds.backward || !self.returned_any;
        tested && index.compare_fields(&here.fields, key).is_ne()
    }

    /// Whether the record lies beyond the scan's end.
    pub(super) fn is_past_end(&self, index: &Index, fields: &[Field]) -> bool {
        let Some(bounds) = &self.bounds else {
            return false;
        };
        if let Some(key) = &bounds.equal {
            return index.compare_fields(fields, key).is_ne();
        }
        let end = if bounds.backward {
            &bounds.lower
        } else {
            &bounds.upper
        };
        Engine::is_beyond(index, fields, end, bounds.backward)
    }

    /// Where the profile tests the range's end before locking: the lock on a record past it, and
    /// the end of the scan.
    pub(super) fn end_before_locking(
        &mut self,
        engine: &Engine,
        trx: &mut Trx,
        mtr: &mut Mtr<'_>,
        cursor: Cursor,
        here: &Here,
        mode: LockMode,
    ) -> Result<Option<Look>, Error> {
        let table = self.spec.table.clone();
        let index = &table.indexes[self.spec.index];
        let backward = self.bounds.as_ref().is_some_and(|bounds| bounds.backward);
        let range = matches!(self.spec.access, Access::Range { .. });
        if !range
            || !access::tests_end_before_locking(
                engine.profile(),
                trx.isolation,
                index.clustered,
                backward,
            )
            || !self.is_past_end(index, &here.fields)
        {
            return Ok(None);
        }
        let writer = self.writer(engine, trx, mtr, cursor, here)?;
        let want = access::PAST_THE_END;
        engine.lock_written(trx, here.spot, writer, mode, want, WaitPolicy::Wait)?;
        Ok(Some(Look::End))
    }

    /// Notes that the row about to be returned is the range's inclusive last key, after which an
    /// engine that knows the end does not look.
    pub(super) fn note_exact_end(&mut self, index: &Index, here: &Here) {
        let Some(Bounds {
            upper: Bound::Included(key),
            backward: false,
            ..
        }) = &self.bounds
        else {
            return;
        };
        if index.clustered
            && key.len() == index.unique_fields
            && index.compare_fields(&here.fields, key).is_eq()
        {
            self.end_found = self.knows_end;
        }
    }
}
