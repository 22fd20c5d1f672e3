//! A tree: made, opened, given up; and what can be done with the record under a cursor.

use std::sync::Arc;

use gaplock_wal::PageNo;
use parking_lot::RwLock;

use super::Cursor;
use crate::{
    buffer::BufferPool,
    error::StoreError,
    mtr::{LatchMode, Latched, Mtr},
    page::{
        DELETED, Extent, INFIMUM, MAX_RECORD_SIZE, MAX_TRX, NO_PAGE, PageKind, PageOp, Record,
        RecordImage, RecordLayout, SUPREMUM, Tuple,
    },
};

/// Most pages freed in one mini-transaction when a tree is given up.
const DROP_BATCH: usize = 8;

/// A B+tree.
#[derive(Debug)]
pub struct Tree {
    /// The index's number, kept in every page.
    pub index: u64,
    /// Its root page; never moves.
    pub root: PageNo,
    /// Its records.
    pub layout: Arc<RecordLayout>,
    /// Whether it holds the rows: some of each leaf is then kept free on sequential inserts.
    pub clustered: bool,
    latch: Arc<RwLock<()>>,
}

impl Tree {
    /// Makes a new, empty tree.
    ///
    /// # Errors
    /// When no page can be allocated.
    pub fn create(
        mtr: &mut Mtr<'_>,
        index: u64,
        layout: Arc<RecordLayout>,
        clustered: bool,
    ) -> Result<Self, StoreError> {
        let root = mtr.allocate_index(index, 0)?;
        let root = mtr.page_no(root);
        Ok(Self::open(index, root, layout, clustered))
    }

    /// A tree that exists. All users of a tree must use the same value: it has the tree's latch.
    #[must_use]
    pub fn open(index: u64, root: PageNo, layout: Arc<RecordLayout>, clustered: bool) -> Self {
        Self {
            index,
            root,
            layout,
            clustered,
            latch: Arc::new(RwLock::new(())),
        }
    }

    /// Frees some pages of the tree, from its end, until only the root is left: `false` then. After
    /// each call, and after a crash between two, what is left is a tree that can be dropped further.
    /// Nobody else may use the tree, now or later.
    ///
    /// # Errors
    /// When pages cannot be read.
    pub fn drop_pages(&self, pool: &BufferPool) -> Result<bool, StoreError> {
        let mut mtr = Mtr::begin(pool);
        let mut parent = mtr.latch(self.root, LatchMode::Exclusive)?;
        loop {
            let last = self.last_children(&mtr, parent);
            let Some((_, child)) = last.first() else {
                return Ok(false);
            };
            let child = mtr.latch(*child, LatchMode::Exclusive)?;
            if self.last_children(&mtr, child).is_empty() {
                return self.drop_children(mtr, parent, &last).map(|()| true);
            }
            parent = child;
        }
    }

    /// The last few children of a page above the leaves, from the last one backwards: record and page.
    fn last_children(&self, mtr: &Mtr<'_>, parent: Latched) -> Vec<(Extent, PageNo)> {
        let page = mtr.page(parent);
        let mut children = Vec::new();
        let mut at = SUPREMUM;
        while page.level() > 0 && children.len() < DROP_BATCH {
            at = page.previous_record(at);
            if at == INFIMUM {
                break;
            }
            let record = self.record_at(mtr, parent, at);
            children.push((record.extent(), record.child()));
        }
        children
    }

    /// Frees children that have no children, up to the first one that has.
    fn drop_children(
        &self,
        mut mtr: Mtr<'_>,
        parent: Latched,
        children: &[(Extent, PageNo)],
    ) -> Result<(), StoreError> {
        let mut latched = Vec::new();
        for (_, child) in children {
            let child = mtr.latch(*child, LatchMode::Exclusive)?;
            if !self.last_children(&mtr, child).is_empty() {
                break;
            }
            latched.push(child);
        }
        mtr.reserve(0)?;
        let records = children[..latched.len()].iter().map(|(record, _)| *record);
        let records = records.collect();
        mtr.apply(parent, PageOp::Remove { records });
        for child in latched {
            mtr.free(child)?;
        }
        mtr.commit();
        Ok(())
    }

    /// All pages, the leaves first, each level from left to right.
    pub(crate) fn all_pages(&self, pool: &BufferPool) -> Result<Vec<PageNo>, StoreError> {
        let mut levels = Vec::new();
        let mut first = self.root;
        loop {
            let mut mtr = Mtr::begin(pool);
            let mut pages = Vec::new();
            let mut below = None;
            let mut at = first;
            while at != NO_PAGE {
                let latched = mtr.latch(at, LatchMode::Shared)?;
                pages.push(at);
                let page = mtr.page(latched);
                if below.is_none() && page.level() > 0 {
                    below = Some(self.record_at(&mtr, latched, page.first_record()).child());
                }
                at = page.next();
                mtr.release(latched);
            }
            levels.push(pages);
            match below {
                Some(page) => first = page,
                None => break,
            }
        }
        Ok(levels.into_iter().rev().flatten().collect())
    }

