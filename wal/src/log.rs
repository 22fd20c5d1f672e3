//! The log's place in the flow: mini-transactions append, and a page may be written once its log is
//! durable.
//!
//! - G1. Positions are bytes: a group of n bytes moves the end by n, and by no less than one, so
//!   that two groups never share a position.
//! - G2. `durable() <= end()`, and neither ever moves back.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use parking_lot::Mutex;

use crate::{DiskError, Lsn};

/// One mini-transaction's records, as they were appended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// The position after them.
    pub end: Lsn,
    /// The records.
    pub records: Arc<[u8]>,
}

/// The log. One reservation point gives every append its position.
#[derive(Debug)]
pub struct Log {
    end: AtomicU64,
    /// What was appended, if it is kept. Positions are then given out under this latch.
    kept: Option<Mutex<Vec<Group>>>,
}

impl Log {
    /// A log that keeps nothing: positions advance, bytes are dropped.
    #[must_use]
    pub fn discarding(start: Lsn) -> Self {
        Self {
            end: AtomicU64::new(start.0),
            kept: None,
        }
    }

    /// A log that keeps all groups in memory, to be looked at.
    #[must_use]
    pub fn keeping(start: Lsn) -> Self {
        Self {
            kept: Some(Mutex::default()),
            ..Self::discarding(start)
        }
    }

    /// Appends one mini-transaction's records as a unit; returns the position after them.
    pub fn append(&self, group: &[u8]) -> Lsn {
        let Some(kept) = &self.kept else {
            return self.reserve(group.len());
        };
        let mut kept = kept.lock();
        let end = self.reserve(group.len());
        let records = group.into();
        kept.push(Group { end, records });
        end
    }

    fn reserve(&self, length: usize) -> Lsn {
        let length = length.max(1) as u64;
        Lsn(self.end.fetch_add(length, Ordering::AcqRel) + length)
    }

    /// The groups kept so far, in the order of their positions.
    #[must_use]
    pub fn groups(&self) -> Vec<Group> {
        self.kept
            .as_ref()
            .map(|kept| kept.lock().clone())
            .unwrap_or_default()
    }

    /// The position after the last append.
    #[must_use]
    pub fn end(&self) -> Lsn {
        Lsn(self.end.load(Ordering::Acquire))
    }

    /// Everything below this position is durable. A log in memory owes nothing: its end.
    #[must_use]
    pub fn durable(&self) -> Lsn {
        self.end()
    }

    /// Returns once everything below `position` is durable: asked before a page with that
    /// position is written.
    ///
    /// # Errors
    /// When the disk fails. A log in memory never does.
    ///
    /// # Panics
    /// When the position was never given out.
    pub fn make_durable(&self, position: Lsn) -> Result<(), DiskError> {
        assert!(position <= self.end(), "{position:?} was never appended");
        Ok(())
    }

    /// A copy for a forked engine.
    #[must_use]
    pub fn fork(&self) -> Self {
        Self {
            end: AtomicU64::new(self.end().0),
            kept: self.kept.as_ref().map(|_| Mutex::new(self.groups())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// G1 and G2, with four threads appending.
    #[test]
    fn positions_are_given_out_once_and_in_order() {
        let log = Log::keeping(Lsn(100));
        std::thread::scope(|scope| {
            for thread in 0..4_usize {
                let log = &log;
                scope.spawn(move || {
                    let mut last = log.end();
                    for n in 0..500 {
                        let end = log.append(&vec![1; (thread + n) % 7]);
                        assert!(end > last && log.end() >= end && log.durable() <= log.end());
                        last = end;
                    }
                });
            }
        });
        let groups = log.groups();
        assert_eq!(groups.len(), 2000);
        let mut at = 100;
        for group in &groups {
            at += group.records.len().max(1) as u64;
            assert_eq!(group.end, Lsn(at));
        }
        let fork = log.fork();
        fork.append(b"x");
        assert_eq!(log.end(), Lsn(at));
        assert_eq!((fork.groups().len(), log.groups().len()), (2001, 2000));
    }
}
