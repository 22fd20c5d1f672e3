//! A database that stops at any moment, and is opened again: what had committed is there, what had
//! not is not, and all of it is sound.
//!
//! The disk keeps what was written: a killed process, not a power loss. One thread runs a few
//! transactions in turn, each on keys of its own, against a model. Stops come between any two
//! operations, with and without a checkpoint or closing in good order; the buffer pool and the files
//! of the log are tiny.

#![allow(
    clippy::print_stdout,
    reason = "a battery prints the counts that it reached"
)]

use std::{collections::BTreeMap, sync::Arc};

use gaplock_engine::{
    blocking::Driver,
    db::{Durability, Engine, EngineConfig},
    profile::find,
    row::{
        Access, Delete, DuplicateMode, Insert, InsertOutcome, LockStrength, NoFilter, Rollback,
        Scan, ScanSpec, Update, WaitPolicy,
    },
    table::{Column, IndexSpec, Table, TableSpec},
    trx::{Isolation, Trx},
    types::{Collation, ColumnType, Value},
};
use gaplock_wal::{Disk, LogSettings, MemoryDisk};

const SEEDS: u64 = 16;
const STEPS: u64 = 1_500;
/// Transactions under way at a time.
const WRITERS: u64 = 3;
const KEYS: u64 = 300;

type Model = BTreeMap<i128, String>;

struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

fn spec(name: &str) -> TableSpec {
    let column = |name: &str, ty| Column {
        name: name.into(),
        ty,
        nullable: false,
        auto_increment: false,
        default: None,
    };
    let int = ColumnType::Int {
        bytes: 8,
        unsigned: false,
    };
    let text = ColumnType::VarChar {
        characters: 2000,
        collation: Collation::Latin1,
    };
    TableSpec {
        name: name.into(),
        columns: vec![column("id", int), column("s", text)],
        primary_key: Some(vec![0]),
        indexes: vec![IndexSpec {
            name: "ks".into(),
            columns: vec![1],
            unique: false,
        }],
        foreign_keys: vec![],
        auto_increment: 1,
    }
}

fn open(disk: &Arc<dyn Disk>) -> Engine {
    let durability = Durability {
        log: LogSettings {
            segment_bytes: 64 * 1024,
            spare_segments: 1,
        },
        checkpoint_after: 200 * 1024,
        ..Durability::default()
    };
    let config = EngineConfig {
        pool_frames: 24,
        ..EngineConfig::for_lab(find("mysql-8.0.30").expect("a profile"))
    };
    Engine::open(config.durable(durability), Arc::clone(disk)).expect("a sound database")
}

/// A transaction under way: what it did so far, to be taken over by the model when it commits.
struct Writer {
    trx: Trx,
    changes: Vec<(i128, Option<String>)>,
}

struct Life<'e> {
    engine: &'e Engine,
    table: Arc<Table>,
    writers: Vec<Writer>,
}

impl<'e> Life<'e> {
    fn new(engine: &'e Engine) -> Self {
        let writer = |_| Writer {
            trx: engine.begin(Isolation::ReadCommitted),
            changes: Vec::new(),
        };
        Self {
            engine,
            table: engine.table("t").expect("the table"),
            writers: (0..WRITERS).map(writer).collect(),
        }
    }

