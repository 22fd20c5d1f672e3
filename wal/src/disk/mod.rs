//! The only way to files: real ones, memory, and ones that fail on purpose.
//!
//! A disk is one flat directory. What the kinds of disks promise alike:
//!
//! - W1. A read gives all the bytes asked for or fails; it never gives fewer.
//! - W2. A write past the end extends the file; the gap reads as zeros.
//! - W3. Content is durable after [`DiskFile::sync`] has returned, names after
//!   [`Disk::sync_directory`] has; before that, a crash may keep any part of it.
//! - W4. A file opened twice is one file; one that was removed lives on for those who have it open.
//! - W5. A name locked by [`Disk::lock`] cannot be locked again, by this process or another, until
//!   the lock is dropped or its process ends. A lock says nothing about reading and writing.

mod content;
pub mod fault;
mod file;
mod lock;
mod memory;
mod overlay;

use std::sync::Arc;

pub use file::FileDisk;
pub use lock::DiskLock;
pub use memory::MemoryDisk;
pub use overlay::OverlayDisk;

/// A failed call, with the file and what was tried.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
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

impl DiskError {
    /// The system's error, met while doing `operation` on `file`.
    #[must_use]
    pub fn new(operation: &'static str, file: &str, error: &std::io::Error) -> Self {
        Self {
            operation,
            file: file.to_owned(),
            kind: error.kind(),
            message: error.to_string(),
        }
    }

    /// An error that no system call gave.
    #[must_use]
    pub fn of_kind(operation: &'static str, file: &str, kind: std::io::ErrorKind) -> Self {
        Self::new(operation, file, &std::io::Error::from(kind))
    }
}

/// A directory of files.
pub trait Disk: Send + Sync + std::fmt::Debug {
    /// Opens a file, creating it if asked to. `name` is a plain file name.
    ///
    /// # Errors
    /// The system's; `NotFound` if there is no such file and none is to be created; `InvalidInput`
    /// for a name that is not plain.
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
    /// Locks a file, which is created if there is none, against every other opener (W5).
    ///
    /// # Errors
    /// `WouldBlock` if somebody holds it: the database is in use; otherwise the system's.
    fn lock(&self, name: &str) -> Result<DiskLock, DiskError>;
    /// A disk with the same content that shares nothing observable with this one; `None` if this
    /// kind of disk cannot (real files).
    fn fork(&self) -> Option<Arc<dyn Disk>>;
}

/// An open file.
#[allow(
    clippy::len_without_is_empty,
    reason = "nobody asks whether a file is empty"
)]
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
    /// Makes the content durable, and as much of the rest (the length) as reading it back needs.
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

/// Refuses names that would lead out of the directory.
fn check_name(operation: &'static str, name: &str) -> Result<(), DiskError> {
    let plain = !name.is_empty() && !name.starts_with('.') && !name.contains(['/', '\\', '\0']);
    if plain {
        Ok(())
    } else {
        Err(DiskError::of_kind(
            operation,
            name,
            std::io::ErrorKind::InvalidInput,
        ))
    }
}
