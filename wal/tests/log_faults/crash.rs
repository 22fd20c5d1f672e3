//! Power loss before each call of a script, and during recovery from it, and during that recovery.

use std::{collections::BTreeSet, sync::Arc};

use gaplock_wal::{
    Lsn,
    fault::{CrashSettings, FaultDisk},
};

use crate::script::{History, Step, World, long_script, recover};

fn few(seed: u64) -> CrashSettings {
    CrashSettings {
        exhaustive_up_to: 6,
        subsets: 10,
        torn: 24,
        torn_together: 4,
        seed,
    }
}

fn fewest(seed: u64) -> CrashSettings {
    CrashSettings {
        exhaustive_up_to: 2,
        subsets: 2,
        torn: 4,
        torn_together: 1,
        seed,
    }
}

#[derive(Debug, Default)]
struct Counts {
    moments: u32,
    states: u32,
    interrupted: u32,
    truncated: u32,
}

/// What a crash left is recovered, judged, and gone on with. Every so many, recovery is crashed as
/// well, to the depth given.
fn examine(
    left: &FaultDisk,
    history: &History,
    acknowledged: Option<Lsn>,
    depth: u32,
    counts: &mut Counts,
) -> Result<(), String> {
    let disk = Arc::new(left.copy());
    disk.capture(0..u64::MAX);
    let Some(found) = recover(&disk).map_err(|error| error.to_string())? else {
        return match acknowledged {
            None => Ok(()),
            Some(_) => Err("the database is gone".into()),
        };
    };
    let durable = acknowledged.unwrap_or_default();
    history.judge(&found, durable)?;
    let end = found.end;
    let appended = history.records.last().map_or(Lsn(0), |(end, ..)| *end);
    counts.truncated += u32::from(end < appended);
    let world = World::resume(&disk, found, history.clone());
    let mut world = world.map_err(|error| format!("resume: {error}"))?;
    let captured = disk.take_captured();
    disk.capture(0..0);
    // As long as what was lost: what follows on that, if it is still there, would follow on this.
    let lost = history
        .records
        .iter()
        .find(|(end, ..)| *end > world.log.end());
    for bytes in [lost.map_or(700, |(_, _, body)| body.len() as u16), 3] {
        world.append(bytes);
        let result = world.log.make_durable(world.log.end());
        result.map_err(|error| format!("going on: {error}"))?;
    }
    let again = recover(&Arc::new(disk.without_unsynced())).map_err(|error| error.to_string())?;
    let again = again.ok_or("the database is gone after recovery")?;
    world.history.judge(&again, world.log.durable())?;
    if depth == 0 {
        return Ok(());
    }
    for moment in captured {
        for state in moment.disk.crash_states(&fewest(u64::from(depth))) {
            counts.interrupted += 1;
            let deeper = if counts.interrupted.is_multiple_of(7) {
                depth - 1
            } else {
                0
            };
            examine(&state.disk, history, acknowledged, deeper, counts)
                .map_err(|what| format!("{what}\nrecovering, before {}: {state}", moment.before))?;
        }
    }
    Ok(())
}

/// B1, B2, B3 for the log.
#[test]
fn what_was_acknowledged_survives_a_crash_before_any_call() {
    let disk = Arc::new(FaultDisk::new());
    disk.capture(0..u64::MAX);
    let mut world = World::create(&disk).unwrap();
    let created = disk.calls();
    for step in long_script() {
        world.play(step).unwrap();
    }
    let history = world.history;
    let mut counts = Counts::default();
    let mut seen = BTreeSet::new();
    for moment in disk.take_captured() {
        let call = moment.before.number;
        let acknowledged = (call >= created).then(|| history.acknowledged(call));
        counts.moments += 1;
        for state in moment.disk.crash_states(&few(call)) {
            if !seen.insert((state.fingerprint, acknowledged)) {
                continue;
            }
            counts.states += 1;
            let depth = if counts.states.is_multiple_of(120) {
                2
            } else {
                0
            };
            examine(&state.disk, &history, acknowledged, depth, &mut counts)
                .unwrap_or_else(|what| panic!("{what}\nbefore {}: {state}", moment.before));
        }
    }
    eprintln!("{counts:?}");
    assert!(counts.moments > 100 && counts.states > 480, "{counts:?}");
    assert!(
        counts.interrupted > 2300 && counts.truncated > 2300,
        "{counts:?}"
    );
}

/// A log that was written but not synced loses its tail, and only that: a case told by hand.
#[test]
fn a_torn_flush_ends_the_log_before_it() {
    let disk = Arc::new(FaultDisk::new());
    let mut world = World::create(&disk).unwrap();
    for step in [
        Step::Append(100),
        Step::Durable,
        Step::Append(6000),
        Step::Written,
    ] {
        world.play(step).unwrap();
    }
    let (kept, lost) = (world.history.records[0].0, world.history.records[1].0);
    let mut ends = BTreeSet::new();
    for state in disk.crash_states(&CrashSettings::default()) {
        let found = recover(&Arc::new(state.disk)).unwrap().unwrap();
        world.history.judge(&found, kept).unwrap();
        ends.insert(found.end);
    }
    // Before the mark of the flush, after it, and after all of it.
    assert_eq!(ends, BTreeSet::from([kept, Lsn(kept.0 + 24), lost]));
}
