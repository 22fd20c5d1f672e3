//! Foreign keys inside the engine: parents looked for by shared locks on their index, children
//! likewise, and the actions on children as changes of their own.

use std::sync::Arc;

use gaplock_lockmgr::{LockMode, TableMode};

use super::{
    Delete, DuplicateMode, Step, Update, UpdateOutcome, WaitPolicy, locking::Got,
    update::cascaded_values,
};
use crate::{
    access::{self, ForeignKeySpot, Reason},
    btree::{Latching, Seek},
    db::Engine,
    error::Error,
    mtr::Mtr,
    page::Field,
    profile::ForeignKeyLayer,
    row::{change::ROW_CHANGE, locking::Spot},
    table::{ForeignKey, ReferentialAction, RowImage, RowReference, Table},
    trx::Trx,
    types::Value,
};

/// Deepest chain of cascades.
pub(super) const DEEPEST: u32 = 15;

/// Parents that a row must have, still to be looked for: foreign keys by position, with the child's
/// key.
#[derive(Clone, Debug, Default)]
pub(crate) struct ParentChecks {
    left: Vec<(usize, Vec<Field>)>,
}

impl ParentChecks {
    /// The foreign keys that are checked together with the child's index `at`.
    pub(crate) fn for_index(table: &Table, at: usize, image: &RowImage) -> Self {
        let left = table
            .foreign_keys
            .iter()
            .enumerate()
            .filter(|(_, key)| table.index_with_prefix(&key.columns) == Some(at))
            .filter_map(|(position, key)| Some((position, parent_key(key, image)?)))
            .collect();
        Self { left }
    }

    /// Those of them that did not bring the change here. The entry is a new one, and is checked as
    /// such, even if it is new only because the primary key at its end has changed.
    pub(crate) fn for_new_entry(
        table: &Table,
        at: usize,
        image: &RowImage,
        cascading: Option<&str>,
    ) -> Self {
        let mut checks = Self::for_index(table, at, image);
        let came_by = |position: usize| Some(table.foreign_keys[position].name.as_str());
        checks
            .left
            .retain(|(position, _)| cascading.is_none() || cascading != came_by(*position));
        checks
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.left.is_empty()
    }

    /// Looks for one parent.
    pub(crate) fn run(
        &mut self,
        engine: &Engine,
        trx: &mut Trx,
        child: &Table,
    ) -> Result<Step<()>, Error> {
        if engine.profile().foreign_key_layer == ForeignKeyLayer::Sql || !trx.foreign_key_checks {
            self.left.clear();
        }
        let Some((position, key)) = self.left.first() else {
            return Ok(Step::Done(()));
        };
        let foreign = &child.foreign_keys[*position];
        let missing = || Error::NoParent {
            constraint: engine.constraint_text(child, foreign),
        };
        let (parent, at) = engine.parent_index(foreign).ok_or_else(missing)?;
        let intention = engine.lock_intention(trx, parent.id, TableMode::IS)?;
        if intention == Got::Wait {
            return Ok(Step::Wait);
        }
        match engine.look_for_key(trx, &parent, at, key, None, true)? {
            Found::Wait => Ok(Step::Wait),
            Found::No => Err(missing()),
            Found::Entry(_) => {
                self.left.remove(0);
                Ok(Step::Progress)
            }
        }
    }
}

/// A child's key, unless a part of it is NULL.
fn parent_key(key: &ForeignKey, image: &RowImage) -> Option<Vec<Field>> {
    let fields: Vec<Field> = key
        .columns
        .iter()
        .map(|at| image.columns[*at].clone())
        .collect();
    fields.iter().all(Option::is_some).then_some(fields)
}

/// Children that refer to a row that goes away or changes its key.
#[derive(Clone, Debug)]
pub(crate) struct ChildChecks {
    left: Vec<ChildCheck>,
    depth: u32,
}

