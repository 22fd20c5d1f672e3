//! Rows in and out, by steps, without SQL.

use std::{ops::Bound, sync::Arc};

use gaplock_engine::{
    db::Engine,
    profile::find,
    row::{
        Access, Delete, DuplicateMode, Insert, InsertOutcome, KeyRange, LockStrength, NoFilter,
        Rollback, Scan, ScanSpec, Step, Update, UpdateOutcome, WaitPolicy,
    },
    table::{Column, IndexSpec, Table, TableSpec},
    trx::{Isolation, Trx},
    types::{ColumnType, Value},
};

fn engine(profile: &str) -> Engine {
    Engine::in_memory(find(profile).unwrap()).unwrap()
}

fn column(name: &str, nullable: bool) -> Column {
    let ty = ColumnType::Int {
        bytes: 4,
        unsigned: false,
    };
    Column {
        name: name.into(),
        ty,
        nullable,
        auto_increment: false,
        default: None,
    }
}

/// t(id PRIMARY KEY, a UNIQUE, b).
fn table(engine: &Engine) -> Arc<Table> {
    engine
        .create_table(TableSpec {
            name: "t".into(),
            columns: vec![column("id", false), column("a", true), column("b", true)],
            primary_key: Some(vec![0]),
            indexes: vec![IndexSpec {
                name: "ua".into(),
                columns: vec![1],
                unique: true,
            }],
            foreign_keys: vec![],
            auto_increment: 1,
        })
        .unwrap()
}

fn row(id: i128, a: i128, b: i128) -> Vec<Value> {
    [id, a, b].map(Value::Int).to_vec()
}

fn insert(engine: &Engine, trx: &mut Trx, table: &Arc<Table>, values: Vec<Value>) -> InsertOutcome {
    let mut insert = Insert::new(table.clone(), values, DuplicateMode::Error);
    loop {
        match insert.step(engine, trx).unwrap() {
            Step::Done(outcome) => return outcome,
            Step::Progress => {}
            Step::Wait => panic!("nobody to wait for"),
        }
    }
}

fn scan(
    engine: &Engine,
    trx: &mut Trx,
    table: &Arc<Table>,
    index: usize,
    lock: LockStrength,
) -> Vec<Vec<Value>> {
    let range = KeyRange {
        lower: Bound::Unbounded,
        upper: Bound::Unbounded,
    };
    let access = Access::Range {
        range,
        backward: false,
    };
    let spec = ScanSpec {
        table: table.clone(),
        index,
        access,
        lock,
        wait: WaitPolicy::Wait,
        covering: false,
        pushed: false,
        semi_consistent: false,
    };
    let mut scan = Scan::new(spec);
    let mut rows = Vec::new();
    while let Step::Done(Some(row)) = scan.step(engine, trx, &NoFilter).unwrap() {
        rows.push(row.values);
    }
    rows
}

#[test]
fn rows_go_in_and_come_back_in_key_order() {
    let engine = engine("mysql-8.0.30");
    let table = table(&engine);
    let mut trx = engine.begin(Isolation::RepeatableRead);
    for id in [5, 1, 3, 9] {
        assert_eq!(
            insert(&engine, &mut trx, &table, row(id, 100 - id, 0)),
            InsertOutcome::Inserted
        );
    }
    engine.commit(&mut trx).unwrap();
    let ids = |rows: Vec<Vec<Value>>| rows.into_iter().map(|r| r[0].clone()).collect::<Vec<_>>();
    let by_id = scan(&engine, &mut trx, &table, 0, LockStrength::None);
    assert_eq!(ids(by_id), [1, 3, 5, 9].map(Value::Int));
    let by_a = scan(&engine, &mut trx, &table, 1, LockStrength::Shared);
    assert_eq!(ids(by_a), [9, 5, 3, 1].map(Value::Int));
    engine.commit(&mut trx).unwrap();
    assert_eq!(engine.check().unwrap().problems, Vec::<String>::new());
}

#[test]
fn a_rolled_back_transaction_leaves_nothing() {
    let engine = engine("mysql-5.6");
    let table = table(&engine);
    let mut trx = engine.begin(Isolation::RepeatableRead);
    insert(&engine, &mut trx, &table, row(1, 10, 0));
    insert(&engine, &mut trx, &table, row(2, 20, 0));
    engine.commit(&mut trx).unwrap();
    insert(&engine, &mut trx, &table, row(3, 30, 0));
    let reference = table.reference(&table.encode_row(&row(1, 10, 0)).unwrap());
    let mut update = Update::new(
        table.clone(),
        reference,
        row(1, 10, 0),
        row(1, 15, 7),
        DuplicateMode::Error,
    );
    while update.step(&engine, &mut trx).unwrap() != Step::Done(UpdateOutcome::Updated) {}
    let reference = table.reference(&table.encode_row(&row(2, 20, 0)).unwrap());
    let mut delete = Delete::new(table.clone(), reference, row(2, 20, 0));
    while delete.step(&engine, &mut trx).unwrap() != Step::Done(()) {}
    assert_eq!(
        scan(&engine, &mut trx, &table, 0, LockStrength::None),
        [row(1, 15, 7), row(3, 30, 0)]
    );
    Rollback::all().finish(&engine, &mut trx).unwrap();
    assert_eq!(
        scan(&engine, &mut trx, &table, 1, LockStrength::None),
        [row(1, 10, 0), row(2, 20, 0)]
    );
    engine.commit(&mut trx).unwrap();
    engine.purge().unwrap();
    assert_eq!(engine.check().unwrap().problems, Vec::<String>::new());
    assert!(engine.locks().is_empty());
}

#[test]
fn a_snapshot_sees_what_was_there_when_it_was_taken() {
    let engine = engine("mysql-5.7.37");
    let table = table(&engine);
    let mut writer = engine.begin(Isolation::RepeatableRead);
    insert(&engine, &mut writer, &table, row(1, 10, 0));
    engine.commit(&mut writer).unwrap();
    let mut reader = engine.begin(Isolation::RepeatableRead);
    engine.snapshot(&mut reader).unwrap();
    let reference = table.reference(&table.encode_row(&row(1, 10, 0)).unwrap());
    let mut update = Update::new(
        table.clone(),
        reference,
        row(1, 10, 0),
        row(1, 11, 1),
        DuplicateMode::Error,
    );
    while update.step(&engine, &mut writer).unwrap() != Step::Done(UpdateOutcome::Updated) {}
    insert(&engine, &mut writer, &table, row(2, 20, 0));
    engine.commit(&mut writer).unwrap();
    engine.purge().unwrap();
    for index in [0, 1] {
        let seen = scan(&engine, &mut reader, &table, index, LockStrength::None);
        assert_eq!(seen, [row(1, 10, 0)], "index {index}");
    }
    engine.commit(&mut reader).unwrap();
    engine.purge().unwrap();
    let seen = scan(&engine, &mut reader, &table, 1, LockStrength::None);
    assert_eq!(seen, [row(1, 11, 1), row(2, 20, 0)]);
    assert_eq!(engine.check().unwrap().problems, Vec::<String>::new());
}
