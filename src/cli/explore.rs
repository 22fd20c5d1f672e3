//! `gaplock explore`.

use std::time::Duration;

use gaplock::lab::explore::Exploration;
use gaplock::lab::runner;
use gaplock::lab::scenario::{Act, Command, Input, Scenario};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use super::Status;
use super::args::ExploreArguments;
use super::diagnostics::Failure;
use super::files;
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
    let mut status = Status::AsExpected;
    for act in acts(&scenario, arguments.variant.as_deref())? {
        for profile in &profiles {
            let bar = progress_bar();
            let found = runner::explore_act(
                &scenario,
                act,
                profile,
                arguments.max_schedules,
                &mut |schedules| bar.set_position(schedules),
            );
            bar.finish_and_clear();
            let found = found.map_err(|error| Failure::scenario(&error, &scenario.text))?;
            status = status.max(status_of(&found));
            let variant = act.name.as_deref();
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
    Ok(status)
}

/// The acts to explore: those that say so, or all if none does; or the one that is named.
fn acts<'a>(scenario: &'a Scenario, variant: Option<&str>) -> Result<Vec<&'a Act>, Failure> {
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
    if found.deadlocks > 0 || found.stuck > 0 {
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
    let style = ProgressStyle::with_template("{spinner} {human_pos} schedules, {per_sec}");
    if let Ok(style) = style {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

fn print(scenario: &Scenario, variant: Option<&str>, found: &Exploration, output: &mut Output) {
    let variant = variant.map(|name| format!(" ({name})")).unwrap_or_default();
    let title = format!(
        "== {}{variant} under {}",
        scenario.path.display(),
        found.profile
    );
    output.toned(Tone::Heading, &title);
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
