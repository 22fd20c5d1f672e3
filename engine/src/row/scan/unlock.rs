//! Giving back the locks of rows that did not match (READ COMMITTED and below).

use gaplock_lockmgr::LockMode;

use super::{FreshLocks, Scan};
use crate::{
    btree::{Latching, Seek},
    db::Engine,
    error::Error,
    mtr::Mtr,
    page::Field,
    profile::UnlockRule,
    row::locking::Spot,
    table::Index,
    trx::Trx,
};

impl Scan {
    /// The row just returned does not match: its locks are given back as far as the isolation level
    /// and the profile have it. Locks that were held before, or waited for, stay.
    ///
    /// # Errors
    /// When pages cannot be read.
    pub fn reject(&mut self, engine: &Engine, trx: &mut Trx) -> Result<(), Error> {
        let result = self.unlock(engine, trx, None);
        engine.deliver(trx);
        result
    }

    /// `here` is the scanned record's place, if its page is latched by the current step; otherwise
    /// the record is looked for, since it may have moved.
    pub(super) fn unlock(
        &mut self,
        engine: &Engine,
        trx: &mut Trx,
        here: Option<Spot>,
    ) -> Result<(), Error> {
        let (Some(fresh), Some(mode), Some(id)) = (self.fresh.take(), self.mode(), trx.id) else {
            return Ok(());
        };
        if trx.isolation.locks_gaps() {
            return Ok(());
        }
        let unset = engine.profile().unlock_compares_unset_ids && !trx.read_write;
        let erased = |writer| engine.trxs.is_purgeable(writer);
        if unset && fresh.row_writer.is_some_and(erased) {
            return Ok(());
        }
        // A row that this transaction has changed stays locked.
        if fresh.row_writer == Some(id) {
            return Ok(());
        }
        let table = self.spec.table.clone();
        let index = &table.indexes[self.spec.index];
        let (scanned, fetched) = allowed(engine.profile().unlock_rule, index.clustered, &fresh);
        if scanned {
            let key = &fresh.entry[..index.tree.layout.key_fields];
            let spot = match here {
                Some(spot) => Some(spot),
                None => find(engine, index, key)?,
            };
            give_back(engine, trx, spot, mode);
        }
        if fetched {
            let spot = find(engine, table.clustered(), &fresh.reference.0)?;
            give_back(engine, trx, spot, mode);
        }
        Ok(())
    }
}

/// Which of the row's locks may go: the scanned record's, and the fetched row's.
fn allowed(rule: UnlockRule, clustered: bool, fresh: &FreshLocks) -> (bool, bool) {
    match rule {
        _ if clustered => (fresh.scanned, false),
        UnlockRule::ClusteredScans => (false, false),
        // The pair goes together or not at all: with a row that was locked anew, its index record
        // goes too, be it newly locked or not.
        UnlockRule::RowFetched => (fresh.fetched, fresh.fetched),
        UnlockRule::Everything => (fresh.scanned, fresh.fetched),
    }
}

fn find(engine: &Engine, index: &Index, key: &[Field]) -> Result<Option<Spot>, Error> {
    let mut mtr = Mtr::begin(&engine.pool);
    let cursor = index
        .tree
        .seek(&mut mtr, key, Seek::AtOrBefore, Latching::Read)?;
    let record = index.tree.record(&mtr, cursor);
    let found = record.is_user() && record.compare_prefix(key).0.is_eq();
    Ok(found.then(|| Spot::of(&record)))
}

fn give_back(engine: &Engine, trx: &mut Trx, spot: Option<Spot>, mode: LockMode) {
    if let (Some(spot), Some(id)) = (spot, trx.id) {
        let woken = engine.locks.release_record(id, spot.address(), mode);
        trx.effects.wakeups.extend(woken);
    }
}
