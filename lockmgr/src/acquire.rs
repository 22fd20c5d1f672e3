//! Requests for locks.
//!
//! A request is tried under the latch of its one shard. Most end there: the lock is covered by
//! another, or nothing conflicts. If it has to wait it is queued at once, and then, without the latch,
//! the conflict policy is asked whether it may, and the detector looks for deadlocks. Whoever closes
//! a cycle queues before it looks; so of all members the last to look sees the whole of it.

use std::sync::atomic::Ordering;

use crate::conflict::{Claim, normalised};
use crate::heap_set::HeapSet;
use crate::provenance::Provenance;
use crate::queue::{LockState, PageQueue, RecordLock};
use crate::registry::Place;
use crate::shard::{PageShard, TableShard};
use crate::table::LockTable;
use crate::table_queue::TableLock;
use crate::{
    Answer, ConflictKind, HeapNo, LockMode, LockSpan, Micros, OnConflict, Origin, Outcome,
    RecordAddress, RecordRequest, TableRequest, TrxId,
};

/// How far a request came under the latch of its shard.
enum Attempt {
    /// It is answered.
    Settled(Outcome),
    /// It has to wait for this transaction, with this (perhaps reduced) span.
    Blocked { by: TrxId, span: LockSpan },
}

impl Answer {
    /// An answer that concerns nobody else.
    pub(crate) fn settled(outcome: Outcome) -> Self {
        Answer {
            outcome,
            wakeups: Vec::new(),
            deadlocks: Vec::new(),
        }
    }
}

impl LockTable {
    /// Asks for a table lock.
    ///
    /// # Panics
    /// If the transaction never began, or waits.
    pub fn request_table(&self, request: &TableRequest) -> Answer {
        if self.heed_wound(request.trx) {
            return Answer::settled(Outcome::Victim);
        }
        let (outcome, epoch) = {
            let mut shard = self.tables.latch_table(request.table);
            shard.requests += 1;
            self.try_table(&mut shard, request)
        };
        match epoch {
            None => self.answer(request.trx, outcome),
            Some(epoch) => self.settle_wait(request.trx, epoch),
        }
    }

    /// An answer that concerns nobody else; who dies of it knows.
    fn answer(&self, trx: TrxId, outcome: Outcome) -> Answer {
        match outcome {
            Outcome::Victim => {
                self.tell_victim(trx);
                self.figures.prevented();
            }
            Outcome::QueueFull => self.figures.turned_away(),
            _ => {}
        }
        Answer::settled(outcome)
    }

    /// What becomes of a request that meets a conflict, before it is queued: `None` if it may be,
    /// and then until when.
    fn may_queue(&self, on_conflict: OnConflict, waiting: usize) -> Result<Micros, Outcome> {
        let OnConflict::Wait(expires) = on_conflict else {
            return Err(Outcome::Refused);
        };
        if self.config.conflict == ConflictKind::NoWait {
            return Err(Outcome::Victim);
        }
        if waiting >= self.config.waiters_max as usize {
            return Err(Outcome::QueueFull);
        }
        Ok(expires)
    }

    /// Answers a request for a table lock under its shard's latch; with the wait's epoch if it has to
    /// wait.
    fn try_table(&self, shard: &mut TableShard, request: &TableRequest) -> (Outcome, Option<u64>) {
        let queue = shard.entry(request.table).or_default();
        if queue.covers(request.trx, request.mode) {
            return (Outcome::Granted { newly: false }, None);
        }
        let place = Place::Table(request.table);
        let conflict = queue.conflict(request.trx, request.mode);
        let (state, expires) = match conflict {
            None => (LockState::Granted, Micros::MAX),
            Some(blocker) => match self.may_queue(request.on_conflict, queue.waiting()) {
                Ok(expires) => (LockState::Waiting { blocker }, expires),
                Err(outcome) => return (outcome, None),
            },
        };
        let sequence = self.registry.append(request.trx, place);
        let TableRequest {
            trx, mode, origin, ..
        } = *request;
        queue.add(TableLock {
            trx,
            sequence,
            mode,
            state,
            origin,
        });
        if state == LockState::Granted {
            return (Outcome::Granted { newly: true }, None);
        }
        let length = queue.waiting();
        let epoch = self.begin_wait(trx, place, sequence, expires, length);
        (Outcome::Waiting, Some(epoch))
    }

