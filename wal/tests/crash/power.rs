//! Power loss between any two calls, and again while what was left is read (J1 to J5).

use std::sync::Arc;

use gaplock_wal::fault::{CrashSettings, FaultDisk};

use crate::{
    reached,
    script::{Journal, Opened, Player, open, scripts},
};

/// Every so many states, reading is itself cut short.
const NEST_EVERY: u64 = 197;
/// A crash, one while reading what it left, and one while reading what that left.
const DEPTH: u32 = 3;

#[derive(Debug, Default)]
struct Counts {
    states: u64,
    inside: u64,
    deepest: u64,
    /// States in which the log had to tell an end that was not the last record.
    torn: u64,
}

#[test]
fn a_crash_between_any_two_calls_loses_nothing_acknowledged() {
    let mut counts = Counts::default();
    for (at, script) in scripts().iter().enumerate() {
        let disk = Arc::new(FaultDisk::new());
        disk.capture(0..u64::MAX);
        let mut player = Player::create(&disk).unwrap();
        for step in &script.steps {
            player.step(*step).unwrap();
        }
        let mut moments: Vec<_> = disk
            .take_captured()
            .into_iter()
            .map(|captured| (captured.before.number, captured.disk))
            .collect();
        moments.push((disk.calls(), disk.copy()));
        for (number, moment) in moments {
            let settings = CrashSettings {
                torn: 90,
                seed: number + 1000 * at as u64,
                ..CrashSettings::default()
            };
            for state in moment.crash_states(&settings) {
                let what = || format!("{}, before call {number}: {state}", script.name);
                counts.states += 1;
                let nest = counts.states.is_multiple_of(NEST_EVERY);
                judge(&player.journal, number, &state.disk, &what, &mut counts);
                if nest {
                    cut_short(&state.disk, 2, &what, &mut counts);
                }
            }
        }
    }
    reached(&[
        ("crash states of the log", counts.states, 30_000),
        ("with an end to be told", counts.torn, 15_000),
        ("crash states inside recovery", counts.inside, 23_000),
        ("of them at depth three", counts.deepest, 10_000),
    ]);
}

fn judge(
    journal: &Journal,
    number: u64,
    disk: &FaultDisk,
    what: &dyn Fn() -> String,
    counts: &mut Counts,
) {
    let disk = Arc::new(disk.copy());
    // Before there was a control file, nothing was promised, and whatever is there may be refused.
    let opened = match open(&disk) {
        Ok(opened) => opened,
        Err(error) => panic!("J4: {error}\n{}", what()),
    };
    let found = opened.as_ref();
    match journal.judge(number, found) {
        Ok(count) => counts.torn += u64::from(found.is_some() && count < journal.history.len()),
        Err(wrong) => panic!("{wrong}\n{}", what()),
    }
    if let Some(opened) = opened {
        goes_on(&disk, &opened, what);
    }
}

/// A log that was taken up again takes records, and has them and the earlier ones next time.
fn goes_on(disk: &Arc<FaultDisk>, opened: &Opened, what: &dyn Fn() -> String) {
    let end = opened.log.append(3, b"afterwards");
    opened.log.make_durable(end).unwrap();
    let after = Arc::new(disk.without_unsynced());
    let again = open(&after)
        .unwrap_or_else(|error| panic!("afterwards: {error}\n{}", what()))
        .expect("there is a control file");
    let count = opened.records.len();
    assert_eq!(again.records.len(), count + 1, "{}", what());
    assert_eq!(again.records[..count], opened.records, "{}", what());
    assert_eq!(&again.records[count].body[..], b"afterwards", "{}", what());
}

/// Crashes at every call of reading and going on; what is left is what was there before, or that
/// and the record that was appended then.
fn cut_short(disk: &FaultDisk, depth: u32, what: &dyn Fn() -> String, counts: &mut Counts) {
    let disk = Arc::new(disk.copy());
    disk.capture(0..u64::MAX);
    let Ok(Some(opened)) = open(&disk) else {
        return;
    };
    let end = opened.log.append(4, &[depth as u8; 100]);
    opened.log.make_durable(end).unwrap();
    let done = disk.calls();
    let mut moments: Vec<_> = disk
        .take_captured()
        .into_iter()
        .map(|captured| (captured.before.number, captured.disk))
        .collect();
    moments.push((done, disk.copy()));
    for (number, moment) in moments {
        let settings = CrashSettings {
            torn: 10,
            torn_together: 2,
            seed: number,
            ..CrashSettings::default()
        };
        for state in moment.crash_states(&settings) {
            let what = || {
                let outer = what();
                format!("{outer}\nand, reading that, before call {number}: {state}")
            };
            counts.inside += 1;
            counts.deepest += u64::from(depth == DEPTH);
            let again = open(&Arc::new(state.disk.copy()))
                .unwrap_or_else(|error| panic!("J5: {error}\n{}", what()))
                .unwrap_or_else(|| panic!("J5: nothing is left\n{}", what()));
            same_or_one_more(&opened, &again, number == done, &what);
            if depth < DEPTH && counts.inside.is_multiple_of(NEST_EVERY) {
                cut_short(&state.disk, depth + 1, &what, counts);
            }
        }
    }
}

fn same_or_one_more(
    before: &Opened,
    after: &Opened,
    must_be_more: bool,
    what: &dyn Fn() -> String,
) {
    assert_eq!(before.checkpoint, after.checkpoint, "{}", what());
    let count = before.records.len();
    let more = after.records.len() == count + 1;
    let same = after.records.len() == count && !must_be_more;
    assert!(more || same, "{}", what());
    assert_eq!(after.records[..count], before.records, "{}", what());
}
