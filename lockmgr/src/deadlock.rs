//! Deadlock detectors: ways to look for a cycle in the waits-for graph. (`dreadlocks` has one more.)
//!
//! A detector only finds. Which member dies is the victim policy's matter, and `resolve` asks
//! the detector again afterwards, until it finds nothing more.

use rustc_hash::{FxBuildHasher, FxHashMap};

use crate::{Beyond, DeadlockDetector, Found, Micros, Searches, TrxId, WaitGraph};

/// Depth-first through all edges when a wait begins, from the requester back to it.
///
/// It can only see a cycle that the new wait closes. An edge that comes later, by an inherited lock,
/// closes a cycle unseen; InnoDB had that hole too, and time-outs fill it. (An edge that comes by a
/// grant leads to somebody who runs, so it closes nothing before that one waits, and is seen then.)
#[derive(Clone, Copy, Debug)]
pub struct DepthFirst {
    /// Deepest path.
    pub depth: u32,
    /// Most edges looked at.
    pub steps: u32,
    /// What happens beyond these limits.
    pub beyond: Beyond,
}

/// Room for so many marks is made at the beginning of a search.
const MARKS: usize = 1 << 12;

/// A transaction on the path. Its blockers that are still to be looked at are a stretch of one list
/// that all steps of the path share: the topmost step's are at its end.
struct PathStep {
    trx: TrxId,
    first: usize,
    next: usize,
}

/// How far a search came with a transaction.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    OnPath,
    Searched,
}

impl DepthFirst {
    fn too_deep(&self) -> Option<Found> {
        match self.beyond {
            Beyond::RequesterDies => Some(Found::TooDeep),
            Beyond::GiveUp => None,
        }
    }
}

impl DeadlockDetector for DepthFirst {
    fn searches(&self) -> Searches {
        Searches::AtWait
    }

    fn at_wait(&self, graph: &WaitGraph<'_>, requester: TrxId) -> Option<Found> {
        let mut steps = 0;
        let waiting = graph.waiting();
        let mut marks: FxHashMap<TrxId, Mark> =
            FxHashMap::with_capacity_and_hasher(waiting.min(MARKS), FxBuildHasher);
        let mut edges: Vec<TrxId> = Vec::with_capacity(8);
        let mut path: Vec<PathStep> = Vec::with_capacity(8);
        graph.add_blockers(requester, &mut edges);
        path.push(PathStep {
            trx: requester,
            first: 0,
            next: 0,
        });
        while let Some(top) = path.last_mut() {
            if top.next == edges.len() {
                marks.insert(top.trx, Mark::Searched);
                edges.truncate(top.first);
                path.pop();
                continue;
            }
            let blocker = edges[top.next];
            top.next += 1;
            steps += 1;
            if blocker == requester {
                return Some(Found::Cycle(path.iter().map(|step| step.trx).collect()));
            }
            if steps > self.steps {
                return self.too_deep();
            }
            let mark = marks.get(&blocker).copied();
            let first = edges.len();
            let open = mark != Some(Mark::Searched);
            if !open || mark.is_none() && !graph.add_blockers(blocker, &mut edges) {
                continue;
            }
            if path.len() > self.depth as usize {
                return self.too_deep();
            }
            // A blocker that is on the path already closes a cycle without the requester,
            // which was there before; going round it would never end.
            if mark.is_none() {
                marks.insert(blocker, Mark::OnPath);
                path.push(PathStep {
                    trx: blocker,
                    first,
                    next: first,
                });
            }
        }
        None
    }

    fn claims_complete(&self) -> bool {
        self.beyond == Beyond::RequesterDies
    }
}

/// Follows the one remembered edge of each waiter, in the background.
///
/// A cycle through an edge that is not the remembered one is seen later: the remembered blocker either
/// runs, and its end makes another edge the remembered one, or waits itself.
#[derive(Clone, Copy, Debug)]
pub struct BackgroundOneEdge;

impl DeadlockDetector for BackgroundOneEdge {
    fn searches(&self) -> Searches {
        Searches::InBackground
    }

    /// Every waiter is walked from once, in the order in which the waits began. A walk that meets an
    /// earlier walk's ground stops: whatever cycle is there was looked for.
    fn sweep(&self, graph: &WaitGraph<'_>) -> Option<Found> {
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
                    return Some(Found::Cycle(cycle_through(next, at)?));
                }
            }
        }
        None
    }

    fn claims_complete(&self) -> bool {
        true
    }
}

/// Follows the one remembered edge of each waiter from the requester, with Brent's algorithm: a hare
/// runs ahead and a tortoise is set down where the hare is at every power of two.
#[derive(Clone, Copy, Debug)]
pub struct Brent;

impl DeadlockDetector for Brent {
    fn searches(&self) -> Searches {
        Searches::AtWaitAndInBackground
    }

    fn at_wait(&self, graph: &WaitGraph<'_>, requester: TrxId) -> Option<Found> {
        let mut tortoise = requester;
        let mut hare = requester;
        let (mut lap, mut power) = (0u64, 1u64);
        loop {
            hare = graph.blocker(hare)?;
            if hare == tortoise {
                let cycle = cycle_through(|trx| graph.blocker(trx), hare)?;
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
    fn sweep(&self, graph: &WaitGraph<'_>) -> Option<Found> {
        BackgroundOneEdge.sweep(graph)
    }

    fn claims_complete(&self) -> bool {
        true
    }
}

/// Searches from those who have waited for some time: most waits end before, and cost no search.
#[derive(Clone, Copy, Debug)]
pub struct Delayed {
    /// How long a wait lasts before it is looked at.
    pub after: Micros,
    /// The search.
    pub search: DepthFirst,
}

impl DeadlockDetector for Delayed {
    fn searches(&self) -> Searches {
        Searches::AfterWaiting(self.after)
    }

    fn sweep(&self, graph: &WaitGraph<'_>) -> Option<Found> {
        let latest = graph.now().checked_sub(self.after)?;
        let waiters = graph.waiters_since(latest);
        // A search from outside a cycle does not see it, but each of the cycle's members comes up too.
        waiters
            .into_iter()
            .find_map(|trx| self.search.at_wait(graph, trx))
    }

    fn claims_complete(&self) -> bool {
        true
    }
}

/// The members of the one-edge cycle that `member` is in, beginning with it; `None` if the cycle fell
/// apart while it was followed.
fn cycle_through(next: impl Fn(TrxId) -> Option<TrxId>, member: TrxId) -> Option<Vec<TrxId>> {
    let mut cycle = vec![member];
    let mut seen = rustc_hash::FxHashSet::default();
    let mut at = next(member)?;
    while at != member {
        if !seen.insert(at) {
            return None;
        }
        cycle.push(at);
        at = next(at)?;
    }
    Some(cycle)
}

/// The cycle turned so that it begins with this transaction, if it is a member.
fn beginning_with(mut cycle: Vec<TrxId>, trx: TrxId) -> Vec<TrxId> {
    if let Some(at) = cycle.iter().position(|&member| member == trx) {
        cycle.rotate_left(at);
    }
    cycle
}
