//! The lock table's state for comparison, with names that do not depend on history.
//!
//! Two lock tables that will answer every further request alike need not be equal byte for byte:
//! transactions have other numbers, pages other places, records other heap numbers. A search through
//! schedules wants to know whether it has been here before, so [`LockTable::digest`] writes what
//! decides further answers, under names that the caller gives.
//!
//! - **G1** Whatever a later request, grant, search or victim choice can read is written: every
//!   structure in queue order with its records, whether it waits and for whom; who waits in which
//!   order; each owner's list in order, its undo count and its inheritance rule.
//! - **G2** What is only shown is left out: origins, sequence numbers (the order stands for them),
//!   the moments when waits began (their order stands for them).
//! - **G3** Structures are taken apart field by field without `..`: a field that somebody adds does
//!   not compile until it is decided here what it means.

use std::hash::Hasher;
use std::sync::atomic::Ordering;

use crate::queue::{LockState, RecordLock};
use crate::registry::{Held, Place};
use crate::shard::World;
use crate::table::LockTable;
use crate::table_queue::TableLock;
use crate::waits::Wait;
use crate::{
    DetectorKind, GrantKind, Inheritance, PageAddress, RecordAddress, Searches, TableId, TrxId,
};

/// Names that two histories agree upon.
pub trait DigestNames {
    /// A transaction's name.
    fn trx(&self, trx: TrxId) -> u64;

    /// A page's name.
    fn page(&self, page: PageAddress) -> u64;

    /// A record's name among those of its page.
    fn record(&self, at: RecordAddress) -> u64;

    /// A table's name.
    fn table(&self, table: TableId) -> u64;
}

impl LockTable {
    /// Writes the state (G1, G2). Nobody may be inside the table meanwhile.
    pub fn digest(&self, names: &dyn DigestNames, out: &mut dyn Hasher) {
        let world = self.latch_all();
        let mut pages: Vec<PageAddress> = world.pages().map(|(page, _)| page).collect();
        pages.sort_by_key(|page| names.page(*page));
        for page in pages {
            let locks = world.page(page).map_or(&[][..], |queue| queue.locks());
            out.write_u64(names.page(page));
            out.write_usize(locks.len());
            for lock in locks {
                write_record_lock(lock, page, names, out);
                self.write_state(lock.state, names, out);
            }
        }
        for (table, queue) in world.tables() {
            if queue.locks().is_empty() {
                continue;
            }
            out.write_u64(names.table(table));
            out.write_usize(queue.locks().len());
            for lock in queue.locks() {
                write_table_lock(lock, names, out);
                self.write_state(lock.state, names, out);
            }
        }
        self.digest_owners(&world, names, out);
        self.digest_waits(names, out);
        out.write_u8(u8::from(self.sweep_due()));
        self.digest_policies(names, out);
    }

    /// What policies that no server has read besides: ages, by their order; how often chance was asked
    /// for; and whether they have judged all edges. Servers' policies read none of it.
    fn digest_policies(&self, names: &dyn DigestNames, out: &mut dyn Hasher) {
        if !self.config.goes_beyond_servers() {
            return;
        }
        let known = self.registry.transactions();
        let mut parties: Vec<_> = known
            .into_iter()
            .filter_map(|trx| self.registry.party(trx))
            .collect();
        parties.sort_by_key(|party| (party.age, party.trx));
        parties
            .iter()
            .for_each(|party| out.write_u64(names.trx(party.trx)));
        out.write_u64(self.moments.asked());
        out.write_u8(u8::from(self.edges_unjudged.load(Ordering::Acquire)));
    }

    /// Each owner's list of structures, oldest first, and what else is known of it.
    fn digest_owners(&self, world: &World<'_>, names: &dyn DigestNames, out: &mut dyn Hasher) {
        let mut owners = self.registry.transactions();
        owners.sort_by_key(|trx| names.trx(*trx));
        for trx in owners {
            out.write_u64(names.trx(trx));
            self.registry.digest(trx, out);
            for Held { sequence, place } in self.registry.held(trx) {
                match place {
                    Place::Page(page) => {
                        out.write_u64(names.page(page));
                        let at = world
                            .page(page)
                            .and_then(|queue| queue.position(trx, sequence));
                        out.write_usize(at.unwrap_or(usize::MAX));
                    }
                    Place::Table(table) => {
                        out.write_u64(names.table(table));
                        let at = world
                            .table(table)
                            .and_then(|queue| queue.position(trx, sequence));
                        out.write_usize(at.unwrap_or(usize::MAX));
                    }
                }
            }
        }
    }

    /// The remembered blocker counts where a search or a grant goes by it.
    fn write_state(&self, state: LockState, names: &dyn DigestNames, out: &mut dyn Hasher) {
        match state {
            LockState::Granted => out.write_u8(0),
            LockState::Waiting { blocker } => {
                out.write_u8(1);
                let one_edge = matches!(
                    self.config.detector,
                    DetectorKind::BackgroundOneEdge | DetectorKind::Brent
                );
                if one_edge || self.config.grant != GrantKind::Fifo {
                    out.write_u64(names.trx(blocker));
                }
            }
        }
    }

