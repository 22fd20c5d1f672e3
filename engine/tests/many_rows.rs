//! A table far larger than the buffer pool, changed at random by four threads, each against a model
//! of its own rows: equal at every read, and sound at the end.
//!
//! Threads own the keys that are theirs modulo their number, so each knows what it must read; pages,
//! gaps, purge and the pool they share. Rows are locked and waited for as usual: a deadlock rolls
//! the victim's transaction back, in the engine and in its model.

#![allow(
    clippy::print_stdout,
    reason = "a battery prints the counts that it reached"
)]

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use gaplock_engine::{
    db::{Engine, EngineConfig},
    error::Error,
    profile::find,
    row::{
        Access, Delete, DuplicateMode, Insert, InsertOutcome, LockStrength, NoFilter, Rollback,
        Scan, ScanSpec, ScannedRow, Step, Update, UpdateOutcome, WaitPolicy,
    },
    table::{Column, IndexSpec, Table, TableSpec},
    trx::{Isolation, Savepoint, Trx},
    types::{Collation, ColumnType, Value},
};
use gaplock_wal::MemoryDisk;

const THREADS: i128 = 4;
const ROWS: i128 = 100_000;
const ROUNDS: u64 = 6_000;
const FRAMES: usize = 64;
/// In every other transaction only keys below this are used, so that gaps collide.
const HOT: u64 = 160;

type Model = BTreeMap<i128, (i128, String)>;

/// A small generator: the run is the same for the same seed, as far as threads allow.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }
}

fn table_spec() -> TableSpec {
    let column = |name: &str, ty, nullable| Column {
        name: name.into(),
        ty,
        nullable,
        auto_increment: false,
        default: None,
    };
    let int = ColumnType::Int {
        bytes: 8,
        unsigned: false,
    };
    let text = ColumnType::VarChar {
        characters: 60,
        collation: Collation::Latin1,
    };
    TableSpec {
        name: "t".into(),
        columns: vec![
            column("id", int, false),
            column("u", int, true),
            column("s", text, true),
        ],
        primary_key: Some(vec![0]),
        indexes: vec![
            IndexSpec {
                name: "uu".into(),
                columns: vec![1],
                unique: true,
            },
            IndexSpec {
                name: "ks".into(),
                columns: vec![2],
                unique: false,
            },
        ],
        foreign_keys: vec![],
        auto_increment: 1,
    }
}

struct Worker<'e> {
    engine: &'e Engine,
    table: Arc<Table>,
    random: Random,
    own: i128,
    hot: bool,
    model: Model,
    /// What the transaction overwrote in the model, to be put back by a rollback.
    journal: Vec<(i128, Option<(i128, String)>)>,
    trx: Trx,
    /// A savepoint, and how long the journal was then.
    savepoint: Option<(Savepoint, usize)>,
    reads: u64,
    deadlocks: u64,
}

