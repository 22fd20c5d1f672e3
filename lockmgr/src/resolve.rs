//! Deadlocks from end to end: search, choice, report, and the victim's end of waiting.
//!
//! A victim that is not the requester loses its waiting lock at once (which may grant others) and is
//! told to roll back; the requester goes on waiting until that rollback lets the victim's other
//! locks go, unless the cancelled request was all that stood in its way.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::deadlock::{BackgroundOneEdge, Brent, DeadlockDetector, DepthFirst, Found};
use crate::shard::World;
use crate::table::LockTable;
use crate::victim::{self, Candidate};
use crate::{Answer, DeadlockReport, DetectorKind, Outcome, TrxId, Wake, Wakeup};

impl LockTable {
    /// Runs `search` with the built-in detector, if there is one.
    fn search(&self, search: impl FnOnce(&dyn DeadlockDetector) -> Option<Found>) -> Option<Found> {
        match self.config.detector {
            DetectorKind::DepthFirst { depth, steps } => search(&DepthFirst { depth, steps }),
            DetectorKind::BackgroundOneEdge => search(&BackgroundOneEdge),
            DetectorKind::Brent => search(&Brent),
            DetectorKind::Off => None,
        }
    }

    /// Looks for deadlocks from a transaction that has just begun to wait, and resolves them until
    /// there are none or it no longer waits.
    pub(crate) fn search_at_wait(&self, world: &mut World<'_>, requester: TrxId) -> Answer {
        let mut answer = Answer::settled(Outcome::Waiting);
        loop {
            let found = {
                let graph = self.graph(world);
                if !graph.is_waiting(requester) {
                    answer.outcome = Outcome::Granted { newly: true };
                    break;
                }
                self.search(|detector| detector.at_wait(&graph, requester))
            };
            let Some(found) = found else { break };
            let report = self.report(world, found, Some(requester));
            let victim = report.victim;
            answer.deadlocks.push(Arc::new(report));
            if victim == requester {
                self.cancel(world, victim, &mut answer.wakeups);
                answer.outcome = Outcome::Victim;
                break;
            }
            answer.wakeups.push(Wakeup {
                trx: victim,
                wake: Wake::Victim,
            });
            self.cancel(world, victim, &mut answer.wakeups);
        }
        // The requester learns from the outcome that it was granted.
        answer.wakeups.retain(|wakeup| wakeup.trx != requester);
        answer
    }

    /// Whether [`Self::sweep`] has something to look at.
    #[must_use]
    pub fn sweep_due(&self) -> bool {
        self.sweeps() && self.sweep_due.load(Ordering::Acquire)
    }

    /// Whether the detector is of a kind that sweeps.
    fn sweeps(&self) -> bool {
        matches!(
            self.config.detector,
            DetectorKind::BackgroundOneEdge | DetectorKind::Brent
        )
    }

    /// Runs the background detector, or the checks that Brent's put off, until nothing more is
    /// found. Cheap when no edge came or changed since the last sweep; does nothing with the other
    /// kinds. The answer's outcome is meaningless (`Granted`).
    pub fn sweep(&self) -> Answer {
        let mut answer = Answer::settled(Outcome::Granted { newly: false });
        if !self.sweep_due.swap(false, Ordering::AcqRel) || !self.sweeps() {
            return answer;
        }
        let mut world = self.latch_all();
        loop {
            let found = {
                let graph = self.graph(&world);
                self.search(|detector| detector.sweep(&graph))
            };
            let Some(found) = found else { return answer };
            let report = self.report(&world, found, None);
            let victim = report.victim;
            answer.deadlocks.push(Arc::new(report));
            answer.wakeups.push(Wakeup {
                trx: victim,
                wake: Wake::Victim,
            });
            self.cancel(&mut world, victim, &mut answer.wakeups);
        }
    }

    /// Chooses the victim and writes down how things stood.
    fn report(&self, world: &World<'_>, found: Found, requester: Option<TrxId>) -> DeadlockReport {
        let cycle = match (found, requester) {
            (Found::Cycle(cycle), _) => cycle,
            (Found::TooDeep, Some(victim)) => {
                return DeadlockReport {
                    cycle: Vec::new(),
                    victim,
                    requester,
                    too_deep: true,
                };
            }
            (Found::TooDeep, None) => unreachable!("only a search from a requester has limits"),
        };
        let candidates: Vec<Candidate> = {
            let graph = self.graph(world);
            let weigh = |&trx: &TrxId| Candidate {
                trx,
                weight: graph.weight(trx),
                started: graph.started(trx),
            };
            cycle.iter().map(weigh).collect()
        };
        let victim = victim::policy(self.config.victim).choose(&candidates, requester);
        let members = (0..cycle.len())
            .map(|at| {
                let next = cycle[(at + 1) % cycle.len()];
                self.deadlock_member(world, cycle[at], next, candidates[at].weight)
            })
            .collect();
        DeadlockReport {
            cycle: members,
            victim,
            requester,
            too_deep: false,
        }
    }
}
