//! Calls that fail: each one of a script, in each way, once or until the disk is healed.
//!
//! An error that is not sticky has lost nothing: the same world goes on. After a sticky one nothing
//! is acknowledged any more, and the database is opened again, both as the system shows it (from
//! its cache) and as a power loss left it.

use std::sync::Arc;

use gaplock_wal::{
    LogError, Lsn,
    fault::{Calls, Damage, Fault, FaultDisk, Reason, SyncFault, Times},
};

use crate::script::{History, Step, World, long_script, recover};

const FAULTS: [Fault; 9] = [
    Fault::Error(Reason::InputOutput),
    Fault::Error(Reason::NoSpace),
    Fault::Error(Reason::TooManyFiles),
    Fault::ErrorAfterwards(Reason::InputOutput),
    Fault::Short {
        bytes: 9,
        reason: Reason::InputOutput,
    },
    Fault::Short {
        bytes: 4099,
        reason: Reason::NoSpace,
    },
    Fault::Sync(SyncFault::KeptInCache),
    Fault::Sync(SyncFault::Reverted),
    Fault::ErrorAfterwards(Reason::NoSpace),
];

#[derive(Debug, Default)]
struct Counts {
    runs: u32,
    struck: u32,
    sticky: u32,
    retried: u32,
}

/// Opens what is there, and makes a database if there is none and none is owed.
fn open(disk: &Arc<FaultDisk>, history: &History, owed: Lsn) -> Result<World, LogError> {
    match recover(disk)? {
        Some(found) => {
            history
                .judge(&found, owed)
                .unwrap_or_else(|what| panic!("{what}"));
            World::resume(disk, found, history.clone())
        }
        None => {
            assert!(history.records.is_empty(), "the database is gone");
            World::create(disk)
        }
    }
}

/// Goes on with a disk that does not fail any more, and loses power once more.
fn go_on(disk: &Arc<FaultDisk>, history: &History) -> World {
    let owed = history.acknowledged(u64::MAX);
    let mut world = open(disk, history, owed).expect("a healed disk can be opened");
    // Into the next segment, whatever became of it.
    world.play(Step::Append(13_000)).unwrap();
    world
        .play(Step::Durable)
        .expect("a healed disk can be written");
    let survivor = Arc::new(disk.without_unsynced());
    let found = recover(&survivor).unwrap().expect("it is durable");
    let owed = world.log.durable();
    world
        .history
        .judge(&found, owed)
        .unwrap_or_else(|what| panic!("{what}"));
    world
}

fn play(number: u64, fault: Fault, times: Times, counts: &mut Counts) {
    let disk = Arc::new(FaultDisk::new());
    disk.fail(Calls::from(number), fault, times);
    counts.runs += 1;
    let mut world = World::create(&disk).unwrap_or_else(|_| {
        disk.heal();
        open(&disk, &History::default(), Lsn(0)).expect("a healed disk")
    });
    for step in long_script() {
        let Err(error) = world.play(step) else {
            continue;
        };
        disk.heal();
        let durable = world.log.durable();
        if let Some(failure) = world.log.failure() {
            counts.sticky += 1;
            let again = world.log.make_durable(world.log.end());
            assert_eq!((Err(failure), durable), (again, world.log.durable()));
        }
        if world.log.failure().is_none() && !matches!(step, Step::Reopen) {
            counts.retried += 1;
            assert!(matches!(error, LogError::Disk(_)), "{error}");
            // The process may also be killed now, and another one take over what the cache shows.
            go_on(&Arc::new(disk.copy()), &world.history);
            world.play(step).expect("a healed disk can be written");
            go_on(&Arc::new(disk.without_unsynced()), &world.history);
            continue;
        }
        for survivor in [disk.without_unsynced(), disk.with_unsynced()] {
            go_on(&Arc::new(survivor), &world.history);
        }
        world = go_on(&disk, &world.history);
    }
    counts.struck += u32::from(disk.struck() > 0);
    world.play(Step::Durable).unwrap();
    go_on(&Arc::new(disk.without_unsynced()), &world.history);
    disk.drop_cache();
    go_on(&disk, &world.history);
}

/// B4 and B5 for the log.
#[test]
fn every_call_may_fail() {
    let disk = Arc::new(FaultDisk::new());
    let mut world = World::create(&disk).unwrap();
    for step in long_script() {
        world.play(step).unwrap();
    }
    let mut counts = Counts::default();
    for number in 0..disk.calls() {
        for fault in FAULTS {
            for times in [Times::Once, Times::Forever] {
                let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                    play(number, fault, times, &mut counts);
                }));
                assert!(result.is_ok(), "call {number} fails: {fault:?}, {times:?}");
            }
        }
    }
    eprintln!("{} calls, {counts:?}", disk.calls());
    assert_eq!(counts.struck, counts.runs, "{counts:?}");
}

/// A log whose end is torn while sound records lie beyond, taken up again with each call of that
/// failing once: the next attempt, by another process that sees what the cache holds, must wipe
/// what lies beyond for good. (A wipe whose sync had failed was seen in the cache and not made
/// again; the next record, as long as the torn one, brought the old ones back after a power loss.)
#[test]
fn what_lies_beyond_the_end_stays_wiped_though_taking_up_fails() {
    let disk = Arc::new(FaultDisk::new());
    let mut world = World::create(&disk).unwrap();
    for step in [
        Step::Append(50),
        Step::Durable,
        Step::Append(600),
        Step::Append(70),
    ] {
        world.play(step).unwrap();
    }
    world.play(Step::Written).unwrap();
    let history = world.history;
    let kept = history.records[0].0;
    let torn = disk.with_unsynced();
    // A byte of the second record, which begins after the first one and a mark.
    let offset = 4096 + kept.0 + 24 + 100;
    torn.damage(
        "gaplock.log.0000000000",
        &Damage::FlipBit { offset, bit: 0 },
    )
    .unwrap();
    let counted = Arc::new(torn.copy());
    open(&counted, &history, kept).unwrap();
    for number in 0..counted.calls() {
        for fault in FAULTS {
            let disk = Arc::new(torn.copy());
            disk.fail(Calls::from(number), fault, Times::Once);
            let _ = recover(&disk).and_then(|found| {
                World::resume(&disk, found.expect("it is there"), history.clone())
            });
            disk.heal();
            let mut world = open(&disk, &history, kept).unwrap();
            // The torn flush's mark is there still: a new one and this end where the third record
            // begins.
            world.play(Step::Append(576)).unwrap();
            world.play(Step::Durable).unwrap();
            let survivor = Arc::new(disk.without_unsynced());
            let found = recover(&survivor).unwrap().unwrap();
            let judged = world.history.judge(&found, world.log.durable());
            assert!(judged.is_ok(), "call {number}, {fault:?}: {judged:?}");
        }
    }
}
