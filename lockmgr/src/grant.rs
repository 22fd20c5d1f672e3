//! Who is granted when record locks are let go.
//!
//! [`ByArrival`] walks the page's waiters in queue order and grants each that nothing is in the way
//! of. [`ByWeight`] looks only at those whose one remembered blocker is the releasing transaction,
//! orders them by how many transactions are blocked behind them, and lets them conflict
//! with granted locks only; so a late waiter with many behind it overtakes an early one with none.

use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use crate::heap_set::HeapSet;
use crate::queue::{LockState, PageQueue, RecordLock};
use crate::{HeapNo, LockConfig, TrxId};

/// For each waiting transaction: itself and all that wait for it, directly or not, by their
/// remembered blockers. Who is not in here weighs 1.
pub(crate) type Weights = FxHashMap<TrxId, u64>;

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

/// Decides which of a page's waiters are granted after locks were let go.
pub(crate) trait GrantPolicy {
    /// Grants, and notes the blockers of those who were considered and still wait.
    fn grant(&self, queue: &mut PageQueue, released: &Released<'_>, config: &LockConfig) -> Grants;
}

/// First come, first served.
pub(crate) struct ByArrival;

impl GrantPolicy for ByArrival {
    fn grant(&self, queue: &mut PageQueue, _: &Released<'_>, config: &LockConfig) -> Grants {
        let mut grants = Grants::default();
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
        grants
    }
}

/// Most blocked behind it first.
pub(crate) struct ByWeight<'a> {
    /// How many are blocked behind whom.
    pub(crate) weights: &'a Weights,
}

impl GrantPolicy for ByWeight<'_> {
    fn grant(&self, queue: &mut PageQueue, released: &Released<'_>, _: &LockConfig) -> Grants {
        let blocked = LockState::Waiting {
            blocker: released.trx,
        };
        let mut heaps: SmallVec<[HeapNo; 4]> = queue
            .locks()
            .iter()
            .filter(|lock| lock.state == blocked)
            .map(RecordLock::wanted_heap)
            .filter(|&heap| released.heaps.contains(heap))
            .collect();
        heaps.sort_unstable();
        heaps.dedup();
        let mut grants = Grants::default();
        for heap in heaps {
            self.grant_record(queue, heap, released.trx, &mut grants);
        }
        grants
    }
}

impl ByWeight<'_> {
    /// A granted structure moves to the front, so the candidates behind it are found again by name
    /// each time.
    fn grant_record(&self, queue: &mut PageQueue, heap: HeapNo, by: TrxId, grants: &mut Grants) {
        let blocked = LockState::Waiting { blocker: by };
        let mut candidates: SmallVec<[(TrxId, u64); 8]> = queue
            .on(heap)
            .filter(|lock| lock.state == blocked)
            .map(|lock| (lock.trx, lock.sequence))
            .collect();
        let weight = |trx: TrxId| self.weights.get(&trx).copied().unwrap_or(1);
        candidates.sort_by_key(|&(trx, _)| std::cmp::Reverse(weight(trx)));
        for (trx, sequence) in candidates {
            let position = queue
                .position(trx, sequence)
                .expect("nothing leaves the queue here");
            if let Some(blocker) = queue.granted_blocker(position) {
                grants.edges_changed |= queue.set_blocker(position, blocker);
            } else {
                queue.grant(position);
                queue.move_to_front(position);
                grants.granted.push(trx);
            }
        }
    }
}
