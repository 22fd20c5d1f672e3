//! The arguments of all commands, with their help texts.

use std::io::IsTerminal;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use super::live::args::{CompareArguments, RecordArguments};

/// A storage engine that takes InnoDB's locks release by release, and a lab that reproduces,
/// explains and disproves deadlocks.
#[derive(Debug, Parser)]
#[command(name = "gaplock", version, about, long_about = None, max_term_width = 100)]
#[command(
    after_help = "Exit status: 0 as expected; 1 a deadlock, a disagreement, another output than \
expected;\n2 usage or input error; 3 a bound was hit before an answer.\n\n\
Examples:\n  gaplock run scenarios/daily-2023.scn\n  gaplock explore scenarios/daily-2023.scn \
--profile mysql-5.7.37\n  gaplock profiles --diff mysql-5.6 mysql-5.7.37"
)]
pub(super) struct Arguments {
    /// When to colour the output.
    #[arg(long, value_enum, default_value_t = Color::Auto, global = true)]
    pub(super) color: Color,
    #[command(subcommand)]
    pub(super) command: Command,
}

/// When to colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Color {
    /// On a terminal, unless `NO_COLOR` is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl Color {
    /// Whether to colour what goes to this stream.
    pub(super) fn wanted(self, stream: &impl IsTerminal) -> bool {
        match self {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => stream.is_terminal() && std::env::var_os("NO_COLOR").is_none(),
        }
    }
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Play scenarios and compare with what they expect.
    Run(RunArguments),
    /// Play every interleaving of a scenario's sessions.
    Explore(ExploreArguments),
    /// List the version profiles, show one, or compare two.
    Profiles(ProfilesArguments),
    /// Play recordings of real servers and count agreement.
    Conform(ConformArguments),
    /// Play cases on a real server and record what it does.
    Record(RecordArguments),
    /// Play cases on a real server and on the engine, and compare.
    Compare(CompareArguments),
    /// Play a scenario's statements under load, with real threads.
    Stress(StressArguments),
    /// Verify the files of a database.
    Check(CheckArguments),
    /// Print the log of a database.
    Log(LogArguments),
}

