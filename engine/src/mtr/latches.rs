//! The latches that a mini-transaction holds.

use std::sync::Arc;

use gaplock_wal::PageNo;
use parking_lot::{ArcRwLockReadGuard, ArcRwLockWriteGuard, RawRwLock, RwLock};

use crate::{
    buffer::{BufferPool, FrameContent, Pinned},
    error::StoreError,
    page::{Page, PageOp},
};

/// How a page is latched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LatchMode {
    /// With other readers.
    Shared,
    /// Alone; needed to change the page.
    Exclusive,
}

/// A page latched by a mini-transaction. Means nothing in another one, nor after its release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Latched {
    slot: u32,
    /// Tells this use of the slot from others.
    stamp: u32,
}

type ReadGuard<T> = ArcRwLockReadGuard<RawRwLock, T>;
type WriteGuard<T> = ArcRwLockWriteGuard<RawRwLock, T>;

#[derive(Debug)]
enum Guard<T> {
    Shared(ReadGuard<T>),
    Exclusive(WriteGuard<T>),
}

impl<T> Guard<T> {
    fn take(latch: &Arc<RwLock<T>>, mode: LatchMode) -> Self {
        match mode {
            LatchMode::Shared => Guard::Shared(latch.read_arc()),
            LatchMode::Exclusive => Guard::Exclusive(latch.write_arc()),
        }
    }

    fn try_take(latch: &Arc<RwLock<T>>, mode: LatchMode) -> Option<Self> {
        match mode {
            LatchMode::Shared => latch.try_read_arc().map(Guard::Shared),
            LatchMode::Exclusive => latch.try_write_arc().map(Guard::Exclusive),
        }
    }

    fn mode(&self) -> LatchMode {
        match self {
            Guard::Shared(_) => LatchMode::Shared,
            Guard::Exclusive(_) => LatchMode::Exclusive,
        }
    }
}

/// Whether a latch held in mode `held` serves for `wanted`. A shared latch that should be
/// exclusive is a mistake of the caller: two that wait to upgrade would wait for ever.
fn serves(held: LatchMode, wanted: LatchMode, what: &str) -> bool {
    assert!(
        held == LatchMode::Exclusive || wanted == LatchMode::Shared,
        "{what} is latched shared and cannot be latched exclusively"
    );
    true
}

/// A latched page. Field order matters: the latch goes before the pin.
#[derive(Debug)]
pub(super) struct LatchedPage {
    guard: Guard<FrameContent>,
    pinned: Pinned,
    page_no: PageNo,
    stamp: u32,
    /// How many times it was latched.
    holds: u32,
    pub(super) changed: bool,
    /// Whether its first change made it what it is, whatever was there before.
    pub(super) begun_anew: bool,
}

impl LatchedPage {
    pub(super) fn page(&self) -> &Page {
        let content = match &self.guard {
            Guard::Shared(guard) => guard.as_deref(),
            Guard::Exclusive(guard) => guard.as_deref(),
        };
        content.expect("a latched page was read")
    }

    /// The page, for a change. A page shared with a fork is copied now.
    pub(super) fn page_mut(&mut self) -> &mut Page {
        match &mut self.guard {
            Guard::Exclusive(guard) => {
                let page = guard.as_mut().expect("a latched page was read");
                Arc::make_mut(page)
            }
            Guard::Shared(_) => panic!("page {} is only latched shared", self.page_no.0),
        }
    }

    /// Notes that `op` is about to change the page. It counts as different from the disk from now
    /// on, not only when the change has its place in the log: a checkpoint that begins after that
    /// moment must not miss it.
    pub(super) fn note_change(&mut self, op: &PageOp) {
        if !self.changed {
            self.changed = true;
            self.begun_anew = op.is_complete();
            self.pinned.mark_dirty();
        }
    }

    fn is_ready(&self) -> bool {
        match &self.guard {
            Guard::Shared(guard) => guard.is_some(),
            Guard::Exclusive(guard) => guard.is_some(),
        }
    }
}

/// All latches of one mini-transaction.
#[derive(Debug, Default)]
pub(super) struct Latches {
    pages: Vec<Option<LatchedPage>>,
    trees: Vec<(u64, Guard<()>)>,
    next_stamp: u32,
}

