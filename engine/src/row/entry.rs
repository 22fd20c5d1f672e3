//! Entries of secondary indexes: putting them in, with the duplicate check, and marking them as
//! deleted.

use gaplock_lockmgr::{LockMode, LockSpan};

use super::{
    Step, WaitPolicy,
    change::{ChangeProgress, Inserted},
    locking::{Got, Spot},
};
use crate::{
    access::{self, Reason, Want},
    btree::{Cursor, Latching, Seek},
    db::Engine,
    error::Error,
    mtr::Mtr,
    page::{Field, Record, Tuple},
    table::{Index, RowImage, Table},
    trx::Trx,
};

/// How far the insertion of an entry has come.
#[derive(Clone, Debug, Default)]
pub(crate) struct EntryProgress {
    change: ChangeProgress,
    /// The duplicate check has passed. Forgotten at a wait, since others may have inserted then.
    checked: bool,
}

const ENTRY_CHANGE: Want = Want {
    span: LockSpan::Record,
    reason: Reason::EntryChange,
};

impl Engine {
    /// Puts a row's entry into a secondary index, over a deleted equal one if there is one.
    pub(crate) fn insert_entry(
        &self,
        trx: &mut Trx,
        table: &Table,
        index: &Index,
        image: &RowImage,
        progress: &mut EntryProgress,
    ) -> Result<Step<Inserted>, Error> {
        let result = self.try_insert_entry(trx, table, index, image, progress);
        if matches!(result, Ok(Step::Wait)) {
            progress.checked = false;
        }
        result
    }

    fn try_insert_entry(
        &self,
        trx: &mut Trx,
        table: &Table,
        index: &Index,
        image: &RowImage,
        progress: &mut EntryProgress,
    ) -> Result<Step<Inserted>, Error> {
        let entry = index.entry(image);
        let key = &entry.0[..index.columns.len()];
        let collides = index.unique && !index.has_null_key(&entry.0);
        let mut mtr = Mtr::begin(&self.pool);
        if collides && !progress.checked && progress.change.needs_tree {
            // At a page's edge the neighbour is on another page: look for it from the left while
            // the tree's latch keeps other changes out.
            if self.key_exists(&mut mtr, index, key)? {
                drop(mtr);
                return self.check_entry(trx, table, index, key, progress);
            }
        }
        let latching = progress.change.latching();
        let cursor = index
            .tree
            .seek(&mut mtr, &entry.0, Seek::AtOrBefore, latching)?;
        if collides && !progress.checked {
            match neighbour_collides(index, &mtr, cursor, key) {
                Neighbour::Collides => {
                    drop(mtr);
                    return self.check_entry(trx, table, index, key, progress);
                }
                Neighbour::OnAnotherPage if !progress.change.needs_tree => {
                    progress.change.needs_tree = true;
                    return Ok(Step::Progress);
                }
                Neighbour::OnAnotherPage | Neighbour::Differs => {}
            }
        }
        // A key with NULL, which collides with nothing, has its place locked too.
        if index.unique
            && access::visits_unique_gaps(self.profile(), trx.isolation, trx.duplicate_mode())
        {
            self.lock_unique_gap(trx, table, index, &mtr, cursor)?;
        }
        self.place_entry(trx, index, mtr, cursor, &entry, &mut progress.change)
    }

    /// The duplicate check as a step of its own.
    fn check_entry(
        &self,
        trx: &mut Trx,
        table: &Table,
        index: &Index,
        key: &[Field],
        progress: &mut EntryProgress,
    ) -> Result<Step<Inserted>, Error> {
        Ok(match self.check_duplicates(trx, table, index, key)? {
            Step::Done(Inserted::Yes) => {
                progress.checked = true;
                Step::Progress
            }
            other => other,
        })
    }

    /// Scans the entries with this key, locking each and the first one past them; finds a live one.
    pub(crate) fn check_duplicates(
        &self,
        trx: &mut Trx,
        table: &Table,
        index: &Index,
        key: &[Field],
    ) -> Result<Step<Inserted>, Error> {
        self.note_duplicate_check(trx);
        let mode = trx.duplicate_mode();
        let mut mtr = Mtr::begin(&self.pool);
        let mut cursor = index
            .tree
            .seek(&mut mtr, key, Seek::AtOrAfter, Latching::Read)?;
        loop {
            let record = index.tree.record(&mtr, cursor);
            let supremum = record.is_supremum();
            let equal = record.is_user() && record.compare_prefix(key).0.is_eq();
            let live = equal && !record.is_deleted();
            if !record.is_infimum() {
                let want = access::secondary_duplicate(self.profile(), mode, equal, supremum);
                if self.lock_entry(trx, table, index, &mtr, cursor, mode, want)? == Got::Wait {
                    return Ok(Step::Wait);
                }
            }
            if live {
                let fields = Self::fields_at(index, &mtr, cursor);
                let reference = table.reference_in_entry(index, &fields);
                return Ok(Step::Done(Inserted::Duplicate(reference)));
            }
            let past = !equal && !supremum && index.tree.record(&mtr, cursor).is_user();
            if past || !index.tree.next(&mut mtr, &mut cursor)? {
                return Ok(Step::Done(Inserted::Yes));
            }
        }
    }

