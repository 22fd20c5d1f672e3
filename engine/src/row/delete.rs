//! Deleting a row: its records are marked, and purge removes them when nobody can see them.

use std::sync::Arc;

use super::{
    Step,
    change::ChangeProgress,
    foreign::ChildChecks,
    foreign_sql::ReadChecks,
    rollback::{Rollback, Undoing},
};
use crate::{
    db::Engine,
    error::Error,
    table::{RowImage, RowReference, Table},
    trx::Trx,
    types::Value,
};

/// A deletion under way. The row must be locked exclusively.
#[derive(Clone, Debug)]
pub struct Delete {
    table: Arc<Table>,
    reference: RowReference,
    row: Vec<Value>,
    pub(super) depth: u32,
    image: Option<RowImage>,
    stage: Stage,
    undoing: Undoing,
}

#[derive(Clone, Debug)]
enum Stage {
    /// Foreign keys that are checked by reads before the row is touched.
    Checks(Box<ReadChecks>),
    Row(ChangeProgress),
    Children(Box<ChildChecks>),
    Entry(usize),
    Undo(Rollback),
    Over,
}

impl Delete {
    /// A deletion that has not begun. `row` has the row's values as they are.
    #[must_use]
    pub fn new(table: Arc<Table>, reference: RowReference, row: Vec<Value>) -> Self {
        Self {
            table,
            reference,
            row,
            depth: 0,
            image: None,
            stage: Stage::Over,
            undoing: Undoing::default(),
        }
    }

    /// Goes on by one mini-transaction.
    ///
    /// # Errors
    /// Deadlock, time-out, a child row that refers to this one, or a damaged page; what had been
    /// marked is undone, or to be undone with the statement or transaction.
    pub fn step(&mut self, engine: &Engine, trx: &mut Trx) -> Result<Step<()>, Error> {
        engine.run_step(trx, |trx| self.run(engine, trx))
    }

    pub(super) fn run(&mut self, engine: &Engine, trx: &mut Trx) -> Result<Step<()>, Error> {
        match self.advance(engine, trx) {
            Err(error) => match self.undoing.begin(trx, error) {
                Ok(rollback) => {
                    self.stage = Stage::Undo(rollback);
                    Ok(Step::Progress)
                }
                Err(error) => Err(error),
            },
            other => other,
        }
    }

    fn advance(&mut self, engine: &Engine, trx: &mut Trx) -> Result<Step<()>, Error> {
        if self.image.is_none() {
            self.begin(engine, trx)?;
        }
        let waits = match &mut self.stage {
            Stage::Checks(checks) => match checks.run(engine, trx)? {
                Step::Done(()) => {
                    self.stage = Stage::Row(ChangeProgress::default());
                    false
                }
                step => step == Step::Wait,
            },
            Stage::Undo(rollback) => {
                if rollback.run(engine, trx)? == Step::Done(()) {
                    self.stage = Stage::Over;
                    self.undoing
                        .error
                        .take()
                        .map_or(Ok(()), |error| Err(*error))?;
                }
                false
            }
            Stage::Row(_) | Stage::Children(_) | Stage::Entry(_) => self.mark(engine, trx)?,
            Stage::Over => false,
        };
        let entries = self.table.indexes.len();
        Ok(match self.stage {
            _ if waits => Step::Wait,
            Stage::Entry(index) if index < entries => Step::Progress,
            Stage::Over | Stage::Entry(_) => Step::Done(()),
            _ => Step::Progress,
        })
    }

    fn begin(&mut self, engine: &Engine, trx: &Trx) -> Result<(), Error> {
        self.undoing.mark(engine, trx);
        let mut image = self.table.encode_row(&self.row)?;
        if self.table.has_hidden_key() {
            image.row_id.clone_from(&self.reference.0[0]);
        }
        self.image = Some(image);
        let checks = ReadChecks::for_deletion(engine, &self.table, &self.row, self.depth);
        self.stage = if checks.is_empty() {
            Stage::Row(ChangeProgress::default())
        } else {
            Stage::Checks(Box::new(checks))
        };
        Ok(())
    }

    /// Marks the row, deals with its children, marks its entries; whether it has to wait.
    fn mark(&mut self, engine: &Engine, trx: &mut Trx) -> Result<bool, Error> {
        let table = self.table.clone();
        let Some(image) = &self.image else {
            return Ok(false);
        };
        match &mut self.stage {
            Stage::Row(progress) => {
                match engine.change_clustered(trx, &table, &self.reference, None, progress)? {
                    Step::Done(()) => {
                        let checks = ChildChecks::for_deletion(engine, &table, image, self.depth);
                        self.stage = if checks.is_empty() {
                            Stage::Entry(1)
                        } else {
                            Stage::Children(Box::new(checks))
                        };
                    }
                    step => return Ok(step == Step::Wait),
                }
            }
            Stage::Children(checks) => match checks.run(engine, trx)? {
                Step::Done(()) => self.stage = Stage::Entry(1),
                step => return Ok(step == Step::Wait),
            },
            Stage::Entry(index) => {
                let Some(target) = table.indexes.get(*index) else {
                    return Ok(false);
                };
                match engine.delete_entry(trx, target, image)? {
                    Step::Done(()) => *index += 1,
                    step => return Ok(step == Step::Wait),
                }
            }
            _ => {}
        }
        Ok(false)
    }
}