impl Latches {
    /// Latches a page, waiting for it.
    pub(super) fn latch(
        &mut self,
        pool: &BufferPool,
        page: PageNo,
        mode: LatchMode,
        fresh: bool,
    ) -> Result<Latched, StoreError> {
        if let Some(latched) = self.hold_again(page, mode) {
            return Ok(latched);
        }
        loop {
            let pinned = if fresh {
                pool.pin_fresh(page)?
            } else {
                pool.pin(page)?
            };
            let guard = Guard::take(pinned.content(), mode);
            if let Some(latched) = self.keep(page, pinned, guard) {
                return Ok(latched);
            }
        }
    }

    /// Latches a page if that is possible at once.
    pub(super) fn try_latch(
        &mut self,
        pool: &BufferPool,
        page: PageNo,
        mode: LatchMode,
    ) -> Result<Option<Latched>, StoreError> {
        if let Some(latched) = self.hold_again(page, mode) {
            return Ok(Some(latched));
        }
        let pinned = pool.pin(page)?;
        let guard = Guard::try_take(pinned.content(), mode);
        Ok(guard.and_then(|guard| self.keep(page, pinned, guard)))
    }

    /// The handle of a page that is latched already.
    pub(super) fn held(&self, page: PageNo) -> Option<Latched> {
        let same =
            |entry: &Option<LatchedPage>| entry.as_ref().is_some_and(|entry| entry.page_no == page);
        let slot = self.pages.iter().position(same)?;
        self.pages[slot].as_ref().map(|entry| Latched {
            slot: slot as u32,
            stamp: entry.stamp,
        })
    }

    fn hold_again(&mut self, page: PageNo, mode: LatchMode) -> Option<Latched> {
        let latched = self.held(page)?;
        let entry = self.entry_mut(latched);
        entry.holds += 1;
        serves(entry.guard.mode(), mode, "a page").then_some(latched)
    }

    /// `None` if the page could not be read by who tried.
    fn keep(
        &mut self,
        page_no: PageNo,
        pinned: Pinned,
        guard: Guard<FrameContent>,
    ) -> Option<Latched> {
        self.next_stamp += 1;
        let stamp = self.next_stamp;
        let entry = LatchedPage {
            guard,
            pinned,
            page_no,
            stamp,
            holds: 1,
            changed: false,
            begun_anew: false,
        };
        if !entry.is_ready() {
            return None;
        }
        let free = self.pages.iter().position(Option::is_none);
        let slot = free.unwrap_or_else(|| {
            self.pages.push(None);
            self.pages.len() - 1
        });
        self.pages[slot] = Some(entry);
        Some(Latched {
            slot: slot as u32,
            stamp,
        })
    }

    pub(super) fn entry(&self, latched: Latched) -> &LatchedPage {
        self.pages[latched.slot as usize]
            .as_ref()
            .filter(|entry| entry.stamp == latched.stamp)
            .expect("the handle is of a page that is latched")
    }

    pub(super) fn entry_mut(&mut self, latched: Latched) -> &mut LatchedPage {
        self.pages[latched.slot as usize]
            .as_mut()
            .filter(|entry| entry.stamp == latched.stamp)
            .expect("the handle is of a page that is latched")
    }

    pub(super) fn is_exclusive(&self, latched: Latched) -> bool {
        self.entry(latched).guard.mode() == LatchMode::Exclusive
    }

    /// Gives back one hold of a page, and with the last its latch.
    pub(super) fn release(&mut self, latched: Latched) {
        let entry = self.entry_mut(latched);
        entry.holds -= 1;
        if entry.holds == 0 {
            assert!(!entry.changed, "a changed page stays latched (M3)");
            self.pages[latched.slot as usize] = None;
        }
    }

    pub(super) fn pages_mut(&mut self) -> impl Iterator<Item = &mut LatchedPage> {
        self.pages.iter_mut().flatten()
    }

    pub(super) fn pages(&self) -> impl Iterator<Item = &LatchedPage> {
        self.pages.iter().flatten()
    }

    /// How a tree's latch is held, if it is.
    pub(super) fn tree_mode(&self, index: u64) -> Option<LatchMode> {
        let held = self.trees.iter().find(|(held, _)| *held == index);
        held.map(|(_, guard)| guard.mode())
    }

    pub(super) fn latch_tree(&mut self, index: u64, latch: &Arc<RwLock<()>>, mode: LatchMode) {
        if let Some(held) = self.tree_mode(index) {
            assert!(serves(held, mode, "a tree"));
        } else {
            self.trees.push((index, Guard::take(latch, mode)));
        }
    }

    pub(super) fn release_tree(&mut self, index: u64) {
        self.trees.retain(|(held, _)| *held != index);
    }
}
