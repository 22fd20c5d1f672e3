//! `gaplock advise`.

use std::time::Duration;

use gaplock::lab::advise::{Advice, AdviseError, advise};
use gaplock::lab::explore::Bounds;
use indicatif::ProgressBar;

use super::Status;
use super::args::AdviseArguments;
use super::diagnostics::Failure;
use super::explore::{acts, rules, title};
use super::files;
use super::output::{Output, Tone};

pub(super) fn run(arguments: &AdviseArguments, output: &mut Output) -> Result<Status, Failure> {
    let scenario = files::read_scenario(&arguments.file)?;
    let profiles = files::profiles(&scenario, &arguments.profile)?;
    let bounds = Bounds {
        schedules_max: arguments.rules.max_schedules,
        ..Bounds::default()
    };
    let mut status = Status::AsExpected;
    for act in acts(&scenario, arguments.variant.as_deref())? {
        for profile in &profiles {
            let bar = ProgressBar::new_spinner();
            bar.enable_steady_tick(Duration::from_millis(200));
            let advice = advise(
                &scenario,
                act,
                profile,
                rules(&arguments.rules),
                bounds,
                &mut |what| bar.set_message(what.to_owned()),
            );
            bar.finish_and_clear();
            let advice = advice.map_err(|error| match error {
                AdviseError::Scenario(error) => Failure::scenario(&error, &scenario.text),
                AdviseError::Explore(error) => Failure::plain(error.to_string(), None),
            })?;
            status = status.max(status_of(&advice));
            if arguments.json {
                output.json(&advice);
                continue;
            }
            let under = format!("under {}", advice.profile);
            output.toned(
                Tone::Heading,
                &title(&scenario, act.name.as_deref(), &under),
            );
            output.lines(advice.lines());
            output.line("");
        }
    }
    Ok(status)
}

/// As expected where nothing needs a cure, or one was found.
fn status_of(advice: &Advice) -> Status {
    let before = &advice.before;
    let sound = before.deadlocks.0 == 0.0 && before.stuck.0 == 0.0;
    match (sound, before.exhaustive, advice.has_cure()) {
        (true, true, _) | (false, _, true) => Status::AsExpected,
        (true, false, _) => Status::BoundHit,
        (false, _, false) => Status::NotAsExpected,
    }
}
