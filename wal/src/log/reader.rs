//! Reading a log by positions, over the borders of segments.

use std::{collections::BTreeSet, sync::Arc};

use crate::{Disk, DiskFile};

use super::{
    LogError,
    frame::{FrameHeader, HEADER},
    layout::{Layout, segment_name},
    segment::SegmentHeader,
};

/// Bytes read from a file at a time.
pub(super) const CHUNK: usize = 256 * 1024;

/// What segments must be like to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trust {
    /// Whole, with the right header: an error otherwise.
    Whole,
    /// As much as is there: frames name themselves.
    Anything,
}

/// Reads positions in about their order.
#[derive(Debug)]
pub(super) struct Reader<'d> {
    disk: &'d dyn Disk,
    layout: Layout,
    identity: u64,
    /// The segments there are.
    numbers: BTreeSet<u64>,
    trust: Trust,
    /// The segment read last.
    open: Option<(u64, Arc<dyn DiskFile>)>,
    chunk: Vec<u8>,
    /// Position of the chunk's first byte.
    chunk_at: u64,
}

impl<'d> Reader<'d> {
    pub(super) fn new(
        disk: &'d dyn Disk,
        identity: u64,
        numbers: BTreeSet<u64>,
        layout: Layout,
        trust: Trust,
    ) -> Self {
        Self {
            disk,
            layout,
            identity,
            numbers,
            trust,
            open: None,
            chunk: Vec::new(),
            chunk_at: 0,
        }
    }

    pub(super) fn identity(&self) -> u64 {
        self.identity
    }

    pub(super) fn layout(&self) -> Layout {
        self.layout
    }

    pub(super) fn numbers(&self) -> &BTreeSet<u64> {
        &self.numbers
    }

    /// Fills `buffer` from a position; false if not all of it exists.
    pub(super) fn read(&mut self, position: u64, buffer: &mut [u8]) -> Result<bool, LogError> {
        let mut done = 0;
        while done < buffer.len() {
            let rest = self.chunk_from(position + done as u64)?;
            if rest.is_empty() {
                return Ok(false);
            }
            let count = rest.len().min(buffer.len() - done);
            buffer[done..done + count].copy_from_slice(&rest[..count]);
            done += count;
        }
        Ok(true)
    }

    /// Some bytes from a position; none if there are none.
    pub(super) fn chunk_from(&mut self, position: u64) -> Result<&[u8], LogError> {
        let held = self.chunk_at..self.chunk_at + self.chunk.len() as u64;
        if !held.contains(&position) {
            self.fill(position)?;
        }
        Ok(&self.chunk[(position - self.chunk_at) as usize..])
    }

    fn fill(&mut self, position: u64) -> Result<(), LogError> {
        self.chunk.clear();
        self.chunk_at = position;
        let place = self.layout.place(position);
        let Some(file) = self.segment(place.segment)? else {
            return Ok(());
        };
        let length = file.len()?.min(u64::from(self.layout.segment_bytes()));
        let count = length.saturating_sub(place.offset).min(CHUNK as u64);
        self.chunk.resize(count as usize, 0);
        Ok(file.read_at(place.offset, &mut self.chunk)?)
    }

    fn segment(&mut self, number: u64) -> Result<Option<Arc<dyn DiskFile>>, LogError> {
        if let Some((open, file)) = &self.open
            && *open == number
        {
            return Ok(Some(Arc::clone(file)));
        }
        if !self.numbers.contains(&number) {
            return Ok(None);
        }
        let file = match self.trust {
            Trust::Anything => self.disk.open(&segment_name(number), false)?,
            Trust::Whole => SegmentHeader {
                layout: self.layout,
                identity: self.identity,
                number,
            }
            .open_checked(self.disk)?,
        };
        self.open = Some((number, Arc::clone(&file)));
        Ok(Some(file))
    }

    /// The frame at a position, its body in `body` with the zeros after it; `None` if there is
    /// none that is whole.
    pub(super) fn frame(
        &mut self,
        position: u64,
        body: &mut Vec<u8>,
    ) -> Result<Option<FrameHeader>, LogError> {
        let mut bytes = [0; HEADER];
        if !self.read(position, &mut bytes)? {
            return Ok(None);
        }
        let header = FrameHeader::read(&bytes);
        if header.position != position {
            return Ok(None);
        }
        body.resize(header.padded_length(), 0);
        let whole = self.read(position + HEADER as u64, body)?;
        Ok((whole && header.fits(self.identity, body)).then_some(header))
    }
}

/// The layout of an existing log, as the first segment with a sound header says it; `None` if
/// there is no segment.
pub(super) fn find_layout(
    disk: &dyn Disk,
    identity: u64,
    numbers: &BTreeSet<u64>,
) -> Result<Option<Layout>, LogError> {
    let mut unsound = None;
    for number in numbers.iter().rev() {
        let name = segment_name(*number);
        let file = disk.open(&name, false)?;
        match SegmentHeader::read(&*file, &name)? {
            Ok(header) if header.identity == identity => return Ok(Some(header.layout)),
            Ok(_) => return Err(LogError::OtherDatabase { file: name }),
            Err(what) => unsound = Some((name, what)),
        }
    }
    match unsound {
        None => Ok(None),
        Some((file, what)) => Err(LogError::DamagedFile { file, what }),
    }
}
