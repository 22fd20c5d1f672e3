//! Opening a database that has files, and recovery.
//!
//! - R1. Nothing on the disk is changed before the whole log was read once and found sound: damage
//!   in its middle leaves everything as it was found.
//! - R2. Recovery may be cut short anywhere, and is then done again from the same checkpoint: it
//!   begins with images from the log, whatever pages it may have written already.
//!
//! The steps: the log is read to its end, whatever is behind it is cut off; groups are done again;
//! transactions that had not ended are found from the undo pages and rolled back; trees that a
//! definition had not finished making or dropping are dropped; old versions are handed to purge.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use gaplock_lockmgr::TrxId;
use gaplock_wal::{Checkpoint, Control, Disk, Log, LogRecord, LogScan, Lsn};

use super::{
    Engine, EngineConfig,
    checkpoint::State,
    durability::{Durability, Files},
};
use crate::{
    buffer::{BufferPool, DATA_FILE, PoolConfig},
    error::{Error, StoreError},
    mtr::{self, Change, GROUP, Redo, RowCount},
    row::Rollback,
    trx::{Isolation, Trx, TrxSystem},
    undo::Found,
};

/// The kind of log record that says that a transaction has committed: its id.
pub(super) const COMMIT: u8 = 2;

/// The kind of log record that says that a transaction was rolled back to its beginning: its id.
pub(super) const ROLLED_BACK: u8 = 3;

/// The file that a process locks to have the database for itself.
const LOCK_FILE: &str = "gaplock.lock";

/// What all our files are called.
const FILE_PREFIX: &str = "gaplock.";

/// Where a new database's log begins: position 0 stands for "never".
const LOG_START: Lsn = Lsn(8);

/// What recovery has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecoveryReport {
    /// The log was read from here.
    pub redo: Lsn,
    /// It ended here.
    pub end: Lsn,
    /// Mini-transactions that were done again.
    pub groups: u64,
    /// Pages that were made anew from the log.
    pub pages: usize,
    /// Transactions that had committed since the checkpoint.
    pub committed: u64,
    /// Transactions that were rolled back.
    pub rolled_back: u64,
}

/// What the log says beside pages' changes.
#[derive(Debug, Default)]
struct Told {
    report: RecoveryReport,
    ended: BTreeSet<u64>,
    newest: u64,
    /// What was counted of each table since the checkpoint.
    counts: BTreeMap<u64, RowCount>,
}

impl Engine {
    /// Opens the database that a disk has, or makes one; rolls back what had not committed when it
    /// was last in use.
    pub(super) fn open_files(
        config: EngineConfig,
        settings: Durability,
        disk: Arc<dyn Disk>,
    ) -> Result<Self, Error> {
        let lock = disk.lock(LOCK_FILE).map_err(StoreError::from)?;
        let (control, checkpoint) = open_control(&disk, &settings)?;
        if checkpoint.state.is_empty() {
            let log = create_log(&disk, &control, &settings)?;
            let files = Files::new(settings, control, LOG_START, lock);
            return Self::create_files(config, files, disk, log);
        }
        let identity = control.identity();
        let state = read_state(&checkpoint)?;
        let end = if checkpoint.clean {
            control.mark_in_use().map_err(StoreError::from)?;
            checkpoint.durable
        } else {
            end_of_log(&*disk, identity, &checkpoint)?
        };
        let take_up = if checkpoint.clean {
            Log::reopen
        } else {
            Log::resume
        };
        let log = take_up(Arc::clone(&disk), identity, end, settings.log);
        let log = Arc::new(log.map_err(StoreError::from)?);
        let pool = BufferPool::open(Arc::clone(&disk), log, pool_config(&config))?;
        pool.restore_versions(&state.versions);
        pool.ledger().set_floor(checkpoint.redo);
        pool.ledger()
            .restore_undo_pages(state.undo_pages.iter().copied());
        let told = if checkpoint.clean {
            Told::default()
        } else {
            redo(&*disk, identity, &checkpoint, &pool)?
        };
        mtr::check_space(&pool)?;
        let files = Files::new(settings, control, checkpoint.redo, lock);
        let mut engine = Self::assemble(config, pool, state.transactions.next);
        engine.files = Some(files);
        engine.revive(&state, told)?;
        Ok(engine)
    }

    fn create_files(
        config: EngineConfig,
        files: Files,
        disk: Arc<dyn Disk>,
        log: Log,
    ) -> Result<Self, Error> {
        let pool = BufferPool::create(disk, Arc::new(log), pool_config(&config))?;
        pool.ledger().set_floor(LOG_START);
        let mut engine = Self::assemble(config, pool, 1);
        engine.files = Some(files);
        engine.initialise()?;
        engine.checkpoint()?;
        Ok(engine)
    }

    /// What recovery has done when this database was opened; nothing, if it had been closed in good
    /// order.
    #[must_use]
    pub fn recovery(&self) -> RecoveryReport {
        self.recovery
    }

    /// Puts together what was there from what pages, checkpoint and log say.
    fn revive(&mut self, state: &State, told: Told) -> Result<(), Error> {
        let active = |trx: u64| {
            !told.ended.contains(&trx)
                && (trx >= state.transactions.next || state.transactions.active.contains(&trx))
        };
        let found = self.undo.recover(&self.pool, active)?;
        let next = state
            .transactions
            .next
            .max(told.newest + 1)
            .max(found.newest + 1);
        self.trxs = TrxSystem::new(next);
        self.load_catalog()?;
        for count in state.counts.iter().chain(told.counts.values()) {
            self.restore_count(count);
        }
        self.recovery = told.report;
        self.recovery.rolled_back = found.active.len() as u64;
        self.roll_back_found(found)?;
        self.drop_orphans()
    }

