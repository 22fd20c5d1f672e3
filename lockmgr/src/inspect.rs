//! Pictures of the lock table. Those of more than one record are taken with everything latched.

use crate::queue::{PageQueue, RecordLock};
use crate::registry::{Held, Place};
use crate::shard::World;
use crate::table::LockTable;
use crate::table_queue::TableLock;
use crate::waits::Wait;
use crate::{
    DeadlockMember, HeapNo, LockInfo, LockMode, LockSpan, LockTarget, PageAddress, Party,
    RecordAddress, TableId, TableMode, TrxId, WaitEdge,
};

fn record_info(lock: &RecordLock, page: PageAddress, heap: HeapNo) -> LockInfo {
    let at = RecordAddress { page, heap };
    LockInfo {
        trx: lock.trx,
        target: LockTarget::Record {
            at,
            mode: lock.mode,
            span: lock.span,
        },
        waiting: lock.is_waiting(),
        origin: lock.origins.of(heap),
    }
}

fn table_info(lock: &TableLock, table: TableId) -> LockInfo {
    LockInfo {
        trx: lock.trx,
        target: LockTarget::Table {
            table,
            mode: lock.mode,
        },
        waiting: lock.is_waiting(),
        origin: lock.origin,
    }
}

impl LockTable {
    /// Whether the transaction holds a granted lock that covers the given one.
    #[must_use]
    pub fn holds(&self, trx: TrxId, at: RecordAddress, mode: LockMode, span: LockSpan) -> bool {
        let shard = self.pages.latch_page(at.page);
        shard
            .get(at.page)
            .is_some_and(|queue| queue.covers(trx, at.heap, mode, span))
    }

    /// Whether the transaction holds a granted table lock that covers the given one.
    #[must_use]
    pub fn holds_table(&self, trx: TrxId, table: TableId, mode: TableMode) -> bool {
        let shard = self.tables.latch_table(table);
        shard
            .get(&table)
            .is_some_and(|queue| queue.covers(trx, mode))
    }

    /// The first other transaction whose lock on the table, held or wanted, conflicts with this
    /// mode. (A simple insert draws its AUTO_INC values without a lock while there is none.)
    #[must_use]
    pub fn table_conflict(&self, trx: TrxId, table: TableId, mode: TableMode) -> Option<TrxId> {
        self.tables
            .latch_table(table)
            .get(&table)?
            .conflict(trx, mode)
    }

    /// Whether anybody has any lock on the record, granted or waiting.
    #[must_use]
    pub fn any_on(&self, at: RecordAddress) -> bool {
        let shard = self.pages.latch_page(at.page);
        shard
            .get(at.page)
            .is_some_and(|queue| queue.on(at.heap).next().is_some())
    }

    /// Every lock, ordered by transaction and then by the order in which its structure was made;
    /// within a structure by heap number.
    #[must_use]
    pub fn locks(&self) -> Vec<LockInfo> {
        let world = self.latch_all();
        let mut infos = Vec::new();
        for trx in self.registry.transactions() {
            self.collect_locks(&world, trx, &mut infos);
        }
        infos
    }

    /// One transaction's locks in the order in which their structures were made; within a
    /// structure by heap number.
    #[must_use]
    pub fn locks_of(&self, trx: TrxId) -> Vec<LockInfo> {
        let mut infos = Vec::new();
        self.collect_locks(&self.latch_all(), trx, &mut infos);
        infos
    }

    fn collect_locks(&self, world: &World<'_>, trx: TrxId, infos: &mut Vec<LockInfo>) {
        for Held { sequence, place } in self.registry.held(trx) {
            match place {
                Place::Table(table) => {
                    let found = world.table(table).and_then(|queue| {
                        queue.position(trx, sequence).map(|at| &queue.locks()[at])
                    });
                    infos.extend(found.map(|lock| table_info(lock, table)));
                }
                Place::Page(page) => {
                    let found = world.page(page).and_then(|queue| {
                        queue.position(trx, sequence).map(|at| &queue.locks()[at])
                    });
                    if let Some(lock) = found {
                        infos.extend(lock.heaps.iter().map(|heap| record_info(lock, page, heap)));
                    }
                }
            }
        }
    }

    /// How many waits have begun since the table was made.
    #[must_use]
    pub fn waits_begun(&self) -> u64 {
        self.waits.lock().begun()
    }

    /// Every conflicting pair of a waiting lock and a lock that it waits for: the waiters in the
    /// order in which their waits began, the others in queue order.
    #[must_use]
    pub fn wait_edges(&self) -> Vec<WaitEdge> {
        let world = self.latch_all();
        let waiters: Vec<TrxId> = self.waits.lock().waiters().collect();
        waiters
            .into_iter()
            .flat_map(|trx| self.edges_of(&world, trx))
            .collect()
    }