    /// The record on which the cursor stands.
    #[must_use]
    pub fn record<'m>(&'m self, mtr: &'m Mtr<'_>, cursor: Cursor) -> Record<'m> {
        self.record_at(mtr, cursor.page, cursor.origin)
    }

    pub(super) fn record_at<'m>(
        &'m self,
        mtr: &'m Mtr<'_>,
        page: Latched,
        origin: u16,
    ) -> Record<'m> {
        Record::new(mtr.page(page), &self.layout, origin)
    }

    /// The record after the cursor's on its page: a row or the supremum. The cursor must not
    /// stand on the supremum.
    #[must_use]
    pub fn successor(&self, mtr: &Mtr<'_>, cursor: Cursor) -> Cursor {
        assert_ne!(cursor.origin, SUPREMUM, "nothing comes after the supremum");
        let origin = mtr.page(cursor.page).next_record(cursor.origin);
        Cursor { origin, ..cursor }
    }

    /// Whether there are leaves before and after the cursor's.
    #[must_use]
    pub fn has_neighbours(&self, mtr: &Mtr<'_>, cursor: Cursor) -> (bool, bool) {
        let page = mtr.page(cursor.page);
        (page.prev() != NO_PAGE, page.next() != NO_PAGE)
    }

    /// Marks the record as deleted, or takes the mark away.
    pub fn set_deleted(&self, mtr: &mut Mtr<'_>, cursor: Cursor, deleted: bool) {
        let op = PageOp::SetFlags {
            at: cursor.origin,
            flags: if deleted { DELETED } else { 0 },
            mask: DELETED,
        };
        mtr.apply(cursor.page, op);
    }

    /// The newest transaction that changed the page (kept for secondary indexes).
    #[must_use]
    pub fn max_trx(&self, mtr: &Mtr<'_>, cursor: Cursor) -> u64 {
        mtr.page(cursor.page).max_trx()
    }

    /// Raises [`Self::max_trx`] to `trx`, if it is lower. Needs an exclusive latch.
    pub fn raise_max_trx(&self, mtr: &mut Mtr<'_>, cursor: Cursor, trx: u64) {
        raise_max_trx(mtr, cursor.page, trx);
    }

    /// A row or pseudo-record of a leaf by its page and heap number, for listings of locks. The
    /// page is latched shared unless it is latched already.
    ///
    /// # Errors
    /// When the page cannot be read.
    pub fn find_heap(
        &self,
        mtr: &mut Mtr<'_>,
        page: PageNo,
        heap: u16,
    ) -> Result<Option<Cursor>, StoreError> {
        let latched = mtr.latch(page, LatchMode::Shared)?;
        let found = if self.is_leaf(mtr, latched) {
            mtr.page(latched).record_with_heap_no(heap)
        } else {
            None
        };
        Ok(found.map(|origin| Cursor {
            page: latched,
            origin,
        }))
    }

    /// Whether a page is a leaf of this tree.
    pub(super) fn is_leaf(&self, mtr: &Mtr<'_>, page: Latched) -> bool {
        let page = mtr.page(page);
        page.kind() == Some(PageKind::Index) && page.index() == self.index && page.level() == 0
    }

    pub(super) fn is_root(&self, mtr: &Mtr<'_>, page: Latched) -> bool {
        mtr.page_no(page) == self.root
    }

    /// A row's image, unless it is too large.
    pub(super) fn row_image(&self, tuple: &Tuple) -> Result<RecordImage, StoreError> {
        let bytes = self.layout.row_size(tuple);
        if bytes > MAX_RECORD_SIZE {
            let limit = MAX_RECORD_SIZE;
            return Err(StoreError::RowTooLarge { bytes, limit });
        }
        Ok(self.layout.row_image(tuple))
    }

    pub(super) fn latch_tree(&self, mtr: &mut Mtr<'_>, mode: LatchMode) {
        mtr.latch_tree(self.index, &self.latch, mode);
    }
}

/// Raises a page's newest transaction.
pub(super) fn raise_max_trx(mtr: &mut Mtr<'_>, page: Latched, trx: u64) {
    if mtr.page(page).max_trx() < trx {
        mtr.apply(page, PageOp::write(MAX_TRX, &trx.to_be_bytes()));
    }
}
