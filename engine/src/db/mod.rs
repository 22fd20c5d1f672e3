//! The engine: everything wired together.
//!
//! An [`Engine`] is one database. Its methods take `&self` and may be called from many threads; a
//! [`Trx`](crate::trx::Trx) belongs to one session at a time. Nothing here sleeps for a lock: an operation that has to wait for a
//! lock says so, and the driver parks ([`Engine::park`]) or runs somebody else.
//!
//! - **E1** Whatever a step causes for others (wake-ups, deadlock reports) is handed on after the
//!   step has given back its latches, before it returns.
//! - **E2** All state is plain data: [`Engine::fork`] copies it, pages by reference until one side
//!   writes.

mod catalog;
mod check;
mod checkpoint;
mod ddl;
mod digest;
mod durability;
mod log_text;
mod persistence;
mod picture;
mod recovery;
mod statistics;
mod steps;
mod texts;
mod transactions;
mod waits;

use std::sync::{Arc, atomic::AtomicU64};

use gaplock_lockmgr::{
    Beyond, DetectorKind, GrantKind, LockConfig, LockTable, StructReuse, VictimKind,
};
use gaplock_wal::{Disk, Log, Lsn, MemoryDisk};
use parking_lot::{Mutex, RwLock};

pub use check::CheckReport;
pub use digest::{DigestDetail, StateDigest, TrxNames};
pub use durability::{Durability, FlushAtCommit};
pub use log_text::{LogEntry, LogEntryKind, LogText, log_text};
pub use picture::{Deadlock, DeadlockPart, LockKey, LockKind, LockRow, LockWait, TrxInfo};
pub use recovery::RecoveryReport;
pub use transactions::Receipt;
pub use waits::WaitState;

use crate::{
    buffer::{BufferPool, PoolConfig},
    error::Error,
    profile::{Detection, GrantOrder, Profile},
    trx::TrxSystem,
    undo::UndoSpace,
};

/// How an engine is set up.
#[derive(Clone, Debug)]
pub struct EngineConfig {
    /// Whose behaviour it has.
    pub profile: Profile,
    /// Pages that the buffer pool holds.
    pub pool_frames: usize,
    /// Shards of the lock table; a power of two.
    pub lock_shards: u32,
    /// Keep wake-ups in their order, for a driver that steps sessions itself.
    pub record_wakeups: bool,
    /// Keep statement, step and reason of each lock.
    pub keep_provenance: bool,
    /// How the database is kept in files, so that it is there when they are opened again. `None`: it is
    /// gone with the engine; the disk only takes what the buffer pool does not hold.
    pub durability: Option<Durability>,
}

impl EngineConfig {
    /// For one thread that steps all sessions: small, and quick to fork.
    #[must_use]
    pub fn for_lab(profile: Profile) -> Self {
        Self {
            profile,
            pool_frames: 1 << 16,
            lock_shards: 1,
            record_wakeups: true,
            keep_provenance: true,
            durability: None,
        }
    }

    /// For many threads.
    #[must_use]
    pub fn for_threads(profile: Profile) -> Self {
        Self {
            profile,
            pool_frames: 8192,
            lock_shards: 64,
            record_wakeups: false,
            keep_provenance: true,
            durability: None,
        }
    }

    /// The same, kept in files.
    #[must_use]
    pub fn durable(self, durability: Durability) -> Self {
        Self {
            durability: Some(durability),
            ..self
        }
    }

    /// The lock table's rules: the profile's, and what its policy settings change.
    fn lock_config(&self) -> LockConfig {
        let profile = &self.profile;
        profile.policies.applied_to(self.server_lock_config())
    }

    /// The rules as the server has them.
    fn server_lock_config(&self) -> LockConfig {
        let profile = &self.profile;
        LockConfig {
            shards: self.lock_shards,
            detector: match profile.detection {
                Detection::DepthFirst => DetectorKind::DepthFirst {
                    depth: 200,
                    steps: 1_000_000,
                    beyond: Beyond::RequesterDies,
                },
                Detection::BackgroundOneEdge => DetectorKind::BackgroundOneEdge,
                Detection::Brent => DetectorKind::Brent,
                Detection::Off => DetectorKind::Off,
            },
            victim: match (profile.victim_from_whole_cycle, profile.detection) {
                (false, _) => VictimKind::LighterOfTwo,
                (true, Detection::Brent) => VictimKind::LightestElseRequester,
                (true, _) => VictimKind::LightestInCycle,
            },
            grant: match profile.grant_order {
                GrantOrder::Fifo => GrantKind::Fifo,
                GrantOrder::ContentionAware => GrantKind::ContentionAware,
                GrantOrder::ContentionAwareFrom32 => GrantKind::ContentionAwareFrom(32),
            },
            struct_reuse: if profile.struct_reuse_with_waiters {
                StructReuse::AlwaysFront
            } else {
                StructReuse::UnlessWaiters
            },
            next_key_upgrade_asks_gap: profile.next_key_upgrade_asks_gap,
            bypass_blocked_waiters: profile.bypass_blocked_waiters,
            keep_provenance: self.keep_provenance,
            bypass_max: u32::MAX,
            ..LockConfig::DEFAULT
        }
    }
}

