//! Who waits, for which structure, since when and until when.

use std::collections::{BTreeMap, BTreeSet};

use rustc_hash::FxHashMap;

use crate::figures::Histogram;
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
    /// When it began.
    pub(crate) since: Micros,
}

/// How a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WaitEnd {
    /// By the lock.
    Granted,
    /// By its time.
    TimedOut,
    /// By a deadlock, or one prevented.
    Victim,
    /// By the record's going away.
    Retry,
    /// By whoever waited, or for it.
    Withdrawn,
}

/// What waits came to so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct WaitFigures {
    /// How many ended so, by [`WaitEnd`].
    pub(crate) ended: [u64; 5],
    /// How long they took, in microseconds of the driver's time.
    pub(crate) time: Histogram,
    /// How many waited for the same, the new one included.
    pub(crate) queue_length: Histogram,
}

/// All waits.
#[derive(Clone, Debug, Default)]
pub(crate) struct Waits {
    pub(crate) figures: WaitFigures,
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

    /// A transaction begins to wait, now, for the structure `sequence` at `place`. Returns the wait's
    /// ordinal.
    pub(crate) fn begin(
        &mut self,
        trx: TrxId,
        place: Place,
        sequence: u64,
        expires: Micros,
        now: Micros,
    ) -> u64 {
        let started = self.next_start;
        self.next_start += 1;
        let wait = Wait {
            place,
            sequence,
            started,
            expires,
            since: now,
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
        started
    }

    /// A transaction no longer waits. Whoever gets its wait from here owes it a wake-up.
    pub(crate) fn end(&mut self, trx: TrxId, end: WaitEnd, now: Micros) -> Option<Wait> {
        let wait = self.by_trx.remove(&trx)?;
        self.figures.ended[end as usize] += 1;
        self.figures.time.record(now.saturating_sub(wait.since));
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

    /// Those whose waits began at that time or before, in the order in which they began.
    pub(crate) fn since(&self, latest: Micros) -> impl Iterator<Item = TrxId> + '_ {
        self.waiters()
            .take_while(move |trx| self.by_trx[trx].since <= latest)
    }

    /// The first wait whose ordinal is at least `ordinal`, and when it began.
    pub(crate) fn first_from(&self, ordinal: u64) -> Option<(u64, Micros)> {
        let (&started, trx) = self.by_start.range(ordinal..).next()?;
        Some((started, self.by_trx[trx].since))
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
