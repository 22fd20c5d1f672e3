//! A server's locks in the form of recordings.

use super::super::conform::trace::{
    RecordedKey, RecordedKind, RecordedLevel, RecordedLock, RecordedLockStatus,
};
use super::keys::Keys;
use super::status::{StatusLock, StatusTrx};

/// A mode as a server words it.
struct Worded {
    mode: String,
    kind: RecordedKind,
    waiting: bool,
}

/// The locks that a status lists for one transaction. The second part says that some are missing:
/// the list was cut, or a page was not in memory.
pub(super) fn of_status(
    session: &str,
    trx: &StatusTrx,
    schema: &str,
    keys: &Keys,
) -> (Vec<RecordedLock>, bool) {
    let mut locks = Vec::new();
    let mut cut = trx.locks_cut;
    for lock in trx.locks.iter().filter(|lock| lock.schema == schema) {
        let Some(index) = &lock.index else {
            locks.push(table_lock(session, lock));
            continue;
        };
        cut |= lock.records.is_empty();
        let worded = worded(&lock.mode);
        for record in &lock.records {
            match keys.of_record(&lock.table, index, record) {
                Some(key) => locks.push(record_lock(session, &lock.table, index, &worded, key)),
                None => cut = true,
            }
        }
    }
    (locks, cut)
}

fn table_lock(session: &str, lock: &StatusLock) -> RecordedLock {
    let (mode, waiting) = match lock.mode.strip_suffix(" waiting") {
        Some(mode) => (mode, true),
        None => (lock.mode.as_str(), false),
    };
    RecordedLock {
        session: session.to_owned(),
        table: lock.table.clone(),
        index: None,
        level: RecordedLevel::Table,
        mode: mode.replace("AUTO-INC", "AUTO_INC"),
        kind: None,
        status: lock_status(waiting),
        key: None,
    }
}

fn lock_status(waiting: bool) -> RecordedLockStatus {
    if waiting {
        RecordedLockStatus::Waiting
    } else {
        RecordedLockStatus::Granted
    }
}

/// `X locks rec but not gap waiting`.
fn worded(text: &str) -> Worded {
    let kind = if text.contains("insert intention") {
        RecordedKind::InsertIntention
    } else if text.contains("gap before rec") {
        RecordedKind::Gap
    } else if text.contains("rec but not gap") {
        RecordedKind::Rec
    } else {
        RecordedKind::Nextkey
    };
    Worded {
        mode: text.split(' ').next().unwrap_or_default().to_owned(),
        kind,
        waiting: text.ends_with("waiting"),
    }
}

fn record_lock(
    session: &str,
    table: &str,
    index: &str,
    worded: &Worded,
    key: RecordedKey,
) -> RecordedLock {
    RecordedLock {
        session: session.to_owned(),
        table: table.to_owned(),
        index: Some(index.to_owned()),
        level: RecordedLevel::Record,
        mode: worded.mode.clone(),
        kind: Some(worded.kind),
        status: lock_status(worded.waiting),
        key: Some(key),
    }
}

/// One row of `performance_schema.data_locks`.
#[derive(Clone, Debug)]
pub(super) struct DataLock {
    pub(super) trx: u64,
    pub(super) table: String,
    pub(super) index: Option<String>,
    /// `X,REC_NOT_GAP`.
    pub(super) mode: String,
    pub(super) status: String,
    pub(super) data: Option<String>,
}

/// A row of `data_locks`; none when the record's page was not in memory.
pub(super) fn of_row(session: &str, row: &DataLock, keys: &Keys) -> Option<RecordedLock> {
    let waiting = row.status == "WAITING";
    let mut words = row.mode.split(',');
    let mode = words.next().unwrap_or_default().to_owned();
    let Some(index) = &row.index else {
        return Some(RecordedLock {
            session: session.to_owned(),
            table: row.table.clone(),
            index: None,
            level: RecordedLevel::Table,
            mode,
            kind: None,
            status: lock_status(waiting),
            key: None,
        });
    };
    let words: Vec<&str> = words.collect();
    let kind = if words.contains(&"INSERT_INTENTION") {
        RecordedKind::InsertIntention
    } else if words.contains(&"GAP") {
        RecordedKind::Gap
    } else if words.contains(&"REC_NOT_GAP") {
        RecordedKind::Rec
    } else {
        RecordedKind::Nextkey
    };
    let key = keys.of_text(&row.table, row.data.as_deref()?)?;
    let worded = Worded {
        mode,
        kind,
        waiting,
    };
    Some(record_lock(session, &row.table, index, &worded, key))
}
