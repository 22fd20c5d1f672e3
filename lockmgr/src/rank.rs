//! Orders in which a record's waiters can be tried, beside the two that servers have (`grant`).

use std::cmp::Reverse;

use crate::moment::mix;
use crate::{GrantPolicy, LockMode, Moment, Waiter};

/// In order of arrival, but when a reader is first all readers go with it.
///
/// A batch of readers passes the writers between them once: those who come later queue behind these.
#[derive(Clone, Copy, Debug)]
pub struct ReaderBatch;

impl GrantPolicy for ReaderBatch {
    fn order(&self, waiters: &mut [Waiter], _: &Moment) {
        if waiters[0].mode == LockMode::S {
            waiters.sort_by_key(|waiter| waiter.mode);
        }
    }
}

/// The eldest transaction first (VATS): age counts from the transaction's beginning, not from its
/// arrival here, so the one that has already waited elsewhere goes first.
#[derive(Clone, Copy, Debug)]
pub struct Eldest;

impl GrantPolicy for Eldest {
    fn order(&self, waiters: &mut [Waiter], _: &Moment) {
        waiters.sort_by_key(|waiter| (waiter.party.age, waiter.party.trx));
    }
}

/// The largest dependency set first (LDSF): readers count together, since they are granted together.
#[derive(Clone, Copy, Debug)]
pub struct LargestDependencySet;

impl GrantPolicy for LargestDependencySet {
    fn order(&self, waiters: &mut [Waiter], _: &Moment) {
        let shared = |waiter: &&Waiter| waiter.mode == LockMode::S;
        let readers: u64 = waiters.iter().filter(shared).map(|w| w.dependents).sum();
        let set = |waiter: &Waiter| match waiter.mode {
            LockMode::S => readers,
            LockMode::X => waiter.dependents,
        };
        waiters.sort_by_key(|waiter| Reverse(set(waiter)));
    }

    fn needs_dependents(&self) -> bool {
        true
    }
}

/// The most important first.
#[derive(Clone, Copy, Debug)]
pub struct ByPriority;

impl GrantPolicy for ByPriority {
    fn order(&self, waiters: &mut [Waiter], _: &Moment) {
        waiters.sort_by_key(|waiter| Reverse(waiter.party.priority));
    }
}

/// In an order drawn by lot.
#[derive(Clone, Copy, Debug)]
pub struct AtRandom;

impl GrantPolicy for AtRandom {
    fn order(&self, waiters: &mut [Waiter], moment: &Moment) {
        waiters.sort_by_key(|waiter| mix(moment.random ^ mix(waiter.party.trx.0)));
    }
}
