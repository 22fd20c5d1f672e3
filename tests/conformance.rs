//! The engine against everything that was recorded of real servers: agreement may grow, not shrink,
//! and docs/FIDELITY.md says what it is.

use std::path::{Path, PathBuf};

use gaplock::lab::conform::{Agreement, Explained, document};

/// The most steps of each server that may disagree: in outcome (as counted after a case's first
/// disagreement), and in locks. Lower these with every rule that is found.
const MOST: &[(&str, u64, u64)] = &[
    ("mariadb-10.1", 0, 1),
    ("mariadb-10.11", 5, 4),
    ("mariadb-10.5", 5, 4),
    ("mariadb-11.8", 0, 0),
    ("mariadb-11.8-no-snapshot-isolation", 0, 0),
    ("mysql-5.5", 0, 31),
    ("mysql-5.6", 0, 10),
    ("mysql-5.7.24", 0, 2),
    ("mysql-5.7.37", 0, 0),
    ("mysql-8.0.30", 6, 18),
    ("mysql-9.7", 0, 6),
    ("mysql-9.7-native-fk", 0, 0),
];

/// The least share of statements for which our planner chooses the recorded path, in thousandths.
const LEAST_PLANS: u64 = 990;

/// What is to be run when the document is not what is played.
const REGENERATE: &str = "run `gaplock conform --table docs/FIDELITY.md tests/conformance`";

fn in_root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

#[test]
fn agreement_with_real_servers_is_what_the_document_says() {
    let directory = in_root("tests/conformance");
    let agreement = Agreement::measure(&directory).unwrap();
    let explained = Explained::read(&directory.join("explained.toml")).unwrap();

    let names: Vec<&str> = agreement.servers.keys().map(String::as_str).collect();
    let known: Vec<&str> = MOST.iter().map(|(server, ..)| *server).collect();
    assert_eq!(names, known, "servers with recordings");

    let mut worse = Vec::new();
    for (server, outcomes, locks) in MOST {
        let score = &agreement.servers[*server];
        let differ = score.counts().disagree();
        if differ.outcome > *outcomes || differ.locks > *locks {
            worse.push(format!(
                "{server}: {differ:?} disagree, at most {outcomes} and {locks} may"
            ));
        }
        for kind in ["min", "regime"] {
            let counts = score.counts_of(kind);
            if counts.is_some_and(|counts| counts.disagree() != Default::default()) {
                worse.push(format!("{server}: {kind} does not agree throughout"));
            }
        }
        let plans = &score.planner;
        if plans.agreed * 1000 < plans.compared * LEAST_PLANS {
            worse.push(format!(
                "{server}: {} of {} plans agree",
                plans.agreed, plans.compared
            ));
        }
    }
    worse.extend(agreement.unexplained(&explained));
    assert!(worse.is_empty(), "{worse:#?}");

    let path = in_root("docs/FIDELITY.md");
    let written = std::fs::read_to_string(path).unwrap();
    let fresh = document::replace(&written, &document::render(&agreement, &explained)).unwrap();
    assert!(written == fresh, "docs/FIDELITY.md is stale: {REGENERATE}");
}
