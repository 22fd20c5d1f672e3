//! `gaplock fuzz`.

use std::fs;
use std::path::Path;

use gaplock::engine::profile::Profile;
use gaplock::lab::fuzz::{Catch, Quarry, fuzz};

use super::Status;
use super::args::FuzzArguments;
use super::diagnostics::Failure;
use super::files;
use super::output::{Output, Tone};

pub(super) fn run(arguments: &FuzzArguments, output: &mut Output) -> Result<Status, Failure> {
    let profile = |name: &str| -> Result<Profile, Failure> {
        let mut profile = files::find_profile(name)?;
        files::apply_sets(&mut profile, &arguments.sets)?;
        Ok(profile)
    };
    if let Some(directory) = &arguments.out {
        let made = fs::create_dir_all(directory);
        made.map_err(|error| unwritable(directory, &error))?;
    }
    let (one, two);
    let quarry = match (&arguments.profile, &arguments.from, &arguments.to) {
        (Some(name), _, _) => {
            one = profile(name)?;
            Quarry::Deadlocks(&one)
        }
        (None, Some(from), Some(to)) => {
            (one, two) = (profile(from)?, profile(to)?);
            Quarry::Differences(&one, &two)
        }
        _ => {
            let what = "nothing to look for".to_owned();
            let advice = "name a profile with --profile, or two with --from and --to";
            return Err(Failure::plain(what, Some(advice.to_owned())));
        }
    };
    let mut failure = None;
    let mut caught = 0;
    let tally = fuzz(&quarry, arguments.seed, arguments.count, &mut |catch| {
        caught += 1;
        match keep(&catch, arguments, caught, output) {
            Ok(()) => caught < arguments.limit,
            Err(error) => {
                failure = Some(error);
                false
            }
        }
    });
    if let Some(failure) = failure {
        return Err(failure);
    }
    output.line(&format!(
        "{} programs explored, {} too large; {} with a finding, {caught} different ones",
        tally.explored, tally.too_large, tally.found
    ));
    Ok(match caught {
        0 => Status::AsExpected,
        _ => Status::NotAsExpected,
    })
}

fn keep(
    catch: &Catch,
    arguments: &FuzzArguments,
    number: u64,
    output: &mut Output,
) -> Result<(), Failure> {
    output.toned(Tone::Heading, &format!("== {}", catch.shape));
    match &arguments.out {
        None => output.lines(catch.scenario.lines()),
        Some(directory) => {
            let path = directory.join(format!("found-{number:03}.scn"));
            fs::write(&path, &catch.scenario).map_err(|error| unwritable(&path, &error))?;
            output.line(&format!("program {}: {}", catch.number, path.display()));
        }
    }
    output.line("");
    Ok(())
}

fn unwritable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::plain(format!("{}: {error}", path.display()), None)
}
