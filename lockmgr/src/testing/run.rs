//! A program played against a table, and held to C1 to C9 after each step.

use std::collections::{BTreeMap, BTreeSet};

use super::Report;
use super::program::{Action, Dice, Program};
use crate::{
    Answer, HeapNo, LockInfo, LockMode, LockSpan, LockTable, LockTarget, Micros, OnConflict,
    Origin, Outcome, RecordRequest, Seniority, TableMode, TableRequest, TrxId, WaitEdge, Wake,
    Wakeup,
};

/// Turns for each action of a program until it must be over, where policies claim that all get on.
const TURNS_PER_ACTION: u64 = 4_000;

/// How long requests wait at most, in turns.
const PATIENCE: Micros = 10_000_000;

/// One of the program's transactions.
#[derive(Clone, Debug)]
struct Actor {
    trx: TrxId,
    /// The first of its ids: what its age goes by.
    age: u64,
    restarts: u32,
    next: usize,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Runs,
    Waits,
    Done,
}

/// A program in play.
#[derive(Debug)]
pub struct Run {
    table: LockTable,
    program: Program,
    actors: Vec<Actor>,
    owners: BTreeMap<TrxId, usize>,
    dice: Dice,
    next_trx: u64,
    now: Micros,
    /// Waiting requests in order of arrival, for C8: who, what, and how often it was passed.
    arrivals: Vec<Arrival>,
    report: Report,
    steps: Vec<String>,
}

#[derive(Clone, Debug)]
struct Arrival {
    trx: TrxId,
    target: LockTarget,
    passed: u32,
}

fn require(holds: bool, what: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(what()) }
}

/// C2's matrix, for two locks on the same record that have been granted to different owners: whether
/// both could not be held if the second were asked for now. An insertion that was granted stops nobody,
/// and gaps are shared.
fn conflict(one: &LockTarget, other: &LockTarget) -> bool {
    match (one, other) {
        (
            LockTarget::Record { at, mode, span },
            LockTarget::Record {
                at: at2,
                mode: mode2,
                span: span2,
            },
        ) => {
            let on_records = |span: &LockSpan| matches!(span, LockSpan::Record | LockSpan::NextKey);
            at == at2
                && at.heap != HeapNo::SUPREMUM
                && (*mode == LockMode::X || *mode2 == LockMode::X)
                && on_records(span)
                && on_records(span2)
        }
        (
            LockTarget::Table { table, mode },
            LockTarget::Table {
                table: table2,
                mode: mode2,
            },
        ) => table == table2 && tables_conflict(*mode, *mode2),
        _ => false,
    }
}

fn tables_conflict(one: TableMode, other: TableMode) -> bool {
    use TableMode::{AutoInc, IS, IX, S, X};
    match (one, other) {
        (X, _) | (_, X) => true,
        (S, IX | AutoInc) | (IX | AutoInc, S) | (AutoInc, AutoInc) => true,
        (IS | IX, IS | IX | AutoInc) | (AutoInc, IS | IX) => false,
        (S, IS | S) | (IS, S) => false,
    }
}

/// Whether a waiting lock has to wait for another one, granted or ahead of it: C3's matrix.
fn blocks(wanted: &LockTarget, other: &LockTarget) -> bool {
    let (
        LockTarget::Record { at, mode, span },
        LockTarget::Record {
            at: at2,
            mode: mode2,
            span: span2,
        },
    ) = (wanted, other)
    else {
        return conflict(wanted, other);
    };
    if at != at2 || (*mode == LockMode::S && *mode2 == LockMode::S) {
        return false;
    }
    match (span, span2) {
        (_, LockSpan::InsertIntention) | (LockSpan::Gap, _) => false,
        (LockSpan::InsertIntention, span2) => *span2 != LockSpan::Record,
        (_, LockSpan::Gap) => false,
        _ => at.heap != HeapNo::SUPREMUM,
    }
}

