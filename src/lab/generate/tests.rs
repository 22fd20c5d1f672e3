//! Each generated case is one that the engine plays.

use std::path::Path;

use gaplock_engine::profile;
use proptest::prelude::*;

use super::super::conform::{PlanBook, Recording, play_recording};
use super::super::scenario;
use super::*;
use crate::sql::parse::parse;

/// The case as a recording of nothing: every step disagrees, but is played.
fn unplayed(case: &Case) -> Recording {
    let mut json = serde_json::to_value(case).unwrap();
    json["server"] = "".into();
    for step in json["steps"].as_array_mut().unwrap() {
        step["status"] = "ok".into();
    }
    serde_json::from_value(json).unwrap()
}

fn kinds() -> impl Strategy<Value = Kind> {
    prop_oneof![Just(Kind::Small), Just(Kind::Pages), Just(Kind::Mixed)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn every_statement_is_known(seed: u64, number in 0..10_000_u64, kind in kinds()) {
        let case = case(seed, number, kind);
        for sql in case.setup.iter().chain(case.steps.iter().map(|step| &step.sql)) {
            prop_assert!(parse(sql).is_ok(), "{sql}: {:?}", parse(sql));
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_bytes(seed: u64, number in 0..10_000_u64, kind in kinds()) {
        let text = |case: Case| serde_json::to_string(&case).unwrap();
        prop_assert_eq!(text(case(seed, number, kind)), text(case(seed, number, kind)));
    }

    #[test]
    fn a_case_is_a_scenario(seed: u64, number in 0..10_000_u64, kind in kinds()) {
        let case = case(seed, number, kind);
        let text = case.to_scenario("A generated case.", &["mysql-5.6"]);
        let read = scenario::parse(Path::new("x.scn"), &text).unwrap();
        prop_assert_eq!(Case::of_scenario(&read, &case.name).unwrap(), [case]);
    }

    #[test]
    fn the_engine_plays_it(seed: u64, number in 0..10_000_u64, kind in kinds()) {
        let case = case(seed, number, kind);
        for name in ["mysql-5.6", "mysql-9.7", "mariadb-10.11"] {
            let profile = profile::find(name).unwrap();
            let score = play_recording(&unplayed(&case), &profile, &PlanBook::default());
            prop_assert_eq!(score.steps.len(), case.steps.len());
            for step in &score.steps {
                let what = step.verdict.outcome.clone().unwrap_or_default();
                let broken = ["setup failed", "panicked", "busy"].iter().any(|w| what.contains(w));
                prop_assert!(!broken, "{name}: {what}");
            }
        }
    }
}
