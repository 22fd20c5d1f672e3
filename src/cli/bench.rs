//! `gaplock bench`: policies under load, and the lock table's own speed.

mod args;
mod locks;

use std::fs;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use gaplock::lab::bench::{
    self, Load, Outcome, PolicySet, Suite, VirtualClock, Workload, run_threads, run_virtual,
};
use gaplock_engine::profile::{MEASURED, Profile};

use super::Status;
use super::diagnostics::Failure;
use super::files::{apply_sets, find_profile};
use super::output::{Output, Tone};
pub(super) use args::BenchArguments;
use args::{BenchCommand, BenchPoliciesArguments};

/// Loads that are played unless told otherwise.
const WORKLOADS: [Workload; 3] = [Workload::HotRow, Workload::Zipfian, Workload::DeadlockStorm];

/// Attempts for each transaction that is to be committed, before a run is cut short.
const ATTEMPTS_EACH: u64 = 40;

pub(super) fn bench(arguments: &BenchArguments, output: &mut Output) -> Result<Status, Failure> {
    match &arguments.command {
        BenchCommand::Policies(options) => policies(options, output),
        BenchCommand::Locks(options) => {
            locks::locks(options, output);
            Ok(Status::AsExpected)
        }
    }
}

fn policies(arguments: &BenchPoliciesArguments, output: &mut Output) -> Result<Status, Failure> {
    let then = match &arguments.compare {
        Some(path) => Some(read_suite(path)?),
        None => None,
    };
    let runs = Runs::of(arguments)?;
    if !arguments.json {
        print_header(output);
    }
    let mut suite = Suite {
        seed: arguments.seed,
        outcomes: Vec::new(),
    };
    for &workload in &runs.workloads {
        for profile in &runs.profiles {
            for set in &runs.sets {
                let outcome = runs
                    .run(workload, set, profile, arguments)
                    .map_err(|error| Failure::plain(error.to_string(), None))?;
                if !arguments.json {
                    print(&outcome, output);
                }
                suite.outcomes.push(outcome);
            }
        }
    }
    if arguments.json {
        output.json(&suite);
    }
    if let Some(path) = &arguments.save {
        let text = serde_json::to_string_pretty(&suite);
        write(path, &text.expect("our own data always has a JSON form"))?;
    }
    if let Some(path) = &arguments.html {
        write(path, &bench::to_html(&suite))?;
    }
    if let Some(then) = then {
        compare(&suite, &then, arguments.json, output);
    }
    Ok(Status::AsExpected)
}

/// What is played.
struct Runs {
    workloads: Vec<Workload>,
    profiles: Vec<Profile>,
    sets: Vec<PolicySet>,
    load: Load,
    clock: VirtualClock,
}

impl Runs {
    fn of(arguments: &BenchPoliciesArguments) -> Result<Self, Failure> {
        let mut workloads = Vec::new();
        for name in &arguments.workloads {
            let all: Vec<&str> = Workload::ALL.iter().map(|(name, _)| *name).collect();
            let unknown = || {
                Failure::plain(
                    format!("no workload `{name}`"),
                    Some(format!("there are: {}", all.join(", "))),
                )
            };
            match name.as_str() {
                "all" => workloads.extend(Workload::ALL.map(|(_, workload)| workload)),
                name => workloads.push(Workload::find(name).ok_or_else(unknown)?),
            }
        }
        if workloads.is_empty() {
            workloads = WORKLOADS.to_vec();
        }
        let mut sets = Vec::new();
        for text in &arguments.policies {
            sets.push(PolicySet::parse(text).map_err(|what| Failure::plain(what, None))?);
        }
        if sets.is_empty() {
            sets = PolicySet::standard();
        }
        let named = match arguments.profile.profiles.is_empty() {
            true => vec![MEASURED.to_owned()],
            false => arguments.profile.profiles.clone(),
        };
        let mut profiles = Vec::new();
        for name in &named {
            let mut profile = find_profile(name)?;
            apply_sets(&mut profile, &arguments.profile.sets)?;
            profiles.push(profile);
        }
        let transactions = arguments.transactions.max(1);
        Ok(Runs {
            workloads,
            profiles,
            sets,
            load: Load {
                clients: arguments.clients.max(1),
                transactions,
                attempts_max: transactions.saturating_mul(ATTEMPTS_EACH),
                seed: arguments.seed,
            },
            clock: VirtualClock {
                processors: arguments.processors,
                ..VirtualClock::default()
            },
        })
    }

    #[expect(clippy::disallowed_methods, reason = "threads run in real time")]
    fn run(
        &self,
        workload: Workload,
        set: &PolicySet,
        profile: &Profile,
        arguments: &BenchPoliciesArguments,
    ) -> Result<Outcome, bench::BenchError> {
        if !arguments.threads {
            return run_virtual(workload, set, profile, &self.load, &self.clock);
        }
        let begin = Instant::now();
        let micros = || u64::try_from(begin.elapsed().as_micros()).unwrap_or(u64::MAX);
        let never = AtomicBool::new(false);
        run_threads(workload, set, profile, &self.load, &micros, &never)
    }
}

fn read_suite(path: &Path) -> Result<Suite, Failure> {
    let failed = |error: String| Failure::plain(format!("{}: {error}", path.display()), None);
    let text = fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
    serde_json::from_str(&text).map_err(|error| failed(error.to_string()))
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    fs::write(path, text)
        .map_err(|error| Failure::plain(format!("{}: {error}", path.display()), None))
}

fn print_header(output: &mut Output) {
    let header = format!(
        "{:15} {:18} {:>9} {:>9} {:>9} {:>9} {:>8} {:>9} {:>7} {:>7} {:>6}",
        "workload",
        "policies",
        "commits/s",
        "p50 ms",
        "p99 ms",
        "p99.9 ms",
        "waits",
        "deadlocks",
        "ab/cmt",
        "wasted",
        "fair"
    );
    output.toned(Tone::Heading, &header);
}

fn print(one: &Outcome, output: &mut Output) {
    let millis = |micros: u64| micros as f64 / 1e3;
    output.line(&format!(
        "{:15} {:18} {:>9.0} {:>9.2} {:>9.2} {:>9.2} {:>8} {:>9} {:>7.3} {:>7.3} {:>6.2}{}",
        one.workload,
        one.policies,
        one.throughput,
        millis(one.latency.p50),
        millis(one.latency.p99),
        millis(one.latency.p999),
        one.waits,
        one.deadlocks + one.prevented,
        one.aborts_per_commit,
        one.wasted,
        one.fairness,
        if one.cut_short { "  cut short" } else { "" },
    ));
    output.flush();
}

fn compare(now: &Suite, then: &Suite, as_json: bool, output: &mut Output) {
    let comparisons = now.over(then);
    if as_json {
        output.json(&comparisons);
        return;
    }
    output.toned(Tone::Heading, "\nagainst the saved run, now / then");
    for one in &comparisons {
        output.line(&format!(
            "{:15} {:18} commits/s x{:.3}  p99 x{:.3}  aborts/commit {:.3} -> {:.3}",
            one.workload,
            one.policies,
            one.throughput,
            one.p99,
            one.aborts_per_commit.0,
            one.aborts_per_commit.1,
        ));
    }
    if comparisons.is_empty() {
        output.line("no run is in both");
    }
}
