//! Scripts, how one is played, and what was promised meanwhile.

use std::sync::Arc;

use gaplock_wal::fault::FaultDisk;
use gaplock_wal::{Checkpoint, Control, Disk, Log, LogError, LogRecord, LogScan, LogSettings, Lsn};

const IDENTITY: u64 = 0x5EED;

#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    /// A record with a body of so many bytes.
    Append(usize),
    Durable,
    Written,
    Prepare,
    /// A checkpoint at the log's end.
    Save,
    /// Forgets what lies before the checkpoint.
    Forget,
    /// The process ends and another takes the log up again; the power stays on.
    Reopen,
}

use Step::{Append, Durable, Forget, Prepare, Reopen, Save, Written};

#[derive(Clone, Debug)]
pub(crate) struct Script {
    pub(crate) name: String,
    pub(crate) steps: Vec<Step>,
}

/// The scripts: some by hand, each for one thing that a log does, and some at random.
pub(crate) fn scripts() -> Vec<Script> {
    let script = |name: &str, steps: &[Step], times: usize| Script {
        name: name.to_owned(),
        steps: steps.repeat(times),
    };
    let mut all = vec![
        script("one by one", &[Append(40), Durable], 6),
        script(
            "in groups",
            &[Append(8), Append(0), Append(700), Durable],
            5,
        ),
        script(
            "written first",
            &[
                Append(100),
                Written,
                Append(600),
                Written,
                Append(9),
                Durable,
            ],
            3,
        ),
        script("never durable", &[Append(50), Written], 9),
        script(
            "long records",
            &[Append(9000), Append(30_000), Durable, Prepare],
            3,
        ),
        script(
            "checkpoints and recycled segments",
            &[
                Append(5000),
                Durable,
                Append(4000),
                Save,
                Forget,
                Append(10),
                Durable,
            ],
            7,
        ),
        script(
            "taken up again",
            &[Append(300), Durable, Append(20), Written, Append(5), Reopen],
            5,
        ),
        script(
            "taken up again across segments",
            &[
                Append(11_000),
                Written,
                Reopen,
                Append(3000),
                Durable,
                Save,
                Reopen,
                Forget,
            ],
            4,
        ),
    ];
    all.extend((1..=4).map(at_random));
    all
}

fn at_random(seed: u64) -> Script {
    let mut state = seed;
    let mut below = |limit: u64| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(seed | 1);
        (state >> 33) % limit
    };
    let steps = (0..60).map(|_| match below(16) {
        0..6 => Append(below(60) as usize),
        6..8 => Append(below(9000) as usize),
        8..11 => Durable,
        11 => Written,
        12 => Prepare,
        13 => Save,
        14 => Forget,
        _ => Reopen,
    });
    Script {
        name: format!("at random, seed {seed}"),
        steps: steps.collect(),
    }
}

pub(crate) fn settings() -> LogSettings {
    LogSettings {
        segment_bytes: 16 * 1024,
        spare_segments: 1,
    }
}

/// A checkpoint that was saved, or was being saved.
#[derive(Clone, Debug)]
pub(crate) struct Saved {
    /// Calls before the save began.
    begun: u64,
    /// Calls when it was acknowledged.
    done: Option<u64>,
    pub(crate) checkpoint: Checkpoint,
}

impl Saved {
    /// What was acknowledged after call `number` need not be true any more.
    pub(crate) fn doubt(&mut self, number: u64) {
        self.done = self.done.filter(|done| *done <= number);
    }
}

/// What was appended, and what was acknowledged when.
#[derive(Clone, Debug, Default)]
pub(crate) struct Journal {
    pub(crate) history: Vec<LogRecord>,
    /// After so many calls, so many records were durable.
    pub(crate) acknowledged: Vec<(u64, usize)>,
    pub(crate) saved: Vec<Saved>,
}

