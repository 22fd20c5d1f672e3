//! Two transactions without SQL and without threads, stepped by hand.
//!
//! One inserts a row that meets a duplicate in a unique secondary index. Under this profile the
//! half-inserted row, when it is taken out again, leaves its successor's gap locked: the end of the
//! table. The other one's insertion then has to wait there, although its key is in nobody's way.
//!
//! ```text
//! cargo run -p gaplock-engine --example rows
//! cargo run -p gaplock-engine --example rows mysql-5.6      # the same, and nobody waits
//! ```

#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::{error::Error, sync::Arc};

use gaplock_engine::{
    db::{Engine, LockKey, LockKind, LockRow},
    profile,
    row::{DuplicateMode, Insert, InsertOutcome, Step},
    table::{Column, IndexSpec, Table, TableSpec},
    trx::{Isolation, Trx},
    types::{ColumnType, Value},
};

fn main() -> Result<(), Box<dyn Error>> {
    let name = std::env::args().nth(1);
    let name = name.as_deref().unwrap_or("mysql-5.7.37");
    let profile = profile::find(name).ok_or_else(|| format!("no profile {name:?}"))?;
    let engine = Engine::in_memory(profile)?;
    let table = create_events(&engine)?;

    let mut first = engine.begin(Isolation::RepeatableRead);
    for (id, k) in [(1, 10), (2, 20)] {
        finish(&engine, &mut first, &mut insertion(&table, id, k))?;
    }
    engine.commit(&mut first)?;

    println!("first: insert (3, 20)");
    engine.start_statement(&mut first, "insert (3, 20)");
    let outcome = finish(&engine, &mut first, &mut insertion(&table, 3, 20))?;
    match outcome {
        InsertOutcome::Inserted => println!("  inserted"),
        InsertOutcome::Duplicate(found) => println!("  duplicate in {}", found.name),
    }
    engine.end_statement(&mut first);

    println!("second: insert (4, 40)");
    let mut second = engine.begin(Isolation::RepeatableRead);
    engine.start_statement(&mut second, "insert (4, 40)");
    let mut insert = insertion(&table, 4, 40);
    let waits = loop {
        match insert.step(&engine, &mut second)? {
            Step::Progress => {}
            Step::Wait => break true,
            Step::Done(_) => break false,
        }
    };
    println!("  {}", if waits { "waits" } else { "inserted" });
    engine.locks().iter().for_each(print_lock);

    println!("first: commit");
    engine.commit(&mut first)?;
    if waits {
        finish(&engine, &mut second, &mut insert)?;
        println!("second: goes on\n  inserted");
    }
    engine.commit(&mut second)?;
    Ok(())
}

/// `events (id INT PRIMARY KEY, k INT UNIQUE)`.
fn create_events(engine: &Engine) -> Result<Arc<Table>, gaplock_engine::error::Error> {
    let column = |name: &str, nullable| Column {
        name: name.into(),
        ty: ColumnType::Int {
            bytes: 4,
            unsigned: false,
        },
        nullable,
        auto_increment: false,
        default: None,
    };
    engine.create_table(TableSpec {
        name: "events".into(),
        columns: vec![column("id", false), column("k", true)],
        primary_key: Some(vec![0]),
        indexes: vec![IndexSpec {
            name: "k".into(),
            columns: vec![1],
            unique: true,
        }],
        foreign_keys: vec![],
        auto_increment: 1,
    })
}

/// An insertion as an upsert makes it: with exclusive locks on what it collides with.
fn insertion(table: &Arc<Table>, id: i128, k: i128) -> Insert {
    let values = vec![Value::Int(id), Value::Int(k)];
    Insert::new(table.clone(), values, DuplicateMode::Replace)
}

/// Steps an insertion that nobody can be in the way of.
fn finish(
    engine: &Engine,
    trx: &mut Trx,
    insert: &mut Insert,
) -> Result<InsertOutcome, Box<dyn Error>> {
    loop {
        match insert.step(engine, trx)? {
            Step::Done(outcome) => return Ok(outcome),
            Step::Progress => {}
            Step::Wait => return Err("somebody is in the way".into()),
        }
    }
}

fn print_lock(lock: &LockRow) {
    let kind = match lock.kind {
        LockKind::Table(mode) => format!("{mode:?}"),
        LockKind::Record { mode, span } => format!("{mode:?} {span:?}"),
    };
    let place = match (&lock.index, &lock.key) {
        (Some(index), Some(LockKey::Values(values))) => {
            let values: Vec<String> = values.iter().map(Value::to_text).collect();
            format!("{}.{index} ({})", lock.table, values.join(", "))
        }
        (Some(index), _) => format!("{}.{index} supremum", lock.table),
        (None, _) => lock.table.clone(),
    };
    let state = if lock.waiting { "wants" } else { "holds" };
    println!("  transaction {} {state} {kind} on {place}", lock.trx.0);
    if let (Some(statement), Some(reason)) = (&lock.statement, lock.reason) {
        let step = lock.step;
        println!("    step {step} of {statement:?}: {}", reason.text());
    }
}
