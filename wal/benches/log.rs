//! What an append costs, and what group commit makes of a disk's syncs.
//!
//! `cargo bench -p gaplock-wal --bench log`
//!
//! Besides criterion's figures it prints, for 1, 8 and 32 threads, the commits in a second and their
//! ratio to one thread that does no more than `pwrite` and `fdatasync` into a file of the same kind,
//! in the same directory (that of temporary files: set `TMPDIR` to a real disk).

#![expect(clippy::disallowed_methods, reason = "it measures time")]

use std::{
    hint::black_box,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use gaplock_wal::{Disk, FileDisk, Log, LogSettings, Lsn};

/// About what a small transaction's mini-transactions write, in bytes.
const BODY: [u8; 200] = [7; 200];

/// A directory of this run's own, removed at the end.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let name = format!("gaplock-bench-{}-{name}", std::process::id());
        Self(std::env::temp_dir().join(name))
    }

    fn disk(&self) -> Arc<FileDisk> {
        Arc::new(FileDisk::open(&self.0).expect("a directory for temporary files"))
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn log_on(directory: &Directory) -> Log {
    let log = Log::create(directory.disk(), 1, Lsn(0), LogSettings::default()).expect("a log");
    log.prepare().expect("spare segments");
    log
}

fn appends(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("append");
    group.throughput(Throughput::Bytes(BODY.len() as u64));
    let counter = AtomicU64::new(0);
    group.bench_function("an atomic counter, to compare", |bencher| {
        bencher.iter(|| counter.fetch_add(black_box(&BODY).len() as u64, Ordering::AcqRel));
    });
    let discarding = Log::discarding(Lsn(0));
    group.bench_function("discarding", |bencher| {
        bencher.iter(|| discarding.append(1, black_box(&BODY)));
    });
    let directory = Directory::new("append");
    let log = log_on(&directory);
    group.bench_function("files, without writing them", |bencher| {
        bencher.iter_custom(|n| append_only(&log, n));
    });
    group.finish();
}

/// Appends alone; what they piled up is written between the measurements.
fn append_only(log: &Log, count: u64) -> Duration {
    const BATCH: u64 = 4096;
    let mut elapsed = Duration::ZERO;
    for batch in 0..count.div_ceil(BATCH) {
        let begin = Instant::now();
        for _ in 0..BATCH.min(count - batch * BATCH) {
            log.append(1, black_box(&BODY));
        }
        elapsed += begin.elapsed();
        log.make_durable(log.end()).expect("durable");
        log.forget_before(log.durable()).expect("forgotten");
        log.prepare().expect("spare segments");
    }
    elapsed
}

/// So many threads append and wait, each as often as its share of `commits` says.
fn commit(log: &Log, threads: u64, commits: u64) -> Duration {
    let begin = Instant::now();
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let mine = commits / threads + u64::from(thread < commits % threads);
            scope.spawn(move || {
                for _ in 0..mine {
                    let end = log.append(1, &BODY);
                    log.make_durable(end).expect("durable");
                }
            });
        }
    });
    let elapsed = begin.elapsed();
    log.forget_before(log.durable()).expect("forgotten");
    log.prepare().expect("spare segments");
    elapsed
}

/// What the disk can do: one thread, one file that has its length, a write and a sync each.
fn raw(disk: &FileDisk, syncs: u64) -> Duration {
    let file = disk.open("raw", true).expect("a file");
    let length = 16 << 20;
    file.write_at(0, &vec![0; length]).expect("written");
    file.sync().expect("synced");
    let begin = Instant::now();
    for number in 0..syncs {
        let offset = number * 240 % (length as u64 - 240);
        file.write_at(offset, &BODY).expect("written");
        file.sync().expect("synced");
    }
    begin.elapsed()
}

fn commits(criterion: &mut Criterion) {
    let directory = Directory::new("commit");
    let disk = directory.disk();
    let log = log_on(&directory);
    let mut group = criterion.benchmark_group("commit");
    group.throughput(Throughput::Elements(1)).sample_size(10);
    group.bench_function("raw", |bencher| bencher.iter_custom(|n| raw(&disk, n)));
    for threads in [1, 8, 32] {
        group.bench_function(format!("{threads} threads"), |bencher| {
            bencher.iter_custom(|n| commit(&log, threads, n));
        });
    }
    group.finish();
    ratios(&disk, &log);
}

/// Rounds in turn, so that a disk that is slow for a while is slow for all; medians.
fn ratios(disk: &FileDisk, log: &Log) {
    const ROUNDS: usize = 5;
    const SYNCS: u64 = 300;
    let threads = [1, 8, 32];
    let mut rates: [Vec<f64>; 4] = Default::default();
    let rate = |count: u64, elapsed: Duration| count as f64 / elapsed.as_secs_f64();
    for _ in 0..ROUNDS {
        rates[0].push(rate(SYNCS, raw(disk, SYNCS)));
        for (threads, rates) in threads.iter().zip(&mut rates[1..]) {
            let commits = SYNCS * threads;
            rates.push(rate(commits, commit(log, *threads, commits)));
        }
    }
    let medians = rates.map(|mut rates| {
        rates.sort_by(f64::total_cmp);
        rates[ROUNDS / 2]
    });
    eprintln!("raw: {:.0} syncs/s", medians[0]);
    for (threads, median) in threads.iter().zip(&medians[1..]) {
        let ratio = median / medians[0];
        eprintln!("{threads:2} threads: {median:.0} commits/s, {ratio:.2} times raw");
    }
}

criterion_group!(benches, appends, commits);
criterion_main!(benches);
