//! Wake-ups: handed over to those who wait, or kept in order for a driver that steps sessions.

use std::time::Duration;

use gaplock_lockmgr::{TrxId, Wake, Wakeup};
use parking_lot::{Condvar, Mutex};
use rustc_hash::FxHashMap;

use super::Engine;
use crate::{
    digest::{DebugText, Digest},
    error::Error,
    trx::Trx,
};

/// Whether a transaction waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitState {
    /// It waits for nothing.
    NotWaiting,
    /// It waits for a lock.
    Waiting,
    /// It waited, and may go on: its next step will see why.
    Woken(Wake),
}

const SHARDS: usize = 64;

/// Wake-ups that their transactions have not taken note of yet.
#[derive(Debug)]
pub(super) struct Mailbox {
    shards: Vec<(Mutex<FxHashMap<TrxId, Wake>>, Condvar)>,
    /// All wake-ups in order, if they are recorded.
    order: Option<Mutex<Vec<Wakeup>>>,
}

impl Mailbox {
    pub(super) fn new(record_order: bool) -> Self {
        let shards = if record_order { 1 } else { SHARDS };
        Self {
            shards: (0..shards).map(|_| Default::default()).collect(),
            order: record_order.then(Mutex::default),
        }
    }

    pub(super) fn fork(&self) -> Self {
        let copy = |shard: &(Mutex<FxHashMap<TrxId, Wake>>, Condvar)| {
            (Mutex::new(shard.0.lock().clone()), Condvar::new())
        };
        Self {
            shards: self.shards.iter().map(copy).collect(),
            order: self
                .order
                .as_ref()
                .map(|order| Mutex::new(order.lock().clone())),
        }
    }

    /// Writes the wake-ups on their way.
    pub(super) fn digest(&self, name: &dyn Fn(TrxId) -> u64, out: &mut Digest) {
        let mut letters: Vec<(u64, Wake)> = Vec::new();
        for (shard, _) in &self.shards {
            let shard = shard.lock();
            letters.extend(shard.iter().map(|(trx, wake)| (name(*trx), *wake)));
        }
        letters.sort_unstable();
        DebugText::write(&letters, out, &|trx| trx);
        if let Some(order) = &self.order {
            let order = order.lock();
            for Wakeup { trx, wake } in &*order {
                DebugText::write(&(name(*trx), wake), out, &|trx| trx);
            }
        }
    }

    fn shard(&self, trx: TrxId) -> &(Mutex<FxHashMap<TrxId, Wake>>, Condvar) {
        &self.shards[trx.0 as usize % self.shards.len()]
    }

    fn put(&self, wakeup: Wakeup) {
        let (letters, bell) = self.shard(wakeup.trx);
        letters.lock().insert(wakeup.trx, wakeup.wake);
        bell.notify_all();
        if let Some(order) = &self.order {
            order.lock().push(wakeup);
        }
    }

    fn peek(&self, trx: TrxId) -> Option<Wake> {
        self.shard(trx).0.lock().get(&trx).copied()
    }

    fn take(&self, trx: TrxId) -> Option<Wake> {
        self.shard(trx).0.lock().remove(&trx)
    }
}

impl Engine {
    /// Hands on what a step caused for others.
    pub(crate) fn deliver(&self, trx: &mut Trx) {
        for report in std::mem::take(&mut trx.effects.deadlocks) {
            self.note_deadlock(&report);
        }
        for wakeup in std::mem::take(&mut trx.effects.wakeups) {
            self.waits.put(wakeup);
        }
    }

    pub(crate) fn deliver_wakeups(&self, wakeups: Vec<Wakeup>) {
        wakeups
            .into_iter()
            .for_each(|wakeup| self.waits.put(wakeup));
    }

    /// Whether the transaction waits.
    #[must_use]
    pub fn wait_state(&self, trx: &Trx) -> WaitState {
        match trx.id {
            Some(id) if trx.waiting => self
                .waits
                .peek(id)
                .map_or(WaitState::Waiting, WaitState::Woken),
            _ => WaitState::NotWaiting,
        }
    }

