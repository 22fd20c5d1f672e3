//! Changes of the clustered index, each with its undo record.

use gaplock_lockmgr::LockSpan;

use super::{
    Step, WaitPolicy,
    implicit::Writer,
    locking::{Got, Spot},
    moves::LockMoves,
};
use crate::{
    access::{self, Reason, Want},
    btree::{Cursor, Insertion, Latching, Seek, Tree, Update},
    db::Engine,
    error::Error,
    mtr::Mtr,
    page::Tuple,
    table::{ClusteredRow, RollPointer, RowImage, RowReference, Table},
    trx::Trx,
    undo::{OldVersion, UndoKind, UndoRecord},
};

/// How far a change of one record has come; survives a wait.
#[derive(Clone, Debug, Default)]
pub(crate) struct ChangeProgress {
    /// Its undo record, once written.
    pub(crate) undo: Option<RollPointer>,
    /// The page was full: the tree has to be latched.
    pub(crate) needs_tree: bool,
}

impl ChangeProgress {
    pub(crate) fn latching(&self) -> Latching {
        if self.needs_tree {
            Latching::ModifyTree
        } else {
            Latching::ModifyLeaf
        }
    }
}

/// What an insertion into an index came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Inserted {
    /// The record is in.
    Yes,
    /// A live record has the same key.
    Duplicate(RowReference),
}

/// The lock on a row that is changed.
pub(crate) const ROW_CHANGE: Want = Want {
    span: LockSpan::Record,
    reason: Reason::RowChange,
};

impl Engine {
    /// Writes an undo record.
    pub(crate) fn write_undo(
        &self,
        trx: &mut Trx,
        table: &Table,
        kind: UndoKind,
        key: &RowReference,
        old: Option<OldVersion>,
    ) -> Result<RollPointer, Error> {
        self.refuse_after_failure()?;
        self.make_log_room()?;
        let id = self.ensure_active(trx);
        let number = trx.next_undo;
        let record = UndoRecord {
            kind,
            number,
            table: table.id,
            key: Tuple(key.0.clone()),
            old,
        };
        let at = self
            .undo
            .append(&self.pool, &mut trx.segment, id, &record)?;
        trx.undo.push((number, at));
        trx.next_undo += 1;
        self.locks.set_undo_count(id, trx.next_undo);
        Ok(at)
    }

    /// What a change of `old` to `new` overwrites (`None`: the row is deleted). All indexed columns
    /// are kept when an index entry changes, so that purge can find the old entry.
    pub(crate) fn old_version(
        table: &Table,
        old: &ClusteredRow,
        new: Option<&RowImage>,
    ) -> OldVersion {
        let changed = match new {
            Some(new) => table.changed_columns(&old.image, new),
            None => Vec::new(),
        };
        let secondary = &table.indexes[1..];
        let indexed = new.is_none() || secondary.iter().any(|index| index.depends_on(&changed));
        let keep = |column: &usize| {
            changed.contains(column)
                || (indexed && secondary.iter().any(|index| index.depends_on(&[*column])))
        };
        let columns = (0..table.columns.len())
            .filter(keep)
            .map(|column| (column as u16, old.image.columns[column].clone()))
            .collect();
        OldVersion {
            writer: old.writer,
            roll: old.roll,
            deleted: old.deleted,
            columns,
        }
    }

