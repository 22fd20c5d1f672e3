//! What would cure a deadlock: changes tried one by one, each explored wholly.
//!
//! A change is worth advising if no interleaving under it deadlocks or gets stuck, and if nothing can
//! come of it that could not come of the program before: the final rows of every schedule are final
//! rows of some schedule of the unchanged program in which nobody died. Rows are compared as sets, in
//! the columns that both sides have, but for columns filled from counters: which number a row draws
//! is chance in every order. A change that cures and lets other rows come about is shown apart, since
//! only the application's author knows whether these are right. One that does not cure is shown with
//! the schedule that still deadlocks: most of these are advice that people are given.
//!
//! Cures are ordered by what they cost: waits in a schedule on average, then the most locks at one
//! time, then the length of the change. If no single change cures, each is tried again together with
//! READ COMMITTED.

mod candidates;
mod words;

use std::collections::BTreeSet;

use gaplock_engine::profile::Profile;
use serde::Serialize;

use super::explore::{self, Bounds, Exploration, ExploreError, Outcome, Rules, TableEnd};
use super::prepare::{self, Change, prepare};
use super::scenario::{Act, Scenario, ScenarioError};
use super::text;
pub use candidates::Candidate;

/// What became of one change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// No interleaving deadlocks, and the final rows are ones that there were before.
    Cures,
    /// No interleaving deadlocks, but rows can come about that could not before.
    CuresOtherwise,
    /// The search was cut off before it met a deadlock.
    Unknown,
    /// Some interleaving still deadlocks, or gets stuck.
    Fails,
    /// The change cannot be made here.
    Impossible,
}

/// A change, and what came of it.
#[derive(Clone, Debug, Serialize)]
pub struct Tried {
    /// What to do, in words.
    pub what: String,
    /// The statements of the change: of the schema, or what a session says instead.
    pub how: Vec<String>,
    /// What became of it.
    pub effect: Effect,
    /// Waits in a schedule, on average over all.
    pub waits_mean: f64,
    /// Most locks at one time, over all states.
    pub locks_max: u64,
    /// States of the search.
    pub states: u64,
    /// The schedule against it, final rows that are new, or why it cannot be made.
    pub because: String,
}

/// All that was tried for one act under one profile.
#[derive(Clone, Debug, Serialize)]
pub struct Advice {
    /// The profile.
    pub profile: String,
    /// How the program does without any change.
    pub before: Exploration,
    /// The changes, the best first.
    pub tried: Vec<Tried>,
}

/// Why nothing could be tried.
#[derive(Debug, thiserror::Error)]
pub enum AdviseError {
    /// The scenario's own set-up fails.
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
    /// A search failed.
    #[error(transparent)]
    Explore(#[from] ExploreError),
}

/// One program and the bounds of each search.
struct Advisor<'a> {
    scenario: &'a Scenario,
    act: &'a Act,
    profile: &'a Profile,
    rules: Rules,
    bounds: Bounds,
}

