//! Old versions of rows, along their chain of undo records.
//!
//! The caller holds the latch of the page that the first version was read from: so no rollback can
//! take away an undo record that the walk is about to read (U2 for chains of active transactions).

use gaplock_lockmgr::TrxId;

use crate::{
    db::Engine,
    error::StoreError,
    page::Field,
    table::{ClusteredRow, Index, RollPointer},
    trx::ReadView,
};

impl Engine {
    /// The version before this one; `None` if the row was inserted with this one.
    pub(crate) fn previous_version(
        &self,
        row: &ClusteredRow,
    ) -> Result<Option<ClusteredRow>, StoreError> {
        if row.roll.insert {
            return Ok(None);
        }
        let (_, record) = self.undo.read(&self.pool, row.roll)?;
        let Some(old) = record.old else {
            return Ok(None);
        };
        let mut image = row.image.clone();
        for (column, field) in old.columns {
            image.columns[usize::from(column)] = field;
        }
        Ok(Some(ClusteredRow {
            image,
            writer: old.writer,
            roll: old.roll,
            deleted: old.deleted,
        }))
    }

    /// The newest version that a view sees.
    pub(crate) fn visible_version(
        &self,
        row: ClusteredRow,
        view: &ReadView,
        own: Option<TrxId>,
    ) -> Result<Option<ClusteredRow>, StoreError> {
        let mut version = Some(row);
        while let Some(row) = &version {
            if view.sees(row.writer, own) {
                break;
            }
            version = self.previous_version(row)?;
        }
        Ok(version)
    }

    /// The newest version whose writer has committed.
    pub(crate) fn committed_version(
        &self,
        row: ClusteredRow,
    ) -> Result<Option<ClusteredRow>, StoreError> {
        let mut version = Some(row);
        while let Some(row) = &version {
            if !self.trxs.is_active(row.writer) {
                break;
            }
            version = self.previous_version(row)?;
        }
        Ok(version)
    }

    /// Who holds an implicit lock on a secondary index's entry: the active transaction that wrote
    /// the row, if one of its changes made the entry, or its deleted mark, what it is; and that change. `row` is the
    /// newest version of the entry's row.
    pub(crate) fn entry_writer(
        &self,
        index: &Index,
        entry: &[Field],
        entry_deleted: bool,
        row: ClusteredRow,
    ) -> Result<Option<(TrxId, RollPointer)>, StoreError> {
        let writer = row.writer;
        if !self.locks.is_active(writer) {
            return Ok(None);
        }
        let mut version = row;
        loop {
            let Some(before) = self.previous_version(&version)? else {
                return Ok(Some((writer, version.roll)));
            };
            let old_entry = index.entry(&before.image);
            let same = index.same_fields(&old_entry.0, entry, index.fields.len());
            if same && before.deleted != entry_deleted || !same && !entry_deleted {
                return Ok(Some((writer, version.roll)));
            }
            if before.writer != writer {
                return Ok(None);
            }
            version = before;
        }
    }

    /// Whether any version of the row that somebody may still need has this entry: then the entry
    /// has to stay (marked as deleted), else it can go. `row` is the newest version; with `newest`
    /// false that one does not count.
    pub(crate) fn entry_needed(
        &self,
        index: &Index,
        entry: &[Field],
        row: &ClusteredRow,
        newest: bool,
    ) -> Result<bool, StoreError> {
        let matches = |row: &ClusteredRow| {
            !row.deleted && index.same_fields(&index.entry(&row.image).0, entry, index.fields.len())
        };
        if newest && matches(row) {
            return Ok(true);
        }
        let mut version = row.clone();
        loop {
            // What is out of every view's reach may be purged already: its undo is not to be read.
            if self.trxs.is_purgeable(version.writer) {
                return Ok(false);
            }
            let Some(before) = self.previous_version(&version)? else {
                return Ok(false);
            };
            if matches(&before) {
                return Ok(true);
            }
            version = before;
        }
    }
}
