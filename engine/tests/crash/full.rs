//! A disk that is full for a while (B8): statements fail, are rolled back, and nothing is damaged;
//! with space again the same goes on (P5).

use std::sync::Arc;

use gaplock_wal::fault::FaultDisk;

use crate::{
    model::contents,
    play::{Player, open},
    reached,
    scripts::all,
};

#[test]
fn a_full_disk_passes() {
    let (mut runs, mut refused, mut sticky, mut wrong) = (0, 0, 0, Vec::new());
    for script in all() {
        for spare in 0..10 {
            let disk = Arc::new(FaultDisk::new());
            let mut player = Player::create(&script, Arc::clone(&disk)).expect("a disk that works");
            disk.set_capacity(Some(disk.allocated() + spare * 3 * 16 * 1024));
            runs += 1;
            for op in &script.ops {
                if let Err(error) = player.op(*op) {
                    refused += 1;
                    let what = format!("{}, {spare}: {op:?}: {error}", script.name);
                    if player.engine.is_none() {
                        // It could not be opened for want of space.
                        break;
                    }
                    if player
                        .engine
                        .as_ref()
                        .is_some_and(|e| e.failure().is_some())
                    {
                        sticky += 1;
                        wrong.push(what);
                        break;
                    }
                }
            }
            disk.set_capacity(None);
            if player
                .engine
                .as_ref()
                .is_some_and(|e| e.failure().is_none())
            {
                let more = player.try_one_more();
                more.unwrap_or_else(|error| panic!("{}: with space: {error}", script.name));
            }
            assert_eq!(player.wrong, None, "{}", script.name);
            player.engine = None;
            player.forget_unpromised();
            let engine = open(&script, Arc::new(disk.with_unsynced())).expect("a sound database");
            assert_eq!(engine.check().expect("pages").problems, [""; 0]);
            let found = contents(&engine).expect("rows");
            let judged = player.history.judge(u64::MAX, &found);
            judged.unwrap_or_else(|what| panic!("{}, {spare}: {what}", script.name));
        }
    }
    let some = wrong[..wrong.len().min(6)].join("\n");
    assert!(
        wrong.is_empty(),
        "{sticky} times writes were refused for good:\n{some}"
    );
    reached(&[
        ("runs of the engine on a full disk", runs, 200),
        ("operations refused for want of space", refused, 200),
    ]);
}
