//! Calls that fail.

use std::{collections::BTreeSet, io::ErrorKind, sync::Arc};

use gaplock_wal::fault::{
    Calls, CrashSettings, Fault, FaultDisk, Operation, Reason, SyncFault, Times,
};
use gaplock_wal::{Disk, DiskFile};

const EIO: Fault = Fault::Error(Reason::InputOutput);

fn open(disk: &FaultDisk) -> Arc<dyn DiskFile> {
    disk.open("data", true).unwrap()
}

/// What a power loss now can leave of the file.
fn after_crash(disk: &FaultDisk) -> BTreeSet<Option<String>> {
    disk.crash_states(&CrashSettings::default())
        .map(|state| state.disk.content("data"))
        .map(|content| content.map(|bytes| String::from_utf8(bytes).unwrap()))
        .collect()
}

fn just(content: &str) -> BTreeSet<Option<String>> {
    BTreeSet::from([Some(content.to_owned())])
}

#[test]
fn calls_fail_once_or_for_ever() {
    let disk = FaultDisk::new();
    let file = open(&disk);
    disk.fail(
        Calls::of(Operation::Write).on("da").after(1),
        EIO,
        Times::Once,
    );
    file.write_at(0, b"a").unwrap();
    let error = file.write_at(1, b"b").unwrap_err();
    assert_eq!((error.operation, error.file.as_str()), ("write", "data"));
    file.write_at(2, b"c").unwrap();
    assert_eq!(disk.content("data").unwrap(), b"a\0c");
    assert_eq!(disk.struck(), 1);
    disk.fail(Calls::from(disk.calls() + 1), EIO, Times::Forever);
    file.sync().unwrap();
    for _ in 0..2 {
        file.sync().unwrap_err();
        file.len().unwrap_err();
        file.set_len(0).unwrap_err();
        file.read_at(0, &mut [0]).unwrap_err();
        disk.open("data", false).unwrap_err();
        disk.list().unwrap_err();
        disk.rename("data", "x").unwrap_err();
        disk.remove("data").unwrap_err();
        disk.sync_directory().unwrap_err();
    }
    disk.heal();
    file.write_at(3, b"d").unwrap();
    assert_eq!(disk.content("data").unwrap(), b"a\0cd");
}

#[test]
fn a_call_may_be_done_and_fail_all_the_same() {
    let disk = FaultDisk::new();
    let file = open(&disk);
    let afterwards = Fault::ErrorAfterwards(Reason::NoSpace);
    disk.fail(Calls::of(Operation::Write), afterwards, Times::Once);
    let error = file.write_at(0, b"abc").unwrap_err();
    assert_eq!(error.kind, ErrorKind::StorageFull);
    disk.fail(Calls::of(Operation::Rename), afterwards, Times::Once);
    disk.rename("data", "other").unwrap_err();
    assert_eq!(disk.content("other").unwrap(), b"abc");
}

#[test]
fn reads_and_writes_stop_short() {
    let disk = FaultDisk::new();
    let file = open(&disk);
    let short = Fault::Short {
        bytes: 2,
        reason: Reason::InputOutput,
    };
    disk.fail(Calls::of(Operation::Write), short, Times::Once);
    file.write_at(0, b"abc").unwrap_err();
    assert_eq!(disk.content("data").unwrap(), b"ab");
    disk.fail(Calls::of(Operation::Read), short, Times::Once);
    file.write_at(0, b"xyz").unwrap();
    let mut buffer = *b"...";
    file.read_at(0, &mut buffer).unwrap_err();
    assert_eq!(&buffer, b"xy.");
}

#[test]
fn writes_go_astray_and_reads_are_wrong_without_a_word() {
    let disk = FaultDisk::new();
    let file = open(&disk);
    let write = || Calls::of(Operation::Write);
    file.write_at(0, b"abcdef").unwrap();
    disk.fail(write(), Fault::WriteLost, Times::Once);
    file.write_at(0, b"x").unwrap();
    disk.fail(write(), Fault::WriteMisplaced(3), Times::Once);
    file.write_at(0, b"yz").unwrap();
    assert_eq!(disk.content("data").unwrap(), b"abcyzf");
    let read = Calls::of(Operation::Read);
    disk.fail(read, Fault::ReadFlipped(9), Times::Once);
    let mut buffer = [0; 3];
    file.read_at(0, &mut buffer).unwrap();
    assert_eq!(&buffer, b"a`c");
    file.read_at(0, &mut buffer).unwrap();
    assert_eq!(&buffer, b"abc");
}

