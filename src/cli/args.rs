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
    /// Try changes that could cure a scenario's deadlocks, each in every interleaving.
    Advise(AdviseArguments),
    /// Check a certificate that `explore` wrote.
    Certify(CertifyArguments),
    /// Explore under two profiles, or on two sets of indexes, and tell what only one side has.
    Diff(DiffArguments),
    /// Draw programs by chance, explore them, and make what is found small.
    Fuzz(FuzzArguments),
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
    /// Measure locking policies and the lock table.
    Bench(super::bench::BenchArguments),
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
    /// Write a JUnit report to this file, too.
    #[arg(long, value_name = "XML")]
    pub(super) junit: Option<PathBuf>,
}

/// How finely schedules are cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum GranularityName {
    /// One mini-transaction: a lock request, a change, a commit.
    Lock,
    /// A statement, up to where it waits.
    Statement,
}

/// What a step is, and where a search stops.
#[derive(Debug, Args)]
pub(super) struct RuleArguments {
    /// How much a session does in one step.
    #[arg(long, value_enum, default_value_t = GranularityName::Lock)]
    pub(super) granularity: GranularityName,
    /// A deadlock's victim begins its transaction again, so many times [default: not; 3 if no number
    /// is given].
    #[arg(long, value_name = "N", num_args = 0..=1, default_missing_value = "3")]
    pub(super) retry_victims: Option<u32>,
    /// Purge takes steps of its own.
    #[arg(long)]
    pub(super) purge: bool,
    /// Schedules to play, after which the search gives up. One schedule played stands for many: it
    /// ends where it comes to a state met before.
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    pub(super) max_schedules: u64,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Exit status: 0 no deadlock in any interleaving; 1 a deadlock, or a session stuck; \
3 none met, but not\nevery interleaving was covered.\n\n\
Examples:\n  gaplock explore scenarios/daily-2023.scn\n  \
gaplock explore --json --profile aurora-2.11 --variant natural-key scenarios/daily-2023.scn\n  \
gaplock explore --random 1000 --pct 2 --seed 7 my.scn"
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
    #[command(flatten)]
    pub(super) rules: RuleArguments,
    /// At most so many switches away from a session that could go on.
    #[arg(long, value_name = "N")]
    pub(super) preemptions: Option<u32>,
    /// Play so many schedules chosen by a seed instead.
    #[arg(long, value_name = "N", conflicts_with_all = ["preemptions", "certificate"])]
    pub(super) random: Option<u64>,
    /// Choose them so that what needs so many steps in one order is met with a known chance.
    #[arg(long, value_name = "DEPTH", value_parser = clap::value_parser!(u32).range(1..=64),
        conflicts_with_all = ["preemptions", "certificate"])]
    pub(super) pct: Option<u32>,
    /// The seed of --random and --pct.
    #[arg(long, value_name = "S", default_value_t = 1)]
    pub(super) seed: u64,
    /// Play every schedule one by one, without keeping states: slow, to check the search by.
    #[arg(long, conflicts_with_all = ["preemptions", "certificate", "random", "pct"])]
    pub(super) plain: bool,
    /// Write all states met to this file, for `gaplock certify`.
    #[arg(long, value_name = "CERTIFICATE", conflicts_with = "preemptions")]
    pub(super) certificate: Option<PathBuf>,
    /// Write a JUnit report to this file, too.
    #[arg(long, value_name = "XML")]
    pub(super) junit: Option<PathBuf>,
    /// Print one JSON object for each variant and profile.
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Exit status: 0 nothing to cure, or a cure that keeps the final rows; 1 none found; \
3 nothing to cure\nwas met, but not every interleaving was covered.\n\n\
Example:\n  gaplock advise --profile aurora-2.11 --variant surrogate-key scenarios/daily-2023.scn"
)]
pub(super) struct AdviseArguments {
    /// Scenario file.
    #[arg(value_name = "FILE")]
    pub(super) file: PathBuf,
    #[command(flatten)]
    pub(super) profile: ProfileArguments,
    /// Only this variant of the file.
    #[arg(long, value_name = "NAME")]
    pub(super) variant: Option<String>,
    #[command(flatten)]
    pub(super) rules: RuleArguments,
    /// Print one JSON object for each variant and profile.
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
#[command(
    after_help = "The same arguments draw the same programs and write the same files.\n\n\
Exit status: 0 nothing found; 1 something found.\n\n\
Examples:\n  gaplock fuzz --profile mysql-8.0.30 --count 500\n  \
gaplock fuzz --from mysql-5.6 --to mysql-5.7.37 --out found"
)]
pub(super) struct FuzzArguments {
    /// Look for deadlocks under this profile.
    #[arg(long, value_name = "PROFILE", conflicts_with_all = ["from", "to"])]
    pub(super) profile: Option<String>,
    /// Look for what only this profile or the other one does.
    #[arg(long, value_name = "PROFILE", requires = "to")]
    pub(super) from: Option<String>,
    /// The other one.
    #[arg(long, value_name = "PROFILE", requires = "from")]
    pub(super) to: Option<String>,
    /// Change a fact of every profile; may be given several times.
    #[arg(long = "set", value_name = "FACT=VALUE")]
    pub(super) sets: Vec<String>,
    /// Number of the first program.
    #[arg(long, value_name = "S", default_value_t = 1)]
    pub(super) seed: u64,
    /// How many programs to draw.
    #[arg(long, value_name = "N", default_value_t = 1000)]
    pub(super) count: u64,
    /// Stop after so many different findings.
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub(super) limit: u64,
    /// Write each finding to a file in this directory instead of printing it.
    #[arg(long, value_name = "DIR")]
    pub(super) out: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Takes every step of every state of the certificate again, also those that the search \
did not\nneed to take.\n\nExample:\n  gaplock certify --profile mysql-5.6 --variant natural-key \
scenarios/daily-2023.scn proof.jsonl"
)]
pub(super) struct CertifyArguments {
    /// Scenario file.
    #[arg(value_name = "FILE")]
    pub(super) file: PathBuf,
    /// What `gaplock explore --certificate` wrote.
    #[arg(value_name = "CERTIFICATE")]
    pub(super) certificate: PathBuf,
    #[command(flatten)]
    pub(super) profile: ProfileArguments,
    /// Only this variant of the file.
    #[arg(long, value_name = "NAME")]
    pub(super) variant: Option<String>,
    #[command(flatten)]
    pub(super) rules: RuleArguments,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Exit status: 0 no difference; 1 something exists on one side only; 3 no difference \
met, but not\nevery interleaving was covered.\n\n\
Examples:\n  gaplock diff scenarios/daily-2023.scn --from mysql-5.6 --to aurora-2.11\n  \
gaplock diff my.scn --from mysql-8.0.30 --index \"ALTER TABLE t ADD INDEX (k)\""
)]
pub(super) struct DiffArguments {
    /// Scenario file.
    #[arg(value_name = "FILE")]
    pub(super) file: PathBuf,
    /// The profile of the first side.
    #[arg(long, value_name = "PROFILE")]
    pub(super) from: Option<String>,
    /// The profile of the second side.
    #[arg(long, value_name = "PROFILE", requires = "from")]
    pub(super) to: Option<String>,
    /// A statement that changes the second side's schema; may be given several times.
    #[arg(long, value_name = "SQL")]
    pub(super) index: Vec<String>,
    /// Change a fact of every profile; may be given several times.
    #[arg(long = "set", value_name = "FACT=VALUE")]
    pub(super) sets: Vec<String>,
    /// Only this variant of the file.
    #[arg(long, value_name = "NAME")]
    pub(super) variant: Option<String>,
    #[command(flatten)]
    pub(super) rules: RuleArguments,
    /// Print one JSON object for each variant.
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
