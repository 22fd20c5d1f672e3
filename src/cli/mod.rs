//! Commands: read arguments, call the lab, print.

mod advise;
mod args;
mod bench;
mod check;
mod conform;
mod diagnostics;
mod diff;
mod explore;
mod files;
mod fuzz;
mod junit;
mod live;
mod log;
mod output;
mod profiles;
mod run;
mod stress;

use std::process::ExitCode;

use clap::Parser;

use args::{Arguments, Command};
use diagnostics::Failure;
use output::Output;

/// How a command ended, worst last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Status {
    /// Everything as expected.
    AsExpected,
    /// A bound was hit before an answer.
    BoundHit,
    /// A deadlock, a disagreement, another output than expected.
    NotAsExpected,
}

impl Status {
    fn code(self) -> u8 {
        match self {
            Status::AsExpected => 0,
            Status::NotAsExpected => 1,
            Status::BoundHit => 3,
        }
    }
}

/// Exit status of usage and input errors.
const USAGE: u8 = 2;

/// Runs the command that the arguments name.
pub(crate) fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version go to the standard output, which may be closed.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(USAGE));
        }
    };
    let mut output = Output::new(arguments.color);
    let result = match &arguments.command {
        Command::Run(options) => run::run(options, &mut output),
        Command::Explore(options) => explore::explore(options, &mut output),
        Command::Advise(options) => advise::run(options, &mut output),
        Command::Certify(options) => explore::certify(options, &mut output),
        Command::Diff(options) => diff::diff(options, &mut output),
        Command::Fuzz(options) => fuzz::run(options, &mut output),
        Command::Profiles(options) => profiles::profiles(options, &mut output),
        Command::Conform(options) => conform::conform(options, &mut output),
        Command::Record(options) => live::record(options, &mut output),
        Command::Compare(options) => live::compare(options, &mut output),
        Command::Stress(options) => stress::stress(options, &mut output),
        Command::Check(options) => check::check(options, &mut output),
        Command::Log(options) => log::log(options, &mut output),
        Command::Bench(options) => bench::bench(options, &mut output),
    };
    output.flush();
    match result {
        Ok(status) => ExitCode::from(status.code()),
        Err(failure) => {
            report(&failure, arguments.color);
            ExitCode::from(USAGE)
        }
    }
}

fn report(failure: &Failure, color: args::Color) {
    use std::io::Write;
    // Nobody is left to tell if the standard error is closed too.
    let _ = std::io::stderr().write_all(failure.render(color).as_bytes());
}
