//! Implicit locks: a changed record belongs to its writer without any lock being stored, until
//! somebody asks for the record.

use gaplock_lockmgr::{LockMode, LockSpan, Origin, TrxId};

use super::{
    WaitPolicy,
    locking::{Got, Spot},
};
use crate::{
    access::{Reason, Want},
    btree::{Cursor, Latching, Seek},
    db::Engine,
    error::{Error, StoreError},
    mtr::Mtr,
    page::Field,
    table::{ClusteredRow, Index, RollPointer, RowReference, Table},
    trx::Trx,
};

/// What the lock table does not know about a record: who wrote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Writer {
    /// Nobody who is still active, or nobody else knows.
    Nobody,
    /// This transaction, by the change that this pointer leads to.
    Own(RollPointer),
    /// Another active one, likewise.
    Other(TrxId, RollPointer),
}

impl Engine {
    /// The active writer of a row.
    pub(crate) fn row_writer(&self, trx: &Trx, row: &ClusteredRow) -> Writer {
        self.writer(trx, row.writer, row.roll)
    }

    fn writer(&self, trx: &Trx, writer: TrxId, change: RollPointer) -> Writer {
        if Some(writer) == trx.id {
            Writer::Own(change)
        } else if self.locks.is_active(writer) {
            Writer::Other(writer, change)
        } else {
            Writer::Nobody
        }
    }

    /// The active writer of a secondary index's entry on which a cursor stands.
    pub(crate) fn writer_of_entry(
        &self,
        trx: &Trx,
        table: &Table,
        index: &Index,
        mtr: &Mtr<'_>,
        cursor: Cursor,
    ) -> Result<Writer, StoreError> {
        if self.trxs.all_ended_up_to(index.tree.max_trx(mtr, cursor)) {
            return Ok(Writer::Nobody);
        }
        let record = index.tree.record(mtr, cursor);
        let (entry, deleted) = (record.to_tuple(), record.is_deleted());
        let reference = table.reference_in_entry(index, &entry.0);
        self.with_row(table, &reference, |row| {
            let Some(row) = row else {
                return Ok(Writer::Nobody);
            };
            let (last, roll) = (row.writer, row.roll);
            Ok(match self.entry_writer(index, &entry.0, deleted, row)? {
                Some((writer, change)) => self.writer(trx, writer, change),
                None if self.profile().own_row_covers_entries => match self.writer(trx, last, roll)
                {
                    own @ Writer::Own(_) => own,
                    Writer::Other(..) | Writer::Nobody => Writer::Nobody,
                },
                None => Writer::Nobody,
            })
        })
    }

    /// Looks at the newest version of a row, under its page's latch.
    pub(crate) fn with_row<T>(
        &self,
        table: &Table,
        reference: &RowReference,
        look: impl FnOnce(Option<ClusteredRow>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let tree = &table.clustered().tree;
        let mut mtr = Mtr::begin(&self.pool);
        let cursor = tree.seek(&mut mtr, &reference.0, Seek::AtOrBefore, Latching::Read)?;
        let record = tree.record(&mtr, cursor);
        let found = record.is_user() && record.compare_prefix(&reference.0).0.is_eq();
        look(found.then(|| table.read_clustered(&record)))
    }

    /// Asks for a lock on a record whose writer is known: the writer's implicit lock is made
    /// explicit first. The requester's own one is, or is not and then suffices for the record
    /// alone, as the profile has it.
    pub(crate) fn lock_written(
        &self,
        trx: &mut Trx,
        spot: Spot,
        writer: Writer,
        mode: LockMode,
        want: Want,
        policy: WaitPolicy,
    ) -> Result<Got, Error> {
        match writer {
            Writer::Nobody => {}
            Writer::Other(owner, change) => self.make_explicit(owner, change, spot)?,
            Writer::Own(change) if self.profile().own_implicit_becomes_explicit => {
                let own = self.ensure_active(trx);
                self.make_explicit(own, change, spot)?;
            }
            Writer::Own(_) if want.span == LockSpan::Record => {
                return Ok(Got::Granted { newly: false });
            }
            Writer::Own(_) => {}
        }
        self.lock_spot(trx, spot, mode, want, policy)
    }

    /// Stores the lock that `owner` has by the change that `change` leads to. Its provenance is the
    /// statement that made the change, whoever asks for the record now.
    pub(crate) fn make_explicit(
        &self,
        owner: TrxId,
        change: RollPointer,
        spot: Spot,
    ) -> Result<(), StoreError> {
        let (_, record) = self.undo.read(&self.pool, change)?;
        let origin = Origin {
            statement: self.texts.statement_of_change(owner, record.number),
            step: 0,
            reason: Reason::ImplicitMadeExplicit.code(),
        };
        self.locks.convert_implicit(owner, spot.address(), origin);
        Ok(())
    }

    /// The clustered key of a record on which a cursor stands, and the record's fields.
    pub(crate) fn fields_at(index: &Index, mtr: &Mtr<'_>, cursor: Cursor) -> Vec<Field> {
        index.tree.record(mtr, cursor).to_tuple().0
    }
}
