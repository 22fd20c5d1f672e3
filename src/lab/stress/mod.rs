//! The same statements under load: real threads against the real engine, through the blocking API.
//!
//! What a thread plays, over and over, is one *pass*. If the act has a `load` block, a pass is that
//! block, with its placeholders filled in anew each time. If it has none, thread number `n` plays
//! the `n`th session (counted round): that session's statements as they stand, then a commit. The
//! set-up's SQL is run once; what sessions say in it is not.
//!
//! A pass that fails is rolled back and counted by its error; the next one begins at once, as a
//! client that retries does. The library reads no clock: whoever calls ends the load by a flag and
//! measures how long it took.

mod template;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use gaplock_engine::profile::Profile;
use serde::Serialize;

use super::chance::Chance;
use super::scenario::{Act, Problem, Scenario, ScenarioError, SetupItem, Statement};
use crate::sql::{Connection, Database, SqlError};
use template::{Fill, Template};

/// MySQL's numbers of the two ways to lose a lock wait.
const ER_LOCK_WAIT_TIMEOUT: u16 = 1205;
const ER_LOCK_DEADLOCK: u16 = 1213;

/// What a load came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct StressCounts {
    /// Passes that ran to their end.
    pub transactions: u64,
    /// Times that somebody had to wait for a lock.
    pub waits: u64,
    /// Passes that were a deadlock's victim.
    pub deadlocks: u64,
    /// Passes with a lock wait that timed out.
    pub timeouts: u64,
    /// Passes that failed otherwise, such as by a duplicate key.
    pub other_errors: u64,
}

#[derive(Default)]
struct SharedCounts {
    transactions: AtomicU64,
    deadlocks: AtomicU64,
    timeouts: AtomicU64,
    other_errors: AtomicU64,
    /// Source of `{seq}`.
    sequence: AtomicU64,
}

/// Plays an act's load with `threads` threads until `stop` is set.
///
/// # Errors
/// A placeholder that means nothing, or a set-up that fails.
pub fn stress(
    scenario: &Scenario,
    act: &Act,
    profile: &Profile,
    threads: usize,
    stop: &AtomicBool,
) -> Result<StressCounts, ScenarioError> {
    let passes = passes(scenario, act)?;
    let database = Database::in_memory(profile.clone());
    let database = database.unwrap_or_else(|error| panic!("no memory for a server: {error}"));
    let mut connection = database.connect();
    for item in &act.setup {
        if let SetupItem::Sql(statement) = item {
            connection
                .execute(&statement.sql)
                .map_err(|error| failed(scenario, statement, &error))?;
        }
    }
    let counts = SharedCounts::default();
    thread::scope(|scope| {
        for number in 0..threads {
            let pass = passes.get(number % passes.len().max(1));
            let (database, counts) = (&database, &counts);
            let isolation = scenario.isolation.as_deref();
            scope.spawn(move || {
                let mut connection = database.connect();
                if let Some(level) = isolation {
                    let sql = format!("SET SESSION TRANSACTION ISOLATION LEVEL {level}");
                    count_failure(counts, connection.execute(&sql).err().as_ref());
                }
                let mut chance = Chance::new(number as u64 + 1);
                while let (Some(pass), false) = (pass, stop.load(Ordering::Relaxed)) {
                    let fill = Fill {
                        thread: number as u64,
                        sequence: &counts.sequence,
                        chance: &mut chance,
                    };
                    play_pass(&mut connection, pass, fill, counts);
                }
            });
        }
    });
    let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    Ok(StressCounts {
        transactions: load(&counts.transactions),
        waits: database.server().engine.lock_table_view().waits_begun(),
        deadlocks: load(&counts.deadlocks),
        timeouts: load(&counts.timeouts),
        other_errors: load(&counts.other_errors),
    })
}

/// What threads play: the load block, or each session's statements and a commit.
fn passes(scenario: &Scenario, act: &Act) -> Result<Vec<Vec<Template>>, ScenarioError> {
    let read = |statement: &Statement| {
        Template::read(&statement.sql)
            .map_err(|what| error_at(scenario, statement, Problem::BadTemplate(what)))
    };
    if !act.load.is_empty() {
        let pass: Result<Vec<_>, _> = act.load.iter().map(read).collect();
        return Ok(vec![pass?]);
    }
    let sessions = act.sessions();
    let passes = sessions.iter().map(|session| {
        let begun = act.setup.iter().filter_map(|item| match item {
            SetupItem::Say(name, statement) if name == session => Some(statement.clone()),
            _ => None,
        });
        let said = begun.chain(act.statements_of(session)).map(|s| s.sql);
        said.chain(["COMMIT".to_owned()])
            .map(Template::plain)
            .collect()
    });
    Ok(passes.collect())
}

fn play_pass(
    connection: &mut Connection,
    pass: &[Template],
    mut fill: Fill<'_>,
    counts: &SharedCounts,
) {
    for template in pass {
        let sql = template.fill(&mut fill);
        if let Err(error) = connection.execute(&sql) {
            count_failure(counts, Some(&error));
            // After a deadlock there is nothing to roll back, and ROLLBACK says so without an error.
            count_failure(counts, connection.execute("ROLLBACK").err().as_ref());
            return;
        }
    }
    counts.transactions.fetch_add(1, Ordering::Relaxed);
}

fn count_failure(counts: &SharedCounts, error: Option<&SqlError>) {
    let Some(error) = error else { return };
    let counter = match error.code() {
        ER_LOCK_DEADLOCK => &counts.deadlocks,
        ER_LOCK_WAIT_TIMEOUT => &counts.timeouts,
        _ => &counts.other_errors,
    };
    counter.fetch_add(1, Ordering::Relaxed);
}

fn failed(scenario: &Scenario, statement: &Statement, error: &SqlError) -> ScenarioError {
    error_at(scenario, statement, Problem::SetupFailed(error.to_string()))
}

fn error_at(scenario: &Scenario, statement: &Statement, problem: Problem) -> ScenarioError {
    let line_text = scenario
        .text
        .lines()
        .nth(statement.place.line.saturating_sub(1));
    ScenarioError {
        path: scenario.path.clone(),
        place: statement.place,
        problem,
        line_text: line_text.unwrap_or_default().to_owned(),
    }
}
