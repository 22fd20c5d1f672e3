//! Every scenario of the gallery plays as it says, under every profile that it names.

use std::path::{Path, PathBuf};

use gaplock::lab::runner::{self, RunOptions};
use gaplock::lab::scenario::{self, Scenario};
use gaplock_engine::profile;

fn scenarios(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(scenarios(&path));
        } else if path.extension().is_some_and(|extension| extension == "scn") {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn read(path: &Path) -> Scenario {
    let text = std::fs::read_to_string(path).unwrap();
    scenario::parse(path, &text).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn scenarios_play_as_they_say() {
    let mut failures = Vec::new();
    let files = scenarios(&Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios"));
    assert!(!files.is_empty());
    for path in files {
        let scenario = read(&path);
        for act in &scenario.acts {
            for (name, _) in &scenario.profiles {
                let profile = profile::find(name).unwrap_or_else(|| panic!("profile {name}"));
                let play = runner::play(&scenario, act, &profile, &RunOptions::default())
                    .unwrap_or_else(|error| panic!("{error}"));
                let wrong = play.blocks.iter().filter(|block| !block.agrees);
                failures.extend(wrong.map(|block| {
                    let (place, expected) = block.expected.clone().unwrap_or_default();
                    format!(
                        "{}:{place} under {name}\nexpected:\n  {}\nseen:\n  {}",
                        path.display(),
                        expected.join("\n  "),
                        block.lines.join("\n  ")
                    )
                }));
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}
