//! Whether a tree is what it should be: T1 to T4, and every page in itself.

use gaplock_wal::{FileId, PageId, PageNo};

use super::{Tree, TreeStats};
use crate::{
    buffer::BufferPool,
    error::StoreError,
    mtr::{LatchMode, Mtr},
    page::{Field, NO_PAGE, Page, PageKind, Record},
};

/// A walk over all pages, parents before children, from left to right.
struct Check<'t, 'm> {
    tree: &'t Tree,
    mtr: Mtr<'m>,
    stats: TreeStats,
    /// For each level, the page met last and the one that it says comes next.
    last: Vec<(PageNo, PageNo)>,
}

/// What a parent says about a page.
struct Expected {
    page: PageNo,
    level: u16,
    /// No key of the page is below this; `None` for the first page of a level.
    lower: Option<Vec<Field>>,
    /// All keys of the page are below this; `None` for the last page of a level.
    upper: Option<Vec<Field>>,
}

impl Tree {
    /// Checks the whole tree: order, heaps, directories, levels, sibling links, parents' keys.
    /// Others may use the tree meanwhile, but not split or merge pages.
    ///
    /// # Errors
    /// `Damaged`, with the page and what is wrong; or pages cannot be read.
    pub fn check(&self, pool: &BufferPool) -> Result<TreeStats, StoreError> {
        let mut mtr = Mtr::begin(pool);
        self.latch_tree(&mut mtr, LatchMode::Shared);
        let root = mtr.latch(self.root, LatchMode::Shared)?;
        let level = mtr.page(root).level();
        mtr.release(root);
        let levels = usize::from(level) + 1;
        let mut check = Check {
            tree: self,
            mtr,
            stats: TreeStats {
                levels,
                ..TreeStats::default()
            },
            last: vec![(NO_PAGE, NO_PAGE); levels],
        };
        check.visit(&Expected {
            page: self.root,
            level,
            lower: None,
            upper: None,
        })?;
        for (page, next) in &check.last {
            if *next != NO_PAGE {
                return Err(damaged(*page, "a next page that no parent knows"));
            }
        }
        Ok(check.stats)
    }
}

fn damaged(page: PageNo, what: impl Into<String>) -> StoreError {
    StoreError::Damaged {
        page: PageId::new(FileId(0), page),
        what: what.into(),
    }
}

impl Check<'_, '_> {
    fn visit(&mut self, expected: &Expected) -> Result<(), StoreError> {
        let latched = self.mtr.latch(expected.page, LatchMode::Shared)?;
        let children = self.page(expected, self.mtr.page(latched));
        let page = self.mtr.page(latched);
        let (prev, next) = (page.prev(), page.next());
        let (records, deleted) = self.count(page);
        self.mtr.release(latched);
        let children = children.map_err(|what| damaged(expected.page, what))?;
        self.link(expected, prev, next)?;
        if expected.level == 0 {
            self.stats.leaf_pages += 1;
            self.stats.records += records;
            self.stats.deleted += deleted;
        } else {
            self.stats.branch_pages += 1;
        }
        for child in &children {
            self.visit(child)?;
        }
        Ok(())
    }

    fn count(&self, page: &Page) -> (u64, u64) {
        let layout = &self.tree.layout;
        let records = page.records().map(|at| Record::new(page, layout, at));
        records.fold((0, 0), |(all, deleted), record| {
            (all + 1, deleted + u64::from(record.is_deleted()))
        })
    }

    /// T2.
    fn link(&mut self, expected: &Expected, prev: PageNo, next: PageNo) -> Result<(), StoreError> {
        let (last, last_next) = &mut self.last[usize::from(expected.level)];
        let follows = *last == NO_PAGE || *last_next == expected.page;
        if prev != *last || !follows {
            return Err(damaged(expected.page, "links of its level are broken"));
        }
        (*last, *last_next) = (expected.page, next);
        Ok(())
    }

    /// One page by itself and against its parent; gives what its records say about its children.
    fn page(&self, expected: &Expected, page: &Page) -> Result<Vec<Expected>, String> {
        if page.kind() != Some(PageKind::Index) || page.index() != self.tree.index {
            return Err("it is not a page of this index".to_owned());
        }
        if page.level() != expected.level {
            return Err("its level is not one below its parent's".to_owned());
        }
        page.check_index(&self.tree.layout)?;
        let is_empty_root = expected.page == self.tree.root && expected.level == 0;
        if page.record_count() == 0 && !is_empty_root {
            return Err("it is empty".to_owned());
        }
        let records: Vec<Record<'_>> = page
            .records()
            .map(|at| Record::new(page, &self.tree.layout, at))
            .collect();
        check_bounds(expected, &records)?;
        if expected.level == 0 {
            return Ok(Vec::new());
        }
        check_lowest(expected, &records)?;
        Ok(expected_children(expected, &records))
    }
}

/// T3: all keys are between the parent's.
fn check_bounds(expected: &Expected, records: &[Record<'_>]) -> Result<(), String> {
    for record in records.iter().filter(|record| !record.is_lowest()) {
        let too_low = |lower: &Vec<Field>| record.compare_prefix(lower).0.is_lt();
        let too_high = |upper: &Vec<Field>| record.compare_prefix(upper).0.is_ge();
        if expected.lower.as_ref().is_some_and(too_low)
            || expected.upper.as_ref().is_some_and(too_high)
        {
            return Err("its keys are not between its parent's".to_owned());
        }
    }
    Ok(())
}

/// T3: which record of a branch page is below all keys, and the key of the first.
fn check_lowest(expected: &Expected, records: &[Record<'_>]) -> Result<(), String> {
    for (at, record) in records.iter().enumerate() {
        if record.is_lowest() != (at == 0 && expected.lower.is_none()) {
            return Err("the wrong record is below all keys".to_owned());
        }
    }
    let first_key = records.first().map(Record::key);
    if expected.lower.is_some() && first_key != expected.lower {
        return Err("its first key is not its parent's".to_owned());
    }
    Ok(())
}

fn expected_children(expected: &Expected, records: &[Record<'_>]) -> Vec<Expected> {
    let lower = |record: &Record<'_>| (!record.is_lowest()).then(|| record.key());
    let uppers = records.iter().skip(1).map(|record| Some(record.key()));
    records
        .iter()
        .zip(uppers.chain([expected.upper.clone()]))
        .map(|(record, upper)| Expected {
            page: record.child(),
            level: expected.level - 1,
            lower: lower(record),
            upper,
        })
        .collect()
}
