//! Joining pages, and giving pages up.

use super::{Cursor, RecordMoves, Tree, insert::heap_numbers, path::link, tree::raise_max_trx};
use crate::{
    mtr::{Latched, Mtr},
    page::{Field, INFIMUM, LOWEST, PageOp, SUPREMUM},
};

/// Heap number of a page's supremum.
const SUPREMUM_HEAP_NO: u16 = 1;

impl Tree {
    /// Merges a page into its left neighbour, or else its right one, if it fits there and both
    /// have the same parent page.
    pub(super) fn merge(&self, mtr: &mut Mtr<'_>, page: Latched, moves: &dyn RecordMoves) {
        let father = self.father(mtr, page);
        let (prev, next) = (mtr.page(page).prev(), mtr.page(page).next());
        let parent = mtr.page(father.page);
        let has_left_brother = parent.first_record() != father.origin;
        let has_right_brother = parent.next_record(father.origin) != SUPREMUM;
        if has_left_brother
            && let Some(left) = self.neighbour(mtr, prev)
            && self.makes_room_for(mtr, left, page, moves)
        {
            self.merge_into_left(mtr, page, left, father, moves);
        } else if has_right_brother
            && let Some(right) = self.neighbour(mtr, next)
            && self.makes_room_for(mtr, right, page, moves)
        {
            self.merge_into_right(mtr, page, right, father, moves);
        }
    }

    /// Whether all records of `page` fit on `other`, which is packed anew if that helps.
    fn makes_room_for(
        &self,
        mtr: &mut Mtr<'_>,
        other: Latched,
        page: Latched,
        moves: &dyn RecordMoves,
    ) -> bool {
        let (bytes, records) = (mtr.page(page).data_size(), mtr.page(page).record_count());
        if bytes > mtr.page(other).space_reorganized(records) {
            return false;
        }
        if bytes > mtr.page(other).space_at_top(records) {
            self.reorganize(mtr, other, moves);
        }
        true
    }

    fn merge_into_left(
        &self,
        mtr: &mut Mtr<'_>,
        page: Latched,
        left: Latched,
        father: Cursor,
        moves: &dyn RecordMoves,
    ) {
        let is_leaf = mtr.page(page).level() == 0;
        let old_last = mtr.page(left).last_record();
        self.copy_all(mtr, page, left, old_last, moves);
        let next = self.neighbour(mtr, mtr.page(page).next());
        link(mtr, Some(left), next);
        self.remove_branch(mtr, father);
        if is_leaf {
            let page_left = mtr.page(left);
            let first_moved = page_left.next_record(old_last);
            let heir = (first_moved != SUPREMUM).then(|| page_left.heap_no(first_moved));
            moves.merge_left(page_left.page_no(), heir, mtr.page_no(page));
        }
        give_back(mtr, page);
    }

    fn merge_into_right(
        &self,
        mtr: &mut Mtr<'_>,
        page: Latched,
        right: Latched,
        father: Cursor,
        moves: &dyn RecordMoves,
    ) {
        let is_leaf = mtr.page(page).level() == 0;
        let old_first = mtr.page(right).first_record();
        self.copy_all(mtr, page, right, INFIMUM, moves);
        let prev = self.neighbour(mtr, mtr.page(page).prev());
        link(mtr, prev, Some(right));
        let origin = mtr.page(father.page).next_record(father.origin);
        let father_of_right = Cursor { origin, ..father };
        self.set_child(mtr, father, mtr.page_no(right));
        self.remove_branch(mtr, father_of_right);
        if is_leaf {
            let old_first = mtr.page(right).heap_no(old_first);
            moves.merge_right(mtr.page_no(right), old_first, mtr.page_no(page));
        }
        give_back(mtr, page);
    }