impl Run {
    /// The program on this table, which is empty, before its first step.
    #[must_use]
    pub fn new(table: LockTable, program: &Program) -> Self {
        let mut run = Run {
            table,
            program: program.clone(),
            actors: Vec::new(),
            owners: BTreeMap::new(),
            dice: Dice::new(program.seed ^ 0xD1CE),
            next_trx: 1,
            now: 0,
            arrivals: Vec::new(),
            report: Report {
                programs: 1,
                ..Report::default()
            },
            steps: Vec::new(),
        };
        for number in 0..program.transactions.len() {
            let trx = run.begin(number, None, 0);
            run.actors.push(Actor {
                trx,
                age: trx.0,
                restarts: 0,
                next: 0,
                state: State::Runs,
            });
        }
        run
    }

    /// The steps taken so far, one to a line.
    #[must_use]
    pub fn into_steps(self) -> Vec<String> {
        self.steps
    }

    fn begin(&mut self, number: usize, age: Option<u64>, restarts: u32) -> TrxId {
        let trx = TrxId(self.next_trx);
        self.next_trx += 1;
        self.table.begin_as(
            trx,
            Seniority {
                age,
                restarts,
                priority: (number % 3) as i32,
            },
        );
        self.owners.insert(trx, number);
        trx
    }

    /// Plays the program to its end.
    ///
    /// # Errors
    /// What did not hold.
    pub fn play(&mut self) -> Result<Report, String> {
        let actions: usize = self.program.transactions.iter().map(|t| t.len() + 1).sum();
        let turns_max = actions as u64 * TURNS_PER_ACTION;
        while self.actors.iter().any(|actor| actor.state != State::Done) {
            require(self.report.steps < turns_max, || {
                format!("C9: not over after {turns_max} turns")
            })?;
            self.turn()?;
        }
        let left = self.table.locks();
        require(left.is_empty(), || format!("C1: left over: {left:?}"))?;
        Ok(self.report)
    }

    /// One step of one transaction that can run; or, if none can, what gets them going again.
    fn turn(&mut self) -> Result<(), String> {
        self.now += 1;
        self.report.steps += 1;
        self.table.set_time(self.now);
        let runnable: Vec<usize> = (0..self.actors.len())
            .filter(|&number| self.actors[number].state == State::Runs)
            .collect();
        if runnable.is_empty() {
            return self.rescue();
        }
        let number = self.dice.pick(&runnable);
        let actor = &self.actors[number];
        let (trx, next) = (actor.trx, actor.next);
        match self.program.transactions[number].get(next).copied() {
            Some(action) => self.act(number, trx, action)?,
            None if self.table.is_wounded(trx) => self.roll_back(number)?,
            None => {
                self.steps.push(format!("{trx}: commit"));
                self.actors[number].state = State::Done;
                self.release(trx)?;
            }
        }
        self.after_step()
    }

    /// Nobody can run. A detector that takes its time gets it; one that says it is incomplete leaves
    /// the rest to time-outs.
    fn rescue(&mut self) -> Result<(), String> {
        while let Some(when) = self.table.next_sweep() {
            self.now = self.now.max(when);
            self.table.set_time(self.now);
            self.sweep()?;
            if self.actors.iter().any(|actor| actor.state == State::Runs) {
                return self.after_step();
            }
        }
        require(!self.table.policies().claim_complete(), || {
            format!("C6: nobody can run: {:?}", self.table.wait_edges())
        })?;
        self.report.rescues += 1;
        let when = self.table.next_expiry().ok_or("C6: waits for ever")?;
        self.now = self.now.max(when);
        self.steps.push(format!("time-out at {when}"));
        let wakeups = self.table.expire(when);
        self.tell(&wakeups)?;
        self.after_step()
    }

    fn act(&mut self, number: usize, trx: TrxId, action: Action) -> Result<(), String> {
        self.steps.push(format!("{trx}: {action:?}"));
        let waits = OnConflict::Wait(self.now + PATIENCE + trx.0);
        let answer = match action {
            Action::Record {
                at,
                mode,
                span,
                now_or_never,
            } => self.table.request_record(&RecordRequest {
                trx,
                at,
                mode,
                span,
                implicit: false,
                on_conflict: if now_or_never {
                    OnConflict::Refuse
                } else {
                    waits
                },
                origin: Origin::default(),
            }),
            Action::Table { table, mode } => self.table.request_table(&TableRequest {
                trx,
                table,
                mode,
                on_conflict: waits,
                origin: Origin::default(),
            }),
            Action::Unlock { at, mode } => {
                self.actors[number].next += 1;
                let wakeups = self.table.release_record(trx, at, mode);
                return self.tell(&wakeups);
            }
        };
        self.answered(number, trx, &answer)
    }

