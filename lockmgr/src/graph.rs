//! The waits-for graph, as a read-only view over the queues. Nobody reports edges: they are derived
//! from the same conflict rule and queue order that grants will use, so the two cannot disagree.

use parking_lot::MutexGuard;
use rustc_hash::FxHashMap;

use crate::grant::Weights;
use crate::queue::{LockState, PageQueue};
use crate::registry::{Place, Registry};
use crate::shard::World;
use crate::table::LockTable;
use crate::table_queue::TableQueue;
use crate::waits::{Wait, Waits};
use crate::{LockConfig, TrxId};

/// The waits-for graph of one moment.
pub(crate) struct WaitGraph<'a, 'w> {
    world: &'a World<'w>,
    waits: MutexGuard<'a, Waits>,
    registry: &'a Registry,
    config: &'a LockConfig,
}

impl LockTable {
    /// The graph while the world stands still.
    pub(crate) fn graph<'a, 'w>(&'a self, world: &'a World<'w>) -> WaitGraph<'a, 'w> {
        WaitGraph {
            world,
            waits: self.waits.lock(),
            registry: &self.registry,
            config: &self.config,
        }
    }
}

impl WaitGraph<'_, '_> {
    /// Everybody who waits, in the order in which their waits began.
    pub(crate) fn waiters(&self) -> Vec<TrxId> {
        self.waits.waiters().collect()
    }

    /// Whether the transaction waits.
    pub(crate) fn is_waiting(&self, trx: TrxId) -> bool {
        self.waits.of(trx).is_some()
    }

    /// Ordinal of the transaction's wait: a greater one began later. 0 if it doesn't wait.
    pub(crate) fn started(&self, trx: TrxId) -> u64 {
        self.waits.of(trx).map_or(0, |wait| wait.started)
    }

    /// Undo records plus lock structures.
    pub(crate) fn weight(&self, trx: TrxId) -> u64 {
        self.registry.weight(trx)
    }

    /// The one remembered edge of a waiting transaction.
    pub(crate) fn blocker(&self, trx: TrxId) -> Option<TrxId> {
        let wait = self.waits.of(trx)?;
        let state = match wait.place {
            Place::Page(page) => {
                let queue = self.world.page(page)?;
                queue.locks()[queue.position(trx, wait.sequence)?].state
            }
            Place::Table(table) => {
                let queue = self.world.table(table)?;
                queue.locks()[queue.position(trx, wait.sequence)?].state
            }
        };
        match state {
            LockState::Waiting { blocker } => Some(blocker),
            LockState::Granted => None,
        }
    }

    /// The remembered edges of all, from waiter to blocker. Each queue is walked once, so that a
    /// thousand waiters on one record cost a thousand steps.
    pub(crate) fn remembered_edges(&self) -> FxHashMap<TrxId, TrxId> {
        let mut places: Vec<Place> = self.waits.places().collect();
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
                    let locks = self.world.page(page).map_or(&[][..], PageQueue::locks);
                    locks.iter().for_each(|lock| note(lock.trx, lock.state));
                }
                Place::Table(table) => {
                    let locks = self.world.table(table).map_or(&[][..], TableQueue::locks);
                    locks.iter().for_each(|lock| note(lock.trx, lock.state));
                }
            }
        }
        edges
    }

    /// The owners of all locks that the transaction waits for, in queue order; an owner of several
    /// comes several times.
    pub(crate) fn blockers(&self, trx: TrxId) -> Vec<TrxId> {
        self.waits
            .of(trx)
            .map_or_else(Vec::new, |wait| self.blockers_of(trx, wait))
    }

    fn blockers_of(&self, trx: TrxId, wait: Wait) -> Vec<TrxId> {
        match wait.place {
            Place::Page(page) => {
                let Some(queue) = self.world.page(page) else {
                    return Vec::new();
                };
                let Some(at) = queue.position(trx, wait.sequence) else {
                    return Vec::new();
                };
                queue
                    .blockers(at, self.config)
                    .map(|lock| lock.trx)
                    .collect()
            }
            Place::Table(table) => {
                let Some(queue) = self.world.table(table) else {
                    return Vec::new();
                };
                let Some(at) = queue.position(trx, wait.sequence) else {
                    return Vec::new();
                };
                queue.blockers(at).map(|lock| lock.trx).collect()
            }
        }
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
        DetectorKind, GrantKind, HeapNo, LockMode, LockSpan, Micros, OnConflict, Origin,
        PageAddress, RecordAddress, RecordRequest, StructReuse, VictimKind,
    };

    fn table() -> LockTable {
        LockTable::new(LockConfig {
            shards: 1,
            detector: DetectorKind::BackgroundOneEdge,
            victim: VictimKind::LightestInCycle,
            grant: GrantKind::ContentionAware,
            struct_reuse: StructReuse::AlwaysFront,
            next_key_upgrade_asks_gap: true,
            bypass_blocked_waiters: true,
            keep_provenance: false,
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
        let world = table.latch_all();
        let weights = table.graph(&world).blocked_behind();
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
