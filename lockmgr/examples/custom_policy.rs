//! A grant policy of one's own: shortest queue of grievances first. Whoever was rolled back most often
//! is granted first, and the conformance suite says whether that holds up.
//!
//! Run it with `cargo run -p gaplock-lockmgr --features testing --example custom_policy`.
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use gaplock_lockmgr::testing::{Limits, suite};
use gaplock_lockmgr::{
    GrantKind, GrantPolicy, HeapNo, LockConfig, LockMode, LockSpan, LockTable, Micros, Moment,
    OnConflict, Origin, PageAddress, Policies, RecordAddress, RecordRequest, Seniority, TrxId,
    Waiter,
};

#[derive(Debug)]
struct MostRestartedFirst;

impl GrantPolicy for MostRestartedFirst {
    fn order(&self, waiters: &mut [Waiter], _: &Moment) {
        // The sort is stable: among equals the one that came first.
        waiters.sort_by_key(|waiter| std::cmp::Reverse(waiter.party.restarts));
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let rules = LockConfig {
        grant: GrantKind::Custom,
        ..LockConfig::DEFAULT
    };
    let policies = || Policies::of(&rules).with_grant(MostRestartedFirst);

    // One holds a record; a newcomer and then one that was a victim twice wait for it.
    let table = LockTable::with_policies(rules, policies());
    for (trx, restarts) in [(1, 0), (2, 0), (3, 2)] {
        let seniority = Seniority {
            restarts,
            ..Seniority::default()
        };
        table.begin_as(TrxId(trx), seniority);
        let page = PageAddress { space: 1, page: 4 };
        let heap = HeapNo::FIRST_USER;
        let answer = table.request_record(&RecordRequest {
            trx: TrxId(trx),
            at: RecordAddress { page, heap },
            mode: LockMode::X,
            span: LockSpan::Record,
            implicit: false,
            on_conflict: OnConflict::Wait(Micros::MAX),
            origin: Origin::default(),
        });
        println!("transaction {trx}: {:?}", answer.outcome);
    }
    println!("after 1 ends: {:?}", table.release_all(TrxId(1)));

    let report = suite(&rules, policies, 1, 500, &Limits::default())?;
    println!("{report:?}");
    Ok(())
}
