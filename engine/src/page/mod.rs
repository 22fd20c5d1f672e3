//! Pages and the records on them.

mod layout;
mod record;
mod tuple;

pub use layout::{FieldLayout, RecordLayout, Storage};
pub use record::Record;
pub use tuple::{Field, Tuple};

/// Bytes of a page.
pub const PAGE_SIZE: usize = 16 * 1024;

/// Most bytes that a stored record may take, its header included: two must fit on a page.
pub const MAX_RECORD_SIZE: usize = 8125;

/// Bytes of a page before its content: what [`crate::mtr::Mtr::write_bytes`] leaves alone.
pub const CONTENT_START: usize = 38;

/// End of the content of a page that is not an index page.
pub const CONTENT_END: usize = PAGE_SIZE - 8;

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

/// The bytes of one page.
#[derive(Clone, Debug)]
pub struct Page {
    bytes: Box<[u8; PAGE_SIZE]>,
}

impl Page {
    /// All bytes. Content of pages that are not index pages is at `CONTENT_START..CONTENT_END`.
    #[must_use]
    pub fn bytes(&self) -> &[u8; PAGE_SIZE] {
        &self.bytes
    }
}

/// One change of one page: what is done now, logged, and done again by recovery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PageOp {
    /// Overwrite bytes.
    Write {
        /// First byte.
        offset: u16,
        /// What to write.
        bytes: Box<[u8]>,
    },
}
