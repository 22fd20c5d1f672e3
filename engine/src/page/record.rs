//! Reading a record where it lies on a page.

use std::cmp::Ordering;

use gaplock_wal::PageNo;

use super::{
    Field, Page, RecordLayout, Tuple,
    format::{INFIMUM, SUPREMUM},
    layout::{DELETED, FieldReader, HEADER, LOWEST, RecordImage, RecordKind},
};

/// A record of an index page: a row, or one of the two pseudo-records at the page's ends.
#[derive(Clone, Copy, Debug)]
pub struct Record<'p> {
    page: &'p Page,
    layout: &'p RecordLayout,
    origin: u16,
}

/// Where a record lies: first byte and length are `origin - extra` and `extra + data`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// The record's origin.
    pub(crate) origin: u16,
    /// Bytes before the origin.
    pub(crate) extra: u16,
    /// Bytes from the origin on.
    pub(crate) data: u16,
}

impl Extent {
    /// Bytes in all.
    pub(crate) fn size(self) -> usize {
        usize::from(self.extra) + usize::from(self.data)
    }
}

impl<'p> Record<'p> {
    /// The record with this origin.
    pub(crate) fn new(page: &'p Page, layout: &'p RecordLayout, origin: u16) -> Self {
        Self {
            page,
            layout,
            origin,
        }
    }

    /// Whether this is a row and not a pseudo-record.
    #[must_use]
    pub fn is_user(&self) -> bool {
        !self.is_infimum() && !self.is_supremum()
    }

    /// Whether this is the pseudo-record after all others of its page.
    #[must_use]
    pub fn is_supremum(&self) -> bool {
        self.origin == SUPREMUM
    }

    /// Whether this is the pseudo-record before all others of its page.
    #[must_use]
    pub fn is_infimum(&self) -> bool {
        self.origin == INFIMUM
    }

    /// Number in the page's heap: 0 and 1 are the pseudo-records.
    #[must_use]
    pub fn heap_no(&self) -> u16 {
        self.page.heap_no(self.origin)
    }

    /// The page on which the record lies.
    #[must_use]
    pub fn page_no(&self) -> PageNo {
        self.page.page_no()
    }

    /// Whether the row is marked as deleted.
    #[must_use]
    pub fn is_deleted(&self) -> bool {
        self.flags() & DELETED != 0
    }

    /// Whether the record is before every key, whatever its fields say.
    pub(crate) fn is_lowest(&self) -> bool {
        self.flags() & LOWEST != 0
    }

    fn flags(&self) -> u8 {
        self.page.bytes[usize::from(self.origin) - HEADER]
    }

    fn reader(&self) -> FieldReader<'p> {
        assert!(self.is_user(), "a pseudo-record has no fields");
        let bytes: &'p [u8] = &self.page.bytes[..];
        FieldReader::new(self.layout, bytes, usize::from(self.origin))
    }

    fn field_count(&self) -> usize {
        match self.page.record_kind(self.origin) {
            RecordKind::Leaf => self.layout.fields.len(),
            _ => self.layout.key_fields,
        }
    }

    /// The image of field `at`; `None` is NULL.
    ///
    /// # Panics
    /// On a pseudo-record, or when there is no such field.
    #[must_use]
    pub fn field(&self, at: usize) -> Option<&'p [u8]> {
        assert!(at < self.field_count(), "the record has no field {at}");
        let mut reader = self.reader();
        for layout in &self.layout.fields[..at] {
            reader.next(layout);
        }
        reader.next(&self.layout.fields[at])
    }

    /// A copy of all fields.
    #[must_use]
    pub fn to_tuple(&self) -> Tuple {
        Tuple(self.copy_fields(self.field_count()))
    }

    /// A copy of the key.
    #[must_use]
    pub fn key(&self) -> Vec<Field> {
        self.copy_fields(self.layout.key_fields)
    }

    fn copy_fields(&self, count: usize) -> Vec<Field> {
        let mut reader = self.reader();
        let fields = &self.layout.fields[..count];
        fields
            .iter()
            .map(|layout| reader.next(layout).map(Box::from))
            .collect()
    }

    /// Compares the record with a key of as many fields or fewer: how the *record* stands to the
    /// key (`Less`: before it), and how many leading fields are equal. Pseudo-records stand at the
    /// ends and match nothing.
    #[must_use]
    pub fn compare_prefix(&self, key: &[Field]) -> (Ordering, usize) {
        if self.is_infimum() || self.is_lowest() {
            return (Ordering::Less, 0);
        }
        if self.is_supremum() {
            return (Ordering::Greater, 0);
        }
        let mut reader = self.reader();
        for (at, (layout, wanted)) in self.layout.fields.iter().zip(key).enumerate() {
            let order = match (reader.next(layout), wanted.as_deref()) {
                (None, None) => Ordering::Equal,
                (None, Some(_)) => Ordering::Less,
                (Some(_), None) => Ordering::Greater,
                (Some(here), Some(wanted)) => layout.order.compare(here, wanted),
            };
            if order.is_ne() {
                return (order, at);
            }
        }
        (Ordering::Equal, key.len())
    }

    /// The page to which a record above the leaves leads.
    pub(crate) fn child(&self) -> PageNo {
        PageNo(self.page.u32_at(self.child_offset()))
    }

    /// Where the number of that page is kept.
    pub(crate) fn child_offset(&self) -> usize {
        assert_eq!(
            self.page.record_kind(self.origin),
            RecordKind::Branch,
            "a leaf record has no child"
        );
        self.read_all(self.layout.key_fields).end()
    }

    fn read_all(&self, count: usize) -> FieldReader<'p> {
        let mut reader = self.reader();
        for layout in &self.layout.fields[..count] {
            reader.next(layout);
        }
        reader
    }

    /// Where the record lies.
    pub(crate) fn extent(&self) -> Extent {
        let reader = self.read_all(self.field_count());
        let child = match self.page.record_kind(self.origin) {
            RecordKind::Branch => 4,
            _ => 0,
        };
        let origin = usize::from(self.origin);
        Extent {
            origin: self.origin,
            // Both are below the page's size, or slicing would have failed before.
            extra: (origin - reader.start()) as u16,
            data: (reader.end() + child - origin) as u16,
        }
    }

    /// A copy of the whole record, fit to be put on another page.
    pub(crate) fn image(&self) -> RecordImage {
        let extent = self.extent();
        let start = usize::from(extent.origin - extent.extra);
        let mut bytes: Box<[u8]> = self.page.bytes[start..start + extent.size()].into();
        let header = usize::from(extent.extra) - HEADER;
        bytes[header] &= DELETED | LOWEST;
        let kind = self.page.record_kind(self.origin).code();
        bytes[header + 1..header + 3].copy_from_slice(&kind.to_be_bytes());
        bytes[header + 3..header + 5].fill(0);
        RecordImage {
            bytes,
            extra: extent.extra,
        }
    }
}
