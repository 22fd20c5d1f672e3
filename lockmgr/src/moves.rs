//! What happens to locks when records come, go and move. The record layer calls these under the
//! latches of the pages concerned, so nobody asks for locks on those records meanwhile.
//!
//! Two things happen to a lock. It is *inherited*: its owner gets a granted gap lock of the same mode
//! on another record, the heir, because the gap that it protected is now before that one. Or it
//! *moves*: its record has another address, and the lock, granted or waiting, goes along.
//!
//! ```text
//!   insert 5 between 3 and 9:   9 has a next-key lock     ->  5 gets a gap lock too
//!   remove 5 between 3 and 9:   5 has any lock            ->  9 gets a gap lock, waiters on 5 retry
//! ```
//!
//! Insert intentions are never inherited. Waiting locks are, as granted gap locks: gap locks never
//! wait. A lock inherited where its owner has an equal one is the same lock; where the owner has a
//! next-key lock it is stored beside it, as servers do.

use smallvec::SmallVec;

use crate::conflict::{Claim, normalised};
use crate::queue::{LockState, PageQueue, RecordLock};
use crate::registry::Place;
use crate::shard::{PageShard, World};
use crate::table::LockTable;
use crate::waits::WaitEnd;
use crate::{HeapNo, LockMode, LockSpan, Origin, PageAddress, RecordAddress, TrxId, Wake, Wakeup};

/// A lock that an heir gets.
#[derive(Clone, Copy)]
struct Bequest {
    trx: TrxId,
    mode: LockMode,
    origin: Origin,
}

type Bequests = SmallVec<[Bequest; 4]>;

impl Bequest {
    fn of(lock: &RecordLock, heap: HeapNo) -> Self {
        Bequest {
            trx: lock.trx,
            mode: lock.mode,
            origin: lock.origins.of(heap),
        }
    }
}

fn supremum_of(page: PageAddress) -> RecordAddress {
    RecordAddress {
        page,
        heap: HeapNo::SUPREMUM,
    }
}

impl LockTable {
    /// A record was inserted before `successor`, on the same page: gap and next-key locks there are
    /// copied to the new record as gap locks.
    pub fn inherit_on_insert(&self, new: RecordAddress, successor: RecordAddress) {
        assert_eq!(
            new.page, successor.page,
            "a record is inserted before one of its page"
        );
        let mut shard = self.pages.latch_page(new.page);
        let Some(queue) = shard.get(new.page) else {
            return;
        };
        let covers_gap =
            |lock: &&RecordLock| matches!(lock.span, LockSpan::Gap | LockSpan::NextKey);
        let bequests: Bequests = queue
            .on(successor.heap)
            .filter(covers_gap)
            .map(|lock| Bequest::of(lock, successor.heap))
            .collect();
        self.bequeath(&mut shard, &bequests, new);
    }

    /// `removed` goes away physically: its locks live on as gap locks on `heir` (as far as their
    /// owners inherit), and whoever waits on it is woken to ask again.
    pub fn inherit_on_remove(&self, removed: RecordAddress, heir: RecordAddress) -> Vec<Wakeup> {
        let mut wakeups = Vec::new();
        if removed.page == heir.page {
            let mut shard = self.pages.latch_page(removed.page);
            let Some(queue) = shard.get(removed.page) else {
                return wakeups;
            };
            let bequests = self.legacy(queue, removed.heap);
            self.bequeath(&mut shard, &bequests, heir);
            if let Some(queue) = shard.get_mut(removed.page) {
                self.drop_record(queue, removed.heap, &mut wakeups);
            }
        } else if self.has_locks(removed.page) {
            let mut world = self.latch_all();
            self.inherit(&mut world, removed, heir);
            self.drop_record_of(&mut world, removed, &mut wakeups);
        }
        wakeups
    }

