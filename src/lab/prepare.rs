//! From a scenario's act to something that can be explored: a world after the set-up, and what the
//! sessions say; both perhaps changed, to see what a change would do.

use gaplock_engine::profile::Profile;

use super::explore::{Program, Rules};
use super::runner;
use super::scenario::{Act, Problem, Scenario, ScenarioError, SetupItem, Statement};
use super::world::World;

/// What to do otherwise than the file says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// Statements after the set-up's own SQL, such as `ALTER TABLE`.
    pub setup: Vec<String>,
    /// Every session's isolation level.
    pub isolation: Option<String>,
    /// What the sessions say instead; each one's name and statements.
    pub sessions: Option<Vec<(String, Vec<String>)>>,
}

/// A world after a set-up, and the sessions that go on from there.
pub struct Prepared {
    /// Nobody runs in it.
    pub world: World,
    /// What the sessions say.
    pub program: Program,
}

/// The sessions that an act explores, and what they say.
#[must_use]
pub fn said(act: &Act) -> Vec<(String, Vec<String>)> {
    let mut names = runner::explored_sessions(act);
    if names.is_empty() {
        names = act.sessions();
    }
    let said = names.into_iter().map(|name| {
        let statements = act.statements_of(&name).into_iter().map(|s| s.sql);
        let statements = statements.collect();
        (name, statements)
    });
    said.collect()
}

/// Makes a world of the act's set-up and a program of its sessions, with a change.
///
/// # Errors
/// The set-up fails, or the change's statements do.
pub fn prepare(
    scenario: &Scenario,
    act: &Act,
    profile: &Profile,
    change: &Change,
    rules: Rules,
) -> Result<Prepared, ScenarioError> {
    let mut changed = Scenario {
        acts: Vec::new(),
        ..scenario.clone()
    };
    if change.isolation.is_some() {
        changed.isolation.clone_from(&change.isolation);
    }
    let mut act = act.clone();
    let last = act
        .setup
        .iter()
        .rposition(|item| matches!(item, SetupItem::Sql(_)));
    let at = last.map_or(0, |last| last + 1);
    let place = act.place;
    let added = change.setup.iter().map(|sql| {
        SetupItem::Sql(Statement {
            sql: sql.clone(),
            place,
        })
    });
    act.setup.splice(at..at, added);
    let mut world = runner::open(&changed, profile);
    runner::set_up(&changed, &act, &mut world)?;
    let sessions = change.sessions.clone().unwrap_or_else(|| said(&act));
    if sessions.len() > super::explore::SESSIONS_MAX {
        let problem = Problem::BadSchedule(format!(
            "{} sessions are more than can be explored",
            sessions.len()
        ));
        return Err(runner::error_at(scenario, place, problem));
    }
    Ok(Prepared {
        world,
        program: Program::new(sessions).with_rules(rules),
    })
}
