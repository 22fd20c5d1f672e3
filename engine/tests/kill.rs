//! kill -9 of a process whose threads commit to real files, again and again (FAULTS.md's B9): every
//! acknowledged commit is there afterwards, none is there by half, and everything is sound.
//!
//! The process is this test binary itself. Each of its threads commits numbered transactions on rows
//! of its own and says so on standard output once a commit is acknowledged; one of them makes
//! checkpoints and purges as it goes, and rows are long enough to split pages. It is killed after a
//! number of acknowledgements that comes from a seed; no time is measured.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
};

use gaplock_engine::{
    blocking::Driver,
    db::{Durability, Engine, EngineConfig},
    error::Error,
    profile,
    row::{
        Access, Delete, DuplicateMode, Insert, LockStrength, NoFilter, Scan, ScanSpec, Update,
        WaitPolicy,
    },
    table::{Column, IndexSpec, Table, TableSpec},
    trx::{Isolation, Trx},
    types::{Collation, ColumnType, Value},
};
use gaplock_wal::{FileDisk, LogSettings};

const ROUNDS: u64 = 100;
const THREADS: usize = 8;
const SEED: u64 = 20_231_105;
/// Says to the process in which directory it works, and with which transactions it begins.
const DIRECTORY: &str = "GAPLOCK_KILL_DIRECTORY";
const BEGIN: &str = "GAPLOCK_KILL_BEGIN";

type Rows = BTreeMap<i128, String>;

fn key(thread: usize, number: u64) -> i128 {
    i128::from(number) * THREADS as i128 + thread as i128
}

fn text(key: i128, version: u64) -> String {
    let length = (key as u64 * 37 + version * 101) % 1500;
    format!("{version}.{key}.{}", "x".repeat(length as usize))
}

/// What a thread's transaction does: rows by key, `None` to delete.
fn changes(thread: usize, number: u64) -> Vec<(i128, Option<String>)> {
    let mut all = vec![(key(thread, number), Some(text(key(thread, number), 0)))];
    if number % 3 == 2 {
        let old = key(thread, number - 1);
        all.push((old, Some(text(old, number))));
    }
    if number >= 8 && !number.is_multiple_of(4) {
        all.push((key(thread, number - 8), None));
    }
    all
}

