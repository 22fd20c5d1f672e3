//! Where things are on a page, and reading and writing them.
//!
//! ```text
//! offset  bytes  what (numbers are big-endian)
//!      0      4  checksum of file number, page number and bytes 4..
//!      4      4  page number
//!      8      4  previous page of the level          (free pages: unused)
//!     12      4  next page of the level              (free pages: next free page)
//!     16      8  log position after the last change
//!     24      2  kind
//!     26     12  unused
//!     38      -  content, for pages that are not index pages, up to the last 8 bytes
//!
//! index pages:
//!     38      2  directory slots
//!     40      2  heap top: the first byte never given to a record
//!     42      2  heap numbers given out, those of the pseudo-records among them
//!     44      2  first free slot of the heap, 0 if none
//!     46      2  garbage: bytes below the heap top that belong to no record
//!     48      2  record inserted last, 0 if none or forgotten
//!     50      2  direction of the last inserts
//!     52      2  how many inserts went that way in a row
//!     54      2  rows
//!     56      8  newest transaction that changed the page (secondary indexes)
//!     64      2  level, 0 for leaves
//!     66      8  index number
//!     74     20  unused
//!     94     26  the pseudo-records: infimum at 99, supremum at 112
//!    120      -  heap of records
//!   ...          free
//!      -  2 * n  directory, growing downwards
//!  16376      8  unused
//! ```

use gaplock_wal::{FileId, Lsn, PageNo};

/// Bytes of a page.
pub const PAGE_SIZE: usize = 16 * 1024;

/// Bytes of a page before its content: what [`crate::mtr::Mtr::write_bytes`] leaves alone.
pub const CONTENT_START: usize = 38;

/// End of the content of a page that is not an index page.
pub const CONTENT_END: usize = PAGE_SIZE - 8;

/// The page number that stands for "no page".
pub const NO_PAGE: PageNo = PageNo(u32::MAX);

pub(super) const CHECKSUM: usize = 0;
pub(super) const PAGE_NO: usize = 4;
pub(crate) const PREV: usize = 8;
pub(crate) const NEXT: usize = 12;
pub(super) const LSN: usize = 16;
pub(super) const KIND: usize = 24;
pub(super) const SLOTS: usize = 38;
pub(super) const HEAP_TOP: usize = 40;
pub(super) const HEAP_COUNT: usize = 42;
pub(super) const FREE: usize = 44;
pub(super) const GARBAGE: usize = 46;
pub(super) const LAST_INSERT: usize = 48;
pub(super) const DIRECTION: usize = 50;
pub(super) const DIRECTION_COUNT: usize = 52;
pub(super) const RECORDS: usize = 54;
pub(crate) const MAX_TRX: usize = 56;
pub(super) const LEVEL: usize = 64;
pub(super) const INDEX: usize = 66;

/// Origin of the pseudo-record before all others.
pub const INFIMUM: u16 = 99;
/// Origin of the pseudo-record after all others.
pub const SUPREMUM: u16 = 112;
/// First byte of the heap.
pub(super) const HEAP_START: usize = 120;

/// What a page is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PageKind {
    /// Page 0 of a file: format version, size, free pages.
    SpaceHeader,
    /// Unused; a link of the list of free pages.
    Free,
    /// A page of an index.
    Index,
    /// Undo records.
    Undo,
    /// The catalog of tables.
    Catalog,
}

impl PageKind {
    /// The number that stands for it on a page and in the log.
    #[must_use]
    pub fn code(self) -> u16 {
        match self {
            PageKind::SpaceHeader => 1,
            PageKind::Free => 2,
            PageKind::Index => 3,
            PageKind::Undo => 4,
            PageKind::Catalog => 5,
        }
    }

    /// The kind with that number, if there is one.
    #[must_use]
    pub fn from_code(code: u16) -> Option<Self> {
        match code {
            1 => Some(PageKind::SpaceHeader),
            2 => Some(PageKind::Free),
            3 => Some(PageKind::Index),
            4 => Some(PageKind::Undo),
            5 => Some(PageKind::Catalog),
            _ => None,
        }
    }
}

/// The bytes of one page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    pub(super) bytes: Box<[u8; PAGE_SIZE]>,
}

impl Page {
    /// A page of zeros but for its number: what a page is before it is first used.
    #[must_use]
    pub fn blank(page_no: PageNo) -> Self {
        let mut page = Self {
            bytes: Box::new([0; PAGE_SIZE]),
        };
        page.put_u32(PAGE_NO, page_no.0);
        page
    }

