//! `gaplock conform`.

use std::path::{Path, PathBuf};

use gaplock::lab::conform::print::disagreement;
use gaplock::lab::conform::tally::{first_of_its_kind, what_differs};
use gaplock::lab::conform::{
    Agreement, CaseScore, Explained, PlanBook, Recording, ServerScore, document, read_recordings,
};
use gaplock_engine::profile::Profile;

use super::Status;
use super::args::ConformArguments;
use super::diagnostics::Failure;
use super::files::{apply_sets, find_profile};
use super::output::{Output, Tone};

/// Disagreements printed for each server when the arguments don't say.
const LIMIT: usize = 10;

pub(super) fn conform(
    arguments: &ConformArguments,
    output: &mut Output,
) -> Result<Status, Failure> {
    if let Some(document) = &arguments.table {
        return write_table(document, &arguments.traces, output);
    }
    let mut recordings = Vec::new();
    for path in &arguments.traces {
        recordings.extend(read_recordings(path)?);
    }
    let mut plans = PlanBook::default();
    plans.learn(&recordings);
    if let Some(case) = &arguments.case {
        recordings.retain(|recording| recording.name.starts_with(case.as_str()));
    }
    let scores = quietly(|| play_all(arguments, &recordings, &plans, output))?;
    let mut status = Status::AsExpected;
    for score in &scores {
        let agree = score.outcome_agree + score.other_order == score.steps
            && score.first_disagreements.is_empty();
        if !agree {
            status = Status::NotAsExpected;
        }
        if arguments.json {
            output.json(score);
        }
    }
    if !arguments.json {
        print_table(&scores, output);
    }
    Ok(status)
}

/// Measures the agreement with all servers and writes it into a document.
fn write_table(
    document: &Path,
    traces: &[PathBuf],
    output: &mut Output,
) -> Result<Status, Failure> {
    let [directory] = traces else {
        let message = "--table takes one directory of recordings".to_owned();
        return Err(Failure::plain(message, None));
    };
    let plain = |error: &dyn std::fmt::Display| {
        Failure::plain(format!("{}: {error}", document.display()), None)
    };
    let explained = Explained::read(&directory.join("explained.toml"))
        .map_err(|error| Failure::plain(error.to_string(), None))?;
    let old = std::fs::read_to_string(document).map_err(|error| plain(&error))?;
    let agreement = quietly(|| Agreement::measure(directory))?;
    let new = document::replace(&old, &document::render(&agreement, &explained))
        .map_err(|error| plain(&error))?;
    std::fs::write(document, new).map_err(|error| plain(&error))?;
    let unexplained = agreement.unexplained(&explained);
    for line in &unexplained {
        output.line(line);
    }
    Ok(if unexplained.is_empty() {
        Status::AsExpected
    } else {
        Status::NotAsExpected
    })
}

/// A panic while a case is played is one of its disagreements: it is told there.
fn quietly<T>(play: impl FnOnce() -> T) -> T {
    std::panic::set_hook(Box::new(|_| {}));
    let played = play();
    drop(std::panic::take_hook());
    played
}

fn play_all(
    arguments: &ConformArguments,
    recordings: &[Recording],
    plans: &PlanBook,
    output: &mut Output,
) -> Result<Vec<ServerScore>, Failure> {
    let mut servers: Vec<&str> = Vec::new();
    for recording in recordings {
        if !servers.contains(&recording.server.as_str()) {
            servers.push(&recording.server);
        }
    }
    let mut scores = Vec::new();
    for server in servers {
        let name = arguments.profile.as_deref().unwrap_or(server);
        let mut profile = find_profile(name)?;
        apply_sets(&mut profile, &arguments.sets)?;
        let of_server = recordings.iter().filter(|r| r.server == server);
        let mut printer = Printer {
            arguments,
            left: limit(arguments),
            output: &mut *output,
        };
        scores.push(play_server(of_server, &profile, plans, &mut printer));
    }
    Ok(scores)
}

fn limit(arguments: &ConformArguments) -> usize {
    let unlimited = arguments.list_disagreements && arguments.limit.is_none();
    match arguments.limit {
        _ if arguments.first => 1,
        Some(limit) => limit,
        None if unlimited => usize::MAX,
        None => LIMIT,
    }
}

fn play_server<'a>(
    recordings: impl Iterator<Item = &'a Recording>,
    profile: &Profile,
    plans: &PlanBook,
    printer: &mut Printer<'_>,
) -> ServerScore {
    let mut score = ServerScore::new(&profile.name);
    let kept = printer.arguments.limit.unwrap_or(LIMIT);
    for recording in recordings {
        if let Some(case) = score.play(recording, profile, plans, kept) {
            printer.case(recording, &case);
        }
        if printer.arguments.first && printer.left == 0 {
            break;
        }
    }
    score
}

/// Prints disagreements as they are met.
struct Printer<'a> {
    arguments: &'a ConformArguments,
    /// How many more to print.
    left: usize,
    output: &'a mut Output,
}

impl Printer<'_> {
    fn case(&mut self, recording: &Recording, score: &CaseScore) {
        let arguments = self.arguments;
        let full = arguments.verbose || arguments.first;
        if arguments.json || !(full || arguments.list_disagreements) {
            return;
        }
        for index in (0..score.steps.len()).filter(|index| first_of_its_kind(score, *index)) {
            if self.left == 0 {
                return;
            }
            self.left -= 1;
            if full {
                self.output
                    .lines(disagreement(recording, score, index).lines());
                self.output.line("");
            } else {
                self.output.line(&format!(
                    "{} {} {}: {}",
                    recording.server,
                    recording.name,
                    index + 1,
                    what_differs(score, index)
                ));
            }
        }
    }
}

pub(super) fn print_table(scores: &[ServerScore], output: &mut Output) {
    let weighed = scores.iter().any(|score| score.weights_compared > 0);
    let header = format!(
        "{:36} {:>6} {:>7} {:>17} {:>17} {:>11}{}",
        "profile",
        "cases",
        "steps",
        "outcomes agree",
        "locks agree",
        "other order",
        if weighed { "     weights agree" } else { "" }
    );
    output.toned(Tone::Heading, &header);
    for score in scores {
        output.line(&format!(
            "{:36} {:>6} {:>7} {:>17} {:>17} {:>11}{}",
            score.profile,
            score.cases,
            score.steps,
            share(score.outcome_agree, score.steps),
            share(score.locks_agree, score.locks_compared),
            score.other_order,
            if weighed {
                format!(
                    " {:>17}",
                    share(score.weights_agree, score.weights_compared)
                )
            } else {
                String::new()
            }
        ));
        if score.given_up > 0 {
            let text = format!(
                "    {} recordings were given up, and left out",
                score.given_up
            );
            output.toned(Tone::Faint, &text);
        }
    }
}

fn share(part: u64, whole: u64) -> String {
    if whole == 0 {
        return "-".to_owned();
    }
    // Rounded down: 100.00 % is said of all and nothing less.
    let hundredths = part * 10_000 / whole;
    format!("{part} {:>3}.{:02}%", hundredths / 100, hundredths % 100)
}
