//! SHOW ENGINE INNODB STATUS, read.
//!
//! It is the one place that says, on every release and never from a cache, which connection's
//! transaction waits, what it weighs, and how far purge is; where there is no
//! `performance_schema.data_locks` it lists the locks as well.
//!
//! S1. Text of statements stands among its lines. Only lines at fixed places after a transaction's
//!     head are taken as its own; a statement's text may look like anything.

use super::error::LiveError;

/// What the status says of transactions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Report {
    /// The next transaction's number.
    pub(super) counter: u64,
    /// Purge is done with transactions of lower numbers.
    pub(super) purged_below: u64,
    /// Purge has nothing to do.
    pub(super) purge_idle: bool,
    /// Length of the history list.
    pub(super) history: u64,
    /// The latest deadlock.
    pub(super) deadlock: Option<String>,
    /// The transactions of connections.
    pub(super) trxs: Vec<StatusTrx>,
    /// The status was too long and has been cut.
    pub(super) cut: bool,
}

/// One transaction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct StatusTrx {
    /// Its number.
    pub(super) id: u64,
    /// Its connection.
    pub(super) connection: Option<u32>,
    /// It has begun.
    pub(super) active: bool,
    /// It waits for a lock.
    pub(super) waiting: bool,
    /// Its lock structures.
    pub(super) structs: u64,
    /// Its record locks.
    pub(super) rows: u64,
    /// Its undo log records.
    pub(super) undo: u64,
    /// It has a read view, which sees nothing from this number on.
    pub(super) view: Option<u64>,
    /// Its locks.
    pub(super) locks: Vec<StatusLock>,
    /// Some of its locks are not listed.
    pub(super) locks_cut: bool,
}

/// One lock structure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct StatusLock {
    /// The schema.
    pub(super) schema: String,
    /// The table.
    pub(super) table: String,
    /// The index; none for a table lock.
    pub(super) index: Option<String>,
    /// What follows `lock mode`: mode, span, and whether it waits.
    pub(super) mode: String,
    /// The records.
    pub(super) records: Vec<StatusRecord>,
}

/// A record that is locked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum StatusRecord {
    /// The end of the page.
    Supremum,
    /// Its fields; none for NULL.
    Fields(Vec<Option<Vec<u8>>>),
}

/// What follows when a transaction has too many locks.
const SUPPRESSED: &str = "SUPPRESSING FURTHER PRINTS";

/// Reads the status.
///
/// # Errors
/// It has no section on transactions.
pub(super) fn parse(text: &str) -> Result<Report, LiveError> {
    let section = section(text, "TRANSACTIONS").ok_or_else(|| LiveError::Status {
        what: "there is no section TRANSACTIONS".to_owned(),
    })?;
    let mut report = Report {
        deadlock: self::section(text, "LATEST DETECTED DEADLOCK").map(str::to_owned),
        cut: text.contains("\n... truncated...\n"),
        ..Report::default()
    };
    let mut blocks = section.split("\n---TRANSACTION ");
    head(blocks.next().unwrap_or_default(), &mut report);
    report.trxs = blocks.map(transaction).collect();
    Ok(report)
}

/// The text under a heading, up to the next one.
fn section<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let heading = format!("\n{name}\n---");
    let start = text.find(&heading)? + 1;
    let body = start + text[start..].find('\n')? + 1;
    let body = body + text[body..].find('\n')? + 1;
    // A heading is a line between two lines of hyphens. Within the transactions only single ones
    // occur.
    let rest = &text[body..];
    let mut at = 0;
    let lines: Vec<&str> = rest.split_inclusive('\n').collect();
    let ruled = |line: Option<&&str>| {
        line.is_some_and(|l| l.len() > 3 && l.trim_end().bytes().all(|b| b == b'-'))
    };
    for (number, line) in lines.iter().enumerate() {
        let heading = lines.get(number + 1).is_some_and(|next| {
            next.bytes().next().is_some_and(|b| b.is_ascii_uppercase())
                && !next.bytes().any(|b| b.is_ascii_lowercase())
        });
        if ruled(Some(line)) && heading && ruled(lines.get(number + 2)) {
            break;
        }
        at += line.len();
    }
    Some(&rest[..at])
}

fn head(text: &str, report: &mut Report) {
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("Trx id counter ") {
            report.counter = number(rest);
        } else if let Some(rest) = line.strip_prefix("Purge done for trx's n:o < ") {
            report.purged_below = number(rest);
            report.purge_idle = line.ends_with("idle") || !line.contains("state: running");
        } else if let Some(rest) = line.strip_prefix("History list length ") {
            report.history = number(rest);
        }
    }
}

