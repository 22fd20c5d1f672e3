//! A server and its sessions, played one step at a time.
//!
//! Nobody sleeps here: a session that meets a lock says so, and whoever drives the world steps
//! another one. What happens next is defined:
//!
//! O1. A statement runs until it waits or ends.
//! O2. After each new wait the background detector, where the profile has one, runs until it finds
//!     nothing more.
//! O3. A deadlock's victim rolls back before anybody else goes on.
//! O4. Then the sessions that were woken run, in the order in which they were granted.
//! O5. When nobody can run, purge goes as far as read views allow, unless it is held; if that wakes
//!     somebody, O4 holds again.
//! O6. Virtual time moves by [`World::advance`] only.
//!
//! [`World::settle`] plays by O1-O5; exploration calls [`World::step`] itself.

mod digest;

use std::collections::BTreeMap;
use std::sync::Arc;

use gaplock_engine::db::{Deadlock, LockRow, RecoveryReport};
use gaplock_engine::error::RollbackScope;
use gaplock_engine::profile::Profile;
use gaplock_lockmgr::{TrxId, Wake};

use super::machine::Machine;
use super::scenario::PurgeSetting;
use crate::sql::{PlanHint, Server, Session, SqlError, StatementResult, Step, WaitFor};

/// More steps than any sensible statement takes: beyond it, the engine goes in circles.
const STEPS_MAX: usize = 1_000_000;

/// MySQL's number of "Deadlock found".
const ER_LOCK_DEADLOCK: u16 = 1213;

/// A server with named sessions.
pub struct World {
    server: Server,
    machine: Machine,
    /// The server has crashed and was not started again.
    down: bool,
    seats: BTreeMap<String, Seat>,
    /// Sessions that may go on, in the order in which they were woken.
    ready: Vec<Ready>,
    /// Whose transaction it was, also of those that have ended.
    owners: BTreeMap<TrxId, Owner>,
    isolation: Option<String>,
    purge: PurgeSetting,
    now_micros: u64,
}

#[derive(Clone)]
struct Seat {
    session: Session,
    state: SeatState,
    /// The statement that runs, or the last one.
    statement: String,
    /// The transaction that the statement last ran in.
    trx: Option<TrxId>,
    /// How many transactions it has had.
    transactions: u64,
    /// Its own part of the state's digest, if it has not run since that was made.
    digest: Option<u128>,
}

