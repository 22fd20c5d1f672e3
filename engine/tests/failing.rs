//! What a user of the engine meets when the disk fails: which transactions are told what, what can
//! still be read, and what the next opening finds.

use std::sync::Arc;

use gaplock_engine::{
    blocking::Driver,
    db::{Durability, Engine, EngineConfig, FlushAtCommit},
    error::{CommitOutcome, Error},
    profile::find,
    row::{
        Access, DuplicateMode, Insert, LockStrength, NoFilter, Rollback, Scan, ScanSpec, WaitPolicy,
    },
    table::{Column, Table, TableSpec},
    trx::{Isolation, Trx},
    types::{Collation, ColumnType, Value},
};
use gaplock_wal::{
    Disk, LogSettings,
    fault::{Calls, Fault, FaultDisk, Operation, Reason, SyncFault, Times},
};

fn try_open(disk: &Arc<FaultDisk>) -> Result<Engine, Error> {
    let durability = Durability {
        log: LogSettings {
            segment_bytes: 64 * 1024,
            spare_segments: 1,
        },
        ..Durability::default()
    };
    let config = EngineConfig {
        pool_frames: 32,
        ..EngineConfig::for_lab(find("mysql-8.0.30").expect("a profile"))
    };
    let disk: Arc<dyn Disk> = disk.clone();
    Engine::open(config.durable(durability), disk)
}

fn open(disk: &Arc<FaultDisk>) -> Engine {
    try_open(disk).expect("a sound database")
}