    /// Changes one row of a writer's own, or ends its transaction.
    fn step(&mut self, random: &mut Random, model: &mut Model) {
        let at = random.below(WRITERS) as usize;
        let driver = Driver::new(self.engine);
        let table = self.table.clone();
        let Writer { trx, changes } = &mut self.writers[at];
        let key = i128::from(random.below(KEYS / WRITERS) * WRITERS) + at as i128;
        match random.below(12) {
            0 => {
                for (key, text) in changes.drain(..) {
                    match text {
                        Some(text) => model.insert(key, text),
                        None => model.remove(&key),
                    };
                }
                self.engine.commit(trx).expect("a commit");
                self.engine.purge().expect("a purge");
                return;
            }
            1 => {
                changes.clear();
                return Rollback::all()
                    .finish(self.engine, trx)
                    .expect("a rollback");
            }
            _ => {}
        }
        let own = changes.iter().rev().find(|(changed, _)| *changed == key);
        let old = own.map_or_else(|| model.get(&key).cloned(), |(_, text)| text.clone());
        self.engine.start_statement(trx, "step");
        let text = random.below(1000).to_string() + &"x".repeat(random.below(1900) as usize);
        let row = vec![Value::Int(key), Value::Text(text.clone())];
        let Some(old) = old else {
            let mut insert = Insert::new(table, row, DuplicateMode::Error);
            let outcome = driver.run(trx, |engine, trx| insert.step(engine, trx));
            assert!(
                matches!(outcome, Ok(InsertOutcome::Inserted)),
                "{outcome:?}"
            );
            changes.push((key, Some(text)));
            return self.engine.end_statement(trx);
        };
        let reference = table.reference(&table.encode_row(&row).expect("a row"));
        let old = vec![Value::Int(key), Value::Text(old)];
        if random.below(3) == 0 {
            let mut delete = Delete::new(table, reference, old);
            driver
                .run(trx, |engine, trx| delete.step(engine, trx))
                .expect("a deletion");
            changes.push((key, None));
        } else {
            let mut update = Update::new(table, reference, old, row, DuplicateMode::Error);
            driver
                .run(trx, |engine, trx| update.step(engine, trx))
                .expect("an update");
            changes.push((key, Some(text)));
        }
        self.engine.end_statement(&mut self.writers[at].trx);
    }
}

fn contents(engine: &Engine) -> Model {
    let table = engine.table("t").expect("the table");
    let mut scan = Scan::new(ScanSpec {
        table,
        index: 0,
        access: Access::Full { backward: false },
        lock: LockStrength::None,
        wait: WaitPolicy::Wait,
        covering: false,
        pushed: false,
        semi_consistent: false,
    });
    let mut trx = engine.begin(Isolation::RepeatableRead);
    let driver = Driver::new(engine);
    let mut found = Model::new();
    while let Some(row) = driver
        .run(&mut trx, |engine, trx| scan.step(engine, trx, &NoFilter))
        .expect("a row")
    {
        let (Value::Int(key), Value::Text(text)) = (&row.values[0], &row.values[1]) else {
            panic!("{row:?}");
        };
        found.insert(*key, text.clone());
    }
    engine.commit(&mut trx).expect("the end of a reader");
    found
}

#[derive(Debug, Default)]
struct Counts {
    lives: u64,
    steps: u64,
    groups: u64,
    rolled_back: u64,
    checkpoints: u64,
}

fn play(seed: u64, counts: &mut Counts) {
    let mut random = Random(0x9e37_79b9_7f4a_7c15 ^ (seed + 1));
    let disk: Arc<dyn Disk> = Arc::new(MemoryDisk::new());
    let mut model = Model::new();
    open(&disk).create_table(spec("t")).expect("a table");
    let mut left = STEPS;
    while left > 0 {
        let engine = open(&disk);
        let report = engine.recovery();
        counts.lives += 1;
        counts.groups += report.groups;
        counts.rolled_back += report.rolled_back;
        assert_eq!(
            contents(&engine),
            model,
            "seed {seed}, {left} steps before the end"
        );
        let check = engine.check().expect("pages that can be read");
        assert_eq!(check.problems, Vec::<String>::new(), "seed {seed}");
        let mut life = Life::new(&engine);
        let steps = random.below(150).min(left) + 1;
        for _ in 0..steps {
            life.step(&mut random, &mut model);
            match random.below(60) {
                0 => {
                    engine.checkpoint().expect("a checkpoint");
                    counts.checkpoints += 1;
                }
                1 => engine
                    .create_table(spec(&format!("u{left}")))
                    .map(drop)
                    .or_else(|_| engine.drop_table(&format!("u{left}")))
                    .expect("a definition"),
                2 => engine.maintain().expect("files"),
                _ => {}
            }
        }
        counts.steps += steps;
        left = left.saturating_sub(steps);
        if random.below(5) == 0 {
            engine.close().expect("files that can be written");
        }
    }
}

#[test]
fn what_had_committed_is_there_and_nothing_else() {
    let mut counts = Counts::default();
    for seed in 0..SEEDS {
        play(seed, &mut counts);
    }
    println!("{counts:?}");
    assert!(counts.lives > 10 * SEEDS && counts.rolled_back > SEEDS && counts.checkpoints > SEEDS);
}
