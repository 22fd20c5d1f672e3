//! Random scripts, crashed at a random moment; random damage.

use std::sync::Arc;

use gaplock_wal::{
    Disk, Lsn,
    fault::{CrashSettings, Damage, FaultDisk},
};
use proptest::prelude::*;

use crate::script::{Step, World, long_script, recover};

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0..300_u16).prop_map(Step::Append),
        2 => (0..9000_u16).prop_map(Step::Append),
        4 => Just(Step::Durable),
        2 => Just(Step::Written),
        1 => Just(Step::Prepare),
        2 => (0..4_u8).prop_map(Step::Checkpoint),
        1 => Just(Step::Reopen),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// P1 and P2 for the log: what is left is a prefix with all that was acknowledged, and a log
    /// that was recovered behaves as the one before, for several lives.
    #[test]
    fn a_log_survives_several_lives(
        lives in prop::collection::vec(
            (prop::collection::vec(step(), 1..30), any::<prop::sample::Index>()),
            1..4,
        ),
        seed in any::<u64>(),
    ) {
        let mut disk = Arc::new(FaultDisk::new());
        let mut world = World::create(&disk).unwrap();
        for (steps, index) in lives {
            for step in steps {
                world.play(step).unwrap();
            }
            let acknowledged = world.log.durable();
            let settings = CrashSettings {
                exhaustive_up_to: 4,
                subsets: 4,
                torn: 8,
                torn_together: 2,
                seed,
            };
            let states: Vec<_> = disk.crash_states(&settings).collect();
            for state in &states {
                let found = recover(&Arc::new(state.disk.copy())).unwrap().unwrap();
                let judged = world.history.judge(&found, acknowledged);
                prop_assert!(judged.is_ok(), "{judged:?} {state}");
            }
            disk = Arc::new(index.get(&states).disk.copy());
            let found = recover(&disk).unwrap().unwrap();
            world = World::resume(&disk, found, world.history.clone()).unwrap();
        }
    }

    /// P6: whatever lies in the files is read, up to some record, or refused; and if it is gone on
    /// with, that succeeds or fails.
    #[test]
    fn whatever_lies_in_the_files_nothing_panics(
        damages in prop::collection::vec((any::<prop::sample::Index>(), damage()), 1..8),
    ) {
        let disk = Arc::new(FaultDisk::new());
        let mut world = World::create(&disk).unwrap();
        for step in long_script() {
            world.play(step).unwrap();
        }
        let names = disk.list().unwrap();
        for (file, damage) in damages {
            disk.damage(&names[file.index(names.len())], &damage).unwrap();
        }
        if let Ok(Some(found)) = recover(&disk) {
            let judged = world.history.judge(&found, Lsn(0));
            prop_assert!(judged.is_ok(), "{judged:?}");
            if let Ok(mut world) = World::resume(&disk, found, world.history) {
                let _ = world.play(Step::Append(2000));
                let _ = world.play(Step::Durable);
                let _ = world.play(Step::Checkpoint(0));
            }
        }
    }
}

fn damage() -> impl Strategy<Value = Damage> {
    let offset = prop_oneof![0..64_u64, 4096..5000_u64, 0..16_384_u64];
    let bytes = prop::collection::vec(any::<u8>(), 1..20);
    (offset, 0..16_384_u64, bytes, 0..6).prop_map(|(offset, other, bytes, kind)| {
        let length = bytes.len() as u64 * 30;
        match kind {
            0 => Damage::Truncate { length: other },
            1 => Damage::Zero { offset, length },
            2 => Damage::Copy {
                offset,
                to: other,
                length,
            },
            3 => Damage::Swap {
                offset,
                with: other,
                length,
            },
            4 => Damage::Extend { bytes },
            _ => Damage::Set { offset, bytes },
        }
    })
}
