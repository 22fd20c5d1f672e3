//! Programs drawn by chance, explored, and made small where something is found.
//!
//! What is looked for: deadlocks under one profile, or differences between two. A program is drawn
//! from its number, so a run is its first number and how many follow. What is found twice is told
//! once: findings are told apart by their shape, which is what they say without the keys and sessions
//! in it.

mod draw;

use std::collections::BTreeSet;

use gaplock_engine::profile::Profile;

use super::explore::{self, Bounds, Exploration, Rules};
use super::shrink::{Case, shrink};
pub use draw::{Drawn, draw};

/// What to look for.
#[derive(Clone, Debug)]
pub enum Quarry<'a> {
    /// Deadlocks under a profile.
    Deadlocks(&'a Profile),
    /// What only one of two profiles does: a deadlock, or an end of rows and results.
    Differences(&'a Profile, &'a Profile),
}

/// Schedules played of each program; beyond, another one is drawn.
const SCHEDULES_MAX: u64 = 10_000;

/// Something found, and the smallest program that shows it.
#[derive(Clone, Debug)]
pub struct Catch {
    /// The program that it was found in.
    pub number: u64,
    /// Made small.
    pub case: Case,
    /// What it shows.
    pub shape: String,
    /// The scenario file.
    pub scenario: String,
}

/// What a run came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Programs explored to the end.
    pub explored: u64,
    /// Programs that were too large.
    pub too_large: u64,
    /// Programs with a finding, also those whose shape was known.
    pub found: u64,
}

/// Draws `count` programs from number `first` on; `caught` is given each new finding, and says whether
/// to go on.
pub fn fuzz(
    quarry: &Quarry<'_>,
    first: u64,
    count: u64,
    caught: &mut dyn FnMut(Catch) -> bool,
) -> Tally {
    let mut tally = Tally::default();
    let mut known: BTreeSet<String> = BTreeSet::new();
    for number in first..first.saturating_add(count) {
        let drawn = draw(number);
        // Steps are cut as finely as the engine can; purge and retries only blur what differs.
        let rules = Rules {
            granularity: drawn.rules.granularity,
            ..Rules::default()
        };
        match quarry.shapes(&drawn.case, rules) {
            None => tally.too_large += 1,
            Some(shapes) => {
                tally.explored += 1;
                tally.found += u64::from(!shapes.is_empty());
                let Some(shape) = shapes.difference(&known).next().cloned() else {
                    continue;
                };
                known.extend(shapes);
                let catch = quarry.catch(number, &drawn.case, rules, shape);
                if !caught(catch) {
                    return tally;
                }
            }
        }
    }
    tally
}

impl Quarry<'_> {
    fn explored(case: &Case, profile: &Profile, rules: Rules) -> Option<Exploration> {
        let prepared = case.prepare(profile, rules).ok()?;
        let bounds = Bounds {
            schedules_max: SCHEDULES_MAX,
            ..Bounds::default()
        };
        let found =
            explore::explore(&prepared.world, &prepared.program, bounds, &mut |_, _| {}).ok()?;
        found.exhaustive.then_some(found)
    }

    /// The shapes that a program shows; none if it is too large, or cannot be set up.
    fn shapes(&self, case: &Case, rules: Rules) -> Option<BTreeSet<String>> {
        match self {
            Quarry::Deadlocks(profile) => {
                let found = Self::explored(case, profile, rules)?;
                let cycles = found.cycles.iter();
                Some(cycles.map(|cycle| shape(&cycle.what)).collect())
            }
            Quarry::Differences(from, to) => {
                let one = Self::explored(case, from, rules)?;
                let two = Self::explored(case, to, rules)?;
                Some(differences(&one, &two))
            }
        }
    }

    /// The smallest program that still shows the shape, as a scenario.
    fn catch(&self, number: u64, case: &Case, rules: Rules, wanted: String) -> Catch {
        let case = shrink(case, &mut |case| {
            let shapes = self.shapes(case, rules);
            shapes.is_some_and(|shapes| shapes.contains(&wanted))
        });
        let case = case.with_ends();
        let mut story = vec![format!("{wanted}.")];
        story.push(String::new());
        story.push(format!(
            "Found by exploring drawn programs (number {number}), made small."
        ));
        let mut blocks = vec![vec!["explore all".to_owned()]];
        let profiles: Vec<&Profile> = match self {
            Quarry::Deadlocks(profile) => vec![profile],
            Quarry::Differences(from, to) => vec![from, to],
        };
        let mut replays: BTreeSet<String> = BTreeSet::new();
        for profile in &profiles {
            // As a file is explored: the small program has few enough schedules.
            let Some(found) = Self::explored(&case, profile, Rules::default()) else {
                continue;
            };
            blocks[0].push(format!("---- {}", profile.name));
            blocks[0].push(format!("{}: {}", found.covered(), found.verdict()));
            blocks[0].push("...".to_owned());
            let told = wanted.split_once(": ").map_or(&*wanted, |(_, rest)| rest);
            let telling = found.cycles.iter().chain(&found.waits);
            let telling = telling.filter(|finding| shape(&finding.what) == told);
            let schedule = telling.map(|finding| finding.first.clone()).next();
            replays.extend(schedule);
        }
        for schedule in replays {
            blocks.extend(replayed(&case, &profiles, &schedule));
        }
        let names: Vec<&str> = profiles
            .iter()
            .map(|profile| profile.name.as_str())
            .collect();
        let scenario = case.scenario(&story, &names, &blocks);
        Catch {
            number,
            case,
            shape: wanted,
            scenario,
        }
    }
}

