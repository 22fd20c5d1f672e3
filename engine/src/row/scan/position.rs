//! Where a scan is between two steps, and how it gets there again.

use std::ops::Bound;

use super::Scan;
use crate::{
    btree::{Cursor, Latching, Seek},
    db::Engine,
    error::StoreError,
    mtr::Mtr,
    page::Field,
    table::Index,
};

/// Where a scan is. Keys are the record's ordering fields, so that the place is found again
/// whatever happened to the page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Position {
    /// Before its first record.
    Start,
    /// On the record last returned.
    On(Vec<Field>),
    /// On a record that has to be looked at (again).
    At(Vec<Field>),
    /// Past its last record.
    End,
}

impl Scan {
    /// Puts a cursor on the next record to look at; `None` if there is none.
    pub(super) fn place(&self, mtr: &mut Mtr<'_>) -> Result<Option<Cursor>, StoreError> {
        let index = &self.spec.table.indexes[self.spec.index];
        let backward = self.bounds.as_ref().is_some_and(|bounds| bounds.backward);
        let unique_search = self
            .bounds
            .as_ref()
            .is_some_and(|bounds| bounds.unique_search);
        match &self.position {
            Position::End => Ok(None),
            Position::Start => self.place_first(mtr, index).map(Some),
            Position::On(_) if unique_search => Ok(None),
            Position::On(key) if backward => seek(index, mtr, key, Seek::Before).map(Some),
            Position::On(key) => {
                let mut cursor = seek(index, mtr, key, Seek::AtOrBefore)?;
                Ok(index.tree.next(mtr, &mut cursor)?.then_some(cursor))
            }
            Position::At(key) if backward => seek(index, mtr, key, Seek::AtOrBefore).map(Some),
            Position::At(key) => seek(index, mtr, key, Seek::AtOrAfter).map(Some),
        }
    }

    fn place_first(&self, mtr: &mut Mtr<'_>, index: &Index) -> Result<Cursor, StoreError> {
        let Some(bounds) = &self.bounds else {
            return index.tree.first(mtr, Latching::Read);
        };
        if let Some(key) = &bounds.equal {
            let side = if bounds.backward {
                Seek::AtOrBefore
            } else {
                Seek::AtOrAfter
            };
            return seek(index, mtr, key, side);
        }
        let (bound, included, excluded) = if bounds.backward {
            (&bounds.upper, Seek::AtOrBefore, Seek::Before)
        } else {
            (&bounds.lower, Seek::AtOrAfter, Seek::After)
        };
        match bound {
            Bound::Included(key) => seek(index, mtr, key, included),
            Bound::Excluded(key) => seek(index, mtr, key, excluded),
            Bound::Unbounded if bounds.backward => {
                // A backward scan of the whole index begins above the last record, on the supremum.
                let last = index.tree.last(mtr, Latching::Read)?;
                Ok(index.tree.successor(mtr, last))
            }
            Bound::Unbounded => index.tree.first(mtr, Latching::Read),
        }
    }

    /// Whether a backward scan that begins here locks the gap above its first record.
    pub(super) fn begins_below_a_key(&self) -> bool {
        self.position == Position::Start
            && self.bounds.as_ref().is_some_and(|bounds| {
                bounds.backward && (bounds.equal.is_some() || bounds.upper != Bound::Unbounded)
            })
    }

    /// The ordering fields of a record, to find it again.
    pub(super) fn key_of(index: &Index, fields: &[Field]) -> Vec<Field> {
        fields[..index.tree.layout.key_fields].to_vec()
    }

    /// Moves a cursor to the next record in the scan's direction; `false` at the index's end.
    pub(super) fn advance(
        &self,
        mtr: &mut Mtr<'_>,
        cursor: &mut Cursor,
    ) -> Result<bool, StoreError> {
        let tree = &self.spec.table.indexes[self.spec.index].tree;
        if self.bounds.as_ref().is_some_and(|bounds| bounds.backward) {
            tree.prev(mtr, cursor)
        } else {
            tree.next(mtr, cursor)
        }
    }
}

fn seek(index: &Index, mtr: &mut Mtr<'_>, key: &[Field], side: Seek) -> Result<Cursor, StoreError> {
    index.tree.seek(mtr, key, side, Latching::Read)
}

impl Engine {
    /// Whether a record's fields lie beyond a bound in the scan's direction.
    pub(super) fn is_beyond(
        index: &Index,
        fields: &[Field],
        bound: &Bound<Vec<Field>>,
        backward: bool,
    ) -> bool {
        let (key, included) = match bound {
            Bound::Unbounded => return false,
            Bound::Included(key) => (key, true),
            Bound::Excluded(key) => (key, false),
        };
        let order = index.compare_fields(fields, key);
        let order = if backward { order.reverse() } else { order };
        order.is_gt() || (order.is_eq() && !included)
    }
}
