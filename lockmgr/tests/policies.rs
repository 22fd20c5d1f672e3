//! Every combination of detector, victim, grant order and storage rules under random programs: what
//! must hold whoever decides. Invariants L1 to L8 after every step (mutual exclusion and no
//! lost wake-up among them), cycles that are cycles, nobody left waiting when all others have
//! ended, and, where the detector sees everything, never all waiting for each other.

mod support;

use gaplock_lockmgr::{
    Answer, Beyond, DetectorKind, GrantKind, LockConfig, LockMode, LockSpan, LockTable, OnConflict,
    Outcome, StructReuse, TableId, TableMode, TableRequest, TrxId, VictimKind, Wake, Wakeup,
};
use proptest::prelude::*;
use support::{record, request};

const TRANSACTIONS: u64 = 6;
const RECORDS: u16 = 4;

#[derive(Clone, Debug)]
enum Step {
    Record {
        trx: u64,
        heap: u16,
        mode: LockMode,
        span: LockSpan,
        implicit: bool,
    },
    Table {
        trx: u64,
        mode: TableMode,
    },
    Convert {
        trx: u64,
        heap: u16,
    },
    End {
        trx: u64,
    },
    Expire {
        now: u64,
    },
    Remove {
        heap: u16,
    },
    Insert {
        heap: u16,
    },
    Swap {
        a: u16,
        b: u16,
    },
    Away,
    Back,
}

/// What programs may contain.
#[derive(Clone, Copy, PartialEq)]
enum Vocabulary {
    /// Requests and ends.
    Requests,
    /// Also what pages do to records, and time-outs.
    Everything,
}

fn steps(vocabulary: Vocabulary) -> impl Strategy<Value = Vec<Step>> {
    let trx = || 1..=TRANSACTIONS;
    let heap = || 1..=RECORDS;
    let user = || 2..=RECORDS;
    let record_mode = prop_oneof![Just(LockMode::S), Just(LockMode::X)];
    let span = prop_oneof![
        4 => Just(LockSpan::Record),
        2 => Just(LockSpan::NextKey),
        1 => Just(LockSpan::Gap),
        2 => Just(LockSpan::InsertIntention),
    ];
    let table_mode = prop_oneof![
        Just(TableMode::IS),
        Just(TableMode::IX),
        Just(TableMode::S),
        Just(TableMode::X),
        Just(TableMode::AutoInc),
    ];
    let on_record = (trx(), heap(), record_mode, span, any::<bool>()).prop_map(
        |(trx, heap, mode, span, implicit)| Step::Record {
            trx,
            heap,
            mode,
            span,
            implicit,
        },
    );
    let moves = if vocabulary == Vocabulary::Everything {
        1
    } else {
        0
    };
    prop::collection::vec(
        prop_oneof![
            14 => on_record,
            2 => (trx(), table_mode).prop_map(|(trx, mode)| Step::Table { trx, mode }),
            2 => trx().prop_map(|trx| Step::End { trx }),
            moves => (trx(), user()).prop_map(|(trx, heap)| Step::Convert { trx, heap }),
            moves => (0u64..100).prop_map(|now| Step::Expire { now }),
            moves => user().prop_map(|heap| Step::Remove { heap }),
            moves => user().prop_map(|heap| Step::Insert { heap }),
            moves => (user(), user()).prop_map(|(a, b)| Step::Swap { a, b }),
            moves => Just(Step::Away),
            moves => Just(Step::Back),
        ],
        0..80,
    )
}

