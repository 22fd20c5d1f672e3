//! The data file's pages: which are free, and how many there are.
//!
//! ```text
//! page 0, offset  bytes  what
//!             38      4  format version
//!             42      4  pages given out so far, this one among them
//!             46      4  first free page, or the number for "none"
//!             50      4  how many pages are free
//! ```
//! Free pages are a list through their next-page links. A page is taken from the list or, if there
//! is none, from beyond the end.

use gaplock_wal::{FileId, PageId, PageNo};

use super::{LatchMode, Latched, Mtr};
use crate::{
    buffer::BufferPool,
    error::StoreError,
    page::{NEXT, NO_PAGE, Page, PageKind, PageOp},
};

/// Version of the format of all pages.
const FORMAT_VERSION: u32 = 1;

const HEADER_PAGE: PageNo = PageNo(0);
const VERSION: usize = 38;
const PAGE_COUNT: usize = 42;
const FREE_HEAD: usize = 46;
const FREE_COUNT: usize = 50;

/// What a mini-transaction has set aside and given back.
#[derive(Debug, Default)]
pub(super) struct Reservation {
    header: Option<Latched>,
    /// Pages set aside: those of the free list first, then those beyond the end.
    pages: std::collections::VecDeque<Reserved>,
    /// Pages given back; they join the free list at commit, once it is known which of the pages
    /// set aside stay on it.
    freed: Vec<Latched>,
}

#[derive(Clone, Copy, Debug)]
struct Reserved {
    page: Latched,
    number: PageNo,
    listed: bool,
}

/// Writes the space header of a new data file.
pub(crate) fn create_space(pool: &BufferPool) -> Result<(), StoreError> {
    let mut mtr = Mtr::begin(pool);
    let header = mtr.latch_fresh(HEADER_PAGE)?;
    mtr.apply(header, format(PageKind::SpaceHeader));
    for (offset, value) in [
        (VERSION, FORMAT_VERSION),
        (PAGE_COUNT, 1),
        (FREE_HEAD, NO_PAGE.0),
        (FREE_COUNT, 0),
    ] {
        mtr.put_u32(header, offset, value);
    }
    mtr.commit();
    Ok(())
}

/// Looks whether a data file is one that this program can read.
pub(crate) fn check_space(pool: &BufferPool) -> Result<(), StoreError> {
    let mut mtr = Mtr::begin(pool);
    let header = mtr.latch(HEADER_PAGE, LatchMode::Shared)?;
    let page = mtr.page(header);
    let version = page.u32_at(VERSION);
    if page.kind() != Some(PageKind::SpaceHeader) {
        return Err(StoreError::Damaged {
            page: PageId::new(FileId(0), HEADER_PAGE),
            what: "it is not a space header".to_owned(),
        });
    }
    if version > FORMAT_VERSION {
        return Err(StoreError::NewerFormat {
            found: version,
            supported: FORMAT_VERSION,
        });
    }
    Ok(())
}

/// All pages of the free list.
pub(crate) fn free_pages(pool: &BufferPool) -> Result<Vec<PageNo>, StoreError> {
    let mut mtr = Mtr::begin(pool);
    let header = mtr.latch(HEADER_PAGE, LatchMode::Shared)?;
    let count = mtr.page(header).u32_at(FREE_COUNT);
    let mut next = PageNo(mtr.page(header).u32_at(FREE_HEAD));
    let mut pages = Vec::new();
    while next != NO_PAGE {
        let page = mtr.latch(next, LatchMode::Shared)?;
        pages.push(next);
        if mtr.page(page).kind() != Some(PageKind::Free) || pages.len() > count as usize {
            let what = format!("the list of {count} free pages leads to it, and goes wrong here");
            let page = PageId::new(FileId(0), next);
            return Err(StoreError::Damaged { page, what });
        }
        next = mtr.page(page).next();
        mtr.release(page);
    }
    Ok(pages)
}

fn format(kind: PageKind) -> PageOp {
    PageOp::Format {
        kind,
        index: 0,
        level: 0,
    }
}

