//! What a fork, a locked row, a point read and an inserted row cost.

use std::{hint::black_box, sync::Arc};

use criterion::{Criterion, criterion_group, criterion_main};
use gaplock_engine::{
    db::{Engine, EngineConfig},
    profile::find,
    row::{
        Access, DuplicateMode, Insert, LockStrength, NoFilter, Scan, ScanSpec, Step, WaitPolicy,
    },
    table::{Column, Table, TableSpec},
    trx::{Isolation, Trx},
    types::{ColumnType, Value},
};
use gaplock_wal::MemoryDisk;

const ROWS: i128 = 10_000;

fn engine() -> (Engine, Arc<Table>) {
    let profile = find("mysql-8.0.30").expect("a known profile");
    let config = EngineConfig::for_threads(profile);
    let engine = Engine::open(config, Arc::new(MemoryDisk::new())).expect("a new database");
    let column = |name: &str| Column {
        name: name.into(),
        ty: ColumnType::Int {
            bytes: 8,
            unsigned: false,
        },
        nullable: false,
        auto_increment: false,
        default: None,
    };
    let spec = TableSpec {
        name: "t".into(),
        columns: vec![column("id"), column("v")],
        primary_key: Some(vec![0]),
        indexes: vec![],
        foreign_keys: vec![],
        auto_increment: 1,
    };
    let table = engine.create_table(spec).expect("a new table");
    (engine, table)
}

fn insert(engine: &Engine, trx: &mut Trx, table: &Arc<Table>, id: i128) {
    let row = vec![Value::Int(id), Value::Int(0)];
    let mut insert = Insert::new(table.clone(), row, DuplicateMode::Error);
    while insert.step(engine, trx).expect("no error") == Step::Progress {}
}

fn read(engine: &Engine, trx: &mut Trx, table: &Arc<Table>, id: i128, lock: LockStrength) {
    let mut scan = Scan::new(ScanSpec {
        table: table.clone(),
        index: 0,
        access: Access::Equal(vec![Value::Int(id)]),
        lock,
        wait: WaitPolicy::Wait,
        covering: false,
        pushed: false,
        semi_consistent: false,
    });
    black_box(scan.step(engine, trx, &NoFilter).expect("no error"));
}

fn rows(criterion: &mut Criterion) {
    let (engine, table) = engine();
    let mut trx = engine.begin(Isolation::RepeatableRead);
    (0..ROWS).for_each(|id| insert(&engine, &mut trx, &table, id));
    engine.commit(&mut trx).expect("no error");
    let mut id = 0;
    for (name, lock) in [
        ("read", LockStrength::None),
        ("lock", LockStrength::Exclusive),
    ] {
        criterion.bench_function(&format!("{name} a row and commit"), |bencher| {
            bencher.iter(|| {
                id = (id + 7919) % ROWS;
                read(&engine, &mut trx, &table, id, lock);
                engine.commit(&mut trx).expect("no error");
            });
        });
    }
    let mut new_id = ROWS;
    criterion.bench_function("insert a row and commit", |bencher| {
        bencher.iter(|| {
            insert(&engine, &mut trx, &table, new_id);
            engine.commit(&mut trx).expect("no error");
            new_id += 1;
        });
    });
}

fn forks(criterion: &mut Criterion) {
    let profile = find("mysql-8.0.30").expect("a known profile");
    let engine = Engine::in_memory(profile).expect("a new database");
    criterion.bench_function("fork a small database", |bencher| {
        bencher.iter(|| black_box(engine.fork()));
    });
}

criterion_group!(benches, rows, forks);
criterion_main!(benches);
