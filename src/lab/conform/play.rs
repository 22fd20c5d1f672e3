//! Playing one recording on a fresh in-memory server, step by step, as it was played then.
//!
//! P1. From the expected part of a recording nothing is read but its plans, and of those only
//!     index, order, pushdown and collect-then-update.
//! P2. Where several sessions wake at once and the step disagrees, other wake orders are tried;
//!     a step that agrees only so is counted apart, and the case goes on from there.
//! P4. A recorded plan is of the start. Where our own planner chooses the same there, it goes on
//!     choosing as rows come and go; where not, the recorded one is taken throughout.
//! P3. A panic of the engine ends the case: the step disagrees, with the panic's message.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};

use gaplock_engine::db::{LockKey, LockKind, LockRow, TrxInfo};
use gaplock_engine::profile::Profile;
use gaplock_engine::types::Value;

use super::super::report::deadlock;
use super::super::scenario::PurgeSetting;
use super::super::text;
use super::super::world::{Ended, GiveError, WakeOrder, World};
use super::facts::{LockFact, ResultFacts, StepFacts};
use super::hints::PlanBook;
use super::planner;
use super::score::{self, Verdict};
use super::trace::{PurgeMode, RecordedStep, Recording, Status, Weight};
use crate::sql::{PlanHint, SqlError, StatementResult};

/// Most wake orders tried for one step.
const ORDERS_MAX: usize = 120;

/// The session that runs the set-up, by a name that no recorded session has.
pub(super) const SETUP_SESSION: &str = "(setup)";

/// One case, played and compared.
#[derive(Clone, Debug)]
pub struct CaseScore {
    /// Each step.
    pub steps: Vec<StepScore>,
}

/// One step, compared.
#[derive(Clone, Debug)]
pub struct StepScore {
    /// How it compares.
    pub verdict: Verdict,
    /// It agrees, but only with another wake order (P2).
    pub other_order: bool,
    /// Why each of the engine's locks was taken; only kept where something disagrees.
    pub reasons: BTreeMap<LockFact, String>,
}

impl CaseScore {
    fn agreeing(&self) -> (usize, usize) {
        let outcomes = self.steps.iter().filter(|s| s.verdict.outcome.is_none());
        let locks = self.steps.iter().filter(|s| s.verdict.locks.is_none());
        (outcomes.count(), locks.count())
    }
}

/// Where plans come from while a case is played (P4).
struct Plans<'a> {
    book: &'a PlanBook,
    /// Statements that our own planner plans.
    own: BTreeSet<String>,
}

impl Plans<'_> {
    fn step_hints(&self, recording: &Recording, step: &RecordedStep) -> Vec<PlanHint> {
        if step.plan.is_empty() && self.own.contains(&step.sql) {
            Vec::new()
        } else {
            self.book.step_hints(recording, step)
        }
    }
}

/// What one step came to on the engine.
struct Played {
    facts: StepFacts,
    reasons: BTreeMap<LockFact, String>,
    order: WakeOrder,
}

/// Plays a recording under a profile and compares it with each outcome that counts as agreement;
/// gives the best.
#[must_use]
pub fn play_recording(recording: &Recording, profile: &Profile, plans: &PlanBook) -> CaseScore {
    let mut best: Option<CaseScore> = None;
    for steps in recording.accepted() {
        let score = match guarded(|| set_up(recording, profile)) {
            Ok(Ok(world)) => play_steps(world, recording, steps, plans),
            Ok(Err(what)) | Err(what) => failed_setup(steps, &what),
        };
        let agrees_better = best
            .as_ref()
            .is_none_or(|best| score.agreeing() > best.agreeing());
        if agrees_better {
            best = Some(score);
        }
    }
    best.unwrap_or(CaseScore { steps: Vec::new() })
}

/// Runs something that must not, but may, panic.
pub(super) fn guarded<T>(action: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(action)).map_err(|payload| {
        let message = payload
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| payload.downcast_ref::<&str>().copied())
            .unwrap_or("no message");
        format!("panicked: {message}")
    })
}

