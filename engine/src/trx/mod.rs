//! Transactions: who they are, what they see, and what they have to undo.
//!
//! A [`Trx`] is plain data that its session owns; what others must know of it (that it is active,
//! which view it holds open) is in the [`TrxSystem`]. It gets its id with its first lock or change,
//! so that plain reads cost nothing there.
//!
//! - **T1** Visibility changes at one moment for everybody: when the committing transaction leaves
//!   the set of active ones, under the system's latch; its number in the order of commits is drawn
//!   under the same latch.
//! - **T2** A transaction lets go of its locks only after T1's moment.

mod system;
mod view;

use std::sync::Arc;

use gaplock_lockmgr::{LockMode, Seniority, TrxId, Wakeup};
use gaplock_wal::Lsn;
use serde::{Deserialize, Serialize};

pub use system::{Committed, TrxSummary, TrxSystem};
pub use view::ReadView;

use crate::{table::RollPointer, undo::Segment};

/// Isolation levels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Isolation {
    /// Reads see uncommitted changes; locking as READ COMMITTED.
    ReadUncommitted,
    /// Each statement reads what was committed when it began; no gap locks in scans.
    ReadCommitted,
    /// All reads see one snapshot; scans lock gaps.
    RepeatableRead,
    /// As REPEATABLE READ, and plain reads inside a transaction take shared locks.
    Serializable,
}

impl Isolation {
    /// Whether scans lock gaps.
    #[must_use]
    pub fn locks_gaps(self) -> bool {
        self >= Isolation::RepeatableRead
    }
}

/// A moment in a transaction to which it can be rolled back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Savepoint {
    /// Undo records with this number and above are undone.
    pub(crate) undo: u64,
    /// The transaction had not touched the engine yet: going back ends it there.
    pub(crate) untouched: bool,
}

/// A transaction.
#[derive(Clone, Debug)]
pub struct Trx {
    /// Its id, once it has locked or changed something.
    pub id: Option<TrxId>,
    /// Its isolation level.
    pub isolation: Isolation,
    pub(crate) view: Option<ReadView>,
    /// Every commit that its closed snapshots saw is below this position of the log.
    pub(crate) seen: Lsn,
    pub(crate) segment: Option<Segment>,
    pub(crate) undo: Vec<(u64, RollPointer)>,
    pub(crate) next_undo: u64,
    /// Texts of its statements so far, for provenance, each with the number of the first undo record
    /// that it could write.
    pub(crate) statements: Vec<(Arc<str>, u64)>,
    pub(crate) step: u32,
    pub(crate) lock_wait_timeout: u64,
    /// The current statement inserts with exclusive duplicate checks (REPLACE, upsert).
    pub(crate) replaces: bool,
    /// The current statement has checked for duplicates.
    pub(crate) checked_duplicates: bool,
    /// It has asked for a lock with which it may write: InnoDB draws its id then.
    pub(crate) read_write: bool,
    /// It queued for a lock and has not heard of its wake-up yet.
    pub(crate) waiting: bool,
    /// The table into which it is inserting a row that is not in all indexes yet.
    pub(crate) arriving: Option<u64>,
    pub(crate) effects: Effects,
    /// `foreign_key_checks`.
    pub(crate) foreign_key_checks: bool,
    pub(crate) auto_increment_locks: Vec<u64>,
    pub(crate) last_inheritance: Option<(bool, bool, bool)>,
    /// What policies of the lock table that go by age or importance are told about it. Set before
    /// it locks anything.
    pub seniority: Seniority,
    /// The seniority that the transaction before it had, which was rolled back, as one that is tried
    /// again has it ([`Trx::try_again`]).
    pub(crate) previous: Option<Seniority>,
}

/// What a step caused for others, handed on when the step has given back its latches.
#[derive(Clone, Debug, Default)]
pub(crate) struct Effects {
    pub(crate) wakeups: Vec<Wakeup>,
    pub(crate) deadlocks: Vec<Arc<gaplock_lockmgr::DeadlockReport>>,
}

impl Trx {
    /// A transaction that has done nothing yet.
    #[must_use]
    pub fn new(isolation: Isolation, lock_wait_timeout: u64) -> Self {
        Self {
            id: None,
            isolation,
            view: None,
            seen: Lsn(0),
            segment: None,
            undo: Vec::new(),
            next_undo: 0,
            statements: Vec::new(),
            step: 0,
            lock_wait_timeout,
            replaces: false,
            checked_duplicates: false,
            read_write: false,
            waiting: false,
            arriving: None,
            effects: Effects::default(),
            foreign_key_checks: true,
            auto_increment_locks: Vec::new(),
            last_inheritance: None,
            seniority: Seniority::default(),
            previous: None,
        }
    }

    /// It tries again what the last transaction of this value did, which was rolled back: it keeps
    /// that one's age, and has one restart more. Without this a victim is the youngest again, and may
    /// be one for ever under policies that go by age.
    pub fn try_again(&mut self) {
        if let Some(previous) = self.previous.take() {
            self.seniority = previous;
        }
    }

    /// Its seniority, were it tried again.
    pub(crate) fn as_tried_again(&self) -> Option<Seniority> {
        let id = self.id?;
        Some(Seniority {
            age: self.seniority.age.or(Some(id.0)),
            restarts: self.seniority.restarts + 1,
            ..self.seniority
        })
    }

    /// Whether it has changed rows that are not undone.
    #[must_use]
    pub fn has_changes(&self) -> bool {
        !self.undo.is_empty()
    }

    /// Whether it holds a snapshot.
    #[must_use]
    pub fn has_snapshot(&self) -> bool {
        self.view.is_some()
    }

    /// Whether it has neither locked, changed nor read anything since it began.
    #[must_use]
    pub fn is_untouched(&self) -> bool {
        self.id.is_none() && self.view.is_none()
    }

    /// The mode of its duplicate checks.
    #[must_use]
    pub(crate) fn duplicate_mode(&self) -> LockMode {
        if self.replaces {
            LockMode::X
        } else {
            LockMode::S
        }
    }
}
