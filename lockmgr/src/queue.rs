//! The lock structures of one page, and the queue that they form for each of its records.
//!
//! As in InnoDB a [`RecordLock`] stands for all locks of one transaction on one page that have the
//! same mode and span; a bitmap says on which records. So a million row locks are a few thousand
//! structures. The queue of a record is the page's structures that have its bit, in their order:
//!
//! ```text
//!   page 3:4          sup   2   3   4
//!   trx 7  X next-key  1    1   1   .
//!   trx 8  S record    .    .   .   1
//!   trx 9  X record    .    .   1   .    waits (for trx 7)
//! ```
//!
//! A waiting structure has exactly one bit. A granted one may have none: it lost them all
//! before its transaction's end, stays in its owner's count of structures, and can be used again.

use smallvec::SmallVec;

use crate::conflict::{Claim, Verdict, judge, span_covers};
use crate::heap_set::HeapSet;
use crate::provenance::Provenance;
use crate::{GrantKind, HeapNo, LockConfig, LockMode, LockSpan, Origin, StructReuse, TrxId};

/// Whether a structure's locks are held or wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LockState {
    /// Held.
    Granted,
    /// Wanted.
    Waiting {
        /// The first transaction found in the way: the one edge that the one-edge detectors and
        /// contention-aware granting look at.
        blocker: TrxId,
    },
}

/// All locks of one transaction on one page with one mode and span.
#[derive(Clone, Debug)]
pub(crate) struct RecordLock {
    /// Whose they are.
    pub(crate) trx: TrxId,
    /// Names the structure among all of its transaction's, in order of creation.
    pub(crate) sequence: u64,
    /// Strength.
    pub(crate) mode: LockMode,
    /// Precision.
    pub(crate) span: LockSpan,
    /// Held or wanted.
    pub(crate) state: LockState,
    /// On which records.
    pub(crate) heaps: HeapSet,
    /// How many came later and were granted before it although it conflicts with them, while it waits.
    pub(crate) bypassed: u32,
    /// Why, by record.
    pub(crate) origins: Provenance,
}

impl RecordLock {
    /// Whether it is still waited for.
    pub(crate) fn is_waiting(&self) -> bool {
        matches!(self.state, LockState::Waiting { .. })
    }

    /// The lock as the conflict rule sees it.
    pub(crate) fn claim(&self) -> Claim {
        Claim {
            trx: self.trx,
            mode: self.mode,
            span: self.span,
            waiting: self.is_waiting(),
        }
    }

    /// The record that a waiting structure is about.
    pub(crate) fn wanted_heap(&self) -> HeapNo {
        self.heaps.first().expect("a waiting structure has one bit")
    }

    fn is_kind(&self, trx: TrxId, mode: LockMode, span: LockSpan) -> bool {
        self.trx == trx && self.mode == mode && self.span == span && !self.is_waiting()
    }
}

/// What a request meets in a record's queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Conflicts {
    /// The first transaction in the way.
    pub(crate) blocker: Option<TrxId>,
    /// A waiter that the requester blocks itself was passed.
    pub(crate) passed: bool,
}

/// The lock structures of one page in queue order.
#[derive(Clone, Debug, Default)]
pub(crate) struct PageQueue {
    locks: Vec<RecordLock>,
    /// How many structures wait: spares the walk for waiters when there are none.
    waiting: usize,
}

impl PageQueue {
    /// An empty queue that reuses the memory of one that ended.
    pub(crate) fn reusing(memory: Vec<RecordLock>) -> Self {
        debug_assert!(memory.is_empty());
        PageQueue {
            locks: memory,
            waiting: 0,
        }
    }

    /// Gives up the memory of an empty queue.
    pub(crate) fn into_memory(self) -> Vec<RecordLock> {
        debug_assert!(self.locks.is_empty());
        self.locks
    }

    /// The structures in queue order.
    pub(crate) fn locks(&self) -> &[RecordLock] {
        &self.locks
    }

