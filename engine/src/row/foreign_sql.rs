//! Foreign keys kept above the engine: the same questions, asked by ordinary locking reads before
//! the row itself is touched.
//!
//! A child's parent is looked for by a shared read of the parent's key; a parent's children by a
//! read of the child's index, shared when a child forbids the change, exclusive when it follows.

use std::sync::Arc;

use super::{
    Access, Delete, DuplicateMode, LockStrength, NoFilter, Scan, ScanSpec, Step, Update,
    UpdateOutcome, WaitPolicy,
    foreign::{DEEPEST, parent_columns},
    update::cascaded_values,
};
use crate::{
    db::Engine,
    error::Error,
    profile::ForeignKeyLayer,
    table::{ForeignKey, ReferentialAction, Table},
    trx::Trx,
    types::Value,
};

/// Questions still to be asked before a row is changed.
#[derive(Clone, Debug, Default)]
pub(crate) struct ReadChecks {
    left: Vec<Check>,
    depth: u32,
}

#[derive(Clone, Debug)]
enum Check {
    /// The parent of a new or changed child must exist.
    Parent { scan: Box<Scan>, constraint: String },
    /// Children of a parent that goes away or changes its key.
    Children(Box<Children>),
}

#[derive(Clone, Debug)]
struct Children {
    scan: Scan,
    child: Arc<Table>,
    foreign: usize,
    /// The parent's new key; `None` if it goes away.
    new_key: Option<Vec<Value>>,
    action: Option<Action>,
}

#[derive(Clone, Debug)]
enum Action {
    Update(Update),
    Delete(Delete),
}

fn scan_for(table: Arc<Table>, index: usize, key: Vec<Value>, lock: LockStrength) -> Scan {
    Scan::new(ScanSpec {
        table,
        index,
        access: Access::Equal(key),
        lock,
        wait: WaitPolicy::Wait,
        covering: lock == LockStrength::Shared,
        pushed: false,
        semi_consistent: false,
    })
}

impl ReadChecks {
    /// Of a row that is inserted.
    pub(crate) fn for_insertion(engine: &Engine, table: &Table, row: &[Value]) -> Self {
        let mut checks = Self::default();
        if engine.profile().foreign_key_layer == ForeignKeyLayer::Sql {
            table
                .foreign_keys
                .iter()
                .for_each(|key| checks.add_parent(engine, table, key, row));
        }
        checks
    }

    /// Of a row that is changed; `cascading` names the foreign key that brought the change here.
    pub(crate) fn for_change(
        engine: &Engine,
        table: &Table,
        old: &[Value],
        new: &[Value],
        cascading: Option<&str>,
        depth: u32,
    ) -> Self {
        let mut checks = Self {
            left: Vec::new(),
            depth,
        };
        if engine.profile().foreign_key_layer == ForeignKeyLayer::Engine {
            return checks;
        }
        for key in &table.foreign_keys {
            let changed = key.columns.iter().any(|at| old[*at] != new[*at]);
            if changed && cascading != Some(key.name.as_str()) {
                checks.add_parent(engine, table, key, new);
            }
        }
        checks.add_children(engine, table, old, Some(new));
        checks
    }

    /// Of a row that is deleted.
    pub(crate) fn for_deletion(engine: &Engine, table: &Table, row: &[Value], depth: u32) -> Self {
        let mut checks = Self {
            left: Vec::new(),
            depth,
        };
        if engine.profile().foreign_key_layer == ForeignKeyLayer::Sql {
            checks.add_children(engine, table, row, None);
        }
        checks
    }

    fn add_parent(&mut self, engine: &Engine, child: &Table, key: &ForeignKey, row: &[Value]) {
        let values: Vec<Value> = key.columns.iter().map(|at| row[*at].clone()).collect();
        if values.iter().any(Value::is_null) {
            return;
        }
        let constraint = engine.constraint_text(child, key);
        let found = engine.parent_index(key);
        let Some((parent, index)) = found else { return };
        let scan = Box::new(scan_for(parent, index, values, LockStrength::Shared));
        self.left.push(Check::Parent { scan, constraint });
    }

