//! Write-ahead log, the disk seam, and what recovery needs.
//!
//! Nothing above this crate touches a file but through [`Disk`]: real files, memory, or a disk that
//! fails on purpose behave the same to it. Nothing above it invents log positions: [`Log`] has the
//! one place where they are given out.

#![forbid(unsafe_code)]

mod disk;
mod ids;
mod log;

pub use disk::fault;
pub use disk::{Disk, DiskError, DiskFile, DiskLock, FileDisk, MemoryDisk, OverlayDisk};
pub use ids::{FileId, Lsn, PageId, PageNo};
pub use log::{Checkpoint, Control, Log, LogError, LogRecord, LogScan, LogSettings};
