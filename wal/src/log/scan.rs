//! Reading a log from a position to its end, and telling a torn end from damage.
//!
//! The first frame that is not sound, at position P, is either the torn end of a flush that was
//! never durable, or damage to something that was. It is damage if
//! - the caller knows that the log was durable beyond P (from the control file), or
//! - somewhere further on a sound mark says so. A flush begins with a mark of what was durable
//!   when it was written; so as soon as anything was flushed after the flush that holds P, and
//!   that flush is still there, it testifies.
//!
//! What stays indistinguishable: the last flush before a crash is complete, was acknowledged, and
//! rots before it is read again (or it rots together with the end of the flush before, for which it
//! alone testifies). Nothing later testifies for it, and what is left looks as if power
//! had failed during its sync. To tell the two apart one would have to make a testimony durable
//! *after* each sync and before acknowledging it, a second sync for each commit, and its own rot
//! would be in the same position. An orderly shutdown closes the hole (the control file then
//! holds the log's end), and so does each checkpoint for what is below it.

use crate::{Disk, Lsn};

use super::{
    LogError, LogRecord,
    frame::{HEADER, OWN_KINDS},
    layout::{aligned, numbers, segment_name},
    marks::{Mark, MarkSearch},
    reader::{Reader, Trust, find_layout},
};

/// Reads the records from a position on.
#[derive(Debug)]
pub struct LogScan<'d> {
    disk: &'d dyn Disk,
    reader: Reader<'d>,
    /// Position of the next frame.
    at: u64,
    durable: u64,
    ended: bool,
    body: Vec<u8>,
}

impl<'d> LogScan<'d> {
    /// Begins at `from`, where a record begins or the log ends (rounded up to a multiple of
    /// eight). The log is known to be durable at least up to `durable`.
    ///
    /// # Errors
    /// `Missing` if no file holds the position; `OtherDatabase`, `NewerFormat`, `Damaged`; `Disk`.
    pub fn open(
        disk: &'d dyn Disk,
        identity: u64,
        from: Lsn,
        durable: Lsn,
    ) -> Result<Self, LogError> {
        let at = aligned(from);
        let numbers = numbers(disk)?;
        let missing = LogError::Missing { position: Lsn(at) };
        let Some(layout) = find_layout(disk, identity, &numbers)? else {
            return Err(missing);
        };
        if !layout.reaches(&numbers, at) {
            return Err(missing);
        }
        Ok(Self {
            disk,
            reader: Reader::new(disk, identity, numbers, layout, Trust::Whole),
            at,
            durable: durable.0,
            ended: false,
            body: Vec::new(),
        })
    }

    /// The next of the user's records; `None` at the log's end.
    ///
    /// # Errors
    /// `Damaged` or `Missing` where the log was durable and cannot be read; `Disk`.
    #[allow(clippy::should_implement_trait, reason = "it can fail, and then ends")]
    pub fn next(&mut self) -> Result<Option<LogRecord>, LogError> {
        while !self.ended {
            let Some(header) = self.reader.frame(self.at, &mut self.body)? else {
                self.end_or_damage()?;
                break;
            };
            let start = self.at;
            self.at += (HEADER + self.body.len()) as u64;
            if header.kind() < OWN_KINDS {
                return Ok(Some(LogRecord {
                    start: Lsn(start),
                    end: Lsn(self.at),
                    kind: header.kind(),
                    body: self.body[..header.length()].into(),
                }));
            }
        }
        Ok(None)
    }

    /// The position after the last record read; after `None`, the log's end.
    #[must_use]
    pub fn end(&self) -> Lsn {
        Lsn(self.at)
    }

    /// There is no sound frame at `at`.
    fn end_or_damage(&mut self) -> Result<(), LogError> {
        let known = if self.durable > self.at {
            Some((self.durable, "it was known".to_owned()))
        } else {
            let said = self.testimony()?;
            said.map(|mark| {
                (
                    mark.durable,
                    format!("the record at {} says", mark.position),
                )
            })
        };
        let Some((durable, who)) = known else {
            self.ended = true;
            return Ok(());
        };
        let (layout, numbers) = (self.reader.layout(), self.reader.numbers());
        let segment = layout.place(self.at).segment;
        let last = layout.place(durable - 1).segment;
        if let Some(missing) = (segment..=last).find(|number| !numbers.contains(number)) {
            return Err(LogError::Missing {
                position: Lsn(self.at.max(layout.start(missing))),
            });
        }
        Err(LogError::Damaged {
            file: segment_name(segment),
            position: Lsn(self.at),
            what: format!(
                "no sound record begins here, but {who} that the log was durable up to {durable}"
            ),
        })
    }

    /// A mark further on that says that the log was durable beyond `at`.
    fn testimony(&self) -> Result<Option<Mark>, LogError> {
        let (layout, numbers) = (self.reader.layout(), self.reader.numbers());
        let mut search = MarkSearch::new(self.disk, self.reader.identity(), numbers, layout);
        for segment in numbers.range(layout.place(self.at).segment..) {
            let mark = search.first(*segment, self.at + 8, |mark| mark.durable > self.at)?;
            if mark.is_some() {
                return Ok(mark);
            }
        }
        Ok(None)
    }
}