/// Tries changes on an act under a profile; `progress` is told the name of each.
///
/// # Errors
/// The scenario's own set-up fails, or pages cannot be read. What only fails with a change is told of
/// that change.
pub fn advise(
    scenario: &Scenario,
    act: &Act,
    profile: &Profile,
    rules: Rules,
    bounds: Bounds,
    progress: &mut dyn FnMut(&str),
) -> Result<Advice, AdviseError> {
    let advisor = Advisor {
        scenario,
        act,
        profile,
        rules,
        bounds: Bounds {
            measure: true,
            ..bounds
        },
    };
    let unchanged = prepare(scenario, act, profile, &Change::default(), rules)?;
    let before = explore::explore(
        &unchanged.world,
        &unchanged.program,
        advisor.bounds,
        &mut |_, _| {},
    )?;
    let mut tried = Vec::new();
    if before.deadlocks.0 > 0.0 || before.stuck.0 > 0.0 {
        let said = prepare::said(act);
        let candidates = candidates::all(&unchanged.world, &said, scenario);
        tried = advisor.try_all(&candidates, &before, progress)?;
        let cured = tried.iter().any(|tried| tried.effect == Effect::Cures);
        if !cured {
            let both: Vec<Candidate> = candidates
                .iter()
                .filter(|candidate| candidate.change.isolation.is_none())
                .map(Candidate::with_read_committed)
                .collect();
            tried.extend(advisor.try_all(&both, &before, progress)?);
        }
    }
    tried.sort_by(|a, b| {
        let cost = |t: &Tried| (t.how.len(), t.how.iter().map(String::len).sum::<usize>());
        a.effect
            .cmp(&b.effect)
            .then(a.waits_mean.total_cmp(&b.waits_mean))
            .then(a.locks_max.cmp(&b.locks_max))
            .then_with(|| cost(a).cmp(&cost(b)))
            .then_with(|| a.what.cmp(&b.what))
    });
    Ok(Advice {
        profile: profile.name.clone(),
        before,
        tried,
    })
}

impl Advisor<'_> {
    fn try_all(
        &self,
        candidates: &[Candidate],
        before: &Exploration,
        progress: &mut dyn FnMut(&str),
    ) -> Result<Vec<Tried>, ExploreError> {
        let mut tried = Vec::new();
        for candidate in candidates {
            progress(&candidate.what);
            tried.push(self.try_one(candidate, before)?);
        }
        Ok(tried)
    }

    fn try_one(&self, candidate: &Candidate, before: &Exploration) -> Result<Tried, ExploreError> {
        let mut tried = Tried {
            what: candidate.what.clone(),
            how: candidate.how(),
            effect: Effect::Impossible,
            waits_mean: 0.0,
            locks_max: 0,
            states: 0,
            because: String::new(),
        };
        let Advisor {
            scenario,
            act,
            profile,
            rules,
            bounds,
        } = self;
        let prepared = match prepare(scenario, act, profile, &candidate.change, *rules) {
            Ok(prepared) => prepared,
            Err(error) => {
                tried.because = error.problem.to_string();
                return Ok(tried);
            }
        };
        let found = explore::explore(&prepared.world, &prepared.program, *bounds, &mut |_, _| {})?;
        tried.waits_mean = found.work.waits_mean;
        tried.locks_max = found.work.locks_max;
        tried.states = found.work.states;
        (tried.effect, tried.because) = judge(&found, before);
        Ok(tried)
    }
}

/// What a change did, and the reason.
fn judge(found: &Exploration, before: &Exploration) -> (Effect, String) {
    if let Some(error) = new_error(found, before) {
        return (Effect::Impossible, error);
    }
    if let Some(cycle) = found.cycles.first() {
        return (
            Effect::Fails,
            format!("{} (schedule {})", cycle.what, cycle.first),
        );
    }
    if let Some(stuck) = found.outcomes.iter().find(|o| o.end.is_stuck()) {
        return (
            Effect::Fails,
            format!("{} (schedule {})", stuck.outcome, stuck.first),
        );
    }
    if !found.exhaustive {
        return (Effect::Unknown, found.covered());
    }
    let known: BTreeSet<Vec<String>> = before
        .outcomes
        .iter()
        .filter(|outcome| nobody_died(&outcome.end))
        .map(|outcome| final_rows(&outcome.end, found))
        .collect();
    let new = found.outcomes.iter().find(|outcome| {
        let rows = final_rows(&outcome.end, before);
        !known.contains(&rows)
    });
    match new {
        None => (Effect::Cures, found.covered()),
        Some(new) => {
            let rows = final_rows(&new.end, before).join("; ");
            (
                Effect::CuresOtherwise,
                format!("{rows} (schedule {})", new.first),
            )
        }
    }
}

