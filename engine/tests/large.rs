//! A database ten times as large as its buffer pool, on real files: every row is there and right, and
//! the memory stays within the pool and 64 MiB.
//!
//! A test binary of its own, because it looks at the memory of its process.

#![cfg(target_os = "linux")]
#![allow(
    clippy::print_stdout,
    reason = "a battery prints the counts that it reached"
)]

use std::{path::PathBuf, sync::Arc};

use gaplock_engine::{
    blocking::Driver,
    db::{Durability, Engine, EngineConfig},
    profile::find,
    row::{
        Access, DuplicateMode, Insert, InsertOutcome, LockStrength, NoFilter, Scan, ScanSpec,
        Update, WaitPolicy,
    },
    table::{Column, Table, TableSpec},
    trx::{Isolation, Trx},
    types::{Collation, ColumnType, Value},
};
use gaplock_wal::{FileDisk, LogSettings};

const FRAMES: usize = 512;
const PAGE: usize = 16 * 1024;
const ROWS: i128 = 84_000;
const TEXT: usize = 1_000;
/// Beside the pool.
const MEMORY_MAX: usize = 64 << 20;

fn open(directory: &PathBuf) -> Engine {
    let config = EngineConfig {
        pool_frames: FRAMES,
        ..EngineConfig::for_threads(find("mysql-8.0.30").expect("a profile"))
    };
    let durability = Durability {
        log: LogSettings {
            segment_bytes: 4 << 20,
            spare_segments: 1,
        },
        checkpoint_after: 16 << 20,
        ..Durability::default()
    };
    let disk = FileDisk::open(directory).expect("a directory");
    Engine::open(config.durable(durability), Arc::new(disk)).expect("a database")
}

fn spec() -> TableSpec {
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
        characters: 1000,
        collation: Collation::Latin1,
    };
    TableSpec {
        name: "t".into(),
        columns: vec![column("id", int), column("s", text)],
        primary_key: Some(vec![0]),
        indexes: vec![],
        foreign_keys: vec![],
        auto_increment: 1,
    }
}

/// A row that says which it is, and how often it was changed.
fn row(id: i128, version: u32) -> Vec<Value> {
    let text = format!("{id} {version} ");
    let filler = "x".repeat(TEXT - text.len());
    vec![Value::Int(id), Value::Text(text + &filler)]
}

fn fill(engine: &Engine, table: &Arc<Table>) {
    let driver = Driver::new(engine);
    let mut trx = engine.begin(Isolation::ReadCommitted);
    for id in 0..ROWS {
        // In an order that touches pages all over.
        let id = id * 7919 % ROWS;
        let mut insert = Insert::new(table.clone(), row(id, 0), DuplicateMode::Error);
        let outcome = driver.run(&mut trx, |engine, trx| insert.step(engine, trx));
        assert!(
            matches!(outcome, Ok(InsertOutcome::Inserted)),
            "{outcome:?}"
        );
        commit_now_and_then(engine, &mut trx, id);
    }
    engine.commit(&mut trx).expect("a commit");
}

fn commit_now_and_then(engine: &Engine, trx: &mut Trx, id: i128) {
    if id % 512 == 0 {
        engine.commit(trx).expect("a commit");
        engine.purge().expect("a purge");
        engine.maintain().expect("files");
    }
}

fn change_every_third(engine: &Engine, table: &Arc<Table>) {
    let driver = Driver::new(engine);
    let mut trx = engine.begin(Isolation::ReadCommitted);
    for id in (0..ROWS).step_by(3) {
        let reference = table.reference(&table.encode_row(&row(id, 0)).expect("a row"));
        let (old, new) = (row(id, 0), row(id, 1));
        let mut update = Update::new(table.clone(), reference, old, new, DuplicateMode::Error);
        driver
            .run(&mut trx, |engine, trx| update.step(engine, trx))
            .expect("a change");
        commit_now_and_then(engine, &mut trx, id);
    }
    engine.commit(&mut trx).expect("a commit");
}

fn read_all(engine: &Engine, table: &Arc<Table>) {
    let driver = Driver::new(engine);
    let mut trx = engine.begin(Isolation::RepeatableRead);
    let mut scan = Scan::new(ScanSpec {
        table: table.clone(),
        index: 0,
        access: Access::Full { backward: false },
        lock: LockStrength::None,
        wait: WaitPolicy::Wait,
        covering: false,
        pushed: false,
        semi_consistent: false,
    });
    let mut next = 0;
    while let Some(found) = driver
        .run(&mut trx, |engine, trx| scan.step(engine, trx, &NoFilter))
        .expect("a row")
    {
        assert_eq!(found.values, row(next, u32::from(next % 3 == 0)));
        next += 1;
    }
    assert_eq!(next, ROWS);
    engine.commit(&mut trx).expect("the end of a reader");
}

/// The most memory that this process has had, in bytes.
fn memory_peak() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux says it");
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let words = line.and_then(|line| line.split_whitespace().nth(1));
    words
        .and_then(|word| word.parse::<usize>().ok())
        .expect("a number")
        * 1024
}

#[test]
fn ten_times_the_pool() {
    let directory = std::env::temp_dir().join(format!("gaplock-large-{}", std::process::id()));
    {
        let engine = open(&directory);
        let table = engine.create_table(spec()).expect("a table");
        fill(&engine, &table);
        change_every_third(&engine, &table);
        // Killed: no orderly end.
    }
    let engine = open(&directory);
    let table = engine.table("t").expect("the table");
    read_all(&engine, &table);
    let size = std::fs::metadata(directory.join("gaplock.data")).expect("the data file");
    let counters = engine.pool_counters();
    let peak = memory_peak();
    println!(
        "data {} MiB, pool {} MiB, memory {} MiB, {counters:?}",
        size.len() >> 20,
        (FRAMES * PAGE) >> 20,
        peak >> 20
    );
    drop(engine);
    std::fs::remove_dir_all(&directory).expect("a directory of our own");
    assert!(size.len() as usize >= 10 * FRAMES * PAGE);
    assert!(counters.reads as usize >= 9 * FRAMES);
    assert!(peak <= FRAMES * PAGE + MEMORY_MAX, "{} MiB", peak >> 20);
}
