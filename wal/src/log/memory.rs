//! Logs without files: positions only, or records kept to be looked at.

use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::{Mutex, MutexGuard};

use crate::Lsn;

use super::LogRecord;

/// This bit of a position says that somebody stands at the reservation point.
const HELD: u64 = 1 << 63;

/// A log in memory. A record of n bytes moves the end by n, and by no less than one.
#[derive(Debug)]
pub(super) struct MemoryLog {
    /// The position after the last record; with [`HELD`] set, only who set it may change it.
    end: AtomicU64,
    /// Held with the bit, so that those who find it set have something to sleep on.
    point: Mutex<()>,
    /// What was appended, if it is kept; then every append stands at the reservation point.
    kept: Option<Mutex<Vec<LogRecord>>>,
}

/// The right to append; dropping it makes `end` the log's.
struct Held<'l> {
    log: &'l MemoryLog,
    end: u64,
    _point: MutexGuard<'l, ()>,
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.log.end.store(self.end, Ordering::Release);
    }
}

impl MemoryLog {
    pub(super) fn new(start: Lsn, keep: bool) -> Self {
        assert!(start.0 < HELD, "position {start} is out of range");
        Self {
            end: AtomicU64::new(start.0),
            point: Mutex::new(()),
            kept: keep.then(Mutex::default),
        }
    }

    pub(super) fn end(&self) -> Lsn {
        Lsn(self.end.load(Ordering::Acquire) & !HELD)
    }

    pub(super) fn append(&self, kind: u8, body: &[u8]) -> Lsn {
        if self.kept.is_none() {
            return self.advance(length(body));
        }
        let (end, ()) = self.append_with(kind, body, |_| Some(())).expect("decided");
        end
    }

    /// One compare-and-swap, unless somebody stands at the reservation point.
    fn advance(&self, length: u64) -> Lsn {
        let mut end = self.end.load(Ordering::Acquire);
        loop {
            if end & HELD != 0 {
                drop(self.point.lock());
                end = self.end.load(Ordering::Acquire);
                continue;
            }
            let after = end + length;
            match self
                .end
                .compare_exchange_weak(end, after, Ordering::AcqRel, Ordering::Acquire)
            {
                Ok(_) => return Lsn(after),
                Err(now) => end = now,
            }
        }
    }

    fn hold(&self) -> Held<'_> {
        let point = self.point.lock();
        let end = self.end.fetch_or(HELD, Ordering::AcqRel);
        Held {
            log: self,
            end,
            _point: point,
        }
    }

    pub(super) fn append_with<T>(
        &self,
        kind: u8,
        body: &[u8],
        decide: impl FnOnce(Lsn) -> Option<T>,
    ) -> Option<(Lsn, T)> {
        let mut held = self.hold();
        let start = Lsn(held.end);
        let end = Lsn(held.end + length(body));
        let decided = decide(end)?;
        if let Some(kept) = &self.kept {
            let body = body.into();
            kept.lock().push(LogRecord {
                start,
                end,
                kind,
                body,
            });
        }
        held.end = end.0;
        Some((end, decided))
    }

    pub(super) fn at_end<T>(&self, look: impl FnOnce(Lsn) -> T) -> T {
        let held = self.hold();
        look(Lsn(held.end))
    }

    pub(super) fn records(&self) -> Vec<LogRecord> {
        let kept = self.kept.as_ref();
        kept.map(|kept| kept.lock().clone()).unwrap_or_default()
    }

    pub(super) fn fork(&self) -> Self {
        let held = self.hold();
        Self {
            end: AtomicU64::new(held.end),
            point: Mutex::new(()),
            kept: self.kept.as_ref().map(|_| Mutex::new(self.records())),
        }
    }
}

fn length(body: &[u8]) -> u64 {
    body.len().max(1) as u64
}