/// Whose transaction it is.
#[derive(Clone)]
struct Owner {
    session: Arc<str>,
    /// The transaction's name in digests: the session's, and which of its transactions it is.
    name: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum SeatState {
    Idle,
    Runnable,
    Waiting,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Ready {
    session: String,
    victim: bool,
}

/// Why a statement could not be given.
#[derive(Clone, Debug, thiserror::Error)]
pub enum GiveError {
    /// The session's last statement has not ended.
    #[error("the session still waits")]
    Waits,
    /// The server has crashed.
    #[error("the server has crashed")]
    Down,
    /// The SQL front refused the text.
    #[error(transparent)]
    Sql(SqlError),
}

/// The engine went in circles: a statement took more steps than any can.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("session {session} did not come to an end in {STEPS_MAX} steps")]
pub struct Runaway {
    /// Whose statement.
    pub session: String,
}

/// What one step of a session came to.
#[derive(Clone, Debug)]
pub enum Stepped {
    /// Go on.
    Progress,
    /// It waits.
    Waits,
    /// The statement ended.
    Ended(Ended),
}

/// A statement that ended.
#[derive(Clone, Debug)]
pub struct Ended {
    /// Whose.
    pub session: String,
    /// How.
    pub result: Result<StatementResult, SqlError>,
    /// The deadlock, when the session was its victim.
    pub deadlock: Option<Arc<Deadlock>>,
}

impl Ended {
    /// Whether it ended because its session was a deadlock's victim.
    #[must_use]
    pub fn is_deadlock(&self) -> bool {
        self.result
            .as_ref()
            .is_err_and(|error| error.code() == ER_LOCK_DEADLOCK)
    }

    /// Whether its whole transaction was rolled back, as a deadlock's victim's is.
    #[must_use]
    pub fn lost_transaction(&self) -> bool {
        let scope = self.result.as_ref().err().map(SqlError::rollback_scope);
        scope == Some(RollbackScope::Transaction)
    }
}

/// What is waited for.
#[derive(Clone, Debug)]
pub enum Wanted {
    /// A lock of the engine.
    Lock(Box<LockRow>),
    /// The metadata lock of a table.
    Metadata(String),
}

/// What a session waits for.
#[derive(Clone, Debug)]
pub struct Waiting {
    /// What it wants.
    pub wanted: Wanted,
    /// The sessions in its way, sorted.
    pub blockers: Vec<String>,
}

/// In which order sessions go on that were woken at once.
#[derive(Clone, Debug, Default)]
pub struct WakeOrder {
    /// For each choice met, which of the sessions to take; 0, the first, beyond the list's end.
    pub picks: Vec<usize>,
    /// For each choice met, how many there were; filled in while playing.
    pub met: Vec<usize>,
}

impl WakeOrder {
    fn choose(&mut self, candidates: usize) -> usize {
        if candidates < 2 {
            return 0;
        }
        let pick = self.picks.get(self.met.len()).copied().unwrap_or(0);
        self.met.push(candidates);
        pick.min(candidates - 1)
    }
}

impl World {
    /// An empty in-memory server; every session gets this isolation level.
    #[must_use]
    pub fn new(profile: Profile, isolation: Option<&str>, purge: PurgeSetting) -> World {
        let world = World::on(Machine::Memory, profile, isolation, purge);
        world.unwrap_or_else(|error| panic!("no memory for a server: {error}"))
    }

    /// The same on a machine that keeps files.
    ///
    /// # Errors
    /// When files cannot be read or written, or are damaged.
    pub fn on(
        machine: Machine,
        profile: Profile,
        isolation: Option<&str>,
        purge: PurgeSetting,
    ) -> Result<World, SqlError> {
        let mut world = World {
            server: machine.start(profile)?,
            machine,
            down: false,
            seats: BTreeMap::new(),
            ready: Vec::new(),
            owners: BTreeMap::new(),
            isolation: isolation.map(str::to_owned),
            purge: PurgeSetting::Drain,
            now_micros: 0,
        };
        world.set_purge(purge);
        Ok(world)
    }

    /// The server's machine loses power, or where there are real files the server is killed: all
    /// sessions are gone, and what they had not committed. Nobody can say anything before
    /// [`Self::recover`].
    pub fn crash(&mut self) {
        self.machine.lose_power();
        self.seats.clear();
        self.ready.clear();
        self.owners.clear();
        self.down = true;
    }

    /// Starts the server again after a crash; what it did to recover.
    ///
    /// # Errors
    /// When files cannot be read or written, or are damaged.
    pub fn recover(&mut self) -> Result<RecoveryReport, SqlError> {
        let profile = self.server.engine.profile().clone();
        // The old server goes first: on real files it has them locked.
        self.server = Server::in_memory(profile.clone())?;
        self.server = self.machine.start(profile)?;
        self.down = false;
        self.set_purge(self.purge);
        Ok(self.server.engine.recovery())
    }

    /// Whether the server has crashed and was not started again.
    #[must_use]
    pub fn is_down(&self) -> bool {
        self.down
    }

    /// Closes the database in good order, where it is kept in files.
    ///
    /// # Errors
    /// When files cannot be written.
    pub fn close(&self) -> Result<(), SqlError> {
        if !self.down {
            self.server.engine.close()?;
        }
        Ok(())
    }

    /// A copy that goes its own way. Nobody may be inside the engine meanwhile, which is so between
    /// steps.
    ///
    /// # Panics
    /// On real files, which cannot be copied.
    #[must_use]
    pub fn fork(&self) -> World {
        self.try_fork()
            .expect("a server that is not on real files can be copied")
    }

    /// The same, in memory; `None` on real files.
    #[must_use]
    pub fn try_fork(&self) -> Option<World> {
        Some(World {
            server: self.server.fork()?,
            machine: Machine::Memory,
            down: self.down,
            seats: self.seats.clone(),
            ready: self.ready.clone(),
            owners: self.owners.clone(),
            isolation: self.isolation.clone(),
            purge: self.purge,
            now_micros: self.now_micros,
        })
    }

    /// The server, for its pictures.
    #[must_use]
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// Whether purge runs by itself.
    pub fn set_purge(&mut self, purge: PurgeSetting) {
        self.purge = purge;
        self.server.engine.hold_purge(purge == PurgeSetting::Hold);
    }

    /// Gives a session a statement; it runs when it is stepped.
    ///
    /// # Errors
    /// The session still waits, or the text is refused.
    pub fn give(&mut self, name: &str, sql: &str, plan: &[PlanHint]) -> Result<(), GiveError> {
        if self.down {
            return Err(GiveError::Down);
        }
        self.open(name)?;
        self.submit(name, sql, plan)
    }

    /// Opens the session if it is new, with the world's isolation level.
    fn open(&mut self, name: &str) -> Result<(), GiveError> {
        if self.seats.contains_key(name) {
            return Ok(());
        }
        let seat = Seat {
            session: Session::new(&self.server),
            state: SeatState::Idle,
            statement: String::new(),
            trx: None,
            transactions: 0,
            digest: None,
        };
        self.seats.insert(name.to_owned(), seat);
        if let Some(level) = self.isolation.clone() {
            let sql = format!("SET SESSION TRANSACTION ISOLATION LEVEL {level}");
            self.submit(name, &sql, &[])?;
            while matches!(self.step(name), Stepped::Progress) {}
            self.seat(name).statement.clear();
        }
        Ok(())
    }

    fn submit(&mut self, name: &str, sql: &str, plan: &[PlanHint]) -> Result<(), GiveError> {
        let World { server, seats, .. } = self;
        let seat = seats.get_mut(name).expect("the session was opened");
        if seat.state != SeatState::Idle {
            return Err(GiveError::Waits);
        }
        if plan.is_empty() {
            seat.session.submit(server, sql)
        } else {
            seat.session.submit_with_plan(server, sql, plan)
        }
        .map_err(GiveError::Sql)?;
        seat.state = SeatState::Runnable;
        seat.digest = None;
        sql.clone_into(&mut seat.statement);
        Ok(())
    }

    fn seat(&mut self, name: &str) -> &mut Seat {
        self.seats.get_mut(name).expect("the session was opened")
    }

    /// Runs one step of a session that can run.
    pub fn step(&mut self, name: &str) -> Stepped {
        self.ready.retain(|ready| ready.session != name);
        let World { server, seats, .. } = self;
        let seat = seats.get_mut(name).expect("the session was opened");
        assert_ne!(
            seat.state,
            SeatState::Idle,
            "an idle session is not stepped"
        );
        seat.digest = None;
        let before = seat.session.trx_id();
        let step = seat.session.step(server);
        let trx = seat.session.trx_id().or(before);
        if let Some(id) = trx {
            seat.trx = Some(id);
            let owner = self.owners.entry(id);
            owner.or_insert_with(|| {
                seat.transactions += 1;
                Owner::new(name, seat.transactions)
            });
        }
        let state = match &step {
            Step::Progress => SeatState::Runnable,
            Step::Wait(_) => SeatState::Waiting,
            Step::Finished(_) => SeatState::Idle,
        };
        self.seat(name).state = state;
        self.collect();
        // This detector works when a wait begins, if not always in the same critical section.
        let checks_put_off = !self.server.engine.detects_in_background();
        if checks_put_off && self.needs_sweep() {
            self.sweep();
        }
        match step {
            Step::Progress => Stepped::Progress,
            Step::Wait(_) => Stepped::Waits,
            Step::Finished(result) => Stepped::Ended(self.ended(name, result)),
        }
    }

    fn ended(&mut self, name: &str, result: Result<StatementResult, SqlError>) -> Ended {
        let victim = result.as_ref().is_err_and(|e| e.code() == ER_LOCK_DEADLOCK);
        let trx = self.seat(name).trx;
        let deadlock = trx.and_then(|trx| self.server.engine.deadlock_of(trx));
        Ended {
            session: name.to_owned(),
            result,
            deadlock: deadlock.filter(|_| victim),
        }
    }

    /// Takes up what the engine said while somebody ran: who was woken, and new deadlocks.
    fn collect(&mut self) {
        for wakeup in self.server.engine.take_wakeups() {
            if let Some(owner) = self.owners.get(&wakeup.trx) {
                self.wake(owner.session.to_string(), wakeup.wake == Wake::Victim);
            }
        }
        // Metadata locks keep no record of the order in which they were granted.
        let waits_no_more = |(_, seat): &(&String, &Seat)| {
            seat.state == SeatState::Waiting && seat.session.wait(&self.server).is_none()
        };
        let woken = self.seats.iter().filter(waits_no_more);
        let woken: Vec<String> = woken.map(|(name, _)| name.clone()).collect();
        for session in woken {
            self.wake(session, false);
        }
    }

    fn wake(&mut self, session: String, victim: bool) {
        let seat = self.seat(&session);
        if seat.state == SeatState::Waiting {
            seat.state = SeatState::Runnable;
            self.ready.push(Ready { session, victim });
        }
    }

    /// Whether the background detector has something to look at.
    #[must_use]
    pub fn needs_sweep(&self) -> bool {
        self.server.engine.lock_table_view().sweep_due()
    }

    /// Runs the background detector until it finds nothing more.
    pub fn sweep(&mut self) {
        self.server.engine.sweep_deadlocks();
        self.collect();
    }

    /// Plays on by O1-O5 until nobody can run; who was given a statement goes first.
    ///
    /// # Errors
    /// A statement that does not come to an end.
    pub fn settle(&mut self, order: &mut WakeOrder) -> Result<Vec<Ended>, Runaway> {
        let mut ended = Vec::new();
        loop {
            while let Some(name) = self.next_runnable(order) {
                ended.extend(self.run_until_blocked(&name)?);
            }
            // Edges also change without a new wait, when locks are granted or inherited.
            if self.needs_sweep() {
                self.sweep();
            } else if !self.purge_wakes_somebody() {
                return Ok(ended);
            }
        }
    }

    fn next_runnable(&self, order: &mut WakeOrder) -> Option<String> {
        let given = self.seats.iter().find(|(name, seat)| {
            let woken = self.ready.iter().any(|ready| ready.session == **name);
            seat.state == SeatState::Runnable && !woken
        });
        if let Some((name, _)) = given {
            return Some(name.clone());
        }
        if let Some(victim) = self.ready.iter().find(|ready| ready.victim) {
            return Some(victim.session.clone());
        }
        if self.ready.is_empty() {
            return None;
        }
        let pick = order.choose(self.ready.len());
        Some(self.ready[pick].session.clone())
    }

    fn run_until_blocked(&mut self, name: &str) -> Result<Option<Ended>, Runaway> {
        for _ in 0..STEPS_MAX {
            match self.step(name) {
                Stepped::Progress => {}
                Stepped::Waits => {
                    if self.needs_sweep() {
                        self.sweep();
                    }
                    return Ok(None);
                }
                Stepped::Ended(ended) => return Ok(Some(ended)),
            }
        }
        Err(Runaway {
            session: name.to_owned(),
        })
    }

    fn purge_wakes_somebody(&mut self) -> bool {
        if self.purge == PurgeSetting::Hold {
            return false;
        }
        self.purge();
        !self.ready.is_empty()
    }

    /// Runs purge as far as read views allow.
    ///
    /// # Panics
    /// When the in-memory disk fails, which it never does.
    pub fn purge(&mut self) {
        let held = self.purge == PurgeSetting::Hold;
        self.server.engine.hold_purge(false);
        let purged = self.server.engine.purge();
        self.server.engine.hold_purge(held);
        if let Err(error) = purged {
            panic!("purge on the in-memory disk failed: {error}");
        }
        self.collect();
    }

    /// Lets virtual time pass; waits that time out on the way end, in order.
    ///
    /// # Errors
    /// A statement that does not come to an end.
    pub fn advance(&mut self, micros: u64) -> Result<Vec<Ended>, Runaway> {
        let target = self.now_micros + micros;
        let mut ended = Vec::new();
        loop {
            let next = self.server.next_expiry();
            let now = next.map_or(target, |next| next.max(self.now_micros).min(target));
            self.now_micros = now;
            self.server.expire(now);
            self.collect();
            ended.extend(self.settle(&mut WakeOrder::default())?);
            if now >= target {
                return Ok(ended);
            }
        }
    }

    /// The sessions, in the order of their names.
    pub fn sessions(&self) -> impl Iterator<Item = &str> {
        self.seats.keys().map(String::as_str)
    }

    /// Whether the session waits.
    #[must_use]
    pub fn is_waiting(&self, name: &str) -> bool {
        let state = self.seats.get(name).map(|seat| seat.state);
        state == Some(SeatState::Waiting)
    }

    /// Whether the session runs a statement and does not wait.
    #[must_use]
    pub fn is_runnable(&self, name: &str) -> bool {
        let state = self.seats.get(name).map(|seat| seat.state);
        state == Some(SeatState::Runnable)
    }

    /// Whether the session stands in a transaction that somebody has to end.
    #[must_use]
    pub fn in_transaction(&self, name: &str) -> bool {
        let seat = self.seats.get(name);
        seat.is_some_and(|seat| seat.session.in_transaction())
    }

    /// Whether the session's statement has not begun to run: it is read, and takes metadata locks.
    #[must_use]
    pub fn is_preparing(&self, name: &str) -> bool {
        let seat = self.seats.get(name);
        seat.is_some_and(|seat| seat.session.is_preparing())
    }

    /// Whether the session is undoing something.
    pub(in crate::lab) fn is_undoing(&self, name: &str) -> bool {
        let seat = self.seats.get(name);
        seat.is_some_and(|seat| seat.session.is_undoing())
    }

    /// The session's transaction, and whether it holds a snapshot.
    pub(in crate::lab) fn transaction_of(&self, name: &str) -> (Option<TrxId>, bool) {
        let seat = self.seats.get(name);
        seat.map_or((None, false), |seat| {
            let snapshot = seat.session.transaction().has_snapshot();
            (seat.session.trx_id(), snapshot)
        })
    }

    /// How many sessions wait.
    pub(in crate::lab) fn waiting_count(&self) -> usize {
        let seats = self.seats.values();
        seats
            .filter(|seat| seat.state == SeatState::Waiting)
            .count()
    }

    /// The statement that the session runs, or ran last.
    #[must_use]
    pub fn statement(&self, name: &str) -> Option<&str> {
        self.seats.get(name).map(|seat| seat.statement.as_str())
    }

    /// The session whose transaction this is or was.
    #[must_use]
    pub fn owner(&self, trx: TrxId) -> Option<&str> {
        self.owners.get(&trx).map(|owner| &*owner.session)
    }

    /// What a waiting session waits for.
    #[must_use]
    pub fn waiting(&self, name: &str) -> Option<Waiting> {
        let seat = self.seats.get(name)?;
        if seat.state != SeatState::Waiting {
            return None;
        }
        if let Some(WaitFor::Metadata(table)) = seat.session.wait(&self.server) {
            let blocking = self.server.mdl.blockers_of(seat.session.id());
            let named = self.seats.iter();
            let blockers = named.filter(|(_, seat)| blocking.contains(&seat.session.id()));
            return Some(Waiting {
                wanted: Wanted::Metadata(table),
                blockers: blockers.map(|(name, _)| name.clone()).collect(),
            });
        }
        let waits = self.server.engine.lock_waits();
        let mine = waits
            .iter()
            .filter(|wait| Some(wait.wanted.trx) == seat.trx);
        let mut blockers: Vec<String> = mine
            .filter_map(|wait| self.owner(wait.blocking.trx))
            .map(str::to_owned)
            .collect();
        blockers.sort();
        blockers.dedup();
        let lock = self.server.engine.waiting_for(seat.trx?)?;
        Some(Waiting {
            wanted: Wanted::Lock(Box::new(lock)),
            blockers,
        })
    }

    /// How many deadlocks have been resolved.
    #[must_use]
    pub fn deadlock_count(&self) -> u64 {
        self.server.engine.deadlock_count()
    }
}
