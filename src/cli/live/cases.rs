//! What both commands need: a server to talk to, and cases to play.

use std::ffi::OsStr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use gaplock::lab::conform::{Case, read_cases};
use gaplock::lab::generate::{self, Kind};
use gaplock::lab::live::{LiveError, LiveServer};

use super::super::diagnostics::Failure;
use super::super::files;
use super::args::{CaseKind, RandomArguments, ServerArguments};

impl From<LiveError> for Failure {
    fn from(error: LiveError) -> Failure {
        Failure::plain(error.to_string(), error.advice())
    }
}

/// Connects; Ctrl-C ends playing, and what was made on the server is dropped.
pub(super) fn connect(arguments: &ServerArguments) -> Result<LiveServer, Failure> {
    if let Some(name) = &arguments.profile {
        files::find_profile(name)?;
    }
    let stop = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&stop);
    ctrlc::set_handler(move || flag.store(true, Ordering::Relaxed))
        .map_err(|error| Failure::plain(format!("no handler for Ctrl-C: {error}"), None))?;
    let server = LiveServer::connect(&arguments.url, arguments.profile.as_deref(), stop)?;
    Ok(server)
}

/// The cases of files.
pub(super) fn of_files(paths: &[impl AsRef<Path>]) -> Result<Vec<Case>, Failure> {
    let mut cases = Vec::new();
    for path in paths {
        let path = path.as_ref();
        if path.extension() != Some(OsStr::new("scn")) {
            cases.extend(read_cases(path)?);
            continue;
        }
        let scenario = files::read_scenario(path)?;
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        let found = Case::of_scenario(&scenario, &name)
            .map_err(|error| Failure::plain(format!("{}: {error}", path.display()), None))?;
        cases.extend(found);
    }
    Ok(cases)
}

/// The seed to be printed, and its cases, made as they are asked for.
pub(super) fn random(arguments: &RandomArguments) -> (Option<u64>, impl Iterator<Item = Case>) {
    let count = arguments.random.unwrap_or(0);
    let seed = arguments.seed.unwrap_or_else(seed_of_now);
    let kind = match arguments.kind {
        CaseKind::Small => Kind::Small,
        CaseKind::Pages => Kind::Pages,
        CaseKind::Mixed => Kind::Mixed,
    };
    let numbers = arguments.from..arguments.from + count;
    let cases = numbers.map(move |number| generate::case(seed, number, kind));
    (arguments.random.map(|_| seed), cases)
}

#[expect(
    clippy::disallowed_methods,
    reason = "another seed each time, and printed"
)]
fn seed_of_now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(1, |since| since.as_secs())
}
