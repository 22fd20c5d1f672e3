//! Rolling back: undo records are taken from the newest backwards, and each change is undone in all
//! indexes, secondary ones first.
//!
//! A *partial* rollback (a row that met a duplicate, a failed statement, ROLLBACK TO SAVEPOINT)
//! leaves the transaction active. Where the profile has it, the locks that the undone records had
//! by being written are made explicit before the records go, so that their successors inherit them.

use super::{Step, change::ChangeProgress, locking::Spot, moves::LockMoves};
use crate::{
    access,
    btree::{Cursor, Latching, Removal, Seek},
    db::Engine,
    error::{Error, RollbackScope},
    mtr::Mtr,
    page::Field,
    table::{ClusteredRow, Index, RollPointer, RowReference, Table},
    trx::{Savepoint, Trx},
    undo::{UndoKind, UndoRecord},
};

/// A rollback under way.
#[derive(Clone, Debug)]
pub struct Rollback {
    /// Records from this number on are undone; `None`: everything, and the transaction ends.
    to: Option<Savepoint>,
    current: Option<Current>,
}

/// The record that is being undone.
#[derive(Clone, Debug)]
struct Current {
    number: u64,
    at: RollPointer,
    record: UndoRecord,
    /// The next secondary index to undo; past the last one it is the row's turn.
    index: usize,
    progress: ChangeProgress,
}

/// Undoing one row's change when it fails half-way; shared by the row operations.
#[derive(Clone, Debug, Default)]
pub(crate) struct Undoing {
    start: Option<Savepoint>,
    /// What the operation ends with once everything is undone.
    pub(crate) error: Option<Box<Error>>,
}

impl Undoing {
    /// Notes where the operation began.
    pub(crate) fn mark(&mut self, engine: &Engine, trx: &Trx) {
        self.start.get_or_insert(engine.savepoint(trx));
    }

    /// A rollback to the operation's beginning.
    pub(crate) fn rollback(&self) -> Rollback {
        let start = self.start.unwrap_or(Savepoint {
            undo: u64::MAX,
            untouched: false,
        });
        Rollback {
            to: Some(Savepoint {
                untouched: false,
                ..start
            }),
            current: None,
        }
    }

    /// Begins to undo because of an error, or gives the error back: when the whole transaction
    /// falls anyhow, or nothing was changed, or undoing itself failed.
    pub(crate) fn begin(&mut self, trx: &Trx, error: Error) -> Result<Rollback, Error> {
        let changed = self.start.is_some_and(|start| trx.next_undo > start.undo);
        if !changed || self.error.is_some() || error.rollback_scope() == RollbackScope::Transaction
        {
            return Err(error);
        }
        self.error = Some(Box::new(error));
        Ok(self.rollback())
    }
}

impl Rollback {
    /// Back to a savepoint; locks stay. To a savepoint from before the transaction touched the
    /// engine: the same as [`Self::all`].
    #[must_use]
    pub fn to(savepoint: Savepoint) -> Self {
        Self {
            to: (!savepoint.untouched).then_some(savepoint),
            current: None,
        }
    }

    /// Back to where a statement began; locks stay, also those of a transaction's first statement.
    #[must_use]
    pub fn statement(began: Savepoint) -> Self {
        Self {
            to: Some(Savepoint {
                untouched: false,
                ..began
            }),
            current: None,
        }
    }

    /// The whole transaction, which ends with it.
    #[must_use]
    pub fn all() -> Self {
        Self {
            to: None,
            current: None,
        }
    }

    /// Undoes one record's change of one index.
    ///
    /// # Errors
    /// When pages cannot be read.
    pub fn step(&mut self, engine: &Engine, trx: &mut Trx) -> Result<Step<()>, Error> {
        engine.run_rollback_step(trx, |trx| self.run(engine, trx))
    }

    /// Undoes everything at once.
    ///
    /// # Errors
    /// When pages cannot be read.
    pub fn finish(mut self, engine: &Engine, trx: &mut Trx) -> Result<(), Error> {
        while self.step(engine, trx)? != Step::Done(()) {}
        Ok(())
    }

    pub(super) fn run(&mut self, engine: &Engine, trx: &mut Trx) -> Result<Step<()>, Error> {
        if self.current.is_none() && !self.take_next(engine, trx)? {
            if self.to.is_none() {
                // Nobody waits for a rollback to become durable: without it, it is done again.
                let _ = engine.end_transaction(trx, true);
            }
            return Ok(Step::Done(()));
        }
        let Some(mut current) = self.current.take() else {
            return Ok(Step::Progress);
        };
        match self.undo_one(engine, trx, &mut current) {
            Ok(true) => {}
            Ok(false) => self.current = Some(current),
            Err(error) => {
                // Another attempt, or another rollback, has to undo it: from its beginning, since
                // what is undone already is found so.
                trx.undo.push((current.number, current.at));
                trx.next_undo = current.number + 1;
                return Err(error);
            }
        }
        Ok(Step::Progress)
    }

