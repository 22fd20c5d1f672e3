//! A scan's step: look at records until one is a row to return, or a lock has to be waited for.
//!
//! The order of tests is InnoDB's: page end, end of an equality, lock, deleted mark, condition on
//! the index record, fetch of the row, end of the range.

use std::ops::Bound;

use gaplock_lockmgr::{LockMode, TableMode};

use super::{
    Access, Bounds, FreshLocks, Here, LockStrength, Position, RowFilter, Scan, ScannedRow,
    WaitPolicy, fetch::Fetched,
};
use crate::{
    access::{self, ScanSpot, Want},
    btree::Cursor,
    db::Engine,
    error::Error,
    mtr::Mtr,
    page::Field,
    profile::{DeletedAtReadCommitted, SemiConsistent},
    row::{
        Step,
        implicit::Writer,
        locking::{Got, Spot},
    },
    table::{ClusteredRow, Index, IndexField, Table},
    trx::{Isolation, Trx},
    types::Value,
};

/// What looking at one record came to.
pub(super) enum Look {
    Found(ScannedRow),
    Pass,
    End,
    Wait,
}

/// What locking one record came to.
enum Locked {
    /// Held; `newly` stored.
    Held(bool),
    /// Not held: this is the newest committed version instead (semi-consistent).
    Committed(Box<ClusteredRow>),
    Pass,
    Wait,
}

impl Scan {
    /// Finds and locks the next row.
    ///
    /// # Errors
    /// Deadlock, time-out, a refused lock, a snapshot that is out of date, or a damaged page. The
    /// scan is over then.
    pub fn step(
        &mut self,
        engine: &Engine,
        trx: &mut Trx,
        filter: &dyn RowFilter,
    ) -> Result<Step<Option<ScannedRow>>, Error> {
        engine.run_step(trx, |trx| self.run(engine, trx, filter))
    }

    pub(in crate::row) fn run(
        &mut self,
        engine: &Engine,
        trx: &mut Trx,
        filter: &dyn RowFilter,
    ) -> Result<Step<Option<ScannedRow>>, Error> {
        self.fresh = None;
        if self.bounds.is_none() {
            self.bounds = Some(Bounds::new(&self.spec)?);
        }
        if self.begin(engine, trx)? == Got::Wait {
            return Ok(Step::Wait);
        }
        if self.rereading
            && let Position::On(key) = &self.position
        {
            self.position = Position::At(key.clone());
        }
        let mut mtr = Mtr::begin(&engine.pool);
        let Some(mut cursor) = self.place(&mut mtr)? else {
            self.position = Position::End;
            return Ok(Step::Done(None));
        };
        if self.begins_below_a_key() {
            self.lock_above(engine, trx, &mut mtr, cursor)?;
        }
        loop {
            match self.look(engine, trx, &mut mtr, cursor, filter)? {
                Look::Found(row) => {
                    self.returned_any = true;
                    return Ok(Step::Done(Some(row)));
                }
                Look::Wait => return Ok(Step::Wait),
                Look::Pass if self.advance(&mut mtr, &mut cursor)? => self.rereading = false,
                Look::Pass | Look::End => {
                    self.position = Position::End;
                    return Ok(Step::Done(None));
                }
            }
        }
    }

    /// The table lock, or the read view.
    fn begin(&mut self, engine: &Engine, trx: &mut Trx) -> Result<Got, Error> {
        if self.table_locked {
            return Ok(Got::Granted { newly: false });
        }
        let mode = match self.spec.lock {
            LockStrength::None => {
                engine.ensure_view(trx)?;
                self.table_locked = true;
                return Ok(Got::Granted { newly: false });
            }
            LockStrength::Shared => TableMode::IS,
            LockStrength::Exclusive => TableMode::IX,
        };
        // A locking read opens a snapshot too where rows changed after it cannot be locked.
        if engine.profile().snapshot_isolation && trx.isolation == Isolation::Serializable {
            engine.ensure_view(trx)?;
        }
        let table = self.spec.table.id;
        let got = engine.lock_intention(trx, table, mode)?;
        self.table_locked = got != Got::Wait;
        Ok(got)
    }

    /// The mode of the scan's record locks; `None` for a consistent read.
    pub(super) fn mode(&self) -> Option<LockMode> {
        match self.spec.lock {
            LockStrength::None => None,
            LockStrength::Shared => Some(LockMode::S),
            LockStrength::Exclusive => Some(LockMode::X),
        }
    }

