//! What must hold of a lock table whatever its policies decide: one suite for all combinations of the
//! built-in ones, and for yours (feature `testing`).
//!
//! A [`Program`] is what a few transactions do, one action after another; a [`Run`] plays it with
//! one thread, and whose turn it is comes from the program's seed. After each step it is held to:
//!
//! - **C1** The invariants of the table (its `check`): among them, no two hold what conflicts, and
//!   whoever waits has something in its way (no wake-up was lost).
//! - **C2** Two books of who holds what, the table's and the run's own kept by the compatibility
//!   matrix written out here once more, agree that nobody holds what conflicts.
//! - **C3** The waits-for edges that detectors see are those that follow from the queues as they are
//!   printed.
//! - **C4** Who waits, by the outcomes and wake-ups told, is who waits by the table.
//! - **C5** Nobody is named a deadlock's member that does not wait for the next member.
//! - **C6** When everybody has done what it could, nobody waits while nobody can run, unless the
//!   detector says of itself that it is incomplete; then a time-out ends it.
//! - **C7** Where the policies claim freedom from deadlock, none is found.
//! - **C8** No waiter is passed more often than is claimed.
//! - **C9** Where victims keep their age and the policies prevent deadlocks by it, or grants are
//!   bounded, all come to their end within a number of turns that is bounded.
//!
//! ```
//! use gaplock_lockmgr::testing::{suite, Limits};
//! use gaplock_lockmgr::{GrantKind, GrantPolicy, LockConfig, Moment, Policies, Waiter};
//!
//! #[derive(Debug)]
//! struct LastComeFirstServed;
//!
//! impl GrantPolicy for LastComeFirstServed {
//!     fn order(&self, waiters: &mut [Waiter], _: &Moment) {
//!         waiters.reverse();
//!     }
//! }
//!
//! let rules = LockConfig { grant: GrantKind::Custom, ..LockConfig::DEFAULT };
//! let policies = || Policies::of(&rules).with_grant(LastComeFirstServed);
//! let report = suite(&rules, policies, 1, 50, &Limits::default()).unwrap();
//! assert_eq!(report.programs, 50);
//! ```

mod program;
mod run;

use std::fmt;

pub use program::{Action, Dice, Limits, Program};
pub use run::Run;

use crate::{LockConfig, LockTable, Policies};

/// What a suite came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Programs played.
    pub programs: u64,
    /// Steps taken.
    pub steps: u64,
    /// Requests that waited.
    pub waits: u64,
    /// Deadlocks found.
    pub deadlocks: u64,
    /// Transactions that rolled back, for whatever reason.
    pub rollbacks: u64,
    /// Times that only a time-out helped (never where policies claim to be complete).
    pub rescues: u64,
    /// The most that any waiter was passed.
    pub passed_max: u32,
}

impl Report {
    fn add(&mut self, other: &Report) {
        self.programs += other.programs;
        self.steps += other.steps;
        self.waits += other.waits;
        self.deadlocks += other.deadlocks;
        self.rollbacks += other.rollbacks;
        self.rescues += other.rescues;
        self.passed_max = self.passed_max.max(other.passed_max);
    }
}

/// What did not hold, and how to see it again.
#[derive(Clone, Debug, thiserror::Error)]
pub struct Failure {
    /// The rules, by name.
    pub rules: String,
    /// The program's seed.
    pub seed: u64,
    /// The number of the requirement that does not hold (`C1` to `C9`), and the circumstances.
    pub what: String,
    /// The steps up to it, one to a line.
    pub steps: Vec<String>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} (seed {}): {}", self.rules, self.seed, self.what)?;
        self.steps
            .iter()
            .try_for_each(|step| writeln!(f, "  {step}"))
    }
}

/// The four policies of the rules by name.
#[must_use]
pub fn names_of(rules: &LockConfig) -> String {
    let names = ["detector", "conflict", "victim", "grant"];
    let named: Vec<String> = names
        .iter()
        .filter_map(|name| Some(format!("{name}={}", rules.get(name)?)))
        .collect();
    named.join(" ")
}

/// Plays `programs` random programs, each under a table of its own with these rules and policies, and
/// stops at the first that something does not hold of.
///
/// # Errors
/// [`Failure`], with the seed that repeats it.
pub fn suite(
    rules: &LockConfig,
    policies: impl Fn() -> Policies,
    first_seed: u64,
    programs: u64,
    limits: &Limits,
) -> Result<Report, Box<Failure>> {
    let mut report = Report::default();
    for seed in first_seed..first_seed + programs {
        let program = Program::random(seed, limits);
        let rules = LockConfig { seed, ..*rules };
        let table = LockTable::with_policies(rules, policies());
        let mut run = Run::new(table, &program);
        match run.play() {
            Ok(played) => report.add(&played),
            Err(what) => {
                return Err(Box::new(Failure {
                    rules: names_of(&rules),
                    seed,
                    what,
                    steps: run.into_steps(),
                }));
            }
        }
    }
    Ok(report)
}
