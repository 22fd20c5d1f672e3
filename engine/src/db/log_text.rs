//! The log of a database as text, for people.

use std::{fmt, sync::Arc};

use gaplock_wal::{Control, Disk, LogRecord, LogScan, Lsn};

use super::recovery::{COMMIT, ROLLED_BACK};
use crate::{
    error::{Error, StoreError},
    mtr::{self, Change, GROUP},
    page::PageOp,
};

/// What a log holds, from where recovery would begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogText {
    /// Where recovery would begin.
    pub redo: Lsn,
    /// Whether the database was closed in good order: nothing would be done again.
    pub clean: bool,
    /// The records.
    pub entries: Vec<LogEntry>,
    /// Where the log ends.
    pub end: Lsn,
}

/// One record of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogEntry {
    /// Its first byte.
    pub start: Lsn,
    /// Bytes that it says something in.
    pub length: usize,
    /// What it says.
    pub what: LogEntryKind,
}

/// What a record of the log says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogEntryKind {
    /// A mini-transaction's changes, each in words.
    Changes(Vec<String>),
    /// The transaction of this id has committed.
    Commit(u64),
    /// The transaction of this id was rolled back.
    RolledBack(u64),
    /// Nothing that this program knows.
    Unknown(u8),
}

impl fmt::Display for LogEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>12}  ", self.start.0)?;
        match &self.what {
            LogEntryKind::Changes(changes) => {
                write!(f, "group, {} bytes", self.length).and_then(|()| {
                    changes
                        .iter()
                        .try_for_each(|change| write!(f, "\n{:>14}{change}", ""))
                })
            }
            LogEntryKind::Commit(trx) => write!(f, "commit of transaction {trx}"),
            LogEntryKind::RolledBack(trx) => write!(f, "transaction {trx} was rolled back"),
            LogEntryKind::Unknown(kind) => write!(f, "record of unknown kind {kind}"),
        }
    }
}

/// Reads the log of the database that a disk has, up to `most` records from where recovery would begin.
/// Nothing is changed, and nobody may have the database open.
///
/// # Errors
/// When there is no database, or its files cannot be read or are damaged.
pub fn log_text(disk: &Arc<dyn Disk>, most: usize) -> Result<LogText, Error> {
    let (control, checkpoint) = Control::open(Arc::clone(disk)).map_err(StoreError::from)?;
    let mut scan = LogScan::open(
        &**disk,
        control.identity(),
        checkpoint.redo,
        checkpoint.durable,
    )
    .map_err(StoreError::from)?;
    let mut entries = Vec::new();
    while entries.len() < most
        && let Some(record) = scan.next().map_err(StoreError::from)?
    {
        entries.push(entry(&record));
    }
    Ok(LogText {
        redo: checkpoint.redo,
        clean: checkpoint.clean,
        entries,
        end: scan.end(),
    })
}

fn entry(record: &LogRecord) -> LogEntry {
    let id = || record.body[..].try_into().map(u64::from_be_bytes).ok();
    let unknown = LogEntryKind::Unknown(record.kind);
    LogEntry {
        start: record.start,
        length: record.body.len(),
        what: match record.kind {
            GROUP => LogEntryKind::Changes(mtr::changes(&record.body).map(in_words).collect()),
            COMMIT => id().map_or(unknown, LogEntryKind::Commit),
            ROLLED_BACK => id().map_or(unknown, LogEntryKind::RolledBack),
            _ => unknown,
        },
    }
}

fn in_words(change: Option<Change>) -> String {
    match change {
        None => "the rest cannot be read".to_owned(),
        Some(Change::Rows(count)) => format!("table {}: {:+} rows", count.table, count.rows),
        Some(Change::Page(page, op)) => format!("page {}: {}", page.0, op_in_words(&op)),
    }
}

fn op_in_words(op: &PageOp) -> String {
    match op {
        PageOp::Format { kind, index, level } => match kind {
            crate::page::PageKind::Index => {
                format!("formatted for index {index}, level {level}")
            }
            kind => format!("formatted as {kind:?}"),
        },
        PageOp::Write { offset, bytes } => format!("{} bytes written at {offset}", bytes.len()),
        PageOp::Insert { after, image } => {
            format!("record of {} bytes put after {after}", image.bytes.len())
        }
        PageOp::InsertMany { after, images, .. } => {
            format!("{} records put after {after}", images.len())
        }
        PageOp::Remove { records } => format!("{} records removed", records.len()),
        PageOp::Rebuild { images } => format!("rebuilt with {} records", images.len()),
        PageOp::SetFlags { at, flags, mask } => {
            format!("flags of {at} under mask {mask:#04x} set to {flags:#04x}")
        }
        PageOp::Image { head, tail } => format!("image, {} bytes", head.len() + tail.len()),
    }
}
