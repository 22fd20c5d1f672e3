//! A log for records of one's own, without an engine: a counter that survives a crash.
//!
//! `cargo run -p gaplock-wal --example own_records`
//!
//! The counter's changes are the records; now and then its value goes into a checkpoint, and the
//! log before it is forgotten. The "crash" is a process that forgets all it knows; the last change
//! was appended, and never made durable.

use std::{error::Error, io::Write, sync::Arc};

use gaplock_wal::{Checkpoint, Control, Disk, DiskLock, FileDisk, Log, LogScan, LogSettings, Lsn};

/// The kinds of our records.
const ADD: u8 = 1;
const MULTIPLY: u8 = 2;

/// A number, and the log that keeps it.
struct Counter {
    value: i64,
    log: Log,
    control: Control,
    /// Given back when the counter is dropped.
    _lock: DiskLock,
}

impl Counter {
    fn create(disk: &Arc<dyn Disk>) -> Result<Self, Box<dyn Error>> {
        let lock = disk.lock("counter.lock")?;
        let identity = 0xC0FFEE;
        let settings = LogSettings {
            segment_bytes: 64 * 1024,
            ..LogSettings::default()
        };
        let log = Log::create(disk.clone(), identity, Lsn(0), settings)?;
        let first = Checkpoint {
            redo: log.end(),
            durable: log.end(),
            clean: false,
            state: 0_i64.to_le_bytes()[..].into(),
        };
        Ok(Self {
            value: 0,
            log,
            control: Control::create(disk.clone(), identity, &first)?,
            _lock: lock,
        })
    }

    /// The last checkpoint, and all records after it.
    fn recover(disk: &Arc<dyn Disk>) -> Result<Self, Box<dyn Error>> {
        let lock = disk.lock("counter.lock")?;
        let (control, checkpoint) = Control::open(disk.clone())?;
        let mut value = i64::from_le_bytes(checkpoint.state[..].try_into()?);
        let (redo, durable) = (checkpoint.redo, checkpoint.durable);
        let mut scan = LogScan::open(&**disk, control.identity(), redo, durable)?;
        while let Some(record) = scan.next()? {
            apply(&mut value, record.kind, &record.body)?;
        }
        control.mark_in_use()?;
        let settings = LogSettings::default();
        let log = Log::resume(disk.clone(), control.identity(), scan.end(), settings)?;
        Ok(Self {
            value,
            log,
            control,
            _lock: lock,
        })
    }

    /// Changes the value. It is safe once [`Counter::flush`] has returned.
    fn change(&mut self, kind: u8, by: i64) -> Result<(), Box<dyn Error>> {
        let body = by.to_le_bytes();
        self.log.append(kind, &body);
        apply(&mut self.value, kind, &body)
    }

    fn flush(&self) -> Result<(), Box<dyn Error>> {
        Ok(self.log.make_durable(self.log.end())?)
    }

    fn checkpoint(&self) -> Result<(), Box<dyn Error>> {
        self.flush()?;
        let redo = self.log.end();
        self.control.save(&Checkpoint {
            redo,
            durable: redo,
            clean: false,
            state: self.value.to_le_bytes()[..].into(),
        })?;
        self.log.forget_before(redo)?;
        Ok(self.log.prepare()?)
    }
}

fn apply(value: &mut i64, kind: u8, body: &[u8]) -> Result<(), Box<dyn Error>> {
    let by = i64::from_le_bytes(body.try_into()?);
    *value = match kind {
        ADD => value.wrapping_add(by),
        MULTIPLY => value.wrapping_mul(by),
        _ => return Err(format!("a record of unknown kind {kind}").into()),
    };
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let directory = std::env::temp_dir().join(format!("own-records-{}", std::process::id()));
    let disk: Arc<dyn Disk> = Arc::new(FileDisk::open(&directory)?);
    let mut out = std::io::stdout();

    let mut counter = Counter::create(&disk)?;
    for number in 1..=10_000 {
        counter.change(ADD, number)?;
        if number % 3000 == 0 {
            counter.checkpoint()?;
        }
    }
    counter.change(MULTIPLY, 2)?;
    counter.flush()?;
    let flushed = counter.value;
    counter.change(ADD, 1)?;
    writeln!(
        out,
        "before the crash: {}, of which safe: {flushed}",
        counter.value
    )?;
    writeln!(
        out,
        "a second opener: {}",
        Counter::recover(&disk).err().ok_or("let in")?
    )?;
    drop(counter);

    let recovered = Counter::recover(&disk)?;
    writeln!(out, "after the crash:  {}", recovered.value)?;
    writeln!(out, "files: {}", disk.list()?.join(" "))?;
    drop(recovered);
    std::fs::remove_dir_all(&directory)?;
    Ok(())
}
