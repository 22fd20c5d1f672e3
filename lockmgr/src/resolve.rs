//! Deadlocks from end to end: search, confirmation, choice, report, and the victim's end of waiting.
//!
//! Detectors look without stopping anybody, and so they may find a cycle that is none any more, or that
//! another thread has found too. So what is found is confirmed: all members are in waits whose epochs
//! don't change while it is seen that each waits for the next (G1). From there to the victim's end
//! `resolving` is latched: each deadlock has one victim.
//!
//! A victim that is not the requester loses its waiting lock at once (which may grant others) and is
//! told to roll back; the requester goes on waiting until that rollback lets the victim's other
//! locks go, unless the cancelled request was all that stood in its way.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::table::LockTable;
use crate::waits::{Wait, WaitEnd};
use crate::{
    Answer, Candidate, DeadlockMember, DeadlockReport, Found, Micros, Outcome, Party, Searches,
    TrxId, Wake, Wakeup,
};

/// Cycles in a row that are none before a search is given up: a detector that is in order meets one
/// only when somebody else got on meanwhile.
const STALE_MAX: u32 = 64;

/// Cycles up to so many members are reported with all that their members hold. Beyond that nobody
/// reads it, and it would be most of the work.
const REPORTED_WHOLE_MAX: usize = 32;

/// What came of one search.
enum Resolved {
    /// Nothing was found.
    Nothing,
    /// What was found was none any more.
    Stale,
    /// A deadlock, and its victim's wait has ended.
    Victim(DeadlockReport),
}

impl LockTable {
    /// What becomes of a wait that has just begun: policies are asked, and deadlocks that it closed are
    /// resolved until there are none or it is over.
    pub(crate) fn settle_wait(&self, requester: TrxId, epoch: u64) -> Answer {
        let mut answer = Answer::settled(Outcome::Waiting);
        let died = self.judge_wait(requester, epoch, &mut answer.wakeups)
            || self.is_wounded(requester)
                && self.end_wait(requester, Some(epoch), WaitEnd::Victim, &mut answer.wakeups);
        if died {
            self.tell_victim(requester);
            answer.outcome = Outcome::Victim;
        } else if self.searches_at_wait() {
            self.search_at_wait(requester, epoch, &mut answer);
        }
        self.judge_new_edges(&mut answer.wakeups);
        // What this call itself did to the requester is its outcome. What others did to it is told
        // to them: then it is still waiting for that word.
        if let Some(at) = answer.wakeups.iter().position(|w| w.trx == requester) {
            answer.outcome = match answer.wakeups.remove(at).wake {
                Wake::Victim => Outcome::Victim,
                _ => Outcome::Granted { newly: true },
            };
        }
        answer
    }

    fn search_at_wait(&self, requester: TrxId, epoch: u64, answer: &mut Answer) {
        let Some(detector) = &self.policies.detector else {
            return;
        };
        let still_waits = || {
            let wait = self.waits.lock().of(requester);
            wait.is_some_and(|wait| wait.started == epoch)
        };
        let mut stale = 0;
        while stale < STALE_MAX && still_waits() {
            let search = || detector.at_wait(&self.graph(), requester);
            let found = self.figures.search(search);
            match self.resolve(found, Some((requester, epoch)), &mut answer.wakeups) {
                Resolved::Nothing => return,
                Resolved::Stale => stale += 1,
                Resolved::Victim(report) => {
                    answer.deadlocks.push(Arc::new(report));
                }
            }
        }
    }

    /// Whether [`Self::sweep`] has something to look at.
    #[must_use]
    pub fn sweep_due(&self) -> bool {
        match self.policies.searches {
            Searches::Never | Searches::AtWait => {
                self.policies.conflict.is_some() && self.edges_unjudged.load(Ordering::Acquire)
            }
            Searches::InBackground | Searches::AtWaitAndInBackground => {
                self.sweep_due.load(Ordering::Acquire)
            }
            Searches::AfterWaiting(_) => self
                .next_sweep()
                .is_some_and(|when| when <= self.moments.now()),
        }
    }

    /// When a detector that takes its time will next want to look, if nothing changes.
    #[must_use]
    pub fn next_sweep(&self) -> Option<Micros> {
        let Searches::AfterWaiting(after) = self.policies.searches else {
            return None;
        };
        let from = self.searched_until.load(Ordering::Acquire);
        let (_, since) = self.waits.lock().first_from(from)?;
        Some(since.saturating_add(after))
    }

    /// Notes what the coming sweep will have looked at.
    fn begin_sweep(&self) {
        self.sweep_due.store(false, Ordering::Release);
        if let Searches::AfterWaiting(after) = self.policies.searches
            && let Some(latest) = self.moments.now().checked_sub(after)
        {
            let waits = self.waits.lock();
            let last = waits.since(latest).last();
            if let Some(wait) = last.and_then(|trx| waits.of(trx)) {
                self.searched_until
                    .fetch_max(wait.started + 1, Ordering::AcqRel);
            }
        }
    }

