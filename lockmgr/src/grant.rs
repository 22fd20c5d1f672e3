//! Who is granted when record locks are let go.
//!
//! Three disciplines. *By arrival* the page's waiters are looked at in queue order, and each is
//! granted that nothing ahead of it is in the way of. *By weight*, as servers do it, only those
//! are looked at whose one remembered blocker let go, most blocked behind them first, and only granted
//! locks count against them; so a late waiter with many behind it overtakes an early one with none.
//! *By rank* all waiters of the record are looked at in a policy's order ([`GrantPolicy`]).
//!
//! - **R1** A waiter is only ever refused because of a lock that the waits-for graph shows: a granted
//!   one, or a waiting one ahead of it. So edges can be derived from the queue alone (P1).
//! - **R2** In the latter two a waiter that was passed `bypass_max` times is looked at first, and
//!   nobody behind it that it conflicts with is granted before it.

use smallvec::SmallVec;

use crate::graph::Weights;
use crate::heap_set::HeapSet;
use crate::queue::{LockState, PageQueue, RecordLock};
use crate::shard::PageShard;
use crate::table::LockTable;
use crate::{GrantKind, GrantPolicy, HeapNo, LockConfig, PageAddress, TrxId, Waiter};

/// The locks of one structure that were let go.
pub(crate) struct Released<'a> {
    /// Whose they were.
    pub(crate) trx: TrxId,
    /// On which records.
    pub(crate) heaps: &'a HeapSet,
}

/// What became of the waiters.
#[derive(Debug, Default)]
pub(crate) struct Grants {
    /// Who was granted, in order.
    pub(crate) granted: SmallVec<[TrxId; 2]>,
    /// Somebody who still waits now waits for somebody else.
    pub(crate) edges_changed: bool,
}

/// A waiting structure by name, and the record that it wants.
type Named = (TrxId, u64, HeapNo);

/// How the waiters of a page are to be looked at: decided without any latch, so it may miss some who
/// came since. Those are looked at last.
pub(crate) enum Order {
    /// In queue order.
    Arrival,
    /// Those whose remembered blocker let go, the heaviest first.
    Weight(Weights),
    /// As the policy has it.
    Rank(Vec<Named>),
}

impl LockTable {
    /// Changes a page's queue, if it has one. If somebody waits there and grants don't go by
    /// arrival, the order of grants is decided first, without a latch.
    pub(crate) fn with_page(&self, page: PageAddress, change: impl FnOnce(&mut PageQueue, &Order)) {
        let mut shard = self.pages.latch_page(page);
        let by_arrival = self.config.grant == GrantKind::Fifo;
        let mut change = Some(change);
        let mut apply = |queue: &mut PageQueue, order: &Order| {
            if let Some(change) = change.take() {
                change(queue, order);
            }
        };
        let at_once = shard.change(
            page,
            |queue| by_arrival || queue.waiting() == 0,
            |queue| apply(queue, &Order::Arrival),
        );
        if at_once.is_none() && shard.get(page).is_some() {
            let (order, mut shard) = self.order_grants(shard, page);
            shard.change(page, |_| true, |queue| apply(queue, &order));
        }
    }

    /// Decides in which order a page's waiters are to be looked at, giving its latch back meanwhile.
    fn order_grants<'a>(
        &'a self,
        shard: parking_lot::MutexGuard<'a, PageShard>,
        page: PageAddress,
    ) -> (Order, parking_lot::MutexGuard<'a, PageShard>) {
        let waiting = shard.get(page).map_or(0, PageQueue::waiting);
        if let Some(policy) = &self.policies.grant {
            let waiters = shard.get(page).map_or_else(Vec::new, |q| self.waiters(q));
            if waiters.len() < 2 {
                return (Order::Rank(Vec::new()), shard);
            }
            drop(shard);
            let order = self.rank(&**policy, waiters);
            return (Order::Rank(order), self.pages.latch_page(page));
        }
        let by_weight = match self.config.grant {
            GrantKind::ContentionAwareFrom(least) => self.waits.lock().len() >= least as usize,
            kind => kind == GrantKind::ContentionAware,
        };
        if !by_weight {
            return (Order::Arrival, shard);
        }
        if waiting < 2 {
            return (Order::Weight(Weights::default()), shard);
        }
        drop(shard);
        let weights = self.graph().blocked_behind();
        (Order::Weight(weights), self.pages.latch_page(page))
    }

    /// A page's waiters in queue order, each with the name of its structure and the record it wants.
    fn waiters(&self, queue: &PageQueue) -> Vec<(Waiter, Named)> {
        let waits = self.waits.lock();
        let waiting = queue.locks().iter().filter(|lock| lock.is_waiting());
        let seen = waiting.filter_map(|lock| {
            let wait = waits.of(lock.trx)?;
            let waiter = Waiter {
                party: self.registry.party(lock.trx)?,
                mode: lock.mode,
                span: lock.span,
                started: wait.started,
                since: wait.since,
                bypassed: lock.bypassed,
                dependents: 1,
            };
            Some((waiter, (lock.trx, lock.sequence, lock.wanted_heap())))
        });
        seen.collect()
    }

    /// Lets the policy order the waiters of each record.
    fn rank(&self, policy: &dyn GrantPolicy, mut waiters: Vec<(Waiter, Named)>) -> Vec<Named> {
        if policy.needs_dependents() {
            let weights = self.graph().blocked_behind();
            for (waiter, (trx, ..)) in &mut waiters {
                waiter.dependents = weights.get(trx).copied().unwrap_or(1);
            }
        }
        waiters.sort_by_key(|&(_, (_, _, heap))| heap);
        let mut order = Vec::with_capacity(waiters.len());
        for record in waiters.chunk_by(|(_, one), (_, other)| one.2 == other.2) {
            if let [(_, only)] = record {
                order.push(*only);
                continue;
            }
            let mut views: SmallVec<[Waiter; 8]> = record.iter().map(|&(view, _)| view).collect();
            policy.order(&mut views, &self.moments.next(self.config.seed));
            for view in &views {
                let named = record.iter().find(|(_, name)| name.0 == view.party.trx);
                order.extend(named.map(|&(_, name)| name));
            }
        }
        order
    }
}

