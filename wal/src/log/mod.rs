//! The log: records appended at one point, made durable in groups, read back after a crash.
//!
//! A record is a kind and a body of bytes that only its writer understands. Appending copies it
//! into memory, at a position that is given out at the *reservation point*: one at a time, in
//! order. A position (an [`Lsn`]) counts the bytes before it. The record becomes durable when
//! somebody asks for it ([`Log::make_durable`]); one sync serves all who ask at about the same
//! time. How often to ask is the caller's policy. In terms of MySQL's `flush_log_at_commit`:
//! 1 is `make_durable` at each commit, 2 is `make_written` at each commit and 0 is neither, both
//! with a `make_durable` about once a second.
//!
//! ```text
//!   durable()        written()                    end()
//!      |                |                           |
//!  ----+----------------+---------------------------+
//!   on the disk   in the system's cache   in memory, where `append` put it
//! ```
//!
//! On disk the log is a sequence of segments, files of one size, zero-filled and synced before
//! they get their names, so that writing the log allocates nothing: it cannot meet a full disk,
//! and a sync has no file sizes to write. Spare ones are made ahead by [`Log::prepare`];
//! [`Log::forget_before`] turns those that a checkpoint has made superfluous into new spare ones.
//!
//! After a crash a [`LogScan`] reads from the position in the [`Control`] file to the end, and
//! [`Log::resume`] goes on there. See [`scan`] for how the end is told from damage.
//!
//! - G1. A record lies at `start..end`; the next one starts at `end` or later. Positions never
//!   move back.
//! - G2. `durable() <= written() <= end()`.
//! - G3. At the reservation point stands one thread at a time: an append, a decision of
//!   [`Log::append_with`], a look of [`Log::at_end`].
//! - G4. What was once durable is read back as it was written, or there is a typed error. What
//!   was not is read back up to some record, and nothing after it.
//! - G5. A write is taken to leave alone what lies beside it: power failing during a write may
//!   leave any mixture of old and new in its bytes, not in others.
//!
//! | room | what is there |
//! |---|---|
//! | [`frame`] | a record's bytes, with the offset table |
//! | [`layout`], [`segment`], [`segments`] | positions and files; a segment's header, with the table; all files of an open log |
//! | [`files`] | the log on files: buffer, group commit, failure |
//! | [`memory`] | logs without files |
//! | [`reader`], [`marks`] | reading by positions; what flushes have testified |
//! | [`scan`], [`cut`] | from a checkpoint to the end; going on there |
//! | [`control`], [`state`] | where recovery begins, and what the user wants to know then |

mod control;
mod cut;
mod error;
mod files;
mod frame;
mod layout;
mod marks;
mod memory;
mod reader;
mod scan;
mod segment;
mod segments;
mod state;
#[cfg(test)]
mod tests;

use std::sync::Arc;

pub use control::{Checkpoint, Control};
pub use error::LogError;
pub use scan::LogScan;

use crate::{Disk, Lsn};
use cut::Left;
use files::FileLog;
use memory::MemoryLog;

/// A record, as it was appended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogRecord {
    /// Its position.
    pub start: Lsn,
    /// The position after it.
    pub end: Lsn,
    /// What the user says it is; below [`Log::OWN_KINDS`].
    pub kind: u8,
    /// The user's bytes.
    pub body: Arc<[u8]>,
}

/// How a new log lies in its files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogSettings {
    /// Length of each file, in bytes: a multiple of 4096, from 16 KiB to 1 GiB. An existing log
    /// keeps the length that it was created with.
    pub segment_bytes: u32,
    /// Files kept ready beyond the one in use.
    pub spare_segments: u32,
}

impl Default for LogSettings {
    fn default() -> Self {
        Self {
            segment_bytes: 16 * 1024 * 1024,
            spare_segments: 2,
        }
    }
}

/// A log. See the module for its invariants.
#[derive(Debug)]
pub struct Log {
    place: Place,
}

#[derive(Debug)]
enum Place {
    Memory(MemoryLog),
    Files(Box<FileLog>),
}

impl Log {
    /// Kinds from here on are the log's own.
    pub const OWN_KINDS: u8 = frame::OWN_KINDS;
    /// Longest body of a record, in bytes.
    pub const BODY_MAX: usize = frame::BODY_MAX;

