//! Every interleaving of some sessions' statements, one lock request or change at a time.
//!
//! A schedule is an order of steps; a step is one mini-transaction of the engine, where InnoDB
//! gives its latches back, or a commit, or one run of the background detector (`*`). The search is
//! plain depth-first: it forks the world at each branch and prunes nothing, so its counts are
//! counts of schedules. What is defined:
//!
//! E1. Each session says its statements in order, then commits. A deadlock's victim stops: its
//!     transaction is gone, as it is for an application that gets 1213. After any other error a
//!     session goes on.
//! E2. What concerns its session only is no step of its own, it goes with the next one: BEGIN, SET,
//!     SAVEPOINT; reading and planning a statement; metadata locks, as long as no statement of the
//!     program takes any that conflict.
//! E3. Virtual time stands still: if nobody can run any more, the schedule ends as `stuck`.
//! E4. Purge does not run: delete-marked records stay until the schedule has ended.
//! E5. A first search allows [`PREEMPTIONS_FIRST`] switches away from a session that could go on; it
//!     is small and meets most deadlocks. The second allows any number. If that one does not fit in
//!     the bound, the first one's result stands, and says what it covered.

mod actors;
mod outcome;
mod search;

pub use actors::{Program, ScheduleError};
pub use outcome::{Coverage, Exploration, OutcomeCount};

use super::world::World;
use search::Search;

/// Preemptions that the first search allows.
pub const PREEMPTIONS_FIRST: u32 = 2;

/// Called now and then with the number of schedules done so far.
pub type Progress<'a> = &'a mut dyn FnMut(u64);

/// Plays every interleaving of the program from a world in which nobody runs, or at most about
/// `schedules_max` of them.
#[must_use]
pub fn explore(
    root: &World,
    program: &Program,
    schedules_max: u64,
    progress: Progress<'_>,
) -> Exploration {
    let mut first = Search::new(program, Some(PREEMPTIONS_FIRST), schedules_max);
    let first_complete = first.run(root, progress);
    if !first_complete {
        return first.finish(root, Coverage::CutOff);
    }
    let mut full = Search::new(program, None, schedules_max);
    if full.run(root, progress) {
        full.finish(root, Coverage::Everything)
    } else {
        first.finish(root, Coverage::Preemptions(PREEMPTIONS_FIRST))
    }
}

/// Plays every interleaving with at most so many preemptions, or at most about `schedules_max`.
#[must_use]
pub fn explore_preempting(
    root: &World,
    program: &Program,
    preemptions: u32,
    schedules_max: u64,
) -> Exploration {
    let mut search = Search::new(program, Some(preemptions), schedules_max);
    let complete = search.run(root, &mut |_| {});
    let coverage = if complete {
        Coverage::Preemptions(preemptions)
    } else {
        Coverage::CutOff
    };
    search.finish(root, coverage)
}

/// Plays `count` interleavings chosen by a seed.
#[must_use]
pub fn random(root: &World, program: &Program, count: u64, seed: u64) -> Exploration {
    let mut search = Search::new(program, None, count);
    search.run_random(root, seed);
    search.finish(root, Coverage::Random)
}

/// Plays one interleaving; the rest of the statements, if the schedule ends before they do, follows
/// session by session. Gives the outcome's text.
///
/// # Errors
/// The schedule names nobody, or somebody who can't run at that step.
pub fn replay(root: &World, program: &Program, schedule: &str) -> Result<String, ScheduleError> {
    let actors = program.read_schedule(schedule)?;
    search::replay(root, program, &actors)
}
