//! Every call failing, in every fashion: what fails is not acknowledged, what was acknowledged
//! stays, and a full disk is one that passes.

use std::sync::Arc;

use gaplock_wal::LogError;
use gaplock_wal::fault::{Calls, CrashSettings, Fault, FaultDisk, Reason, SyncFault, Times};

use crate::{
    reached,
    script::{Player, Script, open, scripts},
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
        bytes: 13,
        reason: Reason::InputOutput,
    },
    Fault::Sync(SyncFault::KeptInCache),
    Fault::Sync(SyncFault::Reverted),
    Fault::Sync(SyncFault::ReportedLate),
];

/// How many calls a script makes when none fails.
fn calls_of(script: &Script) -> u64 {
    let disk = Arc::new(FaultDisk::new());
    let mut player = Player::create(&disk).unwrap();
    for step in &script.steps {
        player.step(*step).unwrap();
    }
    disk.calls()
}

#[test]
fn every_call_may_fail() {
    let (mut runs, mut states) = (0, 0);
    let mut faults = Vec::new();
    for script in scripts() {
        for number in 0..calls_of(&script) {
            for fault in FAULTS {
                for times in [Times::Once, Times::Forever] {
                    runs += 1;
                    match with_failure(&script, number, fault, times) {
                        Ok(count) => states += count,
                        Err(wrong) => faults.push(wrong),
                    }
                }
            }
        }
    }
    let some = faults[..faults.len().min(5)].join("\n\n");
    assert!(
        faults.is_empty(),
        "{} faults, the first:\n{some}",
        faults.len()
    );
    reached(&[("runs of the log with a failing call", runs, 40_000)]);
    reached(&[("crash states after a failing call", states, 40_000)]);
}

fn with_failure(script: &Script, number: u64, fault: Fault, times: Times) -> Result<u64, String> {
    let what = format!("{}, {fault:?} {times:?} from call {number}", script.name);
    let disk = Arc::new(FaultDisk::new());
    disk.fail(Calls::from(number), fault, times);
    let Ok(mut player) = Player::create(&disk) else {
        // Nothing was promised; but what is there must be read without a panic.
        let _ = open(&Arc::new(disk.with_unsynced()));
        return Ok(0);
    };
    for step in &script.steps {
        let failed_at = player.failure().and(player.durable());
        // What fails is not acknowledged; what is acknowledged, the journal holds it to.
        let _ = player.step(*step);
        if let (Some(durable), Some(_)) = (failed_at, player.failure()) {
            assert_eq!(player.durable(), Some(durable), "after a failure: {what}");
        }
    }
    // A sync that lies takes back what it acknowledged; the log can only stop believing it.
    let lied = fault == Fault::Sync(SyncFault::ReportedLate);
    if lied {
        let before = player.journal.acknowledged_before(number);
        player.journal.acknowledged = vec![(0, before)];
        player
            .journal
            .saved
            .iter_mut()
            .for_each(|saved| saved.doubt(number));
    }
    after_failure(&player, &disk, lied, &what)
}

/// The process ends; or the power fails as well. What a sync has lied about may be told as damage.
fn after_failure(player: &Player, disk: &FaultDisk, lied: bool, what: &str) -> Result<u64, String> {
    let judge = |left: FaultDisk, how: &str| {
        let opened = match open(&Arc::new(left)) {
            Ok(opened) => opened,
            Err(_) if lied => return Ok(()),
            Err(error) => return Err(format!("{error}: {how}: {what}")),
        };
        let verdict = player.journal.judge(u64::MAX, opened.as_ref());
        verdict.map_err(|wrong| format!("{wrong}: {how}: {what}"))?;
        Ok(())
    };
    judge(disk.copy(), "reopened")?;
    let settings = CrashSettings {
        exhaustive_up_to: 2,
        subsets: 0,
        torn: 2,
        torn_together: 1,
        seed: 1,
    };
    let mut states = 0;
    // The fashions and times differ little in what is left unsynced.
    if !disk.calls().is_multiple_of(3) {
        return Ok(0);
    }
    for state in disk.crash_states(&settings) {
        states += 1;
        judge(state.disk.copy(), &state.to_string())?;
    }
    Ok(states)
}

/// B8: the disk is full at some moment, and has space again later. Nothing was lost by it.
#[test]
fn a_full_disk_passes() {
    let (mut runs, mut refused) = (0, 0);
    for script in scripts() {
        for chunks in 1..12 {
            let disk = Arc::new(FaultDisk::new());
            disk.set_capacity(Some(chunks * 16 * 1024));
            let Ok(mut player) = Player::create(&disk) else {
                continue;
            };
            runs += 1;
            for step in &script.steps {
                match player.step(*step) {
                    Ok(()) => {}
                    Err(LogError::Disk(error)) => {
                        assert_eq!(error.kind, std::io::ErrorKind::StorageFull);
                        refused += 1;
                    }
                    Err(error) => panic!("{}, {chunks} chunks: {error}", script.name),
                }
                assert_eq!(player.failure(), None, "{}", script.name);
            }
            disk.set_capacity(None);
            let durable = player.step(crate::script::Step::Durable);
            durable.unwrap_or_else(|error| panic!("{}: with space again: {error}", script.name));
            let all = player.journal.history.len();
            assert_eq!(player.journal.acknowledged_before(u64::MAX), all);
            after_failure(&player, &disk, false, &script.name).unwrap();
        }
    }
    reached(&[("runs of the log on a full disk", runs, 80)]);
    reached(&[("calls refused for want of space", refused, 190)]);
}
