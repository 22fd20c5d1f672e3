//! The four decisions that a lock table leaves to policies, as traits.
//!
//! | decision | trait | asked when |
//! |---|---|---|
//! | is there a deadlock? | [`DeadlockDetector`] | a wait has begun, or in the background |
//! | may this one wait for that one? | [`ConflictPolicy`] | a wait has begun, or its blockers changed |
//! | who of a cycle dies? | [`VictimPolicy`] | a cycle was found and confirmed |
//! | who is tried first? | [`GrantPolicy`] | locks were let go that several wait for |
//!
//! All four keep to the same rules:
//!
//! - **P1** A policy never says who waits for whom. Edges are the lock table's, derived from the queues
//!   by the rule that grants use; a policy that had its own would let deadlocks go unseen.
//! - **P2** Time, chance and the state of the table reach a policy as arguments only ([`Moment`],
//!   [`WaitGraph`](crate::WaitGraph)). So a run is repeated by its seed.
//! - **P3** No latch of a queue is held while a policy thinks. What it decides is checked against the
//!   table when it comes back, by (transaction, epoch of its wait): a decision that came too late
//!   has no effect, and the question is asked again if it is still open. A policy may therefore be
//!   wrong, slow or foolish, and can spoil fairness or throughput, but never mutual exclusion.
//! - **P4** A policy must not call back into the table that asks it, but for the graph it is given.
//! - **P5** What a policy claims (`claims_*`, [`GrantPolicy::needs_dependents`]) is what the
//!   conformance suite holds against it (`testing`).

use crate::{LockMode, LockSpan, Micros, TrxId, WaitGraph};

/// What is known of a transaction when it is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Party {
    /// Who.
    pub trx: TrxId,
    /// When it began, in the caller's own units: a smaller number is older. A victim that is tried
    /// again keeps its first age. Unless the caller says otherwise, the transaction's id.
    pub age: u64,
    /// How often it was a victim before.
    pub restarts: u32,
    /// Importance: a greater number is more important. 0 unless the caller says otherwise.
    pub priority: i32,
    /// Undo records that it has written.
    pub undo_records: u64,
    /// Lock structures that it holds or waits with.
    pub structures: u64,
}

impl Party {
    /// Undo records plus lock structures: what a rollback would cost, as InnoDB reckons.
    #[must_use]
    pub fn weight(&self) -> u64 {
        self.undo_records + self.structures
    }

    /// Whether it began before the other; ids decide among equal ages, so that of two one is older.
    #[must_use]
    pub fn is_older_than(&self, other: &Party) -> bool {
        (self.age, self.trx) < (other.age, other.trx)
    }
}

/// When a policy is asked, and its share of chance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Moment {
    /// The driver's time.
    pub now: Micros,
    /// A number that is new at each question, and the same in each run with the same seed.
    pub random: u64,
}

/// What a search came upon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// Transactions each of which waits for the next, the last for the first.
    Cycle(Vec<TrxId>),
    /// The search hit a limit, and the requester has to die for it.
    TooDeep,
}

/// When a detector wants to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Searches {
    /// Never.
    Never,
    /// When a wait has begun.
    AtWait,
    /// In the background: when the driver calls [`LockTable::sweep`](crate::LockTable::sweep) and an
    /// edge came or changed since the last time.
    InBackground,
    /// Both.
    AtWaitAndInBackground,
    /// In the background, once a wait has lasted so many microseconds.
    AfterWaiting(Micros),
}

/// Looks for deadlocks.
///
/// What it finds is confirmed before anybody dies: each named member must be waiting for the next,
/// all at the same time. A cycle that is none (any more) is dropped without harm, and the detector is
/// asked again.
pub trait DeadlockDetector: std::fmt::Debug + Send + Sync {
    /// When it looks. Constant.
    fn searches(&self) -> Searches;

    /// Looks for a deadlock that `requester`, who has just begun to wait, is in or leads to. If the
    /// requester is a member it comes first in the cycle.
    fn at_wait(&self, graph: &WaitGraph<'_>, requester: TrxId) -> Option<Found> {
        let _ = (graph, requester);
        None
    }

    /// Looks for any deadlock.
    fn sweep(&self, graph: &WaitGraph<'_>) -> Option<Found> {
        let _ = graph;
        None
    }

    /// Whether, once it has looked as often as it wants to, no deadlock of requests is left. One that
    /// says no leaves some to time-outs.
    fn claims_complete(&self) -> bool;
}

/// What becomes of a request that has to wait for a certain transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Decision {
    /// It waits.
    Wait,
    /// It does not wait: its transaction has to roll back.
    Die,
    /// It waits, and the one that it waits for has to roll back: at once if that one waits too, else
    /// when it next asks for a lock or commits.
    Wound,
}

/// Decides whether one transaction may wait for another.
pub trait ConflictPolicy: std::fmt::Debug + Send + Sync {
    /// Asked for each transaction in the way of a waiter, when it begins to wait and when others come
    /// to be in its way. One [`Decision::Die`] is enough for the waiter to die, and then nobody is
    /// wounded for it.
    fn decide(&self, waiter: &Party, blocker: &Party) -> Decision;

    /// Whether the waits that it lets be can never form a cycle, so that no detector is needed.
    fn claims_deadlock_free(&self) -> bool;
}

/// A member of a cycle, as it is weighed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Candidate {
    /// Who.
    pub party: Party,
    /// Ordinal of its wait: a greater one began later.
    pub started: u64,
    /// When its wait began.
    pub since: Micros,
}

/// Chooses a deadlock's victim.
pub trait VictimPolicy: std::fmt::Debug + Send + Sync {
    /// Chooses from `cycle`, which is not empty and in which each waits for the next. If the
    /// requester whose wait closed it is a member, it is the first. Somebody who is no member cannot be
    /// chosen: then the first dies.
    fn choose(&self, cycle: &[Candidate], requester: Option<TrxId>, moment: &Moment) -> TrxId;
}

/// A transaction that waits for a record, as it is ranked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Waiter {
    /// Who.
    pub party: Party,
    /// The strength it asks for.
    pub mode: LockMode,
    /// The precision it asks for.
    pub span: LockSpan,
    /// Ordinal of its wait among all waits: ascending in order of arrival.
    pub started: u64,
    /// When its wait began.
    pub since: Micros,
    /// How many who came later, and whom it conflicts with, were granted before it.
    pub bypassed: u32,
    /// How many wait for it, directly or not, itself included. 1 unless the policy
    /// [needs it](GrantPolicy::needs_dependents).
    pub dependents: u64,
}

/// Decides in which order a record's waiters are tried when locks on it were let go.
///
/// Each is granted if no granted lock is in its way, and nobody who stands before it both in the
/// queue and in this order. A waiter that was bypassed
/// [as often as the rules allow](crate::LockConfig::bypass_max) is tried before all others, whatever
/// the policy says, and from then on nobody who came later passes it.
pub trait GrantPolicy: std::fmt::Debug + Send + Sync {
    /// Puts the waiters, which come in order of arrival and are at least two, into the order in which
    /// they are tried. (Entries that are overwritten are tried last, by arrival.)
    fn order(&self, waiters: &mut [Waiter], moment: &Moment);

    /// Whether [`Waiter::dependents`] is to be counted, which costs a walk over all who wait.
    fn needs_dependents(&self) -> bool {
        false
    }

    /// How often a waiter can be passed by later ones with a request that conflicts, if the order
    /// itself bounds that.
    fn claims_bypass_at_most(&self) -> Option<u32> {
        None
    }
}
