//! Who can take a step, and the state of a schedule that is being played.

use std::fmt;

use super::super::say;
use super::super::world::{Ended, GiveError, Stepped, World};

/// What the sessions say.
#[derive(Clone, Debug, Default)]
pub struct Program {
    sessions: Vec<Speaker>,
    /// Some statement takes metadata locks that others' can conflict with: definitions and LOCK
    /// TABLES do, those of all other statements never conflict among themselves.
    locks_metadata: bool,
}

#[derive(Clone, Debug)]
struct Speaker {
    name: String,
    /// Its statements, and the commit after them.
    statements: Vec<(String, Scope)>,
}

/// Whom a statement concerns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scope {
    /// Its session only.
    Session,
    /// Its session only, unless it ends a transaction first.
    Begin,
    /// Others, from its first step on.
    Ending,
    /// Others, once it is read and planned.
    Data,
    /// Others, also by its metadata locks.
    Definition,
}

impl Scope {
    fn of(sql: &str) -> Scope {
        let upper = sql.to_ascii_uppercase();
        match upper.split_whitespace().next().unwrap_or_default() {
            "SAVEPOINT" => Scope::Session,
            // Switching autocommit on commits.
            "SET" if !upper.contains("AUTOCOMMIT") => Scope::Session,
            "BEGIN" => Scope::Begin,
            "START" if !upper.contains("SNAPSHOT") => Scope::Begin,
            "START" | "SET" | "COMMIT" | "ROLLBACK" | "UNLOCK" => Scope::Ending,
            "CREATE" | "ALTER" | "DROP" | "TRUNCATE" | "RENAME" | "LOCK" => Scope::Definition,
            _ => Scope::Data,
        }
    }
}

/// A schedule that can't be played.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    /// A name that no session has.
    #[error("`{0}` is no session")]
    NoSession(String),
    /// Somebody is to step who can't.
    #[error("at step {step}, {actor} cannot run")]
    CannotRun {
        /// The step, from 1.
        step: usize,
        /// Who.
        actor: String,
    },
}

/// Whoever takes a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Actor {
    /// The session at this place of the program.
    Session(usize),
    /// The background detector.
    Detector,
}

impl Program {
    /// The program of these sessions: each one's name and statements.
    #[must_use]
    pub fn new(sessions: Vec<(String, Vec<String>)>) -> Program {
        let speakers = sessions.into_iter().map(|(name, statements)| Speaker {
            name,
            statements: statements
                .into_iter()
                .chain(["COMMIT".to_owned()])
                .map(|sql| {
                    let scope = Scope::of(&sql);
                    (sql, scope)
                })
                .collect(),
        });
        let sessions: Vec<Speaker> = speakers.collect();
        let mut scopes = sessions.iter().flat_map(|speaker| &speaker.statements);
        let locks_metadata = scopes.any(|(_, scope)| *scope == Scope::Definition);
        Program {
            sessions,
            locks_metadata,
        }
    }

    /// A schedule as text: letters if all sessions have one-letter names, else names.
    #[must_use]
    pub fn write_schedule(&self, schedule: &[Actor]) -> String {
        let short = self.has_short_names();
        let names: Vec<&str> = schedule.iter().map(|actor| self.name(*actor)).collect();
        names.join(if short { "" } else { " " })
    }

    /// Reads what [`Program::write_schedule`] wrote.
    ///
    /// # Errors
    /// A name that no session has.
    pub fn read_schedule(&self, text: &str) -> Result<Vec<Actor>, ScheduleError> {
        let short = self.has_short_names();
        let names: Vec<String> = if short {
            let letters = text.chars().filter(|c| !c.is_whitespace());
            letters.map(String::from).collect()
        } else {
            text.split_whitespace().map(str::to_owned).collect()
        };
        names.into_iter().map(|name| self.actor(name)).collect()
    }

    fn has_short_names(&self) -> bool {
        self.sessions.iter().all(|speaker| speaker.name.len() == 1)
    }

    fn actor(&self, name: String) -> Result<Actor, ScheduleError> {
        if name == "*" {
            return Ok(Actor::Detector);
        }
        let place = self
            .sessions
            .iter()
            .position(|speaker| speaker.name == name);
        place
            .map(Actor::Session)
            .ok_or(ScheduleError::NoSession(name))
    }

    /// The actor's name.
    #[must_use]
    pub fn name(&self, actor: Actor) -> &str {
        match actor {
            Actor::Session(place) => &self.sessions[place].name,
            Actor::Detector => "*",
        }
    }
}

/// One session's progress.
#[derive(Clone, Debug, Default)]
struct Cursor {
    /// Statements said, the commit among them.
    said: usize,
    /// It has nothing more to say.
    done: bool,
    /// What its statements came to.
    results: Vec<String>,
}

