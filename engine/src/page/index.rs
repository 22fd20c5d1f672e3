//! An index page: how full it is, and the list of its records.
//!
//! A page is full exactly when InnoDB's would be, because splits decide which gaps exist. So what
//! is counted here is what InnoDB counts: record bytes, bytes of records that went away, and half
//! a directory slot for each record, rounded up.

use super::{
    Page,
    format::{
        DIRECTION, DIRECTION_COUNT, FREE, GARBAGE, HEAP_COUNT, HEAP_START, HEAP_TOP, INDEX,
        INFIMUM, LAST_INSERT, LEVEL, PAGE_SIZE, RECORDS, SLOTS, SUPREMUM,
    },
    layout::{HEADER, RecordKind},
};

/// Bytes for records and directory on an empty page (two slots are always there).
pub(crate) const EMPTY_PAGE_SPACE: usize = PAGE_SIZE - HEAP_START - 8 - 4;

/// Most bytes that a stored record may take, its header included: two must fit on a page.
pub const MAX_RECORD_SIZE: usize = EMPTY_PAGE_SPACE / 2 - 1;

/// Which way the last inserts went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    /// Neither way.
    Neither,
    /// Each before the one before.
    Left,
    /// Each after the one before.
    Right,
}

impl Direction {
    fn code(self) -> u16 {
        match self {
            Direction::Neither => 0,
            Direction::Left => 1,
            Direction::Right => 2,
        }
    }
}

/// Directory bytes set aside for `records` records.
pub(crate) fn directory_space(records: usize) -> usize {
    (2 * records).div_ceil(4)
}

impl Page {
    /// Rows (or child pages) on the page.
    #[must_use]
    pub fn record_count(&self) -> usize {
        usize::from(self.u16_at(RECORDS))
    }

    /// Heap numbers given out, those of the pseudo-records among them.
    #[must_use]
    pub fn heap_count(&self) -> usize {
        usize::from(self.u16_at(HEAP_COUNT))
    }

    pub(super) fn heap_top(&self) -> usize {
        usize::from(self.u16_at(HEAP_TOP))
    }

    /// Bytes below the heap's top that belong to no record.
    #[must_use]
    pub fn garbage(&self) -> usize {
        usize::from(self.u16_at(GARBAGE))
    }

    /// Everything that decides how the page goes on being filled: its heap's numbers, free list and
    /// last insertions, and the records as they lie. Without what the page says of itself, and
    /// without the slots, which follow from the records.
    pub(crate) fn used_bytes(&self) -> &[u8] {
        &self.bytes()[super::CONTENT_START..self.heap_top()]
    }

    /// Bytes of all records.
    #[must_use]
    pub fn data_size(&self) -> usize {
        self.heap_top() - HEAP_START - self.garbage()
    }

    /// Most bytes that `records` more records may take at the heap's top.
    #[must_use]
    pub(crate) fn space_at_top(&self, records: usize) -> usize {
        let records = records + self.heap_count() - 2;
        let used = self.heap_top() - HEAP_START + directory_space(records);
        EMPTY_PAGE_SPACE.saturating_sub(used)
    }

    /// Most bytes that `records` more records may take once the garbage is gone.
    #[must_use]
    pub(crate) fn space_reorganized(&self, records: usize) -> usize {
        let used = self.data_size() + directory_space(records + self.record_count());
        EMPTY_PAGE_SPACE.saturating_sub(used)
    }

    /// Whether a record of `size` bytes can be put on the page as it is.
    #[must_use]
    pub(crate) fn has_room(&self, size: usize) -> bool {
        self.free_head().is_some_and(|free| free.size >= size) || self.space_at_top(1) >= size
    }

    /// The record inserted last, if it is known.
    #[must_use]
    pub(crate) fn last_insert(&self) -> Option<u16> {
        let origin = self.u16_at(LAST_INSERT);
        (origin != 0).then_some(origin)
    }

    pub(super) fn record_kind(&self, origin: u16) -> RecordKind {
        match self.u16_at(usize::from(origin) - 4) & 7 {
            0 => RecordKind::Leaf,
            1 => RecordKind::Branch,
            2 => RecordKind::Infimum,
            _ => RecordKind::Supremum,
        }
    }

    /// A record's number in the heap.
    #[must_use]
    pub(crate) fn heap_no(&self, origin: u16) -> u16 {
        self.u16_at(usize::from(origin) - 4) >> 3
    }

    /// The record after another; 0 after the supremum.
    #[must_use]
    pub(crate) fn next_record(&self, origin: u16) -> u16 {
        self.u16_at(usize::from(origin) - 2)
    }

