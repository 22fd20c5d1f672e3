//! `gaplock run`.

use gaplock::lab::report::timeline::timeline;
use gaplock::lab::runner::{self, BlockPlay, Play, RunOptions};
use gaplock::lab::scenario::{Act, Scenario, accept};
use serde_json::json;

use super::Status;
use super::args::RunArguments;
use super::diagnostics::Failure;
use super::files;
use super::junit::{self, Check};
use super::output::{Output, Tone};

/// Width of the timeline where the terminal does not say.
const WIDTH: usize = 100;

pub(super) fn run(arguments: &RunArguments, output: &mut Output) -> Result<Status, Failure> {
    let mut status = Status::AsExpected;
    let mut checks = Vec::new();
    for path in &arguments.files {
        let scenario = files::read_scenario(path)?;
        status = status.max(run_scenario(&scenario, arguments, &mut checks, output)?);
    }
    if let Some(path) = &arguments.junit {
        junit::write(path, "gaplock run", &checks)?;
    }
    Ok(status)
}

/// A play as a check: that every block put out what is expected of it.
fn check(scenario: &Scenario, act: &Act, play: &Play) -> Check {
    let wrong = play.blocks.iter().filter(|block| !block.agrees);
    let wrong: Vec<String> = wrong
        .map(|block| format!("line {}: {}", block.line, block.lines.join("; ")))
        .collect();
    Check {
        class: scenario.path.display().to_string(),
        name: format!("{} {}", act.name.as_deref().unwrap_or("run"), play.profile),
        failure: (!wrong.is_empty()).then(|| wrong.join("\n")),
    }
}

fn run_scenario(
    scenario: &Scenario,
    arguments: &RunArguments,
    checks: &mut Vec<Check>,
    output: &mut Output,
) -> Result<Status, Failure> {
    let profiles = files::profiles(scenario, &arguments.profile)?;
    let options = RunOptions {
        schedules_max: arguments.max_schedules,
        directory: arguments.db.clone(),
    };
    if options.directory.is_some() && scenario.acts.len() * profiles.len() > 1 {
        let advice = "give one `--profile`, and a file without variants";
        let message = "one database can be played on once, not under several profiles or variants";
        return Err(Failure::plain(message, Some(advice.to_owned())));
    }
    let mut outputs = Vec::new();
    let mut status = Status::AsExpected;
    for (place, act) in scenario.acts.iter().enumerate() {
        for profile in &profiles {
            let play = runner::play(scenario, act, profile, &options)
                .map_err(|error| Failure::scenario(&error, &scenario.text))?;
            outputs.extend(play.outputs(act, place));
            checks.push(check(scenario, act, &play));
            if !play.agrees() && !arguments.accept {
                status = Status::NotAsExpected;
            }
            if arguments.json {
                output.json(&as_json(scenario, act, &play));
            } else {
                print(scenario, act, &play, arguments.accept, output);
            }
        }
    }
    if arguments.accept {
        write_accepted(
            scenario,
            &accept(scenario, &outputs),
            output,
            arguments.json,
        )?;
    }
    Ok(status)
}

fn write_accepted(
    scenario: &Scenario,
    text: &str,
    output: &mut Output,
    json: bool,
) -> Result<(), Failure> {
    let path = scenario.path.display();
    let word = if text == scenario.text {
        "nothing to rewrite"
    } else {
        std::fs::write(&scenario.path, text)
            .map_err(|error| Failure::plain(format!("{path}: {error}"), None))?;
        "expectations rewritten"
    };
    if !json {
        output.toned(Tone::Good, &format!("{path}: {word}"));
    }
    Ok(())
}

fn title(scenario: &Scenario, act: &Act, play: &Play) -> String {
    let variant = act.name.as_ref().map(|name| format!(" ({name})"));
    format!(
        "{}{} under {}",
        scenario.path.display(),
        variant.unwrap_or_default(),
        play.profile
    )
}

fn print(scenario: &Scenario, act: &Act, play: &Play, accepted: bool, output: &mut Output) {
    let title = title(scenario, act, play);
    output.toned(Tone::Heading, &format!("== {title}"));
    let width = std::env::var("COLUMNS")
        .ok()
        .and_then(|text| text.parse().ok());
    output.lines(timeline(
        &act.sessions(),
        &play.entries,
        width.unwrap_or(WIDTH),
    ));
    for deadlock in &play.deadlocks {
        output.line("");
        output.lines(deadlock.lines());
    }
    output.line("");
    for block in play
        .blocks
        .iter()
        .filter(|block| !block.agrees && !accepted)
    {
        print_difference(scenario, block, output);
    }
    let compared = play.blocks.iter().filter(|block| block.expected.is_some());
    let compared = compared.count();
    if accepted {
        output.toned(Tone::Faint, "played");
    } else if !play.agrees() {
        output.toned(Tone::Bad, &format!("{title}: NOT as expected"));
    } else if compared == 0 {
        output.toned(
            Tone::Faint,
            "played; nothing is expected under this profile",
        );
    } else {
        output.toned(
            Tone::Good,
            &format!("as expected ({compared} blocks compared)"),
        );
    }
    output.line("");
}

/// Expected and actual lines, those that differ marked.
fn print_difference(scenario: &Scenario, block: &BlockPlay, output: &mut Output) {
    let none = Vec::new();
    let (line, expected) = match &block.expected {
        Some((line, expected)) => (*line, expected),
        None => (block.line, &none),
    };
    let place = format!("{}:{line}", scenario.path.display());
    output.toned(Tone::Bad, &format!("{place}: expected (-) and seen (+):"));
    for text in expected {
        let mark = if block.lines.contains(text) { ' ' } else { '-' };
        output.line(&format!("  {mark} {text}"));
    }
    for text in &block.lines {
        if !expected.contains(text) {
            output.line(&format!("  + {text}"));
        }
    }
}

fn as_json(scenario: &Scenario, act: &Act, play: &Play) -> serde_json::Value {
    let blocks = play.blocks.iter().map(|block| {
        json!({
            "line": block.line,
            "agrees": block.agrees,
            "expected": block.expected.as_ref().map(|(_, lines)| lines),
            "seen": block.lines,
        })
    });
    json!({
        "file": scenario.path.display().to_string(),
        "variant": act.name,
        "profile": play.profile,
        "agrees": play.agrees(),
        "blocks": blocks.collect::<Vec<_>>(),
        "deadlocks": play.deadlocks,
    })
}
