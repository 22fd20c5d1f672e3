//! All pages of a tree, as they lie.

use gaplock_wal::PageNo;

use super::Tree;
use crate::{
    buffer::BufferPool,
    error::StoreError,
    mtr::{LatchMode, Mtr},
    page::{Page, Record, RecordLayout},
};

impl Tree {
    /// Shows every page to `look`, parents before children, each level from left to right. Nobody may
    /// split or merge pages meanwhile.
    ///
    /// # Errors
    /// When pages cannot be read, or `look` fails.
    pub(crate) fn walk(
        &self,
        pool: &BufferPool,
        look: &mut dyn FnMut(&Page, &RecordLayout) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        self.walk_below(pool, self.root, look)
    }

    fn walk_below(
        &self,
        pool: &BufferPool,
        at: PageNo,
        look: &mut dyn FnMut(&Page, &RecordLayout) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let mut mtr = Mtr::begin(pool);
        let latched = mtr.latch(at, LatchMode::Shared)?;
        let page = mtr.page(latched);
        look(page, &self.layout)?;
        if page.level() == 0 {
            return Ok(());
        }
        let records = page.records();
        let children: Vec<PageNo> = records
            .map(|origin| Record::new(page, &self.layout, origin).child())
            .collect();
        mtr.release(latched);
        for child in children {
            self.walk_below(pool, child, look)?;
        }
        Ok(())
    }
}
