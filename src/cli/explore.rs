//! `gaplock explore`, and what it shares with its relatives.

use std::fs::File;
use std::io::{BufReader, BufWriter};
use std::path::Path;
use std::time::Duration;

use gaplock::engine::profile::Profile;
use gaplock::lab::explore::{self, Bounds, Exploration, Granularity, Rules};
use gaplock::lab::prepare::{Change, Prepared, prepare};
use gaplock::lab::scenario::{Act, Command, Input, Scenario};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use super::Status;
use super::args::{CertifyArguments, ExploreArguments, GranularityName, RuleArguments};
use super::diagnostics::Failure;
use super::files;
use super::junit::{self, Check};
use super::output::{Output, Tone};

/// What is printed for one variant and profile.
#[derive(Serialize)]
struct Line<'a> {
    #[serde(flatten)]
    exploration: &'a Exploration,
    #[serde(skip_serializing_if = "Option::is_none")]
    variant: Option<&'a str>,
}

pub(super) fn explore(
    arguments: &ExploreArguments,
    output: &mut Output,
) -> Result<Status, Failure> {
    let scenario = files::read_scenario(&arguments.file)?;
    let profiles = files::profiles(&scenario, &arguments.profile)?;
    let acts = acts(&scenario, arguments.variant.as_deref())?;
    if arguments.certificate.is_some() && profiles.len() * acts.len() != 1 {
        let what = "a certificate is about one variant under one profile";
        let advice = "name them with --variant and --profile";
        return Err(Failure::plain(what.to_owned(), Some(advice.to_owned())));
    }
    let mut status = Status::AsExpected;
    let mut checks = Vec::new();
    for act in acts {
        for profile in &profiles {
            let change = Change::default();
            let prepared = prepared(&scenario, act, profile, &change, &arguments.rules)?;
            let found = search(arguments, &prepared)?;
            status = status.max(status_of(&found));
            let variant = act.name.as_deref();
            checks.push(check(&scenario, variant, &found));
            if arguments.json {
                output.json(&Line {
                    exploration: &found,
                    variant,
                });
            } else {
                print(&scenario, variant, &found, output);
            }
        }
    }
    if let Some(path) = &arguments.junit {
        junit::write(path, "gaplock explore", &checks)?;
    }
    Ok(status)
}

/// The result as a check: that every interleaving was covered and none deadlocks.
fn check(scenario: &Scenario, variant: Option<&str>, found: &Exploration) -> Check {
    let failed = status_of(found) != Status::AsExpected;
    Check {
        class: scenario.path.display().to_string(),
        name: format!("{} {}", variant.unwrap_or("explore"), found.profile),
        failure: failed.then(|| found.lines().join("\n")),
    }
}

/// The search that was asked for.
fn search(arguments: &ExploreArguments, prepared: &Prepared) -> Result<Exploration, Failure> {
    let Prepared { world, program } = prepared;
    let most = arguments.rules.max_schedules;
    if let Some(count) = arguments.random {
        return Ok(match arguments.pct {
            Some(depth) => explore::pct(world, program, depth, count, arguments.seed),
            None => explore::random(world, program, count, arguments.seed),
        });
    }
    if let Some(depth) = arguments.pct {
        let count = most.min(PCT_SCHEDULES);
        return Ok(explore::pct(world, program, depth, count, arguments.seed));
    }
    if arguments.plain {
        return Ok(explore::explore_plain(world, program, most));
    }
    let bounds = Bounds {
        schedules_max: most,
        preemptions: arguments.preemptions,
        ..Bounds::default()
    };
    let Some(path) = &arguments.certificate else {
        return bounded(prepared, bounds);
    };
    let mut file = BufWriter::new(File::create(path).map_err(|error| unusable(path, &error))?);
    let bar = progress_bar();
    let found = explore::explore_certified(
        world,
        program,
        bounds,
        &mut |_, steps| bar.set_position(steps),
        Some(&mut file),
    );
    bar.finish_and_clear();
    found.map_err(|error| Failure::plain(error.to_string(), None))
}

/// How many schedules are played for bugs of a depth, unless it is said.
const PCT_SCHEDULES: u64 = 10_000;

fn unusable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::plain(format!("{}: {error}", path.display()), None)
}

/// Explores with a progress bar.
pub(super) fn bounded(prepared: &Prepared, bounds: Bounds) -> Result<Exploration, Failure> {
    let bar = progress_bar();
    let found = explore::explore(
        &prepared.world,
        &prepared.program,
        bounds,
        &mut |_, steps| bar.set_position(steps),
    );
    bar.finish_and_clear();
    found.map_err(|error| Failure::plain(error.to_string(), None))
}

/// An act's world and program under a profile, with a change.
pub(super) fn prepared(
    scenario: &Scenario,
    act: &Act,
    profile: &Profile,
    change: &Change,
    arguments: &RuleArguments,
) -> Result<Prepared, Failure> {
    prepare(scenario, act, profile, change, rules(arguments))
        .map_err(|error| Failure::scenario(&error, &scenario.text))
}

