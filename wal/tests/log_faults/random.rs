//! Random scripts, crashed at a random call.

use std::sync::Arc;

use gaplock_wal::fault::{CrashSettings, FaultDisk};
use proptest::prelude::*;

use crate::script::{Step, World, recover};

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
}
