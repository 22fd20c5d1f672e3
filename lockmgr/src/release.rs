//! Letting locks go, and ending waits.

use std::sync::atomic::Ordering;

use crate::grant::{Grants, Order, Released, grant};
use crate::queue::{PageQueue, RecordLock};
use crate::registry::{Ending, Held, Place};
use crate::shard::TableShard;
use crate::table::LockTable;
use crate::waits::{Wait, WaitEnd};
use crate::{
    LockMode, LockSpan, Micros, PageAddress, RecordAddress, TableId, TableMode, TrxId, Wake, Wakeup,
};

impl LockTable {
    /// Gives back one record lock before the end of the transaction (READ COMMITTED, a row that
    /// did not match): the granted record-only lock of that mode, if there is one. Its structure
    /// stays the transaction's, even when it is empty.
    pub fn release_record(&self, trx: TrxId, at: RecordAddress, mode: LockMode) -> Vec<Wakeup> {
        let mut wakeups = Vec::new();
        self.with_page(at.page, |queue, order| {
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
                self.grant_after(queue, &Released { trx, heaps: &heaps }, order, &mut wakeups);
            }
        });
        self.judge_new_edges(&mut wakeups);
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
        drop(shard);
        self.judge_new_edges(&mut wakeups);
        wakeups
    }

    /// The transaction is no longer active, and all its locks are let go, newest first. It is
    /// then unknown. If it still waited (its client went away), the wait ends without a wake-up.
    pub fn release_all(&self, trx: TrxId) -> Vec<Wakeup> {
        let mut wakeups = Vec::new();
        let Ending {
            mut held,
            waits,
            wounded,
        } = self.registry.begin_release(trx);
        if wounded {
            self.wounds.fetch_sub(1, Ordering::AcqRel);
        }
        if waits {
            self.end_wait(trx, None, WaitEnd::Withdrawn, &mut wakeups);
        }
        loop {
            for &Held { sequence, place } in held.iter().rev() {
                match place {
                    Place::Page(page) => self.let_go(page, trx, sequence, &mut wakeups),
                    Place::Table(table) => {
                        let mut shard = self.tables.latch_table(table);
                        self.remove_table_lock(&mut shard, table, trx, sequence, &mut wakeups);
                    }
                }
            }
            held = self.registry.take_held(trx, held);
            if held.is_empty() {
                self.judge_new_edges(&mut wakeups);
                return wakeups;
            }
        }
    }

    /// Takes one structure out of its page's queue, unless it is gone.
    fn let_go(&self, page: PageAddress, trx: TrxId, sequence: u64, wakeups: &mut Vec<Wakeup>) {
        self.with_page(page, |queue, order| {
            if let Some(position) = queue.position(trx, sequence) {
                let lock = queue.remove(position);
                let released = Released {
                    trx,
                    heaps: &lock.heaps,
                };
                self.grant_after(queue, &released, order, wakeups);
            }
        });
    }

    /// Grants what may be granted now that some of a page's locks are gone.
    fn grant_after(
        &self,
        queue: &mut PageQueue,
        released: &Released<'_>,
        order: &Order,
        wakeups: &mut Vec<Wakeup>,
    ) {
        if queue.waiting() == 0 {
            return;
        }
        let Grants {
            granted,
            edges_changed,
        } = grant(queue, released, order, &self.config);
        for trx in granted {
            self.end_granted_wait(trx, wakeups);
        }
        self.note_edges(edges_changed);
    }

    fn end_granted_wait(&self, trx: TrxId, wakeups: &mut Vec<Wakeup>) {
        let wait = self
            .waits
            .lock()
            .end(trx, WaitEnd::Granted, self.moments.now());
        assert!(
            wait.is_some(),
            "transaction {trx} was granted a lock that it did not wait for"
        );
        self.registry.set_waits(trx, false);
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
        let mut wakeups = Vec::new();
        self.end_wait(trx, None, WaitEnd::Withdrawn, &mut wakeups);
        self.judge_new_edges(&mut wakeups);
        wakeups
    }

    /// Says what time it is. Time never goes back.
    pub fn set_time(&self, now: Micros) {
        self.moments.advance(now);
    }

    /// Says what time it is, and times out the waits whose moment has come.
    pub fn expire(&self, now: Micros) -> Vec<Wakeup> {
        self.set_time(now);
        let mut wakeups = Vec::new();
        loop {
            let due = {
                let waits = self.waits.lock();
                let first = waits.next_expiry().filter(|&(moment, _)| moment <= now);
                first.and_then(|(_, trx)| Some((trx, waits.of(trx)?.started)))
            };
            let Some((trx, epoch)) = due else {
                self.judge_new_edges(&mut wakeups);
                return wakeups;
            };
            let first = wakeups.len();
            if self.end_wait(trx, Some(epoch), WaitEnd::TimedOut, &mut wakeups) {
                let wake = Wake::TimedOut;
                wakeups.insert(first, Wakeup { trx, wake });
            }
        }
    }

    /// The earliest moment at which a wait times out.
    #[must_use]
    pub fn next_expiry(&self) -> Option<Micros> {
        self.waits.lock().next_expiry().map(|(moment, _)| moment)
    }

    /// Ends a wait, if it is still the one of that epoch, by taking its structure away, and grants
    /// what may be granted then. Whoever gets `true` owes the transaction a wake-up.
    pub(crate) fn end_wait(
        &self,
        trx: TrxId,
        epoch: Option<u64>,
        end: WaitEnd,
        wakeups: &mut Vec<Wakeup>,
    ) -> bool {
        loop {
            let Some(wait) = self.waits.lock().of(trx) else {
                return false;
            };
            if epoch.is_some_and(|epoch| epoch != wait.started) {
                return false;
            }
            let ended = match wait.place {
                Place::Table(table) => self.end_table_wait(trx, &wait, table, end, wakeups),
                Place::Page(page) => self.end_page_wait(trx, &wait, page, end, wakeups),
            };
            if ended {
                return true;
            }
        }
    }

    /// Ends the wait unless it is another one by now. The caller has latched its place.
    fn claim_wait(&self, trx: TrxId, wait: &Wait, end: WaitEnd) -> bool {
        let mut waits = self.waits.lock();
        if waits.of(trx).as_ref() != Some(wait) {
            return false;
        }
        waits.end(trx, end, self.moments.now());
        drop(waits);
        self.registry.set_waits(trx, false);
        self.registry.remove(trx, wait.sequence);
        true
    }

    fn end_table_wait(
        &self,
        trx: TrxId,
        wait: &Wait,
        table: TableId,
        end: WaitEnd,
        wakeups: &mut Vec<Wakeup>,
    ) -> bool {
        let mut shard = self.tables.latch_table(table);
        let claimed = self.claim_wait(trx, wait, end);
        if claimed {
            self.remove_table_lock(&mut shard, table, trx, wait.sequence, wakeups);
        }
        claimed
    }

    fn end_page_wait(
        &self,
        trx: TrxId,
        wait: &Wait,
        page: PageAddress,
        end: WaitEnd,
        wakeups: &mut Vec<Wakeup>,
    ) -> bool {
        let mut claimed = false;
        self.with_page(page, |queue, order| {
            claimed = self.claim_wait(trx, wait, end);
            if !claimed {
                return;
            }
            let position = queue
                .position(trx, wait.sequence)
                .expect("a waiting structure is in its queue");
            let lock = queue.remove(position);
            let released = Released {
                trx,
                heaps: &lock.heaps,
            };
            self.grant_after(queue, &released, order, wakeups);
        });
        claimed
    }
}
