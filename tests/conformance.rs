//! The engine against recordings of real servers: the share of steps that must agree.

use std::path::Path;

use gaplock::lab::conform::{PlanBook, ServerScore, read_recordings};
use gaplock_engine::profile;

/// Smallest shares, in percent.
const OUTCOMES_MIN: u64 = 95;
const LOCKS_MIN: u64 = 90;

/// Plays a server's smallest and hand-written cases.
fn agreement(server: &str) -> ServerScore {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance");
    let profile = profile::find(server).unwrap();
    let mut score = ServerScore::new(server);
    for file in ["min.jsonl.gz", "hand.jsonl.gz"] {
        let path = directory.join(server).join(file);
        let recordings = read_recordings(&path).unwrap_or_else(|error| panic!("{error}"));
        let mut plans = PlanBook::default();
        plans.learn(&recordings);
        for recording in &recordings {
            score.play(recording, &profile, &plans, 20);
        }
    }
    score
}

fn assert_agreement(server: &str) {
    let score = agreement(server);
    assert!(score.cases > 0);
    let enough = score.outcome_agree * 100 >= score.steps * OUTCOMES_MIN
        && score.locks_agree * 100 >= score.locks_compared * LOCKS_MIN;
    assert!(enough, "too little agreement: {score:#?}");
}

#[test]
fn mysql_5_6_agrees() {
    assert_agreement("mysql-5.6");
}

#[test]
fn mysql_9_7_agrees() {
    assert_agreement("mysql-9.7");
}

#[test]
fn mariadb_10_11_agrees() {
    assert_agreement("mariadb-10.11");
}
