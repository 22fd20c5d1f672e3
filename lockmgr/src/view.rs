//! Read-only pictures of the lock table, for reports, detectors' reports and tests.

use crate::{LockMode, LockSpan, Origin, RecordAddress, TableId, TableMode, TrxId};

/// What one lock is on, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockTarget {
    /// A table lock.
    Table {
        /// The table.
        table: TableId,
        /// Its strength.
        mode: TableMode,
    },
    /// A record lock. On a supremum the span is `NextKey` or `InsertIntention`.
    Record {
        /// The record.
        at: RecordAddress,
        /// Strength.
        mode: LockMode,
        /// Precision.
        span: LockSpan,
    },
}

/// One lock on one table or record, granted or waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LockInfo {
    /// Who holds or wants it.
    pub trx: TrxId,
    /// What it is on, and how.
    pub target: LockTarget,
    /// Whether it is still waited for.
    pub waiting: bool,
    /// Which statement, step and reason asked for it.
    pub origin: Origin,
}

/// An edge of the waits-for graph: `waiter` cannot go on before `blocker` lets go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WaitEdge {
    /// The lock that is waited for.
    pub wanted: LockInfo,
    /// The granted or waiting lock ahead of it that conflicts.
    pub blocking: LockInfo,
}

/// One transaction of a cycle: it waits for the next one (the last for the first).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadlockMember {
    /// The transaction.
    pub trx: TrxId,
    /// The lock that it waits for.
    pub wanted: LockInfo,
    /// The lock of the next member that blocks it.
    pub blocked_by: LockInfo,
    /// Everything that it held when the cycle was found; empty in cycles of more than 32.
    pub holds: Vec<LockInfo>,
    /// Its weight when the victim was chosen.
    pub weight: u64,
}

/// A deadlock that was found and resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadlockReport {
    /// The cycle, each member waiting for the next. Empty when the search was cut off by its
    /// limits and the requester was chosen without a cycle being known.
    pub cycle: Vec<DeadlockMember>,
    /// Who was chosen.
    pub victim: TrxId,
    /// Who closed the cycle, where the detector knows.
    pub requester: Option<TrxId>,
    /// The search hit its depth or step limit.
    pub too_deep: bool,
}
