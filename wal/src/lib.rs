//! Write-ahead log, the disk seam, and what recovery needs.

mod disk;
mod ids;
mod log;

pub use disk::{Disk, DiskError, DiskFile, FileDisk, MemoryDisk};
pub use ids::{FileId, Lsn, PageId, PageNo};
pub use log::{Log, LogConfig};
