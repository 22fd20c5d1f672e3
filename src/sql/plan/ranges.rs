//! The ranges of an index that conditions leave over.

use std::ops::Bound;

use gaplock_engine::types::Value;

use super::interval::{Interval, Subject};
use super::shape::{KeyRange, TableShape};
use crate::sql::expr::{ColumnPlace, Environment, Expression};

/// Most ranges that one index is split into; beyond, further columns are left to the filter.
const MAX_RANGES: usize = 4096;

/// Ranges of one index.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct IndexRanges {
    /// In index order, disjoint.
    pub(super) ranges: Vec<KeyRange>,
    /// Leading columns of the index that the conditions narrow.
    pub(super) parts: usize,
}

/// The ranges of an index that fulfil the conditions on its columns; `None` if no condition is on
/// its first column. `columns` are those by which the index may be narrowed.
pub(super) fn index_ranges(
    table: &TableShape,
    place: usize,
    columns: &[usize],
    conditions: &[&Expression],
    constants: &Environment<'_>,
) -> Option<IndexRanges> {
    let mut prefixes: Vec<Vec<Value>> = vec![Vec::new()];
    for (part, column) in columns.iter().enumerate() {
        let subject = Subject {
            place: ColumnPlace {
                table: place,
                column: *column,
            },
            column_type: table.columns[*column].column_type,
            nullable: table.columns[*column].nullable,
        };
        let Some(intervals) = left_over(subject, conditions, constants) else {
            return (part > 0).then(|| whole_prefixes(prefixes, part));
        };
        let points: Option<Vec<&Value>> = intervals.iter().map(Interval::as_point).collect();
        let combined = prefixes.len() * intervals.len();
        match points {
            Some(points) if combined <= MAX_RANGES => {
                prefixes = prefixes
                    .iter()
                    .flat_map(|prefix| points.iter().map(|point| extended(prefix, point)))
                    .collect();
            }
            _ if combined <= MAX_RANGES => {
                return Some(IndexRanges {
                    ranges: bounded(&prefixes, &intervals),
                    parts: part + 1,
                });
            }
            _ => return (part > 0).then(|| whole_prefixes(prefixes, part)),
        }
    }
    (!columns.is_empty()).then(|| whole_prefixes(prefixes, columns.len()))
}

/// What all conditions together leave over of a column; `None` if none is about it.
fn left_over(
    subject: Subject,
    conditions: &[&Expression],
    constants: &Environment<'_>,
) -> Option<Vec<Interval>> {
    conditions
        .iter()
        .filter_map(|condition| subject.intervals(condition, constants))
        .reduce(|left, right| subject.intersection(&left, &right))
}

fn extended(prefix: &[Value], value: &Value) -> Vec<Value> {
    let mut key = prefix.to_vec();
    key.push(value.clone());
    key
}

fn whole_prefixes(prefixes: Vec<Vec<Value>>, parts: usize) -> IndexRanges {
    let ranges = prefixes
        .into_iter()
        .map(|prefix| KeyRange {
            lower: Bound::Included(prefix.clone()),
            upper: Bound::Included(prefix),
        })
        .collect();
    IndexRanges { ranges, parts }
}

fn bounded(prefixes: &[Vec<Value>], intervals: &[Interval]) -> Vec<KeyRange> {
    let bound = |prefix: &[Value], bound: &Bound<Value>| match bound {
        Bound::Included(value) => Bound::Included(extended(prefix, value)),
        Bound::Excluded(value) => Bound::Excluded(extended(prefix, value)),
        Bound::Unbounded if prefix.is_empty() => Bound::Unbounded,
        Bound::Unbounded => Bound::Included(prefix.to_vec()),
    };
    prefixes
        .iter()
        .flat_map(|prefix| {
            intervals.iter().map(|interval| KeyRange {
                lower: bound(prefix, &interval.lower),
                upper: bound(prefix, &interval.upper),
            })
        })
        .collect()
}