    /// Locks the record of a secondary index on which a cursor stands.
    #[expect(clippy::too_many_arguments, reason = "one record's circumstances")]
    pub(crate) fn lock_entry(
        &self,
        trx: &mut Trx,
        table: &Table,
        index: &Index,
        mtr: &Mtr<'_>,
        cursor: Cursor,
        mode: LockMode,
        want: Want,
    ) -> Result<Got, Error> {
        let record = index.tree.record(mtr, cursor);
        let spot = Spot::of(&record);
        if !record.is_user() {
            return self.lock_spot(trx, spot, mode, want, WaitPolicy::Wait);
        }
        let writer = if index.clustered {
            self.row_writer(trx, &table.read_clustered(&record))
        } else {
            self.writer_of_entry(trx, table, index, mtr, cursor)?
        };
        self.lock_written(trx, spot, writer, mode, want, WaitPolicy::Wait)
    }

    /// The gap in which an upsert's value has its place in a unique index. As every request it makes
    /// its record's writer's lock explicit, be it the upsert itself.
    pub(crate) fn lock_unique_gap(
        &self,
        trx: &mut Trx,
        table: &Table,
        index: &Index,
        mtr: &Mtr<'_>,
        cursor: Cursor,
    ) -> Result<(), Error> {
        let successor = index.tree.successor(mtr, cursor);
        let want = Want {
            span: LockSpan::Gap,
            reason: Reason::UniqueGapVisit,
        };
        self.lock_entry(trx, table, index, mtr, successor, LockMode::X, want)?;
        Ok(())
    }

    fn key_exists(&self, mtr: &mut Mtr<'_>, index: &Index, key: &[Field]) -> Result<bool, Error> {
        let mut cursor = index
            .tree
            .seek(mtr, key, Seek::AtOrAfter, Latching::ModifyTree)?;
        loop {
            let record = index.tree.record(mtr, cursor);
            if record.is_user() {
                return Ok(record.compare_prefix(key).0.is_eq());
            }
            if !index.tree.next(mtr, &mut cursor)? {
                return Ok(false);
            }
        }
    }

    /// The change itself: a new record, or a deleted equal one brought back.
    fn place_entry(
        &self,
        trx: &mut Trx,
        index: &Index,
        mut mtr: Mtr<'_>,
        cursor: Cursor,
        entry: &Tuple,
        progress: &mut ChangeProgress,
    ) -> Result<Step<Inserted>, Error> {
        let record = index.tree.record(&mtr, cursor);
        let id = self.ensure_active(trx);
        if record.is_user() && record.compare_prefix(&entry.0).0.is_eq() {
            let (spot, same) = (Spot::of(&record), record.to_tuple() == *entry);
            if self.lock_implicitly(trx, spot, ENTRY_CHANGE)? == Got::Wait {
                return Ok(Step::Wait);
            }
            let at = if same {
                Some(cursor)
            } else {
                self.replace_record(trx, &index.tree, &mut mtr, cursor, entry, progress)?
            };
            let Some(at) = at else {
                return Ok(Step::Progress);
            };
            index.tree.set_deleted(&mut mtr, at, false);
            index.tree.raise_max_trx(&mut mtr, at, id.0);
            mtr.commit();
            return Ok(Step::Done(Inserted::Yes));
        }
        let successor = Spot::of(&index.tree.record(&mtr, index.tree.successor(&mtr, cursor)));
        if self.lock_gap_for_insertion(trx, successor)? == Got::Wait {
            return Ok(Step::Wait);
        }
        let placed = self.place_record(trx, &index.tree, &mut mtr, cursor, entry, progress)?;
        let Some(at) = placed else {
            return Ok(Step::Progress);
        };
        index.tree.raise_max_trx(&mut mtr, at, id.0);
        mtr.commit();
        Ok(Step::Done(Inserted::Yes))
    }

    /// Marks a row's entry in a secondary index as deleted.
    pub(crate) fn delete_entry(
        &self,
        trx: &mut Trx,
        index: &Index,
        image: &RowImage,
    ) -> Result<Step<()>, Error> {
        let entry = index.entry(image);
        let mut mtr = Mtr::begin(&self.pool);
        let cursor = index
            .tree
            .seek(&mut mtr, &entry.0, Seek::AtOrBefore, Latching::ModifyLeaf)?;
        let record = index.tree.record(&mtr, cursor);
        let found = record.is_user() && record.compare_prefix(&entry.0).0.is_eq();
        if !found || record.is_deleted() {
            return Ok(Step::Done(()));
        }
        let spot = Spot::of(&record);
        if self.lock_implicitly(trx, spot, ENTRY_CHANGE)? == Got::Wait {
            return Ok(Step::Wait);
        }
        let id = self.ensure_active(trx);
        index.tree.set_deleted(&mut mtr, cursor, true);
        index.tree.raise_max_trx(&mut mtr, cursor, id.0);
        mtr.commit();
        Ok(Step::Done(()))
    }
}

/// What stands beside the place of a new entry.
enum Neighbour {
    Collides,
    Differs,
    /// The place is at a page's edge.
    OnAnotherPage,
}

fn neighbour_collides(index: &Index, mtr: &Mtr<'_>, cursor: Cursor, key: &[Field]) -> Neighbour {
    let before = index.tree.record(mtr, cursor);
    let after = index.tree.record(mtr, index.tree.successor(mtr, cursor));
    let equal = |record: &Record<'_>| record.is_user() && record.compare_prefix(key).0.is_eq();
    if equal(&before) || equal(&after) {
        Neighbour::Collides
    } else {
        let (previous, next) = index.tree.has_neighbours(mtr, cursor);
        let at_edge = (previous && !before.is_user()) || (next && !after.is_user());
        if at_edge {
            Neighbour::OnAnotherPage
        } else {
            Neighbour::Differs
        }
    }
}
