//! The waits-for graph, as a read-only view over the queues. Nobody reports edges: they are derived
//! from the same conflict rule and queue order that grants will use, so the two cannot disagree.
//!
//! The view latches one queue at a time, for as long as it takes to read one waiter's edges, so a search
//! stops nobody. Edges that are read one after the other need never have existed together; what a
//! search finds is confirmed before it is acted on. Confirming is cheap for this reason:
//!
//! - **G1** While a transaction waits it lets go of nothing. So if A was seen to wait for B, and both
//!   have been in the same wait from before that moment until now, then A still waits for B.
//!
//! A cycle is thus real if each edge was seen between two moments at which all members were in the
//! same waits, known by their epochs (the ordinal of each wait).

use rustc_hash::FxHashMap;

use crate::queue::{LockState, PageQueue};
use crate::registry::Place;
use crate::table::LockTable;
use crate::table_queue::TableQueue;
use crate::waits::Wait;
use crate::{Micros, Party, TrxId};

/// For each waiting transaction: itself and all that wait for it, directly or not, by their
/// remembered blockers. Who is not in here weighs 1.
pub(crate) type Weights = FxHashMap<TrxId, u64>;

/// The waits-for graph of a lock table, as it is while it is looked at.
#[derive(Clone, Copy, Debug)]
pub struct WaitGraph<'a> {
    table: &'a LockTable,
}

impl LockTable {
    /// The waits-for graph.
    #[must_use]
    pub fn graph(&self) -> WaitGraph<'_> {
        WaitGraph { table: self }
    }

    /// The remembered blocker of a waiting structure, unless it moved or ended meanwhile.
    fn remembered(&self, trx: TrxId, wait: &Wait) -> Option<TrxId> {
        let state = match wait.place {
            Place::Page(page) => {
                let shard = self.pages.latch_page(page);
                let queue = shard.get(page)?;
                queue.locks()[queue.position(trx, wait.sequence)?].state
            }
            Place::Table(table) => {
                let shard = self.tables.latch_table(table);
                let queue = shard.get(&table)?;
                queue.locks()[queue.position(trx, wait.sequence)?].state
            }
        };
        match state {
            LockState::Waiting { blocker } => Some(blocker),
            LockState::Granted => None,
        }
    }
}

