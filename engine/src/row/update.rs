//! Changing a row: in place, or, when its clustered key changes, as a deletion and an insertion;
//! then every secondary index whose entry changes.

use std::sync::Arc;

use super::{
    DuplicateMode, Step,
    change::{ChangeProgress, Inserted},
    entry::EntryProgress,
    foreign::{ChildChecks, ParentChecks},
    foreign_sql::ReadChecks,
    rollback::{Rollback, Undoing},
};
use crate::{
    db::Engine,
    error::{DuplicateKey, Error},
    table::{ReferentialAction, RowImage, RowReference, Table},
    trx::Trx,
    types::Value,
};

/// How a change ended.
#[derive(Clone, Debug, PartialEq)]
pub enum UpdateOutcome {
    /// The row is changed.
    Updated,
    /// Another row has the new key. What had been changed is undone already.
    Duplicate(Box<DuplicateKey>),
}

/// A change under way. The row must be locked exclusively.
#[derive(Clone, Debug)]
pub struct Update {
    table: Arc<Table>,
    reference: RowReference,
    old: Vec<Value>,
    new: Vec<Value>,
    mode: DuplicateMode,
    /// How deep in a chain of cascades, and the foreign key that brought the change here.
    pub(super) depth: u32,
    pub(super) cascading: Option<String>,
    state: Option<Box<State>>,
    undoing: Undoing,
    duplicate: Option<Box<DuplicateKey>>,
}

#[derive(Clone, Debug)]
struct State {
    old: RowImage,
    new: RowImage,
    changed: Vec<usize>,
    moves: bool,
    stage: Stage,
}

#[derive(Clone, Debug)]
enum Stage {
    /// Foreign keys that are checked by reads before the row is touched.
    Checks(Box<ReadChecks>),
    /// The row: in place, or marked as deleted when its key changes.
    Row(ChangeProgress),
    /// Children that refer to what changed in `index`.
    Children {
        index: usize,
        checks: Box<ChildChecks>,
    },
    /// The new row, when the key changes.
    NewRow {
        parents: ParentChecks,
        progress: ChangeProgress,
    },
    /// The old entry of a secondary index.
    OldEntry(usize),
    /// The new entry of a secondary index.
    NewEntry {
        index: usize,
        parents: ParentChecks,
        progress: EntryProgress,
    },
    Undo(Rollback),
    Over,
}

impl Update {
    /// A change that has not begun, from `old` to `new` (all columns).
    #[must_use]
    pub fn new(
        table: Arc<Table>,
        reference: RowReference,
        old: Vec<Value>,
        new: Vec<Value>,
        mode: DuplicateMode,
    ) -> Self {
        Self {
            table,
            reference,
            old,
            new,
            mode,
            depth: 0,
            cascading: None,
            state: None,
            undoing: Undoing::default(),
            duplicate: None,
        }
    }

    /// Goes on by one mini-transaction.
    ///
    /// # Errors
    /// Deadlock, time-out, a foreign key, a value that does not fit, or a damaged page; what had
    /// been changed is undone, or to be undone with the statement or transaction.
    pub fn step(&mut self, engine: &Engine, trx: &mut Trx) -> Result<Step<UpdateOutcome>, Error> {
        engine.run_step(trx, |trx| self.run(engine, trx))
    }

    pub(super) fn run(
        &mut self,
        engine: &Engine,
        trx: &mut Trx,
    ) -> Result<Step<UpdateOutcome>, Error> {
        trx.replaces = self.mode == DuplicateMode::Replace;
        engine.refresh_inheritance(trx);
        match self.advance(engine, trx) {
            Err(error) => match self.undoing.begin(trx, error) {
                Ok(rollback) => {
                    if let Some(state) = &mut self.state {
                        state.stage = Stage::Undo(rollback);
                    }
                    Ok(Step::Progress)
                }
                Err(error) => Err(error),
            },
            other => other,
        }
    }