fn rules() -> impl Strategy<Value = LockConfig> {
    let detector = prop_oneof![
        Just(DetectorKind::DepthFirst {
            depth: 200,
            steps: 1_000_000,
            beyond: Beyond::RequesterDies,
        }),
        Just(DetectorKind::BackgroundOneEdge),
        Just(DetectorKind::Brent),
    ];
    let victim = prop_oneof![
        Just(VictimKind::LighterOfTwo),
        Just(VictimKind::LightestInCycle),
        Just(VictimKind::LightestElseRequester),
    ];
    let grant = prop_oneof![
        Just(GrantKind::Fifo),
        Just(GrantKind::ContentionAware),
        Just(GrantKind::ContentionAwareFrom(3)),
    ];
    let reuse = prop_oneof![
        Just(StructReuse::UnlessWaiters),
        Just(StructReuse::AlwaysFront)
    ];
    let flags = (any::<bool>(), any::<bool>(), any::<bool>());
    (detector, victim, grant, reuse, flags).prop_map(
        |(detector, victim, grant, struct_reuse, (upgrade, bypass, provenance))| LockConfig {
            shards: 2,
            detector,
            victim,
            grant,
            struct_reuse,
            next_key_upgrade_asks_gap: upgrade,
            bypass_blocked_waiters: bypass,
            keep_provenance: provenance,
            bypass_max: u32::MAX,
            ..LockConfig::DEFAULT
        },
    )
}

/// The table, and what each transaction has been told.
struct Run {
    table: LockTable,
    waiting: Vec<bool>,
    /// The page's records are on the other page for now.
    away: bool,
}

impl Run {
    fn new(config: LockConfig) -> Self {
        let table = LockTable::new(config);
        (1..=TRANSACTIONS).for_each(|trx| table.begin(TrxId(trx)));
        Run {
            table,
            waiting: vec![false; TRANSACTIONS as usize + 1],
            away: false,
        }
    }

    fn at(&self, heap: u16) -> gaplock_lockmgr::RecordAddress {
        let mut at = record(heap);
        at.page.page += u32::from(self.away);
        at
    }

    fn tell(&mut self, wakeups: &[Wakeup]) {
        for wakeup in wakeups {
            let waits = &mut self.waiting[wakeup.trx.0 as usize];
            assert!(
                std::mem::replace(waits, false),
                "{wakeup:?} for one who does not wait"
            );
            if wakeup.wake == Wake::Victim {
                self.end(wakeup.trx.0);
            }
        }
    }

    fn answered(&mut self, trx: u64, answer: &Answer) {
        self.waiting[trx as usize] = answer.outcome == Outcome::Waiting;
        self.deadlocks(answer);
        self.tell(&answer.wakeups);
        if answer.outcome == Outcome::Victim {
            self.end(trx);
        }
        self.sweep();
    }

    fn sweep(&mut self) {
        let answer = self.table.sweep();
        self.deadlocks(&answer);
        self.tell(&answer.wakeups);
    }

    fn deadlocks(&self, answer: &Answer) {
        for report in &answer.deadlocks {
            assert!(report.cycle.len() >= 2);
            assert!(
                report
                    .cycle
                    .iter()
                    .any(|member| member.trx == report.victim)
            );
            for (at, member) in report.cycle.iter().enumerate() {
                let next = &report.cycle[(at + 1) % report.cycle.len()];
                assert_eq!(member.blocked_by.trx, next.trx, "{report:?}");
                assert!(member.wanted.waiting);
            }
        }
    }