/// A database with one table, closed.
fn database() -> Arc<FaultDisk> {
    let disk = Arc::new(FaultDisk::new());
    let engine = open(&disk);
    engine.create_table(spec()).expect("a table");
    engine.close().expect("files");
    disk
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
        characters: 3000,
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

fn insert(engine: &Engine, trx: &mut Trx, id: i128, length: usize) -> Result<(), Error> {
    let table = engine.table("t").expect("the table");
    engine.start_statement(trx, "insert");
    let row = vec![Value::Int(id), Value::Text("z".repeat(length))];
    let mut insert = Insert::new(table, row, DuplicateMode::Error);
    let driver = Driver::new(engine);
    driver.run(trx, |engine, trx| insert.step(engine, trx))?;
    engine.end_statement(trx);
    Ok(())
}

fn read(engine: &Engine, trx: &mut Trx) -> Result<Vec<i128>, Error> {
    read_table(engine, trx, &engine.table("t").expect("the table"))
}

fn read_table(engine: &Engine, trx: &mut Trx, table: &Arc<Table>) -> Result<Vec<i128>, Error> {
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
    let driver = Driver::new(engine);
    let mut found = Vec::new();
    while let Some(row) = driver.run(trx, |engine, trx| scan.step(engine, trx, &NoFilter))? {
        let Value::Int(id) = row.values[0] else {
            panic!("{row:?}")
        };
        found.push(id);
    }
    Ok(found)
}

fn begin(engine: &Engine) -> Trx {
    engine.begin(Isolation::RepeatableRead)
}

fn fail_next_sync_of_the_log(disk: &FaultDisk, fault: SyncFault) {
    let calls = Calls::of(Operation::Sync).on("gaplock.log");
    disk.fail(calls, Fault::Sync(fault), Times::Once);
}

/// P4: the commit whose sync fails is in doubt, whoever may have seen it is too, and whoever comes
/// later sees what was durable.
#[test]
fn a_commit_whose_sync_fails_is_in_doubt() {
    for fault in [SyncFault::KeptInCache, SyncFault::Reverted] {
        let disk = database();
        let engine = open(&disk);
        let (mut writer, mut other) = (begin(&engine), begin(&engine));
        insert(&engine, &mut writer, 1, 10).expect("a row");
        engine.commit(&mut writer).expect("a commit");
        insert(&engine, &mut other, 5, 10).expect("a row that will not be committed");

        insert(&engine, &mut writer, 2, 10).expect("a row");
        let receipt = engine.commit_early(&mut writer).expect("visible");
        let mut seeing = begin(&engine);
        assert_eq!(read(&engine, &mut seeing).expect("rows"), [1, 2]);

        fail_next_sync_of_the_log(&disk, fault);
        let result = engine.acknowledge(receipt);
        assert_eq!(CommitOutcome::of(&result), CommitOutcome::InDoubt);

        // Whoever saw it cannot be told that it was there, nor see more of it.
        let again = read(&engine, &mut seeing);
        assert!(matches!(again, Err(Error::InDoubt { .. })), "{again:?}");
        let ended = engine.commit(&mut seeing);
        assert_eq!(CommitOutcome::of(&ended), CommitOutcome::InDoubt);
        // New snapshots show what was durable.
        let mut later = begin(&engine);
        assert_eq!(read(&engine, &mut later).expect("rows"), [1]);
        engine.commit(&mut later).expect("the end of a reader");

        // Nothing is changed any more.
        let refused = insert(&engine, &mut writer, 3, 10);
        assert!(
            matches!(refused, Err(Error::WritesRefused { .. })),
            "{refused:?}"
        );
        let result = engine.commit(&mut other);
        assert_eq!(CommitOutcome::of(&result), CommitOutcome::RolledBack);
        assert!(engine.checkpoint().is_err());
        drop(engine);

        for after in [disk.without_unsynced(), disk.with_unsynced()] {
            let engine = open(&Arc::new(after));
            let rows = read(&engine, &mut begin(&engine)).expect("rows");
            assert!(rows == [1] || rows == [1, 2], "{rows:?}");
            assert_eq!(
                engine.check().expect("pages").problems,
                Vec::<String>::new()
            );
        }
    }
}

/// P4 for the data file: what was acknowledged is in the log.
#[test]
fn a_checkpoint_that_fails_loses_nothing() {
    for operation in [Operation::Write, Operation::Sync] {
        let disk = database();
        let engine = open(&disk);
        let mut writer = begin(&engine);
        insert(&engine, &mut writer, 1, 10).expect("a row");
        engine.commit(&mut writer).expect("a commit");
        let calls = Calls::of(operation).on("gaplock.data");
        disk.fail(calls, Fault::Error(Reason::InputOutput), Times::Once);
        assert!(engine.checkpoint().is_err());
        let refused = insert(&engine, &mut writer, 2, 10);
        assert!(
            matches!(refused, Err(Error::WritesRefused { .. })),
            "{refused:?}"
        );
        assert_eq!(read(&engine, &mut begin(&engine)).expect("rows"), [1]);
        drop(engine);
        let engine = open(&Arc::new(disk.without_unsynced()));
        assert_eq!(read(&engine, &mut begin(&engine)).expect("rows"), [1]);
    }
}

/// P5: the statement that meets a full disk fails, everything else goes on, and when there is room
/// again it succeeds.
#[test]
fn a_full_disk_passes() {
    let disk = database();
    let engine = open(&disk);
    let mut writer = begin(&engine);
    let mut id = 0;
    disk.set_capacity(Some(disk.allocated() + 400_000));
    let error = loop {
        let before = engine.savepoint(&writer);
        match insert(&engine, &mut writer, id, 2500) {
            Ok(()) => id += 1,
            Err(error) => {
                Rollback::statement(before)
                    .finish(&engine, &mut writer)
                    .expect("room that was set aside");
                break error;
            }
        }
        assert!(id < 10_000, "the disk was to become full");
        if id % 20 == 0 {
            engine.commit(&mut writer).expect("a commit");
        }
    };
    assert!(
        matches!(&error, Error::Store(error) if error.is_disk_full()),
        "{error}"
    );
    assert_eq!(error.code(), 1021);
    engine.commit(&mut writer).expect("a commit on a full disk");
    let all: Vec<i128> = (0..id).collect();
    assert_eq!(read(&engine, &mut begin(&engine)).expect("rows"), all);
    disk.set_capacity(None);
    insert(&engine, &mut writer, id, 2500).expect("room again");
    engine.commit(&mut writer).expect("a commit");
    engine.checkpoint().expect("files");
    assert_eq!(
        engine.check().expect("pages").problems,
        Vec::<String>::new()
    );
    drop(engine);
    let engine = open(&Arc::new(disk.without_unsynced()));
    assert_eq!(
        read(&engine, &mut begin(&engine)).expect("rows").len() as i128,
        id + 1
    );
}

/// P3: a page that was written long ago and comes back has a right checksum, and is not taken.
#[test]
fn an_old_page_that_comes_back_is_found() {
    let disk = database();
    let old = disk.content("gaplock.data").expect("the data file");
    let engine = open(&disk);
    let mut writer = begin(&engine);
    insert(&engine, &mut writer, 1, 10).expect("a row");
    engine.commit(&mut writer).expect("a commit");
    engine.close().expect("files");
    drop(engine);
    let new = disk.content("gaplock.data").expect("the data file");
    let page = |bytes: &[u8], at: usize| bytes[at * 16384..(at + 1) * 16384].to_vec();
    let changed = (0..old.len() / 16384).filter(|at| page(&old, *at) != page(&new, *at));
    let mut found = 0;
    for at in changed.collect::<Vec<_>>() {
        let mut bytes = new.clone();
        bytes[at * 16384..(at + 1) * 16384].copy_from_slice(&page(&old, at));
        let copy = Arc::new(disk.copy());
        copy.put("gaplock.data", &bytes);
        let words = match try_open(&copy).and_then(|engine| engine.check()) {
            Ok(report) => report.problems.join("\n"),
            Err(error) => error.to_string(),
        };
        assert!(
            words.contains(&format!("page 0:{at}")),
            "page {at}: {words}"
        );
        assert!(
            words.contains("was last written with"),
            "page {at}: {words}"
        );
        found += 1;
    }
    assert!(found > 0, "something was changed");
}

/// After closing in good order the next opening reads nothing of the log but what says where it ends.
#[test]
fn a_clean_opening_reads_no_records() {
    let disk = database();
    let engine = open(&disk);
    let mut writer = begin(&engine);
    for id in 0..100 {
        insert(&engine, &mut writer, id, 1000).expect("a row");
        engine.commit(&mut writer).expect("a commit");
    }
    engine.close().expect("files");
    drop(engine);
    disk.trace();
    let engine = open(&disk);
    assert_eq!(engine.recovery().groups, 0);
    let read: u64 = disk
        .take_trace()
        .iter()
        .filter(|call| call.operation == Operation::Read && call.file.starts_with("gaplock.log"))
        .map(|call| call.length)
        .sum();
    // The heads of its files, and no record.
    assert!(read <= 4096, "{read} bytes");
    assert_eq!(
        read_table(
            &engine,
            &mut begin(&engine),
            &engine.table("t").expect("it")
        )
        .expect("rows")
        .len(),
        100
    );
}

/// Two engines on one disk would overwrite each other.
#[test]
fn a_second_opening_is_refused() {
    let disk = database();
    let first = open(&disk);
    let error = try_open(&disk).expect_err("it is in use");
    assert!(error.to_string().contains("in use"), "{error}");
    drop(first);
    open(&disk);
}

/// With the lazy flush policies a crash takes what was not flushed, and nothing else.
#[test]
fn flush_policies_promise_what_they_say() {
    for (policy, survives_power) in [
        (FlushAtCommit::Sync, true),
        (FlushAtCommit::Write, false),
        (FlushAtCommit::Lazily, false),
    ] {
        let disk = database();
        let engine = open(&disk);
        engine.set_flush_at_commit(policy);
        let mut writer = begin(&engine);
        insert(&engine, &mut writer, 1, 10).expect("a row");
        engine.commit(&mut writer).expect("a commit");
        let rows = |disk: FaultDisk| {
            let engine = open(&Arc::new(disk));
            read(&engine, &mut begin(&engine)).expect("rows").len()
        };
        assert_eq!(rows(disk.without_unsynced()), usize::from(survives_power));
        // Handed to the system, it survives the program.
        let survives_kill = policy != FlushAtCommit::Lazily;
        assert_eq!(rows(disk.with_unsynced()), usize::from(survives_kill));
        engine.flush_log().expect("a flush");
        assert_eq!(rows(disk.without_unsynced()), 1);
    }
}
