//! B9 for the log: a process on real files is killed, at whatever it is doing, again and again.
//!
//! The child is this test binary, told by a variable to write: it prints the number of each record
//! once it is durable. The parent reads along, kills it, recovers, and finds all that it was told.

use std::{
    io::{BufRead, BufReader, Write},
    path::PathBuf,
    process::{Command, Stdio},
    sync::Arc,
};

use gaplock_wal::{Checkpoint, Control, Disk, FileDisk, Log, LogScan, LogSettings, Lsn};

const DIRECTORY: &str = "GAPLOCK_TEST_KILLED";
const SETTINGS: LogSettings = LogSettings {
    segment_bytes: 16 * 1024,
    spare_segments: 1,
};

struct Directory(PathBuf);

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Opens or makes the log; gives the number of the last record as well.
fn open(disk: &Arc<dyn Disk>) -> (Log, Control, u64) {
    let at = |position, state: u64| Checkpoint {
        redo: position,
        durable: position,
        clean: false,
        state: state.to_le_bytes()[..].into(),
    };
    if !Control::exists(&**disk).unwrap() {
        let log = Log::create(disk.clone(), 1, Lsn(0), SETTINGS).unwrap();
        let control = Control::create(disk.clone(), 1, &at(log.end(), 0)).unwrap();
        return (log, control, 0);
    }
    let (control, checkpoint) = Control::open(disk.clone()).unwrap();
    let mut last = u64::from_le_bytes(checkpoint.state[..].try_into().unwrap());
    let mut scan = LogScan::open(&**disk, 1, checkpoint.redo, checkpoint.durable).unwrap();
    while let Some(record) = scan.next().unwrap() {
        let number = u64::from_le_bytes(record.body[..8].try_into().unwrap());
        assert_eq!(number, last + 1, "records follow one another");
        last = number;
    }
    control.mark_in_use().unwrap();
    let log = Log::resume(disk.clone(), 1, scan.end(), SETTINGS).unwrap();
    control.save(&at(log.end(), last)).unwrap();
    log.forget_before(log.end()).unwrap();
    (log, control, last)
}

/// The child: writes until it is killed.
#[test]
#[ignore = "the other test runs it"]
fn child() {
    let Some(directory) = std::env::var_os(DIRECTORY) else {
        return;
    };
    let disk: Arc<dyn Disk> = Arc::new(FileDisk::open(directory).unwrap());
    let _lock = disk.lock("lock").unwrap();
    let (log, control, mut last) = open(&disk);
    let mut out = std::io::stdout();
    loop {
        last += 1;
        let mut body = last.to_le_bytes().to_vec();
        body.resize(8 + (last * 131 % 1500) as usize, 9);
        let end = log.append(1, &body);
        if last.is_multiple_of(3) {
            log.make_durable(end).unwrap();
            writeln!(out, "\ndurable {last}").unwrap();
        }
        if last.is_multiple_of(20) {
            let checkpoint = Checkpoint {
                redo: end,
                durable: log.durable(),
                clean: false,
                state: last.to_le_bytes()[..].into(),
            };
            log.make_durable(end).unwrap();
            control.save(&checkpoint).unwrap();
            log.forget_before(end).unwrap();
            log.prepare().unwrap();
        }
    }
}

#[test]
fn what_a_killed_process_acknowledged_is_there() {
    let name = format!("gaplock-killed-{}", std::process::id());
    let directory = Directory(std::env::temp_dir().join(name));
    let disk: Arc<dyn Disk> = Arc::new(FileDisk::open(&directory.0).unwrap());
    for life in 0..6_usize {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child", "--ignored", "--nocapture"])
            .env(DIRECTORY, &directory.0)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let told = lines.map_while(Result::ok).filter_map(|line| {
            let number = line.strip_prefix("durable ")?;
            number.parse::<u64>().ok()
        });
        let told = told.take(3 + life * 7).last();
        let refused = disk.lock("lock").expect_err("the child has it");
        assert_eq!(refused.kind, std::io::ErrorKind::WouldBlock);
        child.kill().unwrap();
        child.wait().unwrap();
        let _lock = disk.lock("lock").expect("a killed process holds nothing");
        let (_, _, last) = open(&disk);
        assert!(
            Some(last) >= told && told.is_some(),
            "{last} is less than {told:?}"
        );
    }
}
