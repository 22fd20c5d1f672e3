//! A real process on real files is killed while eight threads commit, again and again: every commit
//! that it acknowledged is there, nothing is there by halves, and the files are sound.
//!
//! Each thread owns keys of its own. Its transactions are numbered: one puts a row of that number in,
//! takes the one [`KEPT`] numbers older out, and writes the number into the thread's row of `progress`;
//! so the number found there says exactly which rows must be. Rows are of many lengths, so that pages
//! split and merge; the pool, the log's files and the distance of checkpoints are small.

#![allow(
    clippy::print_stdout,
    reason = "a battery prints the counts that it reached"
)]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use gaplock::{Connection, Database};
use gaplock_engine::db::{Durability, EngineConfig};
use gaplock_engine::profile::find;
use gaplock_engine::types::Value;
use gaplock_wal::{FileDisk, LogSettings};

const ROUNDS: u64 = 100;
const THREADS: i128 = 8;
/// Rows that a thread has at a time.
const KEPT: i128 = 40;
/// Numbers that a thread's keys leave to the next thread's.
const KEYS: i128 = 1_000_000_000;
/// Longest life of a process, in milliseconds.
const LIFE_MAX: u64 = 150;
const SEED: u64 = 0x6b69_6c6c;

/// Tells this program, when it is run again, that it is to commit until it is killed, and where.
const WORKER: &str = "GAPLOCK_KILL_WORKER";

fn open(directory: &Path) -> Database {
    let config = EngineConfig {
        pool_frames: 48,
        ..EngineConfig::for_threads(find("mysql-8.0.30").expect("a profile"))
    };
    let durability = Durability {
        log: LogSettings {
            segment_bytes: 256 * 1024,
            spare_segments: 1,
        },
        checkpoint_after: 512 * 1024,
        ..Durability::default()
    };
    let disk = FileDisk::open(directory).expect("a directory");
    Database::with_config(config.durable(durability), Arc::new(disk)).expect("a database")
}

fn number(connection: &mut Connection, sql: &str) -> i128 {
    let result = connection.execute(sql).expect(sql);
    match result.rows.first().map(|row| &row[0]) {
        Some(Value::Int(number)) => *number,
        other => panic!("{sql}: {other:?}"),
    }
}

/// A row's text: which row it is, and as long as its number says.
fn text(thread: i128, at: i128) -> String {
    let length = (at * 7919 + thread * 104_729) % 2900;
    format!("{thread}-{at}-{}", "q".repeat(length as usize))
}

/// Not a test of its own: what the killed process does.
#[test]
fn worker() {
    let Some(directory) = std::env::var_os(WORKER) else {
        return;
    };
    let database = open(Path::new(&directory));
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let mut connection = database.connect();
            scope.spawn(move || commit_for_ever(&mut connection, thread));
        }
    });
}

fn commit_for_ever(connection: &mut Connection, thread: i128) {
    let sql = format!("SELECT n FROM progress WHERE id = {thread}");
    let mut at = number(connection, &sql);
    loop {
        at += 1;
        let key = thread * KEYS + at;
        let old = key - KEPT;
        for sql in [
            "BEGIN".to_owned(),
            format!(
                "INSERT INTO t VALUES ({key}, {}, '{}')",
                at % 97,
                text(thread, at)
            ),
            format!("UPDATE progress SET n = {at} WHERE id = {thread}"),
            format!("DELETE FROM t WHERE id = {old}"),
            "COMMIT".to_owned(),
        ] {
            connection.execute(&sql).expect(&sql);
        }
        let line = format!("ack {thread} {at}\n");
        // One write, so that lines of threads do not mix.
        let mut out = std::io::stdout().lock();
        let told = out.write_all(line.as_bytes()).and_then(|()| out.flush());
        if told.is_err() {
            return;
        }
    }
}

