//! `gaplock stress`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use gaplock::lab::scenario::{Act, Command, Input, Scenario, ScenarioError};
use gaplock::lab::stress::{self, StressCounts};
use gaplock_engine::profile::Profile;
use serde_json::json;

use super::Status;
use super::args::StressArguments;
use super::diagnostics::Failure;
use super::explore::named_act;
use super::files;
use super::output::{Output, Tone};

const THREADS: usize = 8;
const SECONDS: f64 = 5.0;

/// How often the clock is looked at.
const TICK: Duration = Duration::from_millis(20);

pub(super) fn stress(arguments: &StressArguments, output: &mut Output) -> Result<Status, Failure> {
    let scenario = files::read_scenario(&arguments.file)?;
    let profiles = files::profiles(&scenario, &arguments.profile)?;
    let acts: Vec<&Act> = match &arguments.variant {
        Some(name) => vec![named_act(&scenario, name)?],
        None => scenario.acts.iter().collect(),
    };
    let interrupted = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&interrupted);
    ctrlc::set_handler(move || flag.store(true, Ordering::Relaxed))
        .map_err(|error| Failure::plain(format!("no handler for Ctrl-C: {error}"), None))?;
    if !arguments.json {
        print_header(output);
    }
    for act in acts {
        let load = load(arguments, act)?;
        for profile in &profiles {
            if interrupted.load(Ordering::Relaxed) {
                return Ok(Status::AsExpected);
            }
            let (counts, seconds) = timed(&scenario, act, profile, &load, &interrupted)
                .map_err(|error| Failure::scenario(&error, &scenario.text))?;
            print(arguments.json, act, profile, &counts, seconds, output);
        }
    }
    Ok(Status::AsExpected)
}

struct Load {
    threads: usize,
    duration: Duration,
}

/// What the arguments say, or else the file, or else the defaults.
fn load(arguments: &StressArguments, act: &Act) -> Result<Load, Failure> {
    let mut inputs = act.blocks.iter().flat_map(|block| &block.inputs);
    let of_file = inputs.find_map(|input| match input {
        Input::Command(Command::Stress { threads, micros }, _) => Some((*threads, *micros)),
        _ => None,
    });
    let seconds = match (arguments.seconds, of_file) {
        (Some(seconds), _) => Duration::try_from_secs_f64(seconds)
            .map_err(|error| Failure::plain(format!("--seconds {seconds}: {error}"), None))?,
        (None, Some((_, micros))) => Duration::from_micros(micros),
        (None, None) => Duration::from_secs_f64(SECONDS),
    };
    let threads = arguments.threads.or(of_file.map(|(threads, _)| threads));
    Ok(Load {
        threads: threads.unwrap_or(THREADS).max(1),
        duration: seconds,
    })
}

/// Plays the load until its time is over or the user interrupts; gives the seconds it took.
#[expect(clippy::disallowed_methods, reason = "the load lasts real seconds")]
fn timed(
    scenario: &Scenario,
    act: &Act,
    profile: &Profile,
    load: &Load,
    interrupted: &AtomicBool,
) -> Result<(StressCounts, f64), ScenarioError> {
    let stop = AtomicBool::new(false);
    let begin = Instant::now();
    thread::scope(|scope| {
        scope.spawn(|| {
            while begin.elapsed() < load.duration
                && !interrupted.load(Ordering::Relaxed)
                && !stop.load(Ordering::Relaxed)
            {
                thread::sleep(TICK);
            }
            stop.store(true, Ordering::Relaxed);
        });
        let counts = stress::stress(scenario, act, profile, load.threads, &stop);
        // Ends the timer at once where the load failed to start.
        stop.store(true, Ordering::Relaxed);
        counts.map(|counts| (counts, begin.elapsed().as_secs_f64()))
    })
}

fn print_header(output: &mut Output) {
    let header = format!(
        "{:20} {:16} {:>16} {:>12} {:>12} {:>10} {:>10}",
        "variant", "profile", "transactions/s", "waits/s", "deadlocks/s", "timeouts", "errors"
    );
    output.toned(Tone::Heading, &header);
}

fn print(
    as_json: bool,
    act: &Act,
    profile: &Profile,
    counts: &StressCounts,
    seconds: f64,
    output: &mut Output,
) {
    if as_json {
        output.json(&json!({
            "variant": act.name,
            "profile": profile.name,
            "seconds": seconds,
            "transactions": counts.transactions,
            "waits": counts.waits,
            "deadlocks": counts.deadlocks,
            "timeouts": counts.timeouts,
            "other_errors": counts.other_errors,
        }));
        return;
    }
    let rate = |count: u64| count as f64 / seconds;
    output.line(&format!(
        "{:20} {:16} {:>16.0} {:>12.1} {:>12.1} {:>10} {:>10}",
        act.name.as_deref().unwrap_or("-"),
        profile.name,
        rate(counts.transactions),
        rate(counts.waits),
        rate(counts.deadlocks),
        counts.timeouts,
        counts.other_errors,
    ));
    output.flush();
}
