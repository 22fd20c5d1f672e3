//! Rows without SQL from two threads that wait for each other's locks.
//!
//! Each thread adds to the same counter, reading it under an exclusive lock first: whoever comes
//! second sleeps until the first has committed, so no addition is lost.
//!
//! ```text
//! cargo run -p gaplock-engine --example rows_blocking
//! ```

#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::{error::Error, sync::Arc, thread};

use gaplock_engine::{
    blocking::Driver,
    db::{Engine, EngineConfig},
    error, profile,
    row::{
        Access, DuplicateMode, Insert, LockStrength, NoFilter, Scan, ScanSpec, ScannedRow, Update,
        WaitPolicy,
    },
    table::{Column, Table, TableSpec},
    trx::{Isolation, Trx},
    types::{ColumnType, Value},
};
use gaplock_wal::MemoryDisk;

const ADDITIONS: i128 = 1000;

fn main() -> Result<(), Box<dyn Error>> {
    let profile = profile::find("mysql-8.0.30").ok_or("no such profile")?;
    let engine = Engine::open(
        EngineConfig::for_threads(profile),
        Arc::new(MemoryDisk::new()),
    )?;
    let table = create_counters(&engine)?;
    let driver = Driver::new(&engine);

    let mut trx = engine.begin(Isolation::RepeatableRead);
    let row = vec![Value::Int(1), Value::Int(0)];
    let mut insert = Insert::new(table.clone(), row, DuplicateMode::Error);
    driver.run(&mut trx, |engine, trx| insert.step(engine, trx))?;
    engine.commit(&mut trx)?;

    thread::scope(|scope| {
        let adder = || {
            let mut trx = engine.begin(Isolation::RepeatableRead);
            (0..ADDITIONS).try_for_each(|_| add(&driver, &mut trx, &table))
        };
        [scope.spawn(adder), scope.spawn(adder)]
            .into_iter()
            .try_for_each(|thread| {
                thread
                    .join()
                    .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            })
    })?;

    let counter = find(&driver, &mut trx, &table, LockStrength::None)?.ok_or("the counter")?;
    println!("two threads added {ADDITIONS} each: {}", counter.values[1]);
    Ok(())
}

/// Adds one to the counter, in a transaction of its own.
fn add(driver: &Driver<'_>, trx: &mut Trx, table: &Arc<Table>) -> Result<(), error::Error> {
    if let Some(row) = find(driver, trx, table, LockStrength::Exclusive)? {
        let mut new = row.values.clone();
        new[1] = Value::Int(row.values[1].to_int().unwrap_or(0) + 1);
        let mode = DuplicateMode::Error;
        let mut update = Update::new(table.clone(), row.reference, row.values, new, mode);
        driver.run(trx, |engine, trx| update.step(engine, trx))?;
    }
    driver.engine().commit(trx)
}

/// Reads the counter.
fn find(
    driver: &Driver<'_>,
    trx: &mut Trx,
    table: &Arc<Table>,
    lock: LockStrength,
) -> Result<Option<ScannedRow>, error::Error> {
    let mut scan = Scan::new(ScanSpec {
        table: table.clone(),
        index: 0,
        access: Access::Equal(vec![Value::Int(1)]),
        lock,
        wait: WaitPolicy::Wait,
        covering: false,
        pushed: false,
        semi_consistent: false,
    });
    driver.run(trx, |engine, trx| scan.step(engine, trx, &NoFilter))
}

fn create_counters(engine: &Engine) -> Result<Arc<Table>, error::Error> {
    let column = |name: &str| Column {
        name: name.to_owned(),
        ty: ColumnType::Int {
            bytes: 8,
            unsigned: false,
        },
        nullable: false,
        auto_increment: false,
        default: None,
    };
    engine.create_table(TableSpec {
        name: "counters".to_owned(),
        columns: vec![column("id"), column("value")],
        primary_key: Some(vec![0]),
        indexes: Vec::new(),
        foreign_keys: Vec::new(),
        auto_increment: 1,
    })
}
