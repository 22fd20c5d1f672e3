//! Which tables there are.

use std::{collections::BTreeMap, sync::Arc, sync::atomic::Ordering};

use super::Engine;
use crate::{
    mtr::Mtr,
    table::{Table, TableCounters},
    trx::Trx,
};

/// All tables, and their counters.
#[derive(Debug, Default)]
pub(super) struct Catalog {
    pub(super) by_name: BTreeMap<String, Arc<Table>>,
    pub(super) by_id: BTreeMap<u64, Arc<Table>>,
    pub(super) counters: BTreeMap<u64, Arc<TableCounters>>,
    /// Which index a page's number stands for: table and position.
    pub(super) indexes: BTreeMap<u64, (u64, usize)>,
    /// Trees that are being filled or dropped.
    pub(super) orphans: Vec<Orphan>,
    /// The next number for a table or an index.
    pub(super) next_id: u64,
}

/// Some of a table's trees that no definition uses yet, or any more.
#[derive(Clone, Debug)]
pub(super) struct Orphan {
    pub(super) table: Arc<Table>,
    /// The indexes' numbers.
    pub(super) indexes: Vec<u64>,
}

impl Orphan {
    /// All trees of a table.
    pub(super) fn whole(table: &Arc<Table>) -> Self {
        Self {
            table: Arc::clone(table),
            indexes: table.indexes.iter().map(|index| index.id).collect(),
        }
    }
}

impl Catalog {
    pub(super) fn fork(&self) -> Self {
        let copy =
            |(id, counters): (&u64, &Arc<TableCounters>)| (*id, Arc::new((**counters).clone()));
        Self {
            by_name: self.by_name.clone(),
            by_id: self.by_id.clone(),
            counters: self.counters.iter().map(copy).collect(),
            indexes: self.indexes.clone(),
            orphans: self.orphans.clone(),
            next_id: self.next_id,
        }
    }

    /// Puts in a table, or a new definition of it.
    pub(super) fn put(&mut self, table: Arc<Table>) {
        self.indexes.retain(|_, (id, _)| *id != table.id);
        for (at, index) in table.indexes.iter().enumerate() {
            self.indexes.insert(index.id, (table.id, at));
        }
        self.counters.entry(table.id).or_default();
        self.by_id.insert(table.id, table.clone());
        self.by_name.insert(table.name.clone(), table);
    }

    /// Puts in a new table, with its counter.
    pub(super) fn register(&mut self, table: &Arc<Table>, auto_increment: u64) {
        self.count_rows_of(table, auto_increment);
        self.put(Arc::clone(table));
    }

    /// Begins to count the rows of a table that nobody can name yet.
    pub(super) fn count_rows_of(&mut self, table: &Table, auto_increment: u64) {
        let counters = self.counters.entry(table.id).or_default();
        counters
            .auto_increment
            .store(auto_increment.max(1), Ordering::Relaxed);
    }

    pub(super) fn remove(&mut self, table: &Table) {
        self.indexes.retain(|_, (id, _)| *id != table.id);
        self.counters.remove(&table.id);
        self.by_id.remove(&table.id);
        if self
            .by_name
            .get(&table.name)
            .is_some_and(|known| known.id == table.id)
        {
            self.by_name.remove(&table.name);
        }
    }

    /// No tree of these indexes is left.
    pub(super) fn adopt(&mut self, indexes: &[u64]) {
        for orphan in &mut self.orphans {
            orphan.indexes.retain(|index| !indexes.contains(index));
        }
        self.orphans.retain(|orphan| !orphan.indexes.is_empty());
    }

    pub(super) fn draw_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }
}

impl Engine {
    /// The table of that name. Names differ by case.
    #[must_use]
    pub fn table(&self, name: &str) -> Option<Arc<Table>> {
        self.catalog.read().by_name.get(name).cloned()
    }

    /// All tables, by name.
    #[must_use]
    pub fn tables(&self) -> Vec<Arc<Table>> {
        self.catalog.read().by_name.values().cloned().collect()
    }

    pub(crate) fn table_by_id(&self, id: u64) -> Option<Arc<Table>> {
        self.catalog.read().by_id.get(&id).cloned()
    }

    /// The table and position of the index of that number.
    pub(crate) fn index_by_id(&self, id: u64) -> Option<(Arc<Table>, usize)> {
        let catalog = self.catalog.read();
        let (table, at) = catalog.indexes.get(&id)?;
        Some((catalog.by_id.get(table)?.clone(), *at))
    }

    pub(crate) fn counters(&self, table: &Table) -> Arc<TableCounters> {
        self.catalog
            .read()
            .counters
            .get(&table.id)
            .cloned()
            .unwrap_or_default()
    }

    /// The foreign keys that refer to a table: child and position, by the child's name.
    #[must_use]
    pub fn children_of(&self, parent: &str) -> Vec<(Arc<Table>, usize)> {
        let catalog = self.catalog.read();
        let mut found = Vec::new();
        for child in catalog.by_name.values() {
            for (at, key) in child.foreign_keys.iter().enumerate() {
                if key.parent == parent {
                    found.push((child.clone(), at));
                }
            }
        }
        found
    }

    pub(crate) fn draw_row_id(&self, table: &Table) -> Box<[u8]> {
        let id = self.counters(table).row_id.fetch_add(1, Ordering::Relaxed) + 1;
        crate::table::six_bytes(id)
    }

    /// The transaction has a row in the table whose insertion has not ended.
    pub(crate) fn row_arrives(&self, trx: &mut Trx, table: &Table) {
        self.counters(table)
            .arriving
            .fetch_add(1, Ordering::Relaxed);
        trx.arriving = Some(table.id);
    }

    /// That insertion has ended, one way or another.
    pub(crate) fn row_arrived(&self, trx: &mut Trx) {
        let Some(table) = trx.arriving.take() else {
            return;
        };
        // The table may be gone by now.
        if let Some(counters) = self.catalog.read().counters.get(&table) {
            counters.arriving.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Counts rows that the mini-transaction puts into the table, or takes away.
    pub(crate) fn count_row(&self, mtr: &mut Mtr<'_>, table: &Table, change: i64) {
        mtr.count_rows(table.id, &self.counters(table), change);
    }
}
