//! Figures to watch: counters and histograms, kept where they cost nothing extra. Requests are
//! counted under the latch that the request has anyway, waits under the latch of waits, and the rest
//! only happens when there is a deadlock or a search. Nothing is counted in a word that all share.

use std::fmt::Write;

use parking_lot::Mutex;

use crate::table::LockTable;
use crate::waits::WaitEnd;

/// Powers of two that a histogram tells apart: enough for days in microseconds.
const BUCKETS: usize = 40;

/// How often values of each size came: of 0, of 1, of 2 to 3, of 4 to 7, and so on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Histogram {
    buckets: [u64; BUCKETS],
    sum: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Histogram {
            buckets: [0; BUCKETS],
            sum: 0,
        }
    }
}

impl Histogram {
    /// Adds a value.
    pub fn record(&mut self, value: u64) {
        let size = (u64::BITS - value.leading_zeros()) as usize;
        self.buckets[size.min(BUCKETS - 1)] += 1;
        self.sum = self.sum.saturating_add(value);
    }

    /// How many values there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }

    /// The sum of the values.
    #[must_use]
    pub fn sum(&self) -> u64 {
        self.sum
    }

    /// A bound below which this share of the values lies, exact to a power of two; 0 if there are none.
    #[must_use]
    pub fn quantile(&self, share: f64) -> u64 {
        let rank = (self.count() as f64 * share).ceil() as u64;
        let mut below = 0;
        for (value, count) in self.cumulative() {
            below = value;
            if count >= rank {
                break;
            }
        }
        if self.count() == 0 { 0 } else { below }
    }

    /// The greatest value of each bucket up to the last that is not empty, and how many values are no
    /// greater.
    fn cumulative(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        let used = BUCKETS - self.buckets.iter().rev().take_while(|&&n| n == 0).count();
        let mut total = 0;
        (0..used).map(move |size| {
            total += self.buckets[size];
            ((1u64 << size) - 1, total)
        })
    }
}

/// What is counted where deadlocks are resolved.
#[derive(Clone, Debug, Default)]
struct Counts {
    searches: u64,
    deadlocks: u64,
    too_deep: u64,
    stale: u64,
    prevented: u64,
    turned_away: u64,
    cycle_length: Histogram,
    search_time: Histogram,
}

/// Nanoseconds of some clock that runs evenly.
pub type Stopwatch = fn() -> u64;

/// The table's own figures, beside those of its shards and waits.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    counts: Mutex<Counts>,
    pub(crate) stopwatch: Option<Stopwatch>,
}

impl Figures {
    /// A copy.
    pub(crate) fn fork(&self) -> Self {
        Figures {
            counts: Mutex::new(self.counts.lock().clone()),
            stopwatch: self.stopwatch,
        }
    }

    /// Somebody died so that no deadlock could come about.
    pub(crate) fn prevented(&self) {
        self.counts.lock().prevented += 1;
    }

    /// Somebody found as many waiting as may.
    pub(crate) fn turned_away(&self) {
        self.counts.lock().turned_away += 1;
    }

    /// Runs a search, and notes how long it took if anybody has a clock.
    pub(crate) fn search<R>(&self, search: impl FnOnce() -> R) -> R {
        let begin = self.stopwatch.map(|clock| clock());
        let found = search();
        let mut counts = self.counts.lock();
        counts.searches += 1;
        if let (Some(begin), Some(clock)) = (begin, self.stopwatch) {
            counts.search_time.record(clock().saturating_sub(begin));
        }
        found
    }

    /// A search found a cycle that was none any more.
    pub(crate) fn stale(&self) {
        self.counts.lock().stale += 1;
    }

    /// A deadlock was resolved; of no members if the search was cut off by its limits.
    pub(crate) fn deadlock(&self, members: usize) {
        let mut counts = self.counts.lock();
        if members == 0 {
            counts.too_deep += 1;
        } else {
            counts.deadlocks += 1;
            counts.cycle_length.record(members as u64);
        }
    }
}