    /// The record before another, which is not the infimum.
    #[must_use]
    pub(crate) fn previous_record(&self, origin: u16) -> u16 {
        let slot = self.slot_of(self.owner_of(origin));
        let mut at = self.slot(slot - 1);
        loop {
            let next = self.next_record(at);
            if next == origin {
                return at;
            }
            at = next;
        }
    }

    /// The first record: a row or the supremum.
    #[must_use]
    pub(crate) fn first_record(&self) -> u16 {
        self.next_record(INFIMUM)
    }

    /// The last record: a row or the infimum.
    #[must_use]
    pub(crate) fn last_record(&self) -> u16 {
        self.previous_record(SUPREMUM)
    }

    /// Origins of all rows in order.
    pub(crate) fn records(&self) -> impl Iterator<Item = u16> + '_ {
        let mut at = INFIMUM;
        std::iter::from_fn(move || {
            at = self.next_record(at);
            (at != SUPREMUM).then_some(at)
        })
    }

    /// The `nth` record of the list; the infimum is number 0.
    #[must_use]
    pub(crate) fn nth_record(&self, nth: usize) -> u16 {
        let mut at = INFIMUM;
        for _ in 0..nth {
            at = self.next_record(at);
        }
        at
    }

    /// How many records come before this one; 0 for the first row.
    #[must_use]
    pub(crate) fn rank(&self, origin: u16) -> usize {
        self.records()
            .take_while(|&record| record != origin)
            .count()
    }

    /// Whether any record carries this heap number, and which: rows and pseudo-records.
    #[must_use]
    pub(crate) fn record_with_heap_no(&self, heap_no: u16) -> Option<u16> {
        match heap_no {
            0 => Some(INFIMUM),
            1 => Some(SUPREMUM),
            _ => self
                .records()
                .find(|&origin| self.heap_no(origin) == heap_no),
        }
    }

    /// Makes this an empty index page; what is before the content stays.
    pub(super) fn format_index(&mut self, index: u64, level: u16) {
        self.bytes[SLOTS..].fill(0);
        self.put_u64(INDEX, index);
        self.put_u16(LEVEL, level);
        self.empty();
    }

    /// Takes all records away, with their heap numbers; index, level and newest transaction stay.
    pub(super) fn empty(&mut self) {
        self.bytes[INDEX + 8..].fill(0);
        for (origin, kind, name) in [
            (INFIMUM, RecordKind::Infimum, b"infimum\0"),
            (SUPREMUM, RecordKind::Supremum, b"supremum"),
        ] {
            let at = usize::from(origin);
            let heap_no = u16::from(kind == RecordKind::Supremum);
            self.bytes[at - HEADER] = 1;
            self.put_u16(at - 4, heap_no << 3 | kind.code());
            self.put(at, name);
        }
        self.link(INFIMUM, SUPREMUM);
        for (offset, value) in [
            (SLOTS, 2),
            (HEAP_TOP, HEAP_START as u16),
            (HEAP_COUNT, 2),
            (FREE, 0),
            (GARBAGE, 0),
            (RECORDS, 0),
        ] {
            self.put_u16(offset, value);
        }
        self.forget_inserts();
        self.set_slot(0, INFIMUM);
        self.set_slot(1, SUPREMUM);
    }

    pub(super) fn link(&mut self, from: u16, to: u16) {
        self.put_u16(usize::from(from) - 2, to);
    }

    /// Forgets where the last insert was, and which way inserts went.
    pub(super) fn forget_inserts(&mut self) {
        self.put_u16(LAST_INSERT, 0);
        self.put_u16(DIRECTION, Direction::Neither.code());
        self.put_u16(DIRECTION_COUNT, 0);
    }

    /// Notes an insert of `new` after `before`.
    pub(super) fn note_insert(&mut self, before: u16, new: u16) {
        let last = self.last_insert();
        let direction = self.u16_at(DIRECTION);
        let (direction, count) = if last == Some(before) && direction != Direction::Left.code() {
            (Direction::Right, self.u16_at(DIRECTION_COUNT) + 1)
        } else if last == Some(self.next_record(new)) && direction != Direction::Right.code() {
            (Direction::Left, self.u16_at(DIRECTION_COUNT) + 1)
        } else {
            (Direction::Neither, 0)
        };
        self.put_u16(LAST_INSERT, new);
        self.put_u16(DIRECTION, direction.code());
        self.put_u16(DIRECTION_COUNT, count);
    }
}
