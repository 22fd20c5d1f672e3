//! The right to be the only one who has a database open.

use std::{fmt, io::ErrorKind};

use super::DiskError;

/// A locked file; dropping it gives the lock back (W5).
pub struct DiskLock {
    name: String,
    /// Whatever gives the lock back when it is dropped: an open file, or an entry in a disk.
    _guard: Box<dyn Send + Sync>,
}

impl DiskLock {
    /// The lock on the file `name`, given back by dropping `guard`.
    #[must_use]
    pub fn new(name: &str, guard: impl Send + Sync + 'static) -> Self {
        Self {
            name: name.to_owned(),
            _guard: Box::new(guard),
        }
    }

    /// The file's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What is said to whom finds `name` locked.
    #[must_use]
    pub fn in_use(name: &str) -> DiskError {
        DiskError {
            operation: "lock",
            file: name.to_owned(),
            kind: ErrorKind::WouldBlock,
            message: "the database is in use: another process, or another handle of this one, \
                      has it open"
                .to_owned(),
        }
    }
}

impl fmt::Debug for DiskLock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("DiskLock").field(&self.name).finish()
    }
}
