//! Disks that lie: writes that are lost or go astray, reads with a wrong bit, syncs that report a
//! failure too late. What was acknowledged cannot be promised then. But nothing wrong is read: what
//! is found is what was appended, up to some record, or there is a typed error (P3).

use std::sync::Arc;

use gaplock_wal::{
    LogError, Lsn,
    fault::{Calls, Fault, FaultDisk, SyncFault, Times},
};

use crate::script::{History, World, long_script, recover};

const LIES: [Fault; 7] = [
    Fault::WriteLost,
    Fault::WriteMisplaced(512),
    Fault::WriteMisplaced(4096),
    Fault::ReadFlipped(5),
    Fault::ReadFlipped(1001),
    Fault::ReadFlipped(77_777),
    Fault::Sync(SyncFault::ReportedLate),
];

#[derive(Debug, Default)]
struct Counts {
    runs: u32,
    detected: u32,
    shorter: u32,
    whole: u32,
}

/// Plays until an error. Says what was appended in the last life.
fn play(disk: &Arc<FaultDisk>) -> History {
    let Ok(mut world) = World::create(disk) else {
        return History::default();
    };
    for step in long_script() {
        if world.play(step).is_err() {
            break;
        }
    }
    world.history
}

fn judge(disk: &Arc<FaultDisk>, history: &History, counts: &mut Counts) {
    match recover(disk) {
        Ok(None) | Err(LogError::Disk(_)) => counts.shorter += 1,
        Err(_) => counts.detected += 1,
        Ok(Some(found)) => {
            let judged = history.judge(&found, Lsn(0));
            assert!(judged.is_ok(), "{judged:?}");
            let end = history.records.last().map_or(Lsn(0), |(end, ..)| *end);
            if found.end >= end {
                counts.whole += 1;
            } else {
                counts.shorter += 1;
            }
        }
    }
}

#[test]
fn a_lie_never_makes_a_wrong_record() {
    let disk = Arc::new(FaultDisk::new());
    play(&disk);
    let mut counts = Counts::default();
    for number in 0..disk.calls() {
        for fault in LIES {
            let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                let disk = Arc::new(FaultDisk::new());
                disk.fail(Calls::from(number), fault, Times::Once);
                let history = play(&disk);
                disk.heal();
                counts.runs += 1;
                for survivor in [disk.without_unsynced(), disk.with_unsynced()] {
                    judge(&Arc::new(survivor), &history, &mut counts);
                }
            }));
            assert!(result.is_ok(), "call {number}: {fault:?}");
        }
    }
    eprintln!("{counts:?}");
    assert!(counts.runs > 900 && counts.detected > 0, "{counts:?}");
}
