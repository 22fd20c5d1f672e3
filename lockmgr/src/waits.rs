//! Who waits, for which structure, since when and until when.

use std::collections::{BTreeMap, BTreeSet};

use rustc_hash::FxHashMap;

use crate::registry::Place;
use crate::{Micros, TrxId};

/// The wait of one transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wait {
    /// Where the waiting structure is queued.
    pub(crate) place: Place,
    /// Its name in its owner's list.
    pub(crate) sequence: u64,
    /// Ordinal of the wait among all waits: a greater one began later.
    pub(crate) started: u64,
    /// When it times out; `Micros::MAX` is never.
    pub(crate) expires: Micros,
}

/// All waits.
#[derive(Clone, Debug, Default)]
pub(crate) struct Waits {
    by_trx: FxHashMap<TrxId, Wait>,
    by_start: BTreeMap<u64, TrxId>,
    by_expiry: BTreeSet<(Micros, TrxId)>,
    next_start: u64,
}

impl Waits {
    /// How many waits have begun.
    pub(crate) fn begun(&self) -> u64 {
        self.next_start
    }

    /// A transaction begins to wait.
    pub(crate) fn begin(&mut self, trx: TrxId, place: Place, sequence: u64, expires: Micros) {
        let started = self.next_start;
        self.next_start += 1;
        let wait = Wait {
            place,
            sequence,
            started,
            expires,
        };
        let before = self.by_trx.insert(trx, wait);
        assert!(
            before.is_none(),
            "transaction {trx} asks for a lock while it waits for one"
        );
        self.by_start.insert(started, trx);
        if expires != Micros::MAX {
            self.by_expiry.insert((expires, trx));
        }
    }

    /// A transaction no longer waits. Whoever gets its wait from here owes it a wake-up.
    pub(crate) fn end(&mut self, trx: TrxId) -> Option<Wait> {
        let wait = self.by_trx.remove(&trx)?;
        self.by_start.remove(&wait.started);
        self.by_expiry.remove(&(wait.expires, trx));
        Some(wait)
    }

    /// The waiting structure was replaced by another, since its record moved.
    pub(crate) fn relocate(&mut self, trx: TrxId, place: Place, sequence: u64) {
        let wait = self
            .by_trx
            .get_mut(&trx)
            .expect("a waiting structure's owner waits");
        wait.place = place;
        wait.sequence = sequence;
    }

    /// The transaction's wait, if it waits.
    pub(crate) fn of(&self, trx: TrxId) -> Option<Wait> {
        self.by_trx.get(&trx).copied()
    }

    /// How many transactions wait.
    pub(crate) fn len(&self) -> usize {
        self.by_trx.len()
    }

    /// Everybody who waits, in the order in which their waits began.
    pub(crate) fn waiters(&self) -> impl Iterator<Item = TrxId> + '_ {
        self.by_start.values().copied()
    }

    /// Where anybody waits, in no particular order, once for each who does.
    pub(crate) fn places(&self) -> impl Iterator<Item = Place> + '_ {
        self.by_trx.values().map(|wait| wait.place)
    }

    /// The wait that times out first, and when.
    pub(crate) fn next_expiry(&self) -> Option<(Micros, TrxId)> {
        self.by_expiry.first().copied()
    }
}
