//! Failures of the storage layers.

use gaplock_wal::{DiskError, PageId};

/// Why pages could not be read, kept or changed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// A call to the disk failed.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// A page is not what was written: wrong checksum, wrong place or impossible content.
    #[error("page {page} is damaged: {what}")]
    Damaged {
        /// The page.
        page: PageId,
        /// What is wrong with it.
        what: String,
    },
    /// Every frame of the buffer pool stayed in use for as long as a caller is made to wait.
    #[error("all frames of the buffer pool are in use; give it more frames")]
    PoolExhausted,
    /// A row, as stored, is too long: two must fit on a page.
    #[error("row of {bytes} bytes is too large, the limit is {limit}")]
    RowTooLarge {
        /// Bytes that the row would take, its header included.
        bytes: usize,
        /// Most bytes that a row may take.
        limit: usize,
    },
    /// No page number is left in the data file.
    #[error("the data file has no page left")]
    SpaceFull,
}