    fn begin(&mut self, engine: &Engine, trx: &mut Trx) -> Result<(), Error> {
        self.undoing.mark(engine, trx);
        let mut old = self.table.encode_row(&self.old)?;
        let mut new = self.table.encode_row(&self.new)?;
        if self.table.has_hidden_key() {
            old.row_id.clone_from(&self.reference.0[0]);
            new.row_id.clone_from(&self.reference.0[0]);
        }
        let changed = self.table.changed_columns(&old, &new);
        let moves = self.table.clustered().depends_on(&changed);
        let cascading = self.cascading.as_deref();
        let (before, after, depth) = (&self.old, &self.new, self.depth);
        let checks = ReadChecks::for_change(engine, &self.table, before, after, cascading, depth);
        let stage = if checks.is_empty() {
            Stage::Row(ChangeProgress::default())
        } else {
            Stage::Checks(Box::new(checks))
        };
        self.state = Some(Box::new(State {
            old,
            new,
            changed,
            moves,
            stage,
        }));
        Ok(())
    }

    fn advance(&mut self, engine: &Engine, trx: &mut Trx) -> Result<Step<UpdateOutcome>, Error> {
        if self.state.is_none() {
            self.begin(engine, trx)?;
        }
        let Some(mut state) = self.state.take() else {
            return Ok(self.end());
        };
        let result = self.advance_stage(engine, trx, &mut state);
        self.state = Some(state);
        result
    }

    fn advance_stage(
        &mut self,
        engine: &Engine,
        trx: &mut Trx,
        state: &mut State,
    ) -> Result<Step<UpdateOutcome>, Error> {
        let waits = match &mut state.stage {
            Stage::Checks(_) | Stage::Children { .. } => self.check(engine, trx, state)?,
            Stage::Row(_) | Stage::NewRow { .. } => self.change_row(engine, trx, state)?,
            Stage::OldEntry(_) | Stage::NewEntry { .. } => self.change_entry(engine, trx, state)?,
            Stage::Undo(rollback) => {
                if rollback.run(engine, trx)? == Step::Done(()) {
                    state.stage = Stage::Over;
                    self.undoing
                        .error
                        .take()
                        .map_or(Ok(()), |error| Err(*error))?;
                }
                false
            }
            Stage::Over => false,
        };
        Ok(match state.stage {
            _ if waits => Step::Wait,
            Stage::Over => self.end(),
            _ => Step::Progress,
        })
    }

    /// Foreign keys; whether it has to wait.
    fn check(&mut self, engine: &Engine, trx: &mut Trx, state: &mut State) -> Result<bool, Error> {
        match &mut state.stage {
            Stage::Checks(checks) => match checks.run(engine, trx)? {
                Step::Done(()) => state.stage = Stage::Row(ChangeProgress::default()),
                step => return Ok(step == Step::Wait),
            },
            Stage::Children { index, checks } => match checks.run(engine, trx)? {
                Step::Done(()) => {
                    let index = *index;
                    self.after_children(state, index);
                }
                step => return Ok(step == Step::Wait),
            },
            _ => {}
        }
        Ok(false)
    }

    /// The clustered index; whether it has to wait.
    fn change_row(
        &mut self,
        engine: &Engine,
        trx: &mut Trx,
        state: &mut State,
    ) -> Result<bool, Error> {
        let table = self.table.clone();
        match &mut state.stage {
            Stage::Row(progress) => {
                let new = (!state.moves).then_some(&state.new);
                match engine.change_clustered(trx, &table, &self.reference, new, progress)? {
                    Step::Done(()) => self.after_row(engine, state),
                    step => return Ok(step == Step::Wait),
                }
            }
            Stage::NewRow { parents, progress } => {
                if !parents.is_empty() {
                    return Ok(parents.run(engine, trx, &table)? == Step::Wait);
                }
                match engine.insert_clustered(trx, &table, &state.new, progress)? {
                    Step::Done(Inserted::Yes) => Self::next_entry(&table, state, 0),
                    Step::Done(Inserted::Duplicate(row)) => self.collide(state, 0, row),
                    step => return Ok(step == Step::Wait),
                }
            }
            _ => {}
        }
        Ok(false)
    }

