//! Content that changes though nobody wrote: B6 for the log. Each byte, and larger pieces.

use std::sync::Arc;

use gaplock_wal::{
    Disk, LogError, Lsn,
    fault::{Damage, FaultDisk},
};

use crate::script::{History, Recovered, SMALL, Step, World, recover};

/// Positions in a segment.
const CAPACITY: u64 = SMALL.segment_bytes as u64 - 4096;

#[derive(Debug, Default)]
struct Counts {
    detected: u32,
    unused: u32,
    earlier: u32,
}

/// A log of some segments, spare ones and a used checkpoint; closed in order or left as a crash
/// leaves it.
fn database(closed: bool) -> (Arc<FaultDisk>, History, Lsn) {
    let disk = Arc::new(FaultDisk::new());
    let mut world = World::create(&disk).unwrap();
    use Step::{Append, Checkpoint, Durable, Prepare};
    for step in [
        Append(90),
        Durable,
        Append(9000),
        Durable,
        Checkpoint(0),
        Prepare,
    ] {
        world.play(step).unwrap();
    }
    for step in [Append(33), Append(5000), Durable, Append(13_000), Durable] {
        world.play(step).unwrap();
    }
    // The last flush.
    let before_last = world.log.durable();
    world.play(Append(77)).unwrap();
    world.play(Durable).unwrap();
    let mut end = before_last;
    if closed {
        end = world.log.durable();
        world.close().unwrap();
    }
    (Arc::new(disk.without_unsynced()), world.history, end)
}

/// Damaged content gives a typed error; or, where a byte counts for nothing, all the records; or
/// the earlier checkpoint, and from there all the records. Never less than `owed`.
fn examine(
    disk: &FaultDisk,
    file: &str,
    damage: &Damage,
    (history, owed, whole): (&History, Lsn, &Recovered),
    counts: &mut Counts,
) {
    let disk = Arc::new(disk.copy());
    disk.damage(file, damage).unwrap();
    match recover(&disk) {
        Err(LogError::Disk(error)) => panic!("{file}, {damage:?}: not typed: {error}"),
        Err(_) => counts.detected += 1,
        Ok(None) => panic!("{file}, {damage:?}: no database"),
        Ok(Some(found)) => {
            let judged = history.judge(&found, owed);
            assert!(judged.is_ok(), "{file}, {damage:?}: {judged:?}");
            if found.checkpoint == whole.checkpoint {
                counts.unused += 1;
            } else {
                assert!(found.checkpoint.redo <= whole.checkpoint.redo && !found.checkpoint.clean);
                counts.earlier += 1;
            }
        }
    }
}

fn every_byte(closed: bool) -> Counts {
    let (disk, history, owed) = database(closed);
    let whole = recover(&disk).unwrap().unwrap();
    history.judge(&whole, owed).unwrap();
    let mut counts = Counts::default();
    let in_use = segment_of(whole.checkpoint.redo)..=segment_of(whole.end);
    for file in disk.list().unwrap() {
        let length = disk.content(&file).unwrap().len() as u64;
        // Bytes of spare segments and of those that are no longer needed count for nothing.
        let spare = number(&file).is_some_and(|number| !in_use.contains(&number));
        for offset in (0..length).step_by(if spare { 101 } else { 1 }) {
            let bit = (offset % 8) as u8;
            let damage = Damage::FlipBit { offset, bit };
            examine(&disk, &file, &damage, (&history, owed, &whole), &mut counts);
        }
        // The witness of what is before the last flush is the last flush: no damage may strike both.
        let witness = |offset: u64| {
            let segment = number(&file).filter(|_| !closed)?;
            let at = segment * CAPACITY + offset.saturating_sub(4096);
            (at < whole.end.0 && at + 512 > owed.0).then_some(Lsn(0))
        };
        for offset in (0..length).step_by(512) {
            let (length, with) = (512, (offset + 4096) % length);
            let (here, there) = (witness(offset), witness(with));
            for (damage, owed_less) in [
                (Damage::Zero { offset, length }, here),
                (
                    Damage::Copy {
                        offset,
                        to: with,
                        length,
                    },
                    there,
                ),
                (
                    Damage::Swap {
                        offset,
                        with,
                        length,
                    },
                    here.or(there),
                ),
                (Damage::Truncate { length: offset }, None),
            ] {
                let owed = owed_less.unwrap_or(owed);
                examine(&disk, &file, &damage, (&history, owed, &whole), &mut counts);
            }
        }
        let damage = Damage::Extend {
            bytes: vec![7; 5000],
        };
        examine(&disk, &file, &damage, (&history, owed, &whole), &mut counts);
    }
    counts
}

/// P3, after an orderly shutdown: any one damage is detected, or harms nothing.
#[test]
fn a_closed_log_shows_every_damage() {
    let counts = every_byte(true);
    eprintln!("{counts:?}");
    assert!(
        counts.detected > 14_000 && counts.unused > 1000,
        "{counts:?}"
    );
}

/// P3, after a crash: damage before the last flush is detected. In the last one it cannot be told
/// from a torn end, but what is left is sound.
#[test]
fn a_crashed_log_shows_damage_before_its_last_flush() {
    let counts = every_byte(false);
    eprintln!("{counts:?}");
    assert!(
        counts.detected > 14_000 && counts.unused > 1000,
        "{counts:?}"
    );
}

/// A segment that is gone is missed, not taken for the log's end.
#[test]
fn a_missing_segment_is_an_error() {
    for closed in [false, true] {
        let (disk, _, _) = database(closed);
        let whole = recover(&disk).unwrap().unwrap();
        let in_use = segment_of(whole.checkpoint.redo)..segment_of(whole.end);
        assert!(in_use.clone().count() > 1);
        for name in disk.list().unwrap() {
            if number(&name).is_some_and(|number| in_use.contains(&number)) {
                let less = Arc::new(disk.copy());
                assert!(less.take(&name));
                let found = recover(&less);
                assert!(
                    matches!(found, Err(LogError::Missing { .. })),
                    "{name}: {found:?}"
                );
            }
        }
    }
}

fn segment_of(position: Lsn) -> u64 {
    position.0 / CAPACITY
}

/// The number of a segment's file.
fn number(name: &str) -> Option<u64> {
    name.strip_prefix("gaplock.log.")?.parse().ok()
}