    /// Asks for a record lock.
    ///
    /// # Panics
    /// If the transaction never began, or waits.
    pub fn request_record(&self, request: &RecordRequest) -> Answer {
        if self.heed_wound(request.trx) {
            return Answer::settled(Outcome::Victim);
        }
        let epoch = {
            let mut shard = self.pages.latch_page(request.at.page);
            shard.requests += 1;
            match self.try_record(&mut shard, request) {
                Attempt::Settled(outcome) => {
                    let mut answer = Answer::settled(outcome);
                    if self.policies.conflict.is_some() {
                        // A gap lock may have come to be in the way of others.
                        drop(shard);
                        self.judge_new_edges(&mut answer.wakeups);
                    }
                    return answer;
                }
                Attempt::Blocked { by, span } => {
                    match self.enqueue(&mut shard, request, span, by) {
                        Ok(epoch) => epoch,
                        Err(outcome) => {
                            drop(shard);
                            return self.answer(request.trx, outcome);
                        }
                    }
                }
            }
        };
        self.settle_wait(request.trx, epoch)
    }

    /// Tries a request for a record lock under its shard's latch. The order of the steps matters:
    /// covered, reduced to the gap, in conflict, implicit, stored.
    fn try_record(&self, shard: &mut PageShard, request: &RecordRequest) -> Attempt {
        let RecordRequest { trx, at, mode, .. } = *request;
        let stored = !request.implicit && request.span != LockSpan::InsertIntention;
        if !stored && shard.get(at.page).is_none() {
            return Attempt::Settled(Outcome::Granted { newly: false });
        }
        // Found once: what is not stored in an empty queue meets no lock there either.
        let queue = shard.get_or_new(at.page);
        let mut span = kept_span(queue, request);
        match self.still_needed(queue, trx, at.heap, mode, span) {
            Some(needed) => span = needed,
            None => return Attempt::Settled(Outcome::Granted { newly: false }),
        }
        let claim = Claim {
            trx,
            mode,
            span,
            waiting: true,
        };
        let found = queue.conflicts(&claim, at.heap, self.config.bypass_blocked_waiters);
        if let Some(by) = found.blocker {
            return Attempt::Blocked { by, span };
        }
        let claim = Claim {
            waiting: false,
            ..claim
        };
        let newly = (stored || found.passed) && self.store_in(queue, &claim, at, request.origin);
        Attempt::Settled(Outcome::Granted { newly })
    }

    /// The span that the transaction needs beyond what it holds: none if its locks cover the
    /// request, and where the rules say so only the gap if it has the record. An insert intention
    /// is always needed.
    fn still_needed(
        &self,
        queue: &PageQueue,
        trx: TrxId,
        heap: HeapNo,
        mode: LockMode,
        span: LockSpan,
    ) -> Option<LockSpan> {
        if span == LockSpan::InsertIntention {
            return Some(span);
        }
        if queue.covers(trx, heap, mode, span) {
            return None;
        }
        let reduced = self.config.next_key_upgrade_asks_gap
            && span == LockSpan::NextKey
            && !heap.is_supremum()
            && queue.covers(trx, heap, mode, LockSpan::Record);
        if !reduced {
            return Some(span);
        }
        (!queue.covers(trx, heap, mode, LockSpan::Gap)).then_some(LockSpan::Gap)
    }

    /// Stores a granted lock, in an existing structure if the rules allow it. Returns whether the
    /// lock is new.
    pub(crate) fn store_granted(
        &self,
        shard: &mut PageShard,
        claim: &Claim,
        at: RecordAddress,
        origin: Origin,
    ) -> bool {
        self.store_in(shard.get_or_new(at.page), claim, at, origin)
    }

    /// As above, in the page's queue.
    fn store_in(
        &self,
        queue: &mut PageQueue,
        claim: &Claim,
        at: RecordAddress,
        origin: Origin,
    ) -> bool {
        if queue.waiting() > 0 && claim.span != LockSpan::Record {
            // Whoever waits to insert there now waits for this one too.
            self.edges_unjudged.store(true, Ordering::Release);
        }
        if let Some(newly) = queue.reuse(claim, at.heap, origin, &self.config) {
            return newly;
        }
        let sequence = self.registry.append(claim.trx, Place::Page(at.page));
        let lock = self.structure(claim, sequence, at.heap, LockState::Granted, origin);
        queue.add(lock, &self.config);
        true
    }

