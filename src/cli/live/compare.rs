//! `gaplock compare`.

use std::fs;
use std::path::Path;

use gaplock::lab::conform::print::disagreement;
use gaplock::lab::conform::tally::{first_of_its_kind, what_differs};
use gaplock::lab::conform::{Case, ServerScore};
use gaplock::lab::live::{self, Comparison, LiveServer};
use gaplock_engine::profile::Profile;
use serde_json::json;

use super::super::Status;
use super::super::conform::print_table;
use super::super::diagnostics::Failure;
use super::super::files::{apply_sets, find_profile};
use super::super::output::{Output, Tone};
use super::args::CompareArguments;
use super::cases;

/// Disagreements kept in the printed JSON.
const LISTED: usize = 50;

pub(in crate::cli) fn compare(
    arguments: &CompareArguments,
    output: &mut Output,
) -> Result<Status, Failure> {
    let of_files = cases::of_files(&arguments.files)?;
    let (seed, random) = cases::random(&arguments.random);
    let mut server = cases::connect(&arguments.server)?;
    let mut profile = find_profile(server.profile())?;
    apply_sets(&mut profile, &arguments.sets)?;
    if !arguments.json {
        let heading = format!("{}, compared with {}", server.version(), profile.name);
        output.toned(Tone::Heading, &heading);
        if let Some(seed) = seed {
            output.line(&format!("seed {seed}"));
        }
        output.flush();
    }
    // A panic while a case is played is one of its disagreements: it is told there.
    std::panic::set_hook(Box::new(|_| {}));
    let mut run = Run {
        arguments,
        server: &mut server,
        profile,
        output,
        score: ServerScore::default(),
        left: arguments.limit,
        racy: 0,
        failed: Vec::new(),
    };
    run.score.profile.clone_from(&run.profile.name);
    let mut cases = of_files.into_iter().chain(random).filter(|case| {
        let wanted = arguments.case.as_deref().unwrap_or_default();
        case.name.starts_with(wanted)
    });
    let played = cases.try_for_each(|case| run.case(&case));
    let status = if played.is_ok() {
        run.finish(seed)
    } else {
        Status::NotAsExpected
    };
    drop(std::panic::take_hook());
    server.close()?;
    played.map(|()| status)
}

struct Run<'a> {
    arguments: &'a CompareArguments,
    server: &'a mut LiveServer,
    profile: Profile,
    output: &'a mut Output,
    score: ServerScore,
    /// How many more disagreements to print.
    left: usize,
    /// Cases of which the server made different things.
    racy: u64,
    /// Names of cases that disagree.
    failed: Vec<String>,
}

impl Run<'_> {
    fn case(&mut self, case: &Case) -> Result<(), Failure> {
        let comparison = live::compare(self.server, &self.profile, case)?;
        self.racy += u64::from(comparison.racy);
        if comparison.recording.bad.is_some() {
            self.score.given_up += 1;
            return Ok(());
        }
        self.score
            .count(&comparison.recording, &comparison.score, LISTED);
        if comparison.agrees() {
            return Ok(());
        }
        self.failed.push(case.name.clone());
        if let Some(directory) = &self.arguments.write {
            let plays = self.arguments.plays;
            let reduced = live::shrink(self.server, &self.profile, case, plays)?;
            write(directory, &reduced.case, &self.profile.name)?;
            self.print(reduced.comparison.as_ref().unwrap_or(&comparison));
        } else {
            self.print(&comparison);
        }
        self.output.flush();
        Ok(())
    }

    fn print(&mut self, comparison: &Comparison) {
        let Comparison {
            recording, score, ..
        } = comparison;
        if self.arguments.json {
            return;
        }
        for index in (0..score.steps.len()).filter(|index| first_of_its_kind(score, *index)) {
            if self.left > 0 {
                self.left -= 1;
                let text = disagreement(recording, score, index);
                self.output.lines(text.lines());
                self.output.line("");
            } else {
                let what = what_differs(score, index);
                let line = format!("{} step {}: {what}", recording.name, index + 1);
                self.output.line(&line);
            }
        }
    }

    fn finish(&mut self, seed: Option<u64>) -> Status {
        if self.arguments.json {
            let mut value = json!(self.score);
            value["seed"] = json!(seed);
            value["server"] = json!(self.server.version());
            value["racy"] = json!(self.racy);
            value["given_up"] = json!(self.score.given_up);
            value["disagreeing"] = json!(self.failed);
            self.output.json(&value);
        } else {
            print_table(std::slice::from_ref(&self.score), self.output);
            if self.racy > 0 {
                let text = format!("    {} cases raced on the server", self.racy);
                self.output.toned(Tone::Faint, &text);
            }
        }
        if self.failed.is_empty() {
            Status::AsExpected
        } else {
            Status::NotAsExpected
        }
    }
}

/// Writes a case as case and as scenario.
fn write(directory: &Path, case: &Case, profile: &str) -> Result<(), Failure> {
    let failure = |path: &Path, error: std::io::Error| {
        Failure::plain(format!("{}: {error}", path.display()), None)
    };
    fs::create_dir_all(directory).map_err(|error| failure(directory, error))?;
    let story = format!(
        "{}: the real server and this profile disagree.\n\nFound by `gaplock compare`, and made \
         smaller by it.",
        case.name
    );
    let mut line = serde_json::to_string(case).expect("our own data has a JSON form");
    line.push('\n');
    let files = [
        ("jsonl", line),
        ("scn", case.to_scenario(&story, &[profile])),
    ];
    for (extension, text) in files {
        let path = directory.join(format!("{}.{extension}", case.name));
        fs::write(&path, text).map_err(|error| failure(&path, error))?;
    }
    Ok(())
}
