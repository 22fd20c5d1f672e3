//! `gaplock diff`: one scenario under two profiles, or before and after a change of schema.

use gaplock::engine::profile::Profile;
use gaplock::lab::explore::{Bounds, Difference};
use gaplock::lab::prepare::Change;
use gaplock::lab::scenario::{Act, Scenario};

use super::Status;
use super::args::{DiffArguments, ProfileArguments};
use super::diagnostics::Failure;
use super::explore::{acts, bounded, prepared, title};
use super::files;
use super::output::{Output, Tone};

/// One side: its name, its profile, and what is changed.
struct Side {
    name: String,
    profile: Profile,
    change: Change,
}

pub(super) fn diff(arguments: &DiffArguments, output: &mut Output) -> Result<Status, Failure> {
    let scenario = files::read_scenario(&arguments.file)?;
    let mut status = Status::AsExpected;
    for act in acts(&scenario, arguments.variant.as_deref())? {
        for (from, to) in sides(&scenario, arguments)? {
            let found = compare(&scenario, act, arguments, &from, &to)?;
            status = status.max(match (found.is_empty(), found.exhaustive) {
                (false, _) => Status::NotAsExpected,
                (true, true) => Status::AsExpected,
                (true, false) => Status::BoundHit,
            });
            if arguments.json {
                output.json(&found);
            } else {
                print(&scenario, act, &found, output);
            }
        }
    }
    Ok(status)
}

/// Two profiles, or each profile without and with the statements of `--index`.
fn sides(scenario: &Scenario, arguments: &DiffArguments) -> Result<Vec<(Side, Side)>, Failure> {
    let one = |name: &str| {
        let chosen = ProfileArguments {
            profiles: vec![name.to_owned()],
            sets: arguments.sets.clone(),
        };
        files::profiles(scenario, &chosen)
    };
    let changed = Change {
        setup: arguments.index.clone(),
        ..Change::default()
    };
    let side = |name: &str, profile: &Profile, change: &Change| Side {
        name: name.to_owned(),
        profile: profile.clone(),
        change: change.clone(),
    };
    if let (Some(from), Some(to)) = (&arguments.from, &arguments.to) {
        let (first, second) = (one(from)?, one(to)?);
        let pairs = first.iter().zip(&second);
        let pairs = pairs.map(|(first, second)| {
            let before = Change::default();
            (side(from, first, &before), side(to, second, &changed))
        });
        return Ok(pairs.collect());
    }
    let profiles = match &arguments.from {
        Some(from) => one(from)?,
        None => files::profiles(
            scenario,
            &ProfileArguments {
                profiles: Vec::new(),
                sets: arguments.sets.clone(),
            },
        )?,
    };
    if arguments.index.is_empty() {
        let what = "nothing to compare".to_owned();
        let advice = "name two profiles with --from and --to, or a change with --index";
        return Err(Failure::plain(what, Some(advice.to_owned())));
    }
    let pairs = profiles.iter().map(|profile| {
        let (before, after) = ("before", "after");
        let from = side(before, profile, &Change::default());
        (from, side(after, profile, &changed))
    });
    Ok(pairs.collect())
}

fn compare(
    scenario: &Scenario,
    act: &Act,
    arguments: &DiffArguments,
    from: &Side,
    to: &Side,
) -> Result<Difference, Failure> {
    let bounds = Bounds {
        schedules_max: arguments.rules.max_schedules,
        ..Bounds::default()
    };
    let explored = |side: &Side| {
        let prepared = prepared(scenario, act, &side.profile, &side.change, &arguments.rules)?;
        bounded(&prepared, bounds)
    };
    let (first, second) = (explored(from)?, explored(to)?);
    Ok(Difference::between(
        (&from.name, &first),
        (&to.name, &second),
    ))
}

fn print(scenario: &Scenario, act: &Act, found: &Difference, output: &mut Output) {
    let rest = format!("from {} to {}", found.from, found.to);
    output.toned(Tone::Heading, &title(scenario, act.name.as_deref(), &rest));
    let mut lines = found.lines().into_iter();
    let tone = match (found.is_empty(), found.exhaustive) {
        (true, true) => Tone::Good,
        (true, false) => Tone::Faint,
        (false, _) => Tone::Bad,
    };
    if let Some(verdict) = lines.next() {
        output.toned(tone, &verdict);
    }
    output.lines(lines);
    output.line("");
}