    /// Records moved to another page, or to other heap numbers of the same page; their locks go
    /// along, in queue order. Pairs are (old, new).
    pub fn move_records(&self, from: PageAddress, to: PageAddress, moved: &[(HeapNo, HeapNo)]) {
        if from == to {
            let mut waited_for = false;
            if let Some(queue) = self.pages.latch_page(from).get_mut(from) {
                queue.rename(moved, self.config.keep_provenance);
                waited_for = queue.locks().iter().any(|lock| {
                    lock.is_waiting() && moved.iter().any(|(_, new)| lock.heaps.contains(*new))
                });
            }
            if waited_for {
                self.renew_waits(&mut self.latch_all(), from, moved);
            }
        } else if self.has_locks(from) {
            self.move_locks(&mut self.latch_all(), from, to, moved);
        }
    }

    /// Makes waiting locks of a page anew, as a server does when it gives their records other heap
    /// numbers: each leaves an empty structure behind.
    fn renew_waits(&self, world: &mut World<'_>, page: PageAddress, moved: &[(HeapNo, HeapNo)]) {
        let shard = world.page_shard(page);
        let Some(queue) = shard.get_mut(page) else {
            return;
        };
        let mut renewed = Vec::new();
        for position in 0..queue.locks().len() {
            let lock = &queue.locks()[position];
            let wanted = moved.iter().map(|(_, new)| *new);
            let found = { wanted }.find(|heap| lock.heaps.contains(*heap));
            let Some(heap) = found.filter(|_| lock.is_waiting()) else {
                continue;
            };
            renewed.push((lock.claim(), lock.state, lock.origins.of(heap), heap));
            queue.clear(position, heap);
        }
        for (claim, state, origin, heap) in renewed {
            let place = Place::Page(page);
            let sequence = self.registry.append(claim.trx, place);
            self.waits.lock().relocate(claim.trx, place, sequence);
            let lock = self.structure(&claim, sequence, heap, state, origin);
            shard.get_or_new(page).add(lock, &self.config);
        }
    }

    /// Split to the right: `left`'s supremum locks move to `right`'s supremum, and `left`'s
    /// supremum inherits from the first user record of `right`.
    pub fn split_right(&self, left: PageAddress, right: PageAddress, right_first: HeapNo) {
        if self.has_locks(left) || self.has_locks(right) {
            let mut world = self.latch_all();
            self.move_supremum(&mut world, left, right);
            let first = RecordAddress {
                page: right,
                heap: right_first,
            };
            self.inherit(&mut world, first, supremum_of(left));
        }
    }

    /// Split to the left: the supremum of the new page `left` inherits from `right`'s first user
    /// record.
    pub fn split_left(&self, left: PageAddress, right: PageAddress, right_first: HeapNo) {
        if self.has_locks(right) {
            let first = RecordAddress {
                page: right,
                heap: right_first,
            };
            self.inherit(&mut self.latch_all(), first, supremum_of(left));
        }
    }

    /// The supremum of `left` gives up its locks and inherits from `right`'s first user record: an
    /// update that split the page had taken that record off it meanwhile.
    pub fn restore_end(
        &self,
        left: PageAddress,
        right: PageAddress,
        right_first: HeapNo,
    ) -> Vec<Wakeup> {
        let mut wakeups = Vec::new();
        if self.has_locks(left) || self.has_locks(right) {
            let mut world = self.latch_all();
            let end = supremum_of(left);
            self.drop_record_of(&mut world, end, &mut wakeups);
            let first = RecordAddress {
                page: right,
                heap: right_first,
            };
            self.inherit(&mut world, first, end);
        }
        wakeups
    }

    /// `left` was merged into `right`: `left`'s supremum locks are inherited by the record that was
    /// first on `right`; nothing stays on `left`.
    pub fn merge_right(&self, right_old_first: RecordAddress, left: PageAddress) -> Vec<Wakeup> {
        let mut wakeups = Vec::new();
        if self.has_locks(left) {
            let mut world = self.latch_all();
            self.inherit(&mut world, supremum_of(left), right_old_first);
            self.drop_page(&mut world, left, &mut wakeups);
        }
        wakeups
    }

