//! Plays a scenario's act under one profile, block by block, and compares with what is expected.

use std::path::PathBuf;

use gaplock_engine::profile::Profile;

use super::explore::{self, Bounds, Program};
use super::machine::{self, Machine};
use super::report::timeline::Entry;
use super::report::{deadlock, picture};
use super::say::{self, Event, Waits};
use super::scenario::{
    Act, Block, BlockOutput, Command, Input, Place, Problem, PurgeSetting, Scenario, ScenarioError,
    SetupItem, Statement, accept,
};
use super::world::{Ended, GiveError, WakeOrder, World};
use crate::sql::{SqlError, StatementResult};

/// MySQL's numbers of "syntax error" and "not supported": the file is wrong, not the outcome.
const SCENARIO_ERRORS: [u16; 2] = [1064, 1235];

/// The session that runs the set-up's SQL, by a name that no session of a file can have.
const SETUP_SESSION: &str = "(setup)";

/// The session that explains plans.
const PLANNER_SESSION: &str = "(planner)";

/// What turns a statement into a question for its plan.
const EXPLAIN: &str = "EXPLAIN ";

/// How to play.
#[derive(Clone, Debug)]
pub struct RunOptions {
    /// Schedules after which an `explore` gives up.
    pub schedules_max: u64,
    /// Where to keep the database; in memory if nowhere.
    pub directory: Option<PathBuf>,
}

impl Default for RunOptions {
    fn default() -> RunOptions {
        RunOptions {
            schedules_max: 200_000,
            directory: None,
        }
    }
}

/// One act as it was played under one profile.
#[derive(Clone, Debug, Default)]
pub struct Play {
    /// The profile.
    pub profile: String,
    /// What each block put out.
    pub blocks: Vec<BlockPlay>,
    /// The conversation, for the timeline.
    pub entries: Vec<Entry>,
    /// The deadlocks, explained.
    pub deadlocks: Vec<String>,
}

/// One block as it was played.
#[derive(Clone, Debug)]
pub struct BlockPlay {
    /// Line of its first input.
    pub line: usize,
    /// What it put out.
    pub lines: Vec<String>,
    /// What was expected, with the line of the `----`; none where nothing is.
    pub expected: Option<(usize, Vec<String>)>,
    /// Whether it put out what was expected, if something was.
    pub agrees: bool,
}

impl Play {
    /// Whether every block put out what is expected of it.
    #[must_use]
    pub fn agrees(&self) -> bool {
        self.blocks.iter().all(|block| block.agrees)
    }

    /// The outputs, for [`accept`](super::scenario::accept()); `act` is the act's place in the file.
    #[must_use]
    pub fn outputs(&self, act: &Act, place: usize) -> Vec<BlockOutput> {
        let worth_keeping = |block: &Block| {
            let says = block.inputs.iter().any(|i| matches!(i, Input::Say(..)));
            says || !block.sections.is_empty()
        };
        self.blocks
            .iter()
            .enumerate()
            .filter(|(at, _)| worth_keeping(&act.blocks[*at]))
            .map(|(at, block)| BlockOutput {
                act: place,
                block: at,
                profile: self.profile.clone(),
                lines: block.lines.clone(),
            })
            .collect()
    }
}

/// Plays an act.
///
/// # Errors
/// The file asks for something that can't be done: wrong SQL, a failing set-up, a statement for a
/// session that waits.
pub fn play(
    scenario: &Scenario,
    act: &Act,
    profile: &Profile,
    options: &RunOptions,
) -> Result<Play, ScenarioError> {
    let machine = machine_for(act, options);
    let mut world = open_on(machine, scenario, profile)?;
    set_up(scenario, act, &mut world)?;
    let root = match world.try_fork() {
        Some(root) => root,
        None => {
            let mut root = open(scenario, profile);
            set_up(scenario, act, &mut root)?;
            root
        }
    };
    let mut runner = Runner {
        scenario,
        act,
        root,
        world,
        options,
        play: Play {
            profile: profile.name.clone(),
            ..Play::default()
        },
    };
    for block in &act.blocks {
        runner.block(block)?;
    }
    let closed = runner.world.close();
    closed.map_err(|error| files_error(scenario, &error))?;
    Ok(runner.play)
}

