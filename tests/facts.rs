//! No fact is dead: each has a scenario in `scenarios/versions` that shows it. A scenario says which
//! facts it shows in a comment, `# shows: fact, fact`; played with another value of the fact, under
//! one of the profiles that it names, it has to come out differently.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use gaplock::lab::runner::{self, RunOptions};
use gaplock::lab::scenario::{self, Scenario};
use gaplock_engine::profile::{self, FACTS, Profile};

/// Values that no built-in profile has, for facts in which they do not differ.
const MORE_VALUES: &[(&str, &str)] = &[("lock_wait_timeout", "60")];

/// What a scenario came to: the lines of its blocks, or why it cannot be played.
fn outcome(scenario: &Scenario, profile: &Profile) -> Vec<String> {
    let mut lines = Vec::new();
    for act in &scenario.acts {
        match runner::play(scenario, act, profile, &RunOptions::default()) {
            Ok(play) => lines.extend(play.blocks.into_iter().flat_map(|block| block.lines)),
            Err(error) => lines.push(error.to_string()),
        }
    }
    lines
}

/// Every value that some profile has, and those above.
fn values(fact: &str) -> BTreeSet<String> {
    let profiles = profile::names().into_iter().filter_map(profile::find);
    let mut values: BTreeSet<String> = profiles.filter_map(|profile| profile.get(fact)).collect();
    let more = MORE_VALUES.iter().filter(|(name, _)| *name == fact);
    values.extend(more.map(|(_, value)| (*value).to_owned()));
    values
}

/// Whether another value of the fact changes what the scenario comes to, under one of its profiles.
fn shows(scenario: &Scenario, fact: &str) -> bool {
    scenario.profiles.iter().any(|(name, _)| {
        let profile = profile::find(name).unwrap_or_else(|| panic!("profile {name}"));
        let as_it_is = outcome(scenario, &profile);
        values(fact).iter().any(|value| {
            let mut other = profile.clone();
            other.set(fact, value).unwrap();
            other != profile && outcome(scenario, &other) != as_it_is
        })
    })
}

fn scenarios() -> Vec<(PathBuf, Scenario)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/versions");
    let mut paths: Vec<PathBuf> = std::fs::read_dir(&directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    let parse = |path: PathBuf| {
        let text = std::fs::read_to_string(&path).unwrap();
        let scenario = scenario::parse(&path, &text).unwrap_or_else(|error| panic!("{error}"));
        (path, scenario)
    };
    paths.into_iter().map(parse).collect()
}

fn shown_facts(scenario: &Scenario) -> Vec<String> {
    let lines = scenario.text.lines();
    let lists = lines.filter_map(|line| line.strip_prefix("# shows: "));
    lists
        .flat_map(|list| list.split(','))
        .map(|fact| fact.trim().to_owned())
        .collect()
}

#[test]
fn every_fact_is_shown_by_a_scenario() {
    let mut shown: BTreeMap<String, usize> = BTreeMap::new();
    let mut wrong = Vec::new();
    for (path, scenario) in scenarios() {
        for fact in shown_facts(&scenario) {
            let file = path.file_name().unwrap().to_string_lossy().into_owned();
            if !FACTS.iter().any(|known| known.name == fact) {
                wrong.push(format!("{file}: no fact is called {fact}"));
            } else if shows(&scenario, &fact) {
                *shown.entry(fact).or_default() += 1;
            } else {
                wrong.push(format!("{file} does not show {fact}"));
            }
        }
    }
    let dead = FACTS.iter().filter(|fact| !shown.contains_key(fact.name));
    wrong.extend(dead.map(|fact| format!("no scenario shows {}", fact.name)));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
