//! Scenario files and the profiles to play them under.

use std::path::Path;

use gaplock::lab::scenario::{self, Problem, Scenario, ScenarioError};
use gaplock_engine::profile::{self, Profile};

use super::args::ProfileArguments;
use super::diagnostics::Failure;

/// Reads and parses a scenario.
pub(super) fn read_scenario(path: &Path) -> Result<Scenario, Failure> {
    let bytes = std::fs::read(path)
        .map_err(|error| Failure::plain(format!("{}: {error}", path.display()), None))?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let line = error.as_bytes()[..error.utf8_error().valid_up_to()]
            .split(|byte| *byte == b'\n')
            .count();
        Failure::plain(format!("{}:{line}:1: not UTF-8 text", path.display()), None)
    })?;
    scenario::parse(path, &text).map_err(|error| Failure::scenario(&error, &text))
}

/// The profiles to play a scenario under: those given, or else those that it names.
pub(super) fn profiles(
    scenario: &Scenario,
    arguments: &ProfileArguments,
) -> Result<Vec<Profile>, Failure> {
    let mut profiles = Vec::new();
    if arguments.profiles.is_empty() {
        for (name, place) in &scenario.profiles {
            let found = profile::find(name).ok_or_else(|| {
                let problem = Problem::UnknownProfile {
                    name: name.clone(),
                    near: near_profiles(name),
                };
                Failure::scenario(
                    &ScenarioError {
                        path: scenario.path.clone(),
                        place: *place,
                        problem,
                        line_text: String::new(),
                    },
                    &scenario.text,
                )
            })?;
            profiles.push(found);
        }
    } else {
        for name in &arguments.profiles {
            profiles.push(find_profile(name)?);
        }
    }
    if profiles.is_empty() {
        let advice = Problem::NoProfile.advice();
        let message = format!("{}: {}", scenario.path.display(), Problem::NoProfile);
        return Err(Failure::plain(message, advice));
    }
    for profile in &mut profiles {
        apply_sets(profile, &arguments.sets)?;
    }
    Ok(profiles)
}

/// The profile of that name, or an error with the names that look like it.
pub(super) fn find_profile(name: &str) -> Result<Profile, Failure> {
    profile::find(name).ok_or_else(|| {
        let problem = Problem::UnknownProfile {
            name: name.to_owned(),
            near: near_profiles(name),
        };
        Failure::plain(problem.to_string(), problem.advice())
    })
}

/// Changes facts as `FACT=VALUE` says.
pub(super) fn apply_sets(profile: &mut Profile, sets: &[String]) -> Result<(), Failure> {
    for set in sets {
        let advice = || Some("`gaplock profiles NAME` lists the facts".to_owned());
        let (fact, value) = set
            .split_once('=')
            .ok_or_else(|| Failure::plain(format!("`--set {set}` is not FACT=VALUE"), advice()))?;
        profile
            .set(fact.trim(), value.trim())
            .map_err(|error| Failure::plain(error.to_string(), advice()))?;
    }
    Ok(())
}

/// Known names that resemble a wrong one, nearest first.
fn near_profiles(name: &str) -> Vec<String> {
    const NEAR_MAX: usize = 3;
    let contains = |known: &str| !name.is_empty() && known.contains(name);
    let mut scored: Vec<(bool, usize, &str)> = profile::names()
        .into_iter()
        .map(|known| (!contains(known), edit_distance(name, known), known))
        .filter(|(apart, distance, known)| !apart || *distance <= known.len() / 3)
        .collect();
    scored.sort();
    let near = scored.into_iter().take(NEAR_MAX);
    near.map(|(_, _, known)| known.to_owned()).collect()
}

/// How many letters must be added, dropped or changed to turn one word into the other.
fn edit_distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (at, letter) in from.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], at + 1);
        for column in 0..to.len() {
            let changed = diagonal + usize::from(letter != to[column]);
            diagonal = row[column + 1];
            row[column + 1] = changed.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_are_found() {
        assert_eq!(edit_distance("mysql-5.6", "mysql-5.6"), 0);
        assert_eq!(edit_distance("kitten", "sitting"), 3);
        assert!(near_profiles("mysql-5.7").contains(&"mysql-5.7.37".to_owned()));
        assert!(near_profiles("oracle").is_empty());
    }
}