    /// Copies all records of a page to another, after record `after` of that.
    fn copy_all(
        &self,
        mtr: &mut Mtr<'_>,
        from: Latched,
        to: Latched,
        after: u16,
        moves: &dyn RecordMoves,
    ) {
        let old = heap_numbers(mtr, from);
        let images = self.images(mtr, from);
        let forget = false;
        mtr.apply(
            to,
            PageOp::InsertMany {
                after,
                images,
                forget,
            },
        );
        raise_max_trx(mtr, to, mtr.page(from).max_trx());
        if mtr.page(to).level() == 0 {
            let page = mtr.page(to);
            let mut moved = Vec::with_capacity(old.len());
            let mut at = after;
            for old in old {
                at = page.next_record(at);
                moved.push((old, page.heap_no(at)));
            }
            moves.move_records(mtr.page_no(from), mtr.page_no(to), &moved);
        }
    }

    /// Takes a branch record away; the page to which it led is gone or found otherwise.
    ///
    /// The first record of a branch page keeps its key, which is its parent's (T3): it is made to
    /// lead where the second leads, and the second goes.
    fn remove_branch(&self, mtr: &mut Mtr<'_>, branch: Cursor) {
        let page = branch.page;
        if mtr.page(page).record_count() == 1 {
            self.discard(mtr, page, &());
            return;
        }
        if mtr.page(page).first_record() == branch.origin {
            let origin = mtr.page(page).next_record(branch.origin);
            let child = self.record_at(mtr, page, origin).child();
            self.set_child(mtr, branch, child);
            self.remove_all(mtr, page, &[origin]);
        } else {
            self.remove_all(mtr, page, &[branch.origin]);
        }
        self.merge_if_useful(mtr, page, &());
    }

    /// Gives up a page with what is on it. It has a neighbour: of a leaf, who calls this has seen
    /// to it; of a branch page, since the page below that went away has one, under another parent.
    pub(super) fn discard(&self, mtr: &mut Mtr<'_>, page: Latched, moves: &dyn RecordMoves) {
        let (prev, next) = (mtr.page(page).prev(), mtr.page(page).next());
        let (prev, next) = (self.neighbour(mtr, prev), self.neighbour(mtr, next));
        let is_leaf = mtr.page(page).level() == 0;
        let heir = match (prev, next) {
            (Some(left), _) => (mtr.page_no(left), SUPREMUM_HEAP_NO),
            (None, Some(right)) => {
                let right = mtr.page(right);
                (right.page_no(), right.heap_no(right.first_record()))
            }
            (None, None) => unreachable!("a page that is alone on its level is lifted"),
        };
        let father = self.father(mtr, page);
        link(mtr, prev, next);
        if let (None, Some(right), false) = (prev, next, is_leaf) {
            let at = mtr.page(right).first_record();
            let (flags, mask) = (LOWEST, LOWEST);
            mtr.apply(right, PageOp::SetFlags { at, flags, mask });
        }
        self.remove_branch(mtr, father);
        if is_leaf {
            moves.discard(heir.0, heir.1, mtr.page_no(page));
        }
        give_back(mtr, page);
    }

    /// Moves the records of the only page below the root into the root: one level less.
    ///
    /// A leaf that is alone on its level is always that page: when its last neighbour went, so did
    /// a record of their parent, and if that was alone on its level, it was lifted then.
    pub(super) fn lift_into_root(&self, mtr: &mut Mtr<'_>, moves: &dyn RecordMoves) {
        let root = self.held(mtr, self.root);
        let branch = mtr.page(root).first_record();
        let child = self.held(mtr, self.record_at(mtr, root, branch).child());
        assert_eq!(mtr.page(root).record_count(), 1, "it is alone on its level");
        let level = mtr.page(child).level();
        self.format_root(mtr, root, level);
        self.copy_all(mtr, child, root, INFIMUM, moves);
        if level == 0 {
            moves.copy_and_discard(mtr.page_no(root), mtr.page_no(child));
        }
        give_back(mtr, child);
    }

    /// Merges the page on which `key` is, if that is useful, and returns where its record is then.
    pub(super) fn merge_around(
        &self,
        mtr: &mut Mtr<'_>,
        cursor: Cursor,
        key: &[Field],
        moves: &dyn RecordMoves,
    ) -> Cursor {
        self.merge_if_useful(mtr, cursor.page, moves);
        self.find_held(mtr, key)
    }
}

fn give_back(mtr: &mut Mtr<'_>, page: Latched) {
    mtr.free(page)
        .expect("the space header was latched before the merge");
}
