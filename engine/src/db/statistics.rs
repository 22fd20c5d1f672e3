//! Numbers for the planner.

use std::{ops::Bound, sync::atomic::Ordering};

use super::Engine;
use crate::{
    btree::Seek,
    error::Error,
    page::Field,
    row::KeyRange,
    table::{Index, Table},
    types::Value,
};

impl Engine {
    /// Rows of the table, uncommitted ones included.
    #[must_use]
    pub fn row_count(&self, table: &Table) -> u64 {
        self.counters(table).rows.load(Ordering::Relaxed).max(0) as u64
    }

    /// Rows as the optimizer's statistics have them: those whose insertion has ended, in all
    /// indexes.
    #[must_use]
    pub fn estimated_row_count(&self, table: &Table) -> u64 {
        let counters = self.counters(table);
        let rows = counters.rows.load(Ordering::Relaxed);
        (rows - counters.arriving.load(Ordering::Relaxed)).max(0) as u64
    }

    /// About how many index records lie in a range; exact when there are few.
    ///
    /// # Errors
    /// When a bound is no value of its column, or pages cannot be read.
    pub fn records_in_range(
        &self,
        table: &Table,
        index: usize,
        range: &KeyRange,
    ) -> Result<u64, Error> {
        let index = &table.indexes[index];
        let lower = bound(table, index, &range.lower)?;
        let upper = bound(table, index, &range.upper)?;
        let from = lower.as_ref().map(|(key, included)| {
            (
                &key[..],
                if *included {
                    Seek::AtOrAfter
                } else {
                    Seek::After
                },
            )
        });
        let to = upper.as_ref().map(|(key, included)| {
            (
                &key[..],
                if *included {
                    Seek::AtOrBefore
                } else {
                    Seek::Before
                },
            )
        });
        Ok(index.tree.estimate(&self.pool, from, to)?)
    }

    /// Leaf pages of an index.
    ///
    /// # Errors
    /// When pages cannot be read.
    pub fn leaf_pages(&self, table: &Table, index: usize) -> Result<u64, Error> {
        Ok(table.indexes[index].tree.leaf_pages(&self.pool)?)
    }
}

type EncodedBound = Option<(Vec<Field>, bool)>;

fn bound(table: &Table, index: &Index, bound: &Bound<Vec<Value>>) -> Result<EncodedBound, Error> {
    let (values, included) = match bound {
        Bound::Unbounded => return Ok(None),
        Bound::Included(values) => (values, true),
        Bound::Excluded(values) => (values, false),
    };
    let fields = values
        .iter()
        .zip(&index.columns)
        .map(|(value, at)| {
            let ty = table.columns[*at].ty;
            if value.is_null() {
                Ok(None)
            } else {
                ty.encode(value).map(Some)
            }
        })
        .collect::<Result<Vec<_>, _>>()?;
    Ok(Some((fields, included)))
}
