//! Who can take a step, and the state of a schedule that is being played.

use std::fmt;
use std::hash::Hasher;

use gaplock_engine::db::{DigestDetail, StateDigest};
use gaplock_engine::digest::Digest;
use gaplock_lockmgr::TrxId;

use super::super::say;
use super::super::world::{Ended, GiveError, Stepped, World};
use super::facts::Fact;
use super::footprint::{Footprint, TableBits};
use crate::sql::{Session, SqlError};

/// What the sessions say.
#[derive(Clone, Debug, Default)]
pub struct Program {
    sessions: Vec<Speaker>,
    /// Some statement takes metadata locks that others' can conflict with: definitions and LOCK
    /// TABLES do, those of all other statements never conflict among themselves.
    locks_metadata: bool,
    rules: Rules,
    /// For each session what each of its statements may touch; empty until a search begins.
    uses: Vec<Vec<Footprint>>,
}

/// How finely schedules are cut.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Granularity {
    /// One mini-transaction: where InnoDB gives its latches back.
    #[default]
    Lock,
    /// A statement, up to where it waits.
    Statement,
}

/// What a step is, and who takes some.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// How much a session does in one step.
    pub granularity: Granularity,
    /// How many times a deadlock's victim begins its transaction again.
    pub retries: u32,
    /// Purge takes steps, each as far as read views allow.
    pub purge: bool,
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
    /// Purge.
    Purge,
}

impl Actor {
    /// A number for each actor.
    pub(super) fn code(self) -> u8 {
        match self {
            Actor::Session(place) => place as u8,
            Actor::Detector => u8::MAX - 1,
            Actor::Purge => u8::MAX,
        }
    }

    /// The actor of that number.
    pub(super) fn of_code(code: u8) -> Actor {
        match code {
            u8::MAX => Actor::Purge,
            code if code == u8::MAX - 1 => Actor::Detector,
            place => Actor::Session(usize::from(place)),
        }
    }
}

