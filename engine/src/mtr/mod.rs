//! Mini-transactions: latched pages, changed together and logged as one unit.

use std::marker::PhantomData;

use gaplock_wal::{Lsn, PageNo};

use crate::{
    buffer::BufferPool,
    error::StoreError,
    page::{Page, PageKind, PageOp},
};

/// How a page is latched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LatchMode {
    /// With other readers.
    Shared,
    /// Alone; needed to change the page.
    Exclusive,
}

/// A page latched by a mini-transaction. Means nothing in another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Latched {
    _slot: u32,
}

/// A mini-transaction: the pages it latched and what it changed.
///
/// After its first change nothing may fail, since changes are not undone: fetch, latch and reserve
/// everything first.
#[derive(Debug)]
pub struct Mtr<'s> {
    _pool: PhantomData<&'s BufferPool>,
}

#[allow(unused_variables, clippy::unimplemented, reason = "interface first")]
impl<'s> Mtr<'s> {
    /// Begins one.
    #[must_use]
    pub fn begin(pool: &'s BufferPool) -> Self {
        unimplemented!()
    }
    /// The pool whose pages it works on.
    #[must_use]
    pub fn pool(&self) -> &'s BufferPool {
        unimplemented!()
    }
    /// Latches a page; the same handle again if it is latched already (an exclusive latch serves
    /// as a shared one; a shared one cannot be upgraded: asserted).
    ///
    /// # Errors
    /// When the page cannot be read or no frame is free.
    pub fn latch(&mut self, page: PageNo, mode: LatchMode) -> Result<Latched, StoreError> {
        unimplemented!()
    }
    /// Lets go of a page that was not changed. Counted: as many times as it was latched.
    pub fn release(&mut self, page: Latched) {
        unimplemented!()
    }
    /// The page.
    #[must_use]
    pub fn page(&self, page: Latched) -> &Page {
        unimplemented!()
    }
    /// The page's number.
    #[must_use]
    pub fn page_no(&self, page: Latched) -> PageNo {
        unimplemented!()
    }
    /// Changes a page.
    pub fn apply(&mut self, page: Latched, op: PageOp) {
        unimplemented!()
    }
    /// Overwrites bytes of a page's content (undo and catalog pages); `offset` counts from the
    /// page's first byte.
    pub fn write_bytes(&mut self, page: Latched, offset: usize, bytes: &[u8]) {
        unimplemented!()
    }
    /// Makes sure that the next `pages` calls of [`Self::allocate`], and any of [`Self::free`],
    /// cannot fail. Latches the space header: all other pages come before it.
    ///
    /// # Errors
    /// When the file is full, a free page cannot be read, or no frame is free.
    pub fn reserve(&mut self, pages: usize) -> Result<(), StoreError> {
        unimplemented!()
    }
    /// Takes a page, zeroed and latched exclusively.
    ///
    /// # Errors
    /// As [`Self::reserve`], if nothing was reserved.
    pub fn allocate(&mut self, kind: PageKind) -> Result<Latched, StoreError> {
        unimplemented!()
    }
    /// Gives an exclusively latched page back to the file. After the first change it needs a
    /// [`Self::reserve`] (of no pages) before: asserted.
    ///
    /// # Errors
    /// When the space header cannot be read.
    pub fn free(&mut self, page: Latched) -> Result<(), StoreError> {
        unimplemented!()
    }
    /// Whether it has changed anything.
    #[must_use]
    pub fn has_changes(&self) -> bool {
        unimplemented!()
    }
    /// Appends the changes to the log as one group, stamps the pages with its position and lets
    /// go of all latches. The position is the log's end after the group (or just its end, if
    /// nothing was changed).
    pub fn commit(self) -> Lsn {
        unimplemented!()
    }
}