/// Grants what may be granted now that these locks are gone, and notes the blockers of those who were
/// looked at and still wait.
pub(crate) fn grant(
    queue: &mut PageQueue,
    released: &Released<'_>,
    order: &Order,
    config: &LockConfig,
) -> Grants {
    let mut grants = Grants::default();
    match order {
        Order::Arrival => by_arrival(queue, config, &mut grants),
        Order::Weight(weights) => by_weight(queue, released, weights, config, &mut grants),
        Order::Rank(order) => by_rank(queue, released, order, config, &mut grants),
    }
    grants
}

fn by_arrival(queue: &mut PageQueue, config: &LockConfig, grants: &mut Grants) {
    for position in 0..queue.locks().len() {
        if queue.waiting() == 0 {
            break;
        }
        if !queue.locks()[position].is_waiting() {
            continue;
        }
        if let Some(blocker) = queue.blocker_by_arrival(position, config) {
            grants.edges_changed |= queue.set_blocker(position, blocker);
        } else {
            queue.grant(position);
            grants.granted.push(queue.locks()[position].trx);
        }
    }
}

fn by_weight(
    queue: &mut PageQueue,
    released: &Released<'_>,
    weights: &Weights,
    config: &LockConfig,
    grants: &mut Grants,
) {
    let blocked = LockState::Waiting {
        blocker: released.trx,
    };
    let weight = |trx: TrxId| weights.get(&trx).copied().unwrap_or(1);
    for heap in wanted(queue, released, |lock| lock.state == blocked) {
        let mut candidates: SmallVec<[Named; 8]> = queue
            .on(heap)
            .filter(|lock| lock.state == blocked)
            .map(|lock| (lock.trx, lock.sequence, heap))
            .collect();
        candidates.sort_by_key(|&(trx, ..)| std::cmp::Reverse(weight(trx)));
        due_first(queue, &mut candidates, config);
        for candidate in candidates {
            if let Some(position) = try_waiter(queue, candidate, &[], config, grants) {
                queue.move_to_front(position);
            }
        }
    }
}

fn by_rank(
    queue: &mut PageQueue,
    released: &Released<'_>,
    order: &[Named],
    config: &LockConfig,
    grants: &mut Grants,
) {
    for heap in wanted(queue, released, RecordLock::is_waiting) {
        let waiting = queue.on(heap).filter(|lock| lock.is_waiting());
        let present: SmallVec<[Named; 8]> = waiting
            .map(|lock| (lock.trx, lock.sequence, heap))
            .collect();
        let ranked = order.iter().filter(|named| present.contains(named));
        let mut candidates: SmallVec<[Named; 8]> = ranked.copied().collect();
        let unranked = present.iter().filter(|named| !order.contains(named));
        candidates.extend(unranked.copied());
        due_first(queue, &mut candidates, config);
        let mut refused: SmallVec<[TrxId; 8]> = SmallVec::new();
        for candidate in candidates {
            if try_waiter(queue, candidate, &refused, config, grants).is_none() {
                refused.push(candidate.0);
            }
        }
    }
}

/// The released records that somebody wants whose lock is like this, ascending.
fn wanted(
    queue: &PageQueue,
    released: &Released<'_>,
    like: impl Fn(&RecordLock) -> bool,
) -> SmallVec<[HeapNo; 4]> {
    let locks = queue.locks().iter().filter(|lock| like(lock));
    let mut heaps: SmallVec<[HeapNo; 4]> = locks
        .map(RecordLock::wanted_heap)
        .filter(|&heap| released.heaps.contains(heap))
        .collect();
    heaps.sort_unstable();
    heaps.dedup();
    heaps
}

/// Puts those first who were passed as often as may be (R2), by arrival among themselves.
fn due_first(queue: &PageQueue, candidates: &mut SmallVec<[Named; 8]>, config: &LockConfig) {
    if config.bypass_max == u32::MAX {
        return;
    }
    let rank = |&(trx, sequence, _): &Named| {
        let position = queue.position(trx, sequence)?;
        let due = queue.locks()[position].bypassed >= config.bypass_max;
        due.then_some(position)
    };
    candidates.sort_by_key(|named| rank(named).unwrap_or(usize::MAX));
}

/// Grants a waiter if nothing is in its way, and returns where it stands. Those who were looked at
/// before and refused are in its way if they stand ahead of it.
fn try_waiter(
    queue: &mut PageQueue,
    (trx, sequence, _): Named,
    refused: &[TrxId],
    config: &LockConfig,
    grants: &mut Grants,
) -> Option<usize> {
    let position = queue
        .position(trx, sequence)
        .expect("nothing leaves the queue here");
    let in_the_way = queue
        .granted_blocker(position)
        .or_else(|| queue.not_to_be_passed(position, refused, config));
    if let Some(blocker) = in_the_way {
        grants.edges_changed |= queue.set_blocker(position, blocker);
        return None;
    }
    if config.bypass_max < u32::MAX {
        queue.count_passed(position, config);
    }
    queue.grant(position);
    grants.granted.push(trx);
    Some(position)
}
