//! Purge: old versions that no snapshot can reach are forgotten, and what only they needed goes:
//! deleted rows, and index entries that no version has any more.

use crate::{
    db::Engine,
    error::Error,
    table::{ClusteredRow, Index, IndexField, RollPointer, RowImage, RowReference, Table},
    trx::{Isolation, Trx},
    undo::{OldVersion, UndoKind, UndoRecord},
};

impl Engine {
    /// Purges one undo record; `false` when there is none that may be purged.
    ///
    /// # Errors
    /// When pages cannot be read.
    pub fn purge_step(&self) -> Result<bool, Error> {
        let _alone = self.purge_latch.lock();
        let Some(at) = self.trxs.next_to_purge(self.purge_limit()) else {
            return Ok(false);
        };
        let (writer, record) = self.undo.read(&self.pool, at)?;
        // Purge acts for nobody; a transaction value carries what its steps cause for others.
        let mut nobody = Trx::new(Isolation::ReadUncommitted, 0);
        let result = self.purge_record(&mut nobody, at, writer, &record);
        self.undo.forget([at]);
        self.deliver(&mut nobody);
        result.map(|()| true)
    }

    /// Purges as far as snapshots allow.
    ///
    /// # Errors
    /// When pages cannot be read.
    pub fn purge(&self) -> Result<(), Error> {
        while self.purge_step()? {}
        Ok(())
    }

    fn purge_record(
        &self,
        nobody: &mut Trx,
        at: RollPointer,
        writer: gaplock_lockmgr::TrxId,
        record: &UndoRecord,
    ) -> Result<(), Error> {
        let Some(table) = self.table_by_id(record.table) else {
            return Ok(());
        };
        let Some(old) = &record.old else {
            return Ok(());
        };
        let reference = RowReference(record.key.0.clone());
        self.purge_entries(nobody, &table, &reference, record, old)?;
        if record.kind != UndoKind::Delete {
            return Ok(());
        }
        // The row goes if the deletion is still its newest version. Nobody else can take away that
        // it is, but an insertion that takes the row over, under the page's latch.
        let newest = self.with_row(&table, &reference, Ok)?;
        if newest.is_some_and(|row| row.deleted && row.roll == at && row.writer == writer) {
            let clustered = table.clustered();
            self.remove_record(nobody, clustered, &reference.0, None, |_, _, deleted| {
                Ok(deleted)
            })?;
        }
        Ok(())
    }

    /// Removes the index entries of the version that the record overwrote, unless another version
    /// has them.
    fn purge_entries(
        &self,
        nobody: &mut Trx,
        table: &Table,
        reference: &RowReference,
        record: &UndoRecord,
        old: &OldVersion,
    ) -> Result<(), Error> {
        let changed: Vec<usize> = old.columns.iter().map(|(at, _)| usize::from(*at)).collect();
        let Some(version) = old_row(table, reference, old) else {
            return Ok(());
        };
        if old.deleted {
            return Ok(());
        }
        for index in &table.indexes[1..] {
            if record.kind == UndoKind::Delete || index.depends_on(&changed) {
                self.purge_entry(nobody, table, index, reference, &version)?;
            }
        }
        Ok(())
    }

    fn purge_entry(
        &self,
        nobody: &mut Trx,
        table: &Table,
        index: &Index,
        reference: &RowReference,
        version: &ClusteredRow,
    ) -> Result<(), Error> {
        let entry = index.entry(&version.image);
        self.remove_record(nobody, index, &entry.0, None, |_, _, deleted| {
            let needed = self.with_row(table, reference, |row| match row {
                Some(row) => self.entry_needed(index, &entry.0, &row, true),
                None => Ok(false),
            })?;
            Ok(deleted && !needed)
        })
    }
}

/// The overwritten version, as far as indexes look at it: its key and its indexed columns.
fn old_row(table: &Table, reference: &RowReference, old: &OldVersion) -> Option<ClusteredRow> {
    let mut image = RowImage {
        columns: vec![None; table.columns.len()],
        row_id: None,
    };
    for (field, key) in table.clustered().fields.iter().zip(&reference.0) {
        match field {
            IndexField::Column(at) => image.columns[*at].clone_from(key),
            _ => image.row_id.clone_from(key),
        }
    }
    for (column, field) in &old.columns {
        image
            .columns
            .get_mut(usize::from(*column))?
            .clone_from(field);
    }
    Some(ClusteredRow {
        image,
        writer: old.writer,
        roll: old.roll,
        deleted: old.deleted,
    })
}
