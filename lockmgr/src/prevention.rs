//! Deadlock prevention: rules about who may wait for whom that leave no cycle.
//!
//! Wait-die and wound-wait order transactions by age. With wait-die only older ones wait for younger
//! ones, with wound-wait only younger for older, so a chain of waits runs through ages in one
//! direction and never comes back. A victim that keeps its age grows old, and in the end nobody can
//! make it die: no starvation. That holds for each edge, also for one that comes later, when somebody
//! is granted past a waiter, or locks a gap that another waits to insert into; so the table asks again when blockers change.

use crate::{ConflictPolicy, Decision, Party};

/// Nobody waits: whoever meets a conflict dies.
#[derive(Clone, Copy, Debug)]
pub struct NoWait;

impl ConflictPolicy for NoWait {
    fn decide(&self, _: &Party, _: &Party) -> Decision {
        Decision::Die
    }

    fn claims_deadlock_free(&self) -> bool {
        true
    }
}

/// The older waits, the younger dies.
#[derive(Clone, Copy, Debug)]
pub struct WaitDie;

impl ConflictPolicy for WaitDie {
    fn decide(&self, waiter: &Party, blocker: &Party) -> Decision {
        if waiter.is_older_than(blocker) {
            Decision::Wait
        } else {
            Decision::Die
        }
    }

    fn claims_deadlock_free(&self) -> bool {
        true
    }
}

/// The older wounds, the younger waits.
#[derive(Clone, Copy, Debug)]
pub struct WoundWait;

impl ConflictPolicy for WoundWait {
    fn decide(&self, waiter: &Party, blocker: &Party) -> Decision {
        if waiter.is_older_than(blocker) {
            Decision::Wound
        } else {
            Decision::Wait
        }
    }

    fn claims_deadlock_free(&self) -> bool {
        true
    }
}