/// What the act's server needs: a directory if one is given, a disk of its own if it is to crash.
fn machine_for(act: &Act, options: &RunOptions) -> Machine {
    let mut inputs = act.blocks.iter().flat_map(|block| &block.inputs);
    let crashes = inputs.any(|input| matches!(input, Input::Command(Command::Crash, _)));
    match &options.directory {
        Some(directory) => Machine::Directory(directory.clone()),
        None if crashes => Machine::simulated(),
        None => Machine::Memory,
    }
}

fn open_on(
    machine: Machine,
    scenario: &Scenario,
    profile: &Profile,
) -> Result<World, ScenarioError> {
    let isolation = scenario.isolation.as_deref();
    World::on(machine, profile.clone(), isolation, scenario.purge)
        .map_err(|error| files_error(scenario, &error))
}

fn files_error(scenario: &Scenario, error: &SqlError) -> ScenarioError {
    let place = Place { line: 1, column: 1 };
    error_at(scenario, place, Problem::Files(error.to_string()))
}

/// The sessions that the act's first `explore` names; all of them if it names none.
pub(super) fn explored_sessions(act: &Act) -> Vec<String> {
    let inputs = act.blocks.iter().flat_map(|block| &block.inputs);
    let named = inputs.filter_map(|input| match input {
        Input::Command(Command::Explore { sessions, .. }, _) => Some(sessions.clone()),
        _ => None,
    });
    named.into_iter().next().unwrap_or_default()
}

pub(super) fn open(scenario: &Scenario, profile: &Profile) -> World {
    let isolation = scenario.isolation.as_deref();
    World::new(profile.clone(), isolation, scenario.purge)
}

/// The statements of these sessions, or of all when none is named.
pub(super) fn program(act: &Act, names: &[String]) -> Program {
    let all = act.sessions();
    let names = if names.is_empty() { &all } else { names };
    let sessions = names.iter().map(|name| {
        let statements = act.statements_of(name);
        (
            name.clone(),
            statements.into_iter().map(|s| s.sql).collect(),
        )
    });
    Program::new(sessions.collect())
}

pub(super) fn set_up(
    scenario: &Scenario,
    act: &Act,
    world: &mut World,
) -> Result<(), ScenarioError> {
    for item in &act.setup {
        let (session, statement) = match item {
            SetupItem::Sql(statement) => (SETUP_SESSION, statement),
            SetupItem::Say(session, statement) => (session.as_str(), statement),
        };
        let ended = give_and_settle(scenario, world, session, statement)?;
        let own = ended.iter().find(|ended| ended.session == session);
        let failure = match own.map(|ended| &ended.result) {
            Some(Ok(_)) => continue,
            Some(Err(error)) => say::error_words(error),
            None => say::waits(world, session),
        };
        let problem = Problem::SetupFailed(failure);
        return Err(error_at(scenario, statement.place, problem));
    }
    Ok(())
}

pub(super) fn error_at(scenario: &Scenario, place: Place, problem: Problem) -> ScenarioError {
    let line_text = scenario.text.lines().nth(place.line.saturating_sub(1));
    ScenarioError {
        path: scenario.path.clone(),
        place,
        problem,
        line_text: line_text.unwrap_or_default().to_owned(),
    }
}

fn sql_error(scenario: &Scenario, statement: &Statement, error: &SqlError) -> ScenarioError {
    let place = error.position.map_or(statement.place, |position| {
        let (line, column) = (position.line as usize, position.column as usize);
        statement.place.within(line, column)
    });
    let problem = Problem::Sql {
        message: error.to_string(),
        advice: error.advice.clone(),
    };
    error_at(scenario, place, problem)
}

/// Gives a statement and plays on until nobody can run.
fn give_and_settle(
    scenario: &Scenario,
    world: &mut World,
    session: &str,
    statement: &Statement,
) -> Result<Vec<Ended>, ScenarioError> {
    let refused = match world.give(session, &statement.sql, &[]) {
        Ok(()) => {
            let settled = world.settle(&mut WakeOrder::default());
            return match settled {
                Ok(ended) => check_ended(scenario, session, statement, ended),
                Err(runaway) => panic!("{runaway}"),
            };
        }
        Err(GiveError::Waits) => {
            let problem = Problem::SessionWaits {
                session: session.to_owned(),
                wait: say::waits(world, session),
            };
            return Err(error_at(scenario, statement.place, problem));
        }
        Err(GiveError::Down) => {
            return Err(error_at(scenario, statement.place, Problem::Down));
        }
        Err(GiveError::Sql(error)) => error,
    };
    let ended = vec![Ended {
        session: session.to_owned(),
        result: Err(refused),
        deadlock: None,
    }];
    check_ended(scenario, session, statement, ended)
}