    /// What a transaction that waited has to know before it goes on; `Ok(false)`: it still waits.
    pub(crate) fn resume(&self, trx: &mut Trx) -> Result<bool, Error> {
        let (true, Some(id)) = (trx.waiting, trx.id) else {
            return Ok(true);
        };
        let Some(wake) = self.waits.take(id) else {
            return Ok(false);
        };
        trx.waiting = false;
        match wake {
            Wake::Granted | Wake::Retry => Ok(true),
            Wake::Victim => Err(Error::Deadlock),
            Wake::TimedOut => Err(Error::LockWaitTimeout),
        }
    }

    /// Takes back the transaction's request for a lock: it is not going to wait any longer. If the
    /// lock was granted meanwhile, it is kept.
    pub(crate) fn withdraw(&self, trx: &mut Trx) {
        let Some(id) = trx.id else { return };
        let woken = self.locks.cancel_wait(id);
        trx.effects.wakeups.extend(woken);
        trx.waiting = false;
        self.waits.take(id);
    }

    /// Ends a wait from outside (a query that is killed, a client that went away): the statement
    /// fails as if its wait had timed out.
    pub fn cancel_wait(&self, trx: &Trx) {
        if let (true, Some(id)) = (trx.waiting, trx.id)
            && self.waits.peek(id).is_none()
        {
            let woken = self.locks.cancel_wait(id);
            self.waits.put(Wakeup {
                trx: id,
                wake: Wake::TimedOut,
            });
            self.deliver_wakeups(woken);
        }
    }

    /// Wake-ups since the last call, in the order of granting. Only where they are recorded.
    pub fn take_wakeups(&self) -> Vec<Wakeup> {
        self.waits
            .order
            .as_ref()
            .map(|order| std::mem::take(&mut *order.lock()))
            .unwrap_or_default()
    }

    /// Sleeps until the transaction is woken, or for `patience`; whether it was woken.
    pub fn park(&self, trx: &Trx, patience: Duration) -> bool {
        let (true, Some(id)) = (trx.waiting, trx.id) else {
            return true;
        };
        let (letters, bell) = self.waits.shard(id);
        let mut letters = letters.lock();
        let still_waiting = |letters: &mut FxHashMap<TrxId, Wake>| !letters.contains_key(&id);
        !bell
            .wait_while_for(&mut letters, still_waiting, patience)
            .timed_out()
            || letters.contains_key(&id)
    }

    /// Says what time it is, in microseconds of the driver's clock.
    pub fn set_time(&self, now: u64) {
        self.now
            .fetch_max(now, std::sync::atomic::Ordering::Relaxed);
        self.locks.set_time(now);
    }

    /// Says what time it is and times out the waits whose moment has come.
    pub fn expire(&self, now: u64) {
        self.set_time(now);
        let woken = self.locks.expire(now);
        self.deliver_wakeups(woken);
    }

    /// When the next wait times out, or a detector wants to look at one that has lasted.
    #[must_use]
    pub fn next_expiry(&self) -> Option<u64> {
        let sweep = self.locks.next_sweep();
        self.locks.next_expiry().into_iter().chain(sweep).min()
    }

    /// Whether somebody has to call [`Self::sweep_deadlocks`] from time to time while others wait.
    #[must_use]
    pub fn detects_in_background(&self) -> bool {
        use gaplock_lockmgr::Searches;
        matches!(
            self.locks.policies().searches(),
            Searches::InBackground | Searches::AfterWaiting(_)
        )
    }

    /// Lets a detector that works in the background look until it finds nothing more.
    pub fn sweep_deadlocks(&self) {
        let answer = self.locks.sweep();
        for report in &answer.deadlocks {
            self.note_deadlock(report);
        }
        self.deliver_wakeups(answer.wakeups);
    }
}
