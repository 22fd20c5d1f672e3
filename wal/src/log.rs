//! The log's place in the flow: mini-transactions append, a page may be written once its log is
//! durable.
//!
//! - G1. Positions are bytes: a group of n bytes moves the end by n, and by no less than one, so
//!   that two groups never share a position.
//! - G2. `durable() <= end()`, and neither ever moves back.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::{DiskError, Lsn};

/// Settings of the log.
#[derive(Clone, Copy, Debug, Default)]
pub struct LogConfig {}

/// The log. One reservation point gives every append its position.
#[derive(Debug)]
pub struct Log {
    end: AtomicU64,
}

impl Log {
    /// A log that keeps nothing: positions advance, bytes are dropped.
    #[must_use]
    pub fn discarding(start: Lsn) -> Self {
        Self {
            end: AtomicU64::new(start.0),
        }
    }

    /// Appends one mini-transaction's records as a unit; returns the position after them.
    pub fn append(&self, group: &[u8]) -> Lsn {
        let length = group.len().max(1) as u64;
        Lsn(self.end.fetch_add(length, Ordering::AcqRel) + length)
    }

    /// The position after the last append.
    #[must_use]
    pub fn end(&self) -> Lsn {
        Lsn(self.end.load(Ordering::Acquire))
    }

    /// Everything below this position is durable. A log that keeps nothing owes nothing: its end.
    #[must_use]
    pub fn durable(&self) -> Lsn {
        self.end()
    }

    /// Returns once everything below `position` is durable: asked before a page with that
    /// position is written.
    ///
    /// # Errors
    /// When the disk fails. A log that keeps nothing never does.
    pub fn make_durable(&self, position: Lsn) -> Result<(), DiskError> {
        assert!(position <= self.end(), "{position:?} was never appended");
        Ok(())
    }

    /// A copy for a forked engine.
    #[must_use]
    pub fn fork(&self) -> Self {
        Self::discarding(self.end())
    }
}
