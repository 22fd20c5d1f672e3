//! The lock table against a model: one plain list of locks, in order of arrival, and the conflict
//! table written out by hand. Random programs of requests, releases and moves must come out the same.

mod support;

use std::collections::BTreeSet;

use gaplock_lockmgr::{
    HeapNo, LockConfig, LockInfo, LockMode, LockSpan, LockTable, LockTarget, Outcome,
    RecordAddress, TrxId, Wake, Wakeup,
};
use proptest::prelude::*;

use LockSpan::{Gap, InsertIntention, NextKey, Record};

const TRANSACTIONS: u64 = 5;
/// The supremum and a few records; the model takes their order as the order of the index.
const RECORDS: [u16; 4] = [2, 3, 4, 1];

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct ModelLock {
    heap: u16,
    trx: u64,
    mode: LockMode,
    span: LockSpan,
    waiting: bool,
}

/// All locks of one page in order of arrival.
#[derive(Clone, Debug, Default)]
struct Model {
    locks: Vec<ModelLock>,
    upgrade: bool,
    bypass: bool,
}

impl Model {
    fn normal(heap: u16, span: LockSpan) -> LockSpan {
        if heap == 1 && span != InsertIntention {
            NextKey
        } else {
            span
        }
    }

    fn covers(&self, trx: u64, heap: u16, mode: LockMode, span: LockSpan) -> bool {
        self.locks.iter().any(|lock| {
            let spans = lock.span == NextKey || lock.span == span || heap == 1;
            lock.heap == heap
                && lock.trx == trx
                && !lock.waiting
                && lock.span != InsertIntention
                && spans
                && (lock.mode == LockMode::X || mode == LockMode::S)
        })
    }

    fn conflict(&self, wanted: &ModelLock, other: &ModelLock) -> bool {
        let both_shared = wanted.mode == LockMode::S && other.mode == LockMode::S;
        if wanted.trx == other.trx || wanted.heap != other.heap || both_shared {
            return false;
        }
        let table = match (wanted.span, other.span) {
            (_, InsertIntention) | (Gap, _) => false,
            (InsertIntention, NextKey | Gap) => true,
            (InsertIntention, Record) => false,
            (Record | NextKey, Gap) => false,
            (Record | NextKey, Record | NextKey) => wanted.heap != 1,
        };
        let passes = self.bypass
            && wanted.span != InsertIntention
            && wanted.mode == LockMode::X
            && other.mode == LockMode::X
            && other.waiting
            && self.covers(wanted.trx, wanted.heap, LockMode::S, Record);
        table && !passes
    }

    fn request(&mut self, mut wanted: ModelLock) -> Outcome {
        let ModelLock {
            heap, trx, mode, ..
        } = wanted;
        wanted.span = Self::normal(heap, wanted.span);
        if wanted.span != InsertIntention {
            if self.covers(trx, heap, mode, wanted.span) {
                return Outcome::Granted { newly: false };
            }
            let has_record = heap != 1 && self.covers(trx, heap, mode, Record);
            if self.upgrade && wanted.span == NextKey && has_record {
                wanted.span = Gap;
                if self.covers(trx, heap, mode, Gap) {
                    return Outcome::Granted { newly: false };
                }
            }
        }
        wanted.waiting = self.locks.iter().any(|other| self.conflict(&wanted, other));
        let stored = wanted.waiting || wanted.span != InsertIntention;
        if stored {
            self.locks.push(wanted);
        }
        match wanted.waiting {
            true => Outcome::Waiting,
            false => Outcome::Granted { newly: stored },
        }
    }

    /// Who waits for whom.
    fn edges(&self) -> BTreeSet<(u64, u64)> {
        let mut edges = BTreeSet::new();
        for (at, waiter) in self
            .locks
            .iter()
            .enumerate()
            .filter(|(_, lock)| lock.waiting)
        {
            for other in self.in_the_way(at) {
                edges.insert((waiter.trx, other.trx));
            }
        }
        edges
    }

    fn in_the_way(&self, at: usize) -> impl Iterator<Item = &ModelLock> {
        let waiter = self.locks[at];
        self.locks
            .iter()
            .enumerate()
            .filter_map(move |(index, other)| {
                let passed = !other.waiting && waiter.span != InsertIntention;
                let counts = index < at || passed;
                (counts && self.conflict(&waiter, other)).then_some(other)
            })
    }

    /// Grants whatever nothing is in the way of.
    fn grant(&mut self) -> BTreeSet<(u64, Wake)> {
        let mut woken = BTreeSet::new();
        for at in 0..self.locks.len() {
            if self.locks[at].waiting && self.in_the_way(at).next().is_none() {
                self.locks[at].waiting = false;
                woken.insert((self.locks[at].trx, Wake::Granted));
            }
        }
        woken
    }

    fn drop_where(&mut self, drop: impl Fn(&ModelLock) -> bool) -> BTreeSet<(u64, Wake)> {
        self.locks.retain(|lock| !drop(lock));
        self.grant()
    }