    /// The gap above a descending scan's first record, so that nothing appears there.
    fn lock_above(
        &self,
        engine: &Engine,
        trx: &mut Trx,
        mtr: &mut Mtr<'_>,
        cursor: Cursor,
    ) -> Result<(), Error> {
        let index = &self.spec.table.indexes[self.spec.index];
        let (Some(mode), Some(want)) = (self.mode(), access::above_backward_start(trx.isolation))
        else {
            return Ok(());
        };
        if index.tree.record(mtr, cursor).is_supremum() {
            return Ok(());
        }
        let above = index.tree.successor(mtr, cursor);
        let here = Here::of(index, mtr, above);
        let writer = self.writer(engine, trx, mtr, above, &here)?;
        engine.lock_written(trx, here.spot, writer, mode, want, WaitPolicy::Wait)?;
        Ok(())
    }

    /// Who wrote the record.
    pub(super) fn writer(
        &self,
        engine: &Engine,
        trx: &Trx,
        mtr: &Mtr<'_>,
        cursor: Cursor,
        here: &Here,
    ) -> Result<Writer, Error> {
        let table = &self.spec.table;
        let index = &table.indexes[self.spec.index];
        let record = index.tree.record(mtr, cursor);
        if here.fields.is_empty() {
            Ok(Writer::Nobody)
        } else if index.clustered {
            Ok(engine.row_writer(trx, &table.read_clustered(&record)))
        } else {
            Ok(engine.writer_of_entry(trx, table, index, mtr, cursor)?)
        }
    }

    fn look(
        &mut self,
        engine: &Engine,
        trx: &mut Trx,
        mtr: &mut Mtr<'_>,
        cursor: Cursor,
        filter: &dyn RowFilter,
    ) -> Result<Look, Error> {
        let table = self.spec.table.clone();
        let index = &table.indexes[self.spec.index];
        let record = index.tree.record(mtr, cursor);
        if record.is_infimum() {
            return Ok(Look::Pass);
        }
        let here = Here::of(index, mtr, cursor);
        if record.is_supremum() {
            if let (Some(mode), Some(want)) = (self.mode(), access::page_end(trx.isolation)) {
                engine.lock_spot(trx, here.spot, mode, want, WaitPolicy::Wait)?;
            }
            return Ok(Look::Pass);
        }
        // The range's last key was returned: the next row is not looked at, but a page's end that comes
        // before it has been locked above (bug 112106).
        if self.end_found {
            return Ok(Look::End);
        }
        if self.leaves_equal(index, &here) {
            if let (Some(mode), Some(want)) = (self.mode(), access::past_equal(trx.isolation)) {
                let writer = self.writer(engine, trx, mtr, cursor, &here)?;
                engine.lock_written(trx, here.spot, writer, mode, want, WaitPolicy::Wait)?;
            }
            return Ok(Look::End);
        }
        match self.mode() {
            None => self.look_consistently(engine, trx, mtr, cursor, &here, filter),
            Some(mode) => self.look_locking(engine, trx, mtr, cursor, here, mode, filter),
        }
    }

    #[expect(clippy::too_many_arguments, reason = "one record's circumstances")]
    fn look_locking(
        &mut self,
        engine: &Engine,
        trx: &mut Trx,
        mtr: &mut Mtr<'_>,
        cursor: Cursor,
        here: Here,
        mode: LockMode,
        filter: &dyn RowFilter,
    ) -> Result<Look, Error> {
        let table = self.spec.table.clone();
        let index = &table.indexes[self.spec.index];
        if let Some(end) = self.end_before_locking(engine, trx, mtr, cursor, &here, mode)? {
            return Ok(end);
        }
        let writer = self.writer(engine, trx, mtr, cursor, &here)?;
        if self.passes_deleted(engine, trx, &here, writer) {
            return Ok(Look::Pass);
        }
        let row = index
            .clustered
            .then(|| table.read_clustered(&index.tree.record(mtr, cursor)));
        if let Some(row) = &row {
            engine.check_snapshot(trx, &table, row.writer, writer)?;
        }
        let want = self.want(engine, trx, index, &here);
        let locked = self.lock(engine, trx, &here, writer, mode, want, row.as_ref())?;
        let (newly, committed) = match locked {
            Locked::Held(newly) => (newly, None),
            Locked::Committed(version) => (false, Some(version)),
            Locked::Pass => return Ok(Look::Pass),
            Locked::Wait => {
                self.position = Position::At(Self::key_of(index, &here.fields));
                return Ok(Look::Wait);
            }
        };
        let deleted = committed
            .as_ref()
            .map_or(here.deleted, |version| version.deleted);
        let waited = self.locked_before_wait.take();
        self.fresh = Some(FreshLocks {
            scanned: newly || waited.is_some_and(|fields| fields == here.fields),
            fetched: false,
            row_writer: row.as_ref().map(|row| row.writer),
            reference: table.reference_in_entry(index, &here.fields),
            entry: here.fields.clone(),
        });
        if deleted {
            if committed.is_none() {
                self.unlock(engine, trx, Some(here.spot))?;
            }
            let ends = index.clustered && self.bounds.as_ref().is_some_and(|b| b.unique_search);
            return Ok(if ends { Look::End } else { Look::Pass });
        }
        if let Some(version) = committed {
            return Ok(self.found_committed(&here, &version));
        }
        self.found_locked(engine, trx, &here, row, filter)
    }

