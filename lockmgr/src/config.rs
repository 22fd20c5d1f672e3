//! The rules of a lock table: how it queues, detects and grants. Releases of servers are points in
//! this space; `names` says how each rule is written.

use crate::Micros;

/// What a depth-first search does when it reaches a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Beyond {
    /// The requester dies, as if a deadlock had been found.
    RequesterDies,
    /// It gives up: the deadlock, if there is one, is left to time-outs.
    GiveUp,
}

/// How deadlocks are looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DetectorKind {
    /// Depth-first through all edges when a wait begins, with limits (InnoDB up to 8.0.17, MariaDB
    /// up to 10.5: 200 and 1,000,000, beyond which the requester dies).
    DepthFirst {
        /// Deepest path.
        depth: u32,
        /// Most edges looked at.
        steps: u32,
        /// What happens beyond them.
        beyond: Beyond,
    },
    /// One edge a waiter, looked at in the background after a wait began (8.0.18 and later).
    BackgroundOneEdge,
    /// One edge a waiter, Brent's cycle search when a wait begins (MariaDB 10.6 and later).
    Brent,
    /// Depth-first from whoever has waited so long (PostgreSQL's `deadlock_timeout`).
    Delayed {
        /// How long a wait lasts before it is looked at.
        after: Micros,
    },
    /// Digests of all that a waiter depends on, passed along its waiters (Dreadlocks).
    Digest,
    /// None: waits end by time-out.
    Off,
    /// One of the user's own: see [`LockTable::with_policies`](crate::LockTable::with_policies).
    Custom,
}

/// Who may wait for whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ConflictKind {
    /// Anybody for anybody.
    Wait,
    /// Nobody for anybody: whoever meets a conflict dies.
    NoWait,
    /// Older for younger; a younger one dies.
    WaitDie,
    /// Younger for older; an older one wounds.
    WoundWait,
    /// One of the user's own.
    Custom,
}

/// Who dies. Among equals, where nothing else is said, the one that began to wait last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum VictimKind {
    /// The lighter of the requester and the member that waits for it; the requester on a tie.
    LighterOfTwo,
    /// The lightest of the whole cycle; on a tie the one that began to wait last.
    LightestInCycle,
    /// The lightest of the whole cycle; on a tie the requester.
    LightestElseRequester,
    /// Whoever closed the cycle.
    Requester,
    /// The youngest.
    Youngest,
    /// The oldest.
    Oldest,
    /// The one with the fewest lock structures.
    FewestLocks,
    /// The one with the most lock structures.
    MostLocks,
    /// The one with the least undo.
    LeastUndo,
    /// The least important.
    LowestPriority,
    /// The one that was a victim least often.
    FewestRestarts,
    /// One drawn by lot.
    Random,
    /// One of the user's own.
    Custom,
}

/// Who is granted first when a record lock is let go. (Table locks are granted by arrival.)
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GrantKind {
    /// In order of arrival; a waiter conflicts with everything ahead of it.
    Fifo,
    /// In order of arrival, but when a reader is first all readers go with it.
    ReaderBatch,
    /// By the number of transactions blocked behind a waiter, in order of arrival among equals;
    /// conflicts only with what is granted (CATS; 8.0.20 and later).
    ContentionAware,
    /// `ContentionAware` only while at least this many transactions wait, else `Fifo`
    /// (8.0.3 to 8.0.19: 32).
    ContentionAwareFrom(u32),
    /// The eldest transaction (VATS).
    Eldest,
    /// The largest dependency set (LDSF).
    LargestDependencySet,
    /// The most important.
    Priority,
    /// Drawn by lot.
    Random,
    /// One of the user's own.
    Custom,
}

/// When a granted lock may be added to an existing structure of its transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StructReuse {
    /// Only if nobody waits on that record.
    UnlessWaiters,
    /// Always; the structure moves to the front of the queue when a waiter stands before it.
    AlwaysFront,
}

