//! What can be wrong with a scenario, where, and what to do about it.

use std::fmt;
use std::path::PathBuf;

use super::ast::Place;

/// A problem at a place of a scenario file.
#[derive(Clone, Debug)]
pub struct ScenarioError {
    /// The file.
    pub path: PathBuf,
    /// Where.
    pub place: Place,
    /// What.
    pub problem: Problem,
    /// The line it stands on, for whoever points at the column.
    pub line_text: String,
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// A line that is none of input, command or section.
    UnknownLine(String),
    /// A header line after the conversation began.
    LateHeader(&'static str),
    /// A command's words don't fit.
    BadCommand {
        /// The command.
        command: &'static str,
        /// How it is written.
        usage: &'static str,
    },
    /// `isolation` with words that name no level.
    BadIsolation(String),
    /// A statement of `setup` or `load` that does not end in `;`.
    UnfinishedStatement,
    /// `a>` with nothing behind it.
    EmptyStatement,
    /// A continuation line with nothing to continue.
    StrayContinuation,
    /// `----` with no input above it.
    StrayExpectation,
    /// A section for a profile that the file does not name.
    SectionForUnknownProfile(String),
    /// Two sections of a block hold for the same profile.
    DoubleSection(String),
    /// An expected line that can't be a result.
    BadExpectation(String),
    /// No profile of this name, with those that look like it.
    UnknownProfile {
        /// The name given.
        name: String,
        /// Similar names.
        near: Vec<String>,
    },
    /// The file says no profile and none was given.
    NoProfile,
    /// A statement for a session that still waits.
    SessionWaits {
        /// The session.
        session: String,
        /// What it waits for.
        wait: String,
    },
    /// The SQL front refused the statement before it began.
    Sql {
        /// What it said.
        message: String,
        /// What it advises.
        advice: Option<String>,
    },
    /// A statement of the setup failed.
    SetupFailed(String),
    /// Something is said to a server that has crashed.
    Down,
    /// `recover` without a crash before it.
    NotDown,
    /// The database's files cannot be read or written.
    Files(String),
    /// `replay` with a letter that is no session, or one that can't run there.
    BadSchedule(String),
    /// A `{...}` of a load that means nothing.
    BadTemplate(String),
}

impl ScenarioError {
    /// What the author can do about it.
    #[must_use]
    pub fn advice(&self) -> Option<String> {
        self.problem.advice()
    }
}

impl fmt::Display for ScenarioError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}:{}:{}: {}",
            self.path.display(),
            self.place.line,
            self.place.column,
            self.problem
        )
    }
}

impl std::error::Error for ScenarioError {}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Problem::UnknownLine(word) => write!(f, "`{word}` begins no kind of line"),
            Problem::LateHeader(word) => {
                write!(f, "`{word}` belongs before the conversation")
            }
            Problem::BadCommand { command, .. } => {
                write!(f, "the words after `{command}` don't fit")
            }
            Problem::BadIsolation(words) => write!(f, "`{words}` is no isolation level"),
            Problem::UnfinishedStatement => f.write_str("the statement does not end in `;`"),
            Problem::EmptyStatement => f.write_str("there is no statement"),
            Problem::StrayContinuation => f.write_str("an indented line that continues nothing"),
            Problem::StrayExpectation => f.write_str("an expectation with no input above it"),
            Problem::SectionForUnknownProfile(name) => {
                write!(f, "the file is not played under profile `{name}`")
            }
            Problem::DoubleSection(name) => {
                write!(f, "this block has two expectations for {name}")
            }
            Problem::BadExpectation(text) => write!(f, "`{text}` is no result"),
            Problem::UnknownProfile { name, .. } => write!(f, "unknown profile `{name}`"),
            Problem::NoProfile => f.write_str("no profile to play under"),
            Problem::SessionWaits { session, wait } => write!(
                f,
                "session {session} still waits ({wait}) and can't take a statement"
            ),
            Problem::Sql { message, .. } => f.write_str(message),
            Problem::SetupFailed(what) => write!(f, "the setup failed: {what}"),
            Problem::Down => f.write_str("the server has crashed"),
            Problem::NotDown => f.write_str("there is nothing to recover from"),
            Problem::Files(what) => f.write_str(what),
            Problem::BadSchedule(what) => write!(f, "schedule: {what}"),
            Problem::BadTemplate(what) => write!(f, "`{{{what}}}` is no placeholder"),
        }
    }
}

impl Problem {
    /// What the author can do about it.
    #[must_use]
    pub fn advice(&self) -> Option<String> {
        let fixed = match self {
            Problem::UnknownLine(_) => {
                "write `a> SQL` for session a, or one of: locks, plan, purge, advance, explore, \
                 replay, random, stress, variant, setup, load"
            }
            Problem::LateHeader(_) => {
                "`profile` and `isolation` stand at the head of the file, before `setup` and \
                 the first input"
            }
            Problem::BadCommand { usage, .. } => usage,
            Problem::BadIsolation(_) => {
                "one of: read uncommitted, read committed, repeatable read, serializable"
            }
            Problem::UnfinishedStatement => "end every statement of the block with `;`",
            Problem::EmptyStatement => "write the statement behind `>` on the same line",
            Problem::StrayContinuation => {
                "only the line after an input may be indented; begin with `a> `"
            }
            Problem::StrayExpectation => {
                "`----` stands directly under the inputs, with no blank line between"
            }
            Problem::SectionForUnknownProfile(_) => "name it in the file's `profile` line",
            Problem::DoubleSection(_) => "merge the sections",
            Problem::BadExpectation(_) => {
                "results are `a: ok`, `N rows`, `waits ...`, `resumes, ...`, `deadlock ...`, \
                 `timeout`, `error N ...`, `stuck`; `gaplock run --accept` writes them"
            }
            Problem::UnknownProfile { near, .. } if !near.is_empty() => {
                return Some(format!("did you mean {}?", near.join(", ")));
            }
            Problem::UnknownProfile { .. } => "`gaplock profiles` lists them",
            Problem::NoProfile => "begin the file with `profile NAME`, or give `--profile NAME`",
            Problem::SessionWaits { .. } => {
                "let another session commit first, or use `advance` to let the wait time out"
            }
            Problem::Sql { advice, .. } => return advice.clone(),
            Problem::Down => "`recover` starts it again",
            Problem::NotDown => "`recover` comes after `crash`",
            Problem::Files(_) => return None,
            Problem::BadSchedule(_) => {
                "one letter for each step, as `gaplock explore` prints schedules"
            }
            Problem::BadTemplate(_) => "use {rand LOW HIGH}, {seq} or {thread}",
            Problem::SetupFailed(_) => return None,
        };
        Some(fixed.to_owned())
    }
}
