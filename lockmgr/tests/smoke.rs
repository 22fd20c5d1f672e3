//! The lock table from outside: the shortest stories.

use gaplock_lockmgr::{
    DetectorKind, GrantKind, HeapNo, LockConfig, LockMode, LockSpan, LockTable, Micros, OnConflict,
    Origin, Outcome, PageAddress, RecordAddress, RecordRequest, StructReuse, TrxId, VictimKind,
    Wake, Wakeup,
};

fn config() -> LockConfig {
    LockConfig {
        shards: 4,
        detector: DetectorKind::DepthFirst {
            depth: 200,
            steps: 1_000_000,
        },
        victim: VictimKind::LighterOfTwo,
        grant: GrantKind::Fifo,
        struct_reuse: StructReuse::UnlessWaiters,
        next_key_upgrade_asks_gap: false,
        bypass_blocked_waiters: false,
        keep_provenance: true,
    }
}

fn record(heap: u16) -> RecordAddress {
    RecordAddress {
        page: PageAddress { space: 1, page: 4 },
        heap: HeapNo(heap),
    }
}

fn exclusive(trx: u64, heap: u16) -> RecordRequest {
    RecordRequest {
        trx: TrxId(trx),
        at: record(heap),
        mode: LockMode::X,
        span: LockSpan::Record,
        implicit: false,
        on_conflict: OnConflict::Wait(Micros::MAX),
        origin: Origin::default(),
    }
}

#[test]
fn the_second_waits_and_is_woken_by_the_firsts_end() {
    let table = LockTable::new(config());
    table.begin(TrxId(1));
    table.begin(TrxId(2));
    assert_eq!(
        table.request_record(&exclusive(1, 2)).outcome,
        Outcome::Granted { newly: true }
    );
    assert_eq!(
        table.request_record(&exclusive(2, 2)).outcome,
        Outcome::Waiting
    );
    table.check().unwrap();
    let wakeups = table.release_all(TrxId(1));
    assert_eq!(
        wakeups,
        [Wakeup {
            trx: TrxId(2),
            wake: Wake::Granted
        }]
    );
    table.check().unwrap();
    assert!(table.holds(TrxId(2), record(2), LockMode::X, LockSpan::Record));
}

#[test]
fn a_cycle_of_two_kills_the_requester_on_a_tie() {
    let table = LockTable::new(config());
    table.begin(TrxId(1));
    table.begin(TrxId(2));
    let _ = table.request_record(&exclusive(1, 2));
    let _ = table.request_record(&exclusive(2, 3));
    assert_eq!(
        table.request_record(&exclusive(1, 3)).outcome,
        Outcome::Waiting
    );
    let answer = table.request_record(&exclusive(2, 2));
    assert_eq!(answer.outcome, Outcome::Victim);
    assert_eq!(answer.deadlocks[0].cycle.len(), 2);
    table.check().unwrap();
    let wakeups = table.release_all(TrxId(2));
    assert_eq!(
        wakeups,
        [Wakeup {
            trx: TrxId(1),
            wake: Wake::Granted
        }]
    );
}
