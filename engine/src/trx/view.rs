//! Read views: which transactions' changes a snapshot sees.

use std::sync::Arc;

use gaplock_lockmgr::TrxId;
use gaplock_wal::Lsn;

/// A snapshot. Sees its own transaction, and whatever had committed when it was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadView {
    /// Ids from here on were not given out yet.
    pub(super) next: u64,
    /// Ids below that were still active, in ascending order.
    pub(super) active: Arc<[u64]>,
    /// Its place in the register of open views.
    pub(super) ticket: u64,
    /// Every commit that it sees is below this position of the log.
    pub(crate) seen: Lsn,
}

impl ReadView {
    /// Whether the changes of `writer` are visible to transaction `own`.
    #[must_use]
    pub fn sees(&self, writer: TrxId, own: Option<TrxId>) -> bool {
        Some(writer) == own
            || (writer.0 < self.next && self.active.binary_search(&writer.0).is_err())
    }

    /// Whether it sees everything that transactions up to `writer` did.
    #[must_use]
    pub fn sees_all_up_to(&self, writer: TrxId) -> bool {
        writer.0 < self.active.first().copied().unwrap_or(self.next)
    }
}
