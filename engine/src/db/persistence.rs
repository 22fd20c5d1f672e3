//! The catalog's pages: what a directory's next opening needs to know.
//!
//! The catalog is one JSON document in a chain of catalog pages that begins with page
//! [`CATALOG_PAGE`], the first page that a new database allocates. It is rewritten at each change of
//! a definition, in one mini-transaction with the roots of the trees that the change makes: so a
//! crash leaves the definitions from before or from after. Trees that are being filled or dropped
//! are in the document as *orphans*; whoever opens the database drops them. Integers are
//! big-endian, as in page headers.
//!
//! | offset in page | bytes | content |
//! |---|---|---|
//! | 38 | 4 | next page of the chain, 0 for none |
//! | 42 | 2 | bytes of the document on this page |
//! | 44 | ... | those bytes |

use std::sync::Arc;

use gaplock_wal::{FileId, PageId, PageNo};
use serde::{Deserialize, Serialize};

use super::{
    Engine,
    catalog::{Catalog, Orphan},
};
use crate::{
    btree::Tree,
    error::{Error, StoreError},
    mtr::{LatchMode, Latched, Mtr, RowCount},
    page::{CONTENT_END, CONTENT_START, PageKind, RecordLayout},
    table::{Index, IndexShape, Table, TableSpec},
};

const CATALOG_PAGE: PageNo = PageNo(1);
const NEXT: usize = CONTENT_START;
const LENGTH: usize = CONTENT_START + 4;
const TEXT: usize = CONTENT_START + 6;
const ROOM: usize = CONTENT_END - TEXT;

/// Room for what a change adds to the document beside names: numbers, and marks of the format.
const SLACK: usize = 2048;

/// The document.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Document {
    next_id: u64,
    tables: Vec<StoredTable>,
    orphans: Vec<StoredOrphan>,
}

#[derive(Debug, Serialize, Deserialize)]
struct StoredTable {
    id: u64,
    spec: TableSpec,
    /// Name of the clustered index: which one it is was decided when the table was made.
    clustered: String,
    /// Number and root page of each index, the clustered one first.
    indexes: Vec<(u64, u32)>,
}

#[derive(Debug, Serialize, Deserialize)]
struct StoredOrphan {
    table: StoredTable,
    indexes: Vec<u64>,
}

/// How long a definition may become in the document.
pub(super) fn document_size(spec: &TableSpec) -> usize {
    serde_json::to_vec(spec).map_or(0, |text| text.len()) + 32 * (spec.indexes.len() + 1)
}

