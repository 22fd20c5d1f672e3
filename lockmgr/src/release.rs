//! Letting locks go, and ending waits.

use crate::grant::{ByArrival, ByWeight, GrantPolicy, Grants, Released, Weights};
use crate::queue::{PageQueue, RecordLock};
use crate::registry::{Held, Place};
use crate::shard::{TableShard, World};
use crate::table::LockTable;
use crate::waits::Wait;
use crate::{
    LockMode, LockSpan, Micros, PageAddress, RecordAddress, TableId, TableMode, TrxId, Wake, Wakeup,
};

impl LockTable {
    /// Gives back one record lock before the end of the transaction (READ COMMITTED, a row that
    /// did not match): the granted record-only lock of that mode, if there is one. Its structure
    /// stays the transaction's, even when it is empty.
    pub fn release_record(&self, trx: TrxId, at: RecordAddress, mode: LockMode) -> Vec<Wakeup> {
        let mut wakeups = Vec::new();
        self.with_page(at.page, |queue, weights| {
            let given_back = |lock: &RecordLock| {
                lock.trx == trx
                    && lock.mode == mode
                    && lock.span == LockSpan::Record
                    && !lock.is_waiting()
                    && lock.heaps.contains(at.heap)
            };
            if let Some(position) = queue.locks().iter().position(given_back) {
                queue.clear(position, at.heap);
                let heaps = crate::heap_set::HeapSet::single(at.heap);
                self.grant_after(
                    queue,
                    &Released { trx, heaps: &heaps },
                    weights,
                    &mut wakeups,
                );
            }
        });
        wakeups
    }

    /// Gives back a table lock before the end of the transaction (AUTO_INC at a statement's end).
    pub fn release_table(&self, trx: TrxId, table: TableId, mode: TableMode) -> Vec<Wakeup> {
        let mut wakeups = Vec::new();
        let mut shard = self.tables.latch_table(table);
        let held = shard.get(&table).and_then(|queue| {
            queue
                .locks()
                .iter()
                .find(|lock| lock.trx == trx && lock.mode == mode && !lock.is_waiting())
        });
        if let Some(sequence) = held.map(|lock| lock.sequence) {
            self.registry.remove(trx, sequence);
            self.remove_table_lock(&mut shard, table, trx, sequence, &mut wakeups);
        }
        wakeups
    }

    /// The transaction is no longer active, and all its locks are let go, newest first. It is
    /// then unknown. If it still waited (its client went away), the wait ends without a wake-up.
    pub fn release_all(&self, trx: TrxId) -> Vec<Wakeup> {
        self.registry.begin_release(trx);
        let mut wakeups = Vec::new();
        if self.waits.lock().of(trx).is_some() {
            wakeups = self.cancel_wait(trx);
        }
        loop {
            let held = self.registry.take_held(trx);
            if held.is_empty() {
                return wakeups;
            }
            for Held { sequence, place } in held.into_iter().rev() {
                match place {
                    Place::Page(page) => self.let_go(page, trx, sequence, &mut wakeups),
                    Place::Table(table) => {
                        let mut shard = self.tables.latch_table(table);
                        self.remove_table_lock(&mut shard, table, trx, sequence, &mut wakeups);
                    }
                }
            }
        }
    }

    /// Takes one structure out of its page's queue, unless it is gone.
    fn let_go(&self, page: PageAddress, trx: TrxId, sequence: u64, wakeups: &mut Vec<Wakeup>) {
        self.with_page(page, |queue, weights| {
            if let Some(position) = queue.position(trx, sequence) {
                let lock = queue.remove(position);
                let released = Released {
                    trx,
                    heaps: &lock.heaps,
                };
                self.grant_after(queue, &released, weights, wakeups);
            }
        });
    }

    /// Changes a page's queue, if it has one, under its shard's latch; or with everything latched
    /// if somebody waits there and grants go by weight, since weights are the whole graph's.
    fn with_page(&self, page: PageAddress, change: impl FnOnce(&mut PageQueue, Option<&Weights>)) {
        {
            let mut shard = self.pages.latch_page(page);
            let Some(queue) = shard.get_mut(page) else {
                return;
            };
            if queue.waiting() == 0 || !self.grants_by_weight() {
                change(queue, None);
                shard.drop_if_empty(page);
                return;
            }
        }
        let mut world = self.latch_all();
        let weights = self.grant_weights(&world);
        let shard = world.page_shard(page);
        if let Some(queue) = shard.get_mut(page) {
            change(queue, weights.as_ref());
            shard.drop_if_empty(page);
        }
    }

