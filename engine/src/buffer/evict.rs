//! Writing pages, and finding a frame for a page that comes in.

use std::{sync::Arc, sync::atomic::Ordering, time::Duration};

use gaplock_wal::{FileId, PageNo};

use super::{
    frame::{Frame, FrameContent},
    pool::BufferPool,
    table::Swept,
};
use crate::{
    error::StoreError,
    page::{PAGE_SIZE, Page},
};

/// How often a frame is looked for before giving up: some of it at once, the rest a millisecond
/// apart. Frames are pinned for microseconds; if none came free by then, none will.
const ATTEMPTS_AT_ONCE: usize = 100;
const ATTEMPTS: usize = ATTEMPTS_AT_ONCE + 500;

/// Most pages by which the data file grows at a time.
const EXTENSION_MAX: u64 = 64;

/// The data file.
pub(super) const FILE: FileId = FileId(0);

pub(super) fn page_offset(page: PageNo) -> u64 {
    u64::from(page.0) * PAGE_SIZE as u64
}

impl BufferPool {
    /// Makes room for one more frame (B1), at the expense of one that nobody uses.
    pub(super) fn claim_frame(&self) -> Result<(), StoreError> {
        for attempt in 0..ATTEMPTS {
            let more = |used: usize| (used < self.config.frames).then_some(used + 1);
            let claimed = self
                .used
                .fetch_update(Ordering::AcqRel, Ordering::Acquire, more);
            if claimed.is_ok() || self.evict_one()? {
                return Ok(());
            }
            if attempt < ATTEMPTS_AT_ONCE {
                std::thread::yield_now();
            } else {
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        Err(StoreError::PoolExhausted)
    }

    /// Takes one frame out of the table, if any can go. A page that cannot be written stays; others may
    /// still go.
    fn evict_one(&self) -> Result<bool, StoreError> {
        let first = self.hand.fetch_add(1, Ordering::Relaxed);
        let mut failed = None;
        for shard in self.table.shards_from(first) {
            let swept = shard.lock().sweep();
            match swept {
                Swept::Gone => return Ok(true),
                Swept::Nothing => {}
                Swept::Dirty(pinned) => {
                    // B6: a latched page is in use again, try elsewhere.
                    let frame = Arc::clone(pinned.frame());
                    let Some(content) = frame.content.try_read() else {
                        continue;
                    };
                    if let Err(error) = self.write_frame(&frame, &content) {
                        failed = Some(error);
                        continue;
                    }
                    drop(content);
                    if shard.lock().evict_written(pinned) {
                        return Ok(true);
                    }
                }
            }
        }
        failed.map_or(Ok(false), Err)
    }

    /// Writes a frame's page, if it differs from the disk. The caller holds the page latch and a
    /// pin: nobody changes the page meanwhile, and nobody takes it for written before it is.
    fn write_frame(&self, frame: &Frame, content: &FrameContent) -> Result<(), StoreError> {
        let Some(page) = content else {
            return Ok(());
        };
        if !frame.is_dirty() {
            return Ok(());
        }
        if let Some(failure) = self.failed() {
            return Err(failure);
        }
        self.log.make_durable(page.lsn())?;
        let mut sealed = Page::clone(page);
        sealed.seal(FILE);
        self.file
            .write_at(page_offset(frame.page_no), sealed.bytes())
            .map_err(|error| self.fail(error.into()))?;
        self.versions.set(frame.page_no, page.lsn());
        frame.set_dirty(false);
        self.writes.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// Why nothing can be written any more, if so: a write or sync of the log or of the data file
    /// has failed. What is on the disk is then only known after opening the database anew.
    #[must_use]
    pub fn failed(&self) -> Option<StoreError> {
        let own = self.failure.get().cloned();
        own.or_else(|| self.log.failure().map(StoreError::from))
    }

    /// A write or sync of a file failed; gives the error back. A full disk passes: the page is still
    /// here, and will be written whole.
    pub(crate) fn fail(&self, error: StoreError) -> StoreError {
        if !error.is_disk_full() {
            self.failure.get_or_init(|| error.clone());
        }
        error
    }

    /// Makes sure that the data file has room for a page, so that a full disk is met before
    /// anything is changed. It grows by a quarter, at most by a mebibyte.
    pub(crate) fn extend_to(&self, page: PageNo) -> Result<(), StoreError> {
        let needed = page_offset(page) + PAGE_SIZE as u64;
        if !self.log.keeps_files() || self.file_length.load(Ordering::Acquire) >= needed {
            return Ok(());
        }
        let more = (u64::from(page.0) / 4).clamp(1, EXTENSION_MAX);
        let zeros = vec![0; PAGE_SIZE * more as usize];
        // Others extend too, under the latch of the space header: one after another.
        self.file.write_at(page_offset(page), &zeros)?;
        self.file_length
            .fetch_max(page_offset(page) + zeros.len() as u64, Ordering::AcqRel);
        Ok(())
    }

    /// Writes every changed page and makes the data file durable. The caller holds no page latch.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn flush_all(&self) -> Result<(), StoreError> {
        let mut changed = Vec::new();
        for shard in self.table.shards_from(0) {
            let shard = shard.lock();
            let dirty = shard.frames().iter().filter(|frame| frame.is_dirty());
            changed.extend(dirty.map(|frame| frame.page_no));
        }
        changed.sort();
        for page in changed {
            // Pinned one at a time, to leave frames to others. A page that is gone was written.
            let pinned = self.table.shard(page).pin(page);
            if let Some(pinned) = pinned {
                let content = pinned.content().read();
                self.write_frame(pinned.frame(), &content)?;
            }
        }
        self.file.sync().map_err(|error| self.fail(error.into()))?;
        Ok(())
    }
}
