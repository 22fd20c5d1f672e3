//! A log on files: the reservation point, and group commit.
//!
//! An append copies its frame into `tail` under one short latch. Whoever wants a position written
//! takes the writer, swaps the tail's bytes for an empty buffer and writes them; whoever wants it
//! durable becomes the leader, does the same and then syncs, with neither latch held, so that
//! appends and writes go on meanwhile. Those who come during a sync sleep; when it ends, those that
//! it covers go home and one of the others leads the next one for all of them.
//!
//! - F1. `durable <= written <= end`, and none moves back. Durable is announced after the sync.
//! - F2. The batch in the writer begins at `written`, and the tail follows on the batch.
//! - F3. The tail's first frame is a mark, filled in when the tail is taken: what was durable then.
//! - F4. After a failed write or sync (but for lack of space) nothing is written any more.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use parking_lot::{Condvar, Mutex};

use crate::{Disk, DiskError, DiskFile, Lsn};

use super::{
    LogError, LogSettings,
    cut::{self, Left},
    frame::{Frame, MARK_BYTES, mark},
    layout::{Layout, aligned},
    segments::{Segments, is_lack_of_space},
};

/// A buffer that grew beyond this is given back to the system once it is written, in bytes.
const BUFFER_KEPT: usize = 4 * 1024 * 1024;

/// A log on files. Latch order: `writer`, `tail`, those of [`Segments`]; `leader` by itself.
#[derive(Debug)]
pub(super) struct FileLog {
    segments: Segments,
    tail: Mutex<Tail>,
    /// The tail's end, to be read without its latch.
    end: AtomicU64,
    writer: Mutex<Writer>,
    written: AtomicU64,
    durable: AtomicU64,
    /// Whether somebody syncs, and who waits for it.
    leader: Mutex<bool>,
    synced: Condvar,
    failed: AtomicBool,
    failure: Mutex<Option<DiskError>>,
}

/// What was appended and not yet taken: the reservation point.
#[derive(Debug)]
struct Tail {
    bytes: Vec<u8>,
    /// Position of the first byte, and after the last one.
    start: u64,
    end: u64,
    /// After a failure positions go on, and bytes would only pile up.
    drops: bool,
}

impl Tail {
    /// Where the next record will lie: after the mark that a batch begins with (F3).
    fn next(&self) -> u64 {
        let begins = self.bytes.is_empty() && !self.drops;
        self.end + if begins { MARK_BYTES as u64 } else { 0 }
    }
}

/// What was taken and is not written yet; what was written and is not synced yet.
#[derive(Debug, Default)]
struct Writer {
    batch: Vec<u8>,
    /// Position of the batch's first byte.
    start: u64,
    /// By their numbers: the log becomes durable from its start.
    unsynced: BTreeMap<u64, Arc<dyn DiskFile>>,
}

/// Makes way for the next leader when it is dropped, also by a panic.
struct Leading<'l>(&'l FileLog);

impl Drop for Leading<'_> {
    fn drop(&mut self) {
        *self.0.leader.lock() = false;
        self.0.synced.notify_all();
    }
}

impl FileLog {
    pub(super) fn create(
        disk: Arc<dyn Disk>,
        identity: u64,
        start: Lsn,
        settings: LogSettings,
    ) -> Result<Self, LogError> {
        let layout = Layout::of(settings)?;
        let start = aligned(start);
        let first = layout.place(start).segment;
        let spare = settings.spare_segments;
        let segments = Segments::create(disk, layout, identity, first, spare)?;
        Ok(Self::at(segments, start))
    }

    pub(super) fn resume(
        disk: Arc<dyn Disk>,
        identity: u64,
        at: Lsn,
        left: Left,
        settings: LogSettings,
    ) -> Result<Self, LogError> {
        let at = aligned(at);
        let segments = cut::cut_at(disk, identity, at, left, settings.spare_segments)?;
        Ok(Self::at(segments, at))
    }

    /// With all below a position durable and nothing above it.
    fn at(segments: Segments, position: u64) -> Self {
        Self {
            segments,
            tail: Mutex::new(Tail {
                bytes: Vec::new(),
                start: position,
                end: position,
                drops: false,
            }),
            end: AtomicU64::new(position),
            writer: Mutex::default(),
            written: AtomicU64::new(position),
            durable: AtomicU64::new(position),
            leader: Mutex::new(false),
            synced: Condvar::new(),
            failed: AtomicBool::new(false),
            failure: Mutex::new(None),
        }
    }

    pub(super) fn append_with<T>(
        &self,
        kind: u8,
        body: &[u8],
        decide: impl FnOnce(Lsn) -> Option<T>,
    ) -> Option<(Lsn, T)> {
        let frame = Frame::new(kind, body);
        let mut tail = self.tail.lock();
        let position = tail.next();
        let end = position + frame.bytes() as u64;
        let decided = decide(Lsn(end))?;
        if !tail.drops {
            if tail.bytes.is_empty() {
                tail.bytes.resize(MARK_BYTES, 0);
            }
            frame.push(self.segments.identity(), position, &mut tail.bytes);
        }
        tail.end = end;
        self.end.store(end, Ordering::Release);
        Some((Lsn(end), decided))
    }