    /// A committed version under somebody else's lock.
    fn found_committed(&mut self, here: &Here, version: &ClusteredRow) -> Look {
        let table = &self.spec.table;
        let index = &table.indexes[self.spec.index];
        if self.is_past_end(index, &here.fields) {
            return Look::End;
        }
        let row = ScannedRow {
            values: table.decode_row(&version.image),
            reference: table.reference(&version.image),
            semi_consistent: true,
        };
        self.fresh = None;
        self.position = Position::On(Self::key_of(index, &here.fields));
        Look::Found(row)
    }

    /// The record is locked and not deleted: condition, fetch, end of range.
    fn found_locked(
        &mut self,
        engine: &Engine,
        trx: &mut Trx,
        here: &Here,
        row: Option<ClusteredRow>,
        filter: &dyn RowFilter,
    ) -> Result<Look, Error> {
        let table = self.spec.table.clone();
        let index = &table.indexes[self.spec.index];
        if let Some(look) = self.condition_on_entry(engine, trx, here, filter)? {
            return Ok(look);
        }
        let needs_row = self.spec.lock == LockStrength::Exclusive || !self.spec.covering;
        let values = match row {
            Some(row) => table.decode_row(&row.image),
            None if !needs_row => entry_values(&table, index, &here.fields),
            None => match self.fetch_locking(engine, trx, here)? {
                Fetched::Row(row) => table.decode_row(&row.image),
                Fetched::Pass => {
                    self.unlock(engine, trx, Some(here.spot))?;
                    return Ok(Look::Pass);
                }
                Fetched::PassKeeping => return Ok(Look::Pass),
                Fetched::Wait => {
                    let scanned = self.fresh.as_ref().is_some_and(|fresh| fresh.scanned);
                    self.locked_before_wait = scanned.then(|| here.fields.clone());
                    self.position = Position::At(Self::key_of(index, &here.fields));
                    return Ok(Look::Wait);
                }
            },
        };
        if self.is_past_end(index, &here.fields) {
            let backward = self.bounds.as_ref().is_some_and(|bounds| bounds.backward);
            if !backward && !matches!(self.spec.access, Access::Equal(_)) {
                self.unlock(engine, trx, Some(here.spot))?;
            }
            return Ok(Look::End);
        }
        self.note_exact_end(index, here);
        self.rereading = false;
        self.position = Position::On(Self::key_of(index, &here.fields));
        let reference = table.reference_in_entry(index, &here.fields);
        Ok(Look::Found(ScannedRow {
            values,
            reference,
            semi_consistent: false,
        }))
    }

    /// Index condition pushdown: `Some` if the record is out.
    pub(super) fn condition_on_entry(
        &mut self,
        engine: &Engine,
        trx: &mut Trx,
        here: &Here,
        filter: &dyn RowFilter,
    ) -> Result<Option<Look>, Error> {
        let table = self.spec.table.clone();
        let index = &table.indexes[self.spec.index];
        let backward = self.bounds.as_ref().is_some_and(|bounds| bounds.backward);
        if index.clustered || !self.spec.pushed {
            return Ok(None);
        }
        let ends_here = !backward || engine.profile().pushdown_backward;
        if ends_here && self.is_past_end(index, &here.fields) {
            self.unlock(engine, trx, Some(here.spot))?;
            return Ok(Some(Look::End));
        }
        if !filter.pushed(&entry_values(&table, index, &here.fields)) {
            self.unlock(engine, trx, Some(here.spot))?;
            return Ok(Some(Look::Pass));
        }
        Ok(None)
    }

