//! Splitting a page in two.
//!
//! Rows that come in order leave full pages behind: if the record inserted last is the one before
//! (or after) the new one, the page splits right there. Otherwise it splits in the middle by count
//! and, if the record then still does not fit, by size.

use super::{Cursor, RecordMoves, Tree, insert::heap_numbers, path::link, tree::raise_max_trx};
use crate::{
    mtr::{Latched, Mtr},
    page::{
        EMPTY_PAGE_SPACE, Field, INFIMUM, PageKind, PageOp, Record, RecordImage, SUPREMUM,
        directory_space,
    },
};

/// On which side of the old page the new one comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Left,
    Right,
}

/// Where the upper half begins.
#[derive(Clone, Debug)]
pub(super) struct Upper {
    side: Side,
    /// The first record of the upper half, `None` if that is the new record.
    first: Option<u16>,
    /// Its key.
    pub(super) key: Vec<Field>,
}

impl Tree {
    /// Where a page splits if records come in ascending order: at the first record of the upper
    /// half, or `Some(None)` for the new record. `None` if they don't.
    pub(super) fn split_to_right(&self, mtr: &Mtr<'_>, cursor: Cursor) -> Option<Option<u16>> {
        let page = mtr.page(cursor.page);
        if page.last_insert() != Some(cursor.origin) {
            return None;
        }
        // One record after the new one stays with it, so that the next in order finds its place
        // by looking at this page alone.
        let next = page.next_record(cursor.origin);
        if next == SUPREMUM {
            return Some(None);
        }
        let after_next = page.next_record(next);
        Some((after_next != SUPREMUM).then_some(after_next))
    }

    /// Where a page splits if records come in descending order, `None` if they don't.
    pub(super) fn split_to_left(&self, mtr: &Mtr<'_>, cursor: Cursor) -> Option<u16> {
        let page = mtr.page(cursor.page);
        let next = page.next_record(cursor.origin);
        if next == SUPREMUM || page.last_insert() != Some(next) {
            return None;
        }
        // In the middle of a page the record before goes to the upper half too: otherwise lots of
        // records smaller than where inserts meet could move from page to page again and again.
        let at_start = cursor.origin == INFIMUM || page.first_record() == cursor.origin;
        Some(if at_start { next } else { cursor.origin })
    }

    /// Decides where a page splits to take a record after the cursor's.
    pub(super) fn choose_split(
        &self,
        mtr: &Mtr<'_>,
        cursor: Cursor,
        key: &[Field],
        size: usize,
        attempt: usize,
    ) -> Upper {
        let page = mtr.page(cursor.page);
        let is_smallest = cursor.origin == INFIMUM;
        let mut side = Side::Right;
        let first = if attempt > 0 {
            let first = self.split_by_size(mtr, cursor, size);
            first.or_else(|| is_smallest.then(|| page.first_record()))
        } else if let Some(first) = self.split_to_right(mtr, cursor) {
            first
        } else if let Some(first) = self.split_to_left(mtr, cursor) {
            side = Side::Left;
            Some(first)
        } else if page.record_count() > 1 {
            Some(page.nth_record((page.record_count() + 2) / 2))
        } else {
            is_smallest.then(|| page.first_record())
        };
        let key = match first {
            Some(first) => self.record_at(mtr, cursor.page, first).key(),
            None => key.to_vec(),
        };
        Upper { side, first, key }
    }

    /// The first record of the upper half if both are to be about equally full with the new record
    /// among them; `None` if that is the new record.
    fn split_by_size(&self, mtr: &Mtr<'_>, cursor: Cursor, size: usize) -> Option<u16> {
        let page = mtr.page(cursor.page);
        let mut order: Vec<Option<u16>> = page.records().map(Some).collect();
        let new = match cursor.origin {
            INFIMUM => 0,
            origin => page.rank(origin) + 1,
        };
        order.insert(new, None);
        let length = |record: &Option<u16>| match record {
            Some(origin) => Record::new(page, &self.layout, *origin).extent().size(),
            None => size,
        };
        let half = (page.data_size() + size + directory_space(order.len())) / 2;
        let mut bytes = 0;
        let mut count = 0;
        while count < order.len() && bytes + directory_space(count) < half {
            bytes += length(&order[count]);
            count += 1;
        }
        // The record that went beyond half stays below if it fits there and leaves something above.
        let fits = bytes + directory_space(count) <= EMPTY_PAGE_SPACE;
        let first = if fits && count < order.len() {
            count
        } else {
            count - 1
        };
        order[first]
    }

    /// Splits the cursor's page; returns the half to which `key` belongs.
    pub(super) fn split(
        &self,
        mtr: &mut Mtr<'_>,
        cursor: Cursor,
        upper: &Upper,
        key: &[Field],
        moves: &dyn RecordMoves,
    ) -> Latched {
        let page = cursor.page;
        let level = mtr.page(page).level();
        let goes_left = upper.first.is_some_and(|first| {
            let first = self.record_at(mtr, page, first);
            first.compare_prefix(key).0.is_gt()
        });
        let first_moved = upper
            .first
            .unwrap_or_else(|| mtr.page(page).next_record(cursor.origin));
        let new = self.new_page(mtr, level);
        self.attach(mtr, page, new, upper);
        raise_max_trx(mtr, new, mtr.page(page).max_trx());
        let is_leaf = level == 0;
        let (left, right) = match upper.side {
            Side::Right => {
                self.move_tail(mtr, page, new, first_moved, moves);
                (page, new)
            }
            Side::Left => {
                self.move_head(mtr, page, new, first_moved, moves);
                (new, page)
            }
        };
        if is_leaf {
            let (left, right) = (mtr.page(left), mtr.page(right));
            let first = right.heap_no(right.first_record());
            match upper.side {
                Side::Right => moves.split_right(left.page_no(), right.page_no(), first),
                Side::Left => moves.split_left(left.page_no(), right.page_no(), first),
            }
        }
        if goes_left { left } else { right }
    }