impl Journal {
    /// How many records were acknowledged before call `number`.
    pub(crate) fn acknowledged_before(&self, number: u64) -> usize {
        let acknowledged = self.acknowledged.iter();
        let before = acknowledged.filter(|(calls, _)| *calls <= number);
        before.map(|(_, count)| *count).max().unwrap_or(0)
    }

    /// The checkpoints of which a crash before call `number` may leave any; none, if there need not
    /// be one.
    fn checkpoints_at(&self, number: u64) -> (Vec<&Checkpoint>, bool) {
        let done = |saved: &Saved| saved.done.is_some_and(|done| done <= number);
        let last = self.saved.iter().rposition(done);
        let possible = self.saved[last.unwrap_or(0)..]
            .iter()
            .filter(|saved| saved.begun <= number);
        (
            possible.map(|saved| &saved.checkpoint).collect(),
            last.is_some(),
        )
    }

    /// J1 to J3 for what a crash before call `number` has left. `Err` says what is wrong.
    pub(crate) fn judge(&self, number: u64, found: Option<&Opened>) -> Result<usize, String> {
        let (checkpoints, must_be) = self.checkpoints_at(number);
        let Some(found) = found else {
            return if must_be {
                Err("the checkpoint is gone".to_owned())
            } else {
                Ok(0)
            };
        };
        if !checkpoints.contains(&&found.checkpoint) {
            return Err(format!("a strange checkpoint: {:?}", found.checkpoint));
        }
        let first = self
            .history
            .iter()
            .position(|record| record.end > found.checkpoint.redo)
            .unwrap_or(self.history.len());
        let expected = &self.history[first..];
        let count = found.records.len();
        if count > expected.len() || found.records != expected[..count] {
            return Err(format!(
                "read {} records from {first} on, which were not appended so",
                found.records.len()
            ));
        }
        let acknowledged = self.acknowledged_before(number);
        if first + count < acknowledged {
            return Err(format!(
                "{acknowledged} records were acknowledged, {} are left",
                first + count
            ));
        }
        Ok(first + count)
    }
}

/// A log that was read and taken up again.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) log: Log,
    pub(crate) control: Control,
    pub(crate) checkpoint: Checkpoint,
    pub(crate) records: Vec<LogRecord>,
}

/// Reads what is there from the checkpoint on, and goes on at its end. `None` if there is nothing.
pub(crate) fn open(disk: &Arc<FaultDisk>) -> Result<Option<Opened>, LogError> {
    let disk: Arc<dyn Disk> = Arc::clone(disk) as Arc<dyn Disk>;
    if !Control::exists(&*disk)? {
        return Ok(None);
    }
    let (control, checkpoint) = Control::open(Arc::clone(&disk))?;
    let mut scan = LogScan::open(&*disk, IDENTITY, checkpoint.redo, checkpoint.durable)?;
    let mut records = Vec::new();
    while let Some(record) = scan.next()? {
        records.push(record);
    }
    let end = scan.end();
    control.mark_in_use()?;
    let log = Log::resume(Arc::clone(&disk), IDENTITY, end, settings())?;
    assert_eq!(log.end(), end, "goes on where the scan ended");
    Ok(Some(Opened {
        log,
        control,
        checkpoint,
        records,
    }))
}

/// Plays scripts and keeps the journal. Failing calls are borne: what fails is not acknowledged.
#[derive(Debug)]
pub(crate) struct Player {
    disk: Arc<FaultDisk>,
    /// None after a process has ended and none could take over yet.
    open: Option<(Log, Control)>,
    pub(crate) journal: Journal,
    appended: u64,
    checkpoint: Lsn,
}