/// The number that a text begins with; 0 where there is none.
fn number(text: &str) -> u64 {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    text[..digits].parse().unwrap_or(0)
}

/// The number before a word, as in `4 lock struct(s)`.
fn number_before(line: &str, word: &str) -> Option<u64> {
    let before = line[..line.find(word)?].trim_end();
    let start = before.rfind(|c: char| !c.is_ascii_digit());
    before[start.map_or(0, |at| at + 1)..].parse().ok()
}

fn transaction(block: &str) -> StatusTrx {
    let mut trx = StatusTrx::default();
    let mut lines = block.lines();
    let first = lines.next().unwrap_or_default();
    trx.id = number(first);
    trx.active = first.contains(", ACTIVE");
    let mut lock: Option<StatusLock> = None;
    for line in lines {
        if trx.structs == 0 && line.contains(" lock struct(s)") && !line.starts_with("TABLE") {
            weigh(line, &mut trx);
        } else if trx.connection.is_none() && line.contains(" thread id ") {
            trx.connection = connection(line);
        } else if let Some(rest) = line.strip_prefix("Trx read view will not see trx with id >= ") {
            trx.view = Some(number(rest));
        } else if let Some(next) = lock_head(line) {
            trx.locks.extend(lock.replace(next));
        } else if line.contains(SUPPRESSED) {
            trx.locks_cut = true;
        } else if let Some(lock) = lock.as_mut() {
            record_line(line, lock);
        }
    }
    trx.locks.extend(lock);
    trx
}

fn weigh(line: &str, trx: &mut StatusTrx) {
    trx.waiting = line.starts_with("LOCK WAIT");
    trx.structs = number_before(line, " lock struct(s)").unwrap_or(0);
    trx.rows = number_before(line, " row lock(s)").unwrap_or(0);
    trx.undo = line
        .find("undo log entries ")
        .map_or(0, |at| number(&line[at + "undo log entries ".len()..]));
}

fn connection(line: &str) -> Option<u32> {
    let at = line.find(" thread id ")? + " thread id ".len();
    u32::try_from(number(&line[at..])).ok()
}

/// `TABLE LOCK table ..` or `RECORD LOCKS space id ..`.
fn lock_head(line: &str) -> Option<StatusLock> {
    let index = if line.starts_with("TABLE LOCK table ") {
        None
    } else if line.starts_with("RECORD LOCKS space id ") {
        let at = line.find(" index ")? + " index ".len();
        let name = &line[at..at + line[at..].find(" of table ")?];
        Some(name.trim_matches('`').to_owned())
    } else {
        return None;
    };
    let at = line.find("table `")? + "table ".len();
    let names = &line[at..at + line[at..].find(" trx id ")?];
    let (schema, table) = names.split_once('.')?;
    let mode = line
        .find(" lock mode ")
        .or_else(|| line.find(" lock_mode "))?;
    Some(StatusLock {
        schema: schema.trim_matches('`').to_owned(),
        table: table.trim_matches('`').to_owned(),
        index,
        mode: line[mode + " lock mode ".len()..].trim().to_owned(),
        records: Vec::new(),
    })
}

/// `Record lock, heap no 3 ..`, or a field: ` 0: len 4; hex 80000003; asc ..;;` or ` 1: SQL NULL;`.
fn record_line(line: &str, lock: &mut StatusLock) {
    if let Some(rest) = line.strip_prefix("Record lock, heap no ") {
        let supremum = number(rest) == 1;
        lock.records.push(if supremum {
            StatusRecord::Supremum
        } else {
            StatusRecord::Fields(Vec::new())
        });
        return;
    }
    let Some(StatusRecord::Fields(fields)) = lock.records.last_mut() else {
        return;
    };
    let Some((place, rest)) = line.trim_start().split_once(": ") else {
        return;
    };
    // Only the next field in order: text that looks like a field but is not must not count (S1).
    if place.parse() != Ok(fields.len()) {
        return;
    }
    if rest.starts_with("SQL NULL") {
        fields.push(None);
    } else if let Some(at) = rest.find("; hex ") {
        let digits = &rest[at + "; hex ".len()..];
        let digits = digits.split(';').next().unwrap_or_default();
        fields.push(Some(unhex(digits)));
    }
}

fn unhex(digits: &str) -> Vec<u8> {
    let pairs = digits.as_bytes().chunks_exact(2);
    let byte = |pair: &[u8]| {
        let text = std::str::from_utf8(pair).ok()?;
        u8::from_str_radix(text, 16).ok()
    };
    pairs.map_while(byte).collect()
}

#[cfg(test)]
mod tests;