    /// The lock that the access rule wants on this record.
    fn want(&mut self, engine: &Engine, trx: &Trx, index: &Index, here: &Here) -> Want {
        self.knows_end = access::tests_end_before_locking(
            engine.profile(),
            trx.isolation,
            index.clustered,
            false,
        );
        let bounds = self.bounds.as_ref();
        let starts_at = bounds.and_then(|bounds| match (&bounds.equal, &bounds.lower) {
            _ if bounds.backward => None,
            (Some(key), _) | (None, Bound::Included(key)) => Some(key),
            _ => None,
        });
        let starts_exactly = index.clustered
            && starts_at.is_some_and(|key| {
                key.len() == index.unique_fields && index.compare_fields(&here.fields, key).is_eq()
            });
        let spot = ScanSpot {
            clustered: index.clustered,
            unique_search: bounds.is_some_and(|bounds| bounds.unique_search),
            deleted: here.deleted,
            starts_exactly,
        };
        access::scanned_record(engine.profile(), trx.isolation, spot)
    }

    /// Whether a deleted record is passed without a lock.
    fn passes_deleted(&self, engine: &Engine, trx: &Trx, here: &Here, writer: Writer) -> bool {
        here.deleted
            && !trx.isolation.locks_gaps()
            && writer == Writer::Nobody
            && engine.profile().deleted_at_read_committed == DeletedAtReadCommitted::Pass
    }

    #[expect(clippy::too_many_arguments, reason = "one record's circumstances")]
    fn lock(
        &self,
        engine: &Engine,
        trx: &mut Trx,
        here: &Here,
        writer: Writer,
        mode: LockMode,
        want: Want,
        row: Option<&ClusteredRow>,
    ) -> Result<Locked, Error> {
        let unique_search = self
            .bounds
            .as_ref()
            .is_some_and(|bounds| bounds.unique_search);
        let semi = if self.spec.semi_consistent
            && trx.isolation <= Isolation::ReadCommitted
            && !unique_search
            && !self.rereading
        {
            engine.profile().semi_consistent
        } else {
            SemiConsistent::Off
        };
        let policy = match (row, semi) {
            (Some(_), SemiConsistent::Probe) => WaitPolicy::SkipLocked,
            _ => self.spec.wait,
        };
        let got = engine.lock_written(trx, here.spot, writer, mode, want, policy)?;
        match (got, row) {
            (Got::Granted { newly }, _) => Ok(Locked::Held(newly)),
            (Got::Wait, Some(row)) if semi == SemiConsistent::Queue => {
                engine.withdraw(trx);
                committed(engine, row)
            }
            (Got::Refused, Some(row)) if semi == SemiConsistent::Probe => committed(engine, row),
            (Got::Wait, _) => Ok(Locked::Wait),
            (Got::Refused, _) if self.spec.wait == WaitPolicy::SkipLocked => Ok(Locked::Pass),
            (Got::Refused, _) => Err(Error::NoWait {
                code: engine.profile().nowait_error,
            }),
        }
    }
}

/// The newest committed version; rows that never were committed are passed.
fn committed(engine: &Engine, row: &ClusteredRow) -> Result<Locked, Error> {
    Ok(match engine.committed_version(row.clone())? {
        Some(version) => Locked::Committed(Box::new(version)),
        None => Locked::Pass,
    })
}

/// The values that an index entry has; other columns are NULL.
pub(super) fn entry_values(table: &Table, index: &Index, fields: &[Field]) -> Vec<Value> {
    let mut values = vec![Value::Null; table.columns.len()];
    for (field, image) in index.fields.iter().zip(fields) {
        if let (IndexField::Column(at), Some(image)) = (field, image) {
            values[*at] = table.columns[*at].ty.decode(image);
        }
    }
    values
}

impl Here {
    pub(super) fn of(index: &Index, mtr: &Mtr<'_>, cursor: Cursor) -> Self {
        let record = index.tree.record(mtr, cursor);
        let fields = if record.is_user() {
            record.to_tuple().0
        } else {
            Vec::new()
        };
        Self {
            spot: Spot::of(&record),
            deleted: record.is_user() && record.is_deleted(),
            fields,
        }
    }
}
