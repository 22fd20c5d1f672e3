//! Pictures of the engine's state, with names and keys in place of addresses.

use std::{collections::VecDeque, sync::Arc};

use gaplock_lockmgr::{
    DeadlockReport, LockInfo, LockMode, LockSpan, LockTarget, RecordAddress, TableMode, TrxId,
};
use gaplock_wal::PageNo;

use super::Engine;
use crate::{
    access::Reason,
    mtr::{LatchMode, Mtr},
    table::{Index, IndexField, Table},
    types::Value,
};

/// What a lock is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LockKind {
    /// On the table.
    Table(TableMode),
    /// On a record of an index.
    Record {
        /// Strength.
        mode: LockMode,
        /// Precision.
        span: LockSpan,
    },
}

/// Which record a lock is on.
#[derive(Clone, Debug, PartialEq)]
pub enum LockKey {
    /// The index's columns, then the clustered key's columns that are not among them.
    Values(Vec<Value>),
    /// The end of a page.
    Supremum,
}

/// A lock, with names.
#[derive(Clone, Debug, PartialEq)]
pub struct LockRow {
    /// Who holds or wants it.
    pub trx: TrxId,
    /// The table.
    pub table: String,
    /// The index; `None` for a table lock.
    pub index: Option<String>,
    /// What it is.
    pub kind: LockKind,
    /// The record; `None` for a table lock.
    pub key: Option<LockKey>,
    /// The hidden row id that follows the key's values in a table without a key.
    pub row_id: Option<u64>,
    /// Whether it is waited for.
    pub waiting: bool,
    /// Whether the record is marked as deleted.
    pub deleted: bool,
    /// Page and heap number of the record.
    pub address: Option<RecordAddress>,
    /// The statement that asked for it.
    pub statement: Option<Arc<str>>,
    /// Which of the statement's steps.
    pub step: u32,
    /// Why.
    pub reason: Option<Reason>,
}

/// A lock that waits, and one that it waits for.
#[derive(Clone, Debug, PartialEq)]
pub struct LockWait {
    /// Wanted.
    pub wanted: LockRow,
    /// Held, or wanted before.
    pub blocking: LockRow,
}

/// A transaction that has locked or changed something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrxInfo {
    /// Its id.
    pub id: TrxId,
    /// Whether it waits for a lock.
    pub waiting: bool,
    /// Lock structures, table locks among them.
    pub lock_structs: usize,
    /// Record locks.
    pub row_locks: usize,
    /// Undo records plus lock structures.
    pub weight: u64,
    /// Its statements so far.
    pub statements: Vec<Arc<str>>,
}

/// One transaction of a deadlock's cycle: it waits for the next one, the last for the first.
#[derive(Clone, Debug, PartialEq)]
pub struct DeadlockPart {
    /// The transaction.
    pub trx: TrxId,
    /// Its statements so far; the last one waits.
    pub statements: Vec<Arc<str>>,
    /// What it waits for.
    pub wanted: LockRow,
    /// What it waits behind.
    pub blocked_by: LockRow,
    /// What it held.
    pub holds: Vec<LockRow>,
    /// Its weight in the choice of the victim.
    pub weight: u64,
}

/// A deadlock that was found and resolved.
#[derive(Clone, Debug, PartialEq)]
pub struct Deadlock {
    /// The cycle. Empty if the search was cut off by its limits.
    pub members: Vec<DeadlockPart>,
    /// Who was chosen to roll back.
    pub victim: TrxId,
    /// Who closed the cycle, where that is known.
    pub requester: Option<TrxId>,
    /// The search was cut off by its limits.
    pub too_deep: bool,
}

/// The latest deadlocks, and how many there have been.
#[derive(Clone, Debug, Default)]
pub(super) struct DeadlockLog {
    count: u64,
    latest: VecDeque<Arc<Deadlock>>,
}

/// How many deadlocks are remembered.
const REMEMBERED: usize = 16;

impl Engine {
    /// Every lock, by transaction and then in the order of taking.
    #[must_use]
    pub fn locks(&self) -> Vec<LockRow> {
        self.locks
            .locks()
            .iter()
            .map(|info| self.name_lock(info))
            .collect()
    }

    /// Every lock as the profile's server lists it: where it says so, what was made for a transaction
    /// after it began to wait is listed as waiting with it.
    #[must_use]
    pub fn listed_locks(&self) -> Vec<LockRow> {
        let mut rows = self.locks();
        if self.profile().locks_of_waiters_show_waiting {
            let mut waits = None;
            for row in &mut rows {
                row.waiting |= waits == Some(row.trx);
                if row.waiting {
                    waits = Some(row.trx);
                }
            }
        }
        rows
    }

    /// One transaction's locks in the order of taking.
    #[must_use]
    pub fn locks_of(&self, trx: TrxId) -> Vec<LockRow> {
        self.locks
            .locks_of(trx)
            .iter()
            .map(|info| self.name_lock(info))
            .collect()
    }

    /// Every pair of a waiting lock and one that it waits for.
    #[must_use]
    pub fn lock_waits(&self) -> Vec<LockWait> {
        let edges = self.locks.wait_edges();
        edges
            .iter()
            .map(|edge| LockWait {
                wanted: self.name_lock(&edge.wanted),
                blocking: self.name_lock(&edge.blocking),
            })
            .collect()
    }