    /// A page just read, still to be verified.
    #[must_use]
    pub fn from_bytes(bytes: Box<[u8; PAGE_SIZE]>) -> Self {
        Self { bytes }
    }

    /// All bytes. Content of pages that are not index pages is at `CONTENT_START..CONTENT_END`.
    #[must_use]
    pub fn bytes(&self) -> &[u8; PAGE_SIZE] {
        &self.bytes
    }

    /// The page's number.
    #[must_use]
    pub fn page_no(&self) -> PageNo {
        PageNo(self.u32_at(PAGE_NO))
    }

    /// What the page is used for; `None` if it never was.
    #[must_use]
    pub fn kind(&self) -> Option<PageKind> {
        PageKind::from_code(self.u16_at(KIND))
    }

    /// Log position after the last change.
    #[must_use]
    pub fn lsn(&self) -> Lsn {
        Lsn(self.u64_at(LSN))
    }

    /// Notes the log position after the last change.
    pub(crate) fn set_lsn(&mut self, lsn: Lsn) {
        self.put_u64(LSN, lsn.0);
    }

    /// The previous page of the level, or [`NO_PAGE`].
    #[must_use]
    pub fn prev(&self) -> PageNo {
        PageNo(self.u32_at(PREV))
    }

    /// The next page of the level (or the next free page), or [`NO_PAGE`].
    #[must_use]
    pub fn next(&self) -> PageNo {
        PageNo(self.u32_at(NEXT))
    }

    /// The index whose page this is.
    #[must_use]
    pub fn index(&self) -> u64 {
        self.u64_at(INDEX)
    }

    /// Levels below this one; 0 for leaves.
    #[must_use]
    pub fn level(&self) -> u16 {
        self.u16_at(LEVEL)
    }

    /// The newest transaction that changed the page.
    #[must_use]
    pub fn max_trx(&self) -> u64 {
        self.u64_at(MAX_TRX)
    }

    /// Computes and stores the checksum: the page is about to be written.
    pub(crate) fn seal(&mut self, file: FileId) {
        let checksum = self.checksum(file);
        self.put_u32(CHECKSUM, checksum);
    }

    /// What is wrong with a page read as page `page_no` of `file`, if anything.
    pub(crate) fn verify(&self, file: FileId, page_no: PageNo) -> Result<(), String> {
        let (stored, computed) = (self.u32_at(CHECKSUM), self.checksum(file));
        if self.bytes.iter().all(|&byte| byte == 0) {
            Err("it was never written".to_owned())
        } else if stored != computed {
            Err(format!(
                "its checksum is {stored:08x} and should be {computed:08x}"
            ))
        } else if self.page_no() != page_no {
            Err(format!("it says that it is page {}", self.page_no().0))
        } else if self.kind().is_none() {
            Err(format!("its kind {} is unknown", self.u16_at(KIND)))
        } else {
            Ok(())
        }
    }

    fn checksum(&self, file: FileId) -> u32 {
        let place = crc32c::crc32c(&file.0.to_be_bytes());
        crc32c::crc32c_append(place, &self.bytes[PAGE_NO..])
    }

    pub(crate) fn u16_at(&self, offset: usize) -> u16 {
        u16::from_be_bytes([self.bytes[offset], self.bytes[offset + 1]])
    }

    pub(crate) fn u32_at(&self, offset: usize) -> u32 {
        let mut bytes = [0; 4];
        bytes.copy_from_slice(&self.bytes[offset..offset + 4]);
        u32::from_be_bytes(bytes)
    }

    pub(crate) fn u64_at(&self, offset: usize) -> u64 {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&self.bytes[offset..offset + 8]);
        u64::from_be_bytes(bytes)
    }

    pub(super) fn put(&mut self, offset: usize, bytes: &[u8]) {
        self.bytes[offset..offset + bytes.len()].copy_from_slice(bytes);
    }

    pub(super) fn put_u16(&mut self, offset: usize, value: u16) {
        self.put(offset, &value.to_be_bytes());
    }

    pub(super) fn put_u32(&mut self, offset: usize, value: u32) {
        self.put(offset, &value.to_be_bytes());
    }

    pub(super) fn put_u64(&mut self, offset: usize, value: u64) {
        self.put(offset, &value.to_be_bytes());
    }
}