    /// Puts a row into the clustered index, over a deleted one of the same key if there is one.
    pub(crate) fn insert_clustered(
        &self,
        trx: &mut Trx,
        table: &Table,
        image: &RowImage,
        progress: &mut ChangeProgress,
    ) -> Result<Step<Inserted>, Error> {
        let reference = table.reference(image);
        let tree = &table.clustered().tree;
        let mut mtr = Mtr::begin(&self.pool);
        let cursor = tree.seek(
            &mut mtr,
            &reference.0,
            Seek::AtOrBefore,
            progress.latching(),
        )?;
        let record = tree.record(&mtr, cursor);
        if record.is_user() && record.compare_prefix(&reference.0).0.is_eq() {
            let found = table.read_clustered(&record);
            let spot = Spot::of(&record);
            return self.insert_over(trx, table, image, progress, mtr, cursor, spot, found);
        }
        let successor = Spot::of(&tree.record(&mtr, tree.successor(&mtr, cursor)));
        if self.lock_gap_for_insertion(trx, successor)? == Got::Wait {
            return Ok(Step::Wait);
        }
        let roll = match progress.undo {
            Some(roll) => roll,
            None => self.write_undo(trx, table, UndoKind::Insert, &reference, None)?,
        };
        progress.undo = Some(roll);
        let writer = self.ensure_active(trx);
        let row = ClusteredRow {
            image: image.clone(),
            writer,
            roll,
            deleted: false,
        };
        let tuple = table.clustered_tuple(&row);
        let placed = self.place_record(trx, tree, &mut mtr, cursor, &tuple, progress)?;
        if placed.is_some() {
            self.count_row(&mut mtr, table, 1);
        }
        mtr.commit();
        Ok(match placed {
            Some(_) => Step::Done(Inserted::Yes),
            None => Step::Progress,
        })
    }

    /// An equal record is there: the duplicate check locks it, and if it is deleted the new row
    /// takes it over.
    #[expect(clippy::too_many_arguments, reason = "one record's circumstances")]
    fn insert_over(
        &self,
        trx: &mut Trx,
        table: &Table,
        image: &RowImage,
        progress: &mut ChangeProgress,
        mut mtr: Mtr<'_>,
        cursor: Cursor,
        spot: Spot,
        found: ClusteredRow,
    ) -> Result<Step<Inserted>, Error> {
        self.note_duplicate_check(trx);
        let writer = self.row_writer(trx, &found);
        self.check_snapshot(trx, table, found.writer, writer)?;
        let want = access::clustered_duplicate(self.profile(), trx.isolation);
        let mode = trx.duplicate_mode();
        let got = self.lock_written(trx, spot, writer, mode, want, WaitPolicy::Wait)?;
        if got == Got::Wait {
            return Ok(Step::Wait);
        }
        if !found.deleted {
            return Ok(Step::Done(Inserted::Duplicate(table.reference(image))));
        }
        if self.lock_implicitly(trx, spot, ROW_CHANGE)? == Got::Wait {
            return Ok(Step::Wait);
        }
        let roll = match progress.undo {
            Some(roll) => roll,
            None => {
                let old = Self::old_version(table, &found, Some(image));
                let reference = table.reference(image);
                self.write_undo(trx, table, UndoKind::Update, &reference, Some(old))?
            }
        };
        progress.undo = Some(roll);
        let writer = self.ensure_active(trx);
        let row = ClusteredRow {
            image: image.clone(),
            writer,
            roll,
            deleted: false,
        };
        let done = self.replace_row(trx, table, &mut mtr, cursor, &row, progress)?;
        if done {
            self.count_row(&mut mtr, table, 1);
        }
        mtr.commit();
        Ok(if done {
            Step::Done(Inserted::Yes)
        } else {
            Step::Progress
        })
    }

    /// Inserts after the cursor and lets the new record inherit gap locks; `None` if the page is
    /// full and the tree has to be latched first.
    pub(crate) fn place_record(
        &self,
        trx: &mut Trx,
        tree: &Tree,
        mtr: &mut Mtr<'_>,
        cursor: Cursor,
        tuple: &Tuple,
        progress: &mut ChangeProgress,
    ) -> Result<Option<Cursor>, Error> {
        let moves = LockMoves::new(&self.locks);
        let at = if progress.needs_tree {
            tree.insert_splitting(mtr, cursor, tuple, &moves)?
        } else {
            match tree.insert(mtr, cursor, tuple, &moves)? {
                Insertion::Done(at) => at,
                Insertion::Full => {
                    progress.needs_tree = true;
                    return Ok(None);
                }
            }
        };
        trx.effects.wakeups.extend(moves.into_wakeups());
        let new = Spot::of(&tree.record(mtr, at));
        let successor = Spot::of(&tree.record(mtr, tree.successor(mtr, at)));
        self.locks
            .inherit_on_insert(new.address(), successor.address());
        Ok(Some(at))
    }

