//! The page table: which page is in which frame, in shards, each with a clock of its own.

use std::sync::{Arc, atomic::Ordering};

use gaplock_wal::PageNo;
use parking_lot::{Mutex, MutexGuard};
use rustc_hash::FxHashMap;

use super::frame::{Frame, Pinned};

const SHARDS: usize = 16;

#[derive(Debug, Default)]
pub(super) struct PageTable {
    shards: [Mutex<Shard>; SHARDS],
}

#[derive(Debug, Default)]
pub(super) struct Shard {
    frames: FxHashMap<PageNo, Arc<Frame>>,
    /// The same frames in the order of the clock.
    clock: Vec<Arc<Frame>>,
    hand: usize,
}

/// What a sweep of a shard's clock has found.
pub(super) enum Swept {
    /// A frame was free to go, and is gone.
    Gone,
    /// A frame is free to go once it is written.
    Dirty(Pinned),
    /// All frames are in use.
    Nothing,
}

impl PageTable {
    pub(super) fn shard(&self, page: PageNo) -> MutexGuard<'_, Shard> {
        self.shards[page.0 as usize % SHARDS].lock()
    }

    /// All shards, beginning with number `first`.
    pub(super) fn shards_from(&self, first: usize) -> impl Iterator<Item = &Mutex<Shard>> {
        (0..SHARDS).map(move |at| &self.shards[(first + at) % SHARDS])
    }
}

impl Shard {
    /// Finds and pins a page's frame.
    pub(super) fn pin(&self, page: PageNo) -> Option<Pinned> {
        let frame = self.frames.get(&page)?;
        if !frame.referenced.load(Ordering::Relaxed) {
            frame.referenced.store(true, Ordering::Relaxed);
        }
        Some(Pinned::new(frame))
    }

    pub(super) fn insert(&mut self, frame: Arc<Frame>) {
        self.clock.push(Arc::clone(&frame));
        self.frames.insert(frame.page_no, frame);
    }

    pub(super) fn remove(&mut self, frame: &Arc<Frame>) {
        self.frames.remove(&frame.page_no);
        self.clock.retain(|other| !Arc::ptr_eq(other, frame));
    }

    pub(super) fn frames(&self) -> &[Arc<Frame>] {
        &self.clock
    }

    /// Looks for a frame that nobody uses, passing each at most twice.
    pub(super) fn sweep(&mut self) -> Swept {
        for _ in 0..2 * self.clock.len() {
            self.hand = (self.hand + 1) % self.clock.len();
            let frame = Arc::clone(&self.clock[self.hand]);
            if frame.is_pinned() || frame.referenced.swap(false, Ordering::Relaxed) {
                continue;
            }
            if frame.is_dirty() {
                return Swept::Dirty(Pinned::new(&frame));
            }
            self.frames.remove(&frame.page_no);
            self.clock.swap_remove(self.hand);
            return Swept::Gone;
        }
        Swept::Nothing
    }

    /// Lets go of a frame that was just written, and takes it out unless it is in use again or
    /// differs again.
    pub(super) fn evict_written(&mut self, written: Pinned) -> bool {
        let frame = Arc::clone(written.frame());
        drop(written);
        let free = !frame.is_pinned() && !frame.is_dirty();
        if free {
            self.remove(&frame);
        }
        free
    }
}