    fn roll_back_found(&self, found: Found) -> Result<(), Error> {
        for (id, mut records) in found.active {
            records.sort_unstable_by_key(|(number, _)| *number);
            let mut trx = Trx::new(Isolation::ReadUncommitted, 0);
            trx.next_undo = records.last().map_or(0, |(number, _)| number + 1);
            trx.undo = records;
            trx.id = Some(TrxId(id));
            self.trxs.revive(TrxId(id));
            self.locks.begin(TrxId(id));
            Rollback::all().finish(self, &mut trx)?;
            self.pool.log().append(ROLLED_BACK, &id.to_be_bytes());
        }
        self.trxs.restore_history(found.overwritten);
        Ok(())
    }
}

fn pool_config(config: &EngineConfig) -> PoolConfig {
    PoolConfig {
        frames: config.pool_frames,
    }
}

/// The control file, made if there is no database at all.
fn open_control(
    disk: &Arc<dyn Disk>,
    settings: &Durability,
) -> Result<(Control, Checkpoint), StoreError> {
    if !Control::exists(&**disk)? {
        if disk.list()?.iter().any(|name| name == DATA_FILE) {
            return Err(StoreError::Incomplete {
                what: format!(
                    "there is a data file ({DATA_FILE}), but not the control file of its database: \
                     put it back, or begin in another directory"
                ),
            });
        }
        // An empty state says that the database is being made.
        let nothing = Checkpoint {
            redo: LOG_START,
            durable: LOG_START,
            clean: false,
            state: Arc::from([]),
        };
        Control::create(Arc::clone(disk), settings.identity, &nothing)?;
    }
    Ok(Control::open(Arc::clone(disk))?)
}

/// The log of a new database. What an earlier attempt to make one has left is removed: it had not come
/// so far that anybody could have used it.
fn create_log(
    disk: &Arc<dyn Disk>,
    control: &Control,
    settings: &Durability,
) -> Result<Log, StoreError> {
    for name in disk.list()? {
        let keep = name == LOCK_FILE || name.starts_with("gaplock.c");
        if name.starts_with(FILE_PREFIX) && !keep {
            disk.remove(&name)?;
        }
    }
    disk.sync_directory()?;
    let disk = Arc::clone(disk);
    Ok(Log::create(
        disk,
        control.identity(),
        LOG_START,
        settings.log,
    )?)
}

fn read_state(checkpoint: &Checkpoint) -> Result<State, StoreError> {
    State::decode(&checkpoint.state).map_err(|version| StoreError::Incomplete {
        what: match version {
            Some(version) => format!(
                "the checkpoint has format version {version}, which this program cannot read: use \
                 the program that wrote it"
            ),
            None => "the checkpoint cannot be read".to_owned(),
        },
    })
}

/// Reads the log from the redo position to its end (R1).
fn end_of_log(disk: &dyn Disk, identity: u64, checkpoint: &Checkpoint) -> Result<Lsn, StoreError> {
    let mut scan = LogScan::open(disk, identity, checkpoint.redo, checkpoint.durable)?;
    while scan.next()?.is_some() {}
    Ok(scan.end())
}

/// Does everything again.
fn redo(
    disk: &dyn Disk,
    identity: u64,
    checkpoint: &Checkpoint,
    pool: &BufferPool,
) -> Result<Told, StoreError> {
    let mut scan = LogScan::open(disk, identity, checkpoint.redo, checkpoint.durable)?;
    let mut told = Told::default();
    let mut pages = Redo::default();
    while let Some(record) = scan.next()? {
        told.take(&record, pool, &mut pages)?;
    }
    told.report.redo = checkpoint.redo;
    told.report.end = scan.end();
    told.report.pages = pages.pages();
    Ok(told)
}

impl Told {
    fn take(
        &mut self,
        record: &LogRecord,
        pool: &BufferPool,
        pages: &mut Redo,
    ) -> Result<(), StoreError> {
        match record.kind {
            GROUP => {
                self.report.groups += 1;
                for change in mtr::changes(&record.body) {
                    match change.ok_or_else(|| unreadable(record))? {
                        Change::Page(page, op) => pages.apply(pool, page, &op, record.end)?,
                        Change::Rows(count) => {
                            self.counts.entry(count.table).or_default().add(&count)
                        }
                    }
                }
            }
            COMMIT | ROLLED_BACK => {
                let id = record.body[..].try_into().map_err(|_| unreadable(record))?;
                let id = u64::from_be_bytes(id);
                self.report.committed += u64::from(record.kind == COMMIT);
                self.ended.insert(id);
                self.newest = self.newest.max(id);
            }
            _ => return Err(unreadable(record)),
        }
        Ok(())
    }
}

/// A record whose checksum is right and whose content is none that this program writes.
fn unreadable(record: &LogRecord) -> StoreError {
    StoreError::Incomplete {
        what: format!(
            "the log record of kind {} at {} cannot be read: it may be of a newer program",
            record.kind, record.start.0
        ),
    }
}
