//! Checkpoints: from where recovery begins.
//!
//! A checkpoint notes the log's end (the *redo position*) and what the ledger knows there, at the
//! log's reservation point. From that moment on whoever changes a page that was not changed since
//! logs an image of it. Then every page that was changed before is written, while everybody else
//! goes on; once they are durable, so is the checkpoint, and the log before the redo position is
//! given up. Nobody waits for more than the write of one page.
//!
//! What a checkpoint keeps beside its positions, integers big-endian:
//!
//! | bytes | what |
//! |---|---|
//! | 4 | version of this format |
//! | 8 | next transaction id |
//! | 4, 8 each | active transactions |
//! | 4, 4 each | undo pages |
//! | 4, 32 each | tables: number, rows, next auto-increment value, last hidden row id |
//! | 4, 8 each | for each page of the data file, the log position with which it was last written |

use std::sync::atomic::Ordering;

use gaplock_wal::{Checkpoint, Lsn, PageNo};

use super::{Engine, durability::Files};
use crate::{
    error::{Error, StoreError},
    mtr::{LatchMode, Mtr, RowCount},
    trx::TrxSummary,
};

const VERSION: u32 = 1;

/// What a checkpoint keeps beside pages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct State {
    pub(super) transactions: TrxSummary,
    pub(super) undo_pages: Vec<PageNo>,
    pub(super) counts: Vec<RowCount>,
    pub(super) versions: Vec<u64>,
}

impl State {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(64 + 8 * self.versions.len());
        out.extend(VERSION.to_be_bytes());
        out.extend(self.transactions.next.to_be_bytes());
        put_list(&mut out, &self.transactions.active, |id| id.to_be_bytes());
        put_list(&mut out, &self.undo_pages, |page| page.0.to_be_bytes());
        put_list(&mut out, &self.counts, |count| {
            let mut bytes = [0; 32];
            bytes[..8].copy_from_slice(&count.table.to_be_bytes());
            bytes[8..16].copy_from_slice(&count.rows.to_be_bytes());
            bytes[16..24].copy_from_slice(&count.auto_increment.to_be_bytes());
            bytes[24..].copy_from_slice(&count.row_id.to_be_bytes());
            bytes
        });
        put_list(&mut out, &self.versions, |version| version.to_be_bytes());
        out
    }

    /// Reads what [`Self::encode`] wrote; otherwise the version that was found, if that is it.
    pub(super) fn decode(mut bytes: &[u8]) -> Result<Self, Option<u32>> {
        let rest = &mut bytes;
        let version = take(rest).map(u32::from_be_bytes).ok_or(None)?;
        if version != VERSION {
            return Err(Some(version));
        }
        let parsed = (|| {
            Some(Self {
                transactions: TrxSummary {
                    next: u64::from_be_bytes(take(rest)?),
                    active: take_list(rest, u64::from_be_bytes)?,
                },
                undo_pages: take_list(rest, |page| PageNo(u32::from_be_bytes(page)))?,
                counts: take_list(rest, count_from)?,
                versions: take_list(rest, u64::from_be_bytes)?,
            })
        })();
        parsed.filter(|_| rest.is_empty()).ok_or(None)
    }
}

fn put_list<T, const N: usize>(out: &mut Vec<u8>, list: &[T], bytes: impl Fn(&T) -> [u8; N]) {
    out.extend((list.len() as u32).to_be_bytes());
    for item in list {
        out.extend(bytes(item));
    }
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, after) = rest.split_first_chunk()?;
    *rest = after;
    Some(*taken)
}

fn take_list<T, const N: usize>(rest: &mut &[u8], item: impl Fn([u8; N]) -> T) -> Option<Vec<T>> {
    let count = u32::from_be_bytes(take(rest)?);
    (0..count).map(|_| take(rest).map(&item)).collect()
}

fn count_from(bytes: [u8; 32]) -> RowCount {
    let mut rest = &bytes[..];
    let mut next = || take(&mut rest).unwrap_or_default();
    RowCount {
        table: u64::from_be_bytes(next()),
        rows: i64::from_be_bytes(next()),
        auto_increment: u64::from_be_bytes(next()),
        row_id: u64::from_be_bytes(next()),
    }
}

impl Engine {
    /// Makes a checkpoint. Others go on meanwhile. Without files there is nothing to do.
    ///
    /// # Errors
    /// When files cannot be written; after a failed write or sync nothing may be changed any more.
    pub fn checkpoint(&self) -> Result<(), Error> {
        match &self.files {
            Some(files) => self.checkpoint_files(files, false),
            None => Ok(()),
        }
    }

