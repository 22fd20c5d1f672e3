//! The files of an open log: which exist, which are open, and how more come to be.

use std::{
    collections::BTreeMap,
    io::ErrorKind,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use parking_lot::Mutex;

use crate::{Disk, DiskError, DiskFile};

use super::{
    LogError,
    layout::{self, Layout, UNFINISHED, segment_name},
    segment::SegmentHeader,
};

/// The files of a log.
///
/// Latches, in this order: `making`, `files`. The first is held over calls to the disk, the second
/// never is, so that who only wants a file that exists does not wait for one being made.
#[derive(Debug)]
pub(super) struct Segments {
    disk: Arc<dyn Disk>,
    layout: Layout,
    identity: u64,
    spare_segments: u64,
    /// Held by who makes, recycles or removes a segment.
    making: Mutex<()>,
    /// All that exist, with those that are open. Without gaps from the oldest still needed.
    files: Mutex<BTreeMap<u64, Option<Arc<dyn DiskFile>>>>,
    /// The largest number in `files`.
    last: AtomicU64,
    /// Whether the last attempt to take space failed for want of it.
    lacks_space: AtomicBool,
}

impl Segments {
    /// The segments of a new log, from the one numbered `first`, which is made. Whatever files of
    /// a log are there are removed.
    pub(super) fn create(
        disk: Arc<dyn Disk>,
        layout: Layout,
        identity: u64,
        first: u64,
        spare_segments: u32,
    ) -> Result<Self, LogError> {
        let old = layout::numbers(&*disk)?;
        for number in &old {
            disk.remove(&segment_name(*number))?;
        }
        if !old.is_empty() {
            disk.sync_directory()?;
        }
        let segments = Self::of(disk, layout, identity, BTreeMap::new(), spare_segments);
        segments.make(first, None)?;
        Ok(segments)
    }

    /// The segments that exist.
    pub(super) fn of(
        disk: Arc<dyn Disk>,
        layout: Layout,
        identity: u64,
        files: BTreeMap<u64, Option<Arc<dyn DiskFile>>>,
        spare_segments: u32,
    ) -> Self {
        let last = files.keys().next_back().copied().unwrap_or_default();
        Self {
            disk,
            layout,
            identity,
            spare_segments: u64::from(spare_segments),
            making: Mutex::new(()),
            files: Mutex::new(files),
            last: AtomicU64::new(last),
            lacks_space: AtomicBool::new(false),
        }
    }

    pub(super) fn layout(&self) -> Layout {
        self.layout
    }

    pub(super) fn identity(&self) -> u64 {
        self.identity
    }

    pub(super) fn lacks_space(&self) -> bool {
        self.lacks_space.load(Ordering::Acquire)
    }

    /// Remembers whether there was space.
    pub(super) fn note<T>(&self, result: Result<T, DiskError>) -> Result<T, DiskError> {
        let lacks = result.as_ref().is_err_and(is_lack_of_space);
        if lacks || result.is_ok() {
            self.lacks_space.store(lacks, Ordering::Release);
        }
        result
    }

    fn last(&self) -> u64 {
        self.last.load(Ordering::Acquire)
    }

    /// Makes segments until there are as many spare ones after `current` as there should be.
    pub(super) fn prepare(&self, current: u64) -> Result<(), DiskError> {
        self.reach(current + self.spare_segments)
    }

    /// Makes segments until the one numbered `number` exists.
    pub(super) fn reach(&self, number: u64) -> Result<(), DiskError> {
        while self.last() < number {
            let _making = self.making.lock();
            let next = self.last() + 1;
            if next <= number {
                self.make(next, None)?;
            }
        }
        Ok(())
    }

    /// Makes a segment, out of nothing or out of an old one. The caller holds `making`, or is
    /// alone.
    fn make(&self, number: u64, old: Option<u64>) -> Result<(), DiskError> {
        let header = SegmentHeader {
            layout: self.layout,
            identity: self.identity,
            number,
        };
        let file = match old {
            Some(old) => header.recycle(&*self.disk, old)?,
            None => self.note(header.create(&*self.disk))?,
        };
        self.files.lock().insert(number, Some(file));
        self.last.store(number, Ordering::Release);
        Ok(())
    }

    /// An existing segment, opened if need be.
    pub(super) fn file(&self, number: u64) -> Result<Arc<dyn DiskFile>, DiskError> {
        if let Some(Some(file)) = self.files.lock().get(&number) {
            return Ok(Arc::clone(file));
        }
        let file = self.disk.open(&segment_name(number), false)?;
        self.files.lock().insert(number, Some(Arc::clone(&file)));
        Ok(file)
    }

    /// Closes the files before one that will not be written again.
    pub(super) fn close_before(&self, number: u64) {
        // They were opened in order: none is open before one that is not.
        let mut files = self.files.lock();
        let before = files.range_mut(..number).rev();
        for (_, file) in before.take_while(|(_, file)| file.is_some()) {
            *file = None;
        }
    }

    /// Recycles the segments before `number` until there are enough spare ones after `current`,
    /// and removes the rest.
    pub(super) fn forget_before(&self, number: u64, current: u64) -> Result<(), DiskError> {
        let _making = self.making.lock();
        let old: Vec<u64> = {
            let files = self.files.lock();
            files.range(..number).map(|(number, _)| *number).collect()
        };
        for old in &old {
            // Off the list first: whatever becomes of it, it is no file of the log any more.
            self.files.lock().remove(old);
            if self.last() < current + self.spare_segments && self.is_whole(*old)? {
                self.make(self.last() + 1, Some(*old))?;
            } else {
                self.disk.remove(&segment_name(*old))?;
            }
        }
        if !old.is_empty() {
            self.disk.sync_directory()?;
        }
        Ok(())
    }

    fn is_whole(&self, number: u64) -> Result<bool, DiskError> {
        let file = self.disk.open(&segment_name(number), false)?;
        Ok(file.len()? == u64::from(self.layout.segment_bytes()))
    }

    /// Removes what an interrupted creation left.
    pub(super) fn remove_unfinished(disk: &dyn Disk) -> Result<(), DiskError> {
        if disk.list()?.iter().any(|name| name == UNFINISHED) {
            disk.remove(UNFINISHED)?;
        }
        Ok(())
    }
}

/// Whether a call failed because there is no space, or no more of it for us.
pub(super) fn is_lack_of_space(error: &DiskError) -> bool {
    matches!(
        error.kind,
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded
    )
}
