//! The buffer pool: pages in memory.
//!
//! A page in memory is a frame: its bytes behind a latch, a pin count, and whether it differs
//! from the disk. The page table is sharded by page number; a page that is found there costs one
//! short shard latch and no other shared writes. A page that is not found takes the place of one
//! that nobody uses (a clock over each shard), which is written first if it differs.
//!
//! - B1. At most `frames` frames exist.
//! - B2. A page is in at most one frame; a frame leaves the table only unpinned and unchanged.
//! - B3. Pins are taken under the shard's latch; a page latch is held only while pinned.
//! - B4. No shard latch is held while the disk works.
//! - B5. A page is written only once the log is durable up to its position.
//! - B6. Whoever looks for a frame never waits for a page latch, so it cannot wait for itself; it
//!   waits a bounded time for others to unpin.
//! - B7. Where the log is kept in files, a page that is read has the log position with which it was
//!   last written.

mod evict;
mod frame;
mod pool;
mod table;
mod versions;

#[cfg(test)]
mod tests;

pub(crate) use frame::{FrameContent, Pinned};
pub(crate) use pool::DATA_FILE;
pub use pool::{BufferPool, PoolConfig, PoolCounters};
