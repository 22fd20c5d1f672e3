//! Writes of which a crash kept a part.

use std::ops::Range;

use super::{random::Random, state::Change};
use crate::disk::content::Content;

/// Sizes that disks write as one: an old disk's sector, a new one's block.
const UNITS: [usize; 2] = [512, 4096];

/// Up to so many units, every subset of them is tried.
const UNITS_EXHAUSTIVE: usize = 4;

/// Single units kept or lost, cuts at random bytes, and random subsets, for each write and unit.
const SAMPLES: usize = 8;

/// The part of a write that was kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Torn {
    /// Bytes of the write, in order.
    pub(super) kept: Vec<Range<usize>>,
    /// Whether the file has got the length that the whole write would have given it.
    pub(super) whole_length: bool,
}

impl Torn {
    pub(super) fn apply(&self, change: &Change, content: &mut Content) {
        let Change::Write { offset, data } = change else {
            return;
        };
        for part in &self.kept {
            // The whole write could be applied to what was seen, so its parts can be here.
            let _ = content.write(offset + part.start as u64, &data[part.clone()]);
        }
        let end = offset + data.len() as u64;
        if self.whole_length && content.len() < end {
            let _ = content.resize(end);
        }
    }
}

/// Bounds of the units that a write covers, relative to its first byte: units lie at multiples of
/// their size in the file, not in the write.
fn units(offset: u64, length: usize, unit: usize) -> Vec<Range<usize>> {
    let first = unit - (offset % unit as u64) as usize;
    let mut start = 0;
    let mut end = first.min(length);
    let mut found = Vec::new();
    while start < length {
        found.push(start..end);
        start = end;
        end = (end + unit).min(length);
    }
    found
}

/// All ways to tear a write that are tried: each unit's bounds as the place of a cut with either side
/// kept, single units kept or lost, subsets of units, cuts at bytes, and the length alone.
pub(super) fn tears(offset: u64, length: usize, random: &mut Random) -> Vec<Torn> {
    let mut found = Vec::new();
    let mut add = |kept: Vec<Range<usize>>| {
        for whole_length in [false, true] {
            let kept = kept.clone();
            found.push(Torn { kept, whole_length });
        }
    };
    add(Vec::new());
    for unit in UNITS {
        let units = units(offset, length, unit);
        for cut in units.iter().skip(1).map(|unit| unit.start) {
            add(std::iter::once(0..cut).collect());
            add(std::iter::once(cut..length).collect());
        }
        if (2..=UNITS_EXHAUSTIVE).contains(&units.len()) {
            for mask in 1..(1_usize << units.len()) - 1 {
                add(chosen(&units, |at| mask >> at & 1 == 1));
            }
        } else if units.len() > 2 {
            for _ in 0..SAMPLES {
                let one = random.below(units.len());
                add(chosen(&units, |at| at == one));
                add(chosen(&units, |at| at != one));
                let mask = random.next();
                add(chosen(&units, |at| mask >> (at % 64) & 1 == 1));
            }
        }
    }
    for cut in byte_cuts(length, random) {
        add(std::iter::once(0..cut).collect());
        add(std::iter::once(cut..length).collect());
    }
    found
}

fn chosen(units: &[Range<usize>], mut keep: impl FnMut(usize) -> bool) -> Vec<Range<usize>> {
    let kept = units.iter().enumerate().filter(|(at, _)| keep(*at));
    kept.map(|(_, unit)| unit.clone()).collect()
}

/// The first bytes, where headers are, the last one, and some between.
fn byte_cuts(length: usize, random: &mut Random) -> Vec<usize> {
    let first = [1, 4, 8, 15, 16, 17, 24, 25];
    let between = (0..SAMPLES).map(|_| random.below(length));
    let mut cuts: Vec<usize> = first
        .into_iter()
        .chain(between)
        .chain([length.saturating_sub(1)])
        .filter(|cut| (1..length).contains(cut))
        .collect();
    cuts.sort_unstable();
    cuts.dedup();
    cuts
}