/// A `replay` with what it comes to under each profile, if it can be played under all of them.
fn replayed(case: &Case, profiles: &[&Profile], schedule: &str) -> Option<Vec<String>> {
    let mut block = vec![format!("replay {schedule}")];
    for profile in profiles {
        let prepared = case.prepare(profile, Rules::default()).ok()?;
        let end = explore::replay(&prepared.world, &prepared.program, schedule).ok()?;
        block.push(format!("---- {}", profile.name));
        block.push(end.to_string());
    }
    Some(block)
}

/// What only one side has: circles by their shape, and else whether ends differ.
fn differences(one: &Exploration, two: &Exploration) -> BTreeSet<String> {
    let cycles = |of: &Exploration| -> BTreeSet<String> {
        of.cycles.iter().map(|cycle| shape(&cycle.what)).collect()
    };
    let waits = |of: &Exploration| -> BTreeSet<String> {
        of.waits.iter().map(|wait| shape(&wait.what)).collect()
    };
    let sides = [(one, two), (two, one)];
    let mut found = BTreeSet::new();
    for (here, there) in sides {
        let dies = here.deadlocks.0 > 0.0 && there.deadlocks.0 == 0.0;
        if dies {
            let only = cycles(here);
            let only = only.difference(&cycles(there)).cloned().collect::<Vec<_>>();
            found.extend(
                only.iter()
                    .map(|s| format!("Deadlock only under {}: {s}", here.profile)),
            );
        }
    }
    if !found.is_empty() {
        return found;
    }
    for (here, there) in sides {
        let only = waits(here);
        let only: Vec<String> = only.difference(&waits(there)).cloned().collect();
        found.extend(
            only.iter()
                .map(|s| format!("Wait only under {}: {s}", here.profile)),
        );
    }
    found
}

/// What is said, without which record and which session.
fn shape(what: &str) -> String {
    let parts = what.split("; ").filter(|part| !part.starts_with("victim"));
    let mut shapes: Vec<String> = parts
        .map(|part| {
            let waits = part.split_once(" waits ").map_or(part, |(_, rest)| rest);
            let lock = waits.split_once(", for ").map_or(waits, |(lock, _)| lock);
            match lock.split_once(" at ") {
                Some((lock, "supremum")) => format!("{lock} at supremum"),
                Some((lock, _)) => lock.to_owned(),
                None => lock.to_owned(),
            }
        })
        .collect();
    shapes.sort_unstable();
    shapes.join(" against ")
}

#[cfg(test)]
mod tests {
    use gaplock_engine::profile;

    use super::*;

    #[test]
    fn shapes_name_neither_keys_nor_sessions() {
        let what = "a waits X insert-intention on t.u at supremum, for b; \
                    b waits X next-key on t.u at 30, for a; victim a";
        assert_eq!(
            shape(what),
            "X insert-intention on t.u at supremum against X next-key on t.u"
        );
    }

    #[test]
    fn what_is_found_is_small_and_says_so_again() {
        let profile = profile::find("mysql-5.7.37").unwrap();
        let mut catches = Vec::new();
        let quarry = Quarry::Deadlocks(&profile);
        let tally = fuzz(&quarry, 1, 200, &mut |catch| {
            catches.push(catch);
            catches.len() < 3
        });
        assert!(tally.explored > 0 && !catches.is_empty(), "{tally:?}");
        for catch in catches {
            let again =
                super::super::scenario::parse(std::path::Path::new("found.scn"), &catch.scenario);
            let again = again.unwrap_or_else(|error| panic!("{error}\n{}", catch.scenario));
            let options = super::super::runner::RunOptions::default();
            let play = super::super::runner::play(&again, &again.acts[0], &profile, &options);
            let play = play.unwrap_or_else(|error| panic!("{error}\n{}", catch.scenario));
            assert!(play.agrees(), "{}\n{:#?}", catch.scenario, play.blocks);
        }
    }
}
