//! Who dies in a deadlock. All three rules want the lightest; they differ in whom they weigh
//! and whom they take among equals.

use crate::{TrxId, VictimKind};

/// A member of a cycle, as it is weighed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Candidate {
    /// The transaction.
    pub(crate) trx: TrxId,
    /// Undo records plus lock structures.
    pub(crate) weight: u64,
    /// Ordinal of its wait: a greater one began later.
    pub(crate) started: u64,
}

/// Chooses a deadlock's victim.
pub(crate) trait VictimPolicy {
    /// Chooses from `cycle`, which is not empty and in which each waits for the next. If the
    /// requester whose wait was looked at is a member, it is the first.
    fn choose(&self, cycle: &[Candidate], requester: Option<TrxId>) -> TrxId;
}

/// The requester, or the member that waits for it if that is strictly lighter. The rest of a
/// long cycle is never looked at.
struct LighterOfTwo;

impl VictimPolicy for LighterOfTwo {
    fn choose(&self, cycle: &[Candidate], _: Option<TrxId>) -> TrxId {
        let (first, last) = (cycle[0], cycle[cycle.len() - 1]);
        if last.weight >= first.weight {
            first.trx
        } else {
            last.trx
        }
    }
}

/// The lightest of all. The cycle is walked from the member after the one that began to wait last,
/// and of equals the later on that walk dies: the newest waiter, if it is one of them.
struct LightestInCycle;

impl VictimPolicy for LightestInCycle {
    fn choose(&self, cycle: &[Candidate], _: Option<TrxId>) -> TrxId {
        let newest = (0..cycle.len())
            .max_by_key(|&at| cycle[at].started)
            .unwrap_or(0);
        let (before, after) = cycle.split_at(newest + 1);
        let walk = after.iter().chain(before);
        let heaviest_first = walk.reduce(|chosen, next| {
            if chosen.weight >= next.weight {
                next
            } else {
                chosen
            }
        });
        heaviest_first.expect("a cycle has members").trx
    }
}

/// The lightest of all; the requester among equals, else the first of them after it.
struct LightestElseRequester;

impl VictimPolicy for LightestElseRequester {
    fn choose(&self, cycle: &[Candidate], requester: Option<TrxId>) -> TrxId {
        let mut chosen = cycle
            .iter()
            .find(|member| Some(member.trx) == requester)
            .or_else(|| cycle.iter().max_by_key(|member| member.started))
            .expect("a cycle has members");
        for member in cycle {
            if member.weight < chosen.weight {
                chosen = member;
            }
        }
        chosen.trx
    }
}

/// The built-in policy of that kind.
pub(crate) fn policy(kind: VictimKind) -> &'static dyn VictimPolicy {
    match kind {
        VictimKind::LighterOfTwo => &LighterOfTwo,
        VictimKind::LightestInCycle => &LightestInCycle,
        VictimKind::LightestElseRequester => &LightestElseRequester,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Members 1, 2, ... with these weights and starts.
    fn cycle(members: &[(u64, u64)]) -> Vec<Candidate> {
        (1..)
            .zip(members)
            .map(|(trx, &(weight, started))| Candidate {
                trx: TrxId(trx),
                weight,
                started,
            })
            .collect()
    }

    fn chosen(kind: VictimKind, members: &[(u64, u64)]) -> u64 {
        policy(kind).choose(&cycle(members), Some(TrxId(1))).0
    }

    #[test]
    fn of_two_the_lighter_dies_and_the_requester_on_a_tie() {
        for kind in [
            VictimKind::LighterOfTwo,
            VictimKind::LightestInCycle,
            VictimKind::LightestElseRequester,
        ] {
            assert_eq!(chosen(kind, &[(4, 9), (3, 1)]), 2, "{kind:?}");
            assert_eq!(chosen(kind, &[(3, 9), (4, 1)]), 1, "{kind:?}");
            assert_eq!(chosen(kind, &[(3, 9), (3, 1)]), 1, "{kind:?}");
        }
    }

    #[test]
    fn only_some_weigh_the_whole_cycle() {
        let members = [(5, 9), (1, 2), (9, 3)];
        assert_eq!(chosen(VictimKind::LighterOfTwo, &members), 1);
        assert_eq!(chosen(VictimKind::LightestInCycle, &members), 2);
        assert_eq!(chosen(VictimKind::LightestElseRequester, &members), 2);
    }

    #[test]
    fn among_equals_that_did_not_come_last_the_walk_decides() {
        let members = [(5, 9), (1, 2), (1, 3)];
        assert_eq!(chosen(VictimKind::LightestInCycle, &members), 3);
        assert_eq!(chosen(VictimKind::LightestElseRequester, &members), 2);
    }
}