    /// Lets the detector look on its own initiative until it finds nothing more: the background
    /// search, the checks that Brent's put off, waits that have lasted. Cheap when no edge came or
    /// changed since the last sweep; does nothing with the other kinds. The answer's outcome is
    /// meaningless (`Granted`).
    pub fn sweep(&self) -> Answer {
        let mut answer = Answer::settled(Outcome::Granted { newly: false });
        if !self.sweep_due() {
            return answer;
        }
        self.judge_new_edges(&mut answer.wakeups);
        self.begin_sweep();
        let detector = match (&self.policies.detector, self.policies.searches) {
            (Some(detector), searches) if searches != Searches::AtWait => detector,
            _ => return answer,
        };
        let mut stale = 0;
        while stale < STALE_MAX {
            let found = self.figures.search(|| detector.sweep(&self.graph()));
            match self.resolve(found, None, &mut answer.wakeups) {
                Resolved::Nothing => break,
                Resolved::Stale => stale += 1,
                Resolved::Victim(report) => {
                    answer.deadlocks.push(Arc::new(report));
                }
            }
        }
        self.judge_new_edges(&mut answer.wakeups);
        answer
    }

    /// Confirms what was found, chooses the victim and ends its wait. The victim's word is the last of
    /// the wake-ups but for those that its end causes.
    fn resolve(
        &self,
        found: Option<Found>,
        requester: Option<(TrxId, u64)>,
        wakeups: &mut Vec<Wakeup>,
    ) -> Resolved {
        let Some(found) = found else {
            return Resolved::Nothing;
        };
        let _resolving = self.resolving.lock();
        let (report, epoch) = match (found, requester) {
            (Found::Cycle(cycle), _) => match self.report(&cycle, requester.map(|(trx, _)| trx)) {
                Some(report) => report,
                None => {
                    self.figures.stale();
                    return Resolved::Stale;
                }
            },
            (Found::TooDeep, Some((victim, epoch))) => (
                DeadlockReport {
                    cycle: Vec::new(),
                    victim,
                    requester: Some(victim),
                    too_deep: true,
                },
                epoch,
            ),
            // A search without a requester has nobody to die for its limits.
            (Found::TooDeep, None) => return Resolved::Nothing,
        };
        if !self.kill_waiter(report.victim, Some(epoch), wakeups) {
            self.figures.stale();
            return Resolved::Stale;
        }
        self.figures.deadlock(report.cycle.len());
        Resolved::Victim(report)
    }

    /// The waits of all members, if all wait.
    fn waits_of(&self, cycle: &[TrxId]) -> Option<Vec<Wait>> {
        let waits = self.waits.lock();
        cycle.iter().map(|&trx| waits.of(trx)).collect()
    }

    /// Whether all members are in these waits still.
    fn still_wait(&self, cycle: &[TrxId], before: &[Wait]) -> bool {
        let waits = self.waits.lock();
        let same = |(&trx, before): (&TrxId, &Wait)| {
            waits
                .of(trx)
                .is_some_and(|wait| wait.started == before.started)
        };
        cycle.iter().zip(before).all(same)
    }

    /// Confirms a cycle, chooses the victim and writes down how things stood; with the epoch of the
    /// victim's wait. `None` if it is no cycle (any more).
    fn report(&self, cycle: &[TrxId], requester: Option<TrxId>) -> Option<(DeadlockReport, u64)> {
        let waits = self.waits_of(cycle).filter(|waits| !waits.is_empty())?;
        let whole = cycle.len() <= REPORTED_WHOLE_MAX;
        let mut members: Vec<DeadlockMember> = Vec::with_capacity(cycle.len());
        let mut candidates: Vec<Candidate> = Vec::with_capacity(cycle.len());
        for (at, wait) in waits.iter().enumerate() {
            let next = cycle[(at + 1) % cycle.len()];
            let party: Party = self.registry.party(cycle[at])?;
            members.push(self.deadlock_member(&party, wait, next)?);
            candidates.push(Candidate {
                party,
                started: wait.started,
                since: wait.since,
            });
        }
        if !self.still_wait(cycle, &waits) {
            return None;
        }
        for member in members.iter_mut().filter(|_| whole) {
            member.holds = self.granted_to(member.trx);
        }
        let moment = self.moments.next(self.config.seed);
        let chosen = self.policies.victim.choose(&candidates, requester, &moment);
        let at = cycle.iter().position(|&trx| trx == chosen).unwrap_or(0);
        let report = DeadlockReport {
            cycle: members,
            victim: cycle[at],
            requester,
            too_deep: false,
        };
        Some((report, waits[at].started))
    }
}
