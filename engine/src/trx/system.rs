//! What all transactions share: ids, who is active, open views, and the history to purge.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    hash::Hasher,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use gaplock_lockmgr::TrxId;
use gaplock_wal::Lsn;
use parking_lot::Mutex;

use super::ReadView;
use crate::{db::TrxNames, digest::Digest, table::RollPointer};

/// A committed transaction whose old versions wait for purge.
#[derive(Clone, Debug)]
pub struct Committed {
    /// Its place in the order of commits.
    pub number: u64,
    /// The log's position after its commit.
    pub position: Lsn,
    /// Its undo records that overwrote something, oldest first.
    pub records: VecDeque<RollPointer>,
}

/// The register of transactions.
#[derive(Debug)]
pub struct TrxSystem {
    /// Ids below this one belong to ended transactions; may lag behind.
    oldest_active: AtomicU64,
    /// The position after the newest commit.
    last_commit: AtomicU64,
    state: Mutex<State>,
}

/// What a checkpoint has to know of transactions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrxSummary {
    /// The next id to be given out.
    pub next: u64,
    /// Ids of all active transactions.
    pub active: Vec<u64>,
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
    /// Active transactions whose commit is in the log already.
    committing: BTreeSet<u64>,
    /// Commits that may not be durable yet, in their order: position and transaction.
    recent: VecDeque<(Lsn, u64)>,
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
            committing: BTreeSet::new(),
            recent: VecDeque::new(),
        };
        Self {
            oldest_active: AtomicU64::new(next),
            last_commit: AtomicU64::new(0),
            state: Mutex::new(state),
        }
    }

    /// A copy for a forked engine.
    #[must_use]
    pub fn fork(&self) -> Self {
        Self {
            oldest_active: AtomicU64::new(self.oldest_active.load(Ordering::Relaxed)),
            last_commit: AtomicU64::new(self.last_commit().0),
            state: Mutex::new(self.state.lock().clone()),
        }
    }

    /// The next id to be given out, and who is active, together with what `look` sees while nobody
    /// begins or ends.
    pub fn summary<T>(&self, look: impl FnOnce() -> T) -> (TrxSummary, T) {
        let state = self.state.lock();
        let summary = TrxSummary {
            next: state.next,
            active: state
                .active
                .difference(&state.committing)
                .copied()
                .collect(),
        };
        (summary, look())
    }

    /// The position after the newest commit that anybody may have seen.
    #[must_use]
    pub fn last_commit(&self) -> Lsn {
        Lsn(self.last_commit.load(Ordering::Acquire))
    }

    /// Makes a transaction of an earlier life of the database active, to be rolled back.
    pub fn revive(&self, trx: TrxId) {
        let mut state = self.state.lock();
        state.active.insert(trx.0);
        self.publish(&state);
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
    ///
    /// `log` appends the record of its end, if it needs one, and gives a commit's position: so
    /// commits stand in the log in the order in which they become visible (T1). Positions up to
    /// `durable` are known to be durable.
    pub fn end(
        &self,
        trx: TrxId,
        overwrote: VecDeque<RollPointer>,
        durable: Lsn,
        log: impl FnOnce() -> Option<Lsn>,
    ) {
        let mut state = self.state.lock();
        let position = if state.committing.remove(&trx.0) {
            state
                .recent
                .iter()
                .rev()
                .find(|(_, id)| *id == trx.0)
                .map(|(at, _)| *at)
        } else {
            let position = log();
            if let Some(position) = position {
                self.note_commit(&mut state, trx, position, durable);
            }
            position
        };
        state.active.remove(&trx.0);
        if !overwrote.is_empty() {
            let number = state.next;
            state.next += 1;
            state.history.push_back(Committed {
                number,
                position: position.unwrap_or_default(),
                records: overwrote,
            });
        }
        self.publish(&state);
    }

    /// Appends the record of a commit that becomes visible, and lets go of its locks, only later.
    /// [`Self::end`] will not append another.
    pub fn prepare_end(&self, trx: TrxId, durable: Lsn, log: impl FnOnce() -> Lsn) -> Lsn {
        let mut state = self.state.lock();
        let position = log();
        state.committing.insert(trx.0);
        self.note_commit(&mut state, trx, position, durable);
        position
    }

    fn note_commit(&self, state: &mut State, trx: TrxId, position: Lsn, durable: Lsn) {
        while state.recent.front().is_some_and(|(at, _)| *at <= durable) {
            state.recent.pop_front();
        }
        state.recent.push_back((position, trx.0));
        self.last_commit.store(position.0, Ordering::Release);
    }

    /// Hands old versions of an earlier life of the database to purge.
    pub fn restore_history(&self, records: VecDeque<RollPointer>) {
        if records.is_empty() {
            return;
        }
        let mut state = self.state.lock();
        let number = state.next;
        state.next += 1;
        state.history.push_back(Committed {
            number,
            position: Lsn(0),
            records,
        });
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

    /// Opens a snapshot of this moment. If the log has failed, what it had not made durable up to
    /// that position is not seen: it may be gone when the database is opened anew.
    pub fn open_view(&self, failed_at: Option<Lsn>) -> ReadView {
        let mut state = self.state.lock();
        let mut view = state.open_view();
        view.seen = self.last_commit();
        if let Some(durable) = failed_at {
            view.seen = durable;
            let hidden = state.recent.iter().filter(|(at, _)| *at > durable);
            let mut active: Vec<u64> = hidden.map(|(_, trx)| *trx).collect();
            active.extend_from_slice(&view.active);
            active.sort_unstable();
            view.active = active.into();
            state.views.insert(view.ticket, view.clone());
        }
        view
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

    /// Takes the oldest undo record that no view needs any more, of a commit up to `durable`: if
    /// the log fails, views must still reach what was before later ones.
    pub fn next_to_purge(&self, durable: Lsn) -> Option<RollPointer> {
        let mut state = self.state.lock();
        let limit = state
            .views
            .values()
            .next()
            .map_or(u64::MAX, |oldest| oldest.next);
        let oldest = state.history.front_mut()?;
        if oldest.number >= limit || oldest.position > durable {
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

    /// Writes who is active and what each open view sees, the oldest view first (G1 of `db::digest`).
    /// A view sees whoever had ended when it was opened: that is said by naming those whom it does
    /// not see.
    pub(crate) fn digest(&self, trxs: &TrxNames<'_>, out: &mut Digest) {
        let state = self.state.lock();
        let mut names: Vec<u64> = Vec::new();
        names.extend(state.active.iter().map(|id| (trxs.name)(TrxId(*id))));
        write_sorted(&mut names, out);
        for view in state.views.values() {
            let unseen = trxs.known.iter().filter(|trx| !view.sees(**trx, None));
            names.clear();
            names.extend(unseen.map(|trx| (trxs.name)(*trx)));
            write_sorted(&mut names, out);
        }
        out.write_u8(u8::from(state.purge_hold.is_some()));
    }

    /// A view's place among the open ones, from the oldest.
    pub(crate) fn place_of(&self, view: &ReadView) -> usize {
        let state = self.state.lock();
        state.views.range(..view.ticket).count()
    }

    /// Everything that waits for purge, in order.
    pub(crate) fn history(&self) -> Vec<RollPointer> {
        let state = self.state.lock();
        let records = state.history.iter().flat_map(|ended| &ended.records);
        records.copied().collect()
    }

    /// Whether purge would find something to do.
    pub(crate) fn purge_due(&self) -> bool {
        let state = self.state.lock();
        let limit = state.views.values().next().map_or(u64::MAX, |v| v.next);
        state.history.front().is_some_and(|e| e.number < limit)
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

fn write_sorted(names: &mut [u64], out: &mut Digest) {
    names.sort_unstable();
    out.write_usize(names.len());
    names.iter().for_each(|name| out.write_u64(*name));
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
            seen: Lsn(0),
        };
        self.views.insert(ticket, view.clone());
        view
    }
}
