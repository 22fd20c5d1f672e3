//! Beginning, marking and ending transactions.

use std::{collections::VecDeque, sync::Arc};

use gaplock_lockmgr::{TableId, TableMode, TrxId};
use gaplock_wal::Lsn;

use super::{
    Engine,
    recovery::{COMMIT, ROLLED_BACK},
};
use crate::{
    access::Reason,
    error::Error,
    row::{Got, Rollback, Step, WaitPolicy},
    table::Table,
    trx::{Isolation, Savepoint, Trx},
};

/// What a commit still waits for: see [`Engine::commit_early`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a commit is not durable before it is acknowledged"]
pub struct Receipt(
    /// The log must be durable up to here.
    Lsn,
);

impl Engine {
    /// A transaction. The engine knows of it from its first lock, change or snapshot on.
    #[must_use]
    pub fn begin(&self, isolation: Isolation) -> Trx {
        Trx::new(
            isolation,
            u64::from(self.profile().lock_wait_timeout) * 1_000_000,
        )
    }

    /// Takes the transaction's snapshot now (WITH CONSISTENT SNAPSHOT).
    ///
    /// # Errors
    /// [`Error::InDoubt`] after the log has failed, if the transaction had a snapshot already that may
    /// show commits that are not durable.
    pub fn snapshot(&self, trx: &mut Trx) -> Result<(), Error> {
        if trx.isolation.locks_gaps() {
            self.ensure_view(trx)?;
        }
        Ok(())
    }

    /// Sets how long its requests wait, in microseconds.
    pub fn set_lock_wait_timeout(&self, trx: &mut Trx, micros: u64) {
        trx.lock_wait_timeout = micros;
    }

    /// Switches the checking of foreign keys (`foreign_key_checks`).
    pub fn set_foreign_key_checks(&self, trx: &mut Trx, on: bool) {
        trx.foreign_key_checks = on;
    }

    /// Begins a statement: names it for provenance, and returns the place to which it is rolled back
    /// if it fails.
    pub fn start_statement(&self, trx: &mut Trx, sql: &str) -> Savepoint {
        if !trx.isolation.locks_gaps() {
            self.drop_view(trx);
        }
        trx.replaces = false;
        trx.checked_duplicates = false;
        trx.step = 0;
        if self.config.keep_provenance {
            let text = (Arc::from(sql), trx.next_undo);
            if let Some(id) = trx.id {
                self.texts.add(id, &text);
            }
            trx.statements.push(text);
        }
        self.refresh_inheritance(trx);
        self.savepoint(trx)
    }

    /// Ends a statement: locks that last no longer than it are let go.
    pub fn end_statement(&self, trx: &mut Trx) {
        self.row_arrived(trx);
        let Some(id) = trx.id else { return };
        for table in std::mem::take(&mut trx.auto_increment_locks) {
            let woken = self
                .locks
                .release_table(id, TableId(table), TableMode::AutoInc);
            self.deliver_wakeups(woken);
        }
        trx.replaces = false;
        trx.checked_duplicates = false;
        self.refresh_inheritance(trx);
    }

    /// The present moment of a transaction.
    #[must_use]
    pub fn savepoint(&self, trx: &Trx) -> Savepoint {
        Savepoint {
            undo: trx.next_undo,
            untouched: trx.id.is_none() && trx.view.is_none(),
        }
    }

    /// Commits: what it did becomes visible, its locks are let go, and once it is durable (as far as
    /// the flush policy promises) this returns. The value is an idle transaction afterwards, as from
    /// [`Self::begin`].
    ///
    /// # Errors
    /// [`Error::InDoubt`] when the log cannot be made durable: opening the database anew decides.
    /// [`Error::WritesRefused`] when a write had failed before, and [`Error::Deadlock`] when an older
    /// transaction has wounded it (policy `wound-wait`): the transaction is rolled back.
    pub fn commit(&self, trx: &mut Trx) -> Result<(), Error> {
        let receipt = self.commit_early(trx)?;
        self.acknowledge(receipt)?;
        if self.checkpoint_overdue() {
            // Nobody maintains this database. What fails here fails the next change.
            let _ = self.maintain();
        }
        Ok(())
    }

