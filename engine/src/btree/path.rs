//! What a split or merge may touch: latched, all of it, before the first change; and found again
//! while the change goes on.

use gaplock_wal::PageNo;

use super::{
    Cursor, Tree,
    search::{Bound, Target},
};
use crate::{
    error::StoreError,
    mtr::{LatchMode, Latched, Mtr},
    page::{Field, NEXT, NO_PAGE, PREV, PageOp},
};

impl Tree {
    /// Latches the branch pages on the way to `key`, and their neighbours, exclusively. Returns
    /// the number of levels.
    pub(super) fn latch_path(&self, mtr: &mut Mtr<'_>, key: &[Field]) -> Result<usize, StoreError> {
        assert_eq!(
            mtr.tree_mode(self.index),
            Some(LatchMode::Exclusive),
            "whoever splits or merges has sought with ModifyTree"
        );
        let mut page_no = self.root;
        let mut levels = 1;
        loop {
            if let Some(leaf) = mtr.held(page_no)
                && mtr.page(leaf).level() == 0
            {
                return Ok(levels);
            }
            let at = mtr.latch(page_no, LatchMode::Exclusive)?;
            let page = mtr.page(at);
            assert!(page.level() > 0, "the leaf was latched by the seek");
            let neighbours = [page.prev(), page.next()];
            let target = Target::Key(key, Bound::Through);
            let branch = self.branch_to(page, target);
            page_no = self.record_at(mtr, at, branch).child();
            for neighbour in neighbours {
                if neighbour != NO_PAGE {
                    mtr.latch(neighbour, LatchMode::Exclusive)?;
                }
            }
            levels += 1;
        }
    }

    /// Latches all that splitting on the way to `key` may need. Each level splits at most twice,
    /// since two records always fit on a page, and the root is raised at most once.
    pub(super) fn prepare_split(&self, mtr: &mut Mtr<'_>, key: &[Field]) -> Result<(), StoreError> {
        let levels = self.latch_path(mtr, key)?;
        mtr.reserve(2 * levels + 1)
    }

    /// Latches all that merging on the way to `key` may need.
    pub(super) fn prepare_merge(&self, mtr: &mut Mtr<'_>, key: &[Field]) -> Result<(), StoreError> {
        self.latch_path(mtr, key)?;
        mtr.reserve(0)
    }

    /// A page that [`Self::latch_path`] or the seek has latched.
    pub(super) fn held(&self, mtr: &Mtr<'_>, page: PageNo) -> Latched {
        mtr.held(page)
            .expect("what a split or merge touches was latched before")
    }

    /// A neighbour, if there is one.
    pub(super) fn neighbour(&self, mtr: &Mtr<'_>, page: PageNo) -> Option<Latched> {
        (page != NO_PAGE).then(|| self.held(mtr, page))
    }

    /// Where `key` belongs, going through latched pages only: on the leaf, after the record.
    pub(super) fn find_held(&self, mtr: &Mtr<'_>, key: &[Field]) -> Cursor {
        let page = self.page_held(mtr, Target::Key(key, Bound::Through), 0);
        let origin = self.last_within(mtr.page(page), key, Bound::Through);
        Cursor { page, origin }
    }

    /// The page of a level on the way to a target.
    fn page_held(&self, mtr: &Mtr<'_>, target: Target<'_>, level: u16) -> Latched {
        let mut page = self.held(mtr, self.root);
        while mtr.page(page).level() > level {
            let branch = self.branch_to(mtr.page(page), target);
            page = self.held(mtr, self.record_at(mtr, page, branch).child());
        }
        page
    }

    /// The branch record that leads to a page, which is not the root and not empty.
    pub(super) fn father(&self, mtr: &Mtr<'_>, page: Latched) -> Cursor {
        let first = self.record_at(mtr, page, mtr.page(page).first_record());
        // The fields of a record below all keys say nothing: keys beyond them may have come to
        // stand to its right.
        let key = first.key();
        let target = if first.is_lowest() {
            Target::First
        } else {
            Target::Key(&key, Bound::Through)
        };
        let parent = self.page_held(mtr, target, mtr.page(page).level() + 1);
        let father = Cursor {
            page: parent,
            origin: self.branch_to(mtr.page(parent), target),
        };
        let child = self.record(mtr, father).child();
        assert_eq!(child, mtr.page_no(page), "a page is found by its keys (T3)");
        father
    }

    /// Makes a branch record lead to another page.
    pub(super) fn set_child(&self, mtr: &mut Mtr<'_>, branch: Cursor, child: PageNo) {
        let offset = self.record(mtr, branch).child_offset();
        mtr.apply(branch.page, PageOp::write(offset, &child.0.to_be_bytes()));
    }
}

/// Makes two pages neighbours; `None` is the level's end.
pub(super) fn link(mtr: &mut Mtr<'_>, left: Option<Latched>, right: Option<Latched>) {
    let number = |page: Option<Latched>| page.map_or(NO_PAGE, |page| mtr.page_no(page));
    let (left_no, right_no) = (number(left), number(right));
    if let Some(left) = left {
        mtr.apply(left, PageOp::write(NEXT, &right_no.0.to_be_bytes()));
    }
    if let Some(right) = right {
        mtr.apply(right, PageOp::write(PREV, &left_no.0.to_be_bytes()));
    }
}
