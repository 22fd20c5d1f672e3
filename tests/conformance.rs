//! The engine against everything that was recorded of real servers: agreement may grow, not shrink.

use std::path::{Path, PathBuf};

use gaplock::lab::conform::{PlanBook, Recording, ServerScore, read_recordings};
use gaplock_engine::profile;

/// The most steps of each server that may disagree: in outcome (as counted after a case's first
/// disagreement), and in locks. Lower these with every rule that is found.
const MOST: &[(&str, u64, u64)] = &[
    ("mariadb-10.1", 11, 24),
    ("mariadb-10.5", 10, 17),
    ("mariadb-10.11", 12, 17),
    ("mariadb-11.8", 6, 11),
    ("mariadb-11.8-no-snapshot-isolation", 0, 0),
    ("mysql-5.5", 21, 65),
    ("mysql-5.6", 38, 66),
    ("mysql-5.7.24", 17, 55),
    ("mysql-5.7.37", 14, 36),
    ("mysql-8.0.30", 14, 36),
    ("mysql-9.7", 12, 19),
    ("mysql-9.7-native-fk", 0, 0),
];

fn recordings_of(server: &str) -> Vec<Recording> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/conformance")
        .join(server);
    let mut files: Vec<PathBuf> = std::fs::read_dir(&directory)
        .unwrap_or_else(|error| panic!("{}: {error}", directory.display()))
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let read = |path: &PathBuf| read_recordings(path).unwrap_or_else(|error| panic!("{error}"));
    files.iter().flat_map(read).collect()
}

#[test]
fn agreement_with_real_servers_does_not_shrink() {
    // One that explains UPDATE and DELETE lends its plans to one that does not.
    let lender = recordings_of("mysql-5.6");
    let mut worse = Vec::new();
    for (server, outcomes, locks) in MOST {
        let recordings = recordings_of(server);
        let mut plans = PlanBook::default();
        plans.learn(&recordings);
        plans.learn(&lender);
        let profile = profile::find(server).unwrap();
        let mut score = ServerScore::new(server);
        for recording in &recordings {
            score.play(recording, &profile, &plans, 20);
        }
        assert!(score.cases > 0, "{server}");
        let disagree = (
            score.steps - score.outcome_agree,
            score.locks_compared - score.locks_agree,
        );
        if disagree.0 > *outcomes || disagree.1 > *locks {
            worse.push(format!(
                "{server}: {disagree:?} disagree, at most {:?} may",
                (outcomes, locks)
            ));
        }
    }
    assert!(worse.is_empty(), "{worse:#?}");
}
