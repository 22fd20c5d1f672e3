//! The waits-for graph, as a read-only view over the queues. Nobody reports edges: they are derived
//! from the same conflict rule and queue order that grants will use, so the two cannot disagree.

use std::collections::BTreeMap;

use parking_lot::MutexGuard;

use crate::grant::Weights;
use crate::queue::LockState;
use crate::registry::{Place, Registry};
use crate::shard::World;
use crate::table::LockTable;
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
        let blockers: BTreeMap<TrxId, TrxId> = self
            .waits
            .waiters()
            .filter_map(|trx| Some((trx, self.blocker(trx)?)))
            .collect();
        let mut weights: Weights = blockers.keys().map(|&trx| (trx, 1)).collect();
        let mut pending: BTreeMap<TrxId, usize> = BTreeMap::new();
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