impl Player {
    /// A new log and its control file.
    pub(crate) fn create(disk: &Arc<FaultDisk>) -> Result<Self, LogError> {
        let on: Arc<dyn Disk> = Arc::clone(disk) as Arc<dyn Disk>;
        let log = Log::create(Arc::clone(&on), IDENTITY, Lsn(8), settings())?;
        let checkpoint = Checkpoint {
            redo: log.end(),
            durable: log.durable(),
            clean: false,
            state: b"first".as_slice().into(),
        };
        let redo = checkpoint.redo;
        let begun = disk.calls();
        let control = Control::create(on, IDENTITY, &checkpoint)?;
        let saved = Saved {
            begun,
            done: Some(disk.calls()),
            checkpoint,
        };
        let journal = Journal {
            saved: vec![saved],
            ..Journal::default()
        };
        Ok(Self {
            disk: Arc::clone(disk),
            open: Some((log, control)),
            journal,
            appended: 0,
            checkpoint: redo,
        })
    }

    /// Why nothing becomes durable any more.
    pub(crate) fn failure(&self) -> Option<LogError> {
        self.open.as_ref().and_then(|(log, _)| log.failure())
    }

    /// Where a log that is open ends for now.
    pub(crate) fn durable(&self) -> Option<Lsn> {
        self.open.as_ref().map(|(log, _)| log.durable())
    }

    /// A body that no other record has.
    fn append(&mut self, log: &Log, length: usize) {
        self.appended += 1;
        let kind = (self.appended % 7) as u8;
        let body: Vec<u8> = (0..length)
            .map(|at| (self.appended * 31 + at as u64 * 7) as u8)
            .collect();
        let end = log.append(kind, &body);
        let frame = (16 + length).next_multiple_of(8) as u64;
        self.journal.history.push(LogRecord {
            start: Lsn(end.0 - frame),
            end,
            kind,
            body: body.into(),
        });
    }

    fn acknowledge(&mut self, log: &Log) {
        let durable = log.durable();
        let history = self.journal.history.iter();
        let count = history.take_while(|record| record.end <= durable).count();
        self.journal.acknowledged.push((self.disk.calls(), count));
    }

    fn save(&mut self, log: &Log, control: &Control) -> Result<(), LogError> {
        let redo = log.end();
        log.make_durable(redo)?;
        self.acknowledge(log);
        let checkpoint = Checkpoint {
            redo,
            durable: log.durable(),
            clean: false,
            state: vec![self.appended as u8; self.appended as usize * 9].into(),
        };
        self.journal.saved.push(Saved {
            begun: self.disk.calls(),
            done: None,
            checkpoint: checkpoint.clone(),
        });
        control.save(&checkpoint)?;
        if let Some(saved) = self.journal.saved.last_mut() {
            saved.done = Some(self.disk.calls());
        }
        self.checkpoint = redo;
        Ok(())
    }

    /// Only what was in memory may be lost by this; it is struck from the history, since it was never
    /// handed to the disk.
    fn reopen(&mut self) -> Result<(Log, Control), LogError> {
        let opened = open(&self.disk)?.expect("there is a control file");
        let count = self
            .journal
            .judge(self.disk.calls(), Some(&opened))
            .unwrap_or_else(|wrong| panic!("taken up again: {wrong}"));
        self.journal.history.truncate(count);
        self.acknowledge(&opened.log);
        Ok((opened.log, opened.control))
    }

    /// Takes a step, first taking up the log if the last attempt to do so has failed.
    pub(crate) fn step(&mut self, step: Step) -> Result<(), LogError> {
        let (log, control) = match self.open.take() {
            Some(open) => open,
            None => self.reopen()?,
        };
        let done = match step {
            Append(length) => {
                self.append(&log, length);
                Ok(())
            }
            Durable => log.make_durable(log.end()).map(|()| self.acknowledge(&log)),
            Written => log.make_written(log.end()),
            Prepare => log.prepare(),
            Save => self.save(&log, &control),
            Forget => log.forget_before(self.checkpoint),
            Reopen => {
                drop((log, control));
                self.open = Some(self.reopen()?);
                return Ok(());
            }
        };
        self.open = Some((log, control));
        done
    }
}