    /// A log that keeps nothing: positions advance, bytes are dropped.
    #[must_use]
    pub fn discarding(start: Lsn) -> Self {
        Self {
            place: Place::Memory(MemoryLog::new(start, false)),
        }
    }

    /// A log that keeps all records in memory, to be looked at.
    #[must_use]
    pub fn keeping(start: Lsn) -> Self {
        Self {
            place: Place::Memory(MemoryLog::new(start, true)),
        }
    }

    /// A new log, in place of any that is there, beginning at `start` (rounded up to a multiple
    /// of eight). It is durable when this returns. `identity` is the database's.
    ///
    /// # Errors
    /// `Settings`; `Disk`.
    pub fn create(
        disk: Arc<dyn Disk>,
        identity: u64,
        start: Lsn,
        settings: LogSettings,
    ) -> Result<Self, LogError> {
        let log = FileLog::create(disk, identity, start, settings)?;
        Ok(Self {
            place: Place::Files(Box::new(log)),
        })
    }

    /// The log whose records end at `at`, as a [`LogScan`] found: it goes on there. Whatever lies
    /// beyond is destroyed, and all below is durable, when this returns. A crash meanwhile changes
    /// nothing for the next attempt.
    ///
    /// # Errors
    /// `Missing` if no file holds the position; `OtherDatabase`, `NewerFormat`, `Damaged`; `Disk`.
    pub fn resume(
        disk: Arc<dyn Disk>,
        identity: u64,
        at: Lsn,
        settings: LogSettings,
    ) -> Result<Self, LogError> {
        let log = FileLog::resume(disk, identity, at, Left::Anyhow, settings)?;
        Ok(Self {
            place: Place::Files(Box::new(log)),
        })
    }

    /// The same for a log that was left in order: a [`Checkpoint`] that is `clean` says that all of
    /// it was durable, and ended here. Nothing of it is read.
    ///
    /// # Errors
    /// As [`Self::resume`].
    pub fn reopen(
        disk: Arc<dyn Disk>,
        identity: u64,
        at: Lsn,
        settings: LogSettings,
    ) -> Result<Self, LogError> {
        let log = FileLog::resume(disk, identity, at, Left::InOrder, settings)?;
        Ok(Self {
            place: Place::Files(Box::new(log)),
        })
    }

    /// Appends a record; returns the position after it. Never waits for the disk, and never
    /// fails: after a failure of the disk positions go on, and nothing becomes durable.
    ///
    /// # Panics
    /// When the kind is one of the log's own, or the body longer than [`Log::BODY_MAX`].
    pub fn append(&self, kind: u8, body: &[u8]) -> Lsn {
        check(kind, body);
        match &self.place {
            Place::Memory(log) => log.append(kind, body),
            Place::Files(log) => {
                let appended = log.append_with(kind, body, |_| Some(()));
                appended.expect("decided so").0
            }
        }
    }

    /// Appends a record if `decide`, which is called at the reservation point with the position
    /// after the record, says so (G3). It must be quick, and must not use the log.
    ///
    /// # Panics
    /// As [`Log::append`].
    pub fn append_with<T>(
        &self,
        kind: u8,
        body: &[u8],
        decide: impl FnOnce(Lsn) -> Option<T>,
    ) -> Option<(Lsn, T)> {
        check(kind, body);
        match &self.place {
            Place::Memory(log) => log.append_with(kind, body, decide),
            Place::Files(log) => log.append_with(kind, body, decide),
        }
    }

    /// Calls `look` at the reservation point with the log's end: nothing is appended meanwhile
    /// (G3). It must be quick, and must not use the log.
    pub fn at_end<T>(&self, look: impl FnOnce(Lsn) -> T) -> T {
        match &self.place {
            Place::Memory(log) => log.at_end(look),
            Place::Files(log) => log.at_end(look),
        }
    }

    /// The position after the last record.
    #[must_use]
    pub fn end(&self) -> Lsn {
        match &self.place {
            Place::Memory(log) => log.end(),
            Place::Files(log) => log.end(),
        }
    }

