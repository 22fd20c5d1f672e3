//! What is compared: outcomes and locks in one form, whether a server or the engine showed them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde_json::Value as Json;

use super::trace::{
    RecordedKey, RecordedKind, RecordedLock, RecordedLockStatus, RecordedStep, RecordedWake,
    Status, Weight,
};

/// A row as text; none for NULL. Numbers and text that print alike are alike.
pub type RowFact = Vec<Option<String>>;

/// How one statement ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResultFacts {
    /// The error's number, when it failed.
    pub code: Option<u16>,
    /// Rows changed, when it says.
    pub affected: Option<u64>,
    /// Rows returned, when it returns some.
    pub rows: Option<Vec<RowFact>>,
}

/// What became of one step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepFacts {
    /// How the statement stood.
    pub status: Status,
    /// How it ended, if it did.
    pub result: ResultFacts,
    /// How the statements ended that finished because of it, by session.
    pub woken: BTreeMap<String, ResultFacts>,
    /// Who waits after it.
    pub waiting: BTreeSet<String>,
    /// All locks after it; none where there is nothing to compare.
    pub locks: Option<BTreeSet<LockFact>>,
    /// Only some of the locks are listed.
    pub locks_truncated: bool,
    /// What each session's transaction weighs, as far as it has locks; none where it is not said.
    pub weights: Option<BTreeMap<String, Weight>>,
}

/// One lock. Equal locks of a session count once.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LockFact {
    /// Whose.
    pub session: String,
    /// On which table.
    pub table: String,
    /// On which index; none for a table lock.
    pub index: Option<String>,
    /// The record's key as text; none for a table lock.
    pub key: Option<String>,
    /// IS, IX, S, X or `AUTO_INC`.
    pub mode: String,
    /// What a record lock covers: record, gap, next-key, insert-intention.
    pub span: Option<&'static str>,
    /// Waited for, not held.
    pub waiting: bool,
}

impl fmt::Display for LockFact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.session, self.mode)?;
        if let Some(span) = self.span {
            write!(f, " {span}")?;
        }
        write!(f, " on {}", self.table)?;
        if let Some(index) = &self.index {
            write!(f, ".{index}")?;
        }
        if let Some(key) = &self.key {
            write!(f, " at {key}")?;
        }
        if self.waiting {
            write!(f, " WAITING")?;
        }
        Ok(())
    }
}

impl fmt::Display for ResultFacts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(code) = self.code {
            return write!(f, "error {code}");
        }
        if let Some(rows) = &self.rows {
            write!(f, "{} rows", rows.len())?;
            for row in rows {
                write!(f, " {}", row_text(row))?;
            }
            return Ok(());
        }
        match self.affected {
            Some(affected) => write!(f, "ok, {affected} affected"),
            None => f.write_str("ok"),
        }
    }
}

/// A row in parentheses.
#[must_use]
pub fn row_text(row: &[Option<String>]) -> String {
    let fields: Vec<&str> = row.iter().map(|v| v.as_deref().unwrap_or("NULL")).collect();
    format!("({})", fields.join(", "))
}

fn json_text(value: &Json) -> Option<String> {
    match value {
        Json::Null => None,
        Json::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

fn rows(recorded: Option<&Vec<Vec<Json>>>) -> Option<Vec<RowFact>> {
    recorded.map(|rows| {
        rows.iter()
            .map(|row| row.iter().map(json_text).collect())
            .collect()
    })
}

impl From<&RecordedWake> for ResultFacts {
    fn from(wake: &RecordedWake) -> ResultFacts {
        ResultFacts {
            code: wake.code,
            affected: wake.affected,
            rows: rows(wake.rows.as_ref()),
        }
    }
}

impl From<&RecordedLock> for LockFact {
    fn from(lock: &RecordedLock) -> LockFact {
        LockFact {
            session: lock.session.clone(),
            table: lock.table.clone(),
            index: lock.index.clone(),
            key: lock.key.as_ref().map(|key| match key {
                RecordedKey::Pseudo(word) => word.clone(),
                RecordedKey::Columns(values) => {
                    row_text(&values.iter().map(json_text).collect::<Vec<_>>())
                }
            }),
            mode: lock.mode.clone(),
            span: lock.kind.map(|kind| match kind {
                RecordedKind::Rec => "record",
                RecordedKind::Gap => "gap",
                RecordedKind::Nextkey => "next-key",
                RecordedKind::InsertIntention => "insert-intention",
            }),
            waiting: lock.status == RecordedLockStatus::Waiting,
        }
    }
}

impl From<&RecordedStep> for StepFacts {
    fn from(step: &RecordedStep) -> StepFacts {
        StepFacts {
            status: step.status,
            result: ResultFacts {
                code: step.code,
                affected: step.affected,
                rows: rows(step.rows.as_ref()),
            },
            woken: step
                .woken
                .iter()
                .map(|(session, wake)| (session.clone(), wake.into()))
                .collect(),
            waiting: step.waiting.clone(),
            locks: step
                .locks
                .as_ref()
                .map(|locks| locks.iter().map(LockFact::from).collect()),
            locks_truncated: step.locks_truncated,
            weights: step.weights.clone(),
        }
    }
}