    fn give_gap(&mut self, from: &ModelLock, heap: u16) {
        let heir = ModelLock {
            heap,
            span: Self::normal(heap, Gap),
            waiting: false,
            ..*from
        };
        if !self.locks.contains(&heir) {
            self.locks.push(heir);
        }
    }

    fn remove_record(&mut self, removed: u16, heir: u16) -> BTreeSet<(u64, Wake)> {
        for lock in self.locks.clone() {
            if lock.heap == removed && lock.span != InsertIntention {
                self.give_gap(&lock, heir);
            }
        }
        let here = |lock: &&ModelLock| lock.heap == removed && lock.waiting;
        let woken = self
            .locks
            .iter()
            .filter(here)
            .map(|lock| (lock.trx, Wake::Retry))
            .collect();
        self.locks.retain(|lock| lock.heap != removed);
        woken
    }

    fn insert_record(&mut self, new: u16, successor: u16) {
        for lock in self.locks.clone() {
            if lock.heap == successor && matches!(lock.span, Gap | NextKey) {
                self.give_gap(&lock, new);
            }
        }
    }

    fn is_waiting(&self, trx: u64) -> bool {
        self.locks
            .iter()
            .any(|lock| lock.trx == trx && lock.waiting)
    }
}

/// One step of a program; numbers are taken modulo what there is.
#[derive(Clone, Debug)]
enum Step {
    Request {
        trx: u64,
        record: usize,
        mode: LockMode,
        span: LockSpan,
    },
    End {
        trx: u64,
    },
    Cancel {
        trx: u64,
    },
    GiveBack {
        trx: u64,
        record: usize,
        mode: LockMode,
    },
    Remove {
        record: usize,
    },
    Insert {
        record: usize,
    },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let trx = || 1..=TRANSACTIONS;
    let mode = || prop_oneof![Just(LockMode::S), Just(LockMode::X)];
    let span = prop_oneof![
        Just(Record),
        Just(Gap),
        Just(NextKey),
        Just(InsertIntention)
    ];
    let request = (trx(), 0..RECORDS.len(), mode(), span).prop_map(|(trx, record, mode, span)| {
        let mode = if span == InsertIntention {
            LockMode::X
        } else {
            mode
        };
        // A gap lock may join a structure on the supremum as it is: the model has no structures.
        let span = match (RECORDS[record], span) {
            (1, Gap) => NextKey,
            (_, span) => span,
        };
        Step::Request {
            trx,
            record,
            mode,
            span,
        }
    });
    // The record before the last has the supremum as its heir, so that one never goes.
    let record = || 0..RECORDS.len() - 1;
    let give_back = (trx(), record(), mode());
    let step = prop_oneof![
        12 => request,
        2 => trx().prop_map(|trx| Step::End { trx }),
        1 => trx().prop_map(|trx| Step::Cancel { trx }),
        1 => give_back.prop_map(|(trx, record, mode)| Step::GiveBack { trx, record, mode }),
        1 => record().prop_map(|record| Step::Remove { record }),
        1 => record().prop_map(|record| Step::Insert { record }),
    ];
    prop::collection::vec(step, 0..60)
}

/// The table and the model, side by side.
struct Pair {
    table: LockTable,
    model: Model,
}

fn as_set(wakeups: &[Wakeup]) -> BTreeSet<(u64, Wake)> {
    let set: BTreeSet<_> = wakeups
        .iter()
        .map(|wakeup| (wakeup.trx.0, wakeup.wake))
        .collect();
    assert_eq!(set.len(), wakeups.len(), "woken twice: {wakeups:?}");
    set
}

