//! Inserting a row: clustered index first, then every secondary one, foreign keys with the index
//! that they are checked through.

use std::sync::Arc;

use super::{
    Step,
    change::{ChangeProgress, Inserted},
    entry::EntryProgress,
    foreign::ParentChecks,
    foreign_sql::ReadChecks,
    locking::Got,
    rollback::{Rollback, Undoing},
};
use crate::{
    access,
    btree::{Latching, Seek},
    db::Engine,
    error::{DuplicateKey, Error},
    mtr::Mtr,
    page::Field,
    table::{Index, RowImage, Table},
    trx::Trx,
    types::Value,
};

/// What a statement does about duplicates, as far as locks go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DuplicateMode {
    /// It fails or passes over the row: shared locks on duplicates.
    Error,
    /// It changes or replaces the existing row: exclusive locks (REPLACE, upserts).
    Replace,
}

/// How an insertion ended.
#[derive(Clone, Debug, PartialEq)]
pub enum InsertOutcome {
    /// The row is in.
    Inserted,
    /// Another row has the same key. What had been inserted is undone already, with the locks that
    /// the profile leaves behind.
    Duplicate(Box<DuplicateKey>),
}

/// An insertion under way.
#[derive(Clone, Debug)]
pub struct Insert {
    table: Arc<Table>,
    values: Vec<Value>,
    mode: DuplicateMode,
    stage: Stage,
    undoing: Undoing,
    duplicate: Option<Box<DuplicateKey>>,
}

#[derive(Clone, Debug)]
enum Stage {
    Begin,
    /// Foreign keys that are checked by reads before the row is touched.
    Checks(Box<ReadChecks>),
    Lock,
    /// Entry `index`; 0 is the row itself.
    Index {
        index: usize,
        image: RowImage,
        parents: ParentChecks,
        row: ChangeProgress,
        entry: EntryProgress,
    },
    /// After the first duplicate: unique index `index` still to be visited.
    Visit {
        index: usize,
        image: RowImage,
    },
    Undo(Rollback),
    Over,
}

impl Insert {
    /// An insertion that has not begun. `values` has one value for each column.
    #[must_use]
    pub fn new(table: Arc<Table>, values: Vec<Value>, mode: DuplicateMode) -> Self {
        let stage = Stage::Begin;
        Self {
            table,
            values,
            mode,
            stage,
            undoing: Undoing::default(),
            duplicate: None,
        }
    }

    /// Goes on by one mini-transaction.
    ///
    /// # Errors
    /// Deadlock, time-out, a missing parent row, a value that does not fit, or a damaged page; what
    /// had been inserted is undone, or to be undone with the statement or transaction.
    pub fn step(&mut self, engine: &Engine, trx: &mut Trx) -> Result<Step<InsertOutcome>, Error> {
        engine.run_step(trx, |trx| {
            trx.replaces = self.mode == DuplicateMode::Replace;
            engine.refresh_inheritance(trx);
            let result = self.run(engine, trx);
            if result.is_err() || matches!(self.stage, Stage::Over | Stage::Undo(_)) {
                engine.row_arrived(trx);
            }
            match result {
                Err(error) => self.fail(trx, error),
                other => other,
            }
        })
    }

    fn run(&mut self, engine: &Engine, trx: &mut Trx) -> Result<Step<InsertOutcome>, Error> {
        match std::mem::replace(&mut self.stage, Stage::Over) {
            Stage::Begin => {
                let checks = ReadChecks::for_insertion(engine, &self.table, &self.values);
                self.check(engine, trx, Box::new(checks))
            }
            Stage::Checks(checks) => self.check(engine, trx, checks),
            Stage::Lock => self.begin(engine, trx),
            Stage::Index {
                index,
                image,
                parents,
                row,
                entry,
            } => self.insert_into(engine, trx, index, image, parents, row, entry),
            Stage::Visit { index, image } => self.visit(engine, trx, index, image),
            Stage::Undo(mut rollback) => match rollback.run(engine, trx)? {
                Step::Done(()) => match self.undoing.error.take() {
                    Some(error) => Err(*error),
                    None => self.end(),
                },
                step => {
                    self.stage = Stage::Undo(rollback);
                    Ok(if step == Step::Wait {
                        Step::Wait
                    } else {
                        Step::Progress
                    })
                }
            },
            Stage::Over => self.end(),
        }
    }

    fn end(&mut self) -> Result<Step<InsertOutcome>, Error> {
        Ok(Step::Done(match self.duplicate.take() {
            Some(duplicate) => InsertOutcome::Duplicate(duplicate),
            None => InsertOutcome::Inserted,
        }))
    }

    /// Errors that take back the statement undo this row first, as a partial rollback.
    fn fail(&mut self, trx: &Trx, error: Error) -> Result<Step<InsertOutcome>, Error> {
        match self.undoing.begin(trx, error) {
            Ok(rollback) => {
                self.stage = Stage::Undo(rollback);
                Ok(Step::Progress)
            }
            Err(error) => Err(error),
        }
    }

    fn check(
        &mut self,
        engine: &Engine,
        trx: &mut Trx,
        mut checks: Box<ReadChecks>,
    ) -> Result<Step<InsertOutcome>, Error> {
        if checks.is_empty() {
            return self.begin(engine, trx);
        }
        let step = checks.run(engine, trx)?;
        self.stage = Stage::Checks(checks);
        Ok(if step == Step::Wait {
            Step::Wait
        } else {
            Step::Progress
        })
    }

