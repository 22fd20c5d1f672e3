//! INSERT, REPLACE, INSERT .. ON DUPLICATE KEY UPDATE.
//!
//! The rows are read one, inserted one. What follows a duplicate is the server's order of calls:
//! IGNORE passes over the row; an upsert reads the existing row by the duplicate's key, locking it,
//! and updates it; REPLACE reads it too, then updates it in place if the key is the last unique one
//! and nobody refers to the table, and else deletes it and inserts again.

use std::collections::VecDeque;
use std::sync::Arc;

use gaplock_engine::db::Engine;
use gaplock_engine::error::{DuplicateKey, Error};
use gaplock_engine::row::{
    Access, AutoCount, AutoIncrement, Delete, DuplicateMode, Insert, InsertOutcome, LockStrength,
    NoFilter, Scan, ScanSpec, Step, Update, UpdateOutcome, WaitPolicy,
};
use gaplock_engine::table::{RowReference, Table};
use gaplock_engine::types::Value;

use super::select::SelectRun;
use super::subquery::Subqueries;
use super::{Context, Facts, ReadLock, StepResult, Writer, finished, row};
use crate::sql::bind::{self, BoundInsert, BoundSource};
use crate::sql::catalog::EngineCatalog;
use crate::sql::error::{ErrorKind, SqlError, engine_error};
use crate::sql::expr::Environment;
use crate::sql::session::StatementResult;

/// An INSERT or REPLACE under way.
#[derive(Clone, Debug)]
pub(crate) struct InsertStatement {
    bound: Arc<BoundInsert>,
    table: Arc<Table>,
    subqueries: Subqueries,
    source: RowSource,
    stage: Stage,
    counts: Counts,
    /// Values drawn from the table's counter and not used yet: the next, and how many.
    drawn: (u64, u64),
    first_drawn: Option<u64>,
    warnings: Vec<String>,
}

/// Rows of the statement.
#[derive(Clone, Debug)]
enum RowSource {
    Values {
        next: usize,
    },
    Select(Box<SelectRun>),
    /// A SELECT from the table itself: all its rows come first.
    Buffered {
        run: Box<SelectRun>,
        rows: VecDeque<Vec<Value>>,
        complete: bool,
    },
}

#[derive(Clone, Debug, Default)]
struct Counts {
    /// Rows of the source so far.
    row: u64,
    affected: u64,
}

/// What is done about the present row.
#[derive(Clone, Debug)]
enum Stage {
    /// The next row is read from the source.
    Next,
    /// A value for its auto-increment column is drawn.
    Draw {
        values: Vec<Value>,
        column: usize,
        draw: AutoIncrement,
    },
    Insert {
        values: Vec<Value>,
        insert: Box<Insert>,
    },
    /// The row that it collides with is read and locked.
    Existing {
        values: Vec<Value>,
        scan: Box<Scan>,
        index: usize,
    },
    Update {
        update: Box<Update>,
    },
    /// REPLACE: the old row goes, then the new one is tried again.
    Delete {
        values: Vec<Value>,
        delete: Box<Delete>,
    },
}

impl InsertStatement {
    /// Binds the source of a statement that has not begun.
    ///
    /// # Errors
    /// Names that are not found, rows of the wrong length.
    pub(super) fn new(
        bound: BoundInsert,
        engine: &Engine,
        facts: &Facts,
    ) -> Result<InsertStatement, SqlError> {
        let name = &bound.shape.name;
        let table = engine
            .table(name)
            .ok_or_else(|| SqlError::from(ErrorKind::NoSuchTable(name.clone())))?;
        let source = match &bound.source {
            BoundSource::Values(_) => RowSource::Values { next: 0 },
            BoundSource::Select(select) => {
                let selected = bind::select(select, &EngineCatalog(engine))?;
                if selected.items.len() != bound.columns.len() {
                    return Err(ErrorKind::ColumnCount(1).into());
                }
                let lock = match select.locking {
                    Some(_) => ReadLock::of_select(select.locking, facts),
                    None => ReadLock::of_source(facts, Writer::Relaxed),
                };
                let reads_itself = select.from.iter().any(|from| from.table.text == *name);
                let run = Box::new(SelectRun::new(Arc::new(selected), lock, lock));
                if reads_itself {
                    RowSource::Buffered {
                        run,
                        rows: VecDeque::new(),
                        complete: false,
                    }
                } else {
                    RowSource::Select(run)
                }
            }
        };
        Ok(InsertStatement {
            subqueries: Subqueries::new(
                &bound.subqueries,
                ReadLock::of_source(facts, Writer::Strict),
            ),
            bound: Arc::new(bound),
            table,
            source,
            stage: Stage::Next,
            counts: Counts::default(),
            drawn: (0, 0),
            first_drawn: None,
            warnings: Vec::new(),
        })
    }