fn apply(rows: &mut Rows, changes: &[(i128, Option<String>)]) {
    for (key, text) in changes {
        match text {
            Some(text) => rows.insert(*key, text.clone()),
            None => rows.remove(key),
        };
    }
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
        characters: 2000,
        collation: Collation::Latin1,
    };
    TableSpec {
        name: "t".into(),
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

fn open(directory: &Path) -> Result<Engine, Error> {
    let durability = Durability {
        log: LogSettings {
            segment_bytes: 256 * 1024,
            spare_segments: 2,
        },
        checkpoint_after: 512 * 1024,
        ..Durability::default()
    };
    let config = EngineConfig {
        pool_frames: 96,
        ..EngineConfig::for_threads(profile::find("mysql-8.0.30").expect("a profile"))
    };
    let disk = FileDisk::open(directory).map_err(|error| Error::Store(error.into()))?;
    Engine::open(config.durable(durability), Arc::new(disk))
}

/// One transaction; the row's present text is read by its own thread only.
fn commit(
    driver: &Driver<'_>,
    table: &Arc<Table>,
    rows: &Rows,
    changes: &[(i128, Option<String>)],
) -> Result<(), Error> {
    let mut trx = driver.engine().begin(Isolation::ReadCommitted);
    let row = |key: i128, text: &str| vec![Value::Int(key), Value::Text(text.to_owned())];
    for (key, text) in changes {
        driver.engine().start_statement(&mut trx, "change");
        let Some(old) = rows.get(key) else {
            let new = row(*key, text.as_deref().unwrap_or_default());
            let mut insert = Insert::new(table.clone(), new, DuplicateMode::Error);
            driver.run(&mut trx, |engine, trx| insert.step(engine, trx))?;
            continue;
        };
        let old = row(*key, old);
        let reference = table.reference(&table.encode_row(&old)?);
        match text {
            Some(text) => {
                let (new, mode) = (row(*key, text), DuplicateMode::Error);
                let mut update = Update::new(table.clone(), reference, old, new, mode);
                driver.run(&mut trx, |engine, trx| update.step(engine, trx))?;
            }
            None => {
                let mut delete = Delete::new(table.clone(), reference, old);
                driver.run(&mut trx, |engine, trx| delete.step(engine, trx))?;
            }
        }
    }
    driver.engine().commit(&mut trx)
}

fn contents(engine: &Engine) -> Result<Rows, Error> {
    let mut scan = Scan::new(ScanSpec {
        table: engine.table("t").expect("the table"),
        index: 0,
        access: Access::Full { backward: false },
        lock: LockStrength::None,
        wait: WaitPolicy::Wait,
        covering: false,
        pushed: false,
        semi_consistent: false,
    });
    let driver = Driver::new(engine);
    let mut trx: Trx = engine.begin(Isolation::RepeatableRead);
    let mut rows = Rows::new();
    while let Some(row) = driver.run(&mut trx, |engine, trx| scan.step(engine, trx, &NoFilter))? {
        let [Value::Int(key), Value::Text(text)] = &row.values[..] else {
            panic!("not a row of ours: {:?}", row.values);
        };
        rows.insert(*key, text.clone());
    }
    engine.commit(&mut trx)?;
    Ok(rows)
}

/// The process that is killed. Without its directory there is nothing to do.
#[test]
#[ignore = "started by the other test"]
fn worker() {
    let (Ok(directory), Ok(begin)) = (std::env::var(DIRECTORY), std::env::var(BEGIN)) else {
        return;
    };
    let begin: Vec<u64> = begin
        .split(',')
        .map(|n| n.parse().expect("a number"))
        .collect();
    let engine = open(Path::new(&directory)).expect("a sound database");
    let table = engine.table("t").expect("the table");
    let all = contents(&engine).expect("rows");
    let driver = Driver::new(&engine);
    std::thread::scope(|scope| {
        for (thread, begin) in begin.iter().copied().enumerate() {
            let (table, all) = (&table, &all);
            scope.spawn(move || {
                let own = |(key, _): &(&i128, &String)| **key % THREADS as i128 == thread as i128;
                let mut rows: Rows = all
                    .iter()
                    .filter(own)
                    .map(|(k, t)| (*k, t.clone()))
                    .collect();
                for number in begin.. {
                    let changes = changes(thread, number);
                    commit(&driver, table, &rows, &changes).expect("a commit");
                    apply(&mut rows, &changes);
                    let line = format!("acknowledged {thread} {number}\n");
                    std::io::stdout()
                        .write_all(line.as_bytes())
                        .expect("a pipe");
                    if thread == 0 && number % 8 == 7 {
                        driver.engine().checkpoint().expect("a checkpoint");
                        driver.engine().purge().expect("a purge");
                    }
                }
            });
        }
    });
}

/// A directory of this test's own, removed at the end.
struct Directory(PathBuf);

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Lets the process work until it has acknowledged so many commits, and kills it. Returns the number
/// of transactions acknowledged by each thread, the earlier ones included.
fn run_and_kill(directory: &Path, begin: &[u64], after: u64) -> Vec<u64> {
    let list: Vec<String> = begin.iter().map(u64::to_string).collect();
    let mut child = Command::new(std::env::current_exe().expect("this test"))
        .args(["--exact", "worker", "--ignored", "--nocapture"])
        .env(DIRECTORY, directory)
        .env(BEGIN, list.join(","))
        .stdout(Stdio::piped())
        .spawn()
        .expect("a process");
    let mut acknowledged = begin.to_vec();
    let (mut count, mut killed) = (0, false);
    let output = BufReader::new(child.stdout.take().expect("a pipe"));
    for line in output.lines() {
        let line = line.expect("a line");
        // The harness's own words may stand before the first one.
        let Some((_, said)) = line.split_once("acknowledged ") else {
            continue;
        };
        // The last line may have been cut short.
        let Some((thread, number)) = said.split_once(' ') else {
            continue;
        };
        let thread: usize = thread.parse().expect("a thread");
        let number: u64 = number.parse().expect("a transaction");
        assert!(number <= acknowledged[thread], "acknowledged in order");
        acknowledged[thread] = acknowledged[thread].max(number + 1);
        count += 1;
        if count >= after && !killed {
            killed = true;
            child.kill().expect("a process that can be killed");
        }
    }
    let status = child.wait().expect("the process's end");
    assert!(killed, "it ended by itself after {count}: {status}");
    acknowledged
}

#[test]
fn what_was_acknowledged_outlives_the_process() {
    let name = format!("gaplock-kill-{}", std::process::id());
    let directory = Directory(std::env::temp_dir().join(name));
    let engine = open(&directory.0).expect("a new database");
    engine.create_table(spec()).expect("a table");
    engine.close().expect("files");
    drop(engine);
    eprintln!("seed {SEED}");
    let mut random = SEED;
    let mut done = vec![0_u64; THREADS];
    let mut models = vec![Rows::new(); THREADS];
    let (mut commits, mut in_doubt, mut rolled_back) = (0, 0, 0);
    for round in 0..ROUNDS {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let acknowledged = run_and_kill(&directory.0, &done, 1 + (random >> 33) % 120);
        let engine = open(&directory.0).expect("a sound database");
        rolled_back += engine.recovery().rolled_back;
        let check = engine.check().expect("pages that can be read");
        assert_eq!(check.problems, [""; 0], "round {round}");
        let found = contents(&engine).expect("rows");
        for thread in 0..THREADS {
            let own = |(key, _): &(&i128, &String)| **key % THREADS as i128 == thread as i128;
            let own: Rows = found
                .iter()
                .filter(own)
                .map(|(k, t)| (*k, t.clone()))
                .collect();
            for number in done[thread]..acknowledged[thread] {
                apply(&mut models[thread], &changes(thread, number));
                commits += 1;
            }
            done[thread] = acknowledged[thread];
            if own != models[thread] {
                // The commit under way may be there, whole.
                apply(&mut models[thread], &changes(thread, done[thread]));
                done[thread] += 1;
                in_doubt += 1;
                assert!(
                    own == models[thread],
                    "round {round}, thread {thread}: {done:?}"
                );
            }
        }
        if round % 10 == 9 {
            engine.close().expect("files");
        }
    }
    eprintln!("{commits} commits, {in_doubt} in doubt and there, {rolled_back} rolled back");
    assert!(commits > 20 * ROUNDS && rolled_back > 0);
}
