//! The lock table: its latches, and the life of a transaction in it. Requests are in `acquire`,
//! their end in `release`, what pages do to locks in `moves`, deadlocks in `resolve`, pictures in
//! `inspect`.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::Mutex;

use crate::figures::Figures;
use crate::moment::Moments;
use crate::registry::{Place, Registry};
use crate::shard::{PageShard, Shards, TableShard, World};
use crate::waits::Waits;
use crate::{Inheritance, LockConfig, Micros, Policies, Searches, Seniority, TrxId};

/// Table locks are few and short; more shards than this would only cost.
const TABLE_SHARDS_MAX: u32 = 16;

/// All locks of one engine. Every method takes `&self`: shards have latches of their own.
///
/// # Latch order
///
/// 1. `resolving`, while a deadlock's victim is chosen and dies;
/// 2. page shards, ascending;
/// 3. table shards, ascending;
/// 4. `waits`;
/// 5. one shard of `registry`, never held while anything else is called.
///
/// A request, release or inheritance that concerns one page latches that page's shard, and for a
/// moment (5); whoever begins or ends a wait latches (4) under the queue's shard. Searches latch one
/// queue at a time (`graph`). Only when locks move between pages, and for pictures, are all shards
/// latched (`World`): then the queues and the waits stand still.
#[derive(Debug)]
pub struct LockTable {
    pub(crate) config: LockConfig,
    pub(crate) policies: Policies,
    pub(crate) moments: Moments,
    pub(crate) figures: Figures,
    /// One deadlock dies at a time, so that none has two victims.
    pub(crate) resolving: Mutex<()>,
    pub(crate) pages: Shards<PageShard>,
    pub(crate) tables: Shards<TableShard>,
    pub(crate) waits: Mutex<Waits>,
    pub(crate) registry: Registry,
    /// An edge came or changed since the last sweep.
    pub(crate) sweep_due: AtomicBool,
    /// An edge came or changed since the conflict policy last looked at those who wait.
    pub(crate) edges_unjudged: AtomicBool,
    /// Waits with a smaller ordinal were looked at by a detector that takes its time.
    pub(crate) searched_until: AtomicU64,
    /// Transactions that are wounded and don't know yet: spares the look when there are none.
    pub(crate) wounds: AtomicU64,
}

impl LockTable {
    /// An empty table with these rules.
    ///
    /// # Panics
    /// If the number of shards is not a power of two.
    #[must_use]
    pub fn new(config: LockConfig) -> Self {
        Self::with_policies(config, Policies::of(&config))
    }

    /// An empty table with these rules and policies: the user's own, where the rules say `Custom`, and
    /// else those of [`Policies::of`].
    ///
    /// # Panics
    /// If the number of shards is not a power of two.
    #[must_use]
    pub fn with_policies(config: LockConfig, policies: Policies) -> Self {
        LockTable {
            config,
            policies,
            moments: Moments::default(),
            figures: Figures::default(),
            resolving: Mutex::default(),
            pages: Shards::new(config.shards),
            tables: Shards::new(config.shards.min(TABLE_SHARDS_MAX)),
            waits: Mutex::default(),
            registry: Registry::new(config.shards),
            sweep_due: AtomicBool::new(false),
            edges_unjudged: AtomicBool::new(false),
            searched_until: AtomicU64::new(0),
            wounds: AtomicU64::new(0),
        }
    }

    /// The rules.
    #[must_use]
    pub fn config(&self) -> &LockConfig {
        &self.config
    }

    /// The policies.
    #[must_use]
    pub fn policies(&self) -> &Policies {
        &self.policies
    }

    /// A copy of everything, for exploration. Nobody may be inside the table meanwhile.
    #[must_use]
    pub fn fork(&self) -> Self {
        let flag = |flag: &AtomicBool| AtomicBool::new(flag.load(Ordering::Acquire));
        let count = |count: &AtomicU64| AtomicU64::new(count.load(Ordering::Acquire));
        LockTable {
            config: self.config,
            policies: self.policies.clone(),
            moments: self.moments.fork(),
            figures: self.figures.fork(),
            resolving: Mutex::default(),
            pages: self.pages.fork(),
            tables: self.tables.fork(),
            waits: Mutex::new(self.waits.lock().clone()),
            registry: self.registry.fork(),
            sweep_due: flag(&self.sweep_due),
            edges_unjudged: flag(&self.edges_unjudged),
            searched_until: count(&self.searched_until),
            wounds: count(&self.wounds),
        }
    }

    /// Makes a transaction known. It is active until [`Self::release_all`].
    ///
    /// # Panics
    /// If the transaction is known already.
    pub fn begin(&self, trx: TrxId) {
        self.begin_as(trx, Seniority::default());
    }

    /// As [`Self::begin`], with what the transaction has behind it: a victim that is tried again keeps
    /// its age, or else policies that go by age let it starve.
    ///
    /// # Panics
    /// If the transaction is known already.
    pub fn begin_as(&self, trx: TrxId, seniority: Seniority) {
        self.registry.begin(trx, seniority);
    }

    /// Whether the transaction was wounded while it ran: it has to roll back. Its next request says so
    /// ([`Outcome::Victim`](crate::Outcome::Victim)); one that is about to commit asks here.
    #[must_use]
    pub fn is_wounded(&self, trx: TrxId) -> bool {
        self.wounds.load(Ordering::Acquire) > 0 && self.registry.is_wounded(trx)
    }

    /// Whether the transaction is known and has not begun to release its locks. Implicit locks
    /// of a transaction that is not active don't exist.
    #[must_use]
    pub fn is_active(&self, trx: TrxId) -> bool {
        self.registry.is_active(trx)
    }

    /// How many undo records the transaction has written: a part of its weight.
    pub fn set_undo_count(&self, trx: TrxId, records: u64) {
        self.registry.set_undo_records(trx, records);
    }

    /// Which of the transaction's locks outlive their record, from now on.
    pub fn set_inheritance(&self, trx: TrxId, inheritance: Inheritance) {
        self.registry.set_inheritance(trx, inheritance);
    }

    /// Latches every queue.
    pub(crate) fn latch_all(&self) -> World<'_> {
        World::latch(&self.pages, &self.tables)
    }

    /// Whether the detector looks at the moment when a wait begins.
    pub(crate) fn searches_at_wait(&self) -> bool {
        matches!(
            self.policies.searches,
            Searches::AtWait | Searches::AtWaitAndInBackground
        )
    }

    /// Notes that a transaction begins to wait for the structure `sequence` at `place`, whose
    /// shard is latched, as one of `length` there. Returns the epoch of the wait.
    pub(crate) fn begin_wait(
        &self,
        trx: TrxId,
        place: Place,
        sequence: u64,
        expires: Micros,
        length: usize,
    ) -> u64 {
        self.registry.set_waits(trx, true);
        let now = self.moments.now();
        let mut waits = self.waits.lock();
        let epoch = waits.begin(trx, place, sequence, expires, now);
        waits.figures.queue_length.record(length as u64);
        drop(waits);
        self.sweep_due.store(true, Ordering::Release);
        epoch
    }

    /// Notes whether an edge of the waits-for graph came or changed.
    pub(crate) fn note_edges(&self, changed: bool) {
        if changed {
            self.sweep_due.store(true, Ordering::Release);
            self.edges_unjudged.store(true, Ordering::Release);
        }
    }
}