    /// Queues a request behind everything that is there, if it may. Returns the wait's epoch.
    fn enqueue(
        &self,
        shard: &mut PageShard,
        request: &RecordRequest,
        span: LockSpan,
        blocker: TrxId,
    ) -> Result<u64, Outcome> {
        let RecordRequest {
            trx,
            at,
            mode,
            origin,
            ..
        } = *request;
        let queue = shard.get_or_new(at.page);
        let length = queue.waiting_on(at.heap);
        let expires = self.may_queue(request.on_conflict, length)?;
        let place = Place::Page(at.page);
        let sequence = self.registry.append(trx, place);
        let claim = Claim {
            trx,
            mode,
            span,
            waiting: true,
        };
        let state = LockState::Waiting { blocker };
        let lock = self.structure(&claim, sequence, at.heap, state, origin);
        queue.add(lock, &self.config);
        Ok(self.begin_wait(trx, place, sequence, expires, length + 1))
    }

    /// A new structure with one lock.
    pub(crate) fn structure(
        &self,
        claim: &Claim,
        sequence: u64,
        heap: HeapNo,
        state: LockState,
        origin: Origin,
    ) -> RecordLock {
        let origins = if self.config.keep_provenance {
            Provenance::single(heap, origin)
        } else {
            Provenance::default()
        };
        RecordLock {
            trx: claim.trx,
            sequence,
            mode: claim.mode,
            span: claim.span,
            state,
            heaps: HeapSet::single(heap),
            bypassed: 0,
            origins,
        }
    }

    /// Gives `owner` the explicit record lock X on `at` that the record says it has implicitly,
    /// unless it already has one or is no longer active. Returns whether a lock was created.
    ///
    /// Nobody can wait for the record before its owner's lock is explicit, so the new lock stands
    /// before all that it conflicts with.
    pub fn convert_implicit(&self, owner: TrxId, at: RecordAddress, origin: Origin) -> bool {
        assert!(
            !at.heap.is_supremum(),
            "no transaction ever wrote a supremum"
        );
        let mut shard = self.pages.latch_page(at.page);
        let claim = Claim {
            trx: owner,
            mode: LockMode::X,
            span: LockSpan::Record,
            waiting: false,
        };
        if let Some(queue) = shard.get(at.page)
            && queue.covers(owner, at.heap, claim.mode, claim.span)
        {
            return false;
        }
        self.store_if_active(&mut shard, &claim, at, origin)
    }

    /// As [`Self::store_granted`], unless the owner is letting its locks go. Being active is
    /// checked in the same moment as the structure is listed: the owner's release then either
    /// refuses the lock or finds it.
    fn store_if_active(
        &self,
        shard: &mut PageShard,
        claim: &Claim,
        at: RecordAddress,
        origin: Origin,
    ) -> bool {
        if !self.registry.is_active(claim.trx) {
            return false;
        }
        if let Some(queue) = shard.get_mut(at.page)
            && let Some(newly) = queue.reuse(claim, at.heap, origin, &self.config)
        {
            return newly;
        }
        let place = Place::Page(at.page);
        let Some(sequence) = self.registry.append_if_active(claim.trx, place) else {
            return false;
        };
        let lock = self.structure(claim, sequence, at.heap, LockState::Granted, origin);
        shard.get_or_new(at.page).add(lock, &self.config);
        true
    }
}

/// The span under which the request would be kept. On a supremum that is next-key, unless the
/// page's one structure is the requester's own gap lock: it then takes up the supremum as it is
/// (InnoDB's short way, which asks nothing about the record).
fn kept_span(queue: &PageQueue, request: &RecordRequest) -> LockSpan {
    let RecordRequest { trx, at, mode, .. } = *request;
    let joins = request.span == LockSpan::Gap && queue.is_one_structure(trx, mode, LockSpan::Gap);
    if joins {
        request.span
    } else {
        normalised(request.span, at.heap.is_supremum())
    }
}