    fn new_page(&self, mtr: &mut Mtr<'_>, level: u16) -> Latched {
        mtr.allocate_index(self.index, level)
            .expect("pages for a split were set aside before")
    }

    /// Links the new half in: above, and beside.
    fn attach(&self, mtr: &mut Mtr<'_>, old: Latched, new: Latched, upper: &Upper) {
        let (prev, next) = (mtr.page(old).prev(), mtr.page(old).next());
        let father = self.father(mtr, old);
        let upper_page = match upper.side {
            Side::Right => {
                let next = self.neighbour(mtr, next);
                link(mtr, Some(new), next);
                link(mtr, Some(old), Some(new));
                mtr.page_no(new)
            }
            Side::Left => {
                let prev = self.neighbour(mtr, prev);
                link(mtr, prev, Some(new));
                link(mtr, Some(new), Some(old));
                self.set_child(mtr, father, mtr.page_no(new));
                mtr.page_no(old)
            }
        };
        self.insert_branch(mtr, father, upper, upper_page);
    }

    /// Moves `first` and all records after it to an empty page.
    fn move_tail(
        &self,
        mtr: &mut Mtr<'_>,
        from: Latched,
        to: Latched,
        first: u16,
        moves: &dyn RecordMoves,
    ) {
        let page = mtr.page(from);
        let rank = page.rank(first);
        let mut tail: Vec<u16> = page.records().skip(rank).collect();
        self.copy_to_empty(mtr, from, to, &tail, true, moves);
        // Last one first, so that the free list begins with the first of them.
        tail.reverse();
        self.remove_all(mtr, from, &tail);
    }

    /// Moves all records before `end` to an empty page.
    fn move_head(
        &self,
        mtr: &mut Mtr<'_>,
        from: Latched,
        to: Latched,
        end: u16,
        moves: &dyn RecordMoves,
    ) {
        let page = mtr.page(from);
        let head: Vec<u16> = page.records().take(page.rank(end)).collect();
        self.copy_to_empty(mtr, from, to, &head, false, moves);
        self.remove_all(mtr, from, &head);
    }

    fn copy_to_empty(
        &self,
        mtr: &mut Mtr<'_>,
        from: Latched,
        to: Latched,
        records: &[u16],
        forget: bool,
        moves: &dyn RecordMoves,
    ) {
        if records.is_empty() {
            return;
        }
        let page = mtr.page(from);
        let images: Vec<RecordImage> = records
            .iter()
            .map(|origin| Record::new(page, &self.layout, *origin).image())
            .collect();
        let moved: Vec<(u16, u16)> = records
            .iter()
            .map(|origin| page.heap_no(*origin))
            .zip(2..)
            .collect();
        let after = INFIMUM;
        mtr.apply(
            to,
            PageOp::InsertMany {
                after,
                images,
                forget,
            },
        );
        if mtr.page(to).level() == 0 {
            moves.move_records(mtr.page_no(from), mtr.page_no(to), &moved);
        }
    }

    pub(super) fn remove_all(&self, mtr: &mut Mtr<'_>, page: Latched, records: &[u16]) {
        if records.is_empty() {
            return;
        }
        let records = records
            .iter()
            .map(|origin| self.record_at(mtr, page, *origin).extent())
            .collect();
        mtr.apply(page, PageOp::Remove { records });
    }

    /// Moves the root's records to a new page below it; returns where the cursor is then.
    pub(super) fn raise_root(
        &self,
        mtr: &mut Mtr<'_>,
        cursor: Cursor,
        moves: &dyn RecordMoves,
    ) -> Cursor {
        let root = cursor.page;
        let (level, max_trx) = (mtr.page(root).level(), mtr.page(root).max_trx());
        let rank = match cursor.origin {
            INFIMUM => 0,
            origin => mtr.page(root).rank(origin) + 1,
        };
        let first = mtr.page(root).first_record();
        let key = self.record_at(mtr, root, first).key();
        let child = self.new_page(mtr, level);
        raise_max_trx(mtr, child, max_trx);
        let moved: Vec<(u16, u16)> = heap_numbers(mtr, root).into_iter().zip(2..).collect();
        let images = self.images(mtr, root);
        let forget = true;
        let after = INFIMUM;
        mtr.apply(
            child,
            PageOp::InsertMany {
                after,
                images,
                forget,
            },
        );
        let (root_no, child_no) = (mtr.page_no(root), mtr.page_no(child));
        if level == 0 {
            moves.move_records(root_no, child_no, &moved);
            moves.root_raise(root_no, child_no);
        }
        self.format_root(mtr, root, level + 1);
        let image = self.layout.branch_image(&key, child_no, true);
        mtr.apply(root, PageOp::Insert { after, image });
        Cursor {
            page: child,
            origin: mtr.page(child).nth_record(rank),
        }
    }

    /// Empties the root for records of another level.
    pub(super) fn format_root(&self, mtr: &mut Mtr<'_>, root: Latched, level: u16) {
        let index = self.index;
        let kind = PageKind::Index;
        mtr.apply(root, PageOp::Format { kind, index, level });
    }
}
