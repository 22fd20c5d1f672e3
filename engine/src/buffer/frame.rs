//! One page in memory.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use gaplock_wal::PageNo;
use parking_lot::RwLock;

use crate::page::Page;

/// What a page latch protects: the page, or nothing while it is being read (the reader holds the
/// latch) and after that has failed (the frame is then no longer in the table).
pub(crate) type FrameContent = Option<Arc<Page>>;

/// One page in memory.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) page_no: PageNo,
    pub(super) content: Arc<RwLock<FrameContent>>,
    pins: AtomicUsize,
    /// Whether the page differs from the disk. Set under an exclusive latch, cleared under a
    /// shared one by whoever has written it.
    dirty: AtomicBool,
    /// Used since the clock hand last passed.
    pub(super) referenced: AtomicBool,
}

impl Frame {
    pub(super) fn new(page_no: PageNo, content: FrameContent, dirty: bool) -> Self {
        Self {
            page_no,
            content: Arc::new(RwLock::new(content)),
            pins: AtomicUsize::new(0),
            dirty: AtomicBool::new(dirty),
            referenced: AtomicBool::new(true),
        }
    }

    pub(super) fn is_pinned(&self) -> bool {
        self.pins.load(Ordering::Acquire) > 0
    }

    pub(super) fn is_dirty(&self) -> bool {
        self.dirty.load(Ordering::Acquire)
    }

    pub(super) fn set_dirty(&self, dirty: bool) {
        self.dirty.store(dirty, Ordering::Release);
    }
}

/// A frame that stays in memory for as long as this lives. Page latches must go first.
#[derive(Debug)]
pub(crate) struct Pinned {
    frame: Arc<Frame>,
}

impl Pinned {
    /// Pins a frame; the caller holds the shard's latch, or nobody else knows the frame (B3).
    pub(super) fn new(frame: &Arc<Frame>) -> Self {
        frame.pins.fetch_add(1, Ordering::AcqRel);
        Self {
            frame: Arc::clone(frame),
        }
    }

    pub(super) fn frame(&self) -> &Arc<Frame> {
        &self.frame
    }

    /// The page and its latch.
    pub(crate) fn content(&self) -> &Arc<RwLock<FrameContent>> {
        &self.frame.content
    }

    /// Notes, under an exclusive latch, that the page differs from the disk.
    pub(crate) fn mark_dirty(&self) {
        self.frame.set_dirty(true);
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        self.frame.pins.fetch_sub(1, Ordering::AcqRel);
    }
}
