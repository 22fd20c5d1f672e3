//! Taking up a log where a scan of it ended: what it found is made durable, and whatever lies
//! beyond is destroyed, before anything is appended.
//!
//! # What was found
//!
//! The scan may have read what only the system's cache holds. If the writer was killed, a sync of
//! the files is enough. If a sync of its had failed, it is not: some systems then keep the content
//! in the cache, take it for clean, and let the next sync succeed without writing it. So all that
//! is not known durable, from what the last mark says up to the end, is written once more. As long
//! as the cache and the disk agree, these are the bytes that lie there already.
//!
//! # What lies beyond
//!
//! Beyond the end may lie frames of flushes that never became durable as a whole. Were they left,
//! new records could come to end exactly where an old frame begins, which would then follow on
//! them as if it had been appended. A frame is taken for one only at the position that it names,
//! so it is enough to wipe, in all segments from the end on, every place where a frame would name
//! its own position. Content of recycled segments names other positions and may stay.
//!
//! It is done from the back to the front and can be interrupted anywhere: the log's end stays
//! where it was, so that the next attempt wipes what is left. What was wiped is written once more
//! by the next attempt, again since its sync may have failed.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use crate::{Disk, DiskError, DiskFile, Lsn};

use super::{
    LogError,
    frame::number,
    layout::{self, Layout, SEGMENT_HEADER, segment_name},
    marks::MarkSearch,
    reader::{CHUNK, find_layout},
    segment::SegmentHeader,
    segments::Segments,
};

/// How the log was left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Left {
    /// Whoever wrote it has made all of it durable, without a failure, and appended nothing after
    /// that: there is nothing to be made durable, and nothing beyond its end.
    InOrder,
    /// A scan found its end.
    Anyhow,
}

/// The segments of a log whose records end at `at`: all below is durable, nothing is beyond.
pub(super) fn cut_at(
    disk: Arc<dyn Disk>,
    identity: u64,
    at: u64,
    left: Left,
    spare_segments: u32,
) -> Result<Segments, LogError> {
    Segments::remove_unfinished(&*disk)?;
    let numbers = layout::numbers(&*disk)?;
    let missing = LogError::Missing { position: Lsn(at) };
    let Some(layout) = find_layout(&*disk, identity, &numbers)? else {
        return Err(missing);
    };
    let current = layout.place(at).segment;
    if !layout.reaches(&numbers, at) {
        return Err(missing);
    }
    let mut files = spares(&*disk, identity, layout, &numbers, current)?;
    let suspect = left == Left::Anyhow;
    for (number, file) in files.iter_mut().rev().filter(|_| suspect) {
        wipe(&**file, layout, *number, at)?;
        // Named anew, since the sync of the directory that made the name durable may have failed.
        let header = SegmentHeader {
            layout,
            identity,
            number: *number,
        };
        *file = header.recycle(&*disk, *number)?;
    }
    if numbers.contains(&current) {
        let header = SegmentHeader {
            layout,
            identity,
            number: current,
        };
        let file = header.open_checked(&*disk)?;
        if suspect {
            wipe(&*file, layout, current, at)?;
        }
        files.insert(current, file);
    }
    if suspect {
        make_durable(&*disk, identity, layout, &numbers, at)?;
    }
    let mut all: BTreeMap<_, _> = numbers.range(..current).map(|old| (*old, None)).collect();
    all.extend(files.into_iter().map(|(number, file)| (number, Some(file))));
    let segments = Segments::of(disk, layout, identity, all, spare_segments);
    segments.reach(current)?;
    Ok(segments)
}

/// The sound segments that follow on `current` without a gap. All others beyond it are removed.
fn spares(
    disk: &dyn Disk,
    identity: u64,
    layout: Layout,
    numbers: &BTreeSet<u64>,
    current: u64,
) -> Result<BTreeMap<u64, Arc<dyn DiskFile>>, LogError> {
    let mut sound = BTreeMap::new();
    let mut removed = false;
    for number in numbers.range(current + 1..) {
        let header = SegmentHeader {
            layout,
            identity,
            number: *number,
        };
        let follows = *number == current + 1 + sound.len() as u64;
        match header.open_checked(disk) {
            Ok(file) if follows => {
                sound.insert(*number, file);
            }
            Ok(_) | Err(LogError::Damaged { .. }) => {
                disk.remove(&segment_name(*number))?;
                removed = true;
            }
            Err(error) => return Err(error),
        }
    }
    if removed {
        disk.sync_directory()?;
    }
    Ok(sound)
}

/// Makes all below `at` durable.
fn make_durable(
    disk: &dyn Disk,
    identity: u64,
    layout: Layout,
    numbers: &BTreeSet<u64>,
    at: u64,
) -> Result<(), LogError> {
    let known = known_durable(disk, identity, layout, numbers, at)?;
    for segment in numbers.range(..=layout.place(at).segment) {
        let file = disk.open(&segment_name(*segment), false)?;
        let start = layout.start(*segment);
        let length = file.len()?.saturating_sub(u64::from(SEGMENT_HEADER));
        let end = at.min(start + length.min(layout.capacity()));
        let mut from = known.max(start);
        let mut chunk = vec![0; CHUNK];
        while from < end {
            let count = (end - from).min(CHUNK as u64);
            let chunk = &mut chunk[..count as usize];
            let offset = layout.place(from).offset;
            file.read_at(offset, chunk)?;
            file.write_at(offset, chunk)?;
            from += count;
        }
        file.sync()?;
    }
    Ok(())
}

/// The position up to which the last mark below `at` says that the log was durable; zero if there
/// is none.
fn known_durable(
    disk: &dyn Disk,
    identity: u64,
    layout: Layout,
    numbers: &BTreeSet<u64>,
    at: u64,
) -> Result<u64, LogError> {
    let mut search = MarkSearch::new(disk, identity, numbers, layout);
    for segment in numbers.range(..=layout.place(at).segment).rev() {
        let mut last = None;
        search.first(*segment, 0, |mark| {
            if mark.position < at {
                last = Some(mark.durable);
            }
            mark.position >= at
        })?;
        if let Some(durable) = last {
            return Ok(durable.min(at));
        }
    }
    Ok(0)
}

/// A wiped word: no position.
const WIPED: u64 = u64::MAX;

/// Wipes every place from `at` on where a frame would name its own position; durable when it
/// returns.
fn wipe(file: &dyn DiskFile, layout: Layout, segment: u64, at: u64) -> Result<(), DiskError> {
    let start = layout.start(segment);
    // A frame at position p names it in the word at p + 8.
    let first = start.max(at + 8);
    let mut from = first - start;
    let mut chunk = vec![0; CHUNK];
    while from < layout.capacity() {
        let offset = u64::from(SEGMENT_HEADER) + from;
        let count = (layout.capacity() - from).min(CHUNK as u64);
        let chunk = &mut chunk[..count as usize];
        file.read_at(offset, chunk)?;
        let mut changed = false;
        for (index, word) in chunk.chunks_exact_mut(8).enumerate() {
            let position = start + from + index as u64 * 8;
            let found = number(word);
            if found == position - 8 || found == WIPED {
                word.copy_from_slice(&WIPED.to_le_bytes());
                changed = true;
            }
        }
        if changed {
            file.write_at(offset, chunk)?;
        }
        from += count;
    }
    file.sync()
}
