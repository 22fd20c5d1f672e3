//! Which version of each page is on the disk.
//!
//! A page that was written says so here: its log position at that moment. A page that is read must
//! have just that position. So a write that the disk lost, and an old page that came back, are
//! found, however sound the page is in itself. Each checkpoint keeps the table; what was written
//! after a checkpoint is made again from images in the log, and is not read before that.

use std::sync::atomic::{AtomicU64, Ordering};

use gaplock_wal::{Lsn, PageNo};
use parking_lot::RwLock;

#[derive(Debug, Default)]
pub(super) struct PageVersions {
    written: RwLock<Vec<AtomicU64>>,
}

impl PageVersions {
    /// The position with which a page was last written; 0 if it never was.
    pub(super) fn get(&self, page: PageNo) -> Lsn {
        let written = self.written.read();
        let version = written.get(page.0 as usize);
        Lsn(version.map_or(0, |version| version.load(Ordering::Acquire)))
    }

    pub(super) fn set(&self, page: PageNo, version: Lsn) {
        let at = page.0 as usize;
        {
            let written = self.written.read();
            if let Some(known) = written.get(at) {
                known.store(version.0, Ordering::Release);
                return;
            }
        }
        let mut written = self.written.write();
        if written.len() <= at {
            written.resize_with(at + 1, AtomicU64::default);
        }
        written[at].store(version.0, Ordering::Release);
    }

    pub(super) fn all(&self) -> Vec<u64> {
        let written = self.written.read();
        written
            .iter()
            .map(|version| version.load(Ordering::Acquire))
            .collect()
    }

    pub(super) fn restore(&self, versions: &[u64]) {
        *self.written.write() = versions.iter().copied().map(AtomicU64::new).collect();
    }
}