/// Runs the worker for a while and kills it; the last number that each thread acknowledged.
fn live_and_die(directory: &Path, life: Duration) -> BTreeMap<i128, i128> {
    let program = std::env::current_exe().expect("this program");
    let mut child = Command::new(program)
        .args(["--exact", "worker", "--nocapture", "--test-threads=1"])
        .env(WORKER, directory)
        .stdout(Stdio::piped())
        .spawn()
        .expect("a process");
    let stdout = child.stdout.take().expect("it is piped");
    let heard = std::thread::spawn(move || {
        let mut acknowledged = BTreeMap::new();
        for line in BufReader::new(stdout).split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line).into_owned();
            let words: Vec<&str> = line.split_whitespace().collect();
            if let ["ack", thread, at] = words[..] {
                let numbers = (thread.parse::<i128>(), at.parse::<i128>());
                let (Ok(thread), Ok(at)) = numbers else {
                    continue;
                };
                acknowledged.insert(thread, at);
            }
        }
        acknowledged
    });
    std::thread::sleep(life);
    child.kill().expect("it runs until it is killed");
    child.wait().expect("it is gone");
    heard.join().expect("lines")
}

#[derive(Debug, Default)]
struct Counts {
    rounds: u64,
    acknowledged: i128,
    redone: u64,
    rolled_back: u64,
    recovered: u64,
}

/// Opens what the killed process has left, and looks whether all is there.
fn look(directory: &Path, acknowledged: &BTreeMap<i128, i128>, counts: &mut Counts) {
    let database = open(directory);
    let report = database.server().engine.recovery();
    counts.rounds += 1;
    counts.redone += report.groups;
    counts.rolled_back += report.rolled_back;
    counts.recovered += u64::from(report.groups > 0);
    let check = database
        .server()
        .engine
        .check()
        .expect("pages that can be read");
    assert_eq!(check.problems, Vec::<String>::new());
    let mut connection = database.connect();
    for thread in 0..THREADS {
        let sql = format!("SELECT n FROM progress WHERE id = {thread}");
        let last = number(&mut connection, &sql);
        let promised = acknowledged.get(&thread).copied().unwrap_or(0);
        assert!(
            last >= promised,
            "thread {thread}: {promised} was acknowledged, {last} is there"
        );
        let (low, high) = (thread * KEYS, (thread + 1) * KEYS);
        let sql = format!("SELECT id, a, s FROM t WHERE id > {low} AND id < {high} ORDER BY id");
        let rows = connection.execute(&sql).expect(&sql).rows;
        let wanted: Vec<_> = ((last - KEPT + 1).max(1)..=last)
            .map(|at| {
                let text = Value::Text(text(thread, at));
                vec![Value::Int(low + at), Value::Int(at % 97), text]
            })
            .collect();
        assert!(
            rows == wanted,
            "thread {thread}: rows up to {last} are not as they were"
        );
    }
}

#[test]
fn what_was_acknowledged_outlives_the_process() {
    let name = format!("gaplock-kill-{}", std::process::id());
    let directory: PathBuf = std::env::temp_dir().join(name);
    {
        let database = open(&directory);
        let mut connection = database.connect();
        for sql in [
            "CREATE TABLE t (id BIGINT PRIMARY KEY, a INT, s VARCHAR(3000), KEY ka (a))",
            "CREATE TABLE progress (id INT PRIMARY KEY, n BIGINT)",
        ] {
            connection.execute(sql).expect(sql);
        }
        for thread in 0..THREADS {
            let sql = format!("INSERT INTO progress VALUES ({thread}, 0)");
            connection.execute(&sql).expect(&sql);
        }
    }
    println!("seed {SEED:#x}");
    let mut random = SEED;
    let mut counts = Counts::default();
    let mut before: BTreeMap<i128, i128> = BTreeMap::new();
    for _ in 0..ROUNDS {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let life = Duration::from_millis(30 + random % LIFE_MAX);
        let acknowledged = live_and_die(&directory, life);
        for (thread, at) in &acknowledged {
            counts.acknowledged += at - before.insert(*thread, *at).unwrap_or(0).min(*at);
        }
        look(&directory, &before, &mut counts);
    }
    println!("{counts:?}");
    std::fs::remove_dir_all(&directory).expect("a directory of our own");
    assert!(counts.acknowledged >= i128::from(ROUNDS) * THREADS);
    assert!(counts.recovered >= ROUNDS * 8 / 10);
}
