//! Where a position lies: in which file, at which offset.

use std::collections::BTreeSet;

use crate::{Disk, DiskError, Lsn};

use super::{LogError, LogSettings};

/// Bytes at the start of a segment that hold no positions: its header.
pub(super) const SEGMENT_HEADER: u32 = 4096;
/// Smallest and largest file of a log, in bytes.
const SEGMENT_BYTES: std::ops::RangeInclusive<u32> = 16 * 1024..=1024 * 1024 * 1024;
/// Largest number of a segment: with the largest segments, positions stay below 2^62.
pub(super) const SEGMENT_MAX: u64 = u32::MAX as u64;
const PREFIX: &str = "gaplock.log.";
/// A segment being made has this name until it is complete.
pub(super) const UNFINISHED: &str = "gaplock.log.new";

/// How positions are spread over segments: all have the same size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    segment_bytes: u32,
}

/// A position's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// The segment's number.
    pub(super) segment: u64,
    /// Offset in its file, in bytes.
    pub(super) offset: u64,
}

impl Layout {
    /// Segments of `segment_bytes` each, header included; says what is wrong with a size that
    /// cannot be.
    pub(super) fn new(segment_bytes: u32) -> Result<Self, String> {
        if SEGMENT_BYTES.contains(&segment_bytes) && segment_bytes.is_multiple_of(SEGMENT_HEADER) {
            return Ok(Self { segment_bytes });
        }
        Err(format!(
            "a segment of {segment_bytes} bytes: needs {} to {}, a multiple of {SEGMENT_HEADER}",
            SEGMENT_BYTES.start(),
            SEGMENT_BYTES.end(),
        ))
    }

    pub(super) fn of(settings: LogSettings) -> Result<Self, LogError> {
        Self::new(settings.segment_bytes).map_err(|what| LogError::Settings { what })
    }

    /// Length of a segment's file, in bytes.
    pub(super) fn segment_bytes(self) -> u32 {
        self.segment_bytes
    }

    /// Positions in a segment.
    pub(super) fn capacity(self) -> u64 {
        u64::from(self.segment_bytes - SEGMENT_HEADER)
    }

    pub(super) fn place(self, position: u64) -> Place {
        Place {
            segment: position / self.capacity(),
            offset: u64::from(SEGMENT_HEADER) + position % self.capacity(),
        }
    }

    /// The first position of a segment that [`numbers`] lists.
    pub(super) fn start(self, segment: u64) -> u64 {
        segment * self.capacity()
    }

    /// Whether a log with these segments reaches to a position. It may end with its last segment
    /// while the next one is not made yet.
    pub(super) fn reaches(self, numbers: &BTreeSet<u64>, position: u64) -> bool {
        let segment = self.place(position).segment;
        let ended_whole = segment > 0 && self.start(segment) == position;
        numbers.contains(&segment) || ended_whole && numbers.contains(&(segment - 1))
    }

    /// The parts, segment by segment, of `length` bytes at `position`: place and length.
    pub(super) fn parts(
        self,
        position: u64,
        length: usize,
    ) -> impl Iterator<Item = (Place, usize)> {
        let mut done = 0;
        std::iter::from_fn(move || {
            let at = position + done as u64;
            let room = self.capacity() - at % self.capacity();
            let count = (length - done).min(usize::try_from(room).unwrap_or(usize::MAX));
            done += count;
            (count > 0).then(|| (self.place(at), count))
        })
    }
}

/// Positions of records are multiples of eight.
pub(super) fn aligned(position: Lsn) -> u64 {
    position.0.saturating_add(7) & !7
}

pub(super) fn segment_name(segment: u64) -> String {
    format!("{PREFIX}{segment:010}")
}

fn segment_number(name: &str) -> Option<u64> {
    let number = name.strip_prefix(PREFIX)?.parse::<u64>().ok()?;
    (number <= SEGMENT_MAX && segment_name(number) == name).then_some(number)
}

/// The segments that exist.
pub(super) fn numbers(disk: &dyn Disk) -> Result<BTreeSet<u64>, DiskError> {
    let names = disk.list()?;
    Ok(names
        .iter()
        .filter_map(|name| segment_number(name))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_checked() {
        for bytes in [0, 4096, 16 * 1024 - 1, 16 * 1024 + 1, u32::MAX] {
            assert!(Layout::new(bytes).is_err(), "{bytes}");
        }
        assert_eq!(Layout::new(16 * 1024).unwrap().capacity(), 12 * 1024);
    }

    #[test]
    fn parts_cover_a_range_across_segments() {
        let layout = Layout::new(16 * 1024).unwrap();
        let parts: Vec<_> = layout.parts(12 * 1024 - 8, 12 * 1024 + 24).collect();
        let place = |segment, offset| Place { segment, offset };
        assert_eq!(
            parts,
            [
                (place(0, 16 * 1024 - 8), 8),
                (place(1, 4096), 12 * 1024),
                (place(2, 4096), 16)
            ]
        );
        assert_eq!(layout.parts(5, 0).count(), 0);
    }

    #[test]
    fn only_names_as_we_write_them_are_ours() {
        assert_eq!(segment_number(&segment_name(7)), Some(7));
        for name in [
            "gaplock.log.7",
            UNFINISHED,
            "gaplock.log.",
            "gaplock.log.+000000007",
        ] {
            assert_eq!(segment_number(name), None, "{name}");
        }
        assert_eq!(segment_number(&segment_name(u64::MAX)), None);
    }
}
