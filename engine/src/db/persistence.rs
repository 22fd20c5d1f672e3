//! The catalog's pages: what a directory's next opening needs to know.
//!
//! The catalog is one JSON document in a chain of catalog pages that begins with page
//! [`CATALOG_PAGE`], the first page that a new database allocates. It is rewritten at each change of
//! a definition and when the database is flushed. Integers are big-endian, as in page headers.
//!
//! | offset in page | bytes | content |
//! |---|---|---|
//! | 38 | 4 | next page of the chain, 0 for none |
//! | 42 | 2 | bytes of the document on this page |
//! | 44 | ... | those bytes |

use std::sync::{Arc, atomic::Ordering};

use gaplock_wal::{Disk, FileId, PageId, PageNo};
use serde::{Deserialize, Serialize};

use super::Engine;
use crate::{
    btree::Tree,
    error::{Error, StoreError},
    mtr::{LatchMode, Latched, Mtr},
    page::{CONTENT_END, CONTENT_START, PageKind},
    table::{IndexShape, Table, TableSpec},
    trx::TrxSystem,
};

const CATALOG_PAGE: PageNo = PageNo(1);
const NEXT: usize = CONTENT_START;
const LENGTH: usize = CONTENT_START + 4;
const TEXT: usize = CONTENT_START + 6;
const ROOM: usize = CONTENT_END - TEXT;

/// The document.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Document {
    next_trx: u64,
    next_id: u64,
    tables: Vec<StoredTable>,
}

#[derive(Debug, Serialize, Deserialize)]
struct StoredTable {
    id: u64,
    spec: TableSpec,
    /// Number and root page of each index, the clustered one first.
    indexes: Vec<(u64, u32)>,
    row_id: u64,
    rows: i64,
}

/// Whether a disk has a database.
pub(super) fn exists(disk: &dyn Disk) -> Result<bool, Error> {
    Ok(!disk.list().map_err(StoreError::Disk)?.is_empty())
}

fn damaged(page: PageNo, what: &str) -> Error {
    let page = PageId {
        file: FileId(0),
        page,
    };
    Error::Store(StoreError::Damaged {
        page,
        what: what.to_owned(),
    })
}

impl Engine {
    /// Makes the catalog of a new database.
    pub(super) fn initialise(&self) -> Result<(), Error> {
        let mut mtr = Mtr::begin(&self.pool);
        let first = mtr.allocate(PageKind::Catalog)?;
        assert_eq!(
            mtr.page_no(first),
            CATALOG_PAGE,
            "the first page of a new database"
        );
        mtr.commit();
        self.save_catalog()
    }

    /// Writes the catalog.
    pub(super) fn save_catalog(&self) -> Result<(), Error> {
        let text = serde_json::to_vec(&self.document())
            .map_err(|error| damaged(CATALOG_PAGE, &error.to_string()))?;
        let mut mtr = Mtr::begin(&self.pool);
        let pages = self.catalog_pages(&mut mtr, text.len().div_ceil(ROOM).max(1))?;
        for (at, page) in pages.iter().enumerate() {
            let start = (at * ROOM).min(text.len());
            let part = &text[start..text.len().min(start + ROOM)];
            let next = pages.get(at + 1).map_or(0, |page| mtr.page_no(*page).0);
            mtr.write_bytes(*page, NEXT, &next.to_be_bytes());
            mtr.write_bytes(*page, LENGTH, &(part.len() as u16).to_be_bytes());
            if !part.is_empty() {
                mtr.write_bytes(*page, TEXT, part);
            }
        }
        mtr.commit();
        Ok(())
    }

    /// Latches the chain's pages, and as many more as are needed. Pages once taken are kept.
    fn catalog_pages(&self, mtr: &mut Mtr<'_>, count: usize) -> Result<Vec<Latched>, Error> {
        let mut pages = vec![mtr.latch(CATALOG_PAGE, LatchMode::Exclusive)?];
        while let Some(last) = pages.last() {
            let next = mtr.page(*last).u32_at(NEXT);
            if next == 0 {
                break;
            }
            pages.push(mtr.latch(PageNo(next), LatchMode::Exclusive)?);
        }
        if pages.len() < count {
            mtr.reserve(count - pages.len())?;
            while pages.len() < count {
                pages.push(mtr.allocate(PageKind::Catalog)?);
            }
        }
        Ok(pages)
    }