/// A schedule that is being played.
pub(super) struct Node {
    pub(super) world: World,
    cursors: Vec<Cursor>,
    /// Who stepped, in order.
    pub(super) schedule: Vec<Actor>,
    /// Who stepped last, the detector apart.
    pub(super) last: Option<Actor>,
    /// Switches away from a session that could have gone on.
    pub(super) preemptions: u32,
    /// Somebody was chosen as a victim.
    pub(super) deadlocked: bool,
}

impl Node {
    pub(super) fn root(world: &World, program: &Program) -> Node {
        Node {
            world: world.fork(),
            cursors: vec![Cursor::default(); program.sessions.len()],
            schedule: Vec::new(),
            last: None,
            preemptions: 0,
            deadlocked: false,
        }
    }

    pub(super) fn fork(&self) -> Node {
        Node {
            world: self.world.fork(),
            cursors: self.cursors.clone(),
            schedule: self.schedule.clone(),
            ..*self
        }
    }

    /// Whoever can take the next step, sessions in the program's order.
    pub(super) fn enabled(&self, program: &Program) -> Vec<Actor> {
        let sessions = program.sessions.iter().enumerate();
        let sessions = sessions.filter(|(place, speaker)| {
            !self.cursors[*place].done && !self.world.is_waiting(&speaker.name)
        });
        let mut actors: Vec<Actor> = sessions.map(|(place, _)| Actor::Session(place)).collect();
        if self.world.needs_sweep() {
            actors.push(Actor::Detector);
        }
        actors
    }

    /// Whether taking this actor next leaves a session that could have gone on.
    pub(super) fn preempts(&self, actor: Actor, enabled: &[Actor]) -> bool {
        let left = self
            .last
            .filter(|last| *last != actor && enabled.contains(last));
        left.is_some() && actor != Actor::Detector
    }

    /// Takes one step.
    pub(super) fn take(&mut self, program: &Program, actor: Actor) {
        self.schedule.push(actor);
        match actor {
            Actor::Detector => self.world.sweep(),
            Actor::Session(place) => {
                self.last = Some(actor);
                while self.step_session(program, place) {}
            }
        }
    }

    /// One step of a session; true when it concerned the session only, so that another follows.
    fn step_session(&mut self, program: &Program, place: usize) -> bool {
        let Speaker { name, statements } = &program.sessions[place];
        let cursor = &mut self.cursors[place];
        if !self.world.is_runnable(name) {
            cursor.said += 1;
            if let Err(error) = self.world.give(name, &statements[cursor.said - 1].0, &[]) {
                cursor.results.push(refusal(&error));
                cursor.done = cursor.said == statements.len();
                return false;
            }
        }
        let private = match statements[cursor.said - 1].1 {
            Scope::Session => true,
            Scope::Begin => !self.world.in_transaction(name),
            Scope::Data => !program.locks_metadata && self.world.is_preparing(name),
            Scope::Ending | Scope::Definition => false,
        };
        let deadlocks = self.world.deadlock_count();
        let stepped = self.world.step(name);
        self.deadlocked |= self.world.deadlock_count() > deadlocks;
        match stepped {
            Stepped::Progress => private,
            Stepped::Waits => false,
            Stepped::Ended(ended) => {
                let done = self.statement_ended(program, place, &ended);
                private && !done
            }
        }
    }

    /// Takes up a statement's result; true when its session is done (E1).
    fn statement_ended(&mut self, program: &Program, place: usize, ended: &Ended) -> bool {
        let Speaker { name, statements } = &program.sessions[place];
        let cursor = &mut self.cursors[place];
        let left = statements.len() - cursor.said;
        if left > 0 {
            let words = say::ended_words(&self.world, ended, false);
            cursor.results.push(words);
        }
        self.deadlocked |= ended.is_deadlock();
        // The commit at the end is left out where there is nothing to commit.
        let committed = left == 1 && !self.world.in_transaction(name);
        cursor.done = left == 0 || committed || ended.lost_transaction();
        cursor.done
    }

    /// Whether every session has said everything.
    pub(super) fn done(&self) -> bool {
        self.cursors.iter().all(|cursor| cursor.done)
    }

    /// What each session's statements came to.
    pub(super) fn results<'a>(
        &'a self,
        program: &'a Program,
    ) -> impl Iterator<Item = (&'a str, &'a [String])> {
        let names = program.sessions.iter().map(|speaker| speaker.name.as_str());
        names.zip(self.cursors.iter().map(|cursor| cursor.results.as_slice()))
    }
}

fn refusal(error: &GiveError) -> String {
    match error {
        GiveError::Waits => "busy".to_owned(),
        GiveError::Down => error.to_string(),
        GiveError::Sql(error) => say::error_words(error),
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node")
            .field("schedule", &self.schedule)
            .finish_non_exhaustive()
    }
}
