//! Who dies in a deadlock. InnoDB's three rules want the lightest; they differ in whom they weigh
//! and whom they take among equals. The others want an extreme of something, and among equals the
//! one that began to wait last.

use std::cmp::Reverse;

use crate::moment::mix;
use crate::{Candidate, Moment, TrxId, VictimKind, VictimPolicy};

/// The requester, or the member that waits for it if that is strictly lighter. The rest of a
/// long cycle is never looked at.
#[derive(Clone, Copy, Debug)]
pub struct LighterOfTwo;

impl VictimPolicy for LighterOfTwo {
    fn choose(&self, cycle: &[Candidate], _: Option<TrxId>, _: &Moment) -> TrxId {
        let (first, last) = (cycle[0].party, cycle[cycle.len() - 1].party);
        if last.weight() >= first.weight() {
            first.trx
        } else {
            last.trx
        }
    }
}

/// The lightest of all. The cycle is walked from the member after the one that began to wait last,
/// and of equals the later on that walk dies: the newest waiter, if it is one of them.
#[derive(Clone, Copy, Debug)]
pub struct LightestInCycle;

impl VictimPolicy for LightestInCycle {
    fn choose(&self, cycle: &[Candidate], _: Option<TrxId>, _: &Moment) -> TrxId {
        let newest = (0..cycle.len())
            .max_by_key(|&at| cycle[at].started)
            .unwrap_or(0);
        let (before, after) = cycle.split_at(newest + 1);
        let walk = after.iter().chain(before);
        let lightest = walk.reduce(|chosen, next| {
            if chosen.party.weight() >= next.party.weight() {
                next
            } else {
                chosen
            }
        });
        lightest.expect("a cycle has members").party.trx
    }
}

/// The lightest of all; the requester among equals, else the first of them after it.
#[derive(Clone, Copy, Debug)]
pub struct LightestElseRequester;

impl VictimPolicy for LightestElseRequester {
    fn choose(&self, cycle: &[Candidate], requester: Option<TrxId>, _: &Moment) -> TrxId {
        let mut chosen = cycle
            .iter()
            .find(|member| Some(member.party.trx) == requester)
            .or_else(|| cycle.iter().max_by_key(|member| member.started))
            .expect("a cycle has members");
        for member in cycle {
            if member.party.weight() < chosen.party.weight() {
                chosen = member;
            }
        }
        chosen.party.trx
    }
}

/// Whoever closed the cycle; where that is not known, whoever began to wait last.
#[derive(Clone, Copy, Debug)]
pub struct Requester;

impl VictimPolicy for Requester {
    fn choose(&self, cycle: &[Candidate], requester: Option<TrxId>, _: &Moment) -> TrxId {
        requester
            .filter(|&trx| cycle.iter().any(|member| member.party.trx == trx))
            .unwrap_or_else(|| least(cycle, |_| ()))
    }
}

/// The member with the least of something; of equals the one that began to wait last.
fn least<K: Ord>(cycle: &[Candidate], of: impl Fn(&Candidate) -> K) -> TrxId {
    let chosen = cycle
        .iter()
        .min_by_key(|member| (of(member), Reverse(member.started)));
    chosen.expect("a cycle has members").party.trx
}

/// The member with the least or most of one of its figures.
#[derive(Clone, Copy, Debug)]
pub struct Extreme(pub(crate) VictimKind);

impl VictimPolicy for Extreme {
    fn choose(&self, cycle: &[Candidate], _: Option<TrxId>, moment: &Moment) -> TrxId {
        match self.0 {
            VictimKind::Youngest => least(cycle, |one| Reverse((one.party.age, one.party.trx))),
            VictimKind::Oldest => least(cycle, |one| (one.party.age, one.party.trx)),
            VictimKind::FewestLocks => least(cycle, |one| one.party.structures),
            VictimKind::MostLocks => least(cycle, |one| Reverse(one.party.structures)),
            VictimKind::LeastUndo => least(cycle, |one| one.party.undo_records),
            VictimKind::LowestPriority => least(cycle, |one| one.party.priority),
            VictimKind::FewestRestarts => least(cycle, |one| one.party.restarts),
            _ => least(cycle, |one| mix(moment.random ^ mix(one.party.trx.0))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Party;
    use crate::policies::victim_policy;

    const MOMENT: Moment = Moment { now: 0, random: 7 };

    fn member(trx: u64, weight: u64, started: u64) -> Candidate {
        Candidate {
            party: Party {
                trx: TrxId(trx),
                age: trx,
                restarts: 0,
                priority: 0,
                undo_records: 0,
                structures: weight,
            },
            started,
            since: 0,
        }
    }

    /// Members 1, 2, ... with these weights and starts.
    fn cycle(members: &[(u64, u64)]) -> Vec<Candidate> {
        (1..)
            .zip(members)
            .map(|(trx, &(weight, started))| member(trx, weight, started))
            .collect()
    }

    fn of(kind: VictimKind, cycle: &[Candidate]) -> u64 {
        let policy = victim_policy(kind);
        policy.choose(cycle, Some(TrxId(1)), &MOMENT).0
    }

    fn chosen(kind: VictimKind, members: &[(u64, u64)]) -> u64 {
        of(kind, &cycle(members))
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

    #[test]
    fn each_extreme_is_of_its_own_figure() {
        let mut members = cycle(&[(5, 9), (1, 2), (9, 3), (4, 5)]);
        members[0].party.undo_records = 3;
        members[1].party.undo_records = 2;
        members[2].party.undo_records = 1;
        members[3].party.undo_records = 4;
        members[2].party.age = 0;
        members[3].party.priority = -1;
        for (at, restarts) in [2, 1, 3, 0].into_iter().enumerate() {
            members[at].party.restarts = restarts;
        }
        let expected = [
            (VictimKind::Requester, 1),
            (VictimKind::Youngest, 4),
            (VictimKind::Oldest, 3),
            (VictimKind::FewestLocks, 2),
            (VictimKind::MostLocks, 3),
            (VictimKind::LeastUndo, 3),
            (VictimKind::LowestPriority, 4),
            (VictimKind::FewestRestarts, 4),
        ];
        for (kind, victim) in expected {
            assert_eq!(of(kind, &members), victim, "{kind:?}");
        }
    }

    #[test]
    fn among_equals_the_newest_waiter_dies() {
        let members = [(3, 1), (3, 9), (3, 5)];
        for kind in [
            VictimKind::FewestLocks,
            VictimKind::MostLocks,
            VictimKind::LowestPriority,
        ] {
            assert_eq!(chosen(kind, &members), 2, "{kind:?}");
        }
    }

    #[test]
    fn chance_takes_everybody_at_some_time_and_repeats_itself() {
        let members = cycle(&[(1, 1), (1, 2), (1, 3)]);
        let policy = victim_policy(VictimKind::Random);
        let draw = |random| {
            let moment = Moment { now: 0, random };
            policy.choose(&members, None, &moment).0
        };
        let drawn: Vec<u64> = (0..64).map(draw).collect();
        assert!((1..=3).all(|trx| drawn.contains(&trx)));
        assert_eq!(drawn, (0..64).map(draw).collect::<Vec<_>>());
    }
}
