//! Names of the things that are locked and of those who lock them.
//!
//! A record lock is on (index page, heap number), as InnoDB's is: it survives the record being
//! changed in place and has to be moved when the record moves (see `moves`).

use std::fmt;

/// A transaction, as the lock table knows it. Never reused within one engine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TrxId(pub u64);

/// A table, for table locks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TableId(pub u64);

/// The page of an index that holds a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PageAddress {
    /// File (tablespace) of the page.
    pub space: u32,
    /// Number of the page within its file.
    pub page: u32,
}

/// A record's number in its page's heap: stable while the record stays on the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HeapNo(pub u16);

impl HeapNo {
    /// The pseudo-record before all others. It is never locked, except to park locks for a moment.
    pub const INFIMUM: HeapNo = HeapNo(0);
    /// The pseudo-record after all others: a lock on it covers the gap at the page's end.
    pub const SUPREMUM: HeapNo = HeapNo(1);
    /// The first number that a user record can have.
    pub const FIRST_USER: HeapNo = HeapNo(2);

    /// Whether this is the page's supremum.
    #[must_use]
    pub fn is_supremum(self) -> bool {
        self == Self::SUPREMUM
    }
}

/// One record of one page: what a record lock is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordAddress {
    /// The page.
    pub page: PageAddress,
    /// The record on it.
    pub heap: HeapNo,
}

impl fmt::Display for TrxId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl fmt::Display for RecordAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.page.space, self.page.page, self.heap.0)
    }
}