    /// `right` was merged into `left`: `left_old_sup_heir` is the record now standing where
    /// `left`'s supremum was (None if `right` was empty).
    pub fn merge_left(
        &self,
        left: PageAddress,
        left_old_sup_heir: Option<HeapNo>,
        right: PageAddress,
    ) -> Vec<Wakeup> {
        let mut wakeups = Vec::new();
        if !self.has_locks(left) && !self.has_locks(right) {
            return wakeups;
        }
        let mut world = self.latch_all();
        if let Some(heap) = left_old_sup_heir {
            let old_end = supremum_of(left);
            self.inherit(&mut world, old_end, RecordAddress { page: left, heap });
            self.drop_record_of(&mut world, old_end, &mut wakeups);
        }
        self.move_supremum(&mut world, right, left);
        self.drop_page(&mut world, right, &mut wakeups);
        wakeups
    }

    /// The root's records moved to the new page `child`: the supremum locks go along.
    pub fn root_raise(&self, root: PageAddress, child: PageAddress) {
        self.move_records(root, child, &[(HeapNo::SUPREMUM, HeapNo::SUPREMUM)]);
    }

    /// `old`'s records were copied to `new`, and their locks moved along; `old` goes away (a single
    /// child lifted into its parent).
    pub fn copy_and_discard(&self, new: PageAddress, old: PageAddress) {
        if self.has_locks(old) {
            let mut world = self.latch_all();
            self.move_supremum(&mut world, old, new);
            let mut nobody = Vec::new();
            self.drop_page(&mut world, old, &mut nobody);
            assert!(
                nobody.is_empty(),
                "a waiting lock was left behind on a page that went away"
            );
        }
    }

    /// `page` goes away: every lock on it is inherited by `heir`.
    pub fn discard(&self, heir: RecordAddress, page: PageAddress) -> Vec<Wakeup> {
        let mut wakeups = Vec::new();
        if self.has_locks(page) {
            let mut world = self.latch_all();
            for heap in locked_heaps(world.page(page)) {
                self.inherit(&mut world, RecordAddress { page, heap }, heir);
            }
            self.drop_page(&mut world, page, &mut wakeups);
        }
        wakeups
    }

    /// Whether the page has any lock structure.
    fn has_locks(&self, page: PageAddress) -> bool {
        self.pages.latch_page(page).get(page).is_some()
    }

    /// The locks on a record that live on when it goes away, as far as their owners inherit.
    fn legacy(&self, queue: &PageQueue, heap: HeapNo) -> Bequests {
        let lives_on = |lock: &&RecordLock| {
            let inheritance = self.registry.inheritance(lock.trx);
            let by_mode = match lock.mode {
                LockMode::S => inheritance.shared,
                LockMode::X => inheritance.exclusive,
            };
            match lock.span {
                LockSpan::InsertIntention => false,
                LockSpan::Record => by_mode && inheritance.record_only,
                LockSpan::Gap | LockSpan::NextKey => by_mode,
            }
        };
        queue
            .on(heap)
            .filter(lives_on)
            .map(|lock| Bequest::of(lock, heap))
            .collect()
    }

    /// Gives the heir its gap locks.
    fn bequeath(&self, shard: &mut PageShard, bequests: &Bequests, heir: RecordAddress) {
        let span = normalised(LockSpan::Gap, heir.heap.is_supremum());
        for &Bequest { trx, mode, origin } in bequests {
            let claim = Claim {
                trx,
                mode,
                span,
                waiting: false,
            };
            self.store_granted(shard, &claim, heir, origin);
        }
    }