    /// Replaces the row under the cursor; `false` if the page is full.
    pub(crate) fn replace_row(
        &self,
        trx: &mut Trx,
        table: &Table,
        mtr: &mut Mtr<'_>,
        cursor: Cursor,
        row: &ClusteredRow,
        progress: &mut ChangeProgress,
    ) -> Result<bool, Error> {
        let tuple = table.clustered_tuple(row);
        let tree = &table.clustered().tree;
        let Some(at) = self.replace_record(trx, tree, mtr, cursor, &tuple, progress)? else {
            return Ok(false);
        };
        if tree.record(mtr, at).is_deleted() != row.deleted {
            tree.set_deleted(mtr, at, row.deleted);
        }
        Ok(true)
    }

    /// Replaces the record under the cursor by one with an equal key.
    pub(crate) fn replace_record(
        &self,
        trx: &mut Trx,
        tree: &Tree,
        mtr: &mut Mtr<'_>,
        cursor: Cursor,
        tuple: &Tuple,
        progress: &mut ChangeProgress,
    ) -> Result<Option<Cursor>, Error> {
        let moves = LockMoves::new(&self.locks);
        let at = if progress.needs_tree {
            tree.update_splitting(mtr, cursor, tuple, &moves)?
        } else {
            match tree.update(mtr, cursor, tuple, &moves)? {
                Update::Done(at) => at,
                Update::Full => {
                    progress.needs_tree = true;
                    return Ok(None);
                }
            }
        };
        trx.effects.wakeups.extend(moves.into_wakeups());
        Ok(Some(at))
    }

    /// Changes a row in place, or marks it as deleted (`new` is `None`). The row is there: its
    /// lock, held since it was read, keeps it.
    pub(crate) fn change_clustered(
        &self,
        trx: &mut Trx,
        table: &Table,
        reference: &RowReference,
        new: Option<&RowImage>,
        progress: &mut ChangeProgress,
    ) -> Result<Step<()>, Error> {
        let tree = &table.clustered().tree;
        let mut mtr = Mtr::begin(&self.pool);
        let cursor = tree.seek(
            &mut mtr,
            &reference.0,
            Seek::AtOrBefore,
            progress.latching(),
        )?;
        let record = tree.record(&mtr, cursor);
        if !record.is_user() || record.compare_prefix(&reference.0).0.is_ne() {
            return Err(Error::RowGone {
                table: table.name.clone(),
            });
        }
        let found = table.read_clustered(&record);
        let spot = Spot::of(&record);
        if let Writer::Other(owner, change) = self.row_writer(trx, &found) {
            self.make_explicit(owner, change, spot)?;
        }
        if self.lock_implicitly(trx, spot, ROW_CHANGE)? == Got::Wait {
            return Ok(Step::Wait);
        }
        let roll = match progress.undo {
            Some(roll) => roll,
            None => {
                let old = Self::old_version(table, &found, new);
                let kind = if new.is_some() {
                    UndoKind::Update
                } else {
                    UndoKind::Delete
                };
                self.write_undo(trx, table, kind, reference, Some(old))?
            }
        };
        progress.undo = Some(roll);
        let row = ClusteredRow {
            image: new.cloned().unwrap_or(found.image),
            writer: self.ensure_active(trx),
            roll,
            deleted: new.is_none(),
        };
        let done = self.replace_row(trx, table, &mut mtr, cursor, &row, progress)?;
        if done && new.is_none() {
            self.count_row(&mut mtr, table, -1);
        }
        mtr.commit();
        Ok(if done { Step::Done(()) } else { Step::Progress })
    }

    /// The statement checks for duplicates: some profiles let such statements' locks be inherited.
    pub(crate) fn note_duplicate_check(&self, trx: &mut Trx) {
        trx.checked_duplicates = true;
        self.refresh_inheritance(trx);
    }
}
