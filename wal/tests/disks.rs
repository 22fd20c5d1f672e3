//! Every kind of disk passes the same suite.

use std::{
    io::ErrorKind,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use gaplock_wal::{Disk, FileDisk, MemoryDisk, OverlayDisk, fault::FaultDisk};
use proptest::prelude::*;

/// A directory of this test's own, removed at the end.
struct Directory(PathBuf);

impl Directory {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("gaplock-disks-{}-{number}", std::process::id());
        Self(std::env::temp_dir().join(name))
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn on_every_disk(test: impl Fn(&dyn Disk)) {
    test(&MemoryDisk::new());
    test(&FaultDisk::new());
    test(&OverlayDisk::new(Arc::new(MemoryDisk::new())));
    let directory = Directory::new();
    test(&FileDisk::open(&directory.0).unwrap());
}

#[test]
fn what_was_written_is_read() {
    on_every_disk(|disk| {
        let file = disk.open("data", true).unwrap();
        file.write_at(5, b"hello").unwrap();
        assert_eq!(file.len().unwrap(), 10);
        let mut all = [1; 10];
        disk.open("data", false)
            .unwrap()
            .read_at(0, &mut all)
            .unwrap();
        assert_eq!(&all, b"\0\0\0\0\0hello");
        file.sync().unwrap();
        disk.sync_directory().unwrap();
    });
}

#[test]
fn reading_past_the_end_fails_whole() {
    on_every_disk(|disk| {
        let file = disk.open("data", true).unwrap();
        file.write_at(0, &[7; 100]).unwrap();
        let error = file.read_at(90, &mut [0; 11]).unwrap_err();
        assert_eq!(error.kind, ErrorKind::UnexpectedEof);
        assert_eq!((error.operation, error.file.as_str()), ("read", "data"));
        file.read_at(90, &mut [0; 10]).unwrap();
    });
}

#[test]
fn cutting_and_extending_shows_zeros() {
    on_every_disk(|disk| {
        let file = disk.open("data", true).unwrap();
        file.write_at(0, &[7; 40_000]).unwrap();
        file.set_len(20_000).unwrap();
        file.set_len(40_000).unwrap();
        let mut all = vec![1; 40_000];
        file.read_at(0, &mut all).unwrap();
        assert!(all[..20_000].iter().all(|&byte| byte == 7));
        assert!(all[20_000..].iter().all(|&byte| byte == 0));
    });
}

#[test]
fn names_are_listed_renamed_and_removed() {
    on_every_disk(|disk| {
        assert_eq!(disk.open("b", false).unwrap_err().kind, ErrorKind::NotFound);
        for (name, byte) in [("b", 1), ("a", 2)] {
            disk.open(name, true).unwrap().write_at(0, &[byte]).unwrap();
        }
        assert_eq!(disk.list().unwrap(), ["a", "b"]);
        let replaced = disk.open("b", false).unwrap();
        disk.rename("a", "b").unwrap();
        assert_eq!(disk.list().unwrap(), ["b"]);
        let mut byte = [0];
        disk.open("b", false)
            .unwrap()
            .read_at(0, &mut byte)
            .unwrap();
        assert_eq!(byte, [2]);
        replaced.read_at(0, &mut byte).unwrap();
        assert_eq!(byte, [1], "a replaced file lives on for who has it open");
        disk.remove("b").unwrap();
        assert_eq!(disk.remove("b").unwrap_err().kind, ErrorKind::NotFound);
        assert_eq!(disk.rename("b", "c").unwrap_err().kind, ErrorKind::NotFound);
        assert_eq!(disk.list().unwrap(), [""; 0]);
    });
}

#[test]
fn names_cannot_leave_the_directory() {
    on_every_disk(|disk| {
        for name in ["", ".", "..", "../x", "a/b", ".hidden"] {
            let error = disk.open(name, true).unwrap_err();
            assert_eq!(error.kind, ErrorKind::InvalidInput, "{name:?}");
        }
    });
}

/// W5, within one process: a second opener is refused until the first is gone.
#[test]
fn a_locked_file_is_locked_once() {
    on_every_disk(|disk| {
        let lock = disk.lock("lock").unwrap();
        assert_eq!(lock.name(), "lock");
        let error = disk.lock("lock").unwrap_err();
        assert_eq!(error.kind, ErrorKind::WouldBlock);
        assert!(error.to_string().contains("in use"), "{error}");
        let other = disk.lock("other").unwrap();
        if let Some(fork) = disk.fork() {
            fork.lock("lock").expect("a fork is another disk");
        }
        drop(lock);
        disk.lock("lock").unwrap();
        drop(other);
        assert_eq!(
            disk.lock("../lock").unwrap_err().kind,
            ErrorKind::InvalidInput
        );
    });
}

#[test]
fn forks_share_nothing_that_shows() {
    forks_of(&MemoryDisk::new());
    forks_of(&FaultDisk::new());
    let directory = Directory::new();
    assert!(FileDisk::open(&directory.0).unwrap().fork().is_none());
}

fn forks_of(disk: &dyn Disk) {
    let file = disk.open("data", true).unwrap();
    file.write_at(0, &[1; 50_000]).unwrap();
    let fork = disk.fork().unwrap();
    let forked = fork.open("data", false).unwrap();
    file.write_at(20_000, &[2]).unwrap();
    forked.write_at(40_000, &[3]).unwrap();
    let (mut here, mut there) = (vec![0; 50_000], vec![0; 50_000]);
    file.read_at(0, &mut here).unwrap();
    forked.read_at(0, &mut there).unwrap();
    assert_eq!((here[20_000], here[40_000]), (2, 1));
    assert_eq!((there[20_000], there[40_000]), (1, 3));
}

#[derive(Clone, Debug)]
enum Step {
    Write(u16, Vec<u8>),
    SetLen(u16),
    Fork,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (any::<u16>(), prop::collection::vec(any::<u8>(), 0..20_000))
            .prop_map(|(at, data)| Step::Write(at, data)),
        2 => any::<u16>().prop_map(Step::SetLen),
        1 => Just(Step::Fork),
    ];
    prop::collection::vec(step, 1..20)
}

/// Lengths from a damaged file must not exhaust memory.
#[test]
fn absurd_lengths_are_refused() {
    for disk in [&MemoryDisk::new() as &dyn Disk, &FaultDisk::new()] {
        let file = disk.open("data", true).unwrap();
        for at in [1 << 50, u64::MAX] {
            let error = file.write_at(at, b"x").unwrap_err();
            assert_eq!(error.kind, ErrorKind::InvalidInput);
            let error = file.set_len(at).unwrap_err();
            assert_eq!(error.kind, ErrorKind::InvalidInput);
            file.read_at(at, &mut [0]).unwrap_err();
        }
        assert_eq!(file.len().unwrap(), 0);
    }
}

proptest! {
    /// A file is a vector of bytes, whatever is done to it.
    #[test]
    fn a_file_is_a_vector(steps in steps(), faulty in any::<bool>()) {
        let mut disk: Arc<dyn Disk> = if faulty {
            Arc::new(FaultDisk::new())
        } else {
            Arc::new(MemoryDisk::new())
        };
        let mut file = disk.open("data", true).unwrap();
        let mut model = Vec::new();
        for step in steps {
            match step {
                Step::Write(at, data) => {
                    file.write_at(u64::from(at), &data).unwrap();
                    let end = usize::from(at) + data.len();
                    if end > model.len() && !data.is_empty() {
                        model.resize(end, 0);
                    }
                    if !data.is_empty() {
                        model[usize::from(at)..end].copy_from_slice(&data);
                    }
                }
                Step::SetLen(len) => {
                    file.set_len(u64::from(len)).unwrap();
                    model.resize(usize::from(len), 0);
                }
                Step::Fork => {
                    let old = Arc::clone(&file);
                    disk = disk.fork().unwrap();
                    file = disk.open("data", false).unwrap();
                    old.set_len(0).unwrap();
                }
            }
            prop_assert_eq!(file.len().unwrap(), model.len() as u64);
            let mut all = vec![0; model.len()];
            file.read_at(0, &mut all).unwrap();
            prop_assert_eq!(&all, &model);
        }
    }
}

/// What is done on an overlay is what would have been done below; what is below stays.
#[test]
fn an_overlay_changes_nothing_below() {
    let below = Arc::new(MemoryDisk::new());
    let old: Vec<u8> = (0..20_000_u32).map(|n| n as u8).collect();
    for name in ["a", "b", "c"] {
        below.open(name, true).unwrap().write_at(0, &old).unwrap();
    }
    let disk = OverlayDisk::new(Arc::clone(&below) as Arc<dyn Disk>);
    let file = disk.open("a", false).unwrap();
    file.write_at(5000, b"new").unwrap();
    file.set_len(5001).unwrap();
    file.write_at(9000, b"x").unwrap();
    let mut expected = old[..5000].to_vec();
    expected.push(b'n');
    expected.resize(9000, 0);
    expected.push(b'x');
    assert_eq!(read_all(&*disk.open("a", false).unwrap()), expected);
    disk.remove("b").unwrap();
    disk.rename("c", "d").unwrap();
    assert_eq!(disk.list().unwrap(), ["a", "d"]);
    assert_eq!(read_all(&*disk.open("d", false).unwrap()), old);
    let gone = disk.open("b", false).unwrap_err();
    assert_eq!(gone.kind, ErrorKind::NotFound);
    assert_eq!(below.list().unwrap(), ["a", "b", "c"]);
    for name in ["a", "b", "c"] {
        assert_eq!(read_all(&*below.open(name, false).unwrap()), old);
    }
}

fn read_all(file: &dyn gaplock_wal::DiskFile) -> Vec<u8> {
    let mut bytes = vec![0; file.len().unwrap() as usize];
    file.read_at(0, &mut bytes).unwrap();
    bytes
}
