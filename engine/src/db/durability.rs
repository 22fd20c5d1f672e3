//! How durable commits are, and what happens once the disk has failed.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};

use gaplock_wal::{Control, DiskLock, LogSettings, Lsn};
use parking_lot::Mutex;

use super::Engine;
use crate::{
    error::{Error, StoreError},
    trx::Trx,
};

/// When a commit goes to the disk (`innodb_flush_log_at_trx_commit`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FlushAtCommit {
    /// 0: not with the commit; whoever runs [`Engine::flush_log`] once a second sees to it. A crash of
    /// the program loses the last second.
    Lazily,
    /// 1: before the commit is acknowledged.
    #[default]
    Sync,
    /// 2: handed to the system before the commit is acknowledged, and synced once a second. Only a
    /// crash of the whole machine loses the last second.
    Write,
}

impl FlushAtCommit {
    /// The server variable's value.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Lazily => 0,
            Self::Sync => 1,
            Self::Write => 2,
        }
    }

    /// The policy of that value.
    #[must_use]
    pub fn from_code(code: u8) -> Option<Self> {
        match code {
            0 => Some(Self::Lazily),
            1 => Some(Self::Sync),
            2 => Some(Self::Write),
            _ => None,
        }
    }
}

/// Most bytes of log that wait in memory for a commit or a page to need them.
const UNWRITTEN_MAX: u64 = 4 << 20;

/// How a database is kept in files.
#[derive(Clone, Debug)]
pub struct Durability {
    /// Size and number of the log's files.
    pub log: LogSettings,
    /// When a commit goes to the disk.
    pub flush: FlushAtCommit,
    /// A committing transaction's locks are held, and its changes stay invisible, until it is durable;
    /// as they are on a server with a binary log. Without it both end when the commit has its place in
    /// the log.
    pub hold_locks_until_durable: bool,
    /// A checkpoint is due when this much log, in bytes, was written since the last one began.
    pub checkpoint_after: u64,
    /// A number that tells the files of one database from those of another; used when the database is
    /// created.
    pub identity: u64,
}

impl Default for Durability {
    fn default() -> Self {
        Self {
            log: LogSettings::default(),
            flush: FlushAtCommit::Sync,
            hold_locks_until_durable: false,
            checkpoint_after: 64 << 20,
            identity: 0,
        }
    }
}

/// What an engine keeps that has files.
#[derive(Debug)]
pub(super) struct Files {
    pub(super) settings: Durability,
    /// Latched by whoever makes a checkpoint: one at a time.
    pub(super) control: Mutex<Control>,
    /// From where recovery would begin.
    pub(super) redo: AtomicU64,
    flush: AtomicU8,
    /// Up to where the log has files ready.
    log_room: AtomicU64,
    /// Nothing may be changed any more.
    pub(super) closed: AtomicBool,
    /// Keeps other processes out.
    _lock: DiskLock,
}

impl Files {
    pub(super) fn new(settings: Durability, control: Control, redo: Lsn, lock: DiskLock) -> Self {
        Self {
            flush: AtomicU8::new(settings.flush.code()),
            settings,
            control: Mutex::new(control),
            redo: AtomicU64::new(redo.0),
            log_room: AtomicU64::new(0),
            closed: AtomicBool::new(false),
            _lock: lock,
        }
    }
}

impl Engine {
    /// The flush policy in force.
    #[must_use]
    pub fn flush_at_commit(&self) -> FlushAtCommit {
        self.files
            .as_ref()
            .and_then(|files| FlushAtCommit::from_code(files.flush.load(Ordering::Relaxed)))
            .unwrap_or_default()
    }

    /// Changes the flush policy, for commits from now on.
    pub fn set_flush_at_commit(&self, flush: FlushAtCommit) {
        if let Some(files) = &self.files {
            files.flush.store(flush.code(), Ordering::Relaxed);
        }
    }

