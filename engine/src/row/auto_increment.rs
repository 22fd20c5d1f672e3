//! Drawing auto-increment values.
//!
//! How long others are kept out is the profile's mode: 0, every insertion locks the table's counter
//! to its statement's end; 1, only insertions of unknown size do, and simple ones while such a one
//! is under way or wanted; 2, nobody does.

use std::sync::{Arc, atomic::Ordering};

use gaplock_lockmgr::TableMode;

use super::{Step, WaitPolicy, locking::Got};
use crate::{access::Reason, db::Engine, error::Error, table::Table, trx::Trx};

/// How many values a statement will need.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AutoCount {
    /// Known beforehand.
    Simple(u64),
    /// Not known: INSERT ... SELECT. One value is drawn at a time.
    Bulk,
}

/// A draw under way.
#[derive(Clone, Debug)]
pub struct AutoIncrement {
    table: Arc<Table>,
    count: AutoCount,
}

impl AutoIncrement {
    /// A draw that has not begun.
    #[must_use]
    pub fn new(table: Arc<Table>, count: AutoCount) -> Self {
        Self { table, count }
    }

    /// Draws; the first of the values.
    ///
    /// # Errors
    /// Deadlock or time-out, where the counter is locked.
    pub fn step(&mut self, engine: &Engine, trx: &mut Trx) -> Result<Step<u64>, Error> {
        engine.run_step(trx, |trx| {
            if self.needs_lock(engine, trx) && self.lock(engine, trx)? == Got::Wait {
                return Ok(Step::Wait);
            }
            let count = match self.count {
                AutoCount::Simple(count) => count,
                AutoCount::Bulk => 1,
            };
            let counters = engine.counters(&self.table);
            Ok(Step::Done(
                counters.auto_increment.fetch_add(count, Ordering::Relaxed),
            ))
        })
    }

    fn needs_lock(&self, engine: &Engine, trx: &mut Trx) -> bool {
        match (engine.profile().auto_increment_mode, self.count) {
            (0, _) | (1, AutoCount::Bulk) => true,
            (1, AutoCount::Simple(_)) => {
                let id = engine.ensure_active(trx);
                let table = gaplock_lockmgr::TableId(self.table.id);
                engine
                    .locks
                    .table_conflict(id, table, TableMode::AutoInc)
                    .is_some()
            }
            _ => false,
        }
    }

    fn lock(&self, engine: &Engine, trx: &mut Trx) -> Result<Got, Error> {
        let table = self.table.id;
        let mode = TableMode::AutoInc;
        let got = engine.lock_table(trx, table, mode, Reason::AutoIncrement, WaitPolicy::Wait)?;
        if got != Got::Wait && !trx.auto_increment_locks.contains(&table) {
            trx.auto_increment_locks.push(table);
        }
        Ok(got)
    }
}

impl Engine {
    /// A value was given for an auto-increment column: the counter goes on after it.
    pub fn advance_auto_increment(&self, table: &Table, value: u64) {
        let counters = self.counters(table);
        counters
            .auto_increment
            .fetch_max(value.saturating_add(1), Ordering::Relaxed);
    }

    /// The next value of the table's counter.
    #[must_use]
    pub fn auto_increment(&self, table: &Table) -> u64 {
        self.counters(table).auto_increment.load(Ordering::Relaxed)
    }
}
