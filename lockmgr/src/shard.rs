//! The latched parts of the lock table, and latching all of them at once.

use std::collections::BTreeMap;
use std::collections::hash_map::Entry;

use parking_lot::{Mutex, MutexGuard};
use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use crate::queue::{PageQueue, RecordLock};
use crate::table_queue::TableQueue;
use crate::{PageAddress, TableId};

/// Memory of ended queues that a shard keeps for the next ones.
const SPARES_MAX: usize = 16;

/// The queues of some pages. A page without locks has none.
#[derive(Debug, Default)]
pub(crate) struct PageShard {
    queues: FxHashMap<PageAddress, PageQueue>,
    /// Requests so far.
    pub(crate) requests: u64,
    spares: Vec<Vec<RecordLock>>,
}

impl Clone for PageShard {
    fn clone(&self) -> Self {
        PageShard {
            queues: self.queues.clone(),
            requests: self.requests,
            spares: Vec::new(),
        }
    }
}

impl PageShard {
    /// The page's queue, if it has one.
    pub(crate) fn get(&self, page: PageAddress) -> Option<&PageQueue> {
        self.queues.get(&page)
    }

    /// The page's queue, if it has one.
    pub(crate) fn get_mut(&mut self, page: PageAddress) -> Option<&mut PageQueue> {
        self.queues.get_mut(&page)
    }

    /// The page's queue, made if need be. The caller adds a lock to it.
    pub(crate) fn get_or_new(&mut self, page: PageAddress) -> &mut PageQueue {
        let PageShard { queues, spares, .. } = self;
        queues.entry(page).or_insert_with(|| {
            // Most pages have one structure: a vector would make room for four at once.
            PageQueue::reusing(spares.pop().unwrap_or_else(|| Vec::with_capacity(1)))
        })
    }

    /// Changes the page's queue, if it has one and `may` says so of it, and drops it if it is empty then.
    /// `None` if it has none or may not.
    pub(crate) fn change<R>(
        &mut self,
        page: PageAddress,
        may: impl FnOnce(&PageQueue) -> bool,
        change: impl FnOnce(&mut PageQueue) -> R,
    ) -> Option<R> {
        let PageShard { queues, spares, .. } = self;
        let Entry::Occupied(mut slot) = queues.entry(page) else {
            return None;
        };
        if !may(slot.get()) {
            return None;
        }
        let changed = change(slot.get_mut());
        if slot.get().is_empty() {
            let queue = slot.remove();
            if spares.len() < SPARES_MAX {
                spares.push(queue.into_memory());
            }
        }
        Some(changed)
    }

    /// Drops the page's queue if it has become empty.
    pub(crate) fn drop_if_empty(&mut self, page: PageAddress) {
        self.change(page, PageQueue::is_empty, |_| ());
    }

    /// All queues, in no particular order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (PageAddress, &PageQueue)> {
        self.queues.iter().map(|(&page, queue)| (page, queue))
    }
}

/// The queues of some tables.
#[derive(Clone, Debug, Default)]
pub(crate) struct TableShard {
    queues: BTreeMap<TableId, TableQueue>,
    /// Requests so far.
    pub(crate) requests: u64,
}

impl std::ops::Deref for TableShard {
    type Target = BTreeMap<TableId, TableQueue>;

    fn deref(&self) -> &Self::Target {
        &self.queues
    }
}

impl std::ops::DerefMut for TableShard {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.queues
    }
}

/// A shard on cache lines of its own, so that neighbours' latches don't slow each other down.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Padded<T>(Mutex<T>);

/// Shards of one kind; a power of two of them.
#[derive(Debug)]
pub(crate) struct Shards<T> {
    shards: Box<[Padded<T>]>,
}

impl<T: Default + Clone> Shards<T> {
    /// That many empty shards.
    pub(crate) fn new(count: u32) -> Self {
        assert!(
            count.is_power_of_two(),
            "the number of shards must be a power of two"
        );
        Shards {
            shards: (0..count).map(|_| Padded::default()).collect(),
        }
    }