impl Worker<'_> {
    /// Steps an operation to its end, sleeping while it waits.
    fn drive<T>(
        &mut self,
        mut step: impl FnMut(&Engine, &mut Trx) -> Result<Step<T>, Error>,
    ) -> Result<T, Error> {
        loop {
            match step(self.engine, &mut self.trx)? {
                Step::Done(value) => return Ok(value),
                Step::Progress => {}
                Step::Wait => {
                    self.engine.sweep_deadlocks();
                    while !self.engine.park(&self.trx, Duration::from_millis(50)) {
                        self.engine.sweep_deadlocks();
                    }
                }
            }
        }
    }

    /// One of this thread's keys: existing or not.
    fn key(&mut self) -> i128 {
        let range = if self.hot { HOT } else { ROWS as u64 * 2 };
        i128::from(self.random.below(range)) / THREADS * THREADS + self.own
    }

    fn values(&mut self, id: i128) -> (i128, String) {
        // Unique values stay this thread's too.
        let unique = i128::from(self.random.below(1 << 40)) * THREADS + self.own;
        let length = self.random.below(50) as usize;
        let letter = char::from(b'a' + (self.random.below(26)) as u8);
        (unique, format!("{letter}{}{id}", "x".repeat(length)))
    }

    fn find(&mut self, id: i128, lock: LockStrength) -> Result<Option<ScannedRow>, Error> {
        let mut scan = Scan::new(ScanSpec {
            table: self.table.clone(),
            index: 0,
            access: Access::Equal(vec![Value::Int(id)]),
            lock,
            wait: WaitPolicy::Wait,
            covering: false,
            pushed: false,
            semi_consistent: false,
        });
        self.drive(|engine, trx| scan.step(engine, trx, &NoFilter))
    }

    fn compare(&mut self, id: i128, found: Option<&ScannedRow>) {
        self.reads += 1;
        let expected = self.model.get(&id).map(|(u, s)| row(id, *u, s));
        assert_eq!(found.map(|row| row.values.clone()), expected, "row {id}");
    }

    fn act(&mut self) -> Result<(), Error> {
        let id = self.key();
        match self.random.below(10) {
            0..=3 => self.put(id),
            4 | 5 => self.remove(id),
            6 | 7 => {
                let found = self.find(id, LockStrength::None)?;
                self.compare(id, found.as_ref());
                Ok(())
            }
            8 => {
                self.savepoint = Some((self.engine.savepoint(&self.trx), self.journal.len()));
                Ok(())
            }
            _ => {
                if let Some((savepoint, length)) = self.savepoint.take() {
                    let mut rollback = Rollback::to(savepoint);
                    self.drive(|engine, trx| rollback.step(engine, trx))?;
                    self.forget(length);
                }
                Ok(())
            }
        }
    }

    /// Inserts, or updates what is there.
    fn put(&mut self, id: i128) -> Result<(), Error> {
        let found = self.find(id, LockStrength::Exclusive)?;
        self.compare(id, found.as_ref());
        let (unique, text) = self.values(id);
        let new = row(id, unique, &text);
        let done = match found {
            Some(old) => {
                let mut update = Update::new(
                    self.table.clone(),
                    old.reference,
                    old.values,
                    new,
                    DuplicateMode::Error,
                );
                self.drive(|engine, trx| update.step(engine, trx))? == UpdateOutcome::Updated
            }
            None => {
                let mut insert = Insert::new(self.table.clone(), new, DuplicateMode::Error);
                self.drive(|engine, trx| insert.step(engine, trx))? == InsertOutcome::Inserted
            }
        };
        if done {
            let old = self.model.insert(id, (unique, text));
            self.journal.push((id, old));
        }
        Ok(())
    }

    fn remove(&mut self, id: i128) -> Result<(), Error> {
        let found = self.find(id, LockStrength::Exclusive)?;
        self.compare(id, found.as_ref());
        if let Some(old) = found {
            let mut delete = Delete::new(self.table.clone(), old.reference, old.values);
            self.drive(|engine, trx| delete.step(engine, trx))?;
            let old = self.model.remove(&id);
            self.journal.push((id, old));
        }
        Ok(())
    }

    /// A transaction of a few actions, committed or rolled back.
    fn round(&mut self) {
        let levels = [Isolation::ReadCommitted, Isolation::RepeatableRead];
        self.trx = self.engine.begin(levels[self.random.below(2) as usize]);
        self.hot = self.random.below(2) == 0;
        self.savepoint = None;
        self.journal.clear();
        let actions = 1 + self.random.below(8);
        for _ in 0..actions {
            self.engine.start_statement(&mut self.trx, "action");
            match self.act() {
                Ok(()) => {}
                Err(Error::Deadlock) => {
                    self.deadlocks += 1;
                    return self.undo();
                }
                Err(error) => panic!("{error}"),
            }
        }
        if self.random.below(5) == 0 {
            self.undo();
        } else {
            self.engine.commit(&mut self.trx).unwrap();
        }
    }

    fn undo(&mut self) {
        let mut rollback = Rollback::all();
        self.drive(|engine, trx| rollback.step(engine, trx))
            .unwrap();
        self.forget(0);
    }

    /// Puts back what the model had when the journal was so long.
    fn forget(&mut self, length: usize) {
        for (id, old) in self.journal.drain(length..).rev() {
            match old {
                Some(old) => self.model.insert(id, old),
                None => self.model.remove(&id),
            };
        }
    }
}

