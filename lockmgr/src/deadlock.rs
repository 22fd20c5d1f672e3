//! Deadlock detectors: three ways to look for a cycle in the waits-for graph.
//!
//! A detector only finds. Which member dies is the victim policy's matter, and `resolve` asks
//! the detector again afterwards, until it finds nothing more.

use rustc_hash::{FxHashMap, FxHashSet};

use crate::TrxId;
use crate::graph::WaitGraph;

/// What a search came upon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// Transactions each of which waits for the next, the last for the first.
    Cycle(Vec<TrxId>),
    /// The search hit a limit, and the requester has to die for it.
    TooDeep,
}

/// Looks for deadlocks.
pub(crate) trait DeadlockDetector {
    /// Looks for a deadlock that `requester` is in or leads to, when it begins to wait. If the
    /// requester is a member it comes first in the cycle.
    fn at_wait(&self, graph: &WaitGraph<'_, '_>, requester: TrxId) -> Option<Found>;

    /// Looks for any deadlock, on the detector's own initiative.
    fn sweep(&self, graph: &WaitGraph<'_, '_>) -> Option<Found>;
}

/// Depth-first through all edges when a wait begins, from the requester back to it.
///
/// It can only see a cycle that the new wait closes. An edge that comes later, by a grant or by an
/// inherited lock, closes a cycle unseen; InnoDB had that hole too, and time-outs fill it.
pub(crate) struct DepthFirst {
    /// Deepest path.
    pub(crate) depth: u32,
    /// Most edges looked at.
    pub(crate) steps: u32,
}

/// A transaction on the path, and those of its blockers that are still to be looked at.
struct PathStep {
    trx: TrxId,
    blockers: std::vec::IntoIter<TrxId>,
}

impl DeadlockDetector for DepthFirst {
    fn at_wait(&self, graph: &WaitGraph<'_, '_>, requester: TrxId) -> Option<Found> {
        let mut steps = 0;
        let mut searched = FxHashSet::default();
        let enter = |trx| PathStep {
            trx,
            blockers: graph.blockers(trx).into_iter(),
        };
        let mut path = vec![enter(requester)];
        while let Some(top) = path.last_mut() {
            let Some(blocker) = top.blockers.next() else {
                searched.insert(top.trx);
                path.pop();
                continue;
            };
            steps += 1;
            if blocker == requester {
                return Some(Found::Cycle(path.iter().map(|step| step.trx).collect()));
            }
            if steps > self.steps {
                return Some(Found::TooDeep);
            }
            if searched.contains(&blocker) || !graph.is_waiting(blocker) {
                continue;
            }
            if path.len() > self.depth as usize {
                return Some(Found::TooDeep);
            }
            // A blocker that is on the path already closes a cycle without the requester,
            // which was there before; going round it would never end.
            if !path.iter().any(|step| step.trx == blocker) {
                path.push(enter(blocker));
            }
        }
        None
    }

    fn sweep(&self, _: &WaitGraph<'_, '_>) -> Option<Found> {
        None
    }
}

/// Follows the one remembered edge of each waiter, in the background.
pub(crate) struct BackgroundOneEdge;

impl DeadlockDetector for BackgroundOneEdge {
    fn at_wait(&self, _: &WaitGraph<'_, '_>, _: TrxId) -> Option<Found> {
        None
    }

    /// Every waiter is walked from once, in the order in which the waits began. A walk that meets an
    /// earlier walk's ground stops: whatever cycle is there was looked for.
    fn sweep(&self, graph: &WaitGraph<'_, '_>) -> Option<Found> {
        let edges = graph.remembered_edges();
        let next = |trx: TrxId| edges.get(&trx).copied();
        let mut walked_from: FxHashMap<TrxId, TrxId> = FxHashMap::default();
        for start in graph.waiters() {
            let mut at = start;
            while !walked_from.contains_key(&at) {
                walked_from.insert(at, start);
                let Some(blocker) = next(at) else { break };
                at = blocker;
                if walked_from.get(&at) == Some(&start) {
                    return Some(Found::Cycle(cycle_through(next, at)));
                }
            }
        }
        None
    }
}

/// Follows the one remembered edge of each waiter from the requester, with Brent's algorithm: a hare
/// runs ahead and a tortoise is set down where the hare is at every power of two.
pub(crate) struct Brent;

impl DeadlockDetector for Brent {
    fn at_wait(&self, graph: &WaitGraph<'_, '_>, requester: TrxId) -> Option<Found> {
        let mut tortoise = requester;
        let mut hare = requester;
        let (mut lap, mut power) = (0u64, 1u64);
        loop {
            hare = graph.blocker(hare)?;
            if hare == tortoise {
                let cycle = cycle_through(|trx| graph.blocker(trx), hare);
                return Some(Found::Cycle(beginning_with(cycle, requester)));
            }
            lap += 1;
            if lap == power {
                tortoise = hare;
                power *= 2;
                lap = 0;
            }
        }
    }

    /// Checks that had to be put off: edges that changed when locks were let go.
    fn sweep(&self, graph: &WaitGraph<'_, '_>) -> Option<Found> {
        BackgroundOneEdge.sweep(graph)
    }
}

/// The members of the one-edge cycle that `member` is in, beginning with it.
fn cycle_through(next: impl Fn(TrxId) -> Option<TrxId>, member: TrxId) -> Vec<TrxId> {
    let mut cycle = vec![member];
    let mut at = next(member);
    while let Some(trx) = at.filter(|&trx| trx != member) {
        cycle.push(trx);
        at = next(trx);
    }
    cycle
}

/// The cycle turned so that it begins with this transaction, if it is a member.
fn beginning_with(mut cycle: Vec<TrxId>, trx: TrxId) -> Vec<TrxId> {
    if let Some(at) = cycle.iter().position(|&member| member == trx) {
        cycle.rotate_left(at);
    }
    cycle
}