fn failed_setup(steps: &[RecordedStep], what: &str) -> CaseScore {
    let steps = steps.iter().map(|step| {
        let mut verdict = score::derailed(step);
        verdict.outcome = Some(format!("the setup failed: {what}"));
        StepScore::of(verdict)
    });
    CaseScore {
        steps: steps.collect(),
    }
}

impl StepScore {
    fn of(verdict: Verdict) -> StepScore {
        StepScore {
            verdict,
            other_order: false,
            reasons: BTreeMap::new(),
        }
    }
}

/// A world with the recording's tables in it, purged, and its purge mode set.
pub(super) fn set_up(recording: &Recording, profile: &Profile) -> Result<World, String> {
    let level = recording.isolation.as_str();
    let mut world = World::new(profile.clone(), Some(level), PurgeSetting::Drain);
    for sql in &recording.setup {
        world
            .give(SETUP_SESSION, sql, &[])
            .map_err(|error| format!("{sql}: {error}"))?;
        let ended = world
            .settle(&mut WakeOrder::default())
            .map_err(|error| error.to_string())?;
        match ended.first().map(|ended| &ended.result) {
            Some(Ok(_)) => {}
            Some(Err(error)) => return Err(format!("{sql}: {error}")),
            None => return Err(format!("{sql}: blocked")),
        }
    }
    if recording.purge == PurgeMode::Hold {
        world.set_purge(PurgeSetting::Hold);
    }
    Ok(world)
}

fn play_steps(
    mut world: World,
    recording: &Recording,
    steps: &[RecordedStep],
    plans: &PlanBook,
) -> CaseScore {
    let mut scores: Vec<StepScore> = Vec::with_capacity(steps.len());
    let own = planner::chosen_alike(world.fork(), recording, plans);
    let plans = Plans { book: plans, own };
    let mut on_track = true;
    for step in steps {
        if !on_track {
            scores.push(StepScore::of(score::derailed(step)));
            continue;
        }
        let score = match guarded(|| play_compared(&mut world, recording, step, &plans)) {
            Ok(Ok(score)) => score,
            Ok(Err(what)) | Err(what) => {
                let mut verdict = score::derailed(step);
                verdict.outcome = Some(what);
                StepScore::of(verdict)
            }
        };
        on_track = score.verdict.outcome.is_none();
        scores.push(score);
    }
    CaseScore { steps: scores }
}

/// Plays a step and compares it, trying other wake orders where that may help (P2).
fn play_compared(
    world: &mut World,
    recording: &Recording,
    step: &RecordedStep,
    plans: &Plans<'_>,
) -> Result<StepScore, String> {
    let before = world.fork();
    let played = play_step(world, recording, step, plans, WakeOrder::default())?;
    let verdict = score::compare(step, &played.facts);
    if verdict.agrees() {
        return Ok(StepScore::of(verdict));
    }
    let mut order = played.order.clone();
    for _ in 0..ORDERS_MAX {
        let Some(next) = next_order(&order) else {
            break;
        };
        let mut other = before.fork();
        let again = play_step(&mut other, recording, step, plans, next)?;
        let verdict = score::compare(step, &again.facts);
        if verdict.agrees() {
            *world = other;
            return Ok(StepScore {
                other_order: true,
                ..StepScore::of(verdict)
            });
        }
        order = again.order;
    }
    Ok(StepScore {
        verdict,
        other_order: false,
        reasons: played.reasons,
    })
}

/// The next combination of picks, counting up from the last choice that was met.
fn next_order(order: &WakeOrder) -> Option<WakeOrder> {
    let mut picks: Vec<usize> = (0..order.met.len())
        .map(|choice| order.picks.get(choice).copied().unwrap_or(0))
        .collect();
    while let Some(last) = picks.pop() {
        if last + 1 < order.met[picks.len()] {
            picks.push(last + 1);
            return Some(WakeOrder {
                picks,
                met: Vec::new(),
            });
        }
    }
    None
}