    fn answered(&mut self, number: usize, trx: TrxId, answer: &Answer) -> Result<(), String> {
        self.steps.push(format!("  {:?}", answer.outcome));
        self.check_reports(answer)?;
        match answer.outcome {
            Outcome::Waiting => {
                self.report.waits += 1;
                self.actors[number].state = State::Waits;
                if let Some(info) = self.table.waiting_for(trx) {
                    self.arrivals.push(Arrival {
                        trx,
                        target: info.target,
                        passed: 0,
                    });
                }
            }
            Outcome::Granted { .. } | Outcome::Refused | Outcome::QueueFull => {
                self.actors[number].next += 1;
            }
            Outcome::Victim => {}
        }
        self.tell(&answer.wakeups)?;
        if answer.outcome == Outcome::Victim {
            self.roll_back(number)?;
        }
        self.sweep()
    }

    /// C5 and C7.
    fn check_reports(&mut self, answer: &Answer) -> Result<(), String> {
        let prevents = self.table.policies().conflict.as_ref();
        let never = prevents.is_some_and(|policy| policy.claims_deadlock_free());
        for report in &answer.deadlocks {
            self.report.deadlocks += 1;
            require(!never || report.too_deep, || {
                format!("C7: a deadlock: {report:?}")
            })?;
            let members = report.cycle.len();
            require(report.too_deep || members >= 2, || {
                format!("C5: a cycle of {members}")
            })?;
            for (at, member) in report.cycle.iter().enumerate() {
                let next = &report.cycle[(at + 1) % members];
                let linked = member.blocked_by.trx == next.trx
                    && member.wanted.waiting
                    && blocks(&member.wanted.target, &member.blocked_by.target);
                require(linked, || format!("C5: {member:?} and {next:?}"))?;
            }
        }
        Ok(())
    }

    /// Everybody hears the news before anybody acts on it: it has happened in the table.
    fn tell(&mut self, wakeups: &[Wakeup]) -> Result<(), String> {
        let mut to_roll_back = Vec::new();
        for &Wakeup { trx, wake } in wakeups {
            self.steps.push(format!("  {trx}: {wake:?}"));
            let number = self.owners.get(&trx).copied();
            let number = number.ok_or_else(|| format!("C4: {trx} has ended, and got {wake:?}"))?;
            let state = self.actors[number].state;
            require(state == State::Waits, || {
                format!("C4: {trx} does not wait, and got {wake:?}")
            })?;
            self.actors[number].state = State::Runs;
            self.leaves_queue(trx, wake)?;
            match wake {
                Wake::Granted => self.actors[number].next += 1,
                Wake::Retry => {}
                Wake::Victim | Wake::TimedOut => to_roll_back.push(number),
            }
        }
        to_roll_back
            .into_iter()
            .try_for_each(|number| self.roll_back(number))
    }

    /// C8: whoever is granted passes those who came before and still wait.
    fn leaves_queue(&mut self, trx: TrxId, wake: Wake) -> Result<(), String> {
        let Some(at) = self.arrivals.iter().position(|one| one.trx == trx) else {
            return Ok(());
        };
        let gone = self.arrivals.remove(at);
        if wake != Wake::Granted || matches!(gone.target, LockTarget::Table { .. }) {
            return Ok(());
        }
        let bound = self.table.policies().bypass_bound(self.table.config());
        let blocked_itself = self.blocks_others_of(trx, &gone.target);
        for earlier in &mut self.arrivals[..at] {
            if blocks(&gone.target, &earlier.target) && !blocked_itself {
                earlier.passed += 1;
                self.report.passed_max = self.report.passed_max.max(earlier.passed);
                let passed = earlier.passed;
                require(bound.is_none_or(|bound| passed <= bound), || {
                    format!("C8: {} was passed {passed} times", earlier.trx)
                })?;
            }
        }
        Ok(())
    }

