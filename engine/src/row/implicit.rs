//! Implicit locks: a changed record belongs to its writer without any lock being stored, until
//! somebody asks for the record.

use gaplock_lockmgr::{LockMode, LockSpan, TrxId};

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
    table::{ClusteredRow, Index, RowReference, Table},
    trx::Trx,
};

/// What the lock table does not know about a record: who wrote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Writer {
    /// Nobody who is still active, or nobody else knows.
    Nobody,
    /// This transaction.
    Own,
    /// Another active one.
    Other(TrxId),
}

impl Engine {
    /// The active writer of a row.
    pub(crate) fn row_writer(&self, trx: &Trx, writer: TrxId) -> Writer {
        if Some(writer) == trx.id {
            Writer::Own
        } else if self.locks.is_active(writer) {
            Writer::Other(writer)
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
        let writer = self.with_row(table, &reference, |row| match row {
            Some(row) => self.entry_writer(index, &entry.0, deleted, row),
            None => Ok(None),
        })?;
        Ok(writer.map_or(Writer::Nobody, |writer| self.row_writer(trx, writer)))
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
            Writer::Other(owner) => self.make_explicit(trx, owner, spot),
            Writer::Own if self.profile().own_implicit_becomes_explicit => {
                let own = self.ensure_active(trx);
                self.make_explicit(trx, own, spot);
            }
            Writer::Own if want.span == LockSpan::Record => {
                return Ok(Got::Granted { newly: false });
            }
            Writer::Own => {}
        }
        self.lock_spot(trx, spot, mode, want, policy)
    }

    pub(crate) fn make_explicit(&self, trx: &Trx, owner: TrxId, spot: Spot) {
        let mut origin = self.origin(trx, Reason::ImplicitMadeExplicit);
        if Some(owner) != trx.id {
            // The lock is the writer's: name the writer's latest statement, not the asker's.
            origin.statement = self.texts.latest(owner);
            origin.step = 0;
        }
        self.locks.convert_implicit(owner, spot.address(), origin);
    }

    /// The clustered key of a record on which a cursor stands, and the record's fields.
    pub(crate) fn fields_at(index: &Index, mtr: &Mtr<'_>, cursor: Cursor) -> Vec<Field> {
        index.tree.record(mtr, cursor).to_tuple().0
    }
}
