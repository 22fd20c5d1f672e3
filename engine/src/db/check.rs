//! Checks of the whole database, by numbered invariants.
//!
//! - **C1** Every tree is sound: order, heaps, directories, levels, links.
//! - **C2** Every live row has exactly one live entry in each secondary index, and every live entry
//!   has its row.
//! - **C3** The number of live rows is what the counter says.
//! - **C4** The lock table's own invariants hold.
//! - **C5** When nobody is active and nothing waits for purge, no undo record is needed.
//! - **C6** Every page of the data file is of one use: the space header, the catalog, one tree, undo, or
//!   free; and none is lost.

use std::collections::{BTreeMap, BTreeSet};

use gaplock_wal::PageNo;

use super::Engine;
use crate::{
    btree::Latching,
    error::{Error, StoreError},
    mtr::{Mtr, free_pages},
    page::Field,
    table::{Index, Table},
};

/// What a check has looked at, and what it found wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CheckReport {
    /// Tables.
    pub tables: usize,
    /// Rows that are not deleted.
    pub rows: u64,
    /// Entries of secondary indexes that are not deleted.
    pub entries: u64,
    /// Pages of the data file.
    pub pages: u32,
    /// Those of them that are free.
    pub free_pages: u32,
    /// Undo records that somebody needs.
    pub undo_records: u64,
    /// What is wrong, each with the invariant's number.
    pub problems: Vec<String>,
}

impl Engine {
    /// Checks everything. Nobody may be changing anything meanwhile.
    ///
    /// # Errors
    /// When pages cannot be read. What is merely wrong is in the report.
    pub fn check(&self) -> Result<CheckReport, Error> {
        let mut report = CheckReport::default();
        for table in self.tables() {
            report.tables += 1;
            self.check_table(&table, &mut report)?;
        }
        if let Err(what) = self.locks.check() {
            report.problems.push(format!("C4: {what}"));
        }
        if report.problems.is_empty() {
            self.check_pages(&mut report)?;
        }
        let needed = self.undo.needed_records();
        report.undo_records = needed;
        let idle = self.trxs.active().is_empty() && self.trxs.history_length() == 0;
        if idle && needed > 0 {
            report
                .problems
                .push(format!("C5: {needed} undo records are kept for nobody"));
        }
        Ok(report)
    }

    /// C6.
    fn check_pages(&self, report: &mut CheckReport) -> Result<(), Error> {
        let mut uses: BTreeMap<PageNo, String> = BTreeMap::new();
        let mut twice = Vec::new();
        let mut put = |pages: Vec<PageNo>, what: String| {
            for page in pages {
                if let Some(other) = uses.insert(page, what.clone()) {
                    twice.push(format!("C6: page {}: {other}, and {what}", page.0));
                }
            }
        };
        put(vec![PageNo(0)], "space header".to_owned());
        put(self.catalog_pages()?, "catalog".to_owned());
        for table in self.tables() {
            for index in &table.indexes {
                let pages = index.tree.all_pages(&self.pool)?;
                put(pages, format!("{}.{}", table.name, index.name));
            }
        }
        let undo = self.pool.ledger().undo_pages();
        put(undo.into_iter().collect(), "undo".to_owned());
        put(free_pages(&self.pool)?, "free".to_owned());
        report.problems.extend(twice);
        (report.pages, report.free_pages) = Mtr::begin(&self.pool).space_usage()?;
        let lost = (0..report.pages).filter(|page| !uses.contains_key(&PageNo(*page)));
        let lost: Vec<String> = lost.map(|page| page.to_string()).collect();
        if !lost.is_empty() {
            let pages = lost.join(", ");
            report.problems.push(format!("C6: pages lost: {pages}"));
        }
        let beyond = uses
            .range(PageNo(report.pages)..)
            .map(|(page, what)| (page.0, what));
        let beyond = beyond.map(|(page, what)| format!("C6: page {page}: {what}, not in the file"));
        report.problems.extend(beyond);
        Ok(())
    }

    fn check_table(&self, table: &Table, report: &mut CheckReport) -> Result<(), Error> {
        for index in &table.indexes {
            if let Err(error) = index.tree.check(&self.pool) {
                let StoreError::Damaged { page, what } = error else {
                    return Err(error.into());
                };
                let name = &index.name;
                report
                    .problems
                    .push(format!("C1: {}.{name}, page {page}: {what}", table.name));
                return Ok(());
            }
        }
        let rows = self.live_records(table.clustered())?;
        report.rows += rows.len() as u64;
        let counted = self.row_count(table);
        if counted != rows.len() as u64 {
            let what = format!("{} rows, counted {counted}", rows.len());
            report.problems.push(format!("C3: {}: {what}", table.name));
        }
        for index in &table.indexes[1..] {
            let wanted: BTreeSet<Vec<Field>> = rows
                .iter()
                .map(|fields| entry_of(table, index, fields))
                .collect();
            let found: BTreeSet<Vec<Field>> = self.live_records(index)?.into_iter().collect();
            report.entries += found.len() as u64;
            let missing = wanted.difference(&found).count();
            let surplus = found.difference(&wanted).count();
            if missing + surplus > 0 {
                let what = format!("{missing} entries missing, {surplus} without a row");
                report
                    .problems
                    .push(format!("C2: {}.{}: {what}", table.name, index.name));
            }
        }
        Ok(())
    }

    fn live_records(&self, index: &Index) -> Result<Vec<Vec<Field>>, Error> {
        let mut found = Vec::new();
        let mut mtr = Mtr::begin(&self.pool);
        let mut cursor = index.tree.first(&mut mtr, Latching::Read)?;
        loop {
            let record = index.tree.record(&mtr, cursor);
            if record.is_user() && !record.is_deleted() {
                found.push(record.to_tuple().0);
            }
            if !index.tree.next(&mut mtr, &mut cursor)? {
                return Ok(found);
            }
        }
    }
}

/// The entry that a clustered record's row has in an index.
fn entry_of(table: &Table, index: &Index, fields: &[Field]) -> Vec<Field> {
    let clustered = table.clustered();
    let field = |wanted| clustered.position(wanted).and_then(|at| fields[at].clone());
    index.fields.iter().map(|wanted| field(*wanted)).collect()
}
