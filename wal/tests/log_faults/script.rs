//! A script, playing it, and what must be true of what is recovered.

use std::sync::Arc;

use gaplock_wal::{
    Checkpoint, Control, Log, LogError, LogRecord, LogScan, LogSettings, Lsn, fault::FaultDisk,
};

pub(crate) const IDENTITY: u64 = 0xDA7A_BA5E;

/// The smallest segments, so that short scripts fill some.
pub(crate) const SMALL: LogSettings = LogSettings {
    segment_bytes: 16 * 1024,
    spare_segments: 1,
};

#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    /// A record of so many bytes.
    Append(u16),
    Written,
    Durable,
    Prepare,
    /// Redo begins so many records before the last durable one; the log before it is forgotten.
    Checkpoint(u8),
    /// Closed in order and opened again, by reading it back.
    Reopen,
}

/// What was appended, and how far it was acknowledged as durable, by calls to the disk.
#[derive(Clone, Debug, Default)]
pub(crate) struct History {
    pub(crate) records: Vec<(Lsn, u8, Vec<u8>)>,
    acknowledged: Vec<(u64, Lsn)>,
}

impl History {
    /// What was acknowledged before the call of this number.
    pub(crate) fn acknowledged(&self, before: u64) -> Lsn {
        let earlier = self.acknowledged.iter().filter(|(call, _)| *call <= before);
        earlier
            .map(|(_, durable)| *durable)
            .max()
            .unwrap_or_default()
    }

    pub(crate) fn acknowledge(&mut self, calls: u64, durable: Lsn) {
        self.acknowledged.push((calls, durable));
    }

    /// The recovered records are those appended after `redo` and below the log's end, and the end
    /// is not below what was acknowledged.
    pub(crate) fn judge(&self, found: &Recovered, acknowledged: Lsn) -> Result<(), String> {
        let (redo, log_end) = (found.checkpoint.redo, found.end);
        let expected = self
            .records
            .iter()
            .filter(|(end, ..)| *end > redo && *end <= log_end)
            .map(|(end, kind, body)| (*end, *kind, &body[..]));
        let records = found.records.iter();
        let records = records.map(|record| (record.end, record.kind, &record.body[..]));
        if !records.clone().eq(expected.clone()) {
            let ends = |(end, kind, body): (Lsn, u8, &[u8])| (end, kind, body.len());
            let expected: Vec<_> = expected.map(ends).collect();
            let records: Vec<_> = records.map(ends).collect();
            return Err(format!("found {records:?} instead of {expected:?}"));
        }
        if log_end < acknowledged {
            return Err(format!(
                "ends at {log_end}, acknowledged was {acknowledged}"
            ));
        }
        Ok(())
    }
}

/// What was read back.
#[derive(Debug)]
pub(crate) struct Recovered {
    pub(crate) control: Control,
    pub(crate) checkpoint: Checkpoint,
    pub(crate) records: Vec<LogRecord>,
    pub(crate) end: Lsn,
}

/// Reads a database's log back; `None` if there is no database.
pub(crate) fn recover(disk: &Arc<FaultDisk>) -> Result<Option<Recovered>, LogError> {
    if !Control::exists(&**disk)? {
        return Ok(None);
    }
    let (control, checkpoint) = Control::open(disk.clone())?;
    assert_eq!(control.identity(), IDENTITY);
    let (from, durable) = (checkpoint.redo, checkpoint.durable);
    let mut scan = LogScan::open(&**disk, IDENTITY, from, durable)?;
    let mut records = Vec::new();
    while let Some(record) = scan.next()? {
        records.push(record);
    }
    let end = scan.end();
    if checkpoint.clean {
        assert_eq!(end, durable, "a log that was closed in order ends there");
    }
    Ok(Some(Recovered {
        control,
        checkpoint,
        records,
        end,
    }))
}

/// A database being written.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) disk: Arc<FaultDisk>,
    pub(crate) log: Log,
    pub(crate) control: Control,
    /// Of the last checkpoint.
    redo: Lsn,
    pub(crate) history: History,
}