    /// The heir inherits from another record, of whatever page.
    fn inherit(&self, world: &mut World<'_>, from: RecordAddress, heir: RecordAddress) {
        let Some(queue) = world.page(from.page) else {
            return;
        };
        let bequests = self.legacy(queue, from.heap);
        self.bequeath(world.page_shard(heir.page), &bequests, heir);
    }

    /// Takes away all locks on a record. Whoever waited there asks again.
    fn drop_record(&self, queue: &mut PageQueue, heap: HeapNo, wakeups: &mut Vec<Wakeup>) {
        for position in 0..queue.locks().len() {
            if queue.locks()[position].heaps.contains(heap) && queue.clear(position, heap) {
                self.send_to_retry(queue.locks()[position].trx, wakeups);
            }
        }
    }

    fn drop_record_of(&self, world: &mut World<'_>, at: RecordAddress, wakeups: &mut Vec<Wakeup>) {
        if let Some(queue) = world.page_shard(at.page).get_mut(at.page) {
            self.drop_record(queue, at.heap, wakeups);
        }
    }

    fn send_to_retry(&self, trx: TrxId, wakeups: &mut Vec<Wakeup>) {
        let wait = self
            .waits
            .lock()
            .end(trx, WaitEnd::Retry, self.moments.now());
        assert!(
            wait.is_some(),
            "a waiting structure's owner {trx} does not wait"
        );
        self.registry.set_waits(trx, false);
        wakeups.push(Wakeup {
            trx,
            wake: Wake::Retry,
        });
    }

    /// Takes away all structures of a page. Whoever waited there asks again.
    fn drop_page(&self, world: &mut World<'_>, page: PageAddress, wakeups: &mut Vec<Wakeup>) {
        let shard = world.page_shard(page);
        let Some(queue) = shard.get_mut(page) else {
            return;
        };
        for lock in queue.remove_all() {
            self.registry.remove(lock.trx, lock.sequence);
            if lock.is_waiting() {
                self.send_to_retry(lock.trx, wakeups);
            }
        }
        shard.drop_if_empty(page);
    }

    fn move_supremum(&self, world: &mut World<'_>, from: PageAddress, to: PageAddress) {
        self.move_locks(world, from, to, &[(HeapNo::SUPREMUM, HeapNo::SUPREMUM)]);
    }

    /// Moves locks between two pages, in queue order. Their old structures stay with their owners,
    /// perhaps empty, until the owners end or the old page goes away.
    fn move_locks(
        &self,
        world: &mut World<'_>,
        from: PageAddress,
        to: PageAddress,
        moved: &[(HeapNo, HeapNo)],
    ) {
        let Some(queue) = world.page_shard(from).get_mut(from) else {
            return;
        };
        let mut movers = Vec::new();
        for position in 0..queue.locks().len() {
            for &(old, new) in moved {
                let lock = &queue.locks()[position];
                if lock.heaps.contains(old) {
                    movers.push((lock.claim(), lock.state, lock.origins.of(old), new));
                    queue.clear(position, old);
                }
            }
        }
        let shard = world.page_shard(to);
        for (claim, state, origin, heap) in movers {
            let at = RecordAddress { page: to, heap };
            match state {
                LockState::Granted => {
                    self.store_granted(shard, &claim, at, origin);
                }
                LockState::Waiting { .. } => {
                    let place = Place::Page(to);
                    let sequence = self.registry.append(claim.trx, place);
                    self.waits.lock().relocate(claim.trx, place, sequence);
                    let lock = self.structure(&claim, sequence, heap, state, origin);
                    shard.get_or_new(to).add(lock, &self.config);
                }
            }
        }
    }
}

/// The records of a page that have locks, ascending.
fn locked_heaps(queue: Option<&PageQueue>) -> Vec<HeapNo> {
    let locks = queue.map_or(&[][..], PageQueue::locks);
    let mut heaps: Vec<HeapNo> = locks.iter().flat_map(|lock| lock.heaps.iter()).collect();
    heaps.sort_unstable();
    heaps.dedup();
    heaps
}
