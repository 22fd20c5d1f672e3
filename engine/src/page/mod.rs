//! Pages and the records on them.
//!
//! A page is 16 KiB. An index page holds a singly linked list of records in key order, laid in a
//! heap that grows upwards, with a sparse directory that grows downwards to search by halves.
//! Record format, space accounting and heap numbers are InnoDB's, because they decide when a page
//! splits and what a record lock is on; the rest of the format is our own.
//!
//! Pages are changed by [`PageOp`]s only.

mod check;
mod directory;
mod format;
mod heap;
mod index;
mod layout;
mod op;
mod record;
mod tuple;

pub use format::{
    CONTENT_END, CONTENT_START, INFIMUM, NO_PAGE, PAGE_SIZE, Page, PageKind, SUPREMUM,
};
pub(crate) use format::{MAX_TRX, NEXT, PREV};
pub use index::MAX_RECORD_SIZE;
pub(crate) use index::{EMPTY_PAGE_SPACE, directory_space};
pub(crate) use layout::{DELETED, LOWEST};
pub use layout::{FieldLayout, RecordImage, RecordLayout, Storage};
pub use op::PageOp;
pub use record::{Extent, Record};
pub use tuple::{Field, Tuple};

#[cfg(test)]
mod tests;
