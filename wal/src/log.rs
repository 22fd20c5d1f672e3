//! The log's place in the flow: mini-transactions append, a commit asks for durability.

use crate::Lsn;

/// Settings of the log.
#[derive(Clone, Copy, Debug, Default)]
pub struct LogConfig {}

/// The log. One reservation point gives every append its position.
#[derive(Debug)]
pub struct Log {}

#[allow(clippy::unimplemented, unused_variables, reason = "interface first")]
impl Log {
    /// A log that keeps nothing: positions advance, bytes are dropped.
    #[must_use]
    pub fn discarding(start: Lsn) -> Self {
        unimplemented!()
    }
    /// Appends one mini-transaction's records as a unit; returns the position after them.
    pub fn append(&self, group: &[u8]) -> Lsn {
        unimplemented!()
    }
    /// The position after the last append.
    #[must_use]
    pub fn end(&self) -> Lsn {
        unimplemented!()
    }
    /// Everything below this position is durable.
    #[must_use]
    pub fn durable(&self) -> Lsn {
        unimplemented!()
    }
    /// A copy for a forked engine.
    #[must_use]
    pub fn fork(&self) -> Self {
        unimplemented!()
    }
}
