//! Group commit: who syncs for whom, what goes on meanwhile, and that nobody is told too early.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use gaplock_wal::{
    Disk, DiskError, DiskFile, DiskLock, Log, LogError, LogScan, LogSettings, Lsn, MemoryDisk,
    fault::FaultDisk,
};
use parking_lot::{Condvar, Mutex};

const IDENTITY: u64 = 7;
const SMALL: LogSettings = LogSettings {
    segment_bytes: 16 * 1024,
    spare_segments: 2,
};

/// Bodies in the order of the log, of all records that survive a power loss.
fn survivors(disk: &FaultDisk, durable: Lsn) -> Vec<Vec<u8>> {
    let disk = disk.without_unsynced();
    let mut scan = LogScan::open(&disk, IDENTITY, Lsn(0), durable).unwrap();
    let mut bodies = Vec::new();
    while let Some(record) = scan.next().unwrap() {
        bodies.push(record.body.to_vec());
    }
    bodies
}

/// P1, with eight threads: what one was told is durable, is.
#[test]
fn every_acknowledged_record_is_durable() {
    const THREADS: u32 = 8;
    const RECORDS: u32 = 40;
    let disk = Arc::new(FaultDisk::new());
    let log = Log::create(disk.clone(), IDENTITY, Lsn(0), SMALL).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (log, disk) = (&log, &disk);
            scope.spawn(move || {
                for number in 0..RECORDS {
                    let mut body = vec![0; (number * 37 % 500) as usize];
                    body.splice(..0, (thread << 16 | number).to_le_bytes());
                    let end = log.append(1, &body);
                    match (number + thread) % 8 {
                        0 => log.make_written(end).unwrap(),
                        1 => log.prepare().unwrap(),
                        2 => {
                            log.make_durable(end).unwrap();
                            let found = survivors(disk, end);
                            assert!(found.contains(&body), "{thread}: {number} is lost");
                        }
                        _ => log.make_durable(end).unwrap(),
                    }
                    assert!(log.durable() <= log.written() && log.written() <= log.end());
                }
            });
        }
    });
    log.make_durable(log.end()).unwrap();
    let found = survivors(&disk, log.durable());
    assert_eq!(found.len(), (THREADS * RECORDS) as usize);
    for thread in 0..THREADS {
        let numbers = found.iter().filter_map(|body| {
            let tag = u32::from_le_bytes(body[..4].try_into().unwrap());
            (tag >> 16 == thread).then_some(tag & 0xFFFF)
        });
        assert!(
            numbers.eq(0..RECORDS),
            "the records of thread {thread} in order"
        );
    }
}

/// A disk whose syncs of log files wait at a gate, and then do what the gate says.
#[derive(Debug)]
struct GatedDisk {
    inner: MemoryDisk,
    gate: Arc<Gate>,
}

#[derive(Debug, Default)]
struct Gate {
    state: Mutex<GateState>,
    changed: Condvar,
    syncs: AtomicU32,
}

#[derive(Debug, Default)]
struct GateState {
    closed: bool,
    waiting: u32,
    fails: bool,
}

impl Gate {
    fn set(&self, change: impl FnOnce(&mut GateState)) {
        change(&mut self.state.lock());
        self.changed.notify_all();
    }

    /// Returns once a sync waits at the gate.
    fn wait_for_sync(&self) {
        let mut state = self.state.lock();
        self.changed
            .wait_while(&mut state, |state| state.waiting == 0);
    }

    fn pass(&self) -> Result<(), DiskError> {
        self.syncs.fetch_add(1, Ordering::Relaxed);
        let mut state = self.state.lock();
        state.waiting += 1;
        self.changed.notify_all();
        self.changed.wait_while(&mut state, |state| state.closed);
        state.waiting -= 1;
        if state.fails {
            return Err(DiskError::of_kind("sync", "log", std::io::ErrorKind::Other));
        }
        Ok(())
    }
}

impl Disk for GatedDisk {
    fn open(&self, name: &str, create: bool) -> Result<Arc<dyn DiskFile>, DiskError> {
        let inner = self.inner.open(name, create)?;
        let gate = Arc::clone(&self.gate);
        Ok(Arc::new(GatedFile { inner, gate }))
    }

    fn list(&self) -> Result<Vec<String>, DiskError> {
        self.inner.list()
    }

    fn remove(&self, name: &str) -> Result<(), DiskError> {
        self.inner.remove(name)
    }

    fn rename(&self, from: &str, to: &str) -> Result<(), DiskError> {
        self.inner.rename(from, to)
    }

    fn sync_directory(&self) -> Result<(), DiskError> {
        self.inner.sync_directory()
    }

    fn lock(&self, name: &str) -> Result<DiskLock, DiskError> {
        self.inner.lock(name)
    }

    fn fork(&self) -> Option<Arc<dyn Disk>> {
        None
    }
}

#[derive(Debug)]
struct GatedFile {
    inner: Arc<dyn DiskFile>,
    gate: Arc<Gate>,
}

impl DiskFile for GatedFile {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), DiskError> {
        self.inner.read_at(offset, buffer)
    }

    fn write_at(&self, offset: u64, data: &[u8]) -> Result<(), DiskError> {
        self.inner.write_at(offset, data)
    }

    fn sync(&self) -> Result<(), DiskError> {
        self.gate.pass()
    }

    fn len(&self) -> Result<u64, DiskError> {
        self.inner.len()
    }

    fn set_len(&self, len: u64) -> Result<(), DiskError> {
        self.inner.set_len(len)
    }
}

