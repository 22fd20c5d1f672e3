//! From the root to a leaf.

use gaplock_wal::PageNo;

use super::{Cursor, Latching, Seek, Tree};
use crate::{
    error::StoreError,
    mtr::{LatchMode, Latched, Mtr},
    page::{Field, INFIMUM, NO_PAGE, Page, Record},
};

/// What is looked for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Target<'k> {
    /// The first record.
    First,
    /// The last record.
    Last,
    /// The last record before a key, or not after it.
    Key(&'k [Field], Bound),
}

/// Which records are on the near side of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bound {
    /// Those before it.
    Before,
    /// Those before it and those that are equal.
    Through,
}

impl Seek {
    pub(super) fn bound(self) -> Bound {
        match self {
            Seek::AtOrAfter | Seek::Before => Bound::Before,
            Seek::After | Seek::AtOrBefore => Bound::Through,
        }
    }
}

impl Tree {
    /// Finds the place of a key, or of a prefix of a key.
    ///
    /// To change the record of a whole key, seek it with `AtOrBefore`: it leads to the one leaf on
    /// which the record is. `AtOrAfter` may stop on the supremum of the leaf before.
    ///
    /// # Errors
    /// When pages cannot be read.
    pub fn seek(
        &self,
        mtr: &mut Mtr<'_>,
        key: &[Field],
        seek: Seek,
        latching: Latching,
    ) -> Result<Cursor, StoreError> {
        let bound = seek.bound();
        let page = self.descend(mtr, Target::Key(key, bound), latching)?;
        let last = self.last_within(mtr.page(page), key, bound);
        let origin = match seek {
            Seek::AtOrBefore | Seek::Before => last,
            Seek::AtOrAfter | Seek::After => mtr.page(page).next_record(last),
        };
        Ok(Cursor { page, origin })
    }

    /// The first row (or the supremum, if the tree is empty).
    ///
    /// # Errors
    /// When pages cannot be read.
    pub fn first(&self, mtr: &mut Mtr<'_>, latching: Latching) -> Result<Cursor, StoreError> {
        let page = self.descend(mtr, Target::First, latching)?;
        let origin = mtr.page(page).first_record();
        Ok(Cursor { page, origin })
    }

    /// The last row (or the infimum, if the tree is empty).
    ///
    /// # Errors
    /// When pages cannot be read.
    pub fn last(&self, mtr: &mut Mtr<'_>, latching: Latching) -> Result<Cursor, StoreError> {
        let page = self.descend(mtr, Target::Last, latching)?;
        let origin = mtr.page(page).last_record();
        Ok(Cursor { page, origin })
    }

    /// The last record of a page on the near side of a key; the infimum if there is none.
    pub(super) fn last_within(&self, page: &Page, key: &[Field], bound: Bound) -> u16 {
        page.last_record_where(|origin| {
            let order = Record::new(page, &self.layout, origin)
                .compare_prefix(key)
                .0;
            match bound {
                Bound::Before => order.is_lt(),
                Bound::Through => order.is_le(),
            }
        })
    }

    /// The record of a branch page that leads to the target.
    pub(super) fn branch_to(&self, page: &Page, target: Target<'_>) -> u16 {
        let origin = match target {
            Target::First => page.first_record(),
            Target::Last => page.last_record(),
            Target::Key(key, bound) => self.last_within(page, key, bound),
        };
        // T3 leads no search before the first record but for a damaged page.
        if origin == INFIMUM {
            page.first_record()
        } else {
            origin
        }
    }

    fn child_to(&self, page: &Page, target: Target<'_>) -> PageNo {
        Record::new(page, &self.layout, self.branch_to(page, target)).child()
    }

    fn descend(
        &self,
        mtr: &mut Mtr<'_>,
        target: Target<'_>,
        latching: Latching,
    ) -> Result<Latched, StoreError> {
        match latching {
            Latching::Read => self.descend_to_leaf(mtr, target, LatchMode::Shared),
            Latching::ModifyLeaf => self.descend_to_leaf(mtr, target, LatchMode::Exclusive),
            Latching::ModifyTree => self.descend_to_modify(mtr, target),
        }
    }

    /// Latches the leaf, and on the way there each page until its child is latched.
    fn descend_to_leaf(
        &self,
        mtr: &mut Mtr<'_>,
        target: Target<'_>,
        leaf_mode: LatchMode,
    ) -> Result<Latched, StoreError> {
        let was_latched = mtr.tree_mode(self.index).is_some();
        self.latch_tree(mtr, LatchMode::Shared);
        let mut at = mtr.latch(self.root, LatchMode::Shared)?;
        if mtr.page(at).level() == 0 {
            // Whether the root is a leaf was not known; it stays one under the tree's latch.
            mtr.release(at);
            at = mtr.latch(self.root, leaf_mode)?;
        }
        while mtr.page(at).level() > 0 {
            let child = self.child_to(mtr.page(at), target);
            let mode = if mtr.page(at).level() == 1 {
                leaf_mode
            } else {
                LatchMode::Shared
            };
            let below = mtr.latch(child, mode)?;
            mtr.release(at);
            at = below;
        }
        if !was_latched {
            mtr.release_tree(self.index);
        }
        Ok(at)
    }

    /// Latches the tree, the leaf and its neighbours exclusively.
    fn descend_to_modify(
        &self,
        mtr: &mut Mtr<'_>,
        target: Target<'_>,
    ) -> Result<Latched, StoreError> {
        self.latch_tree(mtr, LatchMode::Exclusive);
        // Others may still change the leaves, but nobody which page is where: each page can be let
        // go of before the next is latched.
        let mut page_no = self.root;
        let (left, right) = loop {
            let at = mtr.latch(page_no, LatchMode::Shared)?;
            let page = mtr.page(at);
            let neighbours = (page.prev(), page.next());
            let child = (page.level() > 0).then(|| self.child_to(page, target));
            mtr.release(at);
            match child {
                Some(child) => page_no = child,
                None => break neighbours,
            }
        };
        if left != NO_PAGE {
            mtr.latch(left, LatchMode::Exclusive)?;
        }
        let leaf = mtr.latch(page_no, LatchMode::Exclusive)?;
        if right != NO_PAGE {
            mtr.latch(right, LatchMode::Exclusive)?;
        }
        Ok(leaf)
    }
}
