//! W11: bytes for each lock, by the memory that the process has more of afterwards. Linux only.
//!
//! `cargo bench -p gaplock-lockmgr --bench memory`
#![expect(clippy::print_stdout, reason = "a report is its purpose")]

use gaplock_lockmgr::{
    HeapNo, LockConfig, LockMode, LockSpan, LockTable, Micros, OnConflict, Origin, PageAddress,
    RecordAddress, RecordRequest, TrxId,
};

const LOCKS: u64 = 1_000_000;

/// Bytes of this process that are in memory.
fn resident() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("Linux has it");
    let pages = statm.split_whitespace().nth(1).expect("the second field");
    pages.parse::<u64>().expect("a number") * 4096
}

/// The bytes of each of a million locks, so many to a page.
fn bytes_per_lock(per_page: u64, keep_provenance: bool) -> f64 {
    let table = LockTable::new(LockConfig {
        keep_provenance,
        ..LockConfig::DEFAULT
    });
    table.begin(TrxId(1));
    let before = resident();
    for number in 0..LOCKS {
        let answer = table.request_record(&RecordRequest {
            trx: TrxId(1),
            at: RecordAddress {
                page: PageAddress {
                    space: 0,
                    page: (number / per_page) as u32,
                },
                heap: HeapNo(2 + (number % per_page) as u16),
            },
            mode: LockMode::X,
            span: LockSpan::Record,
            implicit: false,
            on_conflict: OnConflict::Wait(Micros::MAX),
            origin: Origin {
                statement: 1,
                step: (number / 5_000) as u32,
                reason: 1,
            },
        });
        assert!(answer.wakeups.is_empty());
    }
    (resident() - before) as f64 / LOCKS as f64
}

fn main() {
    for (what, per_page) in [
        ("dense, 400 to a page", 400),
        ("dense, 100 to a page", 100),
        ("lone", 1),
    ] {
        for provenance in [true, false] {
            let bytes = bytes_per_lock(per_page, provenance);
            println!("{what}, provenance {provenance}: {bytes:.2} bytes a lock");
        }
    }
}