/// Errors that say that the file is wrong don't count as outcomes.
fn check_ended(
    scenario: &Scenario,
    session: &str,
    statement: &Statement,
    ended: Vec<Ended>,
) -> Result<Vec<Ended>, ScenarioError> {
    let own = ended.iter().find(|ended| ended.session == session);
    match own.map(|ended| &ended.result) {
        Some(Err(error)) if SCENARIO_ERRORS.contains(&error.code()) => {
            Err(sql_error(scenario, statement, error))
        }
        _ => Ok(ended),
    }
}

struct Runner<'a> {
    scenario: &'a Scenario,
    act: &'a Act,
    /// The world after the set-up: where explorations begin.
    root: World,
    world: World,
    options: &'a RunOptions,
    play: Play,
}

impl Runner<'_> {
    fn block(&mut self, block: &Block) -> Result<(), ScenarioError> {
        let mut lines = Vec::new();
        for input in &block.inputs {
            match input {
                Input::Say(session, statement) => lines.extend(self.say(session, statement)?),
                Input::Command(command, place) => lines.extend(self.command(command, *place)?),
            }
        }
        let section = block.section(&self.play.profile);
        let agrees = match section {
            Some(section) => accept::section_matches(section, &lines),
            None => block.sections.is_empty() || !self.named(),
        };
        self.play.blocks.push(BlockPlay {
            line: block.inputs.first().map_or(0, |input| input.place().line),
            lines,
            expected: section.map(|section| {
                let lines = section.lines.iter().map(|line| line.text.clone());
                (section.first_line, lines.collect())
            }),
            agrees,
        });
        Ok(())
    }

    /// Whether the file names the profile: under another one nothing need be expected.
    fn named(&self) -> bool {
        let profiles = &self.scenario.profiles;
        profiles.iter().any(|(name, _)| *name == self.play.profile)
    }

    fn say(&mut self, session: &str, statement: &Statement) -> Result<Vec<String>, ScenarioError> {
        let said = Entry::Says(session.to_owned(), statement.sql.clone());
        self.play.entries.push(said);
        let before = Waits::of(&self.world);
        let ended = give_and_settle(self.scenario, &mut self.world, session, statement)?;
        Ok(self.settled(&before, &ended))
    }

    /// Takes up what an input changed; gives its lines.
    fn settled(&mut self, before: &Waits, ended: &[Ended]) -> Vec<String> {
        let mut events = say::events(&self.world, before, ended);
        let sessions = self.act.sessions();
        if !sessions.is_empty() && sessions.iter().all(|name| self.world.is_waiting(name)) {
            events.push(Event {
                session: None,
                words: "stuck".to_owned(),
            });
        }
        for event in &events {
            self.play.entries.push(match &event.session {
                Some(session) => Entry::Comes(session.clone(), event.words.clone()),
                None => Entry::Note(event.words.clone()),
            });
        }
        let deadlocks = ended.iter().filter_map(|ended| ended.deadlock.as_ref());
        for found in deadlocks {
            self.play
                .deadlocks
                .push(deadlock::explain(&self.world, found));
        }
        events.iter().map(Event::line).collect()
    }

    fn command(&mut self, command: &Command, place: Place) -> Result<Vec<String>, ScenarioError> {
        let error = |problem| error_at(self.scenario, place, problem);
        let lines = match command {
            Command::Locks(table) => {
                picture::picture(&self.world, &self.act.sessions(), table.as_deref())
            }
            Command::Plan(of) => self.plan(of.as_ref(), place)?,
            Command::Purge => {
                let before = Waits::of(&self.world);
                self.world.purge();
                return Ok(self.settle_after(&before));
            }
            Command::SetPurge(setting) => {
                self.world.set_purge(*setting);
                Vec::new()
            }
            Command::Advance(micros) => {
                let before = Waits::of(&self.world);
                let ended = self.world.advance(*micros);
                let ended = ended.unwrap_or_else(|runaway| panic!("{runaway}"));
                return Ok(self.settled(&before, &ended));
            }
            Command::Crash => {
                self.world.crash();
                vec!["crashed".to_owned()]
            }
            Command::Recover if !self.world.is_down() => return Err(error(Problem::NotDown)),
            Command::Recover => {
                let report = self.world.recover();
                let report = report.map_err(|failed| error(Problem::Files(failed.to_string())))?;
                vec![machine::recovery_words(&report)]
            }
            Command::Explore {
                sessions,
                preemptions,
            } => {
                let program = program(self.act, sessions);
                let bounds = Bounds {
                    schedules_max: self.options.schedules_max,
                    preemptions: *preemptions,
                    ..Bounds::default()
                };
                let found = explore::explore(&self.root, &program, bounds, &mut |_, _| {});
                found
                    .map_err(|what| error(Problem::BadSchedule(what.to_string())))?
                    .lines()
            }
            Command::Replay(schedule) => {
                let program = program(self.act, &[]);
                let outcome = explore::replay(&self.root, &program, schedule);
                let outcome =
                    outcome.map_err(|what| error(Problem::BadSchedule(what.to_string())))?;
                vec![outcome.to_string()]
            }
            Command::Random { count, seed } => {
                let program = program(self.act, &[]);
                explore::random(&self.root, &program, *count, *seed).lines()
            }
            // Only says what `gaplock stress` does by default: real threads are not repeatable.
            Command::Stress { .. } => Vec::new(),
        };
        if !lines.is_empty() {
            self.play.entries.push(Entry::Note(lines.join("\n")));
        }
        Ok(lines)
    }

    fn settle_after(&mut self, before: &Waits) -> Vec<String> {
        let ended = self.world.settle(&mut WakeOrder::default());
        let ended = ended.unwrap_or_else(|runaway| panic!("{runaway}"));
        self.settled(before, &ended)
    }

    /// The plan of a statement, or of the one given last, as EXPLAIN tells it.
    fn plan(
        &mut self,
        of: Option<&(String, Statement)>,
        place: Place,
    ) -> Result<Vec<String>, ScenarioError> {
        let last = self
            .play
            .entries
            .iter()
            .rev()
            .find_map(|entry| match entry {
                Entry::Says(_, sql) => Some(sql.clone()),
                _ => None,
            });
        let statement = match of {
            Some((_, statement)) => statement.clone(),
            None => Statement {
                sql: last.unwrap_or_default(),
                place,
            },
        };
        let explain = Statement {
            sql: format!("{EXPLAIN}{}", statement.sql),
            place: Place {
                // Places within the longer text lead back into the file's.
                column: statement.place.column.saturating_sub(EXPLAIN.len()),
                ..statement.place
            },
        };
        // Nothing is to be purged for the sake of a question; on real files, which cannot be copied,
        // it is asked in place.
        let mut copy = self.world.try_fork();
        if let Some(copy) = &mut copy {
            copy.set_purge(PurgeSetting::Hold);
        }
        let world = copy.as_mut().unwrap_or(&mut self.world);
        let ended = give_and_settle(self.scenario, world, PLANNER_SESSION, &explain)?;
        let own = ended
            .into_iter()
            .find(|ended| ended.session == PLANNER_SESSION);
        Ok(match own.map(|ended| ended.result) {
            Some(Ok(result)) => plan_lines(&result),
            Some(Err(error)) => vec![say::error_words(&error)],
            None => vec![say::waits(world, PLANNER_SESSION)],
        })
    }
}

/// EXPLAIN's rows, each as `column value` pairs without the empty ones.
fn plan_lines(result: &StatementResult) -> Vec<String> {
    result
        .rows
        .iter()
        .map(|row| {
            let pairs = result.columns.iter().zip(row);
            let pairs = pairs.filter(|(_, value)| !value.is_null());
            let words = pairs.map(|(column, value)| format!("{column} {}", value.to_text()));
            words.collect::<Vec<_>>().join(", ")
        })
        .collect()
}