    /// Whether by the rules a holder passes those that it blocks itself, and this is one.
    fn blocks_others_of(&self, trx: TrxId, granted: &LockTarget) -> bool {
        let held_too = |lock: &LockInfo| match (lock.target, granted) {
            (LockTarget::Record { at, span, .. }, LockTarget::Record { at: wanted, .. }) => {
                let on_record = matches!(span, LockSpan::Record | LockSpan::NextKey);
                at == *wanted && on_record && lock.target != *granted
            }
            _ => false,
        };
        let bypasses = self.table.config().bypass_blocked_waiters;
        bypasses && self.table.locks_of(trx).iter().any(held_too)
    }

    fn sweep(&mut self) -> Result<(), String> {
        if !self.table.sweep_due() {
            return Ok(());
        }
        let answer = self.table.sweep();
        self.check_reports(&answer)?;
        self.tell(&answer.wakeups)
    }

    fn release(&mut self, trx: TrxId) -> Result<(), String> {
        let wakeups = self.table.release_all(trx);
        self.owners.remove(&trx);
        self.arrivals.retain(|one| one.trx != trx);
        self.tell(&wakeups)?;
        self.sweep()
    }

    /// Ends a transaction; it is tried again with its age, until it has been often enough.
    fn roll_back(&mut self, number: usize) -> Result<(), String> {
        let actor = self.actors[number].clone();
        self.steps.push(format!("{}: rollback", actor.trx));
        self.report.rollbacks += 1;
        let restarts = actor.restarts + 1;
        self.actors[number].state = State::Done;
        if restarts <= self.program.retries {
            let trx = self.begin(number, Some(actor.age), restarts);
            self.actors[number] = Actor {
                trx,
                restarts,
                next: 0,
                state: State::Runs,
                ..actor
            };
        }
        self.release(actor.trx)
    }

    /// C1 to C4.
    fn after_step(&mut self) -> Result<(), String> {
        self.table.check().map_err(|what| format!("C1: {what}"))?;
        let locks = self.table.locks();
        let granted: Vec<&LockInfo> = locks.iter().filter(|lock| !lock.waiting).collect();
        for (at, one) in granted.iter().enumerate() {
            for other in &granted[at + 1..] {
                let together = one.trx == other.trx || !conflict(&one.target, &other.target);
                require(together, || format!("C2: {one:?} and {other:?}"))?;
            }
        }
        for actor in &self.actors {
            let waits = self.table.waiting_for(actor.trx).is_some();
            require(waits == (actor.state == State::Waits), || {
                format!("C4: {} waits: {waits}, but was told otherwise", actor.trx)
            })?;
        }
        self.check_edges(&locks)
    }

    /// C3, both ways as far as the queues' order shows: every edge is a conflict, what detectors see
    /// is what is printed, and whoever waits conflicts with all that it cannot be held together with.
    fn check_edges(&self, locks: &[LockInfo]) -> Result<(), String> {
        let edges = self.table.wait_edges();
        let mut printed: BTreeMap<TrxId, BTreeSet<TrxId>> = BTreeMap::new();
        for WaitEdge { wanted, blocking } in &edges {
            let real = wanted.waiting && blocks(&wanted.target, &blocking.target);
            require(real, || {
                format!("C3: no conflict: {wanted:?}, {blocking:?}")
            })?;
            printed.entry(wanted.trx).or_default().insert(blocking.trx);
        }
        let graph = self.table.graph();
        for wanted in locks.iter().filter(|lock| lock.waiting) {
            let seen: BTreeSet<TrxId> = graph.blockers(wanted.trx).into_iter().collect();
            let known = printed.get(&wanted.trx).cloned().unwrap_or_default();
            require(seen == known && !seen.is_empty(), || {
                format!("C3: {} waits for {seen:?}, or {known:?}", wanted.trx)
            })?;
            let inserts = matches!(
                wanted.target,
                LockTarget::Record {
                    span: LockSpan::InsertIntention,
                    ..
                }
            );
            // An insertion asks again when it is woken, so it need not wait for what came later.
            for held in locks.iter().filter(|lock| !lock.waiting && !inserts) {
                let counts = held.trx != wanted.trx && blocks(&wanted.target, &held.target);
                require(!counts || seen.contains(&held.trx), || {
                    format!("C3: {wanted:?} does not wait for {held:?}")
                })?;
            }
        }
        Ok(())
    }
}