    /// The lock that a transaction waits for.
    #[must_use]
    pub fn waiting_for(&self, trx: TrxId) -> Option<LockRow> {
        self.locks
            .waiting_for(trx)
            .map(|info| self.name_lock(&info))
    }

    /// All transactions that have locked or changed something.
    #[must_use]
    pub fn transactions(&self) -> Vec<TrxInfo> {
        let info = |id: TrxId| {
            let (lock_structs, row_locks) = self.locks.counts(id);
            TrxInfo {
                id,
                waiting: self.locks.waiting_for(id).is_some(),
                lock_structs,
                row_locks,
                weight: self.locks.weight(id),
                statements: self.texts.all(id),
            }
        };
        self.trxs.active().into_iter().map(info).collect()
    }

    /// The latest deadlock.
    #[must_use]
    pub fn last_deadlock(&self) -> Option<Arc<Deadlock>> {
        self.deadlocks.lock().latest.back().cloned()
    }

    /// The latest so many deadlocks, as far as they are remembered, the oldest first.
    #[must_use]
    pub fn latest_deadlocks(&self, most: u64) -> Vec<Arc<Deadlock>> {
        let log = self.deadlocks.lock();
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        let skipped = log.latest.len().saturating_sub(most);
        log.latest.iter().skip(skipped).cloned().collect()
    }

    /// The latest deadlock of which this transaction was the victim.
    #[must_use]
    pub fn deadlock_of(&self, victim: TrxId) -> Option<Arc<Deadlock>> {
        self.deadlocks
            .lock()
            .latest
            .iter()
            .rev()
            .find(|d| d.victim == victim)
            .cloned()
    }

    /// How many deadlocks there have been.
    #[must_use]
    pub fn deadlock_count(&self) -> u64 {
        self.deadlocks.lock().count
    }

    pub(super) fn note_deadlock(&self, report: &DeadlockReport) {
        let members = report
            .cycle
            .iter()
            .map(|member| DeadlockPart {
                trx: member.trx,
                statements: self.texts.all(member.trx),
                wanted: self.name_lock(&member.wanted),
                blocked_by: self.name_lock(&member.blocked_by),
                holds: member
                    .holds
                    .iter()
                    .map(|info| self.name_lock(info))
                    .collect(),
                weight: member.weight,
            })
            .collect();
        let deadlock = Deadlock {
            members,
            victim: report.victim,
            requester: report.requester,
            too_deep: report.too_deep,
        };
        let mut log = self.deadlocks.lock();
        log.count += 1;
        log.latest.push_back(Arc::new(deadlock));
        if log.latest.len() > REMEMBERED {
            log.latest.pop_front();
        }
    }

    /// Names for a lock.
    fn name_lock(&self, info: &LockInfo) -> LockRow {
        let mut row = LockRow {
            trx: info.trx,
            table: String::new(),
            index: None,
            kind: LockKind::Table(TableMode::IS),
            key: None,
            row_id: None,
            waiting: info.waiting,
            deleted: false,
            address: None,
            statement: self.texts.get(info.trx, info.origin.statement),
            step: info.origin.step,
            reason: Reason::from_code(info.origin.reason),
        };
        match info.target {
            LockTarget::Table { table, mode } => {
                row.kind = LockKind::Table(mode);
                row.table = self
                    .table_by_id(table.0)
                    .map(|t| t.name.clone())
                    .unwrap_or_default();
            }
            LockTarget::Record { at, mode, span } => {
                row.kind = LockKind::Record { mode, span };
                row.address = Some(at);
                self.name_record(&mut row, at);
            }
        }
        row
    }

    /// Looks up which record an address means. A page that cannot be read leaves the names empty: a
    /// picture is no place to fail.
    fn name_record(&self, row: &mut LockRow, at: RecordAddress) {
        let page = PageNo(at.page.page);
        let mut mtr = Mtr::begin(&self.pool);
        let Ok(latched) = mtr.latch(page, LatchMode::Shared) else {
            return;
        };
        let Some((table, position)) = self.index_by_id(mtr.page(latched).index()) else {
            return;
        };
        let index = &table.indexes[position];
        row.table.clone_from(&table.name);
        row.index = Some(index.name.clone());
        if at.heap.is_supremum() {
            row.key = Some(LockKey::Supremum);
            return;
        }
        if let Ok(Some(cursor)) = index.tree.find_heap(&mut mtr, page, at.heap.0) {
            let record = index.tree.record(&mtr, cursor);
            row.deleted = record.is_deleted();
            let (values, row_id) = key_values(&table, index, &record.to_tuple().0);
            row.key = Some(LockKey::Values(values));
            row.row_id = row_id;
        }
    }
}

/// The key of an index record: its columns, and the hidden row id if it has one.
fn key_values(
    table: &Table,
    index: &Index,
    fields: &[crate::page::Field],
) -> (Vec<Value>, Option<u64>) {
    let count = if index.clustered {
        index.unique_fields
    } else {
        index.fields.len()
    };
    let mut values = Vec::with_capacity(count);
    let mut row_id = None;
    for (field, image) in index.fields[..count].iter().zip(fields) {
        match (field, image) {
            (IndexField::Column(at), Some(image)) => {
                values.push(table.columns[*at].ty.decode(image));
            }
            (IndexField::Column(_), None) => values.push(Value::Null),
            (_, Some(image)) => row_id = Some(crate::table::from_six_bytes(image)),
            (_, None) => {}
        }
    }
    (values, row_id)
}
