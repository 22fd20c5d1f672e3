//! Rings of many, and tails that lead into them: what each detector finds, and how far it looks.

mod support;

use gaplock_lockmgr::{
    Answer, Beyond, DetectorKind, LockConfig, LockMode, LockSpan, LockTable, Outcome, TrxId,
    VictimKind,
};
use support::request;

fn ask(table: &LockTable, trx: u64, record: u64) -> Answer {
    let heap = u16::try_from(record + 1).expect("few records");
    table.request_record(&request(trx, heap, LockMode::X, LockSpan::Record))
}

/// Transactions 1 to `members`, each with a record of its own; all but the last wait for the next.
fn open_ring(config: LockConfig, members: u64) -> LockTable {
    let table = LockTable::new(config);
    for trx in 1..=members {
        table.begin(TrxId(trx));
        assert_eq!(
            ask(&table, trx, trx).outcome,
            Outcome::Granted { newly: true }
        );
    }
    for trx in 1..members {
        assert_eq!(ask(&table, trx, trx + 1).outcome, Outcome::Waiting);
        assert!(table.sweep().deadlocks.is_empty());
    }
    table
}

/// The last transaction closes the ring; what came of it, at once or by the sweep.
fn close_ring(table: &LockTable, members: u64) -> Answer {
    let answer = ask(table, members, 1);
    if answer.outcome == Outcome::Waiting && answer.deadlocks.is_empty() {
        return table.sweep();
    }
    answer
}

/// The members in the order of the report, turned so that 1 is first.
fn ring_of(answer: &Answer) -> Vec<u64> {
    let mut ring: Vec<u64> = answer.deadlocks[0]
        .cycle
        .iter()
        .map(|one| one.trx.0)
        .collect();
    let first = ring
        .iter()
        .position(|&trx| trx == 1)
        .expect("1 is a member");
    ring.rotate_left(first);
    ring
}

#[test]
fn every_detector_finds_the_whole_ring() {
    for config in [support::ARRIVAL, support::BRENT, support::WEIGHT] {
        for members in [2, 3, 5, 8, 64, 150] {
            let table = open_ring(config, members);
            let answer = close_ring(&table, members);
            assert_eq!(
                answer.deadlocks.len(),
                1,
                "{members} with {:?}",
                config.detector
            );
            assert_eq!(ring_of(&answer), (1..=members).collect::<Vec<_>>());
            // All weigh the same, so whoever closed the ring dies, and its end lets the rest go.
            assert_eq!(answer.deadlocks[0].victim, TrxId(members));
            for trx in (1..=members).rev() {
                let woken = table.release_all(TrxId(trx));
                assert_eq!(woken.len(), usize::from(trx > 1), "the end of {trx}");
            }
            table.check().unwrap();
        }
    }
}

#[test]
fn the_members_of_a_report_hold_and_want_what_they_did() {
    let table = open_ring(support::ARRIVAL, 3);
    let answer = close_ring(&table, 3);
    for member in &answer.deadlocks[0].cycle {
        assert_eq!(member.holds.len(), 1);
        assert_eq!(member.weight, 2, "the lock held and the lock wanted");
        assert!(member.wanted.waiting && !member.blocked_by.waiting);
        assert_eq!(member.wanted.trx, member.trx);
    }
}

/// The requester stands outside: its wait closes nothing, so a search from it sees the ring only if
/// it follows edges wherever they lead. Without a search at the other waits the ring was still there.
#[test]
fn a_tail_that_leads_into_a_ring() {
    let unsearched = LockConfig {
        detector: DetectorKind::BackgroundOneEdge,
        victim: VictimKind::LightestElseRequester,
        ..support::BRENT
    };
    let table = open_ring(unsearched, 3);
    for trx in 4..=5 {
        table.begin(TrxId(trx));
        let _ = ask(&table, trx, trx);
    }
    assert_eq!(ask(&table, 4, 2).outcome, Outcome::Waiting);
    assert_eq!(ask(&table, 5, 4).outcome, Outcome::Waiting);
    let answer = close_ring(&table, 3);
    assert_eq!(ring_of(&answer), [1, 2, 3], "the tail is no part of it");
    assert!(table.sweep().deadlocks.is_empty());
    table.check().unwrap();
}

/// A path without a ring may be as long as the limit; one longer kills the requester.
#[test]
fn the_depth_limit_is_exact() {
    let limit = |depth| LockConfig {
        detector: DetectorKind::DepthFirst {
            depth,
            steps: 1_000_000,
            beyond: Beyond::RequesterDies,
        },
        ..support::ARRIVAL
    };
    for (depth, outcome) in [(10, Outcome::Waiting), (9, Outcome::Victim)] {
        // 12 waits for 11, who waits for 10, and so on to 1, who runs: beyond the requester there
        // are ten waiting transactions on the path.
        let table = LockTable::new(limit(depth));
        for trx in 1..=12 {
            table.begin(TrxId(trx));
            let _ = ask(&table, trx, trx);
        }
        for trx in 2..=11 {
            assert_eq!(ask(&table, trx, trx - 1).outcome, Outcome::Waiting);
        }
        let answer = ask(&table, 12, 11);
        assert_eq!(answer.outcome, outcome, "with depth {depth}");
        assert_eq!(
            answer.deadlocks.iter().any(|report| report.too_deep),
            depth == 9
        );
        table.check().unwrap();
    }
}
