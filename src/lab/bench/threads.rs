//! Loads with real threads: one for each client, through the blocking driver. What they come to
//! depends on the machine and what else it is doing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::thread;

use gaplock_engine::blocking::Driver;
use gaplock_engine::db::{Engine, EngineConfig};
use gaplock_engine::error::Error;
use gaplock_engine::profile::Profile;
use gaplock_engine::row::Rollback;
use gaplock_engine::trx::{Isolation, Trx};
use gaplock_wal::MemoryDisk;
use hdrhistogram::Histogram;

use super::figures::{Tally, latencies};
use super::statement::Statement;
use super::workload::Zipf;
use super::{BenchError, Load, Op, Outcome, PolicySet, Stage, Workload};
use crate::lab::chance::Chance;

/// What the threads of a run share.
struct Shared<'a> {
    stage: &'a Stage,
    driver: Driver<'a>,
    load: &'a Load,
    /// Microseconds.
    clock: &'a (dyn Fn() -> u64 + Sync),
    stop: &'a AtomicBool,
    commits: AtomicU64,
    attempts: AtomicU64,
    new_key: AtomicI64,
    zipf: Zipf,
}

/// Plays a load with real threads until all transactions are committed, attempts run out, or `stop`
/// is set. `clock` tells microseconds.
///
/// # Errors
/// When the engine fails otherwise than by a lock.
pub fn run_threads(
    workload: Workload,
    policies: &PolicySet,
    profile: &Profile,
    load: &Load,
    clock: &(dyn Fn() -> u64 + Sync),
    stop: &AtomicBool,
) -> Result<Outcome, BenchError> {
    let config = EngineConfig::for_threads(policies.applied_to(profile));
    let engine = Engine::open(config, Arc::new(MemoryDisk::new()))?;
    let stage = Stage::new(engine, workload)?;
    let shared = Shared {
        stage: &stage,
        driver: Driver::new(&stage.engine),
        load,
        clock,
        stop,
        commits: AtomicU64::new(0),
        attempts: AtomicU64::new(0),
        new_key: AtomicI64::new(0),
        zipf: Zipf::default(),
    };
    let begin = clock();
    let clients: Vec<Result<(Tally, Histogram<u64>), Error>> = thread::scope(|scope| {
        let spawn = |number| {
            let shared = &shared;
            scope.spawn(move || client(shared, workload, policies.timeout, number))
        };
        let threads: Vec<_> = (0..load.clients).map(spawn).collect();
        let join = |thread: thread::ScopedJoinHandle<'_, _>| {
            thread
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        };
        threads.into_iter().map(join).collect()
    });
    let seconds = (clock() - begin) as f64 / 1e6;
    let mut histogram = latencies();
    let mut tallies = Vec::new();
    for client in clients {
        let (tally, own) = client?;
        let same_digits = histogram.add(&own);
        same_digits.expect("all histograms are alike");
        tallies.push(tally);
    }
    let mut outcome = Outcome {
        workload: workload.name().to_owned(),
        policies: policies.name.clone(),
        profile: profile.name.clone(),
        mode: "threads".to_owned(),
        cut_short: shared.commits.load(Ordering::Relaxed) < load.transactions,
        ..Outcome::default()
    };
    let locks = stage.engine.lock_table_view().figures();
    outcome.fill(&tallies, &histogram, &locks, seconds);
    Ok(outcome)
}

/// One client's loop.
fn client(
    shared: &Shared<'_>,
    workload: Workload,
    timeout: Option<u64>,
    number: usize,
) -> Result<(Tally, Histogram<u64>), Error> {
    let engine = &shared.stage.engine;
    let mut chance = Chance::new(shared.load.seed.wrapping_add(1 + number as u64));
    let mut trx = engine.begin(Isolation::ReadCommitted);
    if let Some(timeout) = timeout {
        engine.set_lock_wait_timeout(&mut trx, timeout);
    }
    let (mut tally, mut histogram) = (Tally::default(), latencies());
    while shared.commits.load(Ordering::Relaxed) < shared.load.transactions {
        let key = shared.new_key.fetch_add(1, Ordering::Relaxed);
        let ops = workload.transaction(&mut chance, &shared.zipf, i128::from(key));
        let since = (shared.clock)();
        while !attempt(shared, &mut trx, &ops, &mut tally)? {
            trx.try_again();
            if shared.gives_up() {
                return Ok((tally, histogram));
            }
        }
        trx.seniority = gaplock_lockmgr::Seniority::default();
        histogram.saturating_record((shared.clock)() - since);
        tally.commits += 1;
        shared.commits.fetch_add(1, Ordering::Relaxed);
        if shared.gives_up() {
            break;
        }
    }
    Ok((tally, histogram))
}

impl Shared<'_> {
    fn gives_up(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
            || self.attempts.load(Ordering::Relaxed) >= self.load.attempts_max
    }
}

/// One attempt at a transaction; whether it was committed. If it was not, it is rolled back.
fn attempt(
    shared: &Shared<'_>,
    trx: &mut Trx,
    ops: &[Op],
    tally: &mut Tally,
) -> Result<bool, Error> {
    shared.attempts.fetch_add(1, Ordering::Relaxed);
    for (done, &op) in ops.iter().enumerate() {
        let mut statement = Statement::new(&shared.stage.table, op);
        let run = shared
            .driver
            .run(trx, |engine, trx| statement.step(engine, trx));
        match run {
            Ok(()) => tally.ops += 1,
            Err(error @ (Error::Deadlock | Error::LockWaitTimeout)) => {
                if matches!(error, Error::LockWaitTimeout) {
                    Rollback::all().finish(&shared.stage.engine, trx)?;
                }
                tally.aborts += 1;
                tally.ops_wasted += done as u64;
                return Ok(false);
            }
            Err(error) => return Err(error),
        }
    }
    match shared.stage.engine.commit(trx) {
        Ok(()) => Ok(true),
        Err(Error::Deadlock) => {
            tally.aborts += 1;
            tally.ops_wasted += ops.len() as u64;
            Ok(false)
        }
        Err(error) => Err(error),
    }
}