    fn begin(&mut self, engine: &Engine, trx: &mut Trx) -> Result<Step<InsertOutcome>, Error> {
        let mode = gaplock_lockmgr::TableMode::IX;
        let got = engine.lock_intention(trx, self.table.id, mode)?;
        if got == Got::Wait {
            self.stage = Stage::Lock;
            return Ok(Step::Wait);
        }
        self.undoing.mark(engine, trx);
        let mut image = self.table.encode_row(&self.values)?;
        if self.table.has_hidden_key() {
            image.row_id = Some(engine.draw_row_id(&self.table));
        }
        let parents = ParentChecks::for_index(&self.table, 0, &image);
        let (row, entry) = Default::default();
        self.insert_into(engine, trx, 0, image, parents, row, entry)
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one stage")]
    fn insert_into(
        &mut self,
        engine: &Engine,
        trx: &mut Trx,
        index: usize,
        image: RowImage,
        mut parents: ParentChecks,
        mut row: ChangeProgress,
        mut entry: EntryProgress,
    ) -> Result<Step<InsertOutcome>, Error> {
        let step = if parents.is_empty() {
            if index == 0 {
                let step = engine.insert_clustered(trx, &self.table, &image, &mut row)?;
                if step == Step::Done(Inserted::Yes) {
                    engine.row_arrives(trx, &self.table);
                }
                step
            } else {
                let target = &self.table.indexes[index];
                engine.insert_entry(trx, &self.table, target, &image, &mut entry)?
            }
        } else {
            match parents.run(engine, trx, &self.table)? {
                Step::Wait => Step::Wait,
                Step::Done(()) | Step::Progress => Step::Progress,
            }
        };
        match step {
            Step::Done(Inserted::Yes) => Ok(self.next_index(index, image)),
            Step::Done(Inserted::Duplicate(reference)) => {
                let target = &self.table.indexes[index];
                let key = target
                    .columns
                    .iter()
                    .map(|column| self.values[*column].clone());
                self.duplicate = Some(Box::new(DuplicateKey {
                    index,
                    name: target.name.clone(),
                    key: key.collect(),
                    reference,
                }));
                Ok(self.after_duplicate(engine, trx, index + 1, image))
            }
            step => {
                self.stage = Stage::Index {
                    index,
                    image,
                    parents,
                    row,
                    entry,
                };
                Ok(if step == Step::Wait {
                    Step::Wait
                } else {
                    Step::Progress
                })
            }
        }
    }

    fn next_index(&mut self, done: usize, image: RowImage) -> Step<InsertOutcome> {
        let index = done + 1;
        if index == self.table.indexes.len() {
            self.stage = Stage::Over;
            return Step::Done(InsertOutcome::Inserted);
        }
        let parents = ParentChecks::for_index(&self.table, index, &image);
        let (row, entry) = Default::default();
        self.stage = Stage::Index {
            index,
            image,
            parents,
            row,
            entry,
        };
        Step::Progress
    }

    /// Visits the unique indexes that are left, where the profile has it, then undoes the row.
    fn after_duplicate(
        &mut self,
        engine: &Engine,
        trx: &Trx,
        from: usize,
        image: RowImage,
    ) -> Step<InsertOutcome> {
        let visits =
            access::visits_unique_gaps(engine.profile(), trx.isolation, trx.duplicate_mode());
        let left = (from..self.table.indexes.len()).find(|at| self.table.indexes[*at].unique);
        self.stage = match left {
            Some(index) if visits => Stage::Visit { index, image },
            _ => Stage::Undo(self.undoing.rollback()),
        };
        Step::Progress
    }

    fn visit(
        &mut self,
        engine: &Engine,
        trx: &mut Trx,
        at: usize,
        image: RowImage,
    ) -> Result<Step<InsertOutcome>, Error> {
        let table = self.table.clone();
        let index = &table.indexes[at];
        let entry = index.entry(&image);
        let key = &entry.0[..index.columns.len()];
        if !index.has_null_key(&entry.0) && key_is_there(engine, index, key)? {
            match engine.check_duplicates(trx, &table, index, key)? {
                Step::Wait => {
                    self.stage = Stage::Visit { index: at, image };
                    return Ok(Step::Wait);
                }
                Step::Done(Inserted::Duplicate(_)) => {
                    return Ok(self.after_duplicate(engine, trx, at + 1, image));
                }
                Step::Done(Inserted::Yes) | Step::Progress => {}
            }
        }
        let mut mtr = Mtr::begin(&engine.pool);
        let cursor = index
            .tree
            .seek(&mut mtr, &entry.0, Seek::AtOrBefore, Latching::Read)?;
        engine.lock_unique_gap(trx, &table, index, &mtr, cursor)?;
        drop(mtr);
        Ok(self.after_duplicate(engine, trx, at + 1, image))
    }
}

/// Whether an index has a record with this key, deleted or not.
fn key_is_there(engine: &Engine, index: &Index, key: &[Field]) -> Result<bool, Error> {
    let mut mtr = Mtr::begin(&engine.pool);
    let cursor = index
        .tree
        .seek(&mut mtr, key, Seek::AtOrAfter, Latching::Read)?;
    let record = index.tree.record(&mtr, cursor);
    Ok(record.is_user() && record.compare_prefix(key).0.is_eq())
}