    fn add_children(
        &mut self,
        engine: &Engine,
        parent: &Table,
        old: &[Value],
        new: Option<&[Value]>,
    ) {
        for (child, foreign) in engine.children_of(&parent.name) {
            let key = &child.foreign_keys[foreign];
            let Some(columns) = parent_columns(parent, key) else {
                continue;
            };
            let pick = |row: &[Value]| columns.iter().map(|at| row[*at].clone()).collect();
            let old_key: Vec<Value> = pick(old);
            let new_key: Option<Vec<Value>> = new.map(pick);
            let Some(index) = child.index_with_prefix(&key.columns) else {
                continue;
            };
            if old_key.iter().any(Value::is_null) || new_key.as_ref() == Some(&old_key) {
                continue;
            }
            let action = if new.is_some() {
                key.on_update
            } else {
                key.on_delete
            };
            let lock = match action {
                ReferentialAction::Restrict => LockStrength::Shared,
                ReferentialAction::Cascade | ReferentialAction::SetNull => LockStrength::Exclusive,
            };
            let scan = scan_for(child.clone(), index, old_key, lock);
            let children = Children {
                scan,
                child,
                foreign,
                new_key,
                action: None,
            };
            self.left.push(Check::Children(Box::new(children)));
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.left.is_empty()
    }

    /// Asks one question, or goes on with what follows from its answer.
    pub(crate) fn run(&mut self, engine: &Engine, trx: &mut Trx) -> Result<Step<()>, Error> {
        if !trx.foreign_key_checks {
            self.left.clear();
        }
        let depth = self.depth;
        let step = match self.left.first_mut() {
            None => return Ok(Step::Done(())),
            Some(Check::Parent { scan, constraint }) => match scan.run(engine, trx, &NoFilter)? {
                Step::Done(Some(_)) => Step::Done(()),
                Step::Done(None) => {
                    return Err(Error::NoParent {
                        constraint: constraint.clone(),
                    });
                }
                Step::Progress => Step::Progress,
                Step::Wait => Step::Wait,
            },
            Some(Check::Children(children)) => children.run(engine, trx, depth)?,
        };
        if step != Step::Done(()) {
            return Ok(step);
        }
        self.left.remove(0);
        Ok(Step::Progress)
    }
}

impl Children {
    fn run(&mut self, engine: &Engine, trx: &mut Trx, depth: u32) -> Result<Step<()>, Error> {
        if let Some(mut action) = self.action.take() {
            let step = action.run(engine, trx)?;
            if step != Step::Done(()) {
                self.action = Some(action);
                return Ok(step);
            }
            return Ok(Step::Progress);
        }
        let found = match self.scan.run(engine, trx, &NoFilter)? {
            Step::Done(Some(found)) => found,
            Step::Done(None) => return Ok(Step::Done(())),
            Step::Progress => return Ok(Step::Progress),
            Step::Wait => return Ok(Step::Wait),
        };
        let key = &self.child.foreign_keys[self.foreign];
        let action = if self.new_key.is_some() {
            key.on_update
        } else {
            key.on_delete
        };
        if action == ReferentialAction::Restrict {
            let constraint = engine.constraint_text(&self.child, key);
            return Err(Error::ChildExists { constraint });
        }
        if depth >= DEEPEST {
            return Err(Error::CascadeTooDeep);
        }
        let new = cascaded_values(action, &key.columns, &found.values, self.new_key.as_deref());
        let child = self.child.clone();
        self.action = Some(match new {
            Some(new) => {
                let mode = DuplicateMode::Error;
                let mut update = Update::new(child, found.reference, found.values, new, mode);
                update.depth = depth + 1;
                update.cascading = Some(key.name.clone());
                Action::Update(update)
            }
            None => {
                let mut delete = Delete::new(child, found.reference, found.values);
                delete.depth = depth + 1;
                Action::Delete(delete)
            }
        });
        Ok(Step::Progress)
    }
}

impl Action {
    fn run(&mut self, engine: &Engine, trx: &mut Trx) -> Result<Step<()>, Error> {
        match self {
            Action::Delete(delete) => delete.run(engine, trx),
            Action::Update(update) => match update.run(engine, trx)? {
                Step::Done(UpdateOutcome::Updated) => Ok(Step::Done(())),
                Step::Done(UpdateOutcome::Duplicate(duplicate)) => Err(Error::Duplicate(duplicate)),
                Step::Progress => Ok(Step::Progress),
                Step::Wait => Ok(Step::Wait),
            },
        }
    }
}
