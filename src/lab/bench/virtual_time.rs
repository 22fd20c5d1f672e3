//! Loads in virtual time: simulated clients on simulated processors step the real engine. The same seed
//! gives the same run, whatever the machine is busy with.
//!
//! An operation makes its steps as soon as it has a processor, and then occupies it for its cost. When
//! it has to wait it gives the processor up, and when it is woken it queues for one again. So locks
//! are held while work is done. A rollback costs a processor too, for each operation that it undoes;
//! locks are let go at the end of that. Whoever is tried again pauses first, without a processor's
//! cost being saved by it: else those who die at once would do so any number of times in no time.
//!
//! - **V1** Events happen in the order of their times, and at one time in the order in which they were
//!   made.
//! - **V2** The engine is told the time before each step, and never steps for two clients at once.
//! - **V3** A detector that works in the background looks after each wait; one that takes its time
//!   looks when that time has come.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::sync::Arc;

use gaplock_engine::db::{Engine, EngineConfig, WaitState};
use gaplock_engine::error::Error;
use gaplock_engine::profile::Profile;
use gaplock_engine::row::{Rollback, Step};
use gaplock_engine::trx::{Isolation, Trx};
use gaplock_lockmgr::TrxId;
use gaplock_wal::MemoryDisk;
use hdrhistogram::Histogram;

use super::figures::{Tally, latencies};
use super::statement::Statement;
use super::workload::Zipf;
use super::{BenchError, Load, Op, Outcome, PolicySet, Stage, Workload};
use crate::lab::chance::Chance;

/// What things cost, in microseconds of virtual time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VirtualClock {
    /// Processors; 0 is as many as there are clients.
    pub processors: usize,
    /// One operation.
    pub op: u64,
    /// Undoing one operation.
    pub undo: u64,
    /// From a rollback to the next attempt.
    pub restart: u64,
}

impl Default for VirtualClock {
    fn default() -> Self {
        VirtualClock {
            processors: 0,
            op: 1_000,
            undo: 250,
            restart: 1_000,
        }
    }
}

/// What a client does when it has a processor, or for how long it has occupied one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Its next operation, or its commit, or the rest of an operation that waited.
    Working,
    /// Its rollback.
    Undoing,
}

struct Client {
    trx: Trx,
    ops: Vec<Op>,
    next: usize,
    statement: Option<Statement>,
    phase: Phase,
    /// When the transaction was first tried.
    since: u64,
    chance: Chance,
    tally: Tally,
}

struct World<'a> {
    stage: Stage,
    clients: Vec<Client>,
    clock: &'a VirtualClock,
    load: &'a Load,
    workload: Workload,
    timeout: Option<u64>,
    zipf: Zipf,
    now: u64,
    /// When each busy client is done: time, ordinal, client.
    events: BinaryHeap<Reverse<(u64, u64, usize)>>,
    next_event: u64,
    /// Who wants a processor, and for how long.
    ready: VecDeque<(usize, u64)>,
    busy: usize,
    asleep: BTreeMap<TrxId, usize>,
    histogram: Histogram<u64>,
    new_key: i128,
    attempts: u64,
}

/// Plays a load in virtual time.
///
/// # Errors
/// When the engine fails otherwise than by a lock.
pub fn run_virtual(
    workload: Workload,
    policies: &PolicySet,
    profile: &Profile,
    load: &Load,
    clock: &VirtualClock,
) -> Result<Outcome, BenchError> {
    let config = EngineConfig {
        keep_provenance: false,
        ..EngineConfig::for_lab(policies.applied_to(profile))
    };
    let engine = Engine::open(config, Arc::new(MemoryDisk::new()))?;
    let mut world = World {
        stage: Stage::new(engine, workload)?,
        clients: Vec::new(),
        clock,
        load,
        workload,
        timeout: policies.timeout,
        zipf: Zipf::default(),
        now: 0,
        events: BinaryHeap::new(),
        next_event: 0,
        ready: VecDeque::new(),
        busy: 0,
        asleep: BTreeMap::new(),
        histogram: latencies(),
        new_key: 0,
        attempts: 0,
    };
    let finished = world.play()?;
    let tallies: Vec<Tally> = world.clients.iter().map(|client| client.tally).collect();
    let mut outcome = Outcome {
        workload: workload.name().to_owned(),
        policies: policies.name.clone(),
        profile: profile.name.clone(),
        mode: "virtual".to_owned(),
        cut_short: !finished,
        ..Outcome::default()
    };
    let locks = world.stage.engine.lock_table_view().figures();
    let seconds = world.now as f64 / 1e6;
    outcome.fill(&tallies, &world.histogram, &locks, seconds);
    Ok(outcome)
}

