//! Asking the conflict policy, and what follows from its answers.
//!
//! It is asked when a wait has begun, and again about everybody who waits when edges have come or
//! changed since: whoever is granted past a waiter is now waited for. So what a preventing policy
//! says of one edge holds for all.

use std::sync::atomic::Ordering;

use smallvec::SmallVec;

use crate::registry::Fate;
use crate::table::LockTable;
use crate::waits::WaitEnd;
use crate::{ConflictPolicy, Decision, TrxId, Wake, Wakeup};

/// What a policy said about all that one waiter waits for.
enum Verdict {
    /// It may wait, and these are to roll back for it.
    Waits(SmallVec<[TrxId; 2]>),
    Dies,
}

impl LockTable {
    /// Asks about everybody whom the transaction waits for.
    fn judge_waiter(&self, policy: &dyn ConflictPolicy, trx: TrxId) -> Verdict {
        let mut wounded = SmallVec::new();
        let mut blockers = self.graph().blockers(trx);
        blockers.sort_unstable();
        blockers.dedup();
        let Some(waiter) = self.registry.party(trx) else {
            return Verdict::Waits(wounded);
        };
        for blocker in blockers {
            let Some(party) = self.registry.party(blocker) else {
                continue;
            };
            match policy.decide(&waiter, &party) {
                Decision::Wait => {}
                Decision::Die => return Verdict::Dies,
                Decision::Wound => wounded.push(blocker),
            }
        }
        Verdict::Waits(wounded)
    }

    /// Asks about a wait that has begun. Returns whether the waiter died of it; the caller tells it.
    pub(crate) fn judge_wait(&self, trx: TrxId, epoch: u64, wakeups: &mut Vec<Wakeup>) -> bool {
        let Some(policy) = &self.policies.conflict else {
            return false;
        };
        match self.judge_waiter(&**policy, trx) {
            Verdict::Dies => {
                let died = self.end_wait(trx, Some(epoch), WaitEnd::Victim, wakeups);
                if died {
                    self.tell_victim(trx);
                    self.figures.prevented();
                }
                died
            }
            Verdict::Waits(wounded) => {
                for victim in wounded {
                    self.wound(victim, wakeups);
                }
                false
            }
        }
    }

    /// Makes a transaction roll back: at once if it waits, else when it next asks for anything.
    ///
    /// It is marked first and its wait looked for then; a request marks its wait first and looks
    /// whether it is wounded then. So one of the two sees the other.
    fn wound(&self, trx: TrxId, wakeups: &mut Vec<Wakeup>) {
        match self.registry.wound(trx) {
            None | Some(Fate::Told) => return,
            Some(Fate::Wounded) => {}
            Some(Fate::Alive) => {
                self.figures.prevented();
                self.wounds.fetch_add(1, Ordering::AcqRel);
            }
        }
        self.kill_waiter(trx, None, wakeups);
    }

    /// Ends a wait by its transaction's death, and tells the transaction before those who are granted
    /// by that. Returns whether it was still waiting.
    pub(crate) fn kill_waiter(
        &self,
        trx: TrxId,
        epoch: Option<u64>,
        wakeups: &mut Vec<Wakeup>,
    ) -> bool {
        let first = wakeups.len();
        let killed = self.end_wait(trx, epoch, WaitEnd::Victim, wakeups);
        if killed {
            self.tell_victim(trx);
            let wake = Wake::Victim;
            wakeups.insert(first, Wakeup { trx, wake });
        }
        killed
    }

    /// The transaction is going to hear that it has to roll back: nobody need wound it any more.
    pub(crate) fn tell_victim(&self, trx: TrxId) {
        if self.registry.tell(trx) == Some(Fate::Wounded) {
            self.wounds.fetch_sub(1, Ordering::AcqRel);
        }
    }

    /// Whether the transaction was wounded and has to be told so now.
    #[inline]
    pub(crate) fn heed_wound(&self, trx: TrxId) -> bool {
        self.wounds.load(Ordering::Acquire) > 0 && self.heed_own_wound(trx)
    }

    #[cold]
    fn heed_own_wound(&self, trx: TrxId) -> bool {
        let wounded = self.is_wounded(trx);
        if wounded {
            self.tell_victim(trx);
        }
        wounded
    }

    /// Asks again about everybody who waits, if edges have come or changed, until none do.
    #[inline]
    pub(crate) fn judge_new_edges(&self, wakeups: &mut Vec<Wakeup>) {
        if let Some(policy) = &self.policies.conflict {
            self.judge_all(&**policy, wakeups);
        }
    }

    fn judge_all(&self, policy: &dyn ConflictPolicy, wakeups: &mut Vec<Wakeup>) {
        while self.edges_unjudged.swap(false, Ordering::AcqRel) {
            let waiters: Vec<(TrxId, u64)> = {
                let waits = self.waits.lock();
                let of = |trx| waits.of(trx).map(|wait| (trx, wait.started));
                waits.waiters().filter_map(of).collect()
            };
            for (trx, epoch) in waiters {
                match self.judge_waiter(policy, trx) {
                    Verdict::Dies => {
                        if self.kill_waiter(trx, Some(epoch), wakeups) {
                            self.figures.prevented();
                        }
                    }
                    Verdict::Waits(wounded) => {
                        for victim in wounded {
                            self.wound(victim, wakeups);
                        }
                    }
                }
            }
        }
    }
}
