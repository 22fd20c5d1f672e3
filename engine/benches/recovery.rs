//! How long it takes to open a database: after a kill, by the amount of log that there is to be done
//! again; and after closing it in good order.
//!
//! ```text
//! cargo bench -p gaplock-engine --bench recovery
//! ```

#![allow(clippy::print_stdout, reason = "a benchmark prints what it measured")]
#![expect(clippy::disallowed_methods, reason = "time is what is measured")]

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use gaplock_engine::{
    blocking::Driver,
    db::{Durability, Engine, EngineConfig},
    profile::find,
    row::{DuplicateMode, Insert},
    table::{Column, TableSpec},
    trx::Isolation,
    types::{Collation, ColumnType, Value},
};
use gaplock_wal::FileDisk;

const REPEATS: usize = 5;

fn open(directory: &Path) -> Engine {
    let config = EngineConfig::for_threads(find("mysql-8.0.30").expect("a profile"));
    let durability = Durability {
        checkpoint_after: 1 << 40,
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
        characters: 100,
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

/// A database that is killed when so much log was written since its last checkpoint; how much it was.
fn kill(directory: &Path, megabytes: u64) -> u64 {
    let engine = open(directory);
    let table = engine.create_table(spec()).expect("a table");
    engine.checkpoint().expect("a checkpoint");
    let driver = Driver::new(&engine);
    let mut trx = engine.begin(Isolation::ReadCommitted);
    let mut id = 0;
    let since = || {
        let (redo, end) = engine.log_positions();
        end - redo
    };
    while since() < megabytes << 20 {
        let row = vec![Value::Int(id), Value::Text("y".repeat(100))];
        let mut insert = Insert::new(table.clone(), row, DuplicateMode::Error);
        driver
            .run(&mut trx, |engine, trx| insert.step(engine, trx))
            .expect("an insertion");
        id += 1;
        if id % 1000 == 0 {
            engine.commit(&mut trx).expect("a commit");
        }
    }
    engine.commit(&mut trx).expect("a commit");
    since()
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a directory");
    for entry in std::fs::read_dir(from).expect("a directory") {
        let path = entry.expect("a file").path();
        std::fs::copy(&path, to.join(path.file_name().expect("a name"))).expect("a copy");
    }
}

/// How long it takes to open fresh copies of a directory: the median.
fn measure(directory: &Path) -> Duration {
    let mut times: Vec<Duration> = (0..REPEATS)
        .map(|at| {
            let fresh = directory.with_extension(format!("copy{at}"));
            copy(directory, &fresh);
            let start = Instant::now();
            let engine = open(&fresh);
            let taken = start.elapsed();
            drop(engine);
            std::fs::remove_dir_all(&fresh).expect("a directory of our own");
            taken
        })
        .collect();
    times.sort();
    times[times.len() / 2]
}

fn main() {
    let base: PathBuf =
        std::env::temp_dir().join(format!("gaplock-recovery-{}", std::process::id()));
    println!(
        "{:>10} {:>16} {:>14} {:>16}",
        "log, MiB", "open killed, ms", "MiB a second", "open closed, ms"
    );
    for megabytes in [1, 10, 40] {
        let directory = base.join(megabytes.to_string());
        let bytes = kill(&directory, megabytes);
        let killed = measure(&directory);
        let engine = open(&directory);
        engine.close().expect("files");
        drop(engine);
        let closed = measure(&directory);
        let size = bytes as f64 / f64::from(1 << 20);
        println!(
            "{size:>10.1} {:>16.2} {:>14.0} {:>16.2}",
            killed.as_secs_f64() * 1e3,
            size / killed.as_secs_f64(),
            closed.as_secs_f64() * 1e3,
        );
    }
    std::fs::remove_dir_all(&base).expect("a directory of our own");
}