/// The figures of a lock table since it was made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LockFigures {
    /// Requests for record locks.
    pub record_requests: u64,
    /// Requests for table locks.
    pub table_requests: u64,
    /// Waits that began.
    pub waits: u64,
    /// Transactions that wait now.
    pub waiting: u64,
    /// Waits that ended by the lock.
    pub granted: u64,
    /// Waits that timed out.
    pub timed_out: u64,
    /// Waits that ended since their transaction has to roll back.
    pub victims: u64,
    /// Waits that ended since their record went away.
    pub retries: u64,
    /// Waits that were withdrawn.
    pub withdrawn: u64,
    /// Requests that found as many waiting as may.
    pub turned_away: u64,
    /// Searches for deadlocks.
    pub searches: u64,
    /// Deadlocks found.
    pub deadlocks: u64,
    /// Searches that were cut off by their limits.
    pub too_deep: u64,
    /// Cycles that were none any more when they were looked at again.
    pub stale: u64,
    /// Transactions that died, or were wounded, so that no deadlock could come about.
    pub prevented: u64,
    /// How long waits took, in microseconds of the driver's time.
    pub wait_time: Histogram,
    /// How many waited for the same when a wait began, the new one included.
    pub queue_length: Histogram,
    /// Members of deadlocks.
    pub cycle_length: Histogram,
    /// How long searches took, in nanoseconds, where there is a clock.
    pub search_time: Histogram,
}

impl LockTable {
    /// Has searches timed by this clock. Without one the table knows no time but the driver's.
    #[must_use]
    pub fn timed_by(mut self, stopwatch: Stopwatch) -> Self {
        self.figures.stopwatch = Some(stopwatch);
        self
    }

    /// The figures so far. Each is exact, but they are read one after the other.
    #[must_use]
    pub fn figures(&self) -> LockFigures {
        let (record_requests, table_requests) = (self.pages.requests(), self.tables.requests());
        let counts = self.figures.counts.lock().clone();
        let waits = self.waits.lock();
        let ended = |end: WaitEnd| waits.figures.ended[end as usize];
        LockFigures {
            record_requests,
            table_requests,
            waits: waits.begun(),
            waiting: waits.len() as u64,
            granted: ended(WaitEnd::Granted),
            timed_out: ended(WaitEnd::TimedOut),
            victims: ended(WaitEnd::Victim),
            retries: ended(WaitEnd::Retry),
            withdrawn: ended(WaitEnd::Withdrawn),
            turned_away: counts.turned_away,
            searches: counts.searches,
            deadlocks: counts.deadlocks,
            too_deep: counts.too_deep,
            stale: counts.stale,
            prevented: counts.prevented,
            wait_time: waits.figures.time.clone(),
            queue_length: waits.figures.queue_length.clone(),
            cycle_length: counts.cycle_length,
            search_time: counts.search_time,
        }
    }
}

impl LockFigures {
    /// The counters by name, each with what it counts.
    fn counters(&self) -> [(&'static str, &'static str, u64); 14] {
        let of = |name, help, value| (name, help, value);
        [
            of(
                "record_requests",
                "Requests for record locks",
                self.record_requests,
            ),
            of(
                "table_requests",
                "Requests for table locks",
                self.table_requests,
            ),
            of("waits", "Lock waits begun", self.waits),
            of(
                "waits_granted",
                "Lock waits ended by the lock",
                self.granted,
            ),
            of("waits_timed_out", "Lock waits timed out", self.timed_out),
            of(
                "waits_victim",
                "Lock waits ended by a rollback",
                self.victims,
            ),
            of(
                "waits_retried",
                "Lock waits ended by their record",
                self.retries,
            ),
            of("waits_withdrawn", "Lock waits withdrawn", self.withdrawn),
            of(
                "turned_away",
                "Requests that met a full queue",
                self.turned_away,
            ),
            of("searches", "Searches for deadlocks", self.searches),
            of("deadlocks", "Deadlocks found", self.deadlocks),
            of(
                "searches_cut_off",
                "Searches that hit a limit",
                self.too_deep,
            ),
            of("cycles_stale", "Cycles that fell apart first", self.stale),
            of(
                "prevented",
                "Rollbacks that prevent deadlocks",
                self.prevented,
            ),
        ]
    }