/// Which profiles, and with which facts changed.
#[derive(Debug, Args)]
pub(super) struct ProfileArguments {
    /// Profile to play under, instead of those that the file names; may be given several times.
    #[arg(long = "profile", value_name = "PROFILE")]
    pub(super) profiles: Vec<String>,
    /// Change a fact of every profile, such as `duplicate_regime=A`; may be given several times.
    #[arg(long = "set", value_name = "FACT=VALUE")]
    pub(super) sets: Vec<String>,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  gaplock run scenarios/daily-2023.scn\n  \
gaplock run --profile mysql-8.0.30 scenarios/daily-2023.scn\n  \
gaplock run --accept my.scn      write what is seen as what is expected")]
pub(super) struct RunArguments {
    /// Scenario files.
    #[arg(required = true, value_name = "FILE")]
    pub(super) files: Vec<PathBuf>,
    #[command(flatten)]
    pub(super) profile: ProfileArguments,
    /// Rewrite the files' expectations to what is seen.
    #[arg(long)]
    pub(super) accept: bool,
    /// Keep the database in this directory, which is made if need be; a `crash` kills the program there.
    #[arg(long, value_name = "DIR", conflicts_with = "accept")]
    pub(super) db: Option<PathBuf>,
    /// Schedules after which an `explore` of the file gives up.
    #[arg(long, value_name = "N", default_value_t = 200_000)]
    pub(super) max_schedules: u64,
    /// Print one JSON object for each act and profile.
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  gaplock explore scenarios/daily-2023.scn\n  \
gaplock explore --json --profile aurora-2.11 --variant natural-key scenarios/daily-2023.scn"
)]
pub(super) struct ExploreArguments {
    /// Scenario file.
    #[arg(value_name = "FILE")]
    pub(super) file: PathBuf,
    #[command(flatten)]
    pub(super) profile: ProfileArguments,
    /// Only this variant of the file.
    #[arg(long, value_name = "NAME")]
    pub(super) variant: Option<String>,
    /// Schedules after which the search gives up.
    #[arg(long, value_name = "N", default_value_t = 200_000)]
    pub(super) max_schedules: u64,
    /// Print one JSON object for each variant and profile.
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  gaplock profiles\n  gaplock profiles mysql-5.7.37\n  \
gaplock profiles --diff mysql-5.6 mysql-5.7.37"
)]
pub(super) struct ProfilesArguments {
    /// Show this profile's facts, each with its source.
    #[arg(value_name = "NAME", conflicts_with = "diff")]
    pub(super) name: Option<String>,
    /// Show the facts in which two profiles differ.
    #[arg(long, num_args = 2, value_names = ["A", "B"])]
    pub(super) diff: Option<Vec<String>>,
    /// Print JSON.
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  gaplock conform tests/conformance/mysql-9.7/min.jsonl.gz\n  \
gaplock conform --case m08 --verbose tests/conformance/*/min.jsonl.gz\n  \
gaplock conform --list-disagreements tests/conformance/mysql-5.6/hand.jsonl.gz\n  \
gaplock conform --table docs/FIDELITY.md tests/conformance"
)]
pub(super) struct ConformArguments {
    /// Recordings: JSON lines, plain or compressed with gzip; with --table, the directory that has
    /// one directory for each server, and `explained.toml`.
    #[arg(required = true, value_name = "TRACES")]
    pub(super) traces: Vec<PathBuf>,
    /// Play all recordings under this profile, whatever server they are from.
    #[arg(long, value_name = "PROFILE")]
    pub(super) profile: Option<String>,
    /// Change a fact of every profile; may be given several times.
    #[arg(long = "set", value_name = "FACT=VALUE")]
    pub(super) sets: Vec<String>,
    /// Only cases whose name begins so.
    #[arg(long, value_name = "NAME")]
    pub(super) case: Option<String>,
    /// Print disagreements in full: the conversation, and the locks of both sides with reasons.
    #[arg(long, short)]
    pub(super) verbose: bool,
    /// Stop at the first disagreement and print it in full.
    #[arg(long)]
    pub(super) first: bool,
    /// Print each disagreement on a line.
    #[arg(long)]
    pub(super) list_disagreements: bool,
    /// Most disagreements to print for each server.
    #[arg(long, value_name = "N")]
    pub(super) limit: Option<usize>,
    /// Write the agreement with all servers into this document, between its marks.
    #[arg(long, value_name = "DOCUMENT")]
    pub(super) table: Option<PathBuf>,
    /// Print one JSON object for each server.
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
#[command(
    after_help = "A pass is the file's `load` block, with {rand LOW HIGH}, {seq} and {thread} \
filled in anew\neach time; without one, each thread plays one session's statements and a commit.\n\n\
Example:\n  gaplock stress scenarios/daily-2023.scn --threads 16 --seconds 5"
)]
pub(super) struct StressArguments {
    /// Scenario file.
    #[arg(value_name = "FILE")]
    pub(super) file: PathBuf,
    #[command(flatten)]
    pub(super) profile: ProfileArguments,
    /// Only this variant of the file.
    #[arg(long, value_name = "NAME")]
    pub(super) variant: Option<String>,
    /// Threads [default: the file's `stress`, else 8].
    #[arg(long, value_name = "N")]
    pub(super) threads: Option<usize>,
    /// Seconds for each variant and profile [default: the file's `stress`, else 5].
    #[arg(long, value_name = "S")]
    pub(super) seconds: Option<f64>,
    /// Print one JSON object for each variant and profile.
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
#[command(
    after_help = "What a crash has left is recovered first, in memory: the files are not changed, and \
nobody\nelse may have the database open.\n\nExample:\n  gaplock check ./db"
)]
pub(super) struct CheckArguments {
    /// The database's directory.
    #[arg(value_name = "DIR")]
    pub(super) directory: PathBuf,
    /// Print a JSON object.
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
#[command(
    after_help = "The log is printed from where recovery would begin. Nothing is changed.\n\n\
Example:\n  gaplock log ./db"
)]
pub(super) struct LogArguments {
    /// The database's directory.
    #[arg(value_name = "DIR")]
    pub(super) directory: PathBuf,
    /// Most records to print.
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    pub(super) limit: usize,
    /// Print a JSON object for each record.
    #[arg(long)]
    pub(super) json: bool,
}