impl World {
    pub(crate) fn create(disk: &Arc<FaultDisk>) -> Result<Self, LogError> {
        let log = Log::create(disk.clone(), IDENTITY, Lsn(0), SMALL)?;
        let first = Checkpoint {
            redo: log.end(),
            durable: log.end(),
            clean: false,
            state: (*b"first")[..].into(),
        };
        let control = Control::create(disk.clone(), IDENTITY, &first)?;
        Ok(Self {
            disk: disk.clone(),
            log,
            control,
            redo: Lsn(0),
            history: History::default(),
        })
    }

    /// Goes on with what was recovered.
    pub(crate) fn resume(
        disk: &Arc<FaultDisk>,
        found: Recovered,
        history: History,
    ) -> Result<Self, LogError> {
        found.control.mark_in_use()?;
        let log = Log::resume(disk.clone(), IDENTITY, found.end, SMALL)?;
        let mut world = Self {
            disk: disk.clone(),
            log,
            control: found.control,
            redo: found.checkpoint.redo,
            history,
        };
        // What was not recovered is gone for good, and what was is durable now.
        world.history.records.retain(|(end, ..)| *end <= found.end);
        world.acknowledge();
        Ok(world)
    }

    fn acknowledge(&mut self) {
        let durable = self.log.durable();
        self.history.acknowledge(self.disk.calls(), durable);
    }

    pub(crate) fn append(&mut self, bytes: u16) {
        let number = self.history.records.len();
        let kind = (number % 7) as u8;
        let body: Vec<u8> = (0..bytes)
            .map(|at| (at as usize * 7 + number) as u8)
            .collect();
        let end = self.log.append(kind, &body);
        self.history.records.push((end, kind, body));
    }

    pub(crate) fn checkpoint(&mut self, back: u8) -> Result<(), LogError> {
        let durable = self.log.durable();
        let ends = self.history.records.iter().map(|(end, ..)| *end);
        let mut below = ends.rev().skip_while(|end| *end > durable);
        // What was forgotten stays so.
        let redo = below.nth(back.into()).unwrap_or_default().max(self.redo);
        let checkpoint = Checkpoint {
            redo,
            durable,
            clean: false,
            state: vec![back; 100 + usize::from(back) * 10].into(),
        };
        self.control.save(&checkpoint)?;
        self.redo = redo;
        self.log.forget_before(redo)
    }

    pub(crate) fn play(&mut self, step: Step) -> Result<(), LogError> {
        let end = self.log.end();
        let result = match step {
            Step::Append(bytes) => {
                self.append(bytes);
                Ok(())
            }
            Step::Written => self.log.make_written(end),
            Step::Durable => self.log.make_durable(end),
            Step::Prepare => self.log.prepare(),
            Step::Checkpoint(back) => self.checkpoint(back),
            Step::Reopen => self.reopen(),
        };
        self.acknowledge();
        result
    }

    pub(crate) fn close(&mut self) -> Result<(), LogError> {
        self.log.make_durable(self.log.end())?;
        self.acknowledge();
        self.control.save(&Checkpoint {
            redo: self.redo,
            durable: self.log.durable(),
            clean: true,
            state: (*b"closed")[..].into(),
        })
    }

    /// An error may leave the database closed: then it must be opened again.
    fn reopen(&mut self) -> Result<(), LogError> {
        self.close()?;
        let found = recover(&self.disk)?.expect("there is a database");
        *self = Self::resume(&self.disk, found, self.history.clone())?;
        Ok(())
    }
}

/// A script that comes by everything: several segments, spare ones, a full one in the middle of a
/// record, recycling, flushes without sync, reopening.
pub(crate) fn long_script() -> Vec<Step> {
    use Step::*;
    vec![
        Append(10),
        Durable,
        Append(3000),
        Append(1),
        Written,
        Append(600),
        Durable,
        Prepare,
        Append(9000),
        Append(0),
        Durable,
        Checkpoint(1),
        Append(20_000),
        Written,
        Append(5),
        Durable,
        Prepare,
        Checkpoint(0),
        Append(4000),
        Written,
        Append(4000),
        Reopen,
        Append(8000),
        Append(30),
        Durable,
        Checkpoint(0),
        Append(700),
        Written,
        Append(800),
    ]
}