    /// The figures in the text form that Prometheus reads (version 0.0.4).
    #[must_use]
    pub fn to_prometheus(&self) -> String {
        const MICRO: f64 = 1e-6;
        const NANO: f64 = 1e-9;
        let mut text = String::new();
        for (name, help, value) in self.counters() {
            write_metric(&mut text, &format!("{name}_total"), "counter", help);
            let _ = writeln!(text, "gaplock_lock_{name}_total {value}");
        }
        write_metric(&mut text, "waiting", "gauge", "Transactions that wait");
        let _ = writeln!(text, "gaplock_lock_waiting {}", self.waiting);
        let histograms = [
            (
                "wait_seconds",
                "How long lock waits took",
                &self.wait_time,
                MICRO,
            ),
            (
                "queue_length",
                "Waiters when a wait began",
                &self.queue_length,
                1.0,
            ),
            (
                "cycle_length",
                "Members of deadlocks",
                &self.cycle_length,
                1.0,
            ),
            (
                "search_seconds",
                "How long searches took",
                &self.search_time,
                NANO,
            ),
        ];
        for (name, help, histogram, unit) in histograms {
            write_metric(&mut text, name, "histogram", help);
            write_histogram(&mut text, name, histogram, unit);
        }
        text
    }
}

fn write_metric(text: &mut String, name: &str, kind: &str, help: &str) {
    let _ = writeln!(text, "# HELP gaplock_lock_{name} {help}.");
    let _ = writeln!(text, "# TYPE gaplock_lock_{name} {kind}");
}

fn write_histogram(text: &mut String, name: &str, histogram: &Histogram, unit: f64) {
    for (bound, count) in histogram.cumulative() {
        let bound = bound as f64 * unit;
        let _ = writeln!(text, "gaplock_lock_{name}_bucket{{le=\"{bound}\"}} {count}");
    }
    let count = histogram.count();
    let sum = histogram.sum() as f64 * unit;
    let _ = writeln!(text, "gaplock_lock_{name}_bucket{{le=\"+Inf\"}} {count}");
    let _ = writeln!(text, "gaplock_lock_{name}_sum {sum}");
    let _ = writeln!(text, "gaplock_lock_{name}_count {count}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_go_where_their_size_says() {
        let mut histogram = Histogram::default();
        for value in [0, 1, 2, 3, 4, 1000, u64::MAX] {
            histogram.record(value);
        }
        assert_eq!(histogram.count(), 7);
        assert_eq!(histogram.quantile(0.0), 0);
        assert_eq!(histogram.quantile(0.5), 3);
        assert_eq!(histogram.quantile(0.85), 1023);
        assert_eq!(Histogram::default().quantile(0.5), 0);
    }

    #[test]
    fn buckets_are_cumulative_and_end_with_all() {
        let mut figures = LockFigures::default();
        for length in [1, 3, 3] {
            figures.cycle_length.record(length);
        }
        let text = figures.to_prometheus();
        let lines: Vec<&str> = text
            .lines()
            .filter(|l| l.contains("cycle_length"))
            .collect();
        assert_eq!(
            lines[2..],
            [
                "gaplock_lock_cycle_length_bucket{le=\"0\"} 0",
                "gaplock_lock_cycle_length_bucket{le=\"1\"} 1",
                "gaplock_lock_cycle_length_bucket{le=\"3\"} 3",
                "gaplock_lock_cycle_length_bucket{le=\"+Inf\"} 3",
                "gaplock_lock_cycle_length_sum 7",
                "gaplock_lock_cycle_length_count 3",
            ]
        );
    }
}
