//! Deadlocks by digests (Koskinen and Herlihy, "Dreadlocks", SPAA 2008).
//!
//! A waiter's digest is a small set of all that it depends on: itself, its blockers, theirs, and so
//! on, each as one bit. Whoever finds its own bit in the digest of one of its blockers is in a
//! deadlock. In the paper waiters spin and copy their owners' digests as they do; here nobody spins,
//! so when a wait begins digests are passed along the edges until none grows.
//!
//! Bits are drawn by hash, and so two transactions may share one: the paper lets such a requester die
//! for nothing. Here a bit that matches is a hint: from blocker to blocker the walk follows only
//! those whose digest has the requester's bit, and a deadlock is what comes back to the requester.

use rustc_hash::{FxHashMap, FxHashSet};

use crate::moment::mix;
use crate::{DeadlockDetector, Found, Searches, TrxId, WaitGraph};

const WORDS: usize = 4;

/// A set of transactions, in 256 bits.
type Bits = [u64; WORDS];

/// Passes digests along the edges when a wait begins.
#[derive(Clone, Copy, Debug)]
pub struct Digest;

fn bit_of(trx: TrxId) -> (usize, u64) {
    let hash = mix(trx.0);
    ((hash >> 32) as usize % WORDS, 1 << (hash & 63))
}

fn has(bits: &Bits, trx: TrxId) -> bool {
    let (word, bit) = bit_of(trx);
    bits[word] & bit != 0
}

/// What each transaction that the requester depends on waits for, and the digests.
struct Digests {
    edges: FxHashMap<TrxId, Vec<TrxId>>,
    bits: FxHashMap<TrxId, Bits>,
}

impl Digests {
    /// The part of the graph that the requester depends on, in the order in which it was reached.
    fn reach(graph: &WaitGraph<'_>, requester: TrxId) -> (Self, Vec<TrxId>) {
        let mut reached = Digests {
            edges: FxHashMap::default(),
            bits: FxHashMap::default(),
        };
        let mut order = vec![requester];
        let mut at = 0;
        while let Some(&trx) = order.get(at) {
            at += 1;
            if reached.edges.contains_key(&trx) {
                continue;
            }
            let blockers = graph.blockers(trx);
            order.extend(blockers.iter().copied());
            let (word, bit) = bit_of(trx);
            let mut own = [0; WORDS];
            own[word] |= bit;
            reached.bits.insert(trx, own);
            reached.edges.insert(trx, blockers);
        }
        (reached, order)
    }

    /// Passes digests along until none grows. They only ever grow, so this ends.
    fn settle(&mut self, order: &[TrxId]) {
        let mut grew = true;
        while grew {
            grew = false;
            // Far ones first: what they depend on then comes nearer in one round.
            for trx in order.iter().rev() {
                let mut bits = self.bits[trx];
                for blocker in &self.edges[trx] {
                    let theirs = self.bits[blocker];
                    (0..WORDS).for_each(|word| bits[word] |= theirs[word]);
                }
                grew |= bits != self.bits[trx];
                self.bits.insert(*trx, bits);
            }
        }
    }

    /// A path from the requester back to it, through those whose digest has its bit.
    fn path_back(&self, requester: TrxId) -> Option<Vec<TrxId>> {
        let mut path = vec![(requester, 0)];
        let mut seen = FxHashSet::default();
        while let Some((trx, next)) = path.last_mut() {
            let Some(&blocker) = self.edges[trx].get(*next) else {
                path.pop();
                continue;
            };
            *next += 1;
            if blocker == requester {
                return Some(path.iter().map(|&(trx, _)| trx).collect());
            }
            if has(&self.bits[&blocker], requester) && seen.insert(blocker) {
                path.push((blocker, 0));
            }
        }
        None
    }
}

impl DeadlockDetector for Digest {
    fn searches(&self) -> Searches {
        Searches::AtWait
    }

    fn at_wait(&self, graph: &WaitGraph<'_>, requester: TrxId) -> Option<Found> {
        let (mut digests, order) = Digests::reach(graph, requester);
        digests.settle(&order);
        let hinted = |blocker: &TrxId| has(&digests.bits[blocker], requester);
        if !digests.edges[&requester].iter().any(hinted) {
            return None;
        }
        digests.path_back(requester).map(Found::Cycle)
    }

    fn claims_complete(&self) -> bool {
        true
    }
}