/// A syntax error or an unsupported construct that the unchanged program did not have: the change
/// cannot be said under this profile.
fn new_error(found: &Exploration, before: &Exploration) -> Option<String> {
    let errors = |of: &Exploration| -> BTreeSet<String> {
        let ends = of.outcomes.iter().flat_map(|outcome| &outcome.end.sessions);
        let results = ends.flat_map(|session| &session.results);
        let refused = |words: &&String| {
            ["error 1064", "error 1235", "error 1054", "error 1146"]
                .iter()
                .any(|code| words.starts_with(code))
        };
        results.filter(refused).cloned().collect()
    };
    errors(found).difference(&errors(before)).next().cloned()
}

fn nobody_died(end: &Outcome) -> bool {
    let mut results = end.sessions.iter().flat_map(|session| &session.results);
    !end.is_stuck() && !results.any(|words| words.starts_with("deadlock "))
}

/// The final rows of each table, in the columns that `other` has too and that no counter fills, as a
/// sorted list of texts.
fn final_rows(end: &Outcome, other: &Exploration) -> Vec<String> {
    let others = other.outcomes.first().map(|o| o.end.tables.as_slice());
    let lines = end.tables.iter().filter_map(|table| {
        let other = others?.iter().find(|other| other.name == table.name)?;
        Some(format!("{}: {}", table.name, rows_in_common(table, other)))
    });
    lines.collect()
}

fn rows_in_common(table: &TableEnd, other: &TableEnd) -> String {
    let common = |at: &usize| {
        let there = other
            .columns
            .iter()
            .position(|name| *name == table.columns[*at]);
        !table.counted[*at] && there.is_some_and(|there| !other.counted[there])
    };
    let columns: Vec<usize> = (0..table.columns.len()).filter(common).collect();
    match &table.rows {
        Ok(rows) => {
            let mut texts: Vec<String> = rows
                .iter()
                .map(|row| {
                    let values = columns.iter().map(|at| row[*at].clone());
                    text::row(&values.collect::<Vec<_>>())
                })
                .collect();
            texts.sort_unstable();
            texts.join(" ")
        }
        Err(error) => error.clone(),
    }
}

impl Advice {
    /// The result as lines.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let before = &self.before;
        let mut lines = vec![format!(
            "without a change: {}, {}",
            before.covered(),
            before.verdict()
        )];
        lines.extend(
            before
                .cycles
                .iter()
                .take(1)
                .map(|cycle| format!("  {} (schedule {})", cycle.what, cycle.first)),
        );
        for (effect, heading) in HEADINGS {
            let these: Vec<&Tried> = self.tried.iter().filter(|t| t.effect == effect).collect();
            if these.is_empty() {
                continue;
            }
            lines.push(String::new());
            lines.push(heading.to_owned());
            these.iter().for_each(|tried| tried.tell(&mut lines));
        }
        lines
    }

    /// Whether a change cures and keeps the final rows.
    #[must_use]
    pub fn has_cure(&self) -> bool {
        self.tried.iter().any(|tried| tried.effect == Effect::Cures)
    }
}

/// What stands over the changes of each kind.
const HEADINGS: [(Effect, &str); 5] = [
    (
        Effect::Cures,
        "cures: no interleaving deadlocks, and the final rows are ones that there were before",
    ),
    (
        Effect::CuresOtherwise,
        "no interleaving deadlocks, but other rows can come about",
    ),
    (Effect::Unknown, "not known: the search was cut off"),
    (
        Effect::Fails,
        "does not help: some interleaving still deadlocks",
    ),
    (Effect::Impossible, "cannot be tried"),
];

impl Tried {
    fn tell(&self, lines: &mut Vec<String>) {
        let cost = match self.effect {
            Effect::Impossible => String::new(),
            _ => format!(
                " ({:.2} waits in a schedule, at most {} locks; {} states)",
                self.waits_mean, self.locks_max, self.states
            ),
        };
        lines.push(format!("- {}{cost}", self.what));
        lines.extend(self.how.iter().map(|how| format!("    {how}")));
        if self.effect != Effect::Cures {
            lines.push(format!("    {}", self.because));
        }
    }
}
