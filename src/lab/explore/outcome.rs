//! What a schedule ends in.

use std::fmt;
use std::sync::Arc;

use gaplock_engine::db::Engine;
use gaplock_engine::error::Error;
use gaplock_engine::row::{Access, LockStrength, NoFilter, Scan, ScanSpec, Step, WaitPolicy};
use gaplock_engine::table::Table;
use gaplock_engine::trx::Isolation;
use gaplock_engine::types::Value;

use super::super::say;
use super::super::text;
use super::super::world::World;
use super::actors::{Node, Program};

/// The end of a schedule: what each session's statements came to, who still waits, and the tables.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// The sessions in the program's order.
    pub sessions: Vec<SessionEnd>,
    /// The tables by name.
    pub tables: Vec<TableEnd>,
}

/// One session's end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionEnd {
    /// Its name.
    pub name: String,
    /// What its statements came to, without the commit that follows them.
    pub results: Vec<String>,
    /// What it waits for, if it waits for ever.
    pub stuck: Option<String>,
    /// How many times it began a transaction again.
    pub retries: u32,
}

/// One table's committed rows.
#[derive(Clone, Debug, PartialEq)]
pub struct TableEnd {
    /// Its name.
    pub name: String,
    /// Its columns.
    pub columns: Vec<String>,
    /// Whether each column is filled from a counter.
    pub counted: Vec<bool>,
    /// Its rows in the order of its clustered index.
    pub rows: Result<Vec<Vec<Value>>, String>,
}

impl Outcome {
    /// The end that a schedule has come to.
    pub(super) fn of(node: &Node, program: &Program) -> Outcome {
        let sessions = node.results(program).map(|end| SessionEnd {
            name: end.name.to_owned(),
            results: end.results.to_vec(),
            stuck: node
                .world
                .is_waiting(end.name)
                .then(|| say::waits(&node.world, end.name)),
            retries: end.retries,
        });
        Outcome {
            sessions: sessions.collect(),
            tables: tables(&node.world),
        }
    }

    /// Whether somebody waits for ever.
    #[must_use]
    pub fn is_stuck(&self) -> bool {
        self.sessions.iter().any(|session| session.stuck.is_some())
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts: Vec<String> = Vec::new();
        for session in &self.sessions {
            let mut words = session.results.clone();
            words.extend(session.stuck.iter().map(|wait| format!("stuck, {wait}")));
            match session.retries {
                0 => {}
                1 => words.push("at the second attempt".to_owned()),
                more => words.push(format!("after {more} more attempts")),
            }
            parts.push(format!("{}: {}", session.name, words.join(", ")));
        }
        for table in &self.tables {
            let rows = match &table.rows {
                Ok(rows) if rows.is_empty() => "empty".to_owned(),
                Ok(rows) => rows
                    .iter()
                    .map(|row| text::row(row))
                    .collect::<Vec<_>>()
                    .join(" "),
                Err(error) => error.clone(),
            };
            parts.push(format!("{}: {rows}", table.name));
        }
        f.write_str(&parts.join("; "))
    }
}

/// The committed rows of each table. Read through the engine, not by a session: this is done at the
/// end of every schedule.
fn tables(world: &World) -> Vec<TableEnd> {
    let engine = &world.server().engine;
    let ends = engine.tables().into_iter().map(|table| TableEnd {
        name: table.name.clone(),
        columns: table.columns.iter().map(|c| c.name.clone()).collect(),
        counted: table.columns.iter().map(|c| c.auto_increment).collect(),
        rows: committed_rows(engine, &table).map_err(|error| error.to_string()),
    });
    ends.collect()
}

fn committed_rows(engine: &Engine, table: &Arc<Table>) -> Result<Vec<Vec<Value>>, Error> {
    let mut reader = engine.begin(Isolation::ReadCommitted);
    let mut scan = Scan::new(ScanSpec {
        table: table.clone(),
        index: 0,
        access: Access::Full { backward: false },
        lock: LockStrength::None,
        wait: WaitPolicy::Wait,
        covering: false,
        pushed: false,
        semi_consistent: false,
    });
    let mut rows = Vec::new();
    while let Step::Done(Some(row)) = scan.step(engine, &mut reader, &NoFilter)? {
        rows.push(row.values);
    }
    engine.commit(&mut reader)?;
    Ok(rows)
}