#[derive(Clone, Debug)]
struct ChildCheck {
    child: Arc<Table>,
    foreign: usize,
    index: usize,
    key: Vec<Field>,
    /// The parent's new key; `None` if it goes away.
    new_key: Option<Vec<Value>>,
    /// The last child that was dealt with.
    after: Option<Vec<Field>>,
    action: Option<Action>,
}

/// What is being done to one child.
#[derive(Clone, Debug)]
enum Action {
    /// Its row is to be locked and read.
    Lock(RowReference),
    Update(Box<Update>),
    Delete(Box<Delete>),
}

impl ChildChecks {
    /// Of a row that is deleted.
    pub(crate) fn for_deletion(
        engine: &Engine,
        table: &Table,
        image: &RowImage,
        depth: u32,
    ) -> Self {
        let mut checks = Self {
            left: Vec::new(),
            depth,
        };
        for (at, _) in table.indexes.iter().enumerate() {
            checks
                .left
                .extend(Self::for_change(engine, table, at, image, None, depth).left);
        }
        checks
    }

    /// Of a row whose entry in index `at` changes (`change`: the new row and its changed columns),
    /// or goes away.
    pub(crate) fn for_change(
        engine: &Engine,
        table: &Table,
        at: usize,
        old: &RowImage,
        change: Option<(&RowImage, &[usize])>,
        depth: u32,
    ) -> Self {
        let mut left = Vec::new();
        if engine.profile().foreign_key_layer == ForeignKeyLayer::Engine {
            for (child, foreign) in engine.children_of(&table.name) {
                let key = &child.foreign_keys[foreign];
                let Some(columns) = parent_columns(table, key) else {
                    continue;
                };
                if table.index_with_prefix(&columns) != Some(at) {
                    continue;
                }
                if change.is_some_and(|(_, changed)| !columns.iter().any(|c| changed.contains(c))) {
                    continue;
                }
                let fields: Vec<Field> =
                    columns.iter().map(|at| old.columns[*at].clone()).collect();
                let Some(index) = child.index_with_prefix(&key.columns) else {
                    continue;
                };
                if fields.iter().any(Option::is_none) {
                    continue;
                }
                let values = |new: &RowImage| {
                    let row = table.decode_row(new);
                    columns
                        .iter()
                        .map(|at| row[*at].clone())
                        .collect::<Vec<_>>()
                };
                left.push(ChildCheck {
                    foreign,
                    index,
                    key: fields,
                    new_key: change.map(|(new, _)| values(new)),
                    after: None,
                    action: None,
                    child,
                });
            }
        }
        Self { left, depth }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.left.is_empty()
    }

    /// Deals with one child, or finds that there is none left.
    pub(crate) fn run(&mut self, engine: &Engine, trx: &mut Trx) -> Result<Step<()>, Error> {
        if !trx.foreign_key_checks {
            self.left.clear();
        }
        let depth = self.depth;
        let Some(check) = self.left.first_mut() else {
            return Ok(Step::Done(()));
        };
        match check.run(engine, trx, depth)? {
            Step::Done(()) => {
                self.left.remove(0);
                Ok(if self.left.is_empty() {
                    Step::Done(())
                } else {
                    Step::Progress
                })
            }
            step => Ok(step),
        }
    }
}

/// Positions of the parent's columns.
pub(super) fn parent_columns(parent: &Table, key: &ForeignKey) -> Option<Vec<usize>> {
    key.parent_columns
        .iter()
        .map(|name| parent.column(name))
        .collect()
}

