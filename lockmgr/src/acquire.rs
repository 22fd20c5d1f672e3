//! Requests for locks.
//!
//! A request is first tried under the latch of its one shard. Most end there: the lock is
//! covered by another, or nothing conflicts. If it has to wait and the detector looks for deadlocks
//! at that moment, everything is latched and the request is tried again from the start,
//! since the world may have changed in between; then waiting and searching are one atomic step.

use crate::conflict::{Claim, normalised};
use crate::heap_set::HeapSet;
use crate::provenance::Provenance;
use crate::queue::{LockState, PageQueue, RecordLock};
use crate::registry::Place;
use crate::shard::{PageShard, TableShard};
use crate::table::LockTable;
use crate::table_queue::TableLock;
use crate::{
    Answer, HeapNo, LockMode, LockSpan, Micros, OnConflict, Origin, Outcome, RecordAddress,
    RecordRequest, TableRequest, TrxId,
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
        {
            let mut shard = self.tables.latch_table(request.table);
            let outcome = self.try_table(&mut shard, request, !self.searches_at_wait());
            if let Some(outcome) = outcome {
                return Answer::settled(outcome);
            }
        }
        let mut world = self.latch_all();
        match self.try_table(world.table_shard(request.table), request, true) {
            Some(Outcome::Waiting) => self.search_at_wait(&mut world, request.trx),
            outcome => Answer::settled(outcome.expect("a request that may queue is answered")),
        }
    }

    /// Answers a request for a table lock under its shard's latch; `None` if it would have to
    /// queue and may not yet.
    fn try_table(
        &self,
        shard: &mut TableShard,
        request: &TableRequest,
        may_queue: bool,
    ) -> Option<Outcome> {
        let queue = shard.entry(request.table).or_default();
        if queue.covers(request.trx, request.mode) {
            return Some(Outcome::Granted { newly: false });
        }
        let place = Place::Table(request.table);
        let conflict = queue.conflict(request.trx, request.mode);
        let (state, outcome) = match (conflict, request.on_conflict) {
            (None, _) => (LockState::Granted, Outcome::Granted { newly: true }),
            (Some(_), OnConflict::Refuse) => return Some(Outcome::Refused),
            (Some(_), OnConflict::Wait(_)) if !may_queue => return None,
            (Some(blocker), OnConflict::Wait(_)) => {
                (LockState::Waiting { blocker }, Outcome::Waiting)
            }
        };
        let sequence = self.registry.append(request.trx, place);
        if let (LockState::Waiting { .. }, OnConflict::Wait(expires)) = (state, request.on_conflict)
        {
            self.begin_wait(request.trx, place, sequence, expires);
        }
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
        Some(outcome)
    }

    /// Asks for a record lock.
    ///
    /// # Panics
    /// If the transaction never began, or waits.
    pub fn request_record(&self, request: &RecordRequest) -> Answer {
        let mut shard = self.pages.latch_page(request.at.page);
        let (by, span) = match self.try_record(&mut shard, request) {
            Attempt::Settled(outcome) => return Answer::settled(outcome),
            Attempt::Blocked { by, span } => (by, span),
        };
        let OnConflict::Wait(expires) = request.on_conflict else {
            return Answer::settled(Outcome::Refused);
        };
        if !self.searches_at_wait() {
            self.enqueue(&mut shard, request, span, by, expires);
            return Answer::settled(Outcome::Waiting);
        }
        drop(shard);
        let mut world = self.latch_all();
        match self.try_record(world.page_shard(request.at.page), request) {
            Attempt::Settled(outcome) => Answer::settled(outcome),
            Attempt::Blocked { by, span } => {
                self.enqueue(
                    world.page_shard(request.at.page),
                    request,
                    span,
                    by,
                    expires,
                );
                self.search_at_wait(&mut world, request.trx)
            }
        }
    }

    /// Tries a request for a record lock under its shard's latch. The order of the steps matters:
    /// covered, reduced to the gap, in conflict, implicit, stored.
    fn try_record(&self, shard: &mut PageShard, request: &RecordRequest) -> Attempt {
        let RecordRequest { trx, at, mode, .. } = *request;
        let mut span = self.kept_span(shard, request);
        let mut stored = !request.implicit && span != LockSpan::InsertIntention;
        if let Some(queue) = shard.get(at.page) {
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
            stored |= found.passed;
        }
        let claim = Claim {
            trx,
            mode,
            span,
            waiting: false,
        };
        let newly = stored && self.store_granted(shard, &claim, at, request.origin);
        Attempt::Settled(Outcome::Granted { newly })
    }

    /// The span under which the request would be kept. On a supremum that is next-key, unless the
    /// page's one structure is the requester's own gap lock: it then takes up the supremum as it is
    /// (InnoDB's short way, which asks nothing about the record).
    fn kept_span(&self, shard: &PageShard, request: &RecordRequest) -> LockSpan {
        let RecordRequest { trx, at, mode, .. } = *request;
        let joins = request.span == LockSpan::Gap
            && shard
                .get(at.page)
                .is_some_and(|queue| queue.is_one_structure(trx, mode, LockSpan::Gap));
        if joins {
            request.span
        } else {
            normalised(request.span, at.heap.is_supremum())
        }
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
        let queue = shard.get_or_new(at.page);
        if let Some(newly) = queue.reuse(claim, at.heap, origin, &self.config) {
            return newly;
        }
        let sequence = self.registry.append(claim.trx, Place::Page(at.page));
        let lock = self.structure(claim, sequence, at.heap, LockState::Granted, origin);
        queue.add(lock, &self.config);
        true
    }

    /// Queues a request behind everything that is there.
    fn enqueue(
        &self,
        shard: &mut PageShard,
        request: &RecordRequest,
        span: LockSpan,
        blocker: TrxId,
        expires: Micros,
    ) {
        let RecordRequest {
            trx,
            at,
            mode,
            origin,
            ..
        } = *request;
        let place = Place::Page(at.page);
        let sequence = self.registry.append(trx, place);
        self.begin_wait(trx, place, sequence, expires);
        let claim = Claim {
            trx,
            mode,
            span,
            waiting: true,
        };
        let state = LockState::Waiting { blocker };
        let lock = self.structure(&claim, sequence, at.heap, state, origin);
        shard.get_or_new(at.page).add(lock, &self.config);
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
        let mut origins = Provenance::default();
        if self.config.keep_provenance {
            origins.record(heap, origin);
        }
        RecordLock {
            trx: claim.trx,
            sequence,
            mode: claim.mode,
            span: claim.span,
            state,
            heaps: HeapSet::single(heap),
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