    /// The first half of [`Self::commit`]: everything but the waiting for the log. Others may see
    /// what it did and lock its rows; whoever asked for the commit must not be told before
    /// [`Self::acknowledge`] has returned. So that one thread can commit for many clients, each
    /// flush of the log serving all of them ("flush pipelining"). Where locks are held until a
    /// commit is durable, this waits for the log.
    ///
    /// # Errors
    /// [`Error::WritesRefused`] and [`Error::Deadlock`], as [`Self::commit`].
    pub fn commit_early(&self, trx: &mut Trx) -> Result<Receipt, Error> {
        if trx.has_changes()
            && let Some(cause) = self.failure()
        {
            Rollback::all().finish(self, trx)?;
            return Err(Error::writes_refused(cause));
        }
        if trx.id.is_some_and(|id| self.locks.is_wounded(id)) {
            Rollback::all().finish(self, trx)?;
            return Err(Error::Deadlock);
        }
        let mut in_doubt = Ok(());
        if let (true, true, Some(id)) = (self.holds_locks(), trx.has_changes(), trx.id) {
            let log = self.pool.log();
            let append = || log.append(COMMIT, &id.0.to_be_bytes());
            let position = self.trxs.prepare_end(id, log.durable(), append);
            in_doubt = self.flush_for(position);
        }
        let receipt = self.end_transaction(trx, false);
        self.deliver(trx);
        in_doubt.map(|()| receipt).map_err(Error::in_doubt)
    }

    /// The second half of [`Self::commit`]: returns once everything that the transaction did, and
    /// every commit that it may have seen, is as durable as the flush policy promises.
    ///
    /// # Errors
    /// [`Error::InDoubt`].
    pub fn acknowledge(&self, receipt: Receipt) -> Result<(), Error> {
        self.flush_for(receipt.0).map_err(Error::in_doubt)
    }

    /// Ends a transaction; `undone`: everything it did has been rolled back.
    pub(crate) fn end_transaction(&self, trx: &mut Trx, undone: bool) -> Receipt {
        self.drop_view(trx);
        let mut seen = trx.seen;
        self.row_arrived(trx);
        if let Some(id) = trx.id {
            let mut overwrote = VecDeque::new();
            let mut unneeded = Vec::new();
            let changed = trx.segment.is_some();
            for (_, at) in trx.undo.drain(..) {
                if at.insert || undone {
                    unneeded.push(at)
                } else {
                    overwrote.push_back(at)
                }
            }
            // T1, then T2.
            let log = || changed.then(|| self.log_end_of(id, undone)).flatten();
            self.trxs.end(id, overwrote, self.pool.log().durable(), log);
            // Whoever locked may have seen any commit up to now.
            seen = seen.max(self.trxs.last_commit());
            self.undo.forget(unneeded);
            let woken = self.locks.release_all(id);
            trx.effects.wakeups.extend(woken);
            self.texts.forget(id);
        }
        if let Some(segment) = trx.segment.take() {
            self.undo.give_back(segment);
        }
        let effects = std::mem::take(&mut trx.effects);
        let checks = trx.foreign_key_checks;
        let previous = undone.then(|| trx.as_tried_again()).flatten();
        *trx = Trx::new(trx.isolation, trx.lock_wait_timeout);
        trx.foreign_key_checks = checks;
        trx.effects = effects;
        trx.previous = previous;
        Receipt(seen)
    }

    /// Appends the record of a transaction's end; a commit's position.
    fn log_end_of(&self, trx: TrxId, undone: bool) -> Option<Lsn> {
        let kind = if undone { ROLLED_BACK } else { COMMIT };
        let position = self.pool.log().append(kind, &trx.0.to_be_bytes());
        (!undone).then_some(position)
    }

    fn drop_view(&self, trx: &mut Trx) {
        if let Some(view) = trx.view.take() {
            trx.seen = trx.seen.max(view.seen);
            self.trxs.close_view(&view);
        }
    }

    /// Stops purge from now on, as an open snapshot would; or lets it go on.
    pub fn hold_purge(&self, hold: bool) {
        self.trxs.hold_purge(hold);
    }

    /// Whether purge would find something to do, were it called now.
    #[must_use]
    pub fn purge_due(&self) -> bool {
        self.trxs.purge_due()
    }

    /// Locks a whole table (LOCK TABLES): one step.
    ///
    /// # Errors
    /// Deadlock or time-out.
    pub fn lock_whole_table(
        &self,
        trx: &mut Trx,
        table: &Table,
        mode: TableMode,
    ) -> Result<Step<()>, Error> {
        self.run_step(trx, |trx| {
            let got = self.lock_table(trx, table.id, mode, Reason::LockTables, WaitPolicy::Wait)?;
            Ok(match got {
                Got::Wait => Step::Wait,
                _ => Step::Done(()),
            })
        })
    }

    /// The isolation level for statements from now on.
    pub fn set_isolation(&self, trx: &mut Trx, isolation: Isolation) {
        trx.isolation = isolation;
        self.refresh_inheritance(trx);
    }
}