    /// Grants what may be granted now that some of a page's locks are gone.
    pub(crate) fn grant_after(
        &self,
        queue: &mut PageQueue,
        released: &Released<'_>,
        weights: Option<&Weights>,
        wakeups: &mut Vec<Wakeup>,
    ) {
        if queue.waiting() == 0 {
            return;
        }
        let Grants {
            granted,
            edges_changed,
        } = match weights {
            None => ByArrival.grant(queue, released, &self.config),
            Some(weights) => ByWeight { weights }.grant(queue, released, &self.config),
        };
        for trx in granted {
            self.end_granted_wait(trx, wakeups);
        }
        self.note_edges(edges_changed);
    }

    fn end_granted_wait(&self, trx: TrxId, wakeups: &mut Vec<Wakeup>) {
        let wait = self.waits.lock().end(trx);
        assert!(
            wait.is_some(),
            "transaction {trx} was granted a lock that it did not wait for"
        );
        wakeups.push(Wakeup {
            trx,
            wake: Wake::Granted,
        });
    }

    /// Takes one table lock out of its queue and grants what may be granted then.
    fn remove_table_lock(
        &self,
        shard: &mut TableShard,
        table: TableId,
        trx: TrxId,
        sequence: u64,
        wakeups: &mut Vec<Wakeup>,
    ) {
        let Some(queue) = shard.get_mut(&table) else {
            return;
        };
        let Some(position) = queue.position(trx, sequence) else {
            return;
        };
        queue.remove(position);
        if queue.waiting() > 0 {
            let changed = queue.grant_in_order(|trx| self.end_granted_wait(trx, wakeups));
            self.note_edges(changed);
        }
    }

    /// Takes back the transaction's waiting request, if it has one (a client that went away). The
    /// transaction itself gets no wake-up.
    pub fn cancel_wait(&self, trx: TrxId) -> Vec<Wakeup> {
        let mut world = self.latch_all();
        let mut wakeups = Vec::new();
        self.cancel(&mut world, trx, &mut wakeups);
        wakeups
    }

    /// Times out the waits whose moment has come.
    pub fn expire(&self, now: Micros) -> Vec<Wakeup> {
        let due = |first: Option<(Micros, TrxId)>| first.filter(|&(moment, _)| moment <= now);
        let mut wakeups = Vec::new();
        if due(self.waits.lock().next_expiry()).is_none() {
            return wakeups;
        }
        let mut world = self.latch_all();
        loop {
            let first = due(self.waits.lock().next_expiry());
            let Some((_, trx)) = first else {
                return wakeups;
            };
            wakeups.push(Wakeup {
                trx,
                wake: Wake::TimedOut,
            });
            self.cancel(&mut world, trx, &mut wakeups);
        }
    }

    /// The earliest moment at which a wait times out.
    #[must_use]
    pub fn next_expiry(&self) -> Option<Micros> {
        self.waits.lock().next_expiry().map(|(moment, _)| moment)
    }

    /// Ends a wait by taking its structure away, and grants what may be granted then. The caller
    /// tells the transaction, if it was waiting at all.
    pub(crate) fn cancel(&self, world: &mut World<'_>, trx: TrxId, wakeups: &mut Vec<Wakeup>) {
        let Some(wait) = self.waits.lock().of(trx) else {
            return;
        };
        let weights = self.grant_weights(world);
        let Wait {
            place, sequence, ..
        } = wait;
        self.waits.lock().end(trx);
        self.registry.remove(trx, sequence);
        match place {
            Place::Table(table) => {
                self.remove_table_lock(world.table_shard(table), table, trx, sequence, wakeups);
            }
            Place::Page(page) => {
                let shard = world.page_shard(page);
                let queue = shard
                    .get_mut(page)
                    .expect("a waiting structure is in its queue");
                let position = queue
                    .position(trx, sequence)
                    .expect("a waiting structure is in its queue");
                let lock = queue.remove(position);
                let released = Released {
                    trx,
                    heaps: &lock.heaps,
                };
                self.grant_after(queue, &released, weights.as_ref(), wakeups);
                shard.drop_if_empty(page);
            }
        }
    }
}
