//! The only way to files: real ones, memory, and (with the fault battery) ones that fail.

use std::{path::PathBuf, sync::Arc};

/// A failed call, with the file and what was tried.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{operation} {file}: {kind:?}: {message}")]
pub struct DiskError {
    /// What was tried: "read", "write", "sync" ...
    pub operation: &'static str,
    /// The file's name.
    pub file: String,
    /// The kind of failure.
    pub kind: std::io::ErrorKind,
    /// What the system said.
    pub message: String,
}

/// A directory of files.
pub trait Disk: Send + Sync + std::fmt::Debug {
    /// Opens a file, creating it if asked to.
    ///
    /// # Errors
    /// The system's.
    fn open(&self, name: &str, create: bool) -> Result<Arc<dyn DiskFile>, DiskError>;
    /// Names of all files, sorted.
    ///
    /// # Errors
    /// The system's.
    fn list(&self) -> Result<Vec<String>, DiskError>;
    /// Removes a file.
    ///
    /// # Errors
    /// The system's.
    fn remove(&self, name: &str) -> Result<(), DiskError>;
    /// Renames a file over another.
    ///
    /// # Errors
    /// The system's.
    fn rename(&self, from: &str, to: &str) -> Result<(), DiskError>;
    /// Makes creations, removals and renames durable.
    ///
    /// # Errors
    /// The system's.
    fn sync_directory(&self) -> Result<(), DiskError>;
    /// A disk with the same content that shares nothing observable with this one; `None` if this
    /// kind of disk cannot (real files).
    fn fork(&self) -> Option<Arc<dyn Disk>>;
}

/// An open file.
pub trait DiskFile: Send + Sync + std::fmt::Debug {
    /// Fills `buffer` from `offset`; the whole of it or an error.
    ///
    /// # Errors
    /// The system's; reading past the end is `UnexpectedEof`.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), DiskError>;
    /// Writes all of `data` at `offset`, extending the file if need be.
    ///
    /// # Errors
    /// The system's.
    fn write_at(&self, offset: u64, data: &[u8]) -> Result<(), DiskError>;
    /// Makes the content durable.
    ///
    /// # Errors
    /// The system's.
    fn sync(&self) -> Result<(), DiskError>;
    /// Length in bytes.
    ///
    /// # Errors
    /// The system's.
    fn len(&self) -> Result<u64, DiskError>;
    /// Cuts or extends (with zeros) to a length.
    ///
    /// # Errors
    /// The system's.
    fn set_len(&self, len: u64) -> Result<(), DiskError>;
}

/// Files in memory.
#[derive(Debug, Default)]
pub struct MemoryDisk {}

/// Files in a real directory.
#[derive(Debug)]
pub struct FileDisk {
    _directory: PathBuf,
}
