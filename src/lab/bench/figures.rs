//! What runs came to, as figures that can be kept and compared.

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

/// Latencies of committed transactions, from their first attempt, in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    /// The mean.
    pub mean: f64,
    /// The median.
    pub p50: u64,
    /// What 99 of 100 are no greater than.
    pub p99: u64,
    /// What 999 of 1,000 are no greater than.
    pub p999: u64,
    /// The greatest.
    pub max: u64,
}

impl Latency {
    pub(super) fn of(histogram: &Histogram<u64>) -> Self {
        if histogram.is_empty() {
            return Latency::default();
        }
        Latency {
            mean: histogram.mean(),
            p50: histogram.value_at_quantile(0.50),
            p99: histogram.value_at_quantile(0.99),
            p999: histogram.value_at_quantile(0.999),
            max: histogram.max(),
        }
    }
}

/// The longest latency that is told apart from longer ones: a day, in microseconds.
const LATENCY_MAX: u64 = 86_400_000_000;

/// A histogram of latencies.
pub(super) fn latencies() -> Histogram<u64> {
    Histogram::new_with_max(LATENCY_MAX, 3).expect("three digits are possible")
}

/// One workload under one set of policies and one profile.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// The workload.
    pub workload: String,
    /// The set of policies.
    pub policies: String,
    /// The profile that they change.
    pub profile: String,
    /// `virtual` or `threads`.
    pub mode: String,
    /// Clients.
    pub clients: usize,
    /// How long it took, in seconds of its own time.
    pub seconds: f64,
    /// Transactions committed.
    pub commits: u64,
    /// Transactions committed a second.
    pub throughput: f64,
    /// Their latencies.
    pub latency: Latency,
    /// Lock waits.
    pub waits: u64,
    /// Deadlocks found.
    pub deadlocks: u64,
    /// Transactions that died so that no deadlock could come about.
    pub prevented: u64,
    /// Waits that timed out.
    pub timeouts: u64,
    /// Attempts rolled back.
    pub aborts: u64,
    /// Attempts rolled back, for each commit.
    pub aborts_per_commit: f64,
    /// The share of operations whose attempt was rolled back.
    pub wasted: f64,
    /// Commits of the client with the fewest over those of the client with the most.
    pub fairness: f64,
    /// The run ended before all transactions were committed.
    pub cut_short: bool,
}

/// Runs that were made together.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Suite {
    /// What chances were drawn from.
    pub seed: u64,
    /// The runs.
    pub outcomes: Vec<Outcome>,
}

/// The same run in two suites.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// The workload.
    pub workload: String,
    /// The set of policies.
    pub policies: String,
    /// The profile.
    pub profile: String,
    /// Throughput now over throughput then.
    pub throughput: f64,
    /// 99th percentile of latencies now over then.
    pub p99: f64,
    /// Aborts for each commit, then and now.
    pub aborts_per_commit: (f64, f64),
}

impl Suite {
    /// The runs that are in both suites, this one's over the other's.
    #[must_use]
    pub fn over(&self, then: &Suite) -> Vec<Comparison> {
        let ratio = |now: f64, then: f64| if then > 0.0 { now / then } else { f64::NAN };
        let same = |now: &Outcome, then: &Outcome| {
            now.workload == then.workload
                && now.policies == then.policies
                && now.profile == then.profile
                && now.mode == then.mode
                && now.clients == then.clients
        };
        let compare = |now: &Outcome| {
            let then = then.outcomes.iter().find(|then| same(now, then))?;
            Some(Comparison {
                workload: now.workload.clone(),
                policies: now.policies.clone(),
                profile: now.profile.clone(),
                throughput: ratio(now.throughput, then.throughput),
                p99: ratio(now.latency.p99 as f64, then.latency.p99 as f64),
                aborts_per_commit: (then.aborts_per_commit, now.aborts_per_commit),
            })
        };
        self.outcomes.iter().filter_map(compare).collect()
    }
}

/// Counts of a run under way.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    pub(super) commits: u64,
    pub(super) aborts: u64,
    pub(super) ops: u64,
    pub(super) ops_wasted: u64,
}

impl Tally {
    pub(super) fn add(&mut self, other: &Tally) {
        self.commits += other.commits;
        self.aborts += other.aborts;
        self.ops += other.ops;
        self.ops_wasted += other.ops_wasted;
    }
}

impl Outcome {
    /// Fills in what follows from the counts of each client, the latencies and the lock table.
    pub(super) fn fill(
        &mut self,
        clients: &[Tally],
        histogram: &Histogram<u64>,
        locks: &gaplock_lockmgr::LockFigures,
        seconds: f64,
    ) {
        let mut all = Tally::default();
        clients.iter().for_each(|client| all.add(client));
        let share = |part: u64, whole: u64| part as f64 / whole.max(1) as f64;
        let fewest = clients.iter().map(|client| client.commits).min();
        let most = clients.iter().map(|client| client.commits).max();
        self.clients = clients.len();
        self.seconds = seconds;
        self.commits = all.commits;
        self.throughput = all.commits as f64 / seconds.max(1e-9);
        self.latency = Latency::of(histogram);
        self.waits = locks.waits;
        self.deadlocks = locks.deadlocks;
        self.prevented = locks.prevented;
        self.timeouts = locks.timed_out;
        self.aborts = all.aborts;
        self.aborts_per_commit = share(all.aborts, all.commits);
        self.wasted = share(all.ops_wasted, all.ops);
        self.fairness = share(fewest.unwrap_or(0), most.unwrap_or(0));
    }
}