/// A tree that is to be made.
#[derive(Clone, Debug)]
pub(super) struct NewTree {
    pub(super) index: u64,
    pub(super) layout: Arc<RecordLayout>,
    pub(super) clustered: bool,
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
        self.change_catalog(&[], 0, |_, _| ())
    }

    /// Changes definitions: makes trees, lets `edit` put them into the catalog, and writes that; all
    /// of it or nothing. `growth`: how many bytes the document may grow at most beyond the usual.
    pub(super) fn change_catalog<T>(
        &self,
        trees: &[NewTree],
        growth: usize,
        edit: impl FnOnce(&mut Catalog, Vec<Tree>) -> T,
    ) -> Result<T, Error> {
        self.rewrite_catalog(trees, &[], growth, edit)
    }

    /// The same for a change that frees pages.
    pub(super) fn change_catalog_and_free(
        &self,
        freed: &[PageNo],
        edit: impl FnOnce(&mut Catalog),
    ) -> Result<(), Error> {
        self.rewrite_catalog(&[], freed, 0, |catalog, _| edit(catalog))
    }

    fn rewrite_catalog<T>(
        &self,
        trees: &[NewTree],
        freed: &[PageNo],
        growth: usize,
        edit: impl FnOnce(&mut Catalog, Vec<Tree>) -> T,
    ) -> Result<T, Error> {
        self.refuse_after_failure()?;
        self.make_log_room()?;
        let estimate = self.catalog_document().len() + SLACK + growth;
        let mut mtr = Mtr::begin(&self.pool);
        let mut pages = self.catalog_chain(&mut mtr)?;
        let more = estimate.div_ceil(ROOM).saturating_sub(pages.len());
        let freed: Vec<_> = freed
            .iter()
            .map(|page| mtr.latch(*page, LatchMode::Exclusive))
            .collect::<Result<_, _>>()?;
        for page in freed {
            mtr.free(page)?;
        }
        mtr.reserve(more + trees.len())?;
        let mut made = Vec::with_capacity(trees.len());
        for tree in trees {
            let layout = Arc::clone(&tree.layout);
            made.push(Tree::create(&mut mtr, tree.index, layout, tree.clustered)?);
        }
        let result = edit(&mut self.catalog.write(), made);
        let text = self.catalog_document();
        while pages.len() < text.len().div_ceil(ROOM) {
            pages.push(mtr.allocate(PageKind::Catalog)?);
        }
        write_document(&mut mtr, &pages, &text);
        let position = mtr.commit();
        self.flush_for(position).map_err(Error::in_doubt)?;
        Ok(result)
    }

    /// Latches the chain's pages.
    fn catalog_chain(&self, mtr: &mut Mtr<'_>) -> Result<Vec<Latched>, Error> {
        let mut page = mtr.latch(CATALOG_PAGE, LatchMode::Exclusive)?;
        let mut pages = vec![page];
        loop {
            let next = mtr.page(page).u32_at(NEXT);
            if next == 0 {
                return Ok(pages);
            }
            page = mtr.latch(PageNo(next), LatchMode::Exclusive)?;
            pages.push(page);
        }
    }

    fn catalog_document(&self) -> Vec<u8> {
        let catalog = self.catalog.read();
        let orphan = |orphan: &Orphan| StoredOrphan {
            table: self.stored(&orphan.table),
            indexes: orphan.indexes.clone(),
        };
        let tables = catalog.by_name.values();
        let document = Document {
            next_id: catalog.next_id,
            tables: tables.map(|table| self.stored(table)).collect(),
            orphans: catalog.orphans.iter().map(orphan).collect(),
        };
        serde_json::to_vec(&document).expect("a document of texts and numbers has its JSON")
    }

    fn stored(&self, table: &Table) -> StoredTable {
        let root = |index: &Index| (index.id, index.tree.root.0);
        StoredTable {
            id: table.id,
            spec: self.spec_of_known(table),
            clustered: table.clustered().name.clone(),
            indexes: table.indexes.iter().map(root).collect(),
        }
    }

    /// Reads the catalog of an existing database.
    pub(super) fn load_catalog(&self) -> Result<(), Error> {
        let text = self.catalog_text()?;
        let document: Document = serde_json::from_slice(&text).map_err(|error| {
            damaged(
                CATALOG_PAGE,
                &format!("the catalog cannot be read: {error}"),
            )
        })?;
        let misfit = || damaged(CATALOG_PAGE, "a table's indexes do not fit its definition");
        let mut catalog = self.catalog.write();
        catalog.next_id = document.next_id;
        for stored in document.tables {
            catalog.put(Arc::new(restore(stored).ok_or_else(misfit)?));
        }
        for stored in document.orphans {
            let table = restore(stored.table).ok_or_else(misfit)?;
            catalog.orphans.push(Orphan {
                table: Arc::new(table),
                indexes: stored.indexes,
            });
        }
        Ok(())
    }

    /// Puts back what was counted of a table, if there still is such a table.
    pub(super) fn restore_count(&self, count: &RowCount) {
        if let Some(counters) = self.catalog.read().counters.get(&count.table) {
            counters.add(count);
        }
    }

    /// The pages of the chain, for whoever accounts for all pages.
    pub(super) fn catalog_pages(&self) -> Result<Vec<PageNo>, Error> {
        let mut mtr = Mtr::begin(&self.pool);
        let pages = self.catalog_chain(&mut mtr)?;
        Ok(pages.into_iter().map(|page| mtr.page_no(page)).collect())
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
}

fn write_document(mtr: &mut Mtr<'_>, pages: &[Latched], text: &[u8]) {
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
}

fn restore(stored: StoredTable) -> Option<Table> {
    let spec = stored.spec;
    let clustered = IndexShape::clustered_named(&spec, &stored.clustered)?;
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
