//! Pages that split and merge, as `gaplock record` saw real servers do it: forty random cases of long
//! rows, or hundreds of them, on each. Outcomes and locks agree throughout; of weights (the lock
//! structures and undo records of a transaction) fewer may come to differ, not more.

use std::path::Path;

use gaplock::lab::conform::{PlanBook, ServerScore, read_recordings};
use gaplock_engine::profile;

/// Steps whose weights may differ. The lists of 5.6 and MariaDB are cut at ten lock structures.
const MOST: &[(&str, u64)] = &[("mariadb-10.11", 0), ("mysql-9.7", 0), ("mysql-5.6", 12)];

#[test]
fn pages_that_split_and_merge_agree() {
    for (server, most) in MOST {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/conformance")
            .join(server)
            .join("pages.jsonl.gz");
        let recordings = read_recordings(&path).unwrap();
        let profile = profile::find(server).unwrap();
        let mut score = ServerScore::new(server);
        for recording in &recordings {
            score.play(recording, &profile, &PlanBook::default(), 20);
        }
        let told = &score.first_disagreements;
        assert_eq!(score.cases, 40, "{server}");
        assert_eq!(score.outcome_agree, score.steps, "{server}: {told:#?}");
        assert_eq!(
            score.locks_agree, score.locks_compared,
            "{server}: {told:#?}"
        );
        let differ = score.weights_compared - score.weights_agree;
        assert!(differ <= *most, "{server}: {differ} weights: {told:#?}");
    }
}
