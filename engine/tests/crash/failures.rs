//! Every call failing, in nine fashions (B4, B5): the right answer or a typed error; nothing is
//! acknowledged once writes are refused; and opening it anew finds a prefix of the commits that has
//! every acknowledged one.

use std::sync::Arc;

use gaplock_wal::fault::{Calls, CrashSettings, Fault, FaultDisk, Reason, SyncFault, Times};
use parking_lot::Mutex;

use crate::{
    Shared, for_each,
    model::contents,
    play::{Player, commit_one_more, open},
    reached,
    scripts::{Script, all},
};

const FAULTS: [Fault; 9] = [
    Fault::Error(Reason::InputOutput),
    Fault::Error(Reason::NoSpace),
    Fault::Error(Reason::TooManyFiles),
    Fault::ErrorAfterwards(Reason::InputOutput),
    Fault::Short {
        bytes: 700,
        reason: Reason::NoSpace,
    },
    Fault::Short {
        bytes: 5000,
        reason: Reason::InputOutput,
    },
    Fault::Sync(SyncFault::KeptInCache),
    Fault::Sync(SyncFault::Reverted),
    Fault::Sync(SyncFault::ReportedLate),
];

#[derive(Debug, Default)]
struct Counts {
    runs: u64,
    /// Runs after which writes were refused.
    refusing: u64,
    /// Runs in which a statement failed and the engine went on.
    passing: u64,
    states: u64,
    wrong: Vec<String>,
}

#[test]
fn every_call_may_fail() {
    let scripts = all();
    let total: Shared<Counts> = Mutex::default();
    for_each(scripts.len(), |at| {
        let script = &scripts[at];
        let calls = calls_of(script);
        let mut counts = Counts::default();
        for number in 0..calls {
            // Each call fails in three of the fashions, in turn, once and for ever.
            for fault in (0..3).map(|more| FAULTS[(number as usize + 3 * more) % FAULTS.len()]) {
                for times in [Times::Once, Times::Forever] {
                    let what = format!("{}: {fault:?} {times:?} from call {number}", script.name);
                    if let Err(wrong) = with_failure(script, number, (fault, times), &mut counts) {
                        counts.wrong.push(format!("{wrong}\n  {what}"));
                    }
                }
            }
        }
        let mut total = total.lock();
        total.runs += counts.runs;
        total.refusing += counts.refusing;
        total.passing += counts.passing;
        total.states += counts.states;
        total.wrong.append(&mut counts.wrong);
    });
    let total = total.into_inner();
    let some = total.wrong[..total.wrong.len().min(12)].join("\n\n");
    assert!(
        total.wrong.is_empty(),
        "{} wrong:\n{some}",
        total.wrong.len()
    );
    reached(&[
        ("runs of the engine with a failing call", total.runs, 19_000),
        ("after which writes were refused", total.refusing, 3_500),
        ("in which the engine went on", total.passing, 1_800),
        ("crash states after a failing call", total.states, 28_000),
    ]);
}

/// How many calls a script makes when none fails.
fn calls_of(script: &Script) -> u64 {
    let disk = Arc::new(FaultDisk::new());
    let mut player = Player::create(script, Arc::clone(&disk)).expect("a disk that works");
    for op in &script.ops {
        player.op(*op).expect("a disk that works");
    }
    disk.calls()
}

fn with_failure(
    script: &Script,
    number: u64,
    (fault, times): (Fault, Times),
    counts: &mut Counts,
) -> Result<(), String> {
    counts.runs += 1;
    let disk = Arc::new(FaultDisk::new());
    disk.fail(Calls::from(number), fault, times);
    let Ok(mut player) = Player::create(script, Arc::clone(&disk)) else {
        disk.heal();
        return begin_anew(script, &disk);
    };
    let mut failed = false;
    for op in &script.ops {
        failed |= player.op(*op).is_err();
        let Some(engine) = &player.engine else { break };
        if engine.failure().is_some() {
            counts.refusing += 1;
            refuses(&mut player)?;
            break;
        }
    }
    if let Some(wrong) = player.wrong {
        return Err(wrong);
    }
    let sticky = player
        .engine
        .as_ref()
        .is_none_or(|engine| engine.failure().is_some());
    counts.passing += u64::from(failed && !sticky);
    player.engine = None;
    disk.heal();
    let lied = fault == Fault::Sync(SyncFault::ReportedLate);
    player.forget_unpromised();
    if lied {
        player.forget_acknowledged_after(number);
    }
    // The process ends; or the power fails as well.
    judge(script, &player, disk.copy(), lied, "opened again")?;
    let settings = CrashSettings {
        exhaustive_up_to: 1,
        subsets: 0,
        torn: 1,
        torn_together: 1,
        seed: number,
    };
    for state in disk.crash_states(&settings).take(4) {
        counts.states += 1;
        judge(script, &player, state.disk.copy(), lied, &state.to_string())?;
    }
    Ok(())
}

/// What could not be made was promised to nobody; but the next attempt must succeed, or say why not.
fn begin_anew(script: &Script, disk: &Arc<FaultDisk>) -> Result<(), String> {
    for left in [disk.copy(), disk.without_unsynced()] {
        let left = Arc::new(left);
        // A sync that failed before may only be reported now, once.
        let engine = open(script, Arc::clone(&left)).or_else(|_| open(script, left));
        let engine = engine.map_err(|error| format!("cannot be made any more: {error}"))?;
        let check = engine.check().map_err(|error| error.to_string())?;
        if !check.problems.is_empty() {
            return Err(format!("{:?}", check.problems));
        }
    }
    Ok(())
}

/// P4: nothing is changed or acknowledged after a failure.
fn refuses(player: &mut Player<'_>) -> Result<(), String> {
    let before = player.history.0.len();
    let changed = player.try_one_more();
    if changed.is_ok() || player.history.0.len() != before {
        return Err("a write was taken after a failure".into());
    }
    Ok(())
}

fn judge(
    script: &Script,
    player: &Player<'_>,
    left: FaultDisk,
    lied: bool,
    how: &str,
) -> Result<(), String> {
    let disk = Arc::new(left);
    let engine = match open(script, Arc::clone(&disk)) {
        Ok(engine) => engine,
        // What a sync has lied about may be told as damage.
        Err(_) if lied => return Ok(()),
        Err(error) => return Err(format!("{error}: {how}")),
    };
    let told = |error| format!("{error}: {how}");
    let check = match engine.check() {
        Err(_) if lied => return Ok(()),
        check => check.map_err(told)?,
    };
    if !check.problems.is_empty() {
        return Err(format!("{:?}: {how}", check.problems));
    }
    let found = contents(&engine).map_err(told)?;
    let judged = player.history.judge(u64::MAX, &found);
    judged.map_err(|wrong| format!("{wrong}: {how}"))?;
    drop(engine);
    if found.contains_key("t") {
        commit_one_more(script, &disk, &found).map_err(told)?;
    }
    Ok(())
}