    /// Takes the newest undo record that is to be undone.
    fn take_next(&mut self, engine: &Engine, trx: &mut Trx) -> Result<bool, Error> {
        let limit = self.to.map_or(0, |savepoint| savepoint.undo);
        let Some((number, at)) = trx
            .undo
            .last()
            .copied()
            .filter(|(number, _)| *number >= limit)
        else {
            return Ok(false);
        };
        let (_, record) = engine.undo.read(&engine.pool, at)?;
        trx.undo.pop();
        trx.next_undo = number;
        if let Some(id) = trx.id {
            engine.locks.set_undo_count(id, number);
        }
        self.current = Some(Current {
            number,
            at,
            record,
            index: 1,
            progress: ChangeProgress::default(),
        });
        Ok(true)
    }

    /// Undoes the change in one more index; `true` when it is undone everywhere.
    fn undo_one(
        &self,
        engine: &Engine,
        trx: &mut Trx,
        current: &mut Current,
    ) -> Result<bool, Error> {
        let Some(table) = engine.table_by_id(current.record.table) else {
            engine.undo.forget([current.at]);
            return Ok(true);
        };
        let reference = RowReference(current.record.key.0.clone());
        let row = engine.with_row(&table, &reference, Ok)?;
        // A record without its change (U1): the row was never touched.
        let Some(row) = row.filter(|row| row.roll == current.at) else {
            engine.undo.forget([current.at]);
            return Ok(true);
        };
        let context = Context {
            engine,
            table: &table,
            row: &row,
            partial: self.to.is_some(),
        };
        if let Some(index) = table.indexes.get(current.index) {
            current.index += 1;
            context.undo_entry(trx, index, &current.record)?;
            return Ok(false);
        }
        if !context.undo_row(trx, &reference, &current.record, &mut current.progress)? {
            return Ok(false);
        }
        engine.undo.forget([current.at]);
        Ok(true)
    }
}

/// One undo record's surroundings.
struct Context<'a> {
    engine: &'a Engine,
    table: &'a Table,
    /// The row as it is, before the change is undone.
    row: &'a ClusteredRow,
    partial: bool,
}