    pub(super) fn at_end<T>(&self, look: impl FnOnce(Lsn) -> T) -> T {
        let tail = self.tail.lock();
        look(Lsn(tail.end))
    }

    pub(super) fn end(&self) -> Lsn {
        Lsn(self.end.load(Ordering::Acquire))
    }

    pub(super) fn written(&self) -> Lsn {
        Lsn(self.written.load(Ordering::Acquire))
    }

    pub(super) fn durable(&self) -> Lsn {
        Lsn(self.durable.load(Ordering::Acquire))
    }

    pub(super) fn failure(&self) -> Option<LogError> {
        if !self.failed.load(Ordering::Acquire) {
            return None;
        }
        let first = self.failure.lock().clone()?;
        Some(LogError::Failed { first })
    }

    pub(super) fn lacks_space(&self) -> bool {
        self.segments.lacks_space()
    }

    pub(super) fn prepare(&self) -> Result<(), LogError> {
        let current = self.segments.layout().place(self.end().0).segment;
        Ok(self.segments.prepare(current)?)
    }

    /// Never forgets what is not durable, nor the segment that is being written.
    pub(super) fn forget_before(&self, position: Lsn) -> Result<(), LogError> {
        let layout = self.segments.layout();
        let number = layout.place(position.min(self.durable()).0).segment;
        let current = layout.place(self.end().0).segment;
        Ok(self.segments.forget_before(number, current)?)
    }

    pub(super) fn make_written(&self, position: Lsn) -> Result<(), LogError> {
        if self.written() >= position {
            return Ok(());
        }
        let mut writer = self.writer.lock();
        if self.written() >= position {
            return Ok(());
        }
        self.write(&mut writer)
    }

    pub(super) fn make_durable(&self, position: Lsn) -> Result<(), LogError> {
        loop {
            if self.durable() >= position {
                return Ok(());
            }
            let mut leader = self.leader.lock();
            if self.durable() >= position {
                return Ok(());
            }
            if *leader {
                self.synced.wait(&mut leader);
                continue;
            }
            *leader = true;
            drop(leader);
            let _leading = Leading(self);
            return self.write_and_sync();
        }
    }

    /// The leader's work: everything appended so far becomes durable.
    fn write_and_sync(&self) -> Result<(), LogError> {
        let (target, unsynced) = {
            let mut writer = self.writer.lock();
            self.write(&mut writer)?;
            (self.written(), std::mem::take(&mut writer.unsynced))
        };
        for file in unsynced.values() {
            file.sync().map_err(|error| self.fail(error))?;
        }
        self.durable.store(target.0, Ordering::Release);
        if let Some((last, _)) = unsynced.last_key_value() {
            self.segments.close_before(*last);
        }
        Ok(())
    }

    /// Writes all that was appended. What lacks space stays in the writer, for another attempt.
    fn write(&self, writer: &mut Writer) -> Result<(), LogError> {
        if let Some(failure) = self.failure() {
            return Err(failure);
        }
        self.take_tail(writer);
        let length = writer.batch.len();
        if length == 0 {
            return Ok(());
        }
        let layout = self.segments.layout();
        let end = writer.start + length as u64;
        self.segments.reach(layout.place(end - 1).segment)?;
        let mut rest = &writer.batch[..];
        for (place, count) in layout.parts(writer.start, length) {
            let (now, later) = rest.split_at(count);
            let file = self.segments.file(place.segment)?;
            writer.unsynced.insert(place.segment, Arc::clone(&file));
            self.segments
                .note(file.write_at(place.offset, now))
                .map_err(|error| self.fail_unless_full(error))?;
            rest = later;
        }
        writer.batch.clear();
        writer.batch.shrink_to(BUFFER_KEPT);
        self.written.store(end, Ordering::Release);
        Ok(())
    }

    /// Moves the tail's bytes to the end of the batch and fills in their mark (F2, F3).
    fn take_tail(&self, writer: &mut Writer) {
        let at = writer.batch.len();
        {
            let mut tail = self.tail.lock();
            if tail.bytes.is_empty() {
                return;
            }
            if at == 0 {
                writer.start = tail.start;
                std::mem::swap(&mut writer.batch, &mut tail.bytes);
            } else {
                writer.batch.append(&mut tail.bytes);
            }
            tail.start = tail.end;
        }
        let position = writer.start + at as u64;
        let mark = mark(self.segments.identity(), position, self.durable().0);
        writer.batch[at..at + MARK_BYTES].copy_from_slice(&mark);
    }

    /// A write that found no space may be made again: it is the same bytes at the same place, none
    /// of which anybody relies on.
    fn fail_unless_full(&self, error: DiskError) -> LogError {
        if is_lack_of_space(&error) {
            return error.into();
        }
        self.fail(error)
    }

    /// F4.
    fn fail(&self, error: DiskError) -> LogError {
        let first = self.failure.lock().get_or_insert(error).clone();
        self.failed.store(true, Ordering::Release);
        let mut tail = self.tail.lock();
        tail.drops = true;
        tail.bytes = Vec::new();
        LogError::Failed { first }
    }
}