/// Most sessions that a program may have: their numbers must leave room for the other actors.
pub const SESSIONS_MAX: usize = 200;

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
        let sessions: Vec<Speaker> = speakers.take(SESSIONS_MAX).collect();
        let mut scopes = sessions.iter().flat_map(|speaker| &speaker.statements);
        let locks_metadata = scopes.any(|(_, scope)| *scope == Scope::Definition);
        Program {
            sessions,
            locks_metadata,
            rules: Rules::default(),
            uses: Vec::new(),
        }
    }

    /// Whether steps of this program can commute at all (F4). A transaction that the set-up left
    /// open may undo what no statement of the program names; and the order of commits shows where
    /// purge runs.
    pub(super) fn may_commute(&self, root: &World) -> bool {
        let fresh = |name: &str| root.transaction_of(name) == (None, false);
        !self.locks_metadata && !self.rules.purge && self.sessions().all(fresh)
    }

    /// The same program, with its statements' tables looked up.
    pub(super) fn with_uses(&self, root: &World) -> Program {
        let bits = TableBits::of(&root.server().engine);
        let uses = |(sql, _): &(String, Scope)| {
            let tables = Session::tables_of(sql);
            tables.map_or(Footprint::ANYTHING, |tables| {
                bits.using(tables.iter().map(String::as_str))
            })
        };
        let sessions = self.sessions.iter();
        let uses = sessions.map(|speaker| speaker.statements.iter().map(uses).collect());
        Program {
            uses: uses.collect(),
            ..self.clone()
        }
    }

    /// The same sessions under other rules.
    #[must_use]
    pub fn with_rules(self, rules: Rules) -> Program {
        Program { rules, ..self }
    }

    /// The rules.
    #[must_use]
    pub fn rules(&self) -> Rules {
        self.rules
    }

    /// The sessions' names, in order.
    pub fn sessions(&self) -> impl Iterator<Item = &str> {
        self.sessions.iter().map(|speaker| speaker.name.as_str())
    }

    /// What the session at this place says, without the commit at the end.
    pub fn statements(&self, place: usize) -> impl Iterator<Item = &str> {
        let statements = self.sessions.get(place).map(|speaker| &speaker.statements);
        let said = statements.map_or(&[][..], |all| &all[..all.len() - 1]);
        said.iter().map(|(sql, _)| sql.as_str())
    }

    /// What has to be told apart in a world's state for this program.
    pub(super) fn detail(&self) -> DigestDetail {
        DigestDetail {
            layout: false,
            definitions: self.locks_metadata,
            history: self.rules.purge,
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
        match name.as_str() {
            "*" => return Ok(Actor::Detector),
            "~" => return Ok(Actor::Purge),
            _ => {}
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
            Actor::Purge => "~",
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
    /// Where its transaction began: statements said before it, and their results.
    began: (usize, usize),
    /// How many times it has begun a transaction again.
    retries: u32,
    /// It stood in a transaction before its first statement.
    opened: bool,
}

impl Cursor {
    fn of(world: &World, name: &str) -> Cursor {
        Cursor {
            opened: world.in_transaction(name),
            ..Cursor::default()
        }
    }
}

/// What is written of a schedule's state: everything, but for tests of the tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Parts {
    /// How far each session is.
    pub(super) progress: bool,
    /// What their statements came to.
    pub(super) results: bool,
    /// The database and the sessions' own states.
    pub(super) database: bool,
}

impl Parts {
    pub(super) const ALL: Parts = Parts {
        progress: true,
        results: true,
        database: true,
    };
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
    /// What the last step did that is worth telling.
    pub(super) facts: Vec<Fact>,
    /// What the last step may have touched.
    pub(super) footprint: Footprint,
}

impl Node {
    pub(super) fn root(world: &World, program: &Program) -> Node {
        Node {
            world: world.fork(),
            cursors: program
                .sessions()
                .map(|name| Cursor::of(world, name))
                .collect(),
            schedule: Vec::new(),
            last: None,
            preemptions: 0,
            deadlocked: false,
            facts: Vec::new(),
            footprint: Footprint::ANYTHING,
        }
    }

    pub(super) fn fork(&self) -> Node {
        Node {
            world: self.world.fork(),
            cursors: self.cursors.clone(),
            schedule: self.schedule.clone(),
            facts: Vec::new(),
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
        if program.rules.purge && !self.done() && self.world.purge_due() {
            actors.push(Actor::Purge);
        }
        actors
    }

    /// Whether taking this actor next leaves a session that could have gone on.
    pub(super) fn preempts(&self, actor: Actor, enabled: &[Actor]) -> bool {
        let left = self
            .last
            .filter(|last| *last != actor && enabled.contains(last));
        left.is_some() && matches!(actor, Actor::Session(_))
    }

    /// Takes one step.
    pub(super) fn take(&mut self, program: &Program, actor: Actor) {
        self.schedule.push(actor);
        self.facts.clear();
        self.footprint = Footprint::ANYTHING;
        let deadlocks = self.world.deadlock_count();
        let waiting = self.world.waiting_count();
        match actor {
            Actor::Detector => self.world.sweep(),
            Actor::Purge => self.world.purge(),
            Actor::Session(place) => {
                self.last = Some(actor);
                let name = &program.sessions[place].name;
                let before = self.world.transaction_of(name);
                let undid = self.world.is_undoing(name);
                while self.step_session(program, place) {}
                // F3: a wait that began and one that ended leave their number as it was, but a
                // wait that began is a fact.
                if waiting == self.world.waiting_count() && self.facts.is_empty() {
                    self.footprint = self.touched(program, place, before, undid);
                }
            }
        }
        let new = self.world.deadlock_count() - deadlocks;
        self.deadlocked |= new > 0;
        let found = self.world.server().engine.latest_deadlocks(new);
        self.facts
            .extend(found.iter().map(|found| Fact::cycle(&self.world, found)));
    }

    /// What the session's step may have touched, if it concerned no wait.
    fn touched(
        &self,
        program: &Program,
        place: usize,
        before: (Option<TrxId>, bool),
        undid: bool,
    ) -> Footprint {
        let Speaker { name, statements } = &program.sessions[place];
        let Some(uses) = program.uses.get(place) else {
            return Footprint::ANYTHING;
        };
        let said = self.cursors[place].said.min(statements.len());
        let (trx, snapshot) = self.world.transaction_of(name);
        let ends = before.0.is_some() && before.0 != trx || before.1 && !snapshot;
        let mut all = if ends || undid || self.world.is_undoing(name) {
            uses[..said]
                .iter()
                .fold(Footprint::NOTHING, |all, own| all.with(*own))
        } else {
            // Several statements, if the others concerned the session only.
            uses[said.saturating_sub(1)]
        };
        if ends {
            all = all.ending();
        }
        if snapshot && (!before.1 || ends) {
            all = all.opening_view();
        }
        all
    }

    /// Writes everything that decides how the schedule goes on and what it will have come to.
    pub(super) fn digest(
        &mut self,
        detail: DigestDetail,
        parts: Parts,
        out: &mut Digest,
    ) -> Result<StateDigest, SqlError> {
        for cursor in &self.cursors {
            let Cursor {
                said,
                done,
                results,
                began,
                retries,
                opened: _,
            } = cursor;
            if parts.progress {
                out.write_usize(*said);
                out.write_u8(u8::from(*done));
                out.write_usize(began.0);
                out.write_usize(began.1);
                out.write_u32(*retries);
            }
            if parts.results {
                out.write_usize(results.len());
                let all = results.iter();
                all.for_each(|words| out.write_bytes(words.as_bytes()));
            }
        }
        if parts.database {
            return self.world.digest(detail, out);
        }
        Ok(StateDigest::default())
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
        let whole = program.rules.granularity == Granularity::Statement;
        match self.world.step(name) {
            Stepped::Progress => private || whole,
            Stepped::Waits => {
                self.facts.push(Fact::wait(&self.world, name));
                false
            }
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
        if ended.is_deadlock() {
            if ended.deadlock.is_none() {
                // The other domain, metadata locks, keeps no reports.
                self.facts.push(Fact::metadata_deadlock(name));
            }
            self.deadlocked = true;
            if cursor.retries < program.rules.retries && ended.lost_transaction() {
                self.begin_again(program, place);
                return false;
            }
        } else if !self.world.in_transaction(name) {
            cursor.began = (cursor.said, cursor.results.len());
        }
        // The commit at the end is left out where there is nothing to commit.
        let committed = left == 1 && !self.world.in_transaction(name);
        cursor.done = left == 0 || committed || ended.lost_transaction();
        cursor.done
    }

    /// Goes back to where the session's transaction began, as an application does that is told to
    /// try again. A BEGIN of the set-up is said again too.
    fn begin_again(&mut self, program: &Program, place: usize) {
        let Speaker { name, statements } = &program.sessions[place];
        let cursor = &mut self.cursors[place];
        cursor.retries += 1;
        cursor.said = cursor.began.0;
        cursor.results.truncate(cursor.began.1);
        let begins = statements[cursor.said].1 == Scope::Begin;
        if !begins && cursor.opened {
            let given = self.world.give(name, "BEGIN", &[]);
            while given.is_ok() && matches!(self.world.step(name), Stepped::Progress) {}
        }
    }

    /// Whether every session has said everything.
    pub(super) fn done(&self) -> bool {
        self.cursors.iter().all(|cursor| cursor.done)
    }

    /// What each session's statements came to.
    pub(super) fn results<'a>(&'a self, program: &'a Program) -> impl Iterator<Item = SoFar<'a>> {
        let ends = program.sessions().zip(&self.cursors);
        ends.map(|(name, cursor)| SoFar {
            name,
            results: &cursor.results,
            retries: cursor.retries,
        })
    }
}

/// What one session has come to.
pub(super) struct SoFar<'a> {
    pub(super) name: &'a str,
    pub(super) results: &'a [String],
    pub(super) retries: u32,
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
