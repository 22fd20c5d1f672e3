//! The lock table's speed: W8 (uncontended locks beside a sharded hash map), W9 (from the request that
//! closes a cycle to its victim), W11 (bytes for each lock). What the figures mean is told in
//! docs/PERFORMANCE.md.
//!
//! `cargo bench -p gaplock-lockmgr --bench locks`

#![expect(clippy::disallowed_methods, reason = "time is measured here")]

use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use gaplock_lockmgr::{
    Beyond, DetectorKind, HeapNo, LockConfig, LockMode, LockSpan, LockTable, Micros, OnConflict,
    Origin, Outcome, PageAddress, RecordAddress, RecordRequest, TrxId,
};
use parking_lot::Mutex;
use rustc_hash::FxHashMap;

/// Records of one page.
const HEAPS: u64 = 100;

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

/// What W8 is measured against: record to owner, in as many shards.
struct Map {
    shards: Vec<Mutex<FxHashMap<u64, u64>>>,
}

impl Map {
    fn new() -> Self {
        Map {
            shards: (0..64).map(|_| Mutex::default()).collect(),
        }
    }

    fn shard(&self, record: u64) -> &Mutex<FxHashMap<u64, u64>> {
        &self.shards[(record.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 58) as usize]
    }

    fn pass(&self, owner: u64, records: &[u64]) {
        for &record in records {
            let before = self.shard(record).lock().insert(record, owner);
            assert!(before.is_none());
        }
        for &record in records.iter().rev() {
            self.shard(record).lock().remove(&record);
        }
    }
}

fn pass(table: &LockTable, trx: u64, records: &[u64]) {
    table.begin(TrxId(trx));
    for &record in records {
        let answer = table.request_record(&request(trx, record));
        assert_eq!(answer.outcome, Outcome::Granted { newly: true });
    }
    assert!(table.release_all(TrxId(trx)).is_empty());
}

/// Lists of records: near each other or each on a page of its own, and apart for each thread.
fn lists(length: u64, spread: u64, thread: u64) -> Vec<Vec<u64>> {
    (0..512)
        .map(|list| {
            let first = thread * 100_000_000 + list * length * spread * 7;
            (0..length).map(|at| first + at * spread).collect()
        })
        .collect()
}

/// The time that `threads` threads take for that many passes each.
fn timed(threads: u64, passes: u64, one: impl Fn(u64, u64) + Sync) -> Duration {
    let begin = Instant::now();
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let one = &one;
            scope.spawn(move || (0..passes).for_each(|number| one(thread, number)));
        }
    });
    begin.elapsed()
}

fn w8(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("w8");
    for threads in [1, 2] {
        for (length, spread) in [(1, 1), (16, 1), (16, HEAPS)] {
            let records: Vec<_> = (0..threads).map(|t| lists(length, spread, t)).collect();
            let of = |thread: u64, number: u64| &records[thread as usize][number as usize % 512];
            let name = format!("{length}-by-{spread}-threads-{threads}");
            group.throughput(Throughput::Elements(length * threads));
            group.bench_function(BenchmarkId::new("map", &name), |bencher| {
                let map = Map::new();
                bencher.iter_custom(|passes| timed(threads, passes, |t, n| map.pass(n, of(t, n))));
            });
            group.bench_function(BenchmarkId::new("table", &name), |bencher| {
                let table = LockTable::new(LockConfig::DEFAULT);
                let next = AtomicU64::new(1);
                bencher.iter_custom(|passes| {
                    let first = next.fetch_add(threads * passes, Ordering::Relaxed);
                    timed(threads, passes, |t, n| {
                        pass(&table, first + n * threads + t, of(t, n));
                    })
                });
            });
        }
    }
    group.finish();
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
        let answer = table.request_record(&request(trx + 1, (trx + 1) * HEAPS));
        assert_eq!(answer.outcome, Outcome::Waiting);
    }
    table
}

fn w9(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("w9");
    for members in [2, 8, 64, 512] {
        group.bench_function(BenchmarkId::new("dfs", members), |bencher| {
            bencher.iter_batched_ref(
                || open_ring(members),
                |table| black_box(table.request_record(&request(members, 0))),
                BatchSize::LargeInput,
            );
        });
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .measurement_time(Duration::from_secs(2))
        .warm_up_time(Duration::from_millis(500))
        .sample_size(20);
    targets = w8, w9
}
criterion_main!(benches);