impl ChildCheck {
    fn run(&mut self, engine: &Engine, trx: &mut Trx, depth: u32) -> Result<Step<()>, Error> {
        if let Some(action) = self.action.take() {
            return self.act(engine, trx, action, depth);
        }
        let intention = engine.lock_intention(trx, self.child.id, TableMode::IS)?;
        if intention == Got::Wait {
            return Ok(Step::Wait);
        }
        let after = self.after.as_deref();
        match engine.look_for_key(trx, &self.child, self.index, &self.key, after, false)? {
            Found::Wait => Ok(Step::Wait),
            Found::No => Ok(Step::Done(())),
            Found::Entry(entry) => {
                let foreign = &self.child.foreign_keys[self.foreign];
                if self.referential_action() == ReferentialAction::Restrict {
                    let constraint = engine.constraint_text(&self.child, foreign);
                    return Err(Error::ChildExists { constraint });
                }
                if depth >= DEEPEST {
                    return Err(Error::CascadeTooDeep);
                }
                let index = &self.child.indexes[self.index];
                let reference = self.child.reference_in_entry(index, &entry);
                let key_fields = index.tree.layout.key_fields;
                self.after = Some(entry[..key_fields].to_vec());
                self.action = Some(Action::Lock(reference));
                Ok(Step::Progress)
            }
        }
    }

    fn referential_action(&self) -> ReferentialAction {
        let foreign = &self.child.foreign_keys[self.foreign];
        if self.new_key.is_some() {
            foreign.on_update
        } else {
            foreign.on_delete
        }
    }

    fn act(
        &mut self,
        engine: &Engine,
        trx: &mut Trx,
        mut action: Action,
        depth: u32,
    ) -> Result<Step<()>, Error> {
        let step = match &mut action {
            Action::Lock(reference) => match self.lock_child(engine, trx, reference, depth)? {
                Step::Done(next) => {
                    self.action = next;
                    return Ok(Step::Progress);
                }
                Step::Wait => Step::Wait,
                Step::Progress => Step::Progress,
            },
            Action::Update(update) => match update.run(engine, trx)? {
                Step::Done(UpdateOutcome::Updated) => return Ok(Step::Progress),
                Step::Done(UpdateOutcome::Duplicate(duplicate)) => {
                    return Err(Error::Duplicate(duplicate));
                }
                Step::Wait => Step::Wait,
                Step::Progress => Step::Progress,
            },
            Action::Delete(delete) => match delete.run(engine, trx)? {
                Step::Done(()) => return Ok(Step::Progress),
                step => step,
            },
        };
        self.action = Some(action);
        Ok(step)
    }

    /// Locks a child's row and prepares what is to be done to it.
    fn lock_child(
        &self,
        engine: &Engine,
        trx: &mut Trx,
        reference: &RowReference,
        depth: u32,
    ) -> Result<Step<Option<Action>>, Error> {
        let intention = engine.lock_intention(trx, self.child.id, TableMode::IX)?;
        if intention == Got::Wait {
            return Ok(Step::Wait);
        }
        let Some(image) = engine.lock_row(trx, &self.child, reference)? else {
            return Ok(Step::Wait);
        };
        let Some(image) = image else {
            return Ok(Step::Done(None));
        };
        let old = self.child.decode_row(&image);
        let foreign = &self.child.foreign_keys[self.foreign];
        let action = self.referential_action();
        let new = cascaded_values(action, &foreign.columns, &old, self.new_key.as_deref());
        let child = self.child.clone();
        Ok(Step::Done(Some(match new {
            Some(new) => {
                let mut update =
                    Update::new(child, reference.clone(), old, new, DuplicateMode::Error);
                update.depth = depth + 1;
                update.cascading = Some(foreign.name.clone());
                Action::Update(Box::new(update))
            }
            None => {
                let mut delete = Delete::new(child, reference.clone(), old);
                delete.depth = depth + 1;
                Action::Delete(Box::new(delete))
            }
        })))
    }
}

/// What looking for a key in an index came to.
enum Found {
    Entry(Vec<Field>),
    No,
    Wait,
}

impl Engine {
    /// The parent's table and the index through which a foreign key looks for its rows.
    pub(super) fn parent_index(&self, foreign: &ForeignKey) -> Option<(Arc<Table>, usize)> {
        let parent = self.table(&foreign.parent)?;
        let columns = parent_columns(&parent, foreign)?;
        let at = parent.index_with_prefix(&columns)?;
        Some((parent, at))
    }