    /// The edges of one waiting transaction.
    fn edges_of(&self, world: &World<'_>, trx: TrxId) -> Vec<WaitEdge> {
        let wait = self.waits.lock().of(trx);
        let Some(Wait {
            place, sequence, ..
        }) = wait
        else {
            return Vec::new();
        };
        match place {
            Place::Table(table) => {
                let Some(queue) = world.table(table) else {
                    return Vec::new();
                };
                let Some(at) = queue.position(trx, sequence) else {
                    return Vec::new();
                };
                let wanted = table_info(&queue.locks()[at], table);
                let edge = |lock| WaitEdge {
                    wanted,
                    blocking: table_info(lock, table),
                };
                queue.blockers(at).map(edge).collect()
            }
            Place::Page(page) => {
                let Some(queue) = world.page(page) else {
                    return Vec::new();
                };
                let Some(at) = queue.position(trx, sequence) else {
                    return Vec::new();
                };
                let heap = queue.locks()[at].wanted_heap();
                let wanted = record_info(&queue.locks()[at], page, heap);
                let edge = |lock| WaitEdge {
                    wanted,
                    blocking: record_info(lock, page, heap),
                };
                queue.blockers(at, &self.config).map(edge).collect()
            }
        }
    }

    /// The lock that the transaction waits for.
    #[must_use]
    pub fn waiting_for(&self, trx: TrxId) -> Option<LockInfo> {
        let world = self.latch_all();
        let Wait {
            place, sequence, ..
        } = self.waits.lock().of(trx)?;
        match place {
            Place::Table(table) => {
                let queue = world.table(table)?;
                Some(table_info(
                    &queue.locks()[queue.position(trx, sequence)?],
                    table,
                ))
            }
            Place::Page(page) => {
                let queue: &PageQueue = world.page(page)?;
                let lock = &queue.locks()[queue.position(trx, sequence)?];
                Some(record_info(lock, page, lock.wanted_heap()))
            }
        }
    }

    /// Number of lock structures (table locks among them, and structures that have become empty),
    /// and of record locks.
    #[must_use]
    pub fn counts(&self, trx: TrxId) -> (usize, usize) {
        let world = self.latch_all();
        let held = self.registry.held(trx);
        let records = held.iter().filter_map(|held| match held.place {
            Place::Table(_) => None,
            Place::Page(page) => {
                let queue = world.page(page)?;
                Some(
                    queue.locks()[queue.position(trx, held.sequence)?]
                        .heaps
                        .len(),
                )
            }
        });
        (held.len(), records.sum())
    }

    /// Weight for victim choice: undo records plus lock structures.
    #[must_use]
    pub fn weight(&self, trx: TrxId) -> u64 {
        self.registry.party(trx).map_or(0, |party| party.weight())
    }

    /// How things stand for one member of a cycle that waits for `next`; `None` if it does not. What
    /// it holds is left out.
    pub(crate) fn deadlock_member(
        &self,
        party: &Party,
        wait: &Wait,
        next: TrxId,
    ) -> Option<DeadlockMember> {
        let trx = party.trx;
        let (wanted, blocked_by) = match wait.place {
            Place::Table(table) => {
                let shard = self.tables.latch_table(table);
                let queue = shard.get(&table)?;
                let at = queue.position(trx, wait.sequence)?;
                let blocking = queue.blockers(at).find(|lock| lock.trx == next)?;
                (
                    table_info(&queue.locks()[at], table),
                    table_info(blocking, table),
                )
            }
            Place::Page(page) => {
                let shard = self.pages.latch_page(page);
                let queue = shard.get(page)?;
                let at = queue.position(trx, wait.sequence)?;
                let heap = queue.locks()[at].wanted_heap();
                let mut blockers = queue.blockers(at, &self.config);
                let blocking = blockers.find(|lock| lock.trx == next)?;
                let wanted = record_info(&queue.locks()[at], page, heap);
                (wanted, record_info(blocking, page, heap))
            }
        };
        Some(DeadlockMember {
            trx,
            wanted,
            blocked_by,
            holds: Vec::new(),
            weight: party.weight(),
        })
    }

    /// The transaction's granted locks, latching one queue at a time.
    pub(crate) fn granted_to(&self, trx: TrxId) -> Vec<LockInfo> {
        let mut infos = Vec::new();
        for Held { sequence, place } in self.registry.held(trx) {
            match place {
                Place::Table(table) => {
                    let shard = self.tables.latch_table(table);
                    let found = shard.get(&table).and_then(|queue| {
                        queue.position(trx, sequence).map(|at| &queue.locks()[at])
                    });
                    infos.extend(found.map(|lock| table_info(lock, table)));
                }
                Place::Page(page) => {
                    let shard = self.pages.latch_page(page);
                    let found = shard.get(page).and_then(|queue| {
                        queue.position(trx, sequence).map(|at| &queue.locks()[at])
                    });
                    if let Some(lock) = found {
                        infos.extend(lock.heaps.iter().map(|heap| record_info(lock, page, heap)));
                    }
                }
            }
        }
        infos.retain(|lock| !lock.waiting);
        infos
    }
}
