//! The lock table's invariants, checked one by one while everything stands still.
//!
//! - **L1** A waiting structure has exactly one record.
//! - **L2** A structure is in its owner's list once, at the place where it is queued, and nothing
//!   else is in that list.
//! - **L3** Each queue counts its waiting structures rightly.
//! - **L4** A transaction is known to wait exactly if one structure of its waits, and for that one.
//! - **L5** No two transactions hold incompatible locks that cover the same record, or the same
//!   table.
//! - **L6** Whoever waits has something in its way, and remembers a blocker that is one of those in
//!   its way: no wake-up was lost.
//! - **L7** On a supremum there are only next-key locks, insert intentions, and gap locks that joined
//!   a structure; never one of a record alone.
//! - **L8** A page without structures has no queue.

use std::collections::BTreeMap;

use crate::queue::{LockState, PageQueue, RecordLock};
use crate::registry::{Held, Place};
use crate::shard::World;
use crate::table::LockTable;
use crate::{HeapNo, LockSpan, PageAddress, TableId, TrxId};

/// One structure as its queue has it.
struct Queued {
    trx: TrxId,
    held: Held,
    waiting: bool,
}

/// `Err` with the invariant's number and the circumstances, unless `holds`.
fn ensure(holds: bool, what: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(what()) }
}

impl LockTable {
    /// Checks all invariants (L1 to L8). Nobody may be within [`Self::release_all`] meanwhile,
    /// which takes a transaction's list apart step by step.
    ///
    /// # Errors
    /// The number of the first invariant that does not hold, with the circumstances.
    pub fn check(&self) -> Result<(), String> {
        let world = self.latch_all();
        let mut queued = Vec::new();
        for (page, queue) in world.pages() {
            self.check_page(page, queue)?;
            queued.extend(queue.locks().iter().map(|lock| Queued {
                trx: lock.trx,
                held: Held {
                    sequence: lock.sequence,
                    place: Place::Page(page),
                },
                waiting: lock.is_waiting(),
            }));
        }
        for (table, queue) in world.tables() {
            check_table(&world, table)?;
            queued.extend(queue.locks().iter().map(|lock| Queued {
                trx: lock.trx,
                held: Held {
                    sequence: lock.sequence,
                    place: Place::Table(table),
                },
                waiting: lock.is_waiting(),
            }));
        }
        self.check_lists(&queued)?;
        self.check_waits(&queued)
    }

    fn check_page(&self, page: PageAddress, queue: &PageQueue) -> Result<(), String> {
        ensure(!queue.is_empty(), || {
            format!("L8: {page:?} has an empty queue")
        })?;
        let waiting = queue
            .locks()
            .iter()
            .filter(|lock| lock.is_waiting())
            .count();
        ensure(waiting == queue.waiting(), || {
            format!("L3: {page:?} has {waiting} waiters")
        })?;
        for (position, lock) in queue.locks().iter().enumerate() {
            if lock.heaps.contains(HeapNo::SUPREMUM) {
                let lawful = lock.span != LockSpan::Record;
                ensure(lawful, || {
                    format!("L7: {lock:?} on the supremum of {page:?}")
                })?;
            }
            match lock.state {
                LockState::Granted => check_exclusion(queue, position)?,
                LockState::Waiting { blocker } => {
                    ensure(lock.heaps.len() == 1, || {
                        format!("L1: {lock:?} on {page:?}")
                    })?;
                    let in_the_way = queue
                        .blockers(position, &self.config)
                        .any(|other| other.trx == blocker);
                    ensure(in_the_way, || {
                        format!("L6: {lock:?} on {page:?}: {queue:#?}")
                    })?;
                }
            }
        }
        Ok(())
    }

    fn check_lists(&self, queued: &[Queued]) -> Result<(), String> {
        let mut by_owner: BTreeMap<TrxId, Vec<Held>> = BTreeMap::new();
        for Queued { trx, held, .. } in queued {
            by_owner.entry(*trx).or_default().push(*held);
        }
        for trx in self.registry.transactions() {
            let mut found = by_owner.remove(&trx).unwrap_or_default();
            found.sort_by_key(|held| held.sequence);
            let listed = self.registry.held(trx);
            ensure(found == listed, || {
                format!("L2: {trx} has {found:?} but lists {listed:?}")
            })?;
        }
        ensure(by_owner.is_empty(), || {
            format!("L2: locks of unknown owners: {by_owner:?}")
        })
    }

    fn check_waits(&self, queued: &[Queued]) -> Result<(), String> {
        let waits = self.waits.lock();
        let waiting = || queued.iter().filter(|one| one.waiting);
        for Queued { trx, held, .. } in waiting() {
            let known = waits.of(*trx).map(|wait| (wait.sequence, wait.place));
            ensure(known == Some((held.sequence, held.place)), || {
                format!("L4: {trx} waits by {held:?} but is known to wait by {known:?}")
            })?;
        }
        ensure(waits.len() == waiting().count(), || {
            "L4: somebody is known to wait and has no waiting structure".to_owned()
        })
    }
}

/// L5 for the granted structure at `position` and those behind it.
fn check_exclusion(queue: &PageQueue, position: usize) -> Result<(), String> {
    let lock = &queue.locks()[position];
    let covers_record =
        |lock: &RecordLock| matches!(lock.span, LockSpan::Record | LockSpan::NextKey);
    for other in &queue.locks()[position + 1..] {
        let rivals = other.trx != lock.trx
            && !other.is_waiting()
            && !lock.mode.compatible(other.mode)
            && covers_record(lock)
            && covers_record(other);
        let shared = || {
            lock.heaps
                .iter()
                .any(|heap| !heap.is_supremum() && other.heaps.contains(heap))
        };
        ensure(!(rivals && shared()), || {
            format!("L5: {lock:?} and {other:?}")
        })?;
    }
    Ok(())
}

/// L3, L5 and L6 for a table.
fn check_table(world: &World<'_>, table: TableId) -> Result<(), String> {
    let Some(queue) = world.table(table) else {
        return Ok(());
    };
    let waiting = queue
        .locks()
        .iter()
        .filter(|lock| lock.is_waiting())
        .count();
    ensure(waiting == queue.waiting(), || {
        format!("L3: {table:?} has {waiting} waiters")
    })?;
    for (position, lock) in queue.locks().iter().enumerate() {
        let mut blockers = queue.blockers(position);
        match lock.state {
            LockState::Granted => {
                let rival = blockers.find(|other| !other.is_waiting());
                ensure(rival.is_none(), || {
                    format!("L5: {lock:?} and {rival:?} on {table:?}")
                })?;
            }
            LockState::Waiting { blocker } => {
                let in_the_way = blockers.any(|other| other.trx == blocker);
                ensure(in_the_way, || format!("L6: {lock:?} on {table:?}"))?;
            }
        }
    }
    Ok(())
}