    pub(super) fn holds_locks(&self) -> bool {
        self.files
            .as_ref()
            .is_some_and(|files| files.settings.hold_locks_until_durable)
    }

    /// Does for everything up to a position of the log what the flush policy promises.
    pub(super) fn flush_for(&self, position: Lsn) -> Result<(), StoreError> {
        let log = self.pool.log();
        if self.files.is_none() {
            return Ok(());
        }
        match self.flush_at_commit() {
            FlushAtCommit::Lazily => {}
            FlushAtCommit::Sync => log.make_durable(position)?,
            FlushAtCommit::Write => log.make_written(position)?,
        }
        Ok(())
    }

    /// Positions of the log, in bytes: from where recovery would begin, and the end. What lies between
    /// would be done again after a crash.
    #[must_use]
    pub fn log_positions(&self) -> (u64, u64) {
        let end = self.pool.log().end().0;
        let redo = self.files.as_ref();
        let redo = redo.map_or(end, |files| files.redo.load(Ordering::Acquire));
        (redo, end)
    }

    /// Makes everything that was committed so far durable, whatever the flush policy.
    ///
    /// # Errors
    /// When the log cannot be written.
    pub fn flush_log(&self) -> Result<(), Error> {
        let log = self.pool.log();
        log.make_durable(log.end()).map_err(StoreError::from)?;
        Ok(())
    }

    /// Why nothing may be changed any more, if so: a write or sync has failed, or the database was
    /// closed. Opening it anew decides what is there.
    #[must_use]
    pub fn failure(&self) -> Option<StoreError> {
        let files = self.files.as_ref()?;
        if files.closed.load(Ordering::Acquire) {
            return Some(StoreError::Closed);
        }
        self.pool.failed()
    }

    /// Refuses to lock or change anything after a failure.
    pub(crate) fn refuse_after_failure(&self) -> Result<(), Error> {
        match self.failure() {
            None => Ok(()),
            Some(cause) => Err(Error::writes_refused(cause)),
        }
    }

    /// Makes sure, before anything is changed, that the log has files ahead: so a full disk fails the
    /// statement that meets it, and its rollback still has room.
    pub(crate) fn make_log_room(&self) -> Result<(), Error> {
        let Some(files) = &self.files else {
            return Ok(());
        };
        let log = self.pool.log();
        let end = log.end().0;
        if end.saturating_sub(log.written().0) > UNWRITTEN_MAX {
            // A transaction that changes much must not fill the memory with its log.
            log.make_written(Lsn(end)).map_err(StoreError::from)?;
        }
        if end < files.log_room.load(Ordering::Relaxed) && !log.lacks_space() {
            return Ok(());
        }
        log.prepare().map_err(StoreError::from)?;
        let room = u64::from(files.settings.log.segment_bytes) / 2;
        files.log_room.store(end + room, Ordering::Relaxed);
        Ok(())
    }

    /// A read view, unless the transaction has one. Once the log has failed, a view that may have seen
    /// commits that are not durable is of no more use.
    pub(crate) fn ensure_view(&self, trx: &mut Trx) -> Result<(), Error> {
        let failed = self
            .failure()
            .filter(|_| self.pool.log().failure().is_some());
        let durable = self.pool.log().durable();
        match (&trx.view, failed) {
            (Some(view), Some(cause)) if view.seen > durable => Err(Error::in_doubt(cause)),
            (Some(_), _) => Ok(()),
            (None, failed) => {
                trx.view = Some(self.trxs.open_view(failed.map(|_| durable)));
                Ok(())
            }
        }
    }

    /// Commits up to here may be purged: views that are opened after the log has failed must still
    /// find what was there before commits that were not durable.
    pub(crate) fn purge_limit(&self) -> Lsn {
        match self.files {
            Some(_) if self.flush_at_commit() == FlushAtCommit::Sync => self.pool.log().durable(),
            _ => Lsn(u64::MAX),
        }
    }
}