/// The rules that were asked for.
pub(super) fn rules(arguments: &RuleArguments) -> Rules {
    Rules {
        granularity: match arguments.granularity {
            GranularityName::Lock => Granularity::Lock,
            GranularityName::Statement => Granularity::Statement,
        },
        retries: arguments.retry_victims.unwrap_or(0),
        purge: arguments.purge,
    }
}

/// `gaplock certify`.
pub(super) fn certify(
    arguments: &CertifyArguments,
    output: &mut Output,
) -> Result<Status, Failure> {
    let scenario = files::read_scenario(&arguments.file)?;
    let profiles = files::profiles(&scenario, &arguments.profile)?;
    let acts = acts(&scenario, arguments.variant.as_deref())?;
    let ([act], [profile]) = (&acts[..], &profiles[..]) else {
        let what = "a certificate is about one variant under one profile";
        let advice = "name them with --variant and --profile";
        return Err(Failure::plain(what.to_owned(), Some(advice.to_owned())));
    };
    let change = Change::default();
    let prepared = prepared(&scenario, act, profile, &change, &arguments.rules)?;
    let path = &arguments.certificate;
    let file = File::open(path).map_err(|error| unusable(path, &error))?;
    let mut file = BufReader::new(file);
    match explore::certify(&prepared.world, &prepared.program, &mut file) {
        Ok(done) => {
            output.toned(Tone::Good, "certificate confirmed");
            output.line(&format!(
                "{} states, {} steps taken, {} of them known to the search without taking them",
                done.states, done.steps, done.commuting
            ));
            output.line(&format!(
                "{} steps close a circle, {} states are stuck",
                done.deadlocks, done.stuck
            ));
            Ok(Status::AsExpected)
        }
        Err(error) => {
            output.toned(Tone::Bad, &format!("certificate refused: {error}"));
            Ok(Status::NotAsExpected)
        }
    }
}

/// The acts to explore: those that say so, or all if none does; or the one that is named.
pub(super) fn acts<'a>(
    scenario: &'a Scenario,
    variant: Option<&str>,
) -> Result<Vec<&'a Act>, Failure> {
    if let Some(name) = variant {
        return named_act(scenario, name).map(|act| vec![act]);
    }
    let explores = |act: &&Act| {
        let mut inputs = act.blocks.iter().flat_map(|block| &block.inputs);
        inputs.any(|input| matches!(input, Input::Command(Command::Explore { .. }, _)))
    };
    let chosen: Vec<&Act> = scenario.acts.iter().filter(explores).collect();
    if chosen.is_empty() {
        return Ok(scenario.acts.iter().collect());
    }
    Ok(chosen)
}

/// The act of that name.
pub(super) fn named_act<'a>(scenario: &'a Scenario, name: &str) -> Result<&'a Act, Failure> {
    let act = scenario
        .acts
        .iter()
        .find(|act| act.name.as_deref() == Some(name));
    act.ok_or_else(|| {
        let names: Vec<&str> = scenario
            .acts
            .iter()
            .filter_map(|act| act.name.as_deref())
            .collect();
        let advice = if names.is_empty() {
            "the file has no variants".to_owned()
        } else {
            format!("the file has {}", names.join(", "))
        };
        let path = scenario.path.display();
        Failure::plain(format!("{path}: no variant `{name}`"), Some(advice))
    })
}

fn status_of(found: &Exploration) -> Status {
    if found.deadlocks.0 > 0.0 || found.stuck.0 > 0.0 {
        Status::NotAsExpected
    } else if found.exhaustive {
        Status::AsExpected
    } else {
        Status::BoundHit
    }
}

/// Shown on a terminal only.
fn progress_bar() -> ProgressBar {
    let bar = ProgressBar::new_spinner();
    let style = ProgressStyle::with_template("{spinner} {human_pos} steps, {per_sec}");
    if let Ok(style) = style {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

/// A heading: the file, the variant, and what follows it.
pub(super) fn title(scenario: &Scenario, variant: Option<&str>, rest: &str) -> String {
    let variant = variant.map(|name| format!(" ({name})")).unwrap_or_default();
    format!("== {}{variant} {rest}", scenario.path.display())
}

fn print(scenario: &Scenario, variant: Option<&str>, found: &Exploration, output: &mut Output) {
    let under = format!("under {}", found.profile);
    output.toned(Tone::Heading, &title(scenario, variant, &under));
    let mut lines = found.lines().into_iter();
    let tone = match status_of(found) {
        Status::AsExpected => Tone::Good,
        Status::BoundHit => Tone::Faint,
        Status::NotAsExpected => Tone::Bad,
    };
    if let Some(summary) = lines.next() {
        output.toned(tone, &summary);
    }
    output.lines(lines);
    output.line("");
}