impl Mtr<'_> {
    /// Makes sure that the next `pages` calls of [`Self::allocate`], and any of [`Self::free`],
    /// cannot fail. Latches the space header: all other pages come before it (M4).
    ///
    /// # Errors
    /// When the file is full, a free page cannot be read, or no frame is free.
    pub fn reserve(&mut self, pages: usize) -> Result<(), StoreError> {
        let header = self.space_header()?;
        while self.reservation.pages.len() < pages {
            let last = self.reservation.pages.back().copied();
            let reserved = self.reserve_after(header, last)?;
            self.reservation.pages.push_back(reserved);
        }
        Ok(())
    }

    /// Sets aside the page that comes after `last`.
    fn reserve_after(
        &mut self,
        header: Latched,
        last: Option<Reserved>,
    ) -> Result<Reserved, StoreError> {
        let count = PageNo(self.page(header).u32_at(PAGE_COUNT));
        let number = match last {
            None => PageNo(self.page(header).u32_at(FREE_HEAD)),
            Some(last) if last.listed => self.page(last.page).next(),
            Some(last) => PageNo(last.number.0 + 1),
        };
        if number != NO_PAGE && number < count {
            let page = self.latch(number, LatchMode::Exclusive)?;
            if self.page(page).kind() != Some(PageKind::Free) {
                let what = "it is on the list of free pages, and not free".to_owned();
                let page = PageId::new(FileId(0), number);
                return Err(StoreError::Damaged { page, what });
            }
            return Ok(Reserved {
                page,
                number,
                listed: true,
            });
        }
        let number = if number == NO_PAGE { count } else { number };
        if number.0 >= NO_PAGE.0 - 1 {
            return Err(StoreError::SpaceFull);
        }
        self.pool().extend_to(number)?;
        let page = self.latch_fresh(number)?;
        Ok(Reserved {
            page,
            number,
            listed: false,
        })
    }

    fn space_header(&mut self) -> Result<Latched, StoreError> {
        if let Some(header) = self.reservation.header {
            return Ok(header);
        }
        let header = self.latch(HEADER_PAGE, LatchMode::Exclusive)?;
        self.reservation.header = Some(header);
        Ok(header)
    }

    /// Takes a page, empty and latched exclusively.
    ///
    /// # Errors
    /// As [`Self::reserve`], if nothing was reserved.
    pub fn allocate(&mut self, kind: PageKind) -> Result<Latched, StoreError> {
        self.allocate_with(format(kind))
    }

    /// Takes a page for an index.
    ///
    /// # Errors
    /// As [`Self::reserve`], if nothing was reserved.
    pub fn allocate_index(&mut self, index: u64, level: u16) -> Result<Latched, StoreError> {
        self.allocate_with(PageOp::Format {
            kind: PageKind::Index,
            index,
            level,
        })
    }

    fn allocate_with(&mut self, format: PageOp) -> Result<Latched, StoreError> {
        self.reserve(1)?;
        let header = self.space_header()?;
        let reserved = self.reservation.pages.pop_front();
        let reserved = reserved.expect("one was reserved");
        if reserved.listed {
            let next = self.page(reserved.page).next();
            let free = self.page(header).u32_at(FREE_COUNT);
            self.put_u32(header, FREE_HEAD, next.0);
            self.put_u32(header, FREE_COUNT, free - 1);
        } else {
            self.put_u32(header, PAGE_COUNT, reserved.number.0 + 1);
        }
        self.apply(reserved.page, format);
        Ok(reserved.page)
    }

    /// Gives an exclusively latched page back to the file; it may not be looked at any more.
    /// After the first change it needs a [`Self::reserve`] (of no pages) before: asserted.
    ///
    /// # Errors
    /// When the space header cannot be read.
    pub fn free(&mut self, page: Latched) -> Result<(), StoreError> {
        self.space_header()?;
        self.reservation.freed.push(page);
        Ok(())
    }

    /// Puts the pages given back on the free list.
    pub(super) fn settle_space(&mut self) {
        let Some(header) = self.reservation.header else {
            return;
        };
        for page in std::mem::take(&mut self.reservation.freed) {
            let number = self.page_no(page);
            let head = self.page(header).u32_at(FREE_HEAD);
            let free = self.page(header).u32_at(FREE_COUNT);
            self.apply(page, format(PageKind::Free));
            self.put_u32(page, NEXT, head);
            self.put_u32(header, FREE_HEAD, number.0);
            self.put_u32(header, FREE_COUNT, free + 1);
        }
    }

    fn put_u32(&mut self, page: Latched, offset: usize, value: u32) {
        self.apply(page, PageOp::write(offset, &value.to_be_bytes()));
    }

    /// Pages of the data file: all, and those that are free.
    ///
    /// # Errors
    /// When the space header cannot be read.
    pub fn space_usage(&mut self) -> Result<(u32, u32), StoreError> {
        let header = self.latch(HEADER_PAGE, LatchMode::Shared)?;
        let page: &Page = self.page(header);
        let usage = (page.u32_at(PAGE_COUNT), page.u32_at(FREE_COUNT));
        self.release(header);
        Ok(usage)
    }
}
