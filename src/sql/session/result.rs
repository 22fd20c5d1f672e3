//! What a statement answers, and what a step of a session came to.

use std::fmt;

use gaplock_engine::types::Value;

use crate::sql::error::SqlError;

/// What a statement answers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StatementResult {
    /// Rows that it changed, as the server counts: an upsert that changed a row counts two, REPLACE
    /// one more for each row that it removed.
    pub affected: u64,
    /// Rows that it found.
    pub rows: Vec<Vec<Value>>,
    /// Headings of the rows; none for a statement that finds no rows.
    pub columns: Vec<String>,
    /// The first value that it drew from an AUTO_INCREMENT counter.
    pub last_insert_id: Option<u64>,
    /// Whether the order of the rows was asked for.
    pub ordered: bool,
    /// What it passed over (IGNORE).
    pub warnings: Vec<String>,
}

/// What one step of a session came to.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// One mini-transaction is done; call again.
    Progress,
    /// It waits; call again when [`Session::wait`](super::Session::wait) says that it no longer does.
    Wait(WaitFor),
    /// The statement is over.
    Finished(Result<StatementResult, SqlError>),
}

/// What a session waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WaitFor {
    /// A lock of the engine.
    Lock,
    /// The metadata lock of a table.
    Metadata(String),
}

impl fmt::Display for WaitFor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WaitFor::Lock => f.write_str("a lock"),
            WaitFor::Metadata(table) => write!(f, "the metadata lock of {table}"),
        }
    }
}
