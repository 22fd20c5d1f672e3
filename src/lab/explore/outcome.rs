//! What schedules end in, and the count of each.

use std::collections::BTreeMap;
use std::sync::Arc;

use gaplock_engine::db::Engine;
use gaplock_engine::error::Error;
use gaplock_engine::row::{Access, LockStrength, NoFilter, Scan, ScanSpec, Step, WaitPolicy};
use gaplock_engine::table::Table;
use gaplock_engine::trx::Isolation;
use serde::Serialize;

use super::super::say;
use super::super::text;
use super::super::world::World;
use super::actors::{Node, Program};

/// What a search covered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coverage {
    /// Every interleaving.
    Everything,
    /// Every interleaving with at most so many preemptions.
    Preemptions(u32),
    /// Whatever came before the bound.
    CutOff,
    /// Interleavings chosen by a seed.
    Random,
}

/// The result of a search.
#[derive(Clone, Debug, Serialize)]
pub struct Exploration {
    /// The profile.
    pub profile: String,
    /// Schedules played.
    pub schedules: u64,
    /// Whether they are all that there are.
    pub exhaustive: bool,
    /// Schedules in which somebody was chosen as a deadlock's victim.
    pub deadlocks: u64,
    /// The distinct outcomes, most frequent first.
    pub outcomes: Vec<OutcomeCount>,
    /// What was covered.
    #[serde(skip)]
    pub coverage: Coverage,
    /// Schedules at whose end somebody still waits.
    #[serde(skip)]
    pub stuck: u64,
}

/// One outcome.
#[derive(Clone, Debug, Serialize)]
pub struct OutcomeCount {
    /// What each session's statements came to, and the tables at the end.
    pub outcome: String,
    /// How many schedules end so.
    pub schedules: u64,
    /// Of those with the fewest switches between sessions, the first one found.
    pub first: String,
}

/// Counts while a search runs.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) schedules: u64,
    deadlocks: u64,
    stuck: u64,
    outcomes: BTreeMap<String, Counted>,
}

#[derive(Debug)]
struct Counted {
    schedules: u64,
    switches: usize,
    first: String,
}

impl Counts {
    /// Counts a schedule that has come to its end.
    pub(super) fn leaf(&mut self, node: &Node, program: &Program) {
        self.schedules += 1;
        self.deadlocks += u64::from(node.deadlocked);
        self.stuck += u64::from(!node.done());
        let switches = node
            .schedule
            .windows(2)
            .filter(|pair| pair[0] != pair[1])
            .count();
        let outcome = describe(node, program);
        match self.outcomes.get_mut(&outcome) {
            Some(counted) => {
                counted.schedules += 1;
                if switches < counted.switches {
                    counted.switches = switches;
                    counted.first = program.write_schedule(&node.schedule);
                }
            }
            None => {
                let counted = Counted {
                    schedules: 1,
                    switches,
                    first: program.write_schedule(&node.schedule),
                };
                self.outcomes.insert(outcome, counted);
            }
        }
    }

    pub(super) fn finish(self, profile: &str, coverage: Coverage) -> Exploration {
        let outcomes = self.outcomes.into_iter();
        let mut outcomes: Vec<OutcomeCount> = outcomes
            .map(|(outcome, counted)| OutcomeCount {
                outcome,
                schedules: counted.schedules,
                first: counted.first,
            })
            .collect();
        outcomes.sort_by(|a, b| {
            b.schedules
                .cmp(&a.schedules)
                .then(a.outcome.cmp(&b.outcome))
        });
        Exploration {
            profile: profile.to_owned(),
            schedules: self.schedules,
            exhaustive: coverage == Coverage::Everything,
            deadlocks: self.deadlocks,
            outcomes,
            coverage,
            stuck: self.stuck,
        }
    }
}

/// A finished schedule's outcome: results by session, who still waits, the tables.
pub(super) fn describe(node: &Node, program: &Program) -> String {
    let mut parts: Vec<String> = Vec::new();
    for (name, results) in node.results(program) {
        let mut words = results.to_vec();
        if node.world.is_waiting(name) {
            words.push(format!("stuck, {}", say::waits(&node.world, name)));
        }
        parts.push(format!("{name}: {}", words.join(", ")));
    }
    parts.extend(tables(&node.world));
    parts.join("; ")
}

/// The committed rows of each table, in the order of its clustered index. Read through the engine,
/// not by a session: this is done at the end of every schedule.
fn tables(world: &World) -> Vec<String> {
    let engine = &world.server().engine;
    let mut parts = Vec::new();
    for table in engine.tables() {
        let rows = match committed_rows(engine, &table) {
            Ok(rows) if rows.is_empty() => "empty".to_owned(),
            Ok(rows) => rows.join(" "),
            Err(error) => error.to_string(),
        };
        parts.push(format!("{}: {rows}", table.name));
    }
    parts
}

fn committed_rows(engine: &Engine, table: &Arc<Table>) -> Result<Vec<String>, Error> {
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
        rows.push(text::row(&row.values));
    }
    engine.commit(&mut reader)?;
    Ok(rows)
}

impl Exploration {
    /// The result as lines of a scenario: the verdict, the counts, then each outcome. The verdict
    /// does not change when steps are cut in another way; the counts do.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let covered = match self.coverage {
            Coverage::Everything => "every interleaving".to_owned(),
            Coverage::Preemptions(most) => {
                format!("every interleaving with at most {most} preemptions")
            }
            Coverage::CutOff => "cut off by the bound".to_owned(),
            Coverage::Random => "chosen at random".to_owned(),
        };
        let found = match (self.deadlocks, self.stuck) {
            (0, 0) => "no deadlock",
            (0, _) => "stuck",
            (_, 0) => "deadlocks",
            _ => "deadlocks, stuck",
        };
        let mut lines = vec![
            format!("{covered}: {found}"),
            format!(
                "{} schedules, {} with a deadlock, {} stuck",
                self.schedules, self.deadlocks, self.stuck
            ),
        ];
        for outcome in &self.outcomes {
            lines.push(format!(
                "{} x {} (first {})",
                outcome.schedules, outcome.outcome, outcome.first
            ));
        }
        lines
    }
}