    /// Everything below this position was handed to the system, and outlives this process. A log
    /// in memory owes nothing: its end.
    #[must_use]
    pub fn written(&self) -> Lsn {
        match &self.place {
            Place::Memory(log) => log.end(),
            Place::Files(log) => log.written(),
        }
    }

    /// Everything below this position is durable. A log in memory owes nothing: its end.
    #[must_use]
    pub fn durable(&self) -> Lsn {
        match &self.place {
            Place::Memory(log) => log.end(),
            Place::Files(log) => log.durable(),
        }
    }

    /// Returns once everything below `position` was handed to the system.
    ///
    /// # Errors
    /// `Disk` if there is no space, or no further segment could be made: all stays in memory, and
    /// another call tries again. `Failed` after a failed write or sync.
    ///
    /// # Panics
    /// When the position was never given out.
    pub fn make_written(&self, position: Lsn) -> Result<(), LogError> {
        self.check_given_out(position);
        match &self.place {
            Place::Memory(_) => Ok(()),
            Place::Files(log) => log.make_written(position),
        }
    }

    /// Returns once everything below `position` is durable: at a commit, and before a page with
    /// that position is written. One thread writes and syncs for all who wait.
    ///
    /// # Errors
    /// `Disk` if there is no space, or no further segment could be made: all stays in memory, and
    /// another call tries again. `Failed` after a failed write or sync: what is not durable is in
    /// doubt.
    ///
    /// # Panics
    /// When the position was never given out.
    pub fn make_durable(&self, position: Lsn) -> Result<(), LogError> {
        self.check_given_out(position);
        match &self.place {
            Place::Memory(_) => Ok(()),
            Place::Files(log) => log.make_durable(position),
        }
    }

    fn check_given_out(&self, position: Lsn) {
        assert!(position <= self.end(), "{position} was never given out");
    }

    /// The failure after which nothing above `durable()` becomes durable any more.
    #[must_use]
    pub fn failure(&self) -> Option<LogError> {
        match &self.place {
            Place::Memory(_) => None,
            Place::Files(log) => log.failure(),
        }
    }

    /// Makes spare segments if some are missing: called often enough, appends never have to wait
    /// for one. Cheap when there is nothing to do.
    ///
    /// # Errors
    /// `Disk`, and nothing was lost.
    pub fn prepare(&self) -> Result<(), LogError> {
        match &self.place {
            Place::Memory(_) => Ok(()),
            Place::Files(log) => log.prepare(),
        }
    }

    /// Whether there was no space when the log last tried to take some.
    #[must_use]
    pub fn lacks_space(&self) -> bool {
        match &self.place {
            Place::Memory(_) => false,
            Place::Files(log) => log.lacks_space(),
        }
    }

    /// Recycles or removes the segments that lie wholly below `position`: recovery will not begin
    /// below it. What is not durable is never forgotten.
    ///
    /// # Errors
    /// `Disk`; some of the segments may then remain, and go with another call or another opening.
    pub fn forget_before(&self, position: Lsn) -> Result<(), LogError> {
        match &self.place {
            Place::Memory(_) => Ok(()),
            Place::Files(log) => log.forget_before(position),
        }
    }

    /// Whether it lies in files.
    #[must_use]
    pub fn keeps_files(&self) -> bool {
        matches!(self.place, Place::Files(_))
    }

    /// The records of a log that keeps them in memory, in the order of their positions.
    #[must_use]
    pub fn records(&self) -> Vec<LogRecord> {
        match &self.place {
            Place::Memory(log) => log.records(),
            Place::Files(_) => Vec::new(),
        }
    }

    /// A copy for a forked engine. That of a log on files keeps nothing.
    #[must_use]
    pub fn fork(&self) -> Self {
        match &self.place {
            Place::Memory(log) => Self {
                place: Place::Memory(log.fork()),
            },
            Place::Files(log) => Self::discarding(log.end()),
        }
    }
}

fn check(kind: u8, body: &[u8]) {
    assert!(kind < Log::OWN_KINDS, "kind {kind:#x} is the log's own");
    assert!(
        body.len() <= Log::BODY_MAX,
        "a record of {} bytes, the limit is {}",
        body.len(),
        Log::BODY_MAX
    );
}
