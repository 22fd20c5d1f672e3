//! The buffer pool: pages in memory.

use std::sync::Arc;

use gaplock_wal::{Disk, Log};

use crate::error::StoreError;

/// Settings of a buffer pool.
#[derive(Clone, Copy, Debug)]
pub struct PoolConfig {
    /// How many pages may be in memory at a time.
    pub frames: usize,
}

/// What a pool has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PoolCounters {
    /// Pages asked for and found in memory.
    pub hits: u64,
    /// Pages read from the disk.
    pub reads: u64,
    /// Pages written to the disk.
    pub writes: u64,
}

/// Pages of one data file in memory.
#[derive(Debug)]
pub struct BufferPool {}

#[allow(unused_variables, clippy::unimplemented, reason = "interface first")]
impl BufferPool {
    /// A pool over a new, empty data file.
    ///
    /// # Errors
    /// When the disk fails or there is a data file already.
    pub fn create(
        disk: Arc<dyn Disk>,
        log: Arc<Log>,
        config: PoolConfig,
    ) -> Result<Self, StoreError> {
        unimplemented!()
    }
    /// A pool over an existing data file.
    ///
    /// # Errors
    /// When the disk fails, or the file is damaged or of a newer format.
    pub fn open(
        disk: Arc<dyn Disk>,
        log: Arc<Log>,
        config: PoolConfig,
    ) -> Result<Self, StoreError> {
        unimplemented!()
    }
    /// A copy that shares bytes until one side changes them; `None` if the disk cannot fork.
    /// No mini-transaction may be open.
    #[must_use]
    pub fn fork(&self) -> Option<Self> {
        unimplemented!()
    }
    /// Writes every changed page and makes the data file durable.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn flush_all(&self) -> Result<(), StoreError> {
        unimplemented!()
    }
    /// What the pool has done so far.
    #[must_use]
    pub fn counters(&self) -> PoolCounters {
        unimplemented!()
    }
    /// The log that its mini-transactions append to.
    #[must_use]
    pub fn log(&self) -> &Arc<Log> {
        unimplemented!()
    }
}
