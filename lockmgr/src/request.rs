//! What is asked of the lock table, and what it answers.

use std::sync::Arc;

use crate::{DeadlockReport, LockMode, LockSpan, RecordAddress, TableId, TableMode, TrxId};

/// Who asked for a lock and why: which statement of the transaction, which step of that
/// statement, and the reason that the access rule gave. The lock table only keeps it; the numbers
/// mean something to whoever made the request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Origin {
    /// Ordinal of the statement in its transaction.
    pub statement: u32,
    /// Ordinal of the step in its statement.
    pub step: u32,
    /// The access rule's reason.
    pub reason: u16,
}

/// A moment in the driver's time, in microseconds. The lock table never reads a clock.
pub type Micros = u64;

/// What to do when a request meets a conflict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnConflict {
    /// Queue, and time out at the given moment (`Micros::MAX`: never).
    Wait(Micros),
    /// Don't queue: answer [`Outcome::Refused`] (NOWAIT, SKIP LOCKED, a probe).
    Refuse,
}

/// A request for a record lock.
#[derive(Clone, Copy, Debug)]
pub struct RecordRequest {
    /// Who asks.
    pub trx: TrxId,
    /// For which record. On a supremum the span is normalised: it protects a gap only.
    pub at: RecordAddress,
    /// Strength.
    pub mode: LockMode,
    /// Precision. `InsertIntention` is asked for with the record *after* the new one.
    pub span: LockSpan,
    /// The lock need not be stored if nobody conflicts, since the record itself will show it
    /// (InnoDB's `impl`): changes of records, and insert intentions.
    pub implicit: bool,
    /// Wait or be refused.
    pub on_conflict: OnConflict,
    /// Provenance.
    pub origin: Origin,
}

/// A request for a table lock.
#[derive(Clone, Copy, Debug)]
pub struct TableRequest {
    /// Who asks.
    pub trx: TrxId,
    /// For which table.
    pub table: TableId,
    /// Strength.
    pub mode: TableMode,
    /// Wait or be refused.
    pub on_conflict: OnConflict,
    /// Provenance.
    pub origin: Origin,
}

/// The answer to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The lock is held. `newly` tells that this request created it (a bit was set), so that
    /// READ COMMITTED may give it back when the row does not match.
    Granted {
        /// Whether the request stored anything.
        newly: bool,
    },
    /// Queued. The transaction must do nothing else until a [`Wakeup`] for it is returned.
    Waiting,
    /// There was a conflict and the request asked not to wait.
    Refused,
    /// There was a conflict, and as many wait already as may.
    QueueFull,
    /// The requester was chosen as a deadlock's victim, or died to prevent one: it must roll back
    /// wholly.
    Victim,
}

/// Why a waiting transaction may go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Wake {
    /// Its lock was granted.
    Granted,
    /// Its request was dropped because the record went away: ask again.
    Retry,
    /// It was chosen as a deadlock's victim, or died to prevent one: it must roll back wholly.
    Victim,
    /// Its wait timed out.
    TimedOut,
}

/// A transaction that waited and may go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wakeup {
    /// Who.
    pub trx: TrxId,
    /// Why.
    pub wake: Wake,
}

/// An [`Outcome`] with everything else that the request caused.
#[derive(Clone, Debug)]
#[must_use]
pub struct Answer {
    /// What became of the request.
    pub outcome: Outcome,
    /// Others who may go on, in the order in which they were granted.
    pub wakeups: Vec<Wakeup>,
    /// Deadlocks that the request closed and that were resolved, in order.
    pub deadlocks: Vec<Arc<DeadlockReport>>,
}
