//! The second figure: how often our own planner chooses the path that a real server explained.
//!
//! The first figure, the locks, is taken with the recording's plan as a hint, so that a planner's
//! difference is not counted as a difference of locking. Here the hints are left out: each
//! statement is explained on a fresh database with the case's tables in it, and what decides locks
//! is compared: table, kind of access, key, pushdown, collecting.
//!
//! Q1. A const table that the server found empty while planning has no line of its own in EXPLAIN;
//!     there we must have planned a const read.
//! Q2. A statement whose plan the server does not say (no tables used, 5.5's UPDATE and DELETE) is
//!     not compared.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use gaplock_engine::profile::Profile;
use gaplock_engine::types::Value;
use serde::Serialize;

use super::hints::PlanBook;
use super::play::{SETUP_SESSION, guarded, set_up};
use super::trace::{PlanRow, Recording};
use crate::lab::world::{WakeOrder, World};
use crate::sql::EXPLAIN_COLUMNS;

/// What is compared of one line of EXPLAIN.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Line {
    table: String,
    kind: String,
    key: String,
    pushed: bool,
    collected: bool,
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.kind)?;
        if self.key != "-" {
            write!(f, " {}", self.key)?;
        }
        if self.pushed {
            f.write_str(", pushed down")?;
        }
        if self.collected {
            f.write_str(", collected first")?;
        }
        Ok(())
    }
}

/// A way in which plans differ.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PlanMiss {
    /// The server's plan, in words.
    pub server: String,
    /// Ours, in words.
    pub ours: String,
}

/// Agreement of our plans with one server's.
#[derive(Clone, Debug, Default, Serialize)]
pub struct PlannerScore {
    /// Statements whose plan the server said.
    pub compared: u64,
    /// Those for which ours is the same.
    pub agreed: u64,
    /// How the others differ: how often, and one case and statement of each.
    #[serde(skip)]
    pub misses: BTreeMap<PlanMiss, (u64, String)>,
}

impl PlannerScore {
    /// Explains each statement of a recording under the profile, and counts.
    pub fn count(&mut self, recording: &Recording, profile: &Profile) {
        let Ok(Ok(mut world)) = guarded(|| set_up(recording, profile)) else {
            return;
        };
        for (sql, explained) in &recording.plans {
            let server = server_lines(sql, explained);
            if server.is_empty() || server.iter().all(|line| line.kind == "-") {
                continue;
            }
            self.compared += 1;
            let ours = our_lines(&mut world, sql);
            if agrees(&server, &ours) {
                self.agreed += 1;
                continue;
            }
            let miss = PlanMiss {
                server: words(&server),
                ours: words(&ours),
            };
            let example = || (0, format!("{}: {sql}", recording.name));
            self.misses.entry(miss).or_insert_with(example).0 += 1;
        }
    }
}

/// The statements of a recording for which our planner chooses at the start what the server did: for
/// them it goes on choosing while the recording is played, as the server's did, whose EXPLAIN was
/// of the start.
pub(super) fn chosen_alike(
    mut world: World,
    recording: &Recording,
    plans: &PlanBook,
) -> BTreeSet<String> {
    let statements: BTreeSet<&str> = recording.steps.iter().map(|s| s.sql.as_str()).collect();
    let alike = |sql: &&str| {
        let server = plans
            .rows(recording, sql)
            .map(|rows| server_lines(sql, rows));
        server.is_some_and(|server| {
            !server.is_empty() && agrees(&server, &our_lines(&mut world, sql))
        })
    };
    statements
        .into_iter()
        .filter(alike)
        .map(str::to_owned)
        .collect()
}

fn words(lines: &[Line]) -> String {
    let lines: Vec<String> = lines.iter().map(ToString::to_string).collect();
    lines.join("; ")
}

/// The server's lines; none where it does not say how a table was read.
fn server_lines(sql: &str, explained: &[PlanRow]) -> Vec<Line> {
    let line = |row: &PlanRow| {
        let extra = row.extra.as_deref().unwrap_or_default();
        let known_empty = row.access.is_none() && extra.contains("const");
        let kind = if known_empty {
            "const"
        } else {
            row.access.as_deref().unwrap_or("-")
        };
        Line {
            table: row.table.clone().unwrap_or_else(|| "-".to_owned()),
            kind: kind.to_owned(),
            key: row.key.clone().unwrap_or_else(|| "-".to_owned()),
            pushed: row.remarks("Using index condition"),
            collected: extra.contains("temporary") || extra.contains("buffer"),
        }
    };
    let lines = explained.iter().map(line);
    if sql.starts_with("INSERT") {
        // The line of the table that is inserted into says nothing about a path.
        let target = |line: &Line| line.kind == "ALL" && (line.table == "t" || line.table == "u");
        return lines.filter(|line| !target(line)).collect();
    }
    lines.collect()
}

/// Our lines for the same statement; none when it is refused.
fn our_lines(world: &mut World, sql: &str) -> Vec<Line> {
    let explain = format!("EXPLAIN {sql}");
    if world.give(SETUP_SESSION, &explain, &[]).is_err() {
        return Vec::new();
    }
    let Ok(ended) = world.settle(&mut WakeOrder::default()) else {
        return Vec::new();
    };
    let rows = ended.into_iter().filter_map(|ended| ended.result.ok());
    rows.flat_map(|result| result.rows)
        .map(|row| our_line(&row))
        .collect()
}

fn our_line(row: &[Value]) -> Line {
    let field = |name: &str| {
        let at = EXPLAIN_COLUMNS.iter().position(|column| *column == name);
        let value = at.and_then(|at| row.get(at)).filter(|v| !v.is_null());
        value.map_or_else(|| "-".to_owned(), Value::to_text)
    };
    let extra = field("Extra");
    Line {
        table: field("table"),
        kind: field("type"),
        key: field("key"),
        pushed: extra.contains("Using index condition"),
        collected: extra.contains("temporary"),
    }
}

fn agrees(server: &[Line], ours: &[Line]) -> bool {
    server.len() == ours.len()
        && server.iter().zip(ours).all(|(server, ours)| {
            server == ours || (server.table == "-" && server.kind == ours.kind)
        })
}