    /// What is to be done from time to time: a checkpoint if one is due, and files for the log to go
    /// on in. Whoever drives the engine calls it, best from a thread of its own.
    ///
    /// # Errors
    /// As [`Self::checkpoint`]; a full disk is one that passes.
    pub fn maintain(&self) -> Result<(), Error> {
        let Some(files) = &self.files else {
            return Ok(());
        };
        let since = Lsn(files.redo.load(Ordering::Acquire));
        if self.pool.log().end().0 - since.0 >= files.settings.checkpoint_after {
            self.checkpoint_files(files, false)?;
        }
        self.pool.log().prepare().map_err(StoreError::from)?;
        Ok(())
    }

    /// Whether [`Self::maintain`] is more than a little late.
    pub(super) fn checkpoint_overdue(&self) -> bool {
        self.files.as_ref().is_some_and(|files| {
            let since = files.redo.load(Ordering::Relaxed);
            self.pool.log().end().0 - since > 4 * files.settings.checkpoint_after
        })
    }

    /// Closes the database in good order: what can be purged is purged, and the next opening reads no
    /// log. Nothing may be changed afterwards: refused. Transactions that are still active are rolled
    /// back by the next opening.
    ///
    /// # Errors
    /// When files cannot be written.
    pub fn close(&self) -> Result<(), Error> {
        let Some(files) = &self.files else {
            return Ok(());
        };
        if self.failure().is_some() {
            return Ok(());
        }
        self.purge()?;
        self.give_back_undo_pages()?;
        files.closed.store(true, Ordering::Release);
        let idle = self.trxs.active().is_empty();
        let closed = self.checkpoint_files(files, idle);
        if closed.is_err() {
            // Unless a write has failed for good, it can be tried again: a full disk passes.
            files.closed.store(false, Ordering::Release);
        }
        closed
    }

    fn checkpoint_files(&self, files: &Files, clean: bool) -> Result<(), Error> {
        let control = files.control.lock();
        if let Some(cause) = self.pool.failed() {
            return Err(Error::writes_refused(cause));
        }
        let (redo, mut state) = self.begin_checkpoint();
        self.pool
            .log()
            .make_durable(redo)
            .map_err(StoreError::from)?;
        self.pool.flush_all()?;
        state.versions = self.pool.versions();
        let log = self.pool.log();
        let checkpoint = Checkpoint {
            redo,
            durable: log.durable(),
            clean: clean && log.end() == redo,
            state: state.encode().into(),
        };
        let saved = control.save(&checkpoint).map_err(StoreError::from);
        saved.map_err(|error| self.pool.fail(error))?;
        files.redo.store(redo.0, Ordering::Release);
        let forgotten = log.forget_before(redo).map_err(StoreError::from);
        if !clean {
            forgotten?;
        }
        // A database that is closed stays closed: segments that remain go with the next checkpoint.
        Ok(())
    }

    /// Notes where the log ends and what is known there; from now on older pages need images.
    fn begin_checkpoint(&self) -> (Lsn, State) {
        let catalog = self.catalog.read();
        let log = self.pool.log();
        let (transactions, (redo, mut state)) = self.trxs.summary(|| {
            log.at_end(|end| {
                self.pool.ledger().set_floor(end);
                let counts = catalog.counters.iter();
                let state = State {
                    undo_pages: self.pool.ledger().undo_pages().into_iter().collect(),
                    counts: counts.map(|(id, counters)| counters.total(*id)).collect(),
                    ..State::default()
                };
                (end, state)
            })
        });
        state.transactions = transactions;
        (redo, state)
    }

    /// Gives undo pages that nobody needs back to the data file.
    pub(super) fn give_back_undo_pages(&self) -> Result<(), Error> {
        for page in self.undo.take_unneeded() {
            let mut mtr = Mtr::begin(&self.pool);
            let latched = mtr.latch(page, LatchMode::Exclusive)?;
            mtr.free(latched)?;
            mtr.commit();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn some_state() -> impl Strategy<Value = State> {
        let count =
            any::<(u64, i64, u64, u64)>().prop_map(|(table, rows, auto_increment, row_id)| {
                RowCount {
                    table,
                    rows,
                    auto_increment,
                    row_id,
                }
            });
        let list = prop::collection::vec(any::<u64>(), 0..5);
        let pages = prop::collection::vec(any::<u32>().prop_map(PageNo), 0..5);
        (
            any::<u64>(),
            list.clone(),
            pages,
            prop::collection::vec(count, 0..4),
            list,
        )
            .prop_map(|(next, active, undo_pages, counts, versions)| State {
                transactions: TrxSummary { next, active },
                undo_pages,
                counts,
                versions,
            })
    }

    proptest! {
        #[test]
        fn states_survive_their_bytes(state in some_state()) {
            let bytes = state.encode();
            prop_assert_eq!(State::decode(&bytes), Ok(state));
            prop_assert_eq!(State::decode(&bytes[..bytes.len() - 1]), Err(None));
        }
    }

    #[test]
    fn an_unknown_version_is_told() {
        let mut bytes = State::default().encode();
        bytes[3] = 9;
        assert_eq!(State::decode(&bytes), Err(Some(9)));
        assert_eq!(State::decode(&[]), Err(None));
    }
}
