//! The sparse directory: a slot for every 4 to 8 records, to search by halves.
//!
//! - P1. Slots are in record order, the first is the infimum, the last the supremum.
//! - P2. A slot's record owns itself and the records since the slot before: 1 for the infimum, 1
//!   to 8 for the supremum, 4 to 8 for all others. No other record owns any.

use super::{
    Page,
    format::{PAGE_SIZE, SLOTS},
    layout::HEADER,
};

/// Most records that a slot owns.
pub(super) const MOST_OWNED: u8 = 8;
/// Fewest, but for the first and last slot.
pub(super) const FEWEST_OWNED: u8 = 4;

fn slot_offset(slot: usize) -> usize {
    PAGE_SIZE - 8 - 2 * (slot + 1)
}

impl Page {
    pub(super) fn slot_count(&self) -> usize {
        usize::from(self.u16_at(SLOTS))
    }

    pub(super) fn slot(&self, slot: usize) -> u16 {
        self.u16_at(slot_offset(slot))
    }

    pub(super) fn set_slot(&mut self, slot: usize, origin: u16) {
        self.put_u16(slot_offset(slot), origin);
    }

    pub(super) fn owned(&self, origin: u16) -> u8 {
        self.bytes[usize::from(origin) - HEADER] & 0x0f
    }

    pub(super) fn set_owned(&mut self, origin: u16, count: u8) {
        let flags = &mut self.bytes[usize::from(origin) - HEADER];
        *flags = *flags & 0xf0 | count;
    }

    /// The record that owns this one: itself or one of the next.
    pub(super) fn owner_of(&self, origin: u16) -> u16 {
        let mut at = origin;
        while self.owned(at) == 0 {
            at = self.next_record(at);
        }
        at
    }

    /// The slot of a record that owns others.
    pub(super) fn slot_of(&self, owner: u16) -> usize {
        // From the end: the last slots are the likeliest, since most inserts go there.
        let slot = (0..self.slot_count())
            .rev()
            .find(|&slot| self.slot(slot) == owner);
        slot.expect("an owner has a slot (P2)")
    }

    /// The last record for which `before` holds; it must hold for a first part of the records and
    /// for none after. The infimum if it holds for none.
    pub(crate) fn last_record_where(&self, mut before: impl FnMut(u16) -> bool) -> u16 {
        let (mut low, mut high) = (0, self.slot_count() - 1);
        while high - low > 1 {
            let middle = usize::midpoint(low, high);
            if before(self.slot(middle)) {
                low = middle;
            } else {
                high = middle;
            }
        }
        let end = self.slot(high);
        let mut at = self.slot(low);
        loop {
            let next = self.next_record(at);
            if next == end || !before(next) {
                return at;
            }
            at = next;
        }
    }

    /// Counts one more record for the owner of `origin`, which has just been linked in.
    pub(super) fn own_inserted(&mut self, origin: u16) {
        let owner = self.owner_of(origin);
        let count = self.owned(owner) + 1;
        self.set_owned(owner, count);
        if count > MOST_OWNED {
            self.split_slot(self.slot_of(owner));
        }
    }

    /// Gives the first half of an overfull slot's records a slot of their own.
    fn split_slot(&mut self, slot: usize) {
        let owner = self.slot(slot);
        let count = self.owned(owner);
        let lower = count / 2;
        let mut middle = self.slot(slot - 1);
        for _ in 0..lower {
            middle = self.next_record(middle);
        }
        let slots = self.slot_count();
        for at in (slot..slots).rev() {
            self.set_slot(at + 1, self.slot(at));
        }
        self.put_u16(SLOTS, slots as u16 + 1);
        self.set_slot(slot, middle);
        self.set_owned(middle, lower);
        self.set_owned(owner, count - lower);
    }

    /// Counts one record less for `slot`, whose record `gone`, with `previous` before it, is about
    /// to be unlinked.
    pub(super) fn disown_removed(&mut self, slot: usize, gone: u16, previous: u16) {
        let owner = self.slot(slot);
        let count = self.owned(owner);
        if owner == gone {
            self.set_owned(gone, 0);
            self.set_slot(slot, previous);
            self.set_owned(previous, count - 1);
        } else {
            self.set_owned(owner, count - 1);
        }
    }

    /// Mends a slot that owns too few: takes a record from the next slot, or joins it.
    pub(super) fn balance_slot(&mut self, slot: usize) {
        let slots = self.slot_count();
        if slot == 0 || slot == slots - 1 || self.owned(self.slot(slot)) >= FEWEST_OWNED {
            return;
        }
        let (owner, upper) = (self.slot(slot), self.slot(slot + 1));
        let (count, upper_count) = (self.owned(owner), self.owned(upper));
        self.set_owned(owner, 0);
        if upper_count > FEWEST_OWNED {
            let next = self.next_record(owner);
            self.set_owned(next, count + 1);
            self.set_slot(slot, next);
            self.set_owned(upper, upper_count - 1);
        } else {
            self.set_owned(upper, count + upper_count);
            for at in slot + 1..slots {
                self.set_slot(at - 1, self.slot(at));
            }
            self.put_u16(SLOTS, slots as u16 - 1);
        }
    }
}
