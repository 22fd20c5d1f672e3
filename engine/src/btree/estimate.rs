//! How many rows lie in a range, as the optimizer asks: two dives, and a look at a few pages
//! between.

use gaplock_wal::PageNo;

use super::{Seek, Tree, search::Target};
use crate::{
    buffer::BufferPool,
    error::StoreError,
    mtr::{LatchMode, Mtr},
    page::{Field, INFIMUM, NO_PAGE},
};

/// Pages of a level that are read for one estimate.
const PAGES_READ: u64 = 10;

/// One page of a dive: how many of its records come before the range's end, and on a branch page,
/// before the record through which the dive went.
#[derive(Clone, Copy, Debug)]
struct Cut {
    page: PageNo,
    before: u64,
}

impl Tree {
    /// About how many rows lie between two places, each a key prefix and a seek; `None` is the
    /// tree's end. A lower place is the first row of the range (`AtOrAfter` or `After`), an upper
    /// one the last (`AtOrBefore` or `Before`). Exact while all rows are on a few pages.
    ///
    /// # Errors
    /// When pages cannot be read.
    pub fn estimate(
        &self,
        pool: &BufferPool,
        lower: Option<(&[Field], Seek)>,
        upper: Option<(&[Field], Seek)>,
    ) -> Result<u64, StoreError> {
        let mut mtr = Mtr::begin(pool);
        // Held to the end: the pages of the two dives must be of the same tree.
        self.latch_tree(&mut mtr, LatchMode::Shared);
        let target = |end, place: Option<(_, Seek)>| {
            place.map_or(end, |(key, seek)| Target::Key(key, seek.bound()))
        };
        let lower = self.dive(&mut mtr, target(Target::First, lower))?;
        let upper = self.dive(&mut mtr, target(Target::Last, upper))?;
        let mut rows = 0;
        for (left, right) in lower.iter().zip(&upper) {
            rows = if left.page == right.page {
                right.before.saturating_sub(left.before)
            } else {
                self.count_between(&mut mtr, *left, *right, rows)?
            };
        }
        Ok(rows)
    }

    /// The way to one end of a range, from the root down.
    fn dive(&self, mtr: &mut Mtr<'_>, target: Target<'_>) -> Result<Vec<Cut>, StoreError> {
        let mut cuts = Vec::new();
        let mut page_no = self.root;
        loop {
            let latched = mtr.latch(page_no, LatchMode::Shared)?;
            let page = mtr.page(latched);
            let is_leaf = page.level() == 0;
            let before = match (is_leaf, target) {
                (true, Target::First) => 0,
                (true, Target::Last) => page.record_count(),
                (true, Target::Key(key, bound)) => match self.last_within(page, key, bound) {
                    INFIMUM => 0,
                    origin => page.rank(origin) + 1,
                },
                (false, _) => page.rank(self.branch_to(page, target)),
            };
            cuts.push(Cut {
                page: page_no,
                before: before as u64,
            });
            if !is_leaf {
                let branch = self.branch_to(page, target);
                page_no = self.record_at(mtr, latched, branch).child();
            }
            mtr.release(latched);
            if is_leaf {
                return Ok(cuts);
            }
        }
    }

    /// Records of one level between two cuts on different pages. `above` records lie between them
    /// one level up: that many pages are to be crossed. If they are too many to be read, the rest
    /// is taken to be as full as those that were.
    fn count_between(
        &self,
        mtr: &mut Mtr<'_>,
        left: Cut,
        right: Cut,
        above: u64,
    ) -> Result<u64, StoreError> {
        let (mut records, mut pages, mut page_no) = (0, 0, left.page);
        while page_no != right.page && page_no != NO_PAGE && pages < PAGES_READ {
            let latched = mtr.latch(page_no, LatchMode::Shared)?;
            records += mtr.page(latched).record_count() as u64;
            pages += 1;
            page_no = mtr.page(latched).next();
            mtr.release(latched);
        }
        if page_no != right.page {
            records = above.max(pages) * records / pages.max(1);
        }
        Ok((records + right.before).saturating_sub(left.before))
    }

    /// Number of leaf pages.
    ///
    /// # Errors
    /// When pages cannot be read.
    pub fn leaf_pages(&self, pool: &BufferPool) -> Result<u64, StoreError> {
        let mut mtr = Mtr::begin(pool);
        self.latch_tree(&mut mtr, LatchMode::Shared);
        let mut page_no = self.root;
        let mut leaves = 0;
        while page_no != NO_PAGE {
            let latched = mtr.latch(page_no, LatchMode::Shared)?;
            let page = mtr.page(latched);
            page_no = match page.level() {
                0 => return Ok(1),
                1 => {
                    leaves += page.record_count() as u64;
                    page.next()
                }
                _ => self.record_at(&mtr, latched, page.first_record()).child(),
            };
            mtr.release(latched);
        }
        Ok(leaves)
    }
}
