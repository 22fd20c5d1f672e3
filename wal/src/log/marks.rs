//! Searching for marks, without relying on what lies between them.
//!
//! A frame at position p names p in the word at p + 8. So every word of a range is compared with
//! its own position, and only where one fits is a frame tried.

use std::collections::BTreeSet;

use crate::Disk;

use super::{
    LogError,
    frame::{MARK, MARK_BYTES, number},
    layout::Layout,
    reader::{Reader, Trust},
};

/// A mark that was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) position: u64,
    /// What was durable when it was written.
    pub(super) durable: u64,
}

/// Searches all that exists of a log, sound or not.
#[derive(Debug)]
pub(super) struct MarkSearch<'d> {
    layout: Layout,
    words: Reader<'d>,
    frames: Reader<'d>,
    body: Vec<u8>,
}

impl<'d> MarkSearch<'d> {
    pub(super) fn new(
        disk: &'d dyn Disk,
        identity: u64,
        numbers: &BTreeSet<u64>,
        layout: Layout,
    ) -> Self {
        let reader = || Reader::new(disk, identity, numbers.clone(), layout, Trust::Anything);
        Self {
            layout,
            words: reader(),
            frames: reader(),
            body: Vec::new(),
        }
    }

    /// The first mark at `from` or later that is `wanted`, of those that begin in a segment.
    pub(super) fn first(
        &mut self,
        segment: u64,
        from: u64,
        mut wanted: impl FnMut(Mark) -> bool,
    ) -> Result<Option<Mark>, LogError> {
        let end = self.layout.start(segment + 1);
        let mut at = from.max(self.layout.start(segment)) + 8;
        // The word of a frame that begins with the segment's last word lies in the next one.
        while at < end + 8 {
            let chunk = self.words.chunk_from(at)?;
            if chunk.len() < 8 {
                return Ok(None);
            }
            let named = chunk.chunks_exact(8).find_map(|word| {
                let position = at - 8;
                at += 8;
                (number(word) == position).then_some(position)
            });
            if let Some(position) = named
                && position < end
                && let Some(mark) = self.mark_at(position)?
                && wanted(mark)
            {
                return Ok(Some(mark));
            }
        }
        Ok(None)
    }

    fn mark_at(&mut self, position: u64) -> Result<Option<Mark>, LogError> {
        let mut bytes = [0; MARK_BYTES];
        // Only the kind and the length, before a longer body is read in vain.
        if !self.frames.read(position, &mut bytes)? || bytes[4..8] != [8, 0, 0, MARK] {
            return Ok(None);
        }
        let frame = self.frames.frame(position, &mut self.body)?;
        Ok(frame.map(|_| Mark {
            position,
            durable: number(&self.body),
        }))
    }
}
