//! What a statement came to, in a scenario's result words.
//!
//! The words are a small fixed set: `ok`, `N rows`, `waits`, `resumes`, `deadlock`, `timeout`,
//! `error N`, `stuck`. A session that waited before this input and went on because of it says
//! `resumes`; one that waits and goes on within the same input only says how it ended.

use std::collections::BTreeMap;

use gaplock_engine::db::Deadlock;

use super::text;
use super::world::{Ended, Wanted, World};
use crate::sql::{SqlError, StatementResult};

/// MySQL's number of "Lock wait timeout exceeded".
const ER_LOCK_WAIT_TIMEOUT: u16 = 1205;

/// One line of output: who, and what became of its statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The session; none for `stuck`.
    pub session: Option<String>,
    /// The result's words.
    pub words: String,
}

impl Event {
    /// The line as a scenario has it.
    #[must_use]
    pub fn line(&self) -> String {
        match &self.session {
            Some(session) => format!("{session}: {}", self.words),
            None => self.words.clone(),
        }
    }
}

/// Which sessions wait, and for what: taken before an input, to tell what it changed.
#[derive(Clone, Debug, Default)]
pub struct Waits(BTreeMap<String, String>);

impl Waits {
    /// Those of this moment.
    #[must_use]
    pub fn of(world: &World) -> Waits {
        let waiting = world.sessions().filter(|name| world.is_waiting(name));
        Waits(
            waiting
                .map(|name| (name.to_owned(), wanted(world, name)))
                .collect(),
        )
    }
}

/// What was wanted, without who is in the way.
fn wanted(world: &World, session: &str) -> String {
    match world.waiting(session).map(|waiting| waiting.wanted) {
        Some(Wanted::Lock(lock)) => text::lock(&world.server().engine, &lock),
        Some(Wanted::Metadata(table)) => format!("metadata lock on {table}"),
        None => "nothing".to_owned(),
    }
}

/// A waiting session's words: `waits X record on t.PRIMARY at 1, for b`.
#[must_use]
pub fn waits(world: &World, session: &str) -> String {
    let blockers = world.waiting(session).map(|waiting| waiting.blockers);
    let blockers = blockers.unwrap_or_default().join(" ");
    let wanted = wanted(world, session);
    if blockers.is_empty() {
        format!("waits {wanted}")
    } else {
        format!("waits {wanted}, for {blockers}")
    }
}

/// Everything that an input changed, in order: statements that ended, then new waits.
#[must_use]
pub fn events(world: &World, before: &Waits, ended: &[Ended]) -> Vec<Event> {
    let mut events: Vec<Event> = Vec::new();
    for ended in ended {
        let waited = before.0.contains_key(&ended.session);
        events.push(Event {
            session: Some(ended.session.clone()),
            words: ended_words(world, ended, waited),
        });
    }
    for name in world.sessions().filter(|name| world.is_waiting(name)) {
        let waited = before.0.get(name);
        if waited == Some(&wanted(world, name)) {
            continue;
        }
        let prefix = if waited.is_some() { "resumes, " } else { "" };
        events.push(Event {
            session: Some(name.to_owned()),
            words: format!("{prefix}{}", waits(world, name)),
        });
    }
    events
}

/// The words of a statement that ended; `waited` tells that it had been seen to wait before.
#[must_use]
pub fn ended_words(world: &World, ended: &Ended, waited: bool) -> String {
    if let Some(deadlock) = &ended.deadlock {
        return deadlock_words(world, deadlock);
    }
    let prefix = if waited { "resumes, " } else { "" };
    match &ended.result {
        Err(error) if waited && error.code() == ER_LOCK_WAIT_TIMEOUT => "timeout".to_owned(),
        Err(error) => format!("{prefix}{}", error_words(error)),
        Ok(result) => {
            let sql = world.statement(&ended.session).unwrap_or_default();
            format!("{prefix}{}", result_words(sql, result))
        }
    }
}

/// `error 1062 Duplicate entry '30' for key 'ua'`, on one line.
#[must_use]
pub fn error_words(error: &SqlError) -> String {
    let message = error.to_string();
    let message = message.split_whitespace().collect::<Vec<_>>().join(" ");
    format!("error {} {message}", error.code())
}

/// `ok`, `1 row`, `2 rows (1, 10) (3, 30)`.
#[must_use]
pub fn result_words(sql: &str, result: &StatementResult) -> String {
    if !result.columns.is_empty() {
        let mut words = count(result.rows.len() as u64);
        for row in &result.rows {
            words.push(' ');
            words.push_str(&text::row(row));
        }
        return words;
    }
    if counts_rows(sql) {
        count(result.affected)
    } else {
        "ok".to_owned()
    }
}

fn count(rows: u64) -> String {
    if rows == 1 {
        "1 row".to_owned()
    } else {
        format!("{rows} rows")
    }
}

/// Whether a statement is one that says how many rows it changed.
fn counts_rows(sql: &str) -> bool {
    let first = sql.split_whitespace().next().unwrap_or_default();
    ["INSERT", "REPLACE", "UPDATE", "DELETE"]
        .iter()
        .any(|word| first.eq_ignore_ascii_case(word))
}

/// `deadlock a b, victim a, rolled back`; the cycle begins with the first name.
#[must_use]
pub fn deadlock_words(world: &World, deadlock: &Deadlock) -> String {
    let name = |trx| world.owner(trx).unwrap_or("?").to_owned();
    let mut cycle: Vec<String> = deadlock.members.iter().map(|m| name(m.trx)).collect();
    let first = (0..cycle.len()).min_by_key(|at| &cycle[*at]);
    cycle.rotate_left(first.unwrap_or(0));
    format!(
        "deadlock {}, victim {}, rolled back",
        cycle.join(" "),
        name(deadlock.victim)
    )
}
