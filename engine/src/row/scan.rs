//! What a scan is asked for, and the rows that it gives.

mod end;
mod fetch;
mod position;
mod run;
mod unlock;

use std::{ops::Bound, sync::Arc};

use gaplock_lockmgr::TrxId;
use position::Position;

use crate::{
    page::Field,
    row::locking::Spot,
    table::{RowReference, Table},
    types::{TypeError, Value},
};

/// How rows are locked as they are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LockStrength {
    /// Not at all: a consistent read.
    None,
    /// Shared.
    Shared,
    /// Exclusive.
    Exclusive,
}

/// What to do when a row is locked by another transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WaitPolicy {
    /// Wait.
    Wait,
    /// Fail.
    NoWait,
    /// Pass over the row.
    SkipLocked,
}

/// A range of an index, each bound a value for each of its leading columns, or for fewer.
#[derive(Clone, Debug, PartialEq)]
pub struct KeyRange {
    /// Where it begins.
    pub lower: Bound<Vec<Value>>,
    /// Where it ends.
    pub upper: Bound<Vec<Value>>,
}

/// Which part of an index is read, and in which direction.
#[derive(Clone, Debug, PartialEq)]
pub enum Access {
    /// The records equal to a key or to its leading columns: const, eq_ref and ref access, and
    /// ranges that are one value.
    Equal(Vec<Value>),
    /// The same from the last to the first (ref access for a descending order).
    EqualBackward(Vec<Value>),
    /// A range.
    Range {
        /// The range.
        range: KeyRange,
        /// From its end to its beginning.
        backward: bool,
    },
    /// The whole index.
    Full {
        /// From its end to its beginning.
        backward: bool,
    },
}

/// What to scan, and how.
#[derive(Clone, Debug)]
pub struct ScanSpec {
    /// The table.
    pub table: Arc<Table>,
    /// Position of the index.
    pub index: usize,
    /// Which part of it.
    pub access: Access,
    /// How rows are locked.
    pub lock: LockStrength,
    /// What to do about locked rows.
    pub wait: WaitPolicy,
    /// No column outside the index is needed; rows are then not fetched, unless they are locked
    /// exclusively.
    pub covering: bool,
    /// Index condition pushdown: the filter's part for the index, and the range's end, are tested
    /// on the index record before the row is fetched.
    pub pushed: bool,
    /// At READ COMMITTED and below, look at the committed version of a locked row first (UPDATE).
    pub semi_consistent: bool,
}

/// A row that a scan found.
#[derive(Clone, Debug, PartialEq)]
pub struct ScannedRow {
    /// Its columns; those that a covering read did not fetch are NULL.
    pub values: Vec<Value>,
    /// Its clustered key.
    pub reference: RowReference,
    /// This is the committed version of a row that somebody else has locked: if it matches, call
    /// [`Scan::reread`] and step again.
    pub semi_consistent: bool,
}

/// The part of a statement's condition that can be tested on an index record.
pub trait RowFilter {
    /// Whether the record may match. Only the index's columns are set in `row`.
    fn pushed(&self, row: &[Value]) -> bool;
}

/// A filter that lets everything pass.
#[derive(Clone, Copy, Debug)]
pub struct NoFilter;

impl RowFilter for NoFilter {
    fn pushed(&self, _row: &[Value]) -> bool {
        true
    }
}

/// A scan under way.
#[derive(Clone, Debug)]
pub struct Scan {
    spec: ScanSpec,
    /// The access's bounds as images, made at the first step.
    bounds: Option<Bounds>,
    table_locked: bool,
    position: Position,
    /// Lock the row just returned for real.
    rereading: bool,
    /// What the row just returned newly locked.
    fresh: Option<FreshLocks>,
    /// The record that was newly locked before its row had to be waited for.
    locked_before_wait: Option<Vec<Field>>,
    /// The range's inclusive last key has been returned: nothing can follow.
    end_found: bool,
    /// A row has been returned.
    returned_any: bool,
    /// The engine is told where the range ends.
    knows_end: bool,
}

/// Bounds as field images.
#[derive(Clone, Debug)]
struct Bounds {
    lower: Bound<Vec<Field>>,
    upper: Bound<Vec<Field>>,
    /// The key of an equality access.
    equal: Option<Vec<Field>>,
    backward: bool,
    /// Every column of a unique key is given, none NULL.
    unique_search: bool,
}

/// Locks that were stored for the row just returned, so that READ COMMITTED can give them back.
#[derive(Clone, Debug)]
struct FreshLocks {
    /// The scanned index's record.
    scanned: bool,
    /// The row's clustered record, when fetched through a secondary index.
    fetched: bool,
    /// Who wrote the row, if it was read.
    row_writer: Option<TrxId>,
    reference: RowReference,
    /// The scanned record's fields.
    entry: Vec<Field>,
}

impl Scan {
    /// A scan that has not begun.
    #[must_use]
    pub fn new(spec: ScanSpec) -> Self {
        Self {
            spec,
            bounds: None,
            table_locked: false,
            position: Position::Start,
            rereading: false,
            fresh: None,
            locked_before_wait: None,
            end_found: false,
            returned_any: false,
            knows_end: false,
        }
    }

    /// What is scanned.
    #[must_use]
    pub fn spec(&self) -> &ScanSpec {
        &self.spec
    }

    /// The row just returned was read semi-consistently and matches: the next step locks it, waiting
    /// if it must, and returns what it then is.
    pub fn reread(&mut self) {
        self.rereading = true;
    }
}

impl Bounds {
    fn new(spec: &ScanSpec) -> Result<Self, TypeError> {
        let index = &spec.table.indexes[spec.index];
        let images = |values: &[Value]| {
            values
                .iter()
                .zip(&index.columns)
                .map(|(value, column)| {
                    let ty = spec.table.columns[*column].ty;
                    if value.is_null() {
                        Ok(None)
                    } else {
                        ty.encode(value).map(Some)
                    }
                })
                .collect::<Result<Vec<Field>, TypeError>>()
        };
        let bound = |bound: &Bound<Vec<Value>>| {
            Ok::<_, TypeError>(match bound {
                Bound::Included(values) => Bound::Included(images(values)?),
                Bound::Excluded(values) => Bound::Excluded(images(values)?),
                Bound::Unbounded => Bound::Unbounded,
            })
        };
        let open = |backward| Self {
            lower: Bound::Unbounded,
            upper: Bound::Unbounded,
            equal: None,
            backward,
            unique_search: false,
        };
        Ok(match &spec.access {
            Access::Full { backward } => open(*backward),
            Access::Range { range, backward } => Self {
                lower: bound(&range.lower)?,
                upper: bound(&range.upper)?,
                ..open(*backward)
            },
            Access::Equal(values) | Access::EqualBackward(values) => {
                let key = images(values)?;
                let backward = matches!(spec.access, Access::EqualBackward(_));
                let whole =
                    index.unique && !index.columns.is_empty() && key.len() == index.columns.len();
                let unique_search =
                    whole && !backward && (index.clustered || key.iter().all(Option::is_some));
                Self {
                    equal: Some(key),
                    unique_search,
                    ..open(backward)
                }
            }
        })
    }
}

/// What the cursor stands on, copied out of the page.
#[derive(Clone, Debug)]
struct Here {
    spot: Spot,
    deleted: bool,
    fields: Vec<Field>,
}