    fn digest_waits(&self, names: &dyn DigestNames, out: &mut dyn Hasher) {
        let waits = self.waits.lock();
        for trx in waits.waiters() {
            out.write_u64(names.trx(trx));
            // The place and the name are those of the one structure that waits.
            if let Some(Wait {
                place: _,
                sequence: _,
                started,
                expires,
                since,
            }) = waits.of(trx)
            {
                out.write_u64(expires);
                if matches!(self.policies.searches, Searches::AfterWaiting(_)) {
                    let until = self.searched_until.load(Ordering::Acquire);
                    out.write_u64(since);
                    out.write_u8(u8::from(started < until));
                }
            }
        }
    }
}

fn write_record_lock(
    lock: &RecordLock,
    page: PageAddress,
    names: &dyn DigestNames,
    out: &mut dyn Hasher,
) {
    let RecordLock {
        trx,
        sequence: _,
        mode,
        span,
        state: _,
        heaps,
        bypassed,
        origins: _,
    } = lock;
    out.write_u32(*bypassed);
    out.write_u64(names.trx(*trx));
    out.write_u8(*mode as u8);
    out.write_u8(*span as u8);
    let mut records: Vec<u64> = heaps
        .iter()
        .map(|heap| names.record(RecordAddress { page, heap }))
        .collect();
    records.sort_unstable();
    out.write_usize(records.len());
    records.iter().for_each(|record| out.write_u64(*record));
}

fn write_table_lock(lock: &TableLock, names: &dyn DigestNames, out: &mut dyn Hasher) {
    let TableLock {
        trx,
        sequence: _,
        mode,
        state: _,
        origin: _,
    } = lock;
    out.write_u64(names.trx(*trx));
    out.write_u8(*mode as u8);
}

/// The rule as a number.
pub(crate) fn inheritance_code(rule: Inheritance) -> u8 {
    let Inheritance {
        shared,
        exclusive,
        record_only,
    } = rule;
    u8::from(shared) | u8::from(exclusive) << 1 | u8::from(record_only) << 2
}

#[cfg(test)]
mod tests {
    use std::hash::{DefaultHasher, Hasher};

    use super::*;
    use crate::{HeapNo, LockConfig, LockMode, LockSpan, OnConflict, Origin, RecordRequest};

    /// Transactions by parity, everything else by number.
    struct Parity;

    impl DigestNames for Parity {
        fn trx(&self, trx: TrxId) -> u64 {
            trx.0 % 2
        }

        fn page(&self, page: PageAddress) -> u64 {
            u64::from(page.page)
        }

        fn record(&self, at: RecordAddress) -> u64 {
            u64::from(at.heap.0)
        }

        fn table(&self, table: TableId) -> u64 {
            table.0
        }
    }

    fn digest(requests: &[(u64, u16, LockMode)]) -> u64 {
        let table = LockTable::new(LockConfig {
            shards: 1,
            detector: DetectorKind::BackgroundOneEdge,
            grant: GrantKind::ContentionAware,
            ..LockConfig::DEFAULT
        });
        for (trx, heap, mode) in requests {
            if !table.is_active(TrxId(*trx)) {
                table.begin(TrxId(*trx));
            }
            let page = PageAddress { space: 0, page: 7 };
            let answer = table.request_record(&RecordRequest {
                trx: TrxId(*trx),
                at: RecordAddress {
                    page,
                    heap: HeapNo(*heap),
                },
                mode: *mode,
                span: LockSpan::Record,
                implicit: false,
                on_conflict: OnConflict::Wait(9),
                origin: Origin {
                    statement: *trx as u32,
                    ..Origin::default()
                },
            });
            drop(answer);
        }
        let mut out = DefaultHasher::new();
        table.digest(&Parity, &mut out);
        out.finish()
    }

    #[test]
    fn names_count_and_numbers_do_not() {
        let here = digest(&[(1, 2, LockMode::X), (2, 2, LockMode::X)]);
        assert_eq!(here, digest(&[(11, 2, LockMode::X), (12, 2, LockMode::X)]));
        assert_ne!(here, digest(&[(2, 2, LockMode::X), (1, 2, LockMode::X)]));
    }

    #[test]
    fn record_mode_and_order_count() {
        let here = digest(&[(1, 2, LockMode::S), (2, 2, LockMode::S)]);
        assert_ne!(here, digest(&[(1, 2, LockMode::S), (2, 3, LockMode::S)]));
        assert_ne!(here, digest(&[(1, 2, LockMode::S), (2, 2, LockMode::X)]));
        assert_ne!(here, digest(&[(2, 2, LockMode::S), (1, 2, LockMode::S)]));
    }
}
