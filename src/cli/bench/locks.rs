//! `gaplock bench locks`: W8, W9 and W11 of docs/PERFORMANCE.md in a few seconds. The criterion benches
//! of the lock manager measure the same with more care.

use std::hint::black_box;
use std::time::{Duration, Instant};

use gaplock::lockmgr::{
    Beyond, DetectorKind, HeapNo, LockConfig, LockMode, LockSpan, LockTable, Micros, OnConflict,
    Origin, PageAddress, RecordAddress, RecordRequest, TrxId,
};
use parking_lot::Mutex;
use rustc_hash::FxHashMap;
use serde_json::json;

use super::super::output::{Output, Tone};
use super::args::BenchLocksArguments;

/// Records of one page.
const HEAPS: u64 = 100;

/// Locks that each transaction takes.
const LOCKS: u64 = 16;

/// Transactions in one turn of a measurement.
const TURN: u64 = 2_000;

fn request(trx: u64, record: u64) -> RecordRequest {
    RecordRequest {
        trx: TrxId(trx),
        at: RecordAddress {
            page: PageAddress {
                space: 0,
                page: 4 + (record / HEAPS) as u32,
            },
            heap: HeapNo(2 + (record % HEAPS) as u16),
        },
        mode: LockMode::X,
        span: LockSpan::Record,
        implicit: false,
        on_conflict: OnConflict::Wait(Micros::MAX),
        origin: Origin {
            statement: 1,
            step: 1,
            reason: 1,
        },
    }
}

type Map = Vec<Mutex<FxHashMap<u64, u64>>>;

fn shard(map: &Map, record: u64) -> &Mutex<FxHashMap<u64, u64>> {
    &map[(record.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 58) as usize]
}

/// Locks and releases a second: what a thread does until its time is over, by turns.
fn rate(threads: u64, duration: Duration, turn: impl Fn(u64, u64) + Sync) -> f64 {
    #[expect(clippy::disallowed_methods, reason = "time is measured here")]
    let now = Instant::now;
    let begin = now();
    let turns: u64 = std::thread::scope(|scope| {
        let run = |thread: u64| {
            let turn = &turn;
            scope.spawn(move || {
                let mut turns = 0;
                while begin.elapsed() < duration {
                    turn(thread, turns);
                    turns += 1;
                }
                turns
            })
        };
        let spawned: Vec<_> = (0..threads).map(run).collect();
        let joined = spawned.into_iter().map(|thread| thread.join());
        joined.map(|turns| turns.unwrap_or(0)).sum()
    });
    (turns * TURN * LOCKS) as f64 / begin.elapsed().as_secs_f64()
}

/// The records of a thread's transaction: each on a page of its own.
fn record(thread: u64, number: u64, at: u64) -> u64 {
    (thread * 1_000_000 + (number * 7 + at) % 10_000) * HEAPS
}

fn map_turn(map: &Map, thread: u64) {
    for number in 0..TURN {
        for at in 0..LOCKS {
            let record = record(thread, number, at);
            shard(map, record).lock().insert(record, thread);
        }
        for at in 0..LOCKS {
            let record = record(thread, number, at);
            shard(map, record).lock().remove(&record);
        }
    }
}

fn table_turn(table: &LockTable, thread: u64, threads: u64, turn: u64) {
    for number in 0..TURN {
        let trx = (turn * TURN + number) * threads + thread + 1;
        table.begin(TrxId(trx));
        for at in 0..LOCKS {
            let answer = table.request_record(&request(trx, record(thread, number, at)));
            debug_assert!(answer.wakeups.is_empty());
        }
        let _ = table.release_all(TrxId(trx));
    }
}

/// Transactions that have a record each, and all but the last wait for the next one's.
fn open_ring(members: u64) -> LockTable {
    let table = LockTable::new(LockConfig {
        detector: DetectorKind::DepthFirst {
            depth: 4096,
            steps: 1_000_000,
            beyond: Beyond::RequesterDies,
        },
        ..LockConfig::DEFAULT
    });
    for trx in 0..members {
        table.begin(TrxId(trx + 1));
        let _ = table.request_record(&request(trx + 1, trx * HEAPS));
    }
    for trx in 0..members - 1 {
        let _ = table.request_record(&request(trx + 1, (trx + 1) * HEAPS));
    }
    table
}

/// Microseconds from the closing request to its answer: the median of many rings.
#[expect(clippy::disallowed_methods, reason = "time is measured here")]
fn cycle_us(members: u64) -> f64 {
    let mut times: Vec<Duration> = (0..200)
        .map(|_| {
            let table = open_ring(members);
            let begin = Instant::now();
            let _ = black_box(table.request_record(&request(members, 0)));
            begin.elapsed()
        })
        .collect();
    times.sort_unstable();
    times[times.len() / 2].as_secs_f64() * 1e6
}

pub(in crate::cli) fn locks(arguments: &BenchLocksArguments, output: &mut Output) {
    let duration = Duration::from_millis(arguments.milliseconds.max(1));
    let mut rates = Vec::new();
    for threads in [1, 2] {
        let map: Map = (0..64).map(|_| Mutex::default()).collect();
        let of_map = rate(threads, duration, |thread, _| map_turn(&map, thread));
        let table = LockTable::new(LockConfig::DEFAULT);
        let of_table = rate(threads, duration, |thread, turn| {
            table_turn(&table, thread, threads, turn);
        });
        rates.push((threads, of_map, of_table));
    }
    let cycles: Vec<(u64, f64)> = [2, 8, 64, 512].map(|n| (n, cycle_us(n))).to_vec();
    if arguments.json {
        let rates: Vec<_> = rates
            .iter()
            .map(|(threads, map, table)| {
                json!({"threads": threads, "map_per_second": map, "table_per_second": table})
            })
            .collect();
        let cycles: Vec<_> = cycles
            .iter()
            .map(|(members, us)| json!({"members": members, "microseconds": us}))
            .collect();
        output.json(&json!({"w8": rates, "w9": cycles}));
        return;
    }
    output.toned(
        Tone::Heading,
        "uncontended lock and release, millions a second (W8)",
    );
    for (threads, map, table) in rates {
        output.line(&format!(
            "{threads} thread{}: {:.1}; a sharded hash map {:.1}; {:.0} %",
            if threads == 1 { "" } else { "s" },
            table / 1e6,
            map / 1e6,
            100.0 * table / map,
        ));
    }
    output.toned(
        Tone::Heading,
        "\nfrom the request that closes a cycle to its victim, microseconds (W9)",
    );
    for (members, us) in cycles {
        output.line(&format!("{members:>4} members: {us:.1}"));
    }
}