impl WaitGraph<'_> {
    /// Everybody who waits, in the order in which their waits began.
    #[must_use]
    pub fn waiters(&self) -> Vec<TrxId> {
        self.table.waits.lock().waiters().collect()
    }

    /// Everybody whose wait began at that time or before, in the order in which their waits began.
    #[must_use]
    pub fn waiters_since(&self, latest: Micros) -> Vec<TrxId> {
        self.table.waits.lock().since(latest).collect()
    }

    /// How many wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.table.waits.lock().len()
    }

    /// Whether the transaction waits.
    #[must_use]
    pub fn is_waiting(&self, trx: TrxId) -> bool {
        self.table.waits.lock().of(trx).is_some()
    }

    /// The driver's time.
    #[must_use]
    pub fn now(&self) -> Micros {
        self.table.moments.now()
    }

    /// What is known of a transaction, while it is known.
    #[must_use]
    pub fn party(&self, trx: TrxId) -> Option<Party> {
        self.table.registry.party(trx)
    }

    /// The one remembered edge of a waiting transaction: the first that was found in its way.
    #[must_use]
    pub fn blocker(&self, trx: TrxId) -> Option<TrxId> {
        let wait = self.table.waits.lock().of(trx)?;
        self.table.remembered(trx, &wait)
    }

    /// The owners of all locks that the transaction waits for, in queue order; an owner of several
    /// comes several times.
    #[must_use]
    pub fn blockers(&self, trx: TrxId) -> Vec<TrxId> {
        let mut blockers = Vec::new();
        self.add_blockers(trx, &mut blockers);
        blockers
    }

    /// As [`Self::blockers`], added at the end of a list. Returns whether the transaction waits.
    pub fn add_blockers(&self, trx: TrxId, blockers: &mut Vec<TrxId>) -> bool {
        let Some(wait) = self.table.waits.lock().of(trx) else {
            return false;
        };
        match wait.place {
            Place::Page(page) => {
                let shard = self.table.pages.latch_page(page);
                let queue = shard.get(page);
                if let Some((queue, at)) =
                    queue.and_then(|queue| Some((queue, queue.position(trx, wait.sequence)?)))
                {
                    let all = queue.blockers(at, &self.table.config);
                    blockers.extend(all.map(|lock| lock.trx));
                }
            }
            Place::Table(table) => {
                let shard = self.table.tables.latch_table(table);
                let queue = shard.get(&table);
                if let Some((queue, at)) =
                    queue.and_then(|queue| Some((queue, queue.position(trx, wait.sequence)?)))
                {
                    blockers.extend(queue.blockers(at).map(|lock| lock.trx));
                }
            }
        }
        true
    }

    /// The remembered edges of all, from waiter to blocker. Each queue is walked once, so that a
    /// thousand waiters on one record cost a thousand steps.
    #[must_use]
    pub fn remembered_edges(&self) -> FxHashMap<TrxId, TrxId> {
        let mut places: Vec<Place> = self.table.waits.lock().places().collect();
        places.sort_unstable();
        places.dedup();
        let mut edges = FxHashMap::default();
        let mut note = |trx: TrxId, state: LockState| {
            if let LockState::Waiting { blocker } = state {
                edges.insert(trx, blocker);
            }
        };
        for place in places {
            match place {
                Place::Page(page) => {
                    let shard = self.table.pages.latch_page(page);
                    let locks = shard.get(page).map_or(&[][..], PageQueue::locks);
                    locks.iter().for_each(|lock| note(lock.trx, lock.state));
                }
                Place::Table(table) => {
                    let shard = self.table.tables.latch_table(table);
                    let locks = shard.get(&table).map_or(&[][..], TableQueue::locks);
                    locks.iter().for_each(|lock| note(lock.trx, lock.state));
                }
            }
        }
        edges
    }

    /// For each waiting transaction: itself and all that are blocked behind it.
    ///
    /// The remembered edges make a forest, but for cycles not resolved yet. Weights are summed from
    /// its leaves inward; the members of a cycle are never reached and count what hangs on them.
    pub(crate) fn blocked_behind(&self) -> Weights {
        let blockers = self.remembered_edges();
        let mut weights: Weights = blockers.keys().map(|&trx| (trx, 1)).collect();
        let mut pending: FxHashMap<TrxId, usize> = FxHashMap::default();
        for blocker in blockers.values() {
            *pending.entry(*blocker).or_default() += 1;
        }
        let mut leaves: Vec<TrxId> = blockers
            .keys()
            .copied()
            .filter(|trx| !pending.contains_key(trx))
            .collect();
        while let Some(leaf) = leaves.pop() {
            let Some(&blocker) = blockers.get(&leaf) else {
                continue;
            };
            let weight = weights[&leaf];
            *weights.entry(blocker).or_insert(1) += weight;
            let left = pending
                .get_mut(&blocker)
                .expect("every blocker was counted");
            *left -= 1;
            if *left == 0 {
                leaves.push(blocker);
            }
        }
        weights
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        DetectorKind, GrantKind, HeapNo, LockConfig, LockMode, LockSpan, OnConflict, Origin,
        PageAddress, RecordAddress, RecordRequest,
    };

    fn table() -> LockTable {
        LockTable::new(LockConfig {
            shards: 1,
            detector: DetectorKind::BackgroundOneEdge,
            grant: GrantKind::ContentionAware,
            ..LockConfig::DEFAULT
        })
    }

    fn lock(table: &LockTable, trx: u64, heap: u16) {
        let page = PageAddress { space: 1, page: 4 };
        let answer = table.request_record(&RecordRequest {
            trx: TrxId(trx),
            at: RecordAddress {
                page,
                heap: HeapNo(heap),
            },
            mode: LockMode::X,
            span: LockSpan::Record,
            implicit: false,
            on_conflict: OnConflict::Wait(Micros::MAX),
            origin: Origin::default(),
        });
        assert!(answer.deadlocks.is_empty());
    }

    /// Each transaction of a pair has a record of its number and waits for the other's.
    fn weights(pairs: &[(u64, u16)]) -> Vec<(u64, u64)> {
        let table = table();
        for trx in 2..=9 {
            table.begin(TrxId(trx));
            lock(&table, trx, trx as u16);
        }
        for &(trx, heap) in pairs {
            lock(&table, trx, heap);
        }
        let weights = table.graph().blocked_behind();
        let mut sorted: Vec<_> = weights
            .into_iter()
            .map(|(trx, weight)| (trx.0, weight))
            .collect();
        sorted.sort_unstable();
        sorted
    }

    #[test]
    fn weights_count_all_that_are_blocked_behind() {
        assert_eq!(
            weights(&[(3, 2), (4, 3), (5, 4)]),
            [(2, 4), (3, 3), (4, 2), (5, 1)]
        );
        assert_eq!(
            weights(&[(3, 2), (4, 2), (5, 3)]),
            [(2, 4), (3, 2), (4, 1), (5, 1)]
        );
    }

    #[test]
    fn a_cycle_counts_what_hangs_on_it_and_ends() {
        assert_eq!(weights(&[(2, 3), (3, 2), (4, 3)]), [(2, 1), (3, 2), (4, 1)]);
    }
}
