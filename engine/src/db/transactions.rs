//! Beginning, marking and ending transactions.

use std::{collections::VecDeque, sync::Arc};

use gaplock_lockmgr::{TableId, TableMode};

use super::Engine;
use crate::{
    access::Reason,
    error::Error,
    row::{Got, Step, WaitPolicy},
    table::Table,
    trx::{Isolation, Savepoint, Trx},
};

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
    pub fn snapshot(&self, trx: &mut Trx) {
        if trx.isolation.locks_gaps() {
            self.ensure_view(trx);
        }
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
            untouched: trx.id.is_none(),
        }
    }

    /// Commits: what it did becomes visible, then its locks are let go. The value is an idle
    /// transaction afterwards, as from [`Self::begin`].
    ///
    /// # Errors
    /// None yet: a durable log will have some.
    pub fn commit(&self, trx: &mut Trx) -> Result<(), Error> {
        self.end_transaction(trx, false);
        self.deliver(trx);
        Ok(())
    }

    /// Ends a transaction; `undone`: everything it did has been rolled back.
    pub(crate) fn end_transaction(&self, trx: &mut Trx, undone: bool) {
        self.drop_view(trx);
        if let Some(id) = trx.id {
            let mut overwrote = VecDeque::new();
            let mut unneeded = Vec::new();
            for (_, at) in trx.undo.drain(..) {
                if at.insert || undone {
                    unneeded.push(at)
                } else {
                    overwrote.push_back(at)
                }
            }
            // T1, then T2.
            self.trxs.end(id, overwrote);
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
        *trx = Trx::new(trx.isolation, trx.lock_wait_timeout);
        trx.foreign_key_checks = checks;
        trx.effects = effects;
    }

    fn drop_view(&self, trx: &mut Trx) {
        if let Some(view) = trx.view.take() {
            self.trxs.close_view(&view);
        }
    }

    /// Stops purge from now on, as an open snapshot would; or lets it go on.
    pub fn hold_purge(&self, hold: bool) {
        self.trxs.hold_purge(hold);
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