/// A disk that becomes full takes what fits, and all again when there is space.
#[test]
fn a_full_disk_takes_what_fits() {
    const CHUNK: usize = 16 * 1024;
    let disk = FaultDisk::new();
    let file = open(&disk);
    disk.set_capacity(Some(2 * CHUNK as u64 + 100));
    let error = file.write_at(1000, &[1; 3 * CHUNK]).unwrap_err();
    assert_eq!(error.kind, ErrorKind::StorageFull);
    assert_eq!(file.len().unwrap(), 2 * CHUNK as u64);
    file.write_at(0, &[2; 2 * CHUNK]).unwrap();
    file.set_len(10 * CHUNK as u64).unwrap();
    file.write_at(9 * CHUNK as u64, b"x").unwrap_err();
    assert_eq!(disk.allocated(), 2 * CHUNK as u64);
    file.set_len(CHUNK as u64).unwrap();
    file.write_at(9 * CHUNK as u64, b"x").unwrap();
    disk.set_capacity(None);
    file.write_at(5 * CHUNK as u64, b"x").unwrap();
    assert_eq!(disk.allocated(), 3 * CHUNK as u64);
}

/// A durable "old", overwritten by "new" and "er", whose sync fails so.
fn failed_sync(fault: Fault) -> (FaultDisk, Arc<dyn DiskFile>, bool) {
    let disk = FaultDisk::new();
    disk.put("data", b"old");
    let file = open(&disk);
    file.write_at(0, b"new").unwrap();
    disk.fail(Calls::of(Operation::Sync), fault, Times::Once);
    let succeeded = file.sync().is_ok();
    (disk, file, succeeded)
}

#[test]
fn a_sync_that_fails_plainly_can_be_tried_again() {
    let (disk, file, succeeded) = failed_sync(EIO);
    assert!(!succeeded && after_crash(&disk).len() > 1);
    file.sync().unwrap();
    assert_eq!(after_crash(&disk), just("new"));
}

/// The error was all the warning there is: the next sync succeeds and the bytes are lost.
#[test]
fn a_failed_sync_may_keep_in_cache_what_it_loses() {
    let (disk, file, succeeded) = failed_sync(Fault::Sync(SyncFault::KeptInCache));
    assert!(!succeeded);
    assert_eq!(disk.content("data").unwrap(), b"new");
    assert!(after_crash(&disk).is_superset(&just("new")));
    assert!(after_crash(&disk).is_superset(&just("old")));
    file.write_at(2, b"W").unwrap();
    file.sync().unwrap();
    assert_eq!(disk.content("data").unwrap(), b"neW");
    assert_eq!(after_crash(&disk), just("olW"));
    disk.drop_cache();
    assert_eq!(disk.content("data").unwrap(), b"olW");
}

#[test]
fn a_failed_sync_may_revert() {
    let (disk, file, succeeded) = failed_sync(Fault::Sync(SyncFault::Reverted));
    assert!(!succeeded);
    assert_eq!(disk.content("data").unwrap(), b"old");
    file.sync().unwrap();
    assert_eq!(after_crash(&disk), just("old"));
}

#[test]
fn a_failed_sync_may_be_reported_late_and_once() {
    let (disk, file, succeeded) = failed_sync(Fault::Sync(SyncFault::ReportedLate));
    assert!(succeeded);
    assert!(after_crash(&disk).is_superset(&just("old")));
    file.write_at(0, b"N").unwrap();
    file.sync().unwrap_err();
    assert!(after_crash(&disk).is_superset(&just("old")));
    file.write_at(1, b"E").unwrap();
    file.sync().unwrap();
    assert_eq!(disk.content("data").unwrap(), b"NEw");
    assert_eq!(after_crash(&disk), just("oEd"));
}

#[test]
fn a_sync_of_the_directory_fails_in_the_same_fashions() {
    let run = |fault| {
        let disk = FaultDisk::new();
        drop(open(&disk));
        let calls = Calls::of(Operation::SyncDirectory);
        disk.fail(calls, Fault::Sync(fault), Times::Once);
        let first = disk.sync_directory().is_ok();
        let seen = disk.content("data").is_some();
        let may_be_lost = disk.without_unsynced().content("data").is_none();
        let second = disk.sync_directory().is_ok();
        (first, seen, may_be_lost, second)
    };
    assert_eq!(run(SyncFault::KeptInCache), (false, true, true, true));
    assert_eq!(run(SyncFault::Reverted), (false, false, true, true));
    assert_eq!(run(SyncFault::ReportedLate), (true, true, true, false));
}