/// An engine's lock table. Searches are timed where threads are real.
fn lock_table(config: &EngineConfig) -> LockTable {
    let table = LockTable::new(config.lock_config());
    if config.record_wakeups {
        table
    } else {
        table.timed_by(crate::blocking::stopwatch_ns)
    }
}

/// One database.
#[derive(Debug)]
pub struct Engine {
    config: EngineConfig,
    pub(crate) pool: BufferPool,
    pub(crate) locks: LockTable,
    pub(crate) trxs: TrxSystem,
    pub(crate) undo: UndoSpace,
    pub(crate) texts: texts::StatementTexts,
    pub(crate) purge_latch: Mutex<()>,
    catalog: RwLock<catalog::Catalog>,
    /// One definition changes at a time.
    definition_latch: Mutex<()>,
    waits: waits::Mailbox,
    deadlocks: Mutex<picture::DeadlockLog>,
    now: AtomicU64,
    files: Option<durability::Files>,
    recovery: RecoveryReport,
}

impl Engine {
    /// Opens the database on a disk, or creates one. What had not committed when it was last in use is
    /// rolled back first. Without [`EngineConfig::durability`] it is always a new one.
    ///
    /// # Errors
    /// When files cannot be read or written, are damaged or of a newer format, or another process has
    /// the database open.
    pub fn open(config: EngineConfig, disk: Arc<dyn Disk>) -> Result<Self, Error> {
        if let Some(durability) = config.durability.clone() {
            return Self::open_files(config, durability, disk);
        }
        let pool_config = PoolConfig {
            frames: config.pool_frames,
        };
        let log = Arc::new(Log::discarding(Lsn(0)));
        let pool = BufferPool::create(disk, log, pool_config)?;
        let engine = Self::assemble(config, pool, 1);
        engine.initialise()?;
        Ok(engine)
    }

    /// A new database in memory, for one thread that steps all sessions.
    ///
    /// # Errors
    /// When there is not enough memory for a single page's worth of bookkeeping.
    pub fn in_memory(profile: Profile) -> Result<Self, Error> {
        Self::open(EngineConfig::for_lab(profile), Arc::new(MemoryDisk::new()))
    }

    fn assemble(config: EngineConfig, pool: BufferPool, next_id: u64) -> Self {
        Self {
            locks: lock_table(&config),
            waits: waits::Mailbox::new(config.record_wakeups),
            config,
            pool,
            trxs: TrxSystem::new(next_id),
            undo: UndoSpace::default(),
            texts: texts::StatementTexts::default(),
            purge_latch: Mutex::new(()),
            catalog: RwLock::default(),
            definition_latch: Mutex::new(()),
            deadlocks: Mutex::default(),
            now: AtomicU64::new(0),
            files: None,
            recovery: RecoveryReport::default(),
        }
    }

    /// A copy of the whole database that shares pages until one side writes them. Nobody may be
    /// inside the engine meanwhile. The copy is not kept in files. `None` on a disk that cannot be
    /// copied (real files).
    #[must_use]
    pub fn fork(&self) -> Option<Self> {
        Some(Self {
            config: self.config.clone(),
            pool: self.pool.fork()?,
            locks: self.locks.fork(),
            trxs: self.trxs.fork(),
            undo: self.undo.fork(),
            texts: self.texts.fork(),
            purge_latch: Mutex::new(()),
            catalog: RwLock::new(self.catalog.read().fork()),
            definition_latch: Mutex::new(()),
            waits: self.waits.fork(),
            deadlocks: Mutex::new(self.deadlocks.lock().clone()),
            now: AtomicU64::new(self.now()),
            files: None,
            recovery: RecoveryReport::default(),
        })
    }

    /// The profile.
    #[must_use]
    pub fn profile(&self) -> &Profile {
        &self.config.profile
    }

    /// Whose time it is, in microseconds, as the driver last said.
    #[must_use]
    pub fn now(&self) -> u64 {
        self.now.load(std::sync::atomic::Ordering::Relaxed)
    }

    /// The lock table, for measurements and pictures.
    #[must_use]
    pub fn lock_table_view(&self) -> &LockTable {
        &self.locks
    }

    /// Counters of the buffer pool.
    #[must_use]
    pub fn pool_counters(&self) -> crate::buffer::PoolCounters {
        self.pool.counters()
    }
}