/// Which of a transaction's locks live on as gap locks when their record goes away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Inheritance {
    /// Shared locks do.
    pub shared: bool,
    /// Exclusive locks do.
    pub exclusive: bool,
    /// Record-only locks do too (else only those that already cover a gap).
    pub record_only: bool,
}

impl Inheritance {
    /// Everything is inherited: REPEATABLE READ and above.
    pub const ALL: Inheritance = Inheritance {
        shared: true,
        exclusive: true,
        record_only: true,
    };
    /// Nothing is.
    pub const NONE: Inheritance = Inheritance {
        shared: false,
        exclusive: false,
        record_only: false,
    };
}

/// What a transaction is told to have behind it when it begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Seniority {
    /// When its first attempt began, in the caller's own units; its id if there is none. Ages are
    /// only compared with each other.
    pub age: Option<u64>,
    /// How often it was a victim before.
    pub restarts: u32,
    /// Importance: a greater number is more important.
    pub priority: i32,
}

/// The lock table's rules. Fixed when the table is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LockConfig {
    /// Shards of the record lock table; a power of two. One is right for single-threaded use.
    pub shards: u32,
    /// How deadlocks are looked for.
    pub detector: DetectorKind,
    /// Who may wait for whom.
    pub conflict: ConflictKind,
    /// Who dies.
    pub victim: VictimKind,
    /// Who is granted first.
    pub grant: GrantKind,
    /// How often a waiter is passed by later ones that it conflicts with, before it comes first
    /// and nobody passes it any more. `u32::MAX`: without bound, as servers have it.
    pub bypass_max: u32,
    /// How many may wait for one record or table; who comes then is told so and does not wait.
    pub waiters_max: u32,
    /// Of what is drawn by lot.
    pub seed: u64,
    /// Structure reuse.
    pub struct_reuse: StructReuse,
    /// A next-key request by a transaction that holds the record alone asks for the gap only
    /// (8.0.18 and later, bug 23755664; MariaDB 10.5 and later, MDEV-10962).
    pub next_key_upgrade_asks_gap: bool,
    /// A holder that asks for X passes an X waiter that it blocks itself
    /// (8.0.29 and later, bug 11745929; MDEV-34877).
    pub bypass_blocked_waiters: bool,
    /// Remember for each lock which statement, step and reason asked for it. Without it every
    /// origin reads as the default one.
    pub keep_provenance: bool,
}

impl LockConfig {
    /// What a table has about which nothing is said: grants by arrival, a depth-first search at each
    /// wait, the lightest of a cycle dies.
    pub const DEFAULT: LockConfig = LockConfig {
        shards: 64,
        detector: DetectorKind::DepthFirst {
            depth: 200,
            steps: 1_000_000,
            beyond: Beyond::RequesterDies,
        },
        conflict: ConflictKind::Wait,
        victim: VictimKind::LightestInCycle,
        grant: GrantKind::Fifo,
        bypass_max: 64,
        waiters_max: u32::MAX,
        seed: 0,
        struct_reuse: StructReuse::AlwaysFront,
        next_key_upgrade_asks_gap: true,
        bypass_blocked_waiters: true,
        keep_provenance: true,
    };
}

impl LockConfig {
    /// Whether a policy is none of those that servers have, and so may go by ages or by chance.
    #[must_use]
    pub fn goes_beyond_servers(&self) -> bool {
        use GrantKind::{ContentionAware, ContentionAwareFrom, Fifo};
        use VictimKind::{LighterOfTwo, LightestElseRequester, LightestInCycle};
        let server_victim = matches!(
            self.victim,
            LighterOfTwo | LightestElseRequester | LightestInCycle
        );
        let server_grant = matches!(self.grant, ContentionAware | ContentionAwareFrom(_) | Fifo);
        !server_victim
            || !server_grant
            || self.conflict != ConflictKind::Wait
            || self.detector == DetectorKind::Custom
    }
}

impl Default for LockConfig {
    fn default() -> Self {
        Self::DEFAULT
    }
}