fn row(id: i128, unique: i128, text: &str) -> Vec<Value> {
    vec![
        Value::Int(id),
        Value::Int(unique),
        Value::Text(text.to_owned()),
    ]
}

/// Fills the table; returns the rows by owner.
fn fill(engine: &Engine, table: &Arc<Table>) -> Vec<Model> {
    let mut models = vec![Model::new(); THREADS as usize];
    let mut trx = engine.begin(Isolation::ReadCommitted);
    for at in 0..ROWS {
        let id = at * 2 / THREADS * THREADS + at % THREADS;
        let (unique, text) = (id + (1_i128 << 43), format!("{:x}", id * 7919 % 65_521));
        let mut insert = Insert::new(table.clone(), row(id, unique, &text), DuplicateMode::Error);
        while insert.step(engine, &mut trx).unwrap() == Step::Progress {}
        models[(id % THREADS) as usize].insert(id, (unique, text));
        if at % 1000 == 0 {
            engine.commit(&mut trx).unwrap();
        }
    }
    engine.commit(&mut trx).unwrap();
    models
}

#[test]
fn four_threads_agree_with_their_models_in_a_pool_of_64_pages() {
    let profile = find("mysql-8.0.30").unwrap();
    let config = EngineConfig {
        pool_frames: FRAMES,
        ..EngineConfig::for_threads(profile)
    };
    let engine = Engine::open(config, Arc::new(MemoryDisk::new())).unwrap();
    let table = engine.create_table(table_spec()).unwrap();
    let models = fill(&engine, &table);
    let (over, reads, deadlocks) = (AtomicBool::new(false), AtomicU64::new(0), AtomicU64::new(0));
    std::thread::scope(|scope| {
        let purger = scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                engine.purge().unwrap();
                std::thread::yield_now();
            }
        });
        let workers: Vec<_> = models
            .into_iter()
            .enumerate()
            .map(|(own, model)| {
                let (engine, table) = (&engine, table.clone());
                let (reads, deadlocks) = (&reads, &deadlocks);
                scope.spawn(move || {
                    let mut worker = Worker {
                        engine,
                        table,
                        random: Random(0x9E37_79B9 + own as u64 * 77),
                        own: own as i128,
                        hot: false,
                        model,
                        journal: Vec::new(),
                        trx: engine.begin(Isolation::ReadCommitted),
                        savepoint: None,
                        reads: 0,
                        deadlocks: 0,
                    };
                    for _ in 0..ROUNDS / 10 {
                        (0..10).for_each(|_| worker.round());
                    }
                    reads.fetch_add(worker.reads, Ordering::Relaxed);
                    deadlocks.fetch_add(worker.deadlocks, Ordering::Relaxed);
                    deadlocks.fetch_add(worker.deadlocks, Ordering::Relaxed);
                    worker.model
                })
            })
            .collect();
        let finals: Vec<Model> = workers
            .into_iter()
            .map(|worker| worker.join().expect("a worker"))
            .collect();
        over.store(true, Ordering::Relaxed);
        purger.join().expect("purge");
        engine.purge().unwrap();
        let rows: usize = finals.iter().map(Model::len).sum();
        let report = engine.check().unwrap();
        assert_eq!(report.problems, Vec::<String>::new());
        assert_eq!(report.rows, rows as u64);
        assert!(engine.locks().is_empty());
    });
    println!(
        "{} reads compared, {} deadlocks",
        reads.into_inner(),
        deadlocks.into_inner()
    );
}