    /// Goes on by one step.
    ///
    /// # Errors
    /// Those of reading, inserting and changing rows.
    pub(super) fn step(&mut self, context: &mut Context<'_>) -> StepResult<StatementResult> {
        finished!(self.subqueries.step(context));
        let mut stage = std::mem::replace(&mut self.stage, Stage::Next);
        match self.step_stage(&mut stage, context) {
            Ok(Step::Done(Some(next))) => {
                self.stage = next;
                Ok(Step::Progress)
            }
            Ok(Step::Done(None)) => Ok(Step::Done(self.result())),
            Ok(Step::Progress) => {
                self.stage = stage;
                Ok(Step::Progress)
            }
            Ok(Step::Wait) => {
                self.stage = stage;
                Ok(Step::Wait)
            }
            Err(error) => Err(error),
        }
    }

    /// One step of the present stage; done with the stage that follows, or with none at the end.
    fn step_stage(
        &mut self,
        stage: &mut Stage,
        context: &mut Context<'_>,
    ) -> StepResult<Option<Stage>> {
        let next = match stage {
            Stage::Next => match finished!(self.next_row(context)) {
                Some(given) => {
                    self.counts.row += 1;
                    self.with_defaults(given, context)?
                }
                None => return Ok(Step::Done(None)),
            },
            Stage::Draw {
                values,
                column,
                draw,
            } => {
                let first = finished!(draw.step(context.engine, context.trx).map_err(engine_error));
                self.drawn = (first, self.draw_size());
                let mut values = std::mem::take(values);
                values[*column] = self.take_drawn(*column)?;
                self.insertion(values)
            }
            Stage::Insert { values, insert } => {
                let outcome = finished!(self.try_insert(insert, context));
                self.advance_counter(values, context.engine);
                match outcome {
                    Some(InsertOutcome::Inserted) => {
                        self.counts.affected += 1;
                        Stage::Next
                    }
                    Some(InsertOutcome::Duplicate(duplicate)) => {
                        self.duplicate(std::mem::take(values), *duplicate)?
                    }
                    None => Stage::Next,
                }
            }
            Stage::Existing {
                values,
                scan,
                index,
            } => {
                let step = scan.step(context.engine, context.trx, &NoFilter);
                match finished!(step.map_err(engine_error)) {
                    Some(found) => {
                        let values = std::mem::take(values);
                        self.existing(values, found.values, found.reference, *index, context)?
                    }
                    // The row went away while its lock was waited for: try again.
                    None => self.insertion(std::mem::take(values)),
                }
            }
            Stage::Update { update } => {
                let step = update.step(context.engine, context.trx);
                self.updated(finished!(step.map_err(engine_error)))?
            }
            Stage::Delete { values, delete } => {
                finished!(
                    delete
                        .step(context.engine, context.trx)
                        .map_err(engine_error)
                );
                self.counts.affected += 1;
                self.insertion(std::mem::take(values))
            }
        };
        Ok(Step::Done(Some(next)))
    }