impl World<'_> {
    /// Plays to the end; whether all transactions were committed.
    fn play(&mut self) -> Result<bool, BenchError> {
        for number in 0..self.load.clients {
            let mut trx = self.stage.engine.begin(Isolation::ReadCommitted);
            if let Some(timeout) = self.timeout {
                self.stage.engine.set_lock_wait_timeout(&mut trx, timeout);
            }
            self.clients.push(Client {
                trx,
                ops: Vec::new(),
                next: 0,
                statement: None,
                phase: Phase::Working,
                since: 0,
                chance: Chance::new(self.load.seed.wrapping_add(1 + number as u64)),
                tally: Tally::default(),
            });
            self.next_transaction(number);
        }
        loop {
            let commits: u64 = self.clients.iter().map(|client| client.tally.commits).sum();
            if commits >= self.load.transactions {
                return Ok(true);
            }
            if self.attempts >= self.load.attempts_max {
                return Ok(false);
            }
            self.dispatch();
            if !self.next_moment()? {
                return Ok(false);
            }
        }
    }

    /// Gives processors to those who want them.
    fn dispatch(&mut self) {
        let processors = match self.clock.processors {
            0 => usize::MAX,
            some => some,
        };
        while self.busy < processors {
            let Some((number, cost)) = self.ready.pop_front() else {
                return;
            };
            self.busy += 1;
            self.next_event += 1;
            self.events
                .push(Reverse((self.now + cost, self.next_event, number)));
        }
    }

    /// Lets time pass until something happens. Returns whether anything ever will.
    fn next_moment(&mut self) -> Result<bool, BenchError> {
        let engine = &self.stage.engine;
        let event = self.events.peek().map(|Reverse((when, ..))| *when);
        let expiry = engine.next_expiry();
        let expires = match (event, expiry) {
            (None, None) => return Ok(false),
            (Some(event), Some(expiry)) => expiry < event,
            (event, _) => event.is_none(),
        };
        if let (true, Some(expiry)) = (expires, expiry) {
            self.now = self.now.max(expiry);
            self.stage.engine.expire(self.now);
            self.stage.engine.sweep_deadlocks();
            self.wake()?;
            return Ok(true);
        }
        if let Some(Reverse((when, _, number))) = self.events.pop() {
            self.now = when;
            self.stage.engine.set_time(when);
            self.busy -= 1;
            self.act(number)?;
            self.wake()?;
        }
        Ok(true)
    }

    /// Lets those go on who were woken, in the order in which they were.
    fn wake(&mut self) -> Result<(), BenchError> {
        for wakeup in self.stage.engine.take_wakeups() {
            if let Some(number) = self.asleep.remove(&wakeup.trx) {
                let state = self.stage.engine.wait_state(&self.clients[number].trx);
                debug_assert!(matches!(state, WaitState::Woken(_)));
                self.ready.push_back((number, 0));
            }
        }
        Ok(())
    }

    /// A new transaction for a client, which wants a processor for its first operation.
    fn next_transaction(&mut self, number: usize) {
        self.new_key += 1;
        let client = &mut self.clients[number];
        client.ops = self
            .workload
            .transaction(&mut client.chance, &self.zipf, self.new_key);
        client.since = self.now;
        self.attempt(number, 0);
    }

    fn attempt(&mut self, number: usize, pause: u64) {
        self.attempts += 1;
        let client = &mut self.clients[number];
        client.next = 0;
        client.statement = None;
        client.phase = Phase::Working;
        self.ready.push_back((number, pause));
    }

    /// What a client has occupied a processor for happens.
    fn act(&mut self, number: usize) -> Result<(), BenchError> {
        match self.clients[number].phase {
            Phase::Working => self.work(number),
            Phase::Undoing => self.undone(number),
        }
    }

    fn work(&mut self, number: usize) -> Result<(), BenchError> {
        let client = &mut self.clients[number];
        let Some(&op) = client.ops.get(client.next) else {
            return self.commit(number);
        };
        let table = &self.stage.table;
        let statement = client
            .statement
            .get_or_insert_with(|| Statement::new(table, op));
        loop {
            match statement.step(&self.stage.engine, &mut client.trx) {
                Ok(Step::Progress) => {}
                Ok(Step::Done(())) => {
                    client.statement = None;
                    client.next += 1;
                    client.tally.ops += 1;
                    self.ready.push_back((number, self.clock.op));
                    return Ok(());
                }
                Ok(Step::Wait) => {
                    if let Some(trx) = client.trx.id {
                        self.asleep.insert(trx, number);
                    }
                    self.stage.engine.sweep_deadlocks();
                    return Ok(());
                }
                Err(Error::Deadlock | Error::LockWaitTimeout) => {
                    return self.begin_rollback(number);
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn begin_rollback(&mut self, number: usize) -> Result<(), BenchError> {
        let client = &mut self.clients[number];
        client.tally.aborts += 1;
        client.tally.ops_wasted += client.next as u64;
        client.phase = Phase::Undoing;
        let cost = self.clock.undo * client.next as u64;
        self.ready.push_back((number, cost));
        Ok(())
    }

    fn undone(&mut self, number: usize) -> Result<(), BenchError> {
        let client = &mut self.clients[number];
        Rollback::all().finish(&self.stage.engine, &mut client.trx)?;
        client.trx.try_again();
        self.attempt(number, self.clock.restart);
        Ok(())
    }

    fn commit(&mut self, number: usize) -> Result<(), BenchError> {
        let client = &mut self.clients[number];
        match self.stage.engine.commit(&mut client.trx) {
            Ok(()) => {}
            Err(Error::Deadlock) => {
                // It was wounded, and is rolled back already.
                client.tally.aborts += 1;
                client.tally.ops_wasted += client.next as u64;
                client.trx.try_again();
                let cost = self.clock.undo * client.next as u64;
                self.attempt(number, cost + self.clock.restart);
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        }
        client.tally.commits += 1;
        client.trx.seniority = gaplock_lockmgr::Seniority::default();
        self.histogram.saturating_record(self.now - client.since);
        self.next_transaction(number);
        Ok(())
    }
}