    /// A secondary index; whether it has to wait.
    fn change_entry(
        &mut self,
        engine: &Engine,
        trx: &mut Trx,
        state: &mut State,
    ) -> Result<bool, Error> {
        let table = self.table.clone();
        match &mut state.stage {
            Stage::OldEntry(index) => {
                let index = *index;
                match engine.delete_entry(trx, &table.indexes[index], &state.old)? {
                    Step::Done(()) => self.children_of(engine, state, index),
                    step => return Ok(step == Step::Wait),
                }
            }
            Stage::NewEntry {
                index,
                parents,
                progress,
            } => {
                let index = *index;
                if !parents.is_empty() {
                    return Ok(parents.run(engine, trx, &table)? == Step::Wait);
                }
                let target = &table.indexes[index];
                match engine.insert_entry(trx, &table, target, &state.new, progress)? {
                    Step::Done(Inserted::Yes) => Self::next_entry(&table, state, index),
                    Step::Done(Inserted::Duplicate(row)) => self.collide(state, index, row),
                    step => return Ok(step == Step::Wait),
                }
            }
            _ => {}
        }
        Ok(false)
    }

    fn end(&mut self) -> Step<UpdateOutcome> {
        Step::Done(match self.duplicate.take() {
            Some(duplicate) => UpdateOutcome::Duplicate(duplicate),
            None => UpdateOutcome::Updated,
        })
    }

    /// The clustered record is changed; if its key changes, children of it come next.
    fn after_row(&self, engine: &Engine, state: &mut State) {
        if !state.moves {
            Self::next_entry(&self.table, state, 0);
            return;
        }
        self.children_of(engine, state, 0);
    }

    /// Checks the children that refer to the columns that changed in this index.
    fn children_of(&self, engine: &Engine, state: &mut State, index: usize) {
        let checks = ChildChecks::for_change(
            engine,
            &self.table,
            index,
            &state.old,
            Some((&state.new, &state.changed)),
            self.depth,
        );
        state.stage = Stage::Children {
            index,
            checks: Box::new(checks),
        };
        let Stage::Children { checks, .. } = &state.stage else {
            return;
        };
        if checks.is_empty() {
            self.after_children(state, index);
        }
    }

    fn after_children(&self, state: &mut State, index: usize) {
        let parents = self.parents(state, index);
        state.stage = if index == 0 {
            Stage::NewRow {
                parents,
                progress: ChangeProgress::default(),
            }
        } else {
            Stage::NewEntry {
                index,
                parents,
                progress: EntryProgress::default(),
            }
        };
    }

    /// The parents that the new row must have, by the foreign keys of this index.
    fn parents(&self, state: &State, index: usize) -> ParentChecks {
        let cascading = self.cascading.as_deref();
        ParentChecks::for_new_entry(&self.table, index, &state.new, cascading)
    }

    /// Goes on to the next secondary index whose entry changes.
    fn next_entry(table: &Table, state: &mut State, done: usize) {
        let next = (done + 1..table.indexes.len())
            .find(|at| table.indexes[*at].depends_on(&state.changed));
        state.stage = next.map_or(Stage::Over, Stage::OldEntry);
    }

    fn collide(&mut self, state: &mut State, index: usize, reference: RowReference) {
        let target = &self.table.indexes[index];
        let key = target
            .columns
            .iter()
            .map(|column| self.new[*column].clone())
            .collect();
        self.duplicate = Some(Box::new(DuplicateKey {
            index,
            name: target.name.clone(),
            key,
            reference,
        }));
        state.stage = Stage::Undo(self.undoing.rollback());
    }
}

/// The values that a child row gets when its parent changes.
pub(super) fn cascaded_values(
    action: ReferentialAction,
    columns: &[usize],
    old: &[Value],
    parent_new: Option<&[Value]>,
) -> Option<Vec<Value>> {
    let mut new = old.to_vec();
    match (action, parent_new) {
        (ReferentialAction::SetNull, _) => {
            columns.iter().for_each(|column| new[*column] = Value::Null);
        }
        (ReferentialAction::Cascade, Some(values)) => {
            for (column, value) in columns.iter().zip(values) {
                new[*column] = value.clone();
            }
        }
        _ => return None,
    }
    Some(new)
}