    /// One step of an insertion; nothing if IGNORE passes over a missing parent row.
    fn try_insert(
        &mut self,
        insert: &mut Insert,
        context: &mut Context<'_>,
    ) -> StepResult<Option<InsertOutcome>> {
        match insert.step(context.engine, context.trx) {
            Ok(step) => Ok(Step::Done(Some(finished!(Ok::<_, SqlError>(step))))),
            Err(error @ Error::NoParent { .. }) if self.bound.ignore => {
                self.warnings.push(error.to_string());
                Ok(Step::Done(None))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The existing row was changed, or could not be.
    fn updated(&mut self, outcome: UpdateOutcome) -> Result<Stage, SqlError> {
        match outcome {
            UpdateOutcome::Updated => self.counts.affected += 2,
            UpdateOutcome::Duplicate(duplicate) => {
                let error = Error::Duplicate(duplicate);
                if !self.bound.ignore {
                    return Err(error.into());
                }
                self.warnings.push(error.to_string());
            }
        }
        Ok(Stage::Next)
    }

    /// The next row as the source gives it; a value that is missing is DEFAULT.
    fn next_row(&mut self, context: &mut Context<'_>) -> StepResult<Option<Vec<Option<Value>>>> {
        let given = |row: Vec<Value>| row.into_iter().map(Some).collect();
        match &mut self.source {
            RowSource::Select(run) => {
                let row = finished!(run.next(context));
                Ok(Step::Done(row.map(given)))
            }
            RowSource::Buffered {
                run,
                rows,
                complete,
            } => {
                if *complete {
                    return Ok(Step::Done(rows.pop_front().map(given)));
                }
                match finished!(run.next(context)) {
                    Some(row) => rows.push_back(row),
                    None => *complete = true,
                }
                Ok(Step::Progress)
            }
            RowSource::Values { next } => {
                let BoundSource::Values(rows) = &self.bound.source else {
                    return Ok(Step::Done(None));
                };
                let Some(expressions) = rows.get(*next) else {
                    return Ok(Step::Done(None));
                };
                *next += 1;
                let nothing = [vec![Value::Null; self.table.columns.len()]];
                let environment = context.environment(&nothing, &self.subqueries.results);
                let mut values = Vec::with_capacity(expressions.len());
                for expression in expressions {
                    values.push(match expression {
                        Some(expression) => Some(expression.evaluate(&environment)?),
                        None => None,
                    });
                }
                Ok(Step::Done(Some(values)))
            }
        }
    }

    /// All columns of a row: defaults filled in, values converted, the counter drawn from.
    fn with_defaults(
        &mut self,
        given: Vec<Option<Value>>,
        context: &Context<'_>,
    ) -> Result<Stage, SqlError> {
        let table = Arc::clone(&self.table);
        let environment = context.environment(&[], &self.subqueries.results);
        let mut row: Vec<Option<Value>> = vec![None; table.columns.len()];
        for (column, value) in self.bound.columns.iter().zip(given) {
            row[*column] = value;
        }
        let mut values = Vec::with_capacity(row.len());
        let mut draws = None;
        for (at, value) in row.into_iter().enumerate() {
            let column = &table.columns[at];
            let drawn =
                column.auto_increment && matches!(value, None | Some(Value::Null | Value::Int(0)));
            if drawn {
                draws = Some(at);
                values.push(Value::Null);
                continue;
            }
            let value = match value {
                Some(value) => value,
                None => row::default(column, &environment)?.unwrap_or(Value::Null),
            };
            values.push(row::store(column, &value, self.counts.row)?);
        }
        let Some(column) = draws else {
            return Ok(self.insertion(values));
        };
        if self.drawn.1 > 0 {
            values[column] = self.take_drawn(column)?;
            return Ok(self.insertion(values));
        }
        let count = match &self.source {
            RowSource::Values { .. } => AutoCount::Simple(self.draw_size()),
            RowSource::Select(_) | RowSource::Buffered { .. } => AutoCount::Bulk,
        };
        Ok(Stage::Draw {
            values,
            column,
            draw: AutoIncrement::new(table, count),
        })
    }

    /// How many values are drawn at once: as many as VALUES has rows.
    fn draw_size(&self) -> u64 {
        match &self.bound.source {
            BoundSource::Values(rows) => rows.len() as u64,
            BoundSource::Select(_) => 1,
        }
    }

    fn take_drawn(&mut self, column: usize) -> Result<Value, SqlError> {
        let (next, left) = self.drawn;
        self.drawn = (next.saturating_add(1), left.saturating_sub(1));
        self.first_drawn.get_or_insert(next);
        let definition = &self.table.columns[column];
        row::store(definition, &Value::Int(i128::from(next)), self.counts.row)
    }

    fn insertion(&self, values: Vec<Value>) -> Stage {
        let replaces = self.bound.replace || !self.bound.on_duplicate.is_empty();
        let mode = if replaces {
            DuplicateMode::Replace
        } else {
            DuplicateMode::Error
        };
        let insert = Insert::new(Arc::clone(&self.table), values.clone(), mode);
        Stage::Insert {
            values,
            insert: Box::new(insert),
        }
    }

    /// A value that was given for the counter's column moves the counter on.
    fn advance_counter(&self, values: &[Value], engine: &Engine) {
        for (column, value) in self.table.columns.iter().zip(values) {
            if let (true, Value::Int(number)) = (column.auto_increment, value)
                && let Ok(number) = u64::try_from(*number)
            {
                engine.advance_auto_increment(&self.table, number);
            }
        }
    }

    fn duplicate(
        &mut self,
        values: Vec<Value>,
        duplicate: DuplicateKey,
    ) -> Result<Stage, SqlError> {
        if self.bound.replace || !self.bound.on_duplicate.is_empty() {
            let index = duplicate.index;
            let scan = Scan::new(ScanSpec {
                table: Arc::clone(&self.table),
                index,
                access: Access::Equal(duplicate.key),
                lock: LockStrength::Exclusive,
                wait: WaitPolicy::Wait,
                covering: false,
                pushed: false,
                semi_consistent: false,
            });
            return Ok(Stage::Existing {
                values,
                scan: Box::new(scan),
                index,
            });
        }
        let error = Error::Duplicate(Box::new(duplicate));
        if self.bound.ignore {
            self.warnings.push(error.to_string());
            return Ok(Stage::Next);
        }
        Err(error.into())
    }

    /// What becomes of the row that the new one collides with.
    fn existing(
        &mut self,
        values: Vec<Value>,
        old: Vec<Value>,
        reference: RowReference,
        index: usize,
        context: &Context<'_>,
    ) -> Result<Stage, SqlError> {
        let table = Arc::clone(&self.table);
        if self.bound.replace {
            if !self.replaces_in_place(index, context.engine) {
                let delete = Delete::new(table, reference, old);
                return Ok(Stage::Delete {
                    values,
                    delete: Box::new(delete),
                });
            }
            return Ok(self.update(table, reference, old, values, 1));
        }
        let rows = [old];
        let environment = Environment {
            new_row: &values,
            ..context.environment(&rows, &self.subqueries.results)
        };
        let set = self
            .bound
            .on_duplicate
            .iter()
            .map(|(column, value)| (*column, value.as_ref()));
        let new = row::assign(&table, 0, set, &environment, self.counts.row)?;
        let [old] = rows;
        Ok(self.update(table, reference, old, new, 0))
    }

    /// Changes the existing row, unless it stays as it is, which counts as `unchanged` rows.
    fn update(
        &mut self,
        table: Arc<Table>,
        reference: RowReference,
        old: Vec<Value>,
        new: Vec<Value>,
        unchanged: u64,
    ) -> Stage {
        if old == new {
            self.counts.affected += unchanged;
            return Stage::Next;
        }
        let update = Update::new(table, reference, old, new, DuplicateMode::Replace);
        Stage::Update {
            update: Box::new(update),
        }
    }

    /// Whether REPLACE may update the row: no unique key follows, and no foreign key refers to it.
    fn replaces_in_place(&self, index: usize, engine: &Engine) -> bool {
        let later = &self.table.indexes[index + 1..];
        later.iter().all(|index| !index.unique) && engine.children_of(&self.table.name).is_empty()
    }

    fn result(&mut self) -> StatementResult {
        StatementResult {
            affected: self.counts.affected,
            last_insert_id: self.first_drawn,
            warnings: std::mem::take(&mut self.warnings),
            ..StatementResult::default()
        }
    }
}