    fn document(&self) -> Document {
        let catalog = self.catalog.read();
        let stored = |table: &Arc<Table>| {
            let counters = catalog.counters.get(&table.id);
            let count = |read: &dyn Fn(&crate::table::TableCounters) -> u64| {
                counters.map_or(0, |counters| read(counters))
            };
            let mut spec = self.spec_of_known(table);
            spec.auto_increment = count(&|c| c.auto_increment.load(Ordering::Relaxed));
            StoredTable {
                id: table.id,
                spec,
                indexes: table
                    .indexes
                    .iter()
                    .map(|i| (i.id, i.tree.root.0))
                    .collect(),
                row_id: count(&|c| c.row_id.load(Ordering::Relaxed)),
                rows: counters.map_or(0, |c| c.rows.load(Ordering::Relaxed)),
            }
        };
        Document {
            next_trx: self.trxs.next_id(),
            next_id: catalog.next_id,
            tables: catalog.by_name.values().map(stored).collect(),
        }
    }

    /// Reads the catalog of an existing database.
    pub(super) fn load(&mut self) -> Result<(), Error> {
        let text = self.catalog_text()?;
        let document: Document = serde_json::from_slice(&text).map_err(|error| {
            damaged(
                CATALOG_PAGE,
                &format!("the catalog cannot be read: {error}"),
            )
        })?;
        self.trxs = TrxSystem::new(document.next_trx.max(1));
        let mut catalog = self.catalog.write();
        catalog.next_id = document.next_id;
        for stored in document.tables {
            let (row_id, rows, id) = (stored.row_id, stored.rows, stored.id);
            let auto_increment = stored.spec.auto_increment;
            let table = restore(stored).ok_or_else(|| {
                damaged(CATALOG_PAGE, "a table's indexes do not fit its definition")
            })?;
            catalog.put(Arc::new(table));
            if let Some(counters) = catalog.counters.get(&id) {
                counters
                    .auto_increment
                    .store(auto_increment, Ordering::Relaxed);
                counters.row_id.store(row_id, Ordering::Relaxed);
                counters.rows.store(rows, Ordering::Relaxed);
            }
        }
        Ok(())
    }

    fn catalog_text(&self) -> Result<Vec<u8>, Error> {
        let mut text = Vec::new();
        let mut page_no = CATALOG_PAGE;
        loop {
            let mut mtr = Mtr::begin(&self.pool);
            let latched = mtr.latch(page_no, LatchMode::Shared)?;
            let page = mtr.page(latched);
            let length = usize::from(page.u16_at(LENGTH));
            if page.kind() != Some(PageKind::Catalog) || length > ROOM || text.len() > 1 << 26 {
                return Err(damaged(
                    page_no,
                    &format!(
                        "not a page of the catalog: kind {:?}, {length} bytes",
                        page.kind()
                    ),
                ));
            }
            text.extend_from_slice(&page.bytes()[TEXT..TEXT + length]);
            match page.u32_at(NEXT) {
                0 => return Ok(text),
                next => page_no = PageNo(next),
            }
        }
    }

    /// Writes everything: old versions that nobody needs are purged and their pages given back, then
    /// the catalog and all pages are written and synced. Changes of transactions that are still
    /// active are written too, and cannot be told from committed ones afterwards.
    ///
    /// # Errors
    /// When pages cannot be read or written.
    pub fn flush(&self) -> Result<(), Error> {
        self.purge()?;
        for page in self.undo.take_unneeded() {
            let mut mtr = Mtr::begin(&self.pool);
            let latched = mtr.latch(page, LatchMode::Exclusive)?;
            mtr.free(latched)?;
            mtr.commit();
        }
        self.save_catalog()?;
        self.pool.flush_all()?;
        Ok(())
    }
}

fn restore(stored: StoredTable) -> Option<Table> {
    let spec = stored.spec;
    let clustered = IndexShape::clustered(&spec);
    let key = clustered.fields[..clustered.unique_fields].to_vec();
    let taken = clustered.name.clone();
    let mut shapes = vec![clustered];
    shapes.extend(
        spec.indexes
            .iter()
            .filter(|index| spec.primary_key.is_some() || index.name != taken)
            .map(|index| IndexShape::secondary(index, &key)),
    );
    if shapes.len() != stored.indexes.len() {
        return None;
    }
    let indexes = shapes
        .into_iter()
        .zip(stored.indexes)
        .map(|(shape, (id, root))| {
            let layout = Arc::new(shape.layout(&spec.columns));
            let tree = Tree::open(id, PageNo(root), layout, shape.clustered);
            shape.with_tree(tree)
        })
        .collect();
    Some(Table {
        id: stored.id,
        name: spec.name,
        columns: spec.columns,
        indexes,
        foreign_keys: spec.foreign_keys,
    })
}