impl Context<'_> {
    /// The version before the change.
    fn before(&self) -> Result<Option<ClusteredRow>, Error> {
        Ok(self.engine.previous_version(self.row)?)
    }

    fn undo_entry(&self, trx: &mut Trx, index: &Index, record: &UndoRecord) -> Result<(), Error> {
        let now = index.entry(&self.row.image);
        let Some(before) = self.before()? else {
            return self.remove_entry(trx, index, &now.0);
        };
        let old = index.entry(&before.image);
        match record.kind {
            UndoKind::Delete => self.revive_entry(index, &now.0),
            _ if before.deleted => self.mark_or_remove(trx, index, &now.0),
            _ if old == now => Ok(()),
            _ => {
                self.mark_or_remove(trx, index, &now.0)?;
                self.revive_entry(index, &old.0)
            }
        }
    }

    /// An entry that the undone change put in: it goes, unless an older version still has it.
    fn mark_or_remove(&self, trx: &mut Trx, index: &Index, entry: &[Field]) -> Result<(), Error> {
        if !self.engine.entry_needed(index, entry, self.row, false)? {
            return self.remove_entry(trx, index, entry);
        }
        self.with_entry(index, entry, |mtr, cursor| {
            self.keep_lock(trx, Spot::of(&index.tree.record(mtr, cursor)));
            index.tree.set_deleted(mtr, cursor, true);
        })
    }

    /// An entry that the undone change had marked as deleted.
    fn revive_entry(&self, index: &Index, entry: &[Field]) -> Result<(), Error> {
        self.with_entry(index, entry, |mtr, cursor| {
            if index.tree.record(mtr, cursor).is_deleted() {
                index.tree.set_deleted(mtr, cursor, false);
            }
        })
    }

    fn remove_entry(&self, trx: &mut Trx, index: &Index, entry: &[Field]) -> Result<(), Error> {
        self.engine
            .remove_record(trx, index, entry, None, |trx, spot, deleted| {
                // An entry that is marked as deleted had lost its lock with the mark.
                if !deleted {
                    self.keep_lock(trx, spot);
                }
                Ok(true)
            })
    }

    /// The lock that the transaction has by having written the record becomes an explicit one.
    fn keep_lock(&self, trx: &Trx, spot: Spot) {
        let keeps = access::partial_rollback_keeps_locks(self.engine.profile(), trx.isolation);
        if self.partial
            && keeps
            && let Some(id) = trx.id
        {
            let origin = self.engine.origin(trx, access::Reason::UndoneRow);
            self.engine
                .locks
                .convert_implicit(id, spot.address(), origin);
        }
    }

    fn with_entry(
        &self,
        index: &Index,
        entry: &[Field],
        change: impl FnOnce(&mut Mtr<'_>, Cursor),
    ) -> Result<(), Error> {
        let mut mtr = Mtr::begin(&self.engine.pool);
        let cursor = index
            .tree
            .seek(&mut mtr, entry, Seek::AtOrBefore, Latching::ModifyLeaf)?;
        let record = index.tree.record(&mtr, cursor);
        if record.is_user() && record.compare_prefix(entry).0.is_eq() {
            change(&mut mtr, cursor);
        }
        mtr.commit();
        Ok(())
    }

    /// Undoes the change of the row itself; `false` if the page was full and it has to be tried
    /// again with the tree latched.
    fn undo_row(
        &self,
        trx: &mut Trx,
        reference: &RowReference,
        record: &UndoRecord,
        progress: &mut ChangeProgress,
    ) -> Result<bool, Error> {
        let index = self.table.clustered();
        let Some(before) = self.before()? else {
            self.engine.remove_record(
                trx,
                index,
                &reference.0,
                Some(self.table),
                |trx, spot, _| {
                    self.keep_lock(trx, spot);
                    Ok(true)
                },
            )?;
            return Ok(true);
        };
        let mut mtr = Mtr::begin(&self.engine.pool);
        let cursor = index.tree.seek(
            &mut mtr,
            &reference.0,
            Seek::AtOrBefore,
            progress.latching(),
        )?;
        self.keep_lock(trx, Spot::of(&index.tree.record(&mtr, cursor)));
        // The undo record is older than the change: after a crash, or when the change failed, the row
        // may never have been touched.
        let was_deleted = index.tree.record(&mtr, cursor).is_deleted();
        let done = self
            .engine
            .replace_row(trx, self.table, &mut mtr, cursor, &before, progress)?;
        let taken_over = record.kind != UndoKind::Delete && before.deleted;
        if done && was_deleted != before.deleted {
            let change = if was_deleted { 1 } else { -1 };
            self.engine.count_row(&mut mtr, self.table, change);
        }
        mtr.commit();
        if done && taken_over {
            self.remove_if_unneeded(trx, reference, &before)?;
        }
        Ok(done)
    }

    /// A deleted row that an undone insertion had taken over: if purge passed it meanwhile, nobody
    /// else will remove it.
    fn remove_if_unneeded(
        &self,
        trx: &mut Trx,
        reference: &RowReference,
        before: &ClusteredRow,
    ) -> Result<(), Error> {
        if Some(before.writer) != trx.id && self.engine.trxs.is_purgeable(before.writer) {
            let index = self.table.clustered();
            self.engine
                .remove_record(trx, index, &reference.0, None, |_, _, deleted| Ok(deleted))?;
        }
        Ok(())
    }
}

impl Engine {
    /// Takes a record off an index for good: its locks live on as gap locks of its successor.
    /// `goes` is asked first, under the page's latch, with the record's place and whether it is marked
    /// as deleted. `row_of`: the record is a row of this table that counts.
    pub(crate) fn remove_record(
        &self,
        trx: &mut Trx,
        index: &Index,
        key: &[Field],
        row_of: Option<&Table>,
        goes: impl Fn(&Trx, Spot, bool) -> Result<bool, Error>,
    ) -> Result<(), Error> {
        let mut latching = Latching::ModifyLeaf;
        loop {
            let mut mtr = Mtr::begin(&self.pool);
            let cursor = index.tree.seek(&mut mtr, key, Seek::AtOrBefore, latching)?;
            let record = index.tree.record(&mtr, cursor);
            if !record.is_user() || record.compare_prefix(key).0.is_ne() {
                return Ok(());
            }
            let (spot, deleted) = (Spot::of(&record), record.is_deleted());
            let heir = Spot::of(&index.tree.record(&mtr, index.tree.successor(&mtr, cursor)));
            let moves = LockMoves::new(&self.locks);
            if latching == Latching::ModifyLeaf && !index.tree.can_remove(&mtr, cursor) {
                latching = Latching::ModifyTree;
                continue;
            }
            if !goes(trx, spot, deleted)? {
                return Ok(());
            }
            let woken = self.locks.inherit_on_remove(spot.address(), heir.address());
            trx.effects.wakeups.extend(woken);
            if latching == Latching::ModifyTree {
                index.tree.remove_merging(&mut mtr, cursor, &moves)?;
            } else {
                let removal = index.tree.remove(&mut mtr, cursor);
                assert_eq!(removal, Removal::Done, "asked before");
            }
            trx.effects.wakeups.extend(moves.into_wakeups());
            if let Some(table) = row_of {
                self.count_row(&mut mtr, table, -1);
            }
            mtr.commit();
            return Ok(());
        }
    }
}
