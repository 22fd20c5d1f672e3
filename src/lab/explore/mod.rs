//! Every interleaving of some sessions' statements, one lock request or change at a time.
//!
//! A schedule is an order of steps; a step is one mini-transaction of the engine, where InnoDB
//! gives its latches back, or a commit, or one run of the background detector (`*`), or of purge
//! (`~`). What is defined:
//!
//! E1. Each session says its statements in order, then commits. A deadlock's victim stops: its
//!     transaction is gone, as it is for an application that gets 1213; or, where [`Rules::retries`]
//!     says so, begins it again. After any other error a session goes on.
//! E2. What concerns its session only is no step of its own, it goes with the next one: BEGIN, SET,
//!     SAVEPOINT; reading and planning a statement; metadata locks, as long as no statement of the
//!     program takes any that conflict.
//! E3. Virtual time stands still: if nobody can run any more, the schedule ends as `stuck`.
//! E4. Purge runs where [`Rules::purge`] says so: then each run, as far as read views allow, is a step.
//!     Otherwise delete-marked records stay until the schedule has ended.
//!
//! # Why not every schedule is played
//!
//! The same state is reached on many ways, and everything that follows from it is the same. The search
//! goes depth-first through *states*, forks the world at each choice, and does not go on from a state
//! that it has met ([`World`]'s digest tells them apart; what a state is, and what is left out of it,
//! is argued in `gaplock_engine::db`, G1 to G5). What each session's statements have come to is part
//! of the state, so ends of schedules that look different are different states. What happens on the
//! way (who waited for whom, which circle was closed) belongs to steps, and each step of each state
//! is known ([`Fact`]). So nothing is lost: all outcomes, all waits, all circles.
//!
//! Nor is every step of every state taken. Where two steps commute, the state after both is reached on
//! two ways, and the second one's last step is known from the first: its target is looked up, see
//! `footprint` for when steps commute and `Search::known` for why that loses nothing. So the graph
//! is whole all the same, with every step of every state, and a certificate's checker
//! ([`certify()`]) takes those steps too, both orders of each pair.
//!
//! The graph of states has no circles, since every step takes somebody further. So schedules need not
//! be listed to be counted: as many lead to a state as lead to those before it. The counts are those
//! that plain depth-first search gives, which stays as [`plain`](explore_plain) and must agree, in
//! outcomes, facts and numbers.

mod actors;
mod certificate;
mod certify;
mod compare;
mod facts;
mod findings;
mod footprint;
mod graph;
mod outcome;
mod plain;
mod search;
#[cfg(test)]
mod tests;

pub use actors::{Granularity, Program, Rules, SESSIONS_MAX, ScheduleError};
pub use certify::{Certified, CertifyError, certify};
pub use compare::Difference;
pub use facts::{Fact, FactKind};
pub use findings::{Count, Coverage, Exploration, Finding, OutcomeCount, Work};
pub use outcome::{Outcome, SessionEnd, TableEnd};

use super::world::World;
use crate::sql::SqlError;
use search::Search;

/// Where a search stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Most schedules to play; each ends where nobody can run, or at a state met before.
    pub schedules_max: u64,
    /// Most switches away from a session that could go on; none for any number.
    pub preemptions: Option<u32>,
    /// Count locks in every state, for [`Work::locks_max`].
    pub measure: bool,
}

impl Default for Bounds {
    fn default() -> Bounds {
        Bounds {
            schedules_max: 1_000_000,
            preemptions: None,
            measure: false,
        }
    }
}

/// Why a search failed.
#[derive(Debug, thiserror::Error)]
pub enum ExploreError {
    /// A page could not be read.
    #[error(transparent)]
    Sql(#[from] SqlError),
    /// The certificate could not be written.
    #[error("cannot write the certificate: {0}")]
    Certificate(#[from] std::io::Error),
}

/// Called now and then with the number of states met and of steps taken so far.
pub type Progress<'a> = &'a mut dyn FnMut(u64, u64);

/// Covers every interleaving of the program from a world in which nobody runs, within the bounds.
///
/// # Errors
/// When pages cannot be read, which does not happen in memory.
pub fn explore(
    root: &World,
    program: &Program,
    bounds: Bounds,
    progress: Progress<'_>,
) -> Result<Exploration, ExploreError> {
    explore_certified(root, program, bounds, progress, None)
}

/// As [`explore`]; writes a certificate of what was covered, for [`certify()`], if the search came to
/// its end.
///
/// # Errors
/// As [`explore`]; or the certificate cannot be written.
pub fn explore_certified(
    root: &World,
    program: &Program,
    bounds: Bounds,
    progress: Progress<'_>,
    certificate: Option<&mut dyn std::io::Write>,
) -> Result<Exploration, ExploreError> {
    let (search, complete) = run(root, program, bounds, progress)?;
    if let (true, None, Some(out)) = (complete, bounds.preemptions, certificate) {
        let profile = &root.server().engine.profile().name;
        certificate::write(&search, profile, program, out)?;
    }
    let coverage = match (complete, bounds.preemptions) {
        (false, _) => Coverage::CutOff,
        (true, None) => Coverage::Everything,
        (true, Some(most)) => Coverage::Preemptions(most),
    };
    Ok(search.finish(root, coverage))
}

fn run(
    root: &World,
    program: &Program,
    bounds: Bounds,
    progress: Progress<'_>,
) -> Result<(Search, bool), SqlError> {
    let mut search = Search::new(root, program, bounds, false);
    let complete = search.run(root, progress)?;
    if !search.needs_layouts() {
        return Ok((search, complete));
    }
    let mut search = Search::new(root, program, bounds, true);
    let complete = search.run(root, progress)?;
    Ok((search, complete))
}

/// Plays every interleaving one by one, or the first `schedules_max` of them: what [`explore`] must
/// agree with.
#[must_use]
pub fn explore_plain(root: &World, program: &Program, schedules_max: u64) -> Exploration {
    plain::depth_first(root, program, schedules_max)
}

/// Plays `count` interleavings chosen by a seed.
#[must_use]
pub fn random(root: &World, program: &Program, count: u64, seed: u64) -> Exploration {
    plain::random(root, program, count, seed)
}

/// Plays `count` interleavings chosen by a seed so that bugs which need `depth` steps in one order are
/// met with a known chance (probabilistic concurrency testing).
#[must_use]
pub fn pct(root: &World, program: &Program, depth: u32, count: u64, seed: u64) -> Exploration {
    plain::pct(root, program, depth, count, seed)
}

/// Plays one interleaving; the rest of the statements, if the schedule ends before they do, follows
/// session by session.
///
/// # Errors
/// The schedule names nobody, or somebody who can't run at that step.
pub fn replay(root: &World, program: &Program, schedule: &str) -> Result<Outcome, ScheduleError> {
    let actors = program.read_schedule(schedule)?;
    plain::replay(root, program, &actors)
}