    /// How many structures wait.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting
    }

    /// Whether there is no structure.
    pub(crate) fn is_empty(&self) -> bool {
        self.locks.is_empty()
    }

    /// The structures that have this record's bit, in queue order.
    pub(crate) fn on(&self, heap: HeapNo) -> impl Iterator<Item = &RecordLock> {
        self.locks
            .iter()
            .filter(move |lock| lock.heaps.contains(heap))
    }

    /// Whether the page has one structure and no more, granted and of this kind.
    pub(crate) fn is_one_structure(&self, trx: TrxId, mode: LockMode, span: LockSpan) -> bool {
        matches!(self.locks.as_slice(), [lock] if lock.is_kind(trx, mode, span))
    }

    /// Where this structure stands.
    pub(crate) fn position(&self, trx: TrxId, sequence: u64) -> Option<usize> {
        self.locks
            .iter()
            .position(|lock| lock.sequence == sequence && lock.trx == trx)
    }

    /// Whether the transaction holds a granted lock that makes this one superfluous.
    pub(crate) fn covers(&self, trx: TrxId, heap: HeapNo, mode: LockMode, span: LockSpan) -> bool {
        self.on(heap).any(|lock| {
            lock.trx == trx
                && !lock.is_waiting()
                && lock.mode.covers(mode)
                && span_covers(lock.span, span, heap.is_supremum())
        })
    }

    /// Judges one claim against one structure of the queue of `heap`.
    fn judge(&self, claim: &Claim, heap: HeapNo, other: &RecordLock, bypass: bool) -> Verdict {
        judge(claim, &other.claim(), heap.is_supremum(), || {
            bypass && self.covers(claim.trx, heap, LockMode::S, LockSpan::Record)
        })
    }

    /// What a new request meets: every lock on the record counts, granted or waiting.
    pub(crate) fn conflicts(&self, claim: &Claim, heap: HeapNo, bypass: bool) -> Conflicts {
        let mut found = Conflicts {
            blocker: None,
            passed: false,
        };
        for other in self.on(heap) {
            match self.judge(claim, heap, other, bypass) {
                Verdict::Free => {}
                Verdict::Passes => found.passed = true,
                Verdict::Waits => {
                    found.blocker = Some(other.trx);
                    break;
                }
            }
        }
        found
    }

    /// The locks that the waiting structure at `position` waits for, in queue order: whatever
    /// conflicts ahead of it, and what was granted behind it.
    ///
    /// A granted lock behind a waiter is one that passed it, or came by inheritance or for the gap.
    /// An insert intention that is granted by arrival doesn't wait for those: it asks again when it
    /// is woken.
    pub(crate) fn blockers<'a>(
        &'a self,
        position: usize,
        config: &'a LockConfig,
    ) -> impl Iterator<Item = &'a RecordLock> {
        let always_by_arrival = config.grant == GrantKind::Fifo;
        self.in_the_way(position, config, always_by_arrival)
    }

    /// The first transaction in the way of the waiting structure at `position` when the next grant
    /// goes by arrival.
    pub(crate) fn blocker_by_arrival(&self, position: usize, config: &LockConfig) -> Option<TrxId> {
        self.in_the_way(position, config, true)
            .next()
            .map(|lock| lock.trx)
    }

    fn in_the_way<'a>(
        &'a self,
        position: usize,
        config: &'a LockConfig,
        insertions_ask_again: bool,
    ) -> impl Iterator<Item = &'a RecordLock> {
        let waiter = &self.locks[position];
        let heap = waiter.wanted_heap();
        let claim = waiter.claim();
        let ahead_only = insertions_ask_again && waiter.span == LockSpan::InsertIntention;
        let bypass = config.bypass_blocked_waiters;
        self.locks
            .iter()
            .enumerate()
            .filter_map(move |(index, other)| {
                let counts = index < position || (!other.is_waiting() && !ahead_only);
                let blocks = counts
                    && other.heaps.contains(heap)
                    && self.judge(&claim, heap, other, bypass) == Verdict::Waits;
                blocks.then_some(other)
            })
    }

    /// The first granted lock that the waiting structure at `position` conflicts with.
    pub(crate) fn granted_blocker(&self, position: usize) -> Option<TrxId> {
        let waiter = &self.locks[position];
        let heap = waiter.wanted_heap();
        let claim = waiter.claim();
        self.on(heap)
            .filter(|other| !other.is_waiting())
            .find(|other| self.judge(&claim, heap, other, false) == Verdict::Waits)
            .map(|other| other.trx)
    }

    /// The waiters ahead of `position` that conflict with the one there.
    fn waiters_ahead(&self, position: usize, bypass: bool) -> impl Iterator<Item = usize> + '_ {
        let waiter = &self.locks[position];
        let heap = waiter.wanted_heap();
        let claim = waiter.claim();
        (0..position).filter(move |&at| {
            let other = &self.locks[at];
            other.is_waiting()
                && other.heaps.contains(heap)
                && self.judge(&claim, heap, other, bypass) == Verdict::Waits
        })
    }

    /// The first waiter ahead of the one at `position`, and in its way, that it must not pass: one of
    /// `refused`, or one that was passed `bypass_max` times.
    pub(crate) fn not_to_be_passed(
        &self,
        position: usize,
        refused: &[TrxId],
        config: &LockConfig,
    ) -> Option<TrxId> {
        if refused.is_empty() && config.bypass_max == u32::MAX {
            return None;
        }
        self.waiters_ahead(position, config.bypass_blocked_waiters)
            .map(|at| &self.locks[at])
            .find(|other| other.bypassed >= config.bypass_max || refused.contains(&other.trx))
            .map(|other| other.trx)
    }

    /// Counts the grant of the waiter at `position` against those ahead that it passes.
    pub(crate) fn count_passed(&mut self, position: usize, config: &LockConfig) {
        let passed: SmallVec<[usize; 8]> = self
            .waiters_ahead(position, config.bypass_blocked_waiters)
            .collect();
        for at in passed {
            self.locks[at].bypassed += 1;
        }
    }

    /// How many wait for this record.
    pub(crate) fn waiting_on(&self, heap: HeapNo) -> usize {
        self.on(heap).filter(|lock| lock.is_waiting()).count()
    }

    /// Adds the lock to a granted structure of its kind if the rules allow it. `None` if a new
    /// structure is needed, else whether the lock is new.
    pub(crate) fn reuse(
        &mut self,
        claim: &Claim,
        heap: HeapNo,
        origin: Origin,
        config: &LockConfig,
    ) -> Option<bool> {
        let alike = |lock: &RecordLock| lock.is_kind(claim.trx, claim.mode, claim.span);
        if self.waiting > 0 {
            if self.on(heap).any(alike) {
                return Some(false);
            }
            let waiter = self.on(heap).any(RecordLock::is_waiting);
            if waiter && config.struct_reuse == StructReuse::UnlessWaiters {
                return None;
            }
        }
        let at = self.locks.iter().position(alike)?;
        let fresh = self.locks[at].heaps.insert(heap);
        if fresh && config.keep_provenance {
            self.locks[at].origins.record(heap, origin);
        }
        let waits_here = |lock: &RecordLock| lock.is_waiting() && lock.heaps.contains(heap);
        if self.waiting > 0 && self.locks[..at].iter().any(waits_here) {
            self.move_to_front(at);
        }
        Some(fresh)
    }

    /// Adds a new structure: at the front if it is granted and grants go by weight (granted locks
    /// then stand before waiting ones), else at the end.
    pub(crate) fn add(&mut self, lock: RecordLock, config: &LockConfig) {
        if lock.is_waiting() {
            self.waiting += 1;
        } else if config.grant == GrantKind::ContentionAware {
            self.locks.insert(0, lock);
            return;
        }
        self.locks.push(lock);
    }

    /// Takes out the structure at `position`.
    pub(crate) fn remove(&mut self, position: usize) -> RecordLock {
        let lock = self.locks.remove(position);
        self.waiting -= usize::from(lock.is_waiting());
        lock
    }

    /// Takes out all structures, in queue order.
    pub(crate) fn remove_all(&mut self) -> Vec<RecordLock> {
        self.waiting = 0;
        std::mem::take(&mut self.locks)
    }

    /// Makes the waiting structure at `position` a granted one.
    pub(crate) fn grant(&mut self, position: usize) {
        debug_assert!(self.locks[position].is_waiting());
        self.locks[position].state = LockState::Granted;
        self.waiting -= 1;
    }

    /// Puts the structure at `position` before all others.
    pub(crate) fn move_to_front(&mut self, position: usize) {
        self.locks[..=position].rotate_right(1);
    }

    /// Notes in whose way the waiting structure at `position` now finds itself. Returns whether
    /// that changed.
    pub(crate) fn set_blocker(&mut self, position: usize, blocker: TrxId) -> bool {
        let state = LockState::Waiting { blocker };
        let changed = self.locks[position].state != state;
        self.locks[position].state = state;
        changed
    }

    /// Takes one record out of the structure at `position`. A waiting structure, which then wants
    /// nothing any more, is left as an empty granted one. Returns whether it waited.
    pub(crate) fn clear(&mut self, position: usize, heap: HeapNo) -> bool {
        let lock = &mut self.locks[position];
        lock.heaps.remove(heap);
        if lock.heaps.is_empty() {
            lock.origins.clear();
        }
        let waited = lock.is_waiting();
        if waited {
            lock.state = LockState::Granted;
            self.waiting -= 1;
        }
        waited
    }

    /// Renames records within the page, all at once.
    pub(crate) fn rename(&mut self, renamed: &[(HeapNo, HeapNo)], keep_provenance: bool) {
        for lock in &mut self.locks {
            let origins: Vec<Origin> = renamed
                .iter()
                .map(|&(old, _)| lock.origins.of(old))
                .collect();
            let present: Vec<bool> = renamed
                .iter()
                .map(|&(old, _)| lock.heaps.remove(old))
                .collect();
            for (index, &(_, new)) in renamed.iter().enumerate() {
                if present[index] {
                    lock.heaps.insert(new);
                    if keep_provenance {
                        lock.origins.record(new, origins[index]);
                    }
                }
            }
        }
    }
}