    /// Looks for a live record with a key (after a given record), locking what it meets.
    fn look_for_key(
        &self,
        trx: &mut Trx,
        table: &Table,
        at: usize,
        key: &[Field],
        after: Option<&[Field]>,
        parent: bool,
    ) -> Result<Found, Error> {
        let index = &table.indexes[at];
        let mut mtr = Mtr::begin(&self.pool);
        let (from, seek) = match after {
            Some(entry) => (entry, Seek::After),
            None => (key, Seek::AtOrAfter),
        };
        let mut cursor = index.tree.seek(&mut mtr, from, seek, Latching::Read)?;
        loop {
            let record = index.tree.record(&mtr, cursor);
            let supremum = record.is_supremum();
            let user = record.is_user();
            let equal = user && record.compare_prefix(key).0.is_eq();
            let spot = match (equal, equal && record.is_deleted()) {
                (true, false) => ForeignKeySpot::Match,
                (true, true) => ForeignKeySpot::Deleted,
                (false, _) => ForeignKeySpot::Past,
            };
            let entry = if user {
                Self::fields_at(index, &mtr, cursor)
            } else {
                Vec::new()
            };
            let want =
                access::foreign_key_check(self.profile(), trx.isolation, spot, supremum, parent);
            if let Some(want) = want.filter(|_| user || supremum) {
                let got = self.lock_entry(trx, table, index, &mtr, cursor, LockMode::S, want)?;
                if got == Got::Wait {
                    return Ok(Found::Wait);
                }
            }
            match spot {
                ForeignKeySpot::Match => return Ok(Found::Entry(entry)),
                ForeignKeySpot::Past if user => return Ok(Found::No),
                _ => {}
            }
            if !index.tree.next(&mut mtr, &mut cursor)? {
                return Ok(Found::No);
            }
        }
    }

    /// Locks a row exclusively by its key: outer `None` if it has to wait, inner if it is gone.
    fn lock_row(
        &self,
        trx: &mut Trx,
        table: &Table,
        reference: &RowReference,
    ) -> Result<Option<Option<RowImage>>, Error> {
        let tree = &table.clustered().tree;
        let mut mtr = Mtr::begin(&self.pool);
        let cursor = tree.seek(&mut mtr, &reference.0, Seek::AtOrBefore, Latching::Read)?;
        let record = tree.record(&mtr, cursor);
        if !record.is_user() || record.compare_prefix(&reference.0).0.is_ne() {
            return Ok(Some(None));
        }
        let row = table.read_clustered(&record);
        let spot = Spot::of(&record);
        let writer = self.row_writer(trx, &row);
        let want = access::Want {
            reason: Reason::CascadedRow,
            ..ROW_CHANGE
        };
        let got = self.lock_written(trx, spot, writer, LockMode::X, want, WaitPolicy::Wait)?;
        if got == Got::Wait {
            return Ok(None);
        }
        Ok(Some((!row.deleted).then_some(row.image)))
    }

    /// A constraint as error messages spell it.
    pub(crate) fn constraint_text(&self, child: &Table, foreign: &ForeignKey) -> String {
        let columns = |names: Vec<&str>| {
            names
                .iter()
                .map(|name| format!("`{name}`"))
                .collect::<Vec<_>>()
                .join(", ")
        };
        let own = foreign
            .columns
            .iter()
            .map(|at| child.columns[*at].name.as_str())
            .collect();
        let parents = foreign.parent_columns.iter().map(String::as_str).collect();
        format!(
            "`{}`, CONSTRAINT `{}` FOREIGN KEY ({}) REFERENCES `{}` ({}){}{}",
            child.name,
            foreign.name,
            columns(own),
            foreign.parent,
            columns(parents),
            action_text(" ON DELETE", foreign.on_delete),
            action_text(" ON UPDATE", foreign.on_update),
        )
    }
}

fn action_text(when: &str, action: ReferentialAction) -> String {
    match action {
        ReferentialAction::Restrict => String::new(),
        ReferentialAction::Cascade => format!("{when} CASCADE"),
        ReferentialAction::SetNull => format!("{when} SET NULL"),
    }
}