    /// A copy of everything.
    pub(crate) fn fork(&self) -> Self {
        let copy = |shard: &Padded<T>| Padded(Mutex::new(shard.0.lock().clone()));
        Shards {
            shards: self.shards.iter().map(copy).collect(),
        }
    }

    /// Which shard something with this (multiplied) hash is in.
    fn index(&self, hash: u64) -> usize {
        (hash >> 32) as usize & (self.shards.len() - 1)
    }

    fn latch(&self, hash: u64) -> MutexGuard<'_, T> {
        self.shards[self.index(hash)].0.lock()
    }

    /// Latches all, in ascending order.
    fn latch_all(&self) -> SmallVec<[MutexGuard<'_, T>; 1]> {
        self.shards.iter().map(|shard| shard.0.lock()).collect()
    }
}

/// Spreads neighbouring numbers over the high half of the product.
const SPREAD: u64 = 0x9E37_79B9_7F4A_7C15;

fn page_hash(page: PageAddress) -> u64 {
    (u64::from(page.space) << 32 | u64::from(page.page)).wrapping_mul(SPREAD)
}

fn table_hash(table: TableId) -> u64 {
    table.0.wrapping_mul(SPREAD)
}

impl Shards<PageShard> {
    /// Requests so far.
    pub(crate) fn requests(&self) -> u64 {
        let of = |shard: &Padded<PageShard>| shard.0.lock().requests;
        self.shards.iter().map(of).sum()
    }

    /// Latches the shard of one page.
    pub(crate) fn latch_page(&self, page: PageAddress) -> MutexGuard<'_, PageShard> {
        self.latch(page_hash(page))
    }
}

impl Shards<TableShard> {
    /// Requests so far.
    pub(crate) fn requests(&self) -> u64 {
        let of = |shard: &Padded<TableShard>| shard.0.lock().requests;
        self.shards.iter().map(of).sum()
    }

    /// Latches the shard of one table.
    pub(crate) fn latch_table(&self, table: TableId) -> MutexGuard<'_, TableShard> {
        self.latch(table_hash(table))
    }
}

/// Every queue, latched: nothing is requested, granted or let go while it lives.
pub(crate) struct World<'a> {
    page_shards: &'a Shards<PageShard>,
    table_shards: &'a Shards<TableShard>,
    pages: SmallVec<[MutexGuard<'a, PageShard>; 1]>,
    tables: SmallVec<[MutexGuard<'a, TableShard>; 1]>,
}

impl<'a> World<'a> {
    /// Latches everything: page shards ascending, then table shards ascending.
    pub(crate) fn latch(
        page_shards: &'a Shards<PageShard>,
        table_shards: &'a Shards<TableShard>,
    ) -> Self {
        let pages = page_shards.latch_all();
        let tables = table_shards.latch_all();
        World {
            page_shards,
            table_shards,
            pages,
            tables,
        }
    }

    /// The shard of a page.
    pub(crate) fn page_shard(&mut self, page: PageAddress) -> &mut PageShard {
        &mut self.pages[self.page_shards.index(page_hash(page))]
    }

    /// A page's queue, if it has one.
    pub(crate) fn page(&self, page: PageAddress) -> Option<&PageQueue> {
        self.pages[self.page_shards.index(page_hash(page))].get(page)
    }

    /// A table's queue, if it has one.
    pub(crate) fn table(&self, table: TableId) -> Option<&TableQueue> {
        self.tables[self.table_shards.index(table_hash(table))].get(&table)
    }

    /// All pages that have locks, in no particular order.
    pub(crate) fn pages(&self) -> impl Iterator<Item = (PageAddress, &PageQueue)> {
        self.pages.iter().flat_map(|shard| shard.iter())
    }

    /// All tables that have or had locks.
    pub(crate) fn tables(&self) -> impl Iterator<Item = (TableId, &TableQueue)> {
        self.tables
            .iter()
            .flat_map(|shard| shard.iter().map(|(&table, queue)| (table, queue)))
    }
}
