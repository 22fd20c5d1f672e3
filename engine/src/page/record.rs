//! Reading a record where it lies on a page.

use std::cmp::Ordering;

use gaplock_wal::PageNo;

use super::{Field, Page, RecordLayout, Tuple};

/// A record of an index page: a row, or one of the two pseudo-records at the page's ends.
#[derive(Clone, Copy, Debug)]
pub struct Record<'p> {
    page: &'p Page,
    layout: &'p RecordLayout,
    origin: u16,
}

#[allow(unused_variables, clippy::unimplemented, reason = "interface first")]
impl<'p> Record<'p> {
    /// Whether this is a row and not a pseudo-record.
    #[must_use]
    pub fn is_user(&self) -> bool {
        unimplemented!()
    }
    /// Whether this is the pseudo-record after all others of its page.
    #[must_use]
    pub fn is_supremum(&self) -> bool {
        unimplemented!()
    }
    /// Whether this is the pseudo-record before all others of its page.
    #[must_use]
    pub fn is_infimum(&self) -> bool {
        unimplemented!()
    }
    /// Number in the page's heap: 0 and 1 are the pseudo-records.
    #[must_use]
    pub fn heap_no(&self) -> u16 {
        unimplemented!()
    }
    /// The page on which the record lies.
    #[must_use]
    pub fn page_no(&self) -> PageNo {
        unimplemented!()
    }
    /// Whether the row is marked as deleted.
    #[must_use]
    pub fn is_deleted(&self) -> bool {
        unimplemented!()
    }
    /// The image of field `at`; `None` is NULL.
    ///
    /// # Panics
    /// On a pseudo-record, or when there is no such field.
    #[must_use]
    pub fn field(&self, at: usize) -> Option<&'p [u8]> {
        unimplemented!()
    }
    /// A copy of all fields.
    #[must_use]
    pub fn to_tuple(&self) -> Tuple {
        unimplemented!()
    }
    /// Compares the record with a key of as many fields or fewer: how the *record* stands to the
    /// key (`Less`: before it), and how many leading fields are equal. Pseudo-records stand at the
    /// ends and match nothing.
    #[must_use]
    pub fn compare_prefix(&self, key: &[Field]) -> (Ordering, usize) {
        unimplemented!()
    }
}