    fn end(&mut self, trx: u64) {
        self.waiting[trx as usize] = false;
        let wakeups = self.table.release_all(TrxId(trx));
        self.table.begin(TrxId(trx));
        self.tell(&wakeups);
        self.sweep();
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::Record {
                trx,
                heap,
                mode,
                span,
                implicit,
            } if !self.waiting[trx as usize] => {
                let inserts = span == LockSpan::InsertIntention;
                let mode = if inserts { LockMode::X } else { mode };
                let mut wanted = request(trx, heap, mode, span);
                wanted.at = self.at(heap);
                wanted.implicit = implicit;
                wanted.on_conflict = OnConflict::Wait(trx * 20);
                let answer = self.table.request_record(&wanted);
                self.answered(trx, &answer);
            }
            Step::Table { trx, mode } if !self.waiting[trx as usize] => {
                let answer = self.table.request_table(&TableRequest {
                    trx: TrxId(trx),
                    table: TableId(1),
                    mode,
                    on_conflict: OnConflict::Wait(trx * 20),
                    origin: Default::default(),
                });
                self.answered(trx, &answer);
            }
            Step::Record { .. } | Step::Table { .. } => {}
            Step::Convert { trx, heap } => self.convert(trx, heap),
            Step::End { trx } => self.end(trx),
            Step::Expire { now } => {
                let wakeups = self.table.expire(now);
                self.tell(&wakeups);
            }
            _ => self.page_step(step),
        }
        self.table.check().unwrap();
        self.agree_on_who_waits();
    }

    /// A record has one implicit owner at most, and nobody else got a lock on it since.
    fn convert(&mut self, trx: u64, heap: u16) {
        let at = self.at(heap);
        if !self.table.any_on(at) {
            assert!(
                self.table
                    .convert_implicit(TrxId(trx), at, Default::default())
            );
        }
    }

    fn page_step(&mut self, step: &Step) {
        match *step {
            Step::Remove { heap } => {
                let heir = if heap == RECORDS { 1 } else { heap + 1 };
                let wakeups = self.table.inherit_on_remove(self.at(heap), self.at(heir));
                self.tell(&wakeups);
            }
            Step::Insert { heap } => {
                let successor = if heap == RECORDS { 1 } else { heap + 1 };
                if !self.table.any_on(self.at(heap)) {
                    self.table
                        .inherit_on_insert(self.at(heap), self.at(successor));
                }
            }
            Step::Swap { a, b } if a != b => {
                let (page, a, b) = (self.at(a).page, self.at(a).heap, self.at(b).heap);
                self.table.move_records(page, page, &[(a, b), (b, a)]);
            }
            Step::Away if !self.away => self.relocate(true),
            Step::Back if self.away => self.relocate(false),
            _ => {}
        }
    }

    fn relocate(&mut self, away: bool) {
        let from = self.at(1).page;
        self.away = away;
        let to = self.at(1).page;
        let pairs: Vec<_> = (2..=RECORDS)
            .map(|heap| (record(heap).heap, record(heap).heap))
            .collect();
        self.table.move_records(from, to, &pairs);
        self.table.copy_and_discard(to, from);
    }

    fn agree_on_who_waits(&self) {
        for trx in 1..=TRANSACTIONS {
            let waits = self.table.waiting_for(TrxId(trx)).is_some();
            assert_eq!(waits, self.waiting[trx as usize], "transaction {trx}");
        }
    }

    /// One by one whoever can end ends; everybody must be able to, at some time.
    fn wind_up(&mut self) {
        while let Some(trx) = (1..=TRANSACTIONS).find(|&trx| self.waiting[trx as usize]) {
            let runnable = (1..=TRANSACTIONS).find(|&trx| {
                !self.waiting[trx as usize] && !self.table.locks_of(TrxId(trx)).is_empty()
            });
            match runnable {
                Some(runnable) => self.end(runnable),
                None => panic!(
                    "{trx} waits and nobody can run: {:#?}",
                    self.table.wait_edges()
                ),
            }
        }
        (1..=TRANSACTIONS).for_each(|trx| self.end(trx));
        assert!(self.table.locks().is_empty());
        self.table.check().unwrap();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn deadlocks_never_stay(config in rules(), program in steps(Vocabulary::Requests)) {
        let mut run = Run::new(config);
        for step in &program {
            run.step(step);
        }
        run.wind_up();
    }

    #[test]
    fn invariants_survive_whatever_pages_do(
        config in rules(),
        program in steps(Vocabulary::Everything),
    ) {
        let mut run = Run::new(config);
        for step in &program {
            run.step(step);
        }
        // Inheritance may close a cycle that a search at the wait could not see: time-outs end it.
        let wakeups = run.table.expire(u64::MAX);
        run.tell(&wakeups);
        run.wind_up();
    }
}
