//! The conformance suite over combinations of the built-in policies: all pairs in CI, and with
//! `--ignored` all there are.

use gaplock_lockmgr::testing::{Limits, Report, names_of, suite};
use gaplock_lockmgr::{
    ConflictKind, DetectorKind, GrantKind, LockConfig, Policies, StructReuse, VictimKind,
};

/// Every policy by its place in its list, and two sets of storage rules.
struct Space {
    detectors: Vec<DetectorKind>,
    conflicts: Vec<ConflictKind>,
    victims: Vec<VictimKind>,
    grants: Vec<GrantKind>,
}

impl Space {
    fn new() -> Self {
        let mut detectors: Vec<_> = DetectorKind::all().map(|(_, kind)| kind).collect();
        detectors.extend(DetectorKind::parse("dfs:1:1000"));
        detectors.extend(DetectorKind::parse("dfs:200:2:give-up"));
        detectors.extend(DetectorKind::parse("delayed:20"));
        let mut grants: Vec<_> = GrantKind::all().map(|(_, kind)| kind).collect();
        grants.push(GrantKind::ContentionAwareFrom(2));
        Space {
            detectors,
            conflicts: ConflictKind::all().map(|(_, kind)| kind).collect(),
            victims: VictimKind::all().map(|(_, kind)| kind).collect(),
            grants,
        }
    }

    fn sizes(&self) -> [usize; 5] {
        let policies = [self.detectors.len(), self.conflicts.len()];
        [
            policies[0],
            policies[1],
            self.victims.len(),
            self.grants.len(),
            4,
        ]
    }

    fn rules(&self, at: [usize; 5]) -> LockConfig {
        let server = LockConfig {
            shards: 4,
            detector: self.detectors[at[0]],
            conflict: self.conflicts[at[1]],
            victim: self.victims[at[2]],
            grant: self.grants[at[3]],
            ..LockConfig::DEFAULT
        };
        match at[4] {
            0 => server,
            1 => LockConfig {
                bypass_max: 1,
                ..server
            },
            2 => LockConfig {
                bypass_max: u32::MAX,
                struct_reuse: StructReuse::UnlessWaiters,
                next_key_upgrade_asks_gap: false,
                bypass_blocked_waiters: false,
                ..server
            },
            _ => LockConfig {
                waiters_max: 2,
                bypass_max: 0,
                ..server
            },
        }
    }

    /// Combinations in which every pair of values occurs: one after the other, each covering as many
    /// new pairs as a greedy choice of its values can.
    fn pairwise(&self) -> Vec<[usize; 5]> {
        let sizes = self.sizes();
        let mut open = Vec::new();
        for one in 0..5 {
            for other in one + 1..5 {
                for a in 0..sizes[one] {
                    open.extend((0..sizes[other]).map(|b| (one, a, other, b)));
                }
            }
        }
        let mut chosen = Vec::new();
        while let Some(&(one, a, other, b)) = open.first() {
            let mut at = [usize::MAX; 5];
            at[one] = a;
            at[other] = b;
            for axis in 0..5 {
                if at[axis] == usize::MAX {
                    let gain = |value: usize| {
                        let mut tried = at;
                        tried[axis] = value;
                        let covers = |&&(i, x, j, y): &&(usize, usize, usize, usize)| {
                            tried[i] == x && tried[j] == y
                        };
                        open.iter().filter(covers).count()
                    };
                    at[axis] = (0..sizes[axis]).max_by_key(|&value| gain(value)).unwrap();
                }
            }
            open.retain(|&(i, x, j, y)| at[i] != x || at[j] != y);
            chosen.push(at);
        }
        chosen
    }

    fn all(&self) -> impl Iterator<Item = [usize; 5]> + use<> {
        let sizes = self.sizes();
        let total: usize = sizes.iter().product();
        (0..total).map(move |mut number| {
            sizes.map(|size| {
                let at = number % size;
                number /= size;
                at
            })
        })
    }
}

fn hold(rules: &LockConfig, seed: u64, programs: u64) -> Report {
    let played = suite(
        rules,
        || Policies::of(rules),
        seed,
        programs,
        &Limits::default(),
    );
    played.unwrap_or_else(|failure| panic!("{failure}"))
}

#[test]
fn all_pairs_of_policies_hold() {
    let space = Space::new();
    let combinations = space.pairwise();
    let mut found = 0;
    for (number, &at) in combinations.iter().enumerate() {
        let rules = space.rules(at);
        let report = hold(&rules, 1 + 200 * number as u64, 200);
        assert!(report.programs == 200, "{}", names_of(&rules));
        found += report.deadlocks;
    }
    assert!(found > 200, "{found} deadlocks: too few to test anything");
}

/// The whole space, 2,000 programs each. `SHARE=n/m` plays the nth of m parts.
#[test]
#[ignore = "takes hours"]
fn all_combinations_hold() {
    let share = std::env::var("SHARE").unwrap_or_else(|_| "1/1".to_owned());
    let (part, parts) = share.split_once('/').expect("SHARE is n/m");
    let (part, parts): (usize, usize) = (part.parse().unwrap(), parts.parse().unwrap());
    let programs: u64 = std::env::var("PROGRAMS").map_or(2_000, |text| text.parse().unwrap());
    let space = Space::new();
    let mut played = 0;
    for at in space.all().skip(part - 1).step_by(parts) {
        hold(&space.rules(at), 1, programs);
        played += 1;
    }
    eprintln!("{played} combinations, {programs} programs each");
}

/// What a run with too little to do would not show: waits, deadlocks and passing all occur.
#[test]
fn programs_wait_deadlock_and_pass() {
    let rules = LockConfig {
        grant: GrantKind::Eldest,
        ..LockConfig::DEFAULT
    };
    let report = hold(&rules, 1, 2_000);
    assert!(report.waits > 2_000 && report.deadlocks > 200, "{report:?}");
    assert!(report.passed_max > 0, "{report:?}");
}
