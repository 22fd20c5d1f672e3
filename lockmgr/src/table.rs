//! The lock table: its latches, and the life of a transaction in it. Requests are in `acquire`,
//! their end in `release`, what pages do to locks in `moves`, deadlocks in `resolve`, pictures in
//! `inspect`.

use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;

use crate::grant::Weights;
use crate::registry::{Place, Registry};
use crate::shard::{PageShard, Shards, TableShard, World};
use crate::waits::Waits;
use crate::{DetectorKind, GrantKind, Inheritance, LockConfig, Micros, TrxId};

/// Table locks are few and short; more shards than this would only cost.
const TABLE_SHARDS_MAX: u32 = 16;

/// All locks of one engine. Every method takes `&self`: shards have latches of their own.
///
/// # Latch order
///
/// 1. page shards, ascending;
/// 2. table shards, ascending;
/// 3. `waits`;
/// 4. one shard of `registry`, never held while anything else is called.
///
/// A request, release or inheritance that concerns one page latches that page's shard, and for a
/// moment (4); whoever begins or ends a wait latches (3) under the queue's shard. So while all
/// shards are latched (`World`) the queues and the waits stand still, which is how deadlocks
/// are looked for and how locks move between pages.
#[derive(Debug)]
pub struct LockTable {
    pub(crate) config: LockConfig,
    pub(crate) pages: Shards<PageShard>,
    pub(crate) tables: Shards<TableShard>,
    pub(crate) waits: Mutex<Waits>,
    pub(crate) registry: Registry,
    /// An edge came or changed since the last sweep.
    pub(crate) sweep_due: AtomicBool,
}

impl LockTable {
    /// An empty table with these rules.
    ///
    /// # Panics
    /// If the number of shards is not a power of two.
    #[must_use]
    pub fn new(config: LockConfig) -> Self {
        LockTable {
            config,
            pages: Shards::new(config.shards),
            tables: Shards::new(config.shards.min(TABLE_SHARDS_MAX)),
            waits: Mutex::default(),
            registry: Registry::new(config.shards),
            sweep_due: AtomicBool::new(false),
        }
    }

    /// The rules.
    #[must_use]
    pub fn config(&self) -> &LockConfig {
        &self.config
    }

    /// A copy of everything, for exploration. Nobody may be inside the table meanwhile.
    #[must_use]
    pub fn fork(&self) -> Self {
        LockTable {
            config: self.config,
            pages: self.pages.fork(),
            tables: self.tables.fork(),
            waits: Mutex::new(self.waits.lock().clone()),
            registry: self.registry.fork(),
            sweep_due: AtomicBool::new(self.sweep_due.load(Ordering::Acquire)),
        }
    }

    /// Makes a transaction known. It is active until [`Self::release_all`].
    ///
    /// # Panics
    /// If the transaction is known already.
    pub fn begin(&self, trx: TrxId) {
        self.registry.begin(trx);
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

    /// Whether the detector must see all queues at the moment when a wait begins.
    pub(crate) fn searches_at_wait(&self) -> bool {
        matches!(
            self.config.detector,
            DetectorKind::DepthFirst { .. } | DetectorKind::Brent
        )
    }

    /// Whether the next grant of record locks goes by weight.
    pub(crate) fn grants_by_weight(&self) -> bool {
        match self.config.grant {
            GrantKind::Fifo => false,
            GrantKind::ContentionAware => true,
            GrantKind::ContentionAwareFrom(least) => self.waits.lock().len() >= least as usize,
        }
    }

    /// The weights that the next grants go by, or none if they go by arrival.
    pub(crate) fn grant_weights(&self, world: &World<'_>) -> Option<Weights> {
        self.grants_by_weight()
            .then(|| self.graph(world).blocked_behind())
    }

    /// Notes that a transaction begins to wait for the structure `sequence` at `place`, whose
    /// shard is latched.
    pub(crate) fn begin_wait(&self, trx: TrxId, place: Place, sequence: u64, expires: Micros) {
        self.waits.lock().begin(trx, place, sequence, expires);
        self.note_edges(true);
    }

    /// Notes whether an edge of the waits-for graph came or changed.
    pub(crate) fn note_edges(&self, changed: bool) {
        if changed {
            self.sweep_due.store(true, Ordering::Release);
        }
    }
}
