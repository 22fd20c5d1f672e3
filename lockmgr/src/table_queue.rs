//! The locks on one table, and their queue: first come, first served, under every grant policy.

use crate::queue::LockState;
use crate::{Origin, TableMode, TrxId};

/// One lock of one transaction on one table.
#[derive(Clone, Debug)]
pub(crate) struct TableLock {
    /// Whose it is.
    pub(crate) trx: TrxId,
    /// Names the lock among all structures of its transaction, in order of creation.
    pub(crate) sequence: u64,
    /// Strength.
    pub(crate) mode: TableMode,
    /// Held or wanted.
    pub(crate) state: LockState,
    /// Why.
    pub(crate) origin: Origin,
}

impl TableLock {
    /// Whether it is still waited for.
    pub(crate) fn is_waiting(&self) -> bool {
        matches!(self.state, LockState::Waiting { .. })
    }
}

/// The locks on one table in order of arrival.
#[derive(Clone, Debug, Default)]
pub(crate) struct TableQueue {
    locks: Vec<TableLock>,
    waiting: usize,
}

impl TableQueue {
    /// The locks in queue order.
    pub(crate) fn locks(&self) -> &[TableLock] {
        &self.locks
    }

    /// How many locks wait.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting
    }

    /// Where this lock stands.
    pub(crate) fn position(&self, trx: TrxId, sequence: u64) -> Option<usize> {
        self.locks
            .iter()
            .position(|lock| lock.sequence == sequence && lock.trx == trx)
    }

    /// Whether the transaction holds a granted lock that makes this one superfluous.
    pub(crate) fn covers(&self, trx: TrxId, mode: TableMode) -> bool {
        self.locks
            .iter()
            .any(|lock| lock.trx == trx && !lock.is_waiting() && lock.mode.covers(mode))
    }

    /// The first other transaction whose lock, granted or waiting, a new request conflicts with.
    pub(crate) fn conflict(&self, trx: TrxId, mode: TableMode) -> Option<TrxId> {
        blocking(&self.locks, trx, mode).next().map(|lock| lock.trx)
    }

    /// The locks that the waiting one at `position` waits for, in queue order.
    pub(crate) fn blockers(&self, position: usize) -> impl Iterator<Item = &TableLock> {
        let waiter = &self.locks[position];
        blocking(&self.locks[..position], waiter.trx, waiter.mode)
    }

    /// Adds a lock at the end.
    pub(crate) fn add(&mut self, lock: TableLock) {
        self.waiting += usize::from(lock.is_waiting());
        self.locks.push(lock);
    }

    /// Takes out the lock at `position`.
    pub(crate) fn remove(&mut self, position: usize) -> TableLock {
        let lock = self.locks.remove(position);
        self.waiting -= usize::from(lock.is_waiting());
        lock
    }

    /// Grants, in order of arrival, whatever nothing ahead is in the way of, and notes the new
    /// blockers of the rest. `granted` is told who was granted. Returns whether an edge changed.
    pub(crate) fn grant_in_order(&mut self, mut granted: impl FnMut(TrxId)) -> bool {
        let mut edges_changed = false;
        for position in 0..self.locks.len() {
            if self.waiting == 0 {
                break;
            }
            if !self.locks[position].is_waiting() {
                continue;
            }
            let blocker = self.blockers(position).next().map(|lock| lock.trx);
            if let Some(blocker) = blocker {
                let state = LockState::Waiting { blocker };
                edges_changed |= self.locks[position].state != state;
                self.locks[position].state = state;
            } else {
                self.locks[position].state = LockState::Granted;
                self.waiting -= 1;
                granted(self.locks[position].trx);
            }
        }
        edges_changed
    }
}

/// The locks among these that a lock of `trx` in this mode conflicts with.
fn blocking(locks: &[TableLock], trx: TrxId, mode: TableMode) -> impl Iterator<Item = &TableLock> {
    locks
        .iter()
        .filter(move |lock| lock.trx != trx && !lock.mode.compatible(mode))
}
