//! The arguments of `gaplock bench`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::super::args::ProfileArguments;

#[derive(Debug, Args)]
pub(in crate::cli) struct BenchArguments {
    #[command(subcommand)]
    pub(in crate::cli) command: BenchCommand,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum BenchCommand {
    /// Play the same loads under different policies.
    Policies(BenchPoliciesArguments),
    /// Measure the lock table beside a hash map, and how soon deadlocks are found.
    Locks(BenchLocksArguments),
}

#[derive(Debug, Args)]
#[command(
    after_help = "Workloads: hot-row zipfian deadlock-storm queue-claim insert-tail transfers orders, \
or all.\nPolicies: fifo fifo-reader-batch vats cats ldsf wound-wait wait-die no-wait timeout-50ms\n\
victim-requester victim-most-locks, or settings such as grant=vats,victim=youngest,timeout=100000.\n\
Virtual time: an operation costs 1 ms of a processor. The same seed gives the same figures.\n\n\
Examples:\n  gaplock bench policies\n  \
gaplock bench policies --workload zipfian --policy fifo --policy vats --html vats.html\n  \
gaplock bench policies --threads --workload hot-row --clients 32 --save before.json\n  \
gaplock bench policies --threads --workload hot-row --clients 32 --compare before.json"
)]
pub(in crate::cli) struct BenchPoliciesArguments {
    /// Workload; may be given several times.
    #[arg(long = "workload", value_name = "NAME")]
    pub(in crate::cli) workloads: Vec<String>,
    /// Policies by name or by settings; may be given several times.
    #[arg(long = "policy", value_name = "NAME")]
    pub(in crate::cli) policies: Vec<String>,
    #[command(flatten)]
    pub(in crate::cli) profile: ProfileArguments,
    /// Clients, each with one transaction after another.
    #[arg(long, value_name = "N", default_value_t = 64)]
    pub(in crate::cli) clients: usize,
    /// Transactions to commit in each run.
    #[arg(long, value_name = "N", default_value_t = 2_000)]
    pub(in crate::cli) transactions: u64,
    /// Processors in virtual time; 0 for as many as clients.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(in crate::cli) processors: usize,
    /// Use real threads, and the machine's own time.
    #[arg(long)]
    pub(in crate::cli) threads: bool,
    /// What chances are drawn from.
    #[arg(long, value_name = "S", default_value_t = 1)]
    pub(in crate::cli) seed: u64,
    /// Print one JSON object.
    #[arg(long)]
    pub(in crate::cli) json: bool,
    /// Write a page with plots.
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) html: Option<PathBuf>,
    /// Keep the figures.
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) save: Option<PathBuf>,
    /// Compare with figures that were kept.
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) compare: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct BenchLocksArguments {
    /// How long each rate is measured.
    #[arg(long, value_name = "MS", default_value_t = 1_000)]
    pub(in crate::cli) milliseconds: u64,
    /// Print one JSON object.
    #[arg(long)]
    pub(in crate::cli) json: bool,
}
