//! The facts about queueing, detection and granting in which releases differ.

/// How a conflicting queue is searched for deadlocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DetectorKind {
    /// Depth-first through all edges when a wait begins, with limits beyond which the requester
    /// dies (InnoDB up to 8.0.17, MariaDB up to 10.5).
    DepthFirst {
        /// Deepest path.
        depth: u32,
        /// Most edges looked at.
        steps: u32,
    },
    /// One edge a waiter, looked at in the background after a wait began (8.0.18 and later).
    BackgroundOneEdge,
    /// One edge a waiter, Brent's cycle search when a wait begins (MariaDB 10.6 and later).
    Brent,
    /// None: waits end by time-out.
    Off,
}

/// Who dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum VictimKind {
    /// The lighter of the requester and the member that waits for it; the requester on a tie.
    LighterOfTwo,
    /// The lightest of the whole cycle; on a tie the one that began to wait last.
    LightestInCycle,
    /// The lightest of the whole cycle; on a tie the requester.
    LightestElseRequester,
}

/// Who is granted first when a lock is let go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GrantKind {
    /// In order of arrival; a waiter conflicts with everything ahead of it.
    Fifo,
    /// By the number of transactions blocked behind a waiter, in order of arrival among equals;
    /// conflicts only with what is granted (8.0.20 and later).
    ContentionAware,
    /// `ContentionAware` only while at least this many transactions wait, else `Fifo`
    /// (8.0.3 to 8.0.19: 32).
    ContentionAwareFrom(u32),
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

/// The lock table's rules. Fixed when the table is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LockConfig {
    /// Shards of the record lock table; a power of two. One is right for single-threaded use.
    pub shards: u32,
    /// How deadlocks are looked for.
    pub detector: DetectorKind,
    /// Who dies.
    pub victim: VictimKind,
    /// Who is granted first.
    pub grant: GrantKind,
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
