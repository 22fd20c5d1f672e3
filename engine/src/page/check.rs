//! What must hold on every index page.
//!
//! - P1, P2: see [`super::directory`].
//! - P3. Records are in strictly ascending order of their keys.
//! - P4. Each heap number is that of one record or of one free slot, or the page's bytes for it
//!   are garbage; none is used twice.
//! - P5. Records lie in the heap and do not overlap; their bytes and the garbage add up.

use std::collections::BTreeSet;

use super::{
    Page, Record, RecordLayout,
    directory::{FEWEST_OWNED, MOST_OWNED},
    format::{HEAP_START, INFIMUM, SUPREMUM},
    layout::RecordKind,
};

impl Page {
    /// What is wrong with an index page, if anything.
    pub(crate) fn check_index(&self, layout: &RecordLayout) -> Result<(), String> {
        let records = self.check_list()?;
        self.check_directory(&records)?;
        self.check_order(layout, &records)?;
        self.check_heap(layout, &records)
    }

    /// The record list ends, and has as many rows as the header says.
    fn check_list(&self) -> Result<Vec<u16>, String> {
        let mut records = Vec::new();
        let mut at = INFIMUM;
        loop {
            at = self.next_record(at);
            if at == SUPREMUM {
                break;
            }
            if usize::from(at) <= HEAP_START || usize::from(at) > self.heap_top() {
                return Err(format!("a record list leads to {at}"));
            }
            records.push(at);
            if records.len() > self.record_count() {
                return Err("more records are linked than counted".to_owned());
            }
        }
        if records.len() < self.record_count() {
            return Err("fewer records are linked than counted".to_owned());
        }
        Ok(records)
    }

    /// P1 and P2.
    fn check_directory(&self, records: &[u16]) -> Result<(), String> {
        let last = self.slot_count() - 1;
        let mut slot = 0;
        let mut since = 0;
        for &at in [INFIMUM].iter().chain(records).chain(&[SUPREMUM]) {
            since += 1;
            let owned = self.owned(at);
            if owned == 0 {
                continue;
            }
            if self.slot(slot) != at || owned != since {
                return Err(format!("slot {slot} does not own its records"));
            }
            let fewest = if slot == 0 || slot == last {
                1
            } else {
                FEWEST_OWNED
            };
            if !(fewest..=MOST_OWNED).contains(&owned) {
                return Err(format!("slot {slot} owns {owned} records"));
            }
            slot += 1;
            since = 0;
        }
        if slot == last + 1 && since == 0 {
            Ok(())
        } else {
            Err("the directory has slots without records".to_owned())
        }
    }

    /// P3.
    fn check_order(&self, layout: &RecordLayout, records: &[u16]) -> Result<(), String> {
        for pair in records.windows(2) {
            let (left, right) = (
                Record::new(self, layout, pair[0]),
                Record::new(self, layout, pair[1]),
            );
            if left.compare_prefix(&right.key()).0.is_ge() {
                return Err(format!(
                    "records {} and {} are out of order",
                    pair[0], pair[1]
                ));
            }
        }
        Ok(())
    }

    /// P4 and P5.
    fn check_heap(&self, layout: &RecordLayout, records: &[u16]) -> Result<(), String> {
        let kind = if self.level() == 0 {
            RecordKind::Leaf
        } else {
            RecordKind::Branch
        };
        let mut numbers = BTreeSet::from([0, 1]);
        let mut ranges = Vec::new();
        let mut bytes = 0;
        for &at in records {
            if self.record_kind(at) != kind {
                return Err(format!("record {at} is of another level"));
            }
            let extent = Record::new(self, layout, at).extent();
            bytes += extent.size();
            let start = usize::from(at - extent.extra);
            ranges.push((start, start + extent.size()));
            if !numbers.insert(self.heap_no(at)) {
                return Err(format!("heap number {} is used twice", self.heap_no(at)));
            }
        }
        let mut free = self.free_head();
        while let Some(slot) = free {
            ranges.push((usize::from(slot.start), usize::from(slot.start) + slot.size));
            if !numbers.insert(slot.heap_no) {
                return Err(format!("heap number {} is used twice", slot.heap_no));
            }
            free = self.free_slot(slot.next);
        }
        ranges.sort_unstable();
        let apart = ranges.windows(2).all(|pair| pair[0].1 <= pair[1].0);
        let inside = ranges.last().is_none_or(|range| range.1 <= self.heap_top());
        if !apart || !inside {
            return Err("records overlap".to_owned());
        }
        if bytes != self.data_size() {
            return Err(format!(
                "records have {bytes} bytes, {} are counted",
                self.data_size()
            ));
        }
        let all = numbers.len() == self.heap_count();
        if all
            && numbers
                .last()
                .is_some_and(|&last| usize::from(last) < numbers.len())
        {
            Ok(())
        } else {
            Err("heap numbers are missing".to_owned())
        }
    }
}
