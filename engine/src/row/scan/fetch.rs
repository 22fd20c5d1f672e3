//! Fetching the row of a secondary index's entry, and reading consistently.

use gaplock_lockmgr::LockSpan;

use super::{Here, LockStrength, Position, RowFilter, Scan, ScannedRow, WaitPolicy, run};
use crate::{
    access::{Reason, Want},
    btree::{Cursor, Latching, Seek},
    db::Engine,
    error::{Error, StoreError},
    mtr::Mtr,
    row::{
        implicit::Writer,
        locking::{Got, Spot},
    },
    table::{ClusteredRow, Table},
    trx::{Isolation, Trx},
    types::Value,
};

/// What fetching a row came to.
pub(super) enum Fetched {
    Row(ClusteredRow),
    /// No such row, or a deleted one.
    Pass,
    /// Locked by somebody else, and the statement skips such rows.
    PassKeeping,
    Wait,
}

impl Scan {
    /// Locks and reads the row of the entry that the scan stands on.
    pub(super) fn fetch_locking(
        &mut self,
        engine: &Engine,
        trx: &mut Trx,
        here: &Here,
    ) -> Result<Fetched, Error> {
        let table = self.spec.table.clone();
        let reference = table.reference_in_entry(&table.indexes[self.spec.index], &here.fields);
        let tree = &table.clustered().tree;
        let mut mtr = Mtr::begin(&engine.pool);
        let cursor = tree.seek(&mut mtr, &reference.0, Seek::AtOrBefore, Latching::Read)?;
        let record = tree.record(&mtr, cursor);
        if !record.is_user() || record.compare_prefix(&reference.0).0.is_ne() {
            return Ok(Fetched::Pass);
        }
        let row = table.read_clustered(&record);
        let spot = Spot::of(&record);
        let writer = engine.row_writer(trx, &row);
        engine.check_snapshot(trx, &table, row.writer, writer)?;
        let want = Want {
            span: LockSpan::Record,
            reason: Reason::FetchedRow,
        };
        let mode = self.mode().unwrap_or(gaplock_lockmgr::LockMode::S);
        match engine.lock_written(trx, spot, writer, mode, want, self.spec.wait)? {
            Got::Granted { newly } => {
                if let Some(fresh) = &mut self.fresh {
                    fresh.fetched = newly;
                    fresh.row_writer = Some(row.writer);
                }
            }
            Got::Wait => return Ok(Fetched::Wait),
            Got::Refused if self.spec.wait == WaitPolicy::SkipLocked => {
                return Ok(Fetched::PassKeeping);
            }
            Got::Refused => {
                return Err(Error::NoWait {
                    code: engine.profile().nowait_error,
                });
            }
        }
        Ok(if row.deleted {
            Fetched::Pass
        } else {
            Fetched::Row(row)
        })
    }

    /// Looks at a record without locking: the version that the view sees.
    pub(super) fn look_consistently(
        &mut self,
        engine: &Engine,
        trx: &mut Trx,
        mtr: &mut Mtr<'_>,
        cursor: Cursor,
        here: &Here,
        filter: &dyn RowFilter,
    ) -> Result<run::Look, Error> {
        let table = self.spec.table.clone();
        let index = &table.indexes[self.spec.index];
        if self.is_past_end(index, &here.fields) {
            return Ok(run::Look::End);
        }
        let values = if index.clustered {
            let row = table.read_clustered(&index.tree.record(mtr, cursor));
            engine
                .version_for(trx, row)?
                .map(|row| table.decode_row(&row.image))
        } else {
            if let Some(look) = self.condition_on_entry(engine, trx, here, filter)? {
                return Ok(look);
            }
            let newest = index.tree.max_trx(mtr, cursor);
            let settled = trx
                .view
                .as_ref()
                .is_some_and(|view| view.sees_all_up_to(gaplock_lockmgr::TrxId(newest)));
            if settled && here.deleted {
                None
            } else if settled && self.spec.covering {
                Some(run::entry_values(&table, index, &here.fields))
            } else {
                self.fetch_consistently(engine, trx, &table, here)?
            }
        };
        let Some(values) = values else {
            return Ok(run::Look::Pass);
        };
        self.position = Position::On(Self::key_of(index, &here.fields));
        let reference = table.reference_in_entry(index, &here.fields);
        Ok(run::Look::Found(ScannedRow {
            values,
            reference,
            semi_consistent: false,
        }))
    }

    /// The visible version of the entry's row, if that version has this entry.
    fn fetch_consistently(
        &self,
        engine: &Engine,
        trx: &Trx,
        table: &Table,
        here: &Here,
    ) -> Result<Option<Vec<Value>>, Error> {
        debug_assert_eq!(self.spec.lock, LockStrength::None);
        let index = &table.indexes[self.spec.index];
        let reference = table.reference_in_entry(index, &here.fields);
        let found = engine.with_row(table, &reference, |row| match row {
            Some(row) => engine.version_for(trx, row),
            None => Ok(None),
        })?;
        Ok(found
            .filter(|row| {
                let entry = index.entry(&row.image);
                index.same_fields(&entry.0, &here.fields, index.fields.len())
            })
            .map(|row| table.decode_row(&row.image)))
    }
}

impl Engine {
    /// The version of a row that a consistent read of this transaction returns; `None` if it sees
    /// none, or a deleted one.
    fn version_for(
        &self,
        trx: &Trx,
        row: ClusteredRow,
    ) -> Result<Option<ClusteredRow>, StoreError> {
        let version = match &trx.view {
            Some(view) if trx.isolation != Isolation::ReadUncommitted => {
                self.visible_version(row, view, trx.id)?
            }
            _ => Some(row),
        };
        Ok(version.filter(|row| !row.deleted))
    }

    /// Where the profile has it: a row that was changed and committed after the transaction's
    /// snapshot cannot be locked.
    pub(in crate::row) fn check_snapshot(
        &self,
        trx: &Trx,
        table: &Table,
        row_writer: gaplock_lockmgr::TrxId,
        writer: Writer,
    ) -> Result<(), Error> {
        let Some(view) = &trx.view else { return Ok(()) };
        let stale = self.profile().snapshot_isolation
            && trx.isolation.locks_gaps()
            && writer == Writer::Nobody
            && !view.sees(row_writer, trx.id);
        if stale {
            return Err(Error::SnapshotTooOld {
                table: table.name.clone(),
            });
        }
        Ok(())
    }
}