impl Pair {
    fn new(config: LockConfig) -> Self {
        let table = LockTable::new(config);
        (1..=TRANSACTIONS).for_each(|trx| table.begin(TrxId(trx)));
        let model = Model {
            locks: Vec::new(),
            upgrade: config.next_key_upgrade_asks_gap,
            bypass: config.bypass_blocked_waiters,
        };
        Pair { table, model }
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::Request {
                trx,
                record,
                mode,
                span,
            } if !self.model.is_waiting(trx) => {
                self.request(ModelLock {
                    heap: RECORDS[record],
                    trx,
                    mode,
                    span,
                    waiting: false,
                });
            }
            Step::Request { .. } => {}
            Step::End { trx } => self.end(trx),
            Step::Cancel { trx } => {
                let woken = as_set(&self.table.cancel_wait(TrxId(trx)));
                let gone = |lock: &ModelLock| lock.trx == trx && lock.waiting;
                assert_eq!(woken, self.model.drop_where(gone));
            }
            Step::GiveBack { trx, record, mode } => {
                let heap = RECORDS[record];
                let woken = self
                    .table
                    .release_record(TrxId(trx), support::record(heap), mode);
                let wanted = ModelLock {
                    heap,
                    trx,
                    mode,
                    span: Record,
                    waiting: false,
                };
                assert_eq!(
                    as_set(&woken),
                    self.model.drop_where(|lock| *lock == wanted)
                );
            }
            Step::Remove { record } => {
                let (removed, heir) = (RECORDS[record], RECORDS[record + 1]);
                let woken = self
                    .table
                    .inherit_on_remove(support::record(removed), support::record(heir));
                assert_eq!(as_set(&woken), self.model.remove_record(removed, heir));
            }
            Step::Insert { record } => {
                let (new, successor) = (RECORDS[record], RECORDS[record + 1]);
                // The number must be free, or it would be no new record.
                if self.model.locks.iter().all(|lock| lock.heap != new) {
                    let (at, next) = (support::record(new), support::record(successor));
                    self.table.inherit_on_insert(at, next);
                    self.model.insert_record(new, successor);
                }
            }
        }
        self.compare();
    }

    /// The model has no opinion on victims. It believes the table, once the cycles that it reports
    /// are cycles of the model too.
    fn request(&mut self, wanted: ModelLock) {
        let request = support::request(wanted.trx, wanted.heap, wanted.mode, wanted.span);
        let answer = self.table.request_record(&request);
        let expected = self.model.request(wanted);
        if answer.deadlocks.is_empty() {
            assert_eq!(answer.outcome, expected);
            assert!(answer.wakeups.is_empty());
            return;
        }
        assert_eq!(expected, Outcome::Waiting);
        let mut woken = BTreeSet::new();
        for report in &answer.deadlocks {
            let edges = self.model.edges();
            for member in &report.cycle {
                assert!(
                    edges.contains(&(member.trx.0, member.blocked_by.trx.0)),
                    "{report:?}"
                );
            }
            let victim = report.victim.0;
            woken.extend(
                self.model
                    .drop_where(|lock| lock.trx == victim && lock.waiting),
            );
            woken.insert((victim, Wake::Victim));
        }
        let requester_granted = woken.remove(&(wanted.trx, Wake::Granted));
        let requester_died = woken.remove(&(wanted.trx, Wake::Victim));
        assert_eq!(as_set(&answer.wakeups), woken);
        let outcome = match (requester_granted, requester_died) {
            (true, _) => Outcome::Granted { newly: true },
            (_, true) => Outcome::Victim,
            _ => Outcome::Waiting,
        };
        assert_eq!(answer.outcome, outcome);
    }

    fn end(&mut self, trx: u64) {
        let woken = as_set(&self.table.release_all(TrxId(trx)));
        assert_eq!(woken, self.model.drop_where(|lock| lock.trx == trx));
        assert!(!self.table.is_active(TrxId(trx)));
        self.table.begin(TrxId(trx));
    }

    fn compare(&self) {
        self.table.check().unwrap();
        let mut ours: Vec<ModelLock> = self.table.locks().iter().map(model_lock).collect();
        let mut theirs = self.model.locks.clone();
        for locks in [&mut ours, &mut theirs] {
            locks.sort();
            // A lock asked for again beside its waiting or granted twin is one lock to the eye.
            locks.dedup();
        }
        assert_eq!(ours, theirs);
        let edge = |edge: &gaplock_lockmgr::WaitEdge| (edge.wanted.trx.0, edge.blocking.trx.0);
        let edges: BTreeSet<_> = self.table.wait_edges().iter().map(edge).collect();
        assert_eq!(edges, self.model.edges());
    }
}

fn model_lock(lock: &LockInfo) -> ModelLock {
    match lock.target {
        LockTarget::Record {
            at: RecordAddress {
                heap: HeapNo(heap), ..
            },
            mode,
            span,
        } => ModelLock {
            heap,
            trx: lock.trx.0,
            mode,
            span,
            waiting: lock.waiting,
        },
        LockTarget::Table { .. } => panic!("the programs take no table locks"),
    }
}

fn play(config: LockConfig, program: &[Step]) {
    let mut pair = Pair::new(config);
    for step in program {
        pair.step(step);
    }
    for trx in 1..=TRANSACTIONS {
        pair.end(trx);
    }
    assert!(pair.table.locks().is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn grants_by_arrival_agree_with_the_model(
        program in steps(),
        upgrade in any::<bool>(),
        bypass in any::<bool>(),
    ) {
        let config = LockConfig {
            next_key_upgrade_asks_gap: upgrade,
            bypass_blocked_waiters: bypass,
            ..support::ARRIVAL
        };
        play(config, &program);
    }

    #[test]
    fn so_they_do_when_nobody_looks_for_deadlocks(program in steps()) {
        let config = LockConfig { detector: gaplock_lockmgr::DetectorKind::Off, ..support::ARRIVAL };
        play(config, &program);
    }

    #[test]
    fn a_fork_goes_the_same_way(program in steps(), cut in 0usize..60) {
        let mut pair = Pair::new(support::ARRIVAL);
        let cut = cut.min(program.len());
        program[..cut].iter().for_each(|step| pair.step(step));
        let mut fork = Pair { table: pair.table.fork(), model: pair.model.clone() };
        program[cut..].iter().for_each(|step| pair.step(step));
        program[cut..].iter().for_each(|step| fork.step(step));
        assert_eq!(pair.table.locks(), fork.table.locks());
    }
}