fn play_step(
    world: &mut World,
    recording: &Recording,
    step: &RecordedStep,
    plans: &Plans<'_>,
    mut order: WakeOrder,
) -> Result<Played, String> {
    let mut facts = StepFacts {
        status: Status::Skipped,
        result: ResultFacts::default(),
        woken: BTreeMap::new(),
        waiting: BTreeSet::new(),
        locks: None,
        locks_truncated: false,
        weights: None,
    };
    let mut reasons = BTreeMap::new();
    if !world.is_waiting(&step.s) {
        let hints = plans.step_hints(recording, step);
        let ended = match world.give(&step.s, &step.sql, &hints) {
            Ok(()) => world.settle(&mut order).map_err(|e| e.to_string())?,
            Err(GiveError::Sql(error)) => vec![Ended {
                session: step.s.clone(),
                result: Err(error),
                deadlock: None,
            }],
            Err(error) => return Err(error.to_string()),
        };
        facts.status = Status::Blocked;
        for Ended {
            session, result, ..
        } in ended
        {
            if session == step.s {
                facts.status = if result.is_ok() {
                    Status::Ok
                } else {
                    Status::Error
                };
                facts.result = result_facts(&result);
            } else {
                facts.woken.insert(session, result_facts(&result));
            }
        }
        reasons = locks(world);
        facts.locks = Some(reasons.keys().cloned().collect());
        facts.weights = Some(weights(world));
    }
    let names: Vec<String> = world.sessions().map(str::to_owned).collect();
    facts.waiting = names.into_iter().filter(|n| world.is_waiting(n)).collect();
    Ok(Played {
        facts,
        reasons,
        order,
    })
}

fn result_facts(result: &Result<StatementResult, SqlError>) -> ResultFacts {
    match result {
        Err(error) => ResultFacts {
            code: Some(error.code()),
            ..ResultFacts::default()
        },
        Ok(result) if result.columns.is_empty() => ResultFacts {
            affected: Some(result.affected),
            ..ResultFacts::default()
        },
        Ok(result) => ResultFacts {
            rows: Some(result.rows.iter().map(|row| fact_row(row)).collect()),
            ..ResultFacts::default()
        },
    }
}

fn fact_row(row: &[Value]) -> Vec<Option<String>> {
    let text = |value: &Value| (!value.is_null()).then(|| value.to_text());
    row.iter().map(text).collect()
}

/// All locks of sessions, each with the statement, step and reason that took it.
fn locks(world: &World) -> BTreeMap<LockFact, String> {
    let rows = world.server().engine.listed_locks();
    rows.iter()
        .filter_map(|row| {
            let session = world.owner(row.trx)?.to_owned();
            Some((lock_fact(session, row), deadlock::why(row)))
        })
        .collect()
}

/// What each session's transaction weighs.
fn weights(world: &World) -> BTreeMap<String, Weight> {
    let trxs = world.server().engine.transactions();
    let weighed = trxs.iter().filter(|trx| trx.lock_structs > 0);
    let weight = |trx: &TrxInfo| {
        let structs = trx.lock_structs as u64;
        Some((
            world.owner(trx.id)?.to_owned(),
            Weight {
                structs,
                rows: trx.row_locks as u64,
                undo: trx.weight.saturating_sub(structs),
            },
        ))
    };
    weighed.filter_map(weight).collect()
}

/// The record as recordings name it: `#n` is the `n`th row id of a table with a hidden key.
fn key_text(key: &LockKey, row_id: Option<u64>) -> String {
    match key {
        LockKey::Supremum => "supremum".to_owned(),
        LockKey::Values(values) => {
            let mut fields = fact_row(values);
            fields.extend(row_id.map(|number| Some(format!("#{number}"))));
            super::facts::row_text(&fields)
        }
    }
}

fn lock_fact(session: String, row: &LockRow) -> LockFact {
    let (mode, span) = match &row.kind {
        LockKind::Table(mode) => (mode.to_string(), None),
        LockKind::Record { mode, span } => (mode.to_string(), Some(text::span(*span))),
    };
    LockFact {
        session,
        table: row.table.clone(),
        index: row.index.clone(),
        key: row.key.as_ref().map(|key| key_text(key, row.row_id)),
        mode,
        span,
        waiting: row.waiting,
    }
}
