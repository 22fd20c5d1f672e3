//! What all transactions share: ids, who is active, open views, and the history to purge.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use gaplock_lockmgr::TrxId;
use parking_lot::Mutex;

use super::ReadView;
use crate::table::RollPointer;

/// A committed transaction whose old versions wait for purge.
#[derive(Clone, Debug)]
pub struct Committed {
    /// Its place in the order of commits.
    pub number: u64,
    /// Its undo records that overwrote something, oldest first.
    pub records: VecDeque<RollPointer>,
}

/// The register of transactions.
#[derive(Debug)]
pub struct TrxSystem {
    /// Ids below this one belong to ended transactions; may lag behind.
    oldest_active: AtomicU64,
    state: Mutex<State>,
}

#[derive(Clone, Debug)]
struct State {
    /// The next id or commit number; one counter gives both.
    next: u64,
    active: BTreeSet<u64>,
    /// Open views by ticket, the oldest first.
    views: BTreeMap<u64, ReadView>,
    next_ticket: u64,
    history: VecDeque<Committed>,
    /// The view that stands in for whoever asked purge to stop.
    purge_hold: Option<ReadView>,
}

impl TrxSystem {
    /// A register whose first id is `next`.
    #[must_use]
    pub fn new(next: u64) -> Self {
        let state = State {
            next,
            active: BTreeSet::new(),
            views: BTreeMap::new(),
            next_ticket: 0,
            history: VecDeque::new(),
            purge_hold: None,
        };
        Self {
            oldest_active: AtomicU64::new(next),
            state: Mutex::new(state),
        }
    }

    /// A copy for a forked engine.
    #[must_use]
    pub fn fork(&self) -> Self {
        Self {
            oldest_active: AtomicU64::new(self.oldest_active.load(Ordering::Relaxed)),
            state: Mutex::new(self.state.lock().clone()),
        }
    }

    /// The next id to be given out.
    #[must_use]
    pub fn next_id(&self) -> u64 {
        self.state.lock().next
    }

    /// Makes a transaction active.
    pub fn begin(&self) -> TrxId {
        let mut state = self.state.lock();
        let id = state.next;
        state.next += 1;
        state.active.insert(id);
        self.publish(&state);
        TrxId(id)
    }

    /// Ends a transaction. What it overwrote waits for purge (nothing, if it was rolled back).
    pub fn end(&self, trx: TrxId, overwrote: VecDeque<RollPointer>) {
        let mut state = self.state.lock();
        state.active.remove(&trx.0);
        if !overwrote.is_empty() {
            let number = state.next;
            state.next += 1;
            state.history.push_back(Committed {
                number,
                records: overwrote,
            });
        }
        self.publish(&state);
    }

    fn publish(&self, state: &State) {
        let oldest = state.active.first().copied().unwrap_or(state.next);
        self.oldest_active.store(oldest, Ordering::Release);
    }

    /// Whether the transaction is active.
    #[must_use]
    pub fn is_active(&self, trx: TrxId) -> bool {
        trx.0 >= self.oldest_active.load(Ordering::Acquire)
            && self.state.lock().active.contains(&trx.0)
    }

    /// Whether every transaction up to this one has certainly ended.
    #[must_use]
    pub fn all_ended_up_to(&self, trx: u64) -> bool {
        trx < self.oldest_active.load(Ordering::Acquire)
    }

    /// Opens a snapshot of this moment.
    pub fn open_view(&self) -> ReadView {
        self.state.lock().open_view()
    }

    /// Closes a snapshot.
    pub fn close_view(&self, view: &ReadView) {
        self.state.lock().views.remove(&view.ticket);
    }

    /// Stops purge from here on, as an open snapshot would, or lets it go on.
    pub fn hold_purge(&self, hold: bool) {
        let mut state = self.state.lock();
        if hold && state.purge_hold.is_none() {
            let view = state.open_view();
            state.purge_hold = Some(view);
        } else if !hold && let Some(view) = state.purge_hold.take() {
            state.views.remove(&view.ticket);
        }
    }

    /// Takes the oldest undo record that no view needs any more.
    pub fn next_to_purge(&self) -> Option<RollPointer> {
        let mut state = self.state.lock();
        let limit = state
            .views
            .values()
            .next()
            .map_or(u64::MAX, |oldest| oldest.next);
        let oldest = state.history.front_mut()?;
        if oldest.number >= limit {
            return None;
        }
        let record = oldest.records.pop_front();
        if oldest.records.is_empty() {
            state.history.pop_front();
        }
        record
    }

    /// Whether what this transaction overwrote is out of every view's reach: purged, or to be.
    #[must_use]
    pub fn is_purgeable(&self, writer: TrxId) -> bool {
        let state = self.state.lock();
        match state.views.values().next() {
            Some(oldest) => oldest.sees(writer, None),
            None => !state.active.contains(&writer.0),
        }
    }

    /// Number of committed transactions whose old versions wait for purge.
    #[must_use]
    pub fn history_length(&self) -> usize {
        self.state.lock().history.len()
    }

    /// Ids of all active transactions.
    #[must_use]
    pub fn active(&self) -> Vec<TrxId> {
        self.state
            .lock()
            .active
            .iter()
            .copied()
            .map(TrxId)
            .collect()
    }
}

impl State {
    fn open_view(&mut self) -> ReadView {
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        let active: Arc<[u64]> = self.active.iter().copied().collect();
        let view = ReadView {
            next: self.next,
            active,
            ticket,
        };
        self.views.insert(ticket, view.clone());
        view
    }
}
