//! What was durable is read back; what was not ends the log; damage is told from both.

use std::sync::Arc;

use crate::{
    Checkpoint, Control, Disk, Log, LogError, LogRecord, LogScan, LogSettings, Lsn, MemoryDisk,
    fault::{Damage, FaultDisk},
};

const IDENTITY: u64 = 0x1234_5678;
const SMALL: LogSettings = LogSettings {
    segment_bytes: 16 * 1024,
    spare_segments: 2,
};

fn new_log() -> (Arc<MemoryDisk>, Log) {
    let disk = Arc::new(MemoryDisk::new());
    let log = Log::create(disk.clone(), IDENTITY, Lsn(0), SMALL).unwrap();
    (disk, log)
}

fn scan(disk: &dyn Disk, from: Lsn, durable: Lsn) -> Result<(Vec<LogRecord>, Lsn), LogError> {
    let mut scan = LogScan::open(disk, IDENTITY, from, durable)?;
    let mut records = Vec::new();
    while let Some(record) = scan.next()? {
        records.push(record);
    }
    Ok((records, scan.end()))
}

/// Bodies of many lengths, so that frames cross borders of chunks and segments.
fn body(n: usize) -> Vec<u8> {
    vec![n as u8; n * 37 % 3000]
}

#[test]
fn records_are_read_back_over_many_segments() {
    let (disk, log) = new_log();
    for n in 0..100 {
        let end = log.append((n % 200) as u8, &body(n));
        if n % 7 == 0 {
            log.make_durable(end).unwrap();
            assert!(log.durable() >= end);
        }
    }
    log.make_durable(log.end()).unwrap();
    let (records, end) = scan(&*disk, Lsn(0), log.end()).unwrap();
    assert_eq!(end, log.end());
    assert_eq!(records.len(), 100);
    let mut last = Lsn(0);
    for (n, record) in records.iter().enumerate() {
        assert_eq!((record.kind as usize, &record.body[..]), (n, &body(n)[..]));
        assert!(record.start >= last && record.end > record.start);
        last = record.end;
    }
    let (rest, _) = scan(&*disk, records[40].end, Lsn(0)).unwrap();
    assert_eq!(rest, records[41..]);
}

#[test]
fn a_resumed_log_goes_on_where_it_ended() {
    let (disk, log) = new_log();
    log.append(1, b"kept");
    log.make_durable(log.end()).unwrap();
    let end = log.end();
    log.append(1, &[7; 20_000]);
    log.make_written(log.end()).unwrap();
    assert!(log.durable() == end && log.written() == log.end());
    drop(log);
    let log = Log::resume(disk.clone(), IDENTITY, end, SMALL).unwrap();
    assert_eq!((log.end(), log.durable()), (end, end));
    let (records, found) = scan(&*disk, Lsn(0), end).unwrap();
    assert_eq!((records.len(), found), (1, end));
    log.append(2, b"later");
    log.make_durable(log.end()).unwrap();
    let (records, _) = scan(&*disk, Lsn(0), log.durable()).unwrap();
    assert_eq!(&*records[1].body, b"later");
}

#[test]
fn a_control_file_holds_the_last_checkpoint() {
    let disk = Arc::new(MemoryDisk::new());
    assert!(!Control::exists(&*disk).unwrap());
    let checkpoint = |n: u64| Checkpoint {
        redo: Lsn(n),
        durable: Lsn(n + 1),
        clean: true,
        state: vec![n as u8; n as usize * 1000].into(),
    };
    drop(Control::create(disk.clone(), IDENTITY, &checkpoint(3)).unwrap());
    assert!(Control::exists(&*disk).unwrap());
    for n in [9, 2, 5] {
        let (control, _) = Control::open(disk.clone()).unwrap();
        control.save(&checkpoint(n)).unwrap();
        let (control, found) = Control::open(disk.clone()).unwrap();
        assert_eq!(found, checkpoint(n));
        control.mark_in_use().unwrap();
        let (control, found) = Control::open(disk.clone()).unwrap();
        assert_eq!(control.identity(), IDENTITY);
        let expected = Checkpoint {
            clean: false,
            ..checkpoint(n)
        };
        assert_eq!(found, expected);
    }
}

/// Content of recycled segments stays, and here new records end exactly where an old one begins. It
/// names another position.
#[test]
fn old_records_of_recycled_segments_are_not_taken_for_new_ones() {
    let (disk, log) = new_log();
    log.prepare().unwrap();
    // A mark and a record fill half a segment.
    let half = vec![5; 6144 - 24 - 16];
    for round in 0..9 {
        let end = log.append(1, &half);
        log.make_durable(end).unwrap();
        assert_eq!(end, Lsn((round + 1) * 6144));
        let (records, found) = scan(&*disk, Lsn(round * 6144), end).unwrap();
        assert_eq!((records.len(), found), (1, end));
        log.forget_before(end).unwrap();
    }
}

/// C2: the last slot is damaged, and the one before says that the database was closed in order. By
/// now it may have been in use again.
#[test]
fn a_slot_that_is_left_alone_is_not_taken_as_clean() {
    let disk = Arc::new(FaultDisk::new());
    let clean = |n: u64| Checkpoint {
        redo: Lsn(n),
        durable: Lsn(n),
        clean: true,
        state: (*b"state")[..].into(),
    };
    let control = Control::create(disk.clone(), IDENTITY, &clean(0)).unwrap();
    control.save(&clean(8)).unwrap();
    control.save(&clean(16)).unwrap();
    let mut found = Vec::new();
    for offset in [0, 4096] {
        let disk = Arc::new(disk.copy());
        let damage = Damage::Zero {
            offset,
            length: 512,
        };
        disk.damage("gaplock.control", &damage).unwrap();
        let (_, checkpoint) = Control::open(disk).unwrap();
        assert!(!checkpoint.clean);
        found.push(checkpoint.redo);
    }
    found.sort();
    assert_eq!(found, [Lsn(8), Lsn(16)]);
}
