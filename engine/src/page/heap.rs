//! The heap of an index page: giving out bytes and heap numbers, and taking them back.
//!
//! The bytes of a record that went away are kept in a list, last one first; each free slot says in
//! its own first bytes which heap number goes with it, the next free slot, and its size. A new
//! record takes the first slot of that list, with its heap number, if it fits there; else it takes
//! the next bytes and the next heap number at the top. What it leaves of a slot is garbage until
//! the page is reorganised.

use super::{
    Page,
    format::{FREE, GARBAGE, HEAP_COUNT, HEAP_TOP, RECORDS},
    layout::RecordImage,
    record::Extent,
};

/// A slot of the list of free ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FreeSlot {
    pub(super) start: u16,
    pub(super) heap_no: u16,
    pub(super) next: u16,
    pub(super) size: usize,
}

impl Page {
    pub(super) fn free_slot(&self, start: u16) -> Option<FreeSlot> {
        let at = usize::from(start);
        (start != 0).then(|| FreeSlot {
            start,
            heap_no: self.u16_at(at),
            next: self.u16_at(at + 2),
            size: usize::from(self.u16_at(at + 4)),
        })
    }

    pub(super) fn free_head(&self) -> Option<FreeSlot> {
        self.free_slot(self.u16_at(FREE))
    }

    /// First byte and heap number for a record of `size` bytes.
    fn take_heap(&mut self, size: usize) -> (u16, u16) {
        if let Some(free) = self.free_head().filter(|free| free.size >= size) {
            self.put_u16(FREE, free.next);
            self.put_u16(GARBAGE, (self.garbage() - size) as u16);
            return (free.start, free.heap_no);
        }
        assert!(self.space_at_top(1) >= size, "room was looked for before");
        let (start, heap_no) = (self.u16_at(HEAP_TOP), self.u16_at(HEAP_COUNT));
        self.put_u16(HEAP_TOP, start + size as u16);
        self.put_u16(HEAP_COUNT, heap_no + 1);
        (start, heap_no)
    }

    /// Puts a record after another; returns its origin.
    pub(super) fn insert_after(&mut self, before: u16, image: &RecordImage) -> u16 {
        let (start, heap_no) = self.take_heap(image.size());
        let origin = start + image.extra;
        self.put(usize::from(start), &image.bytes);
        let kind = self.record_kind(origin).code();
        self.put_u16(usize::from(origin) - 4, heap_no << 3 | kind);
        self.link(origin, self.next_record(before));
        self.link(before, origin);
        self.put_u16(RECORDS, self.record_count() as u16 + 1);
        self.note_insert(before, origin);
        self.own_inserted(origin);
        origin
    }

    /// Takes a record away. The last one takes the whole heap with it.
    pub(super) fn remove_record(&mut self, extent: Extent) {
        if self.record_count() == 1 {
            self.empty();
            return;
        }
        self.forget_inserts();
        let slot = self.slot_of(self.owner_of(extent.origin));
        let previous = self.previous_record(extent.origin);
        self.disown_removed(slot, extent.origin, previous);
        self.link(previous, self.next_record(extent.origin));
        self.put_u16(RECORDS, self.record_count() as u16 - 1);
        self.give_heap_back(extent);
        self.balance_slot(slot);
    }

    fn give_heap_back(&mut self, extent: Extent) {
        let heap_no = self.heap_no(extent.origin);
        let start = extent.origin - extent.extra;
        let at = usize::from(start);
        self.put_u16(at, heap_no);
        self.put_u16(at + 2, self.u16_at(FREE));
        self.put_u16(at + 4, extent.size() as u16);
        self.put_u16(FREE, start);
        self.put_u16(GARBAGE, (self.garbage() + extent.size()) as u16);
    }
}
