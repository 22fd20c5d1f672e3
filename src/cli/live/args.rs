//! The arguments of the commands that talk to a real server.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// Which server.
#[derive(Debug, Args)]
pub(in crate::cli) struct ServerArguments {
    /// URL of a MySQL or MariaDB server for tests.
    #[arg(long = "server", value_name = "URL")]
    pub(in crate::cli) url: String,
    /// Profile to compare with, instead of that of the server's release.
    #[arg(long, value_name = "PROFILE")]
    pub(in crate::cli) profile: Option<String>,
}

/// What kind of random cases.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum CaseKind {
    /// A few short rows.
    Small,
    /// Long rows, and many: pages split and merge.
    Pages,
    /// Mostly small ones.
    Mixed,
}

/// Random cases.
#[derive(Debug, Args)]
pub(in crate::cli) struct RandomArguments {
    /// Play so many random cases.
    #[arg(long, value_name = "N")]
    pub(in crate::cli) random: Option<u64>,
    /// The seed that chooses them [default: another one each time, printed].
    #[arg(long, value_name = "S", requires = "random")]
    pub(in crate::cli) seed: Option<u64>,
    /// The first case's number.
    #[arg(long, value_name = "N", default_value_t = 0, requires = "random")]
    pub(in crate::cli) from: u64,
    /// What kind of random cases.
    #[arg(long, value_enum, default_value_t = CaseKind::Mixed, requires = "random")]
    pub(in crate::cli) kind: CaseKind,
}

#[derive(Debug, Args)]
#[command(
    after_help = "The account needs PROCESS, and all privileges on databases named \
gaplock_live_*;\nthey are made for the run, and dropped at its end.\n\nExamples:\n  \
gaplock record --server mysql://root@localhost?socket=/run/mysqld/mysqld.sock cases.jsonl -o traces.jsonl\n  \
gaplock record --server mysql://me:secret@staging --random 100 --seed 1 -o traces.jsonl.gz"
)]
pub(in crate::cli) struct RecordArguments {
    #[command(flatten)]
    pub(in crate::cli) server: ServerArguments,
    /// Cases or recordings (JSON lines, plain or compressed with gzip), or scenarios (.scn).
    #[arg(value_name = "CASES", required_unless_present = "random")]
    pub(in crate::cli) cases: Vec<PathBuf>,
    #[command(flatten)]
    pub(in crate::cli) random: RandomArguments,
    /// Where the recordings go; compressed if the name ends with .gz.
    #[arg(short, long, value_name = "TRACES")]
    pub(in crate::cli) output: PathBuf,
    /// How often each case is played, to tell those that race.
    #[arg(long, value_name = "N", default_value_t = 2)]
    pub(in crate::cli) times: u64,
}

#[derive(Debug, Args)]
#[command(
    after_help = "The account needs PROCESS, and all privileges on databases named \
gaplock_live_*;\nthey are made for the run, and dropped at its end. A case that disagrees is \
played again\nbefore it counts.\n\nExamples:\n  \
gaplock compare --server mysql://root@localhost?socket=/run/mysqld/mysqld.sock my.scn\n  \
gaplock compare --server mysql://me:secret@staging --random 300 --seed 1 --write found"
)]
pub(in crate::cli) struct CompareArguments {
    #[command(flatten)]
    pub(in crate::cli) server: ServerArguments,
    /// Scenarios (.scn), cases or recordings.
    #[arg(value_name = "FILE", required_unless_present = "random")]
    pub(in crate::cli) files: Vec<PathBuf>,
    #[command(flatten)]
    pub(in crate::cli) random: RandomArguments,
    /// Change a fact of the profile; may be given several times.
    #[arg(long = "set", value_name = "FACT=VALUE")]
    pub(in crate::cli) sets: Vec<String>,
    /// Make each disagreeing case smaller, and write it here as case and scenario.
    #[arg(long, value_name = "DIR")]
    pub(in crate::cli) write: Option<PathBuf>,
    /// Most candidates to play while making one case smaller.
    #[arg(long, value_name = "N", default_value_t = 400)]
    pub(in crate::cli) plays: usize,
    /// Only cases whose name begins so.
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) case: Option<String>,
    /// Most disagreements to print in full.
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub(in crate::cli) limit: usize,
    /// Print one JSON object.
    #[arg(long)]
    pub(in crate::cli) json: bool,
}