fn gated_log() -> (Arc<Gate>, Log) {
    let gate = Arc::new(Gate::default());
    let disk = GatedDisk {
        inner: MemoryDisk::new(),
        gate: Arc::clone(&gate),
    };
    let log = Log::create(Arc::new(disk), IDENTITY, Lsn(0), SMALL).unwrap();
    gate.set(|state| state.closed = true);
    gate.syncs.store(0, Ordering::Relaxed);
    (gate, log)
}

/// While a sync runs, records are appended and written, and nobody is told anything; all who come
/// during it ride with the next one.
#[test]
fn one_sync_serves_all_who_came_during_the_one_before() {
    let (gate, log) = gated_log();
    let first = log.append(1, b"first");
    std::thread::scope(|scope| {
        let leader = scope.spawn(|| log.make_durable(first));
        gate.wait_for_sync();
        let ends: Vec<Lsn> = (0..7).map(|n| log.append(1, &[n; 100])).collect();
        let others: Vec<_> = ends
            .iter()
            .map(|&end| {
                let log = &log;
                scope.spawn(move || log.make_durable(end))
            })
            .collect();
        log.make_written(ends[6]).unwrap();
        assert_eq!((log.durable(), log.written()), (Lsn(0), ends[6]));
        let appended = log.append(1, b"meanwhile");
        assert!(appended > ends[6]);
        gate.set(|state| state.closed = false);
        leader.join().unwrap().unwrap();
        for other in others {
            other.join().unwrap().unwrap();
        }
        assert!(log.durable() >= ends[6]);
    });
    assert_eq!(gate.syncs.load(Ordering::Relaxed), 2);
}

/// P4: a failed sync is told to all who wait, and to all who come later; none of what it should
/// have made durable is taken for that, whatever later syncs would say.
#[test]
fn a_failed_sync_is_for_all_and_for_ever() {
    let (gate, log) = gated_log();
    let ends: Vec<Lsn> = (0..8).map(|n| log.append(1, &[n; 100])).collect();
    std::thread::scope(|scope| {
        let waiting: Vec<_> = ends
            .iter()
            .map(|end| scope.spawn(|| log.make_durable(*end)))
            .collect();
        gate.wait_for_sync();
        gate.set(|state| (state.closed, state.fails) = (false, true));
        for waiter in waiting {
            let failure = waiter.join().unwrap().unwrap_err();
            assert!(matches!(failure, LogError::Failed { .. }), "{failure}");
            assert_eq!(Some(failure), log.failure());
        }
    });
    gate.set(|state| state.fails = false);
    let end = log.append(1, b"later");
    assert_eq!(log.end(), end, "positions go on");
    assert!(log.make_durable(end).is_err() && log.make_written(end).is_err());
    assert_eq!(log.durable(), Lsn(0));
    assert_eq!(gate.syncs.load(Ordering::Relaxed), 1);
}

/// P5: without space, what was appended waits in memory, and is written when there is some.
#[test]
fn a_full_disk_is_reversible() {
    let disk = Arc::new(FaultDisk::new());
    let log = Log::create(disk.clone(), IDENTITY, Lsn(0), SMALL).unwrap();
    log.prepare().unwrap();
    let full = disk.allocated();
    disk.set_capacity(Some(full));
    log.append(1, &[1; 23_000]);
    log.make_durable(log.end())
        .expect("there is room in the spare segments");
    let durable = log.durable();
    let error = log.prepare().unwrap_err();
    assert!(matches!(error, LogError::Disk(_)), "{error}");
    assert!(log.lacks_space());
    assert_eq!(disk.allocated(), full, "half a segment was left");
    let mut bodies = 1;
    for _ in 0..3 {
        log.append(1, &[2; 15_000]);
        bodies += 1;
        let error = log.make_durable(log.end()).unwrap_err();
        assert!(matches!(error, LogError::Disk(_)), "{error}");
        assert_eq!((log.durable(), log.failure()), (durable, None));
        assert_eq!(survivors(&disk, durable).len(), 1);
    }
    disk.set_capacity(None);
    log.make_durable(log.end()).unwrap();
    assert!(!log.lacks_space());
    assert_eq!(survivors(&disk, log.end()).len(), bodies);
}

/// Space that a checkpoint frees is used again, and no more of it is taken.
#[test]
fn segments_are_recycled() {
    let disk = Arc::new(FaultDisk::new());
    let log = Log::create(disk.clone(), IDENTITY, Lsn(0), SMALL).unwrap();
    log.prepare().unwrap();
    let full = disk.allocated();
    disk.set_capacity(Some(full));
    for round in 0..100_u32 {
        let end = log.append(1, &[round as u8; 11_000]);
        log.make_durable(end).unwrap();
        log.forget_before(end).unwrap();
        log.prepare().unwrap();
    }
    assert_eq!(disk.allocated(), full);
    assert!(disk.list().unwrap().len() <= 4);
    let mut scan = LogScan::open(&*disk, IDENTITY, log.end(), log.end()).unwrap();
    assert_eq!(scan.next(), Ok(None));
}
