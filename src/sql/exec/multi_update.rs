//! UPDATE of several tables: the rows are found and locked first, then changed.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use gaplock_engine::error::Error;
use gaplock_engine::row::{DuplicateMode, Step, Update, UpdateOutcome};
use gaplock_engine::table::{RowReference, Table};
use gaplock_engine::types::Value;

use super::join::{JoinReader, plan_query};
use super::subquery::Subqueries;
use super::{Context, Facts, ReadLock, StepResult, Writer, finished, row};
use crate::sql::bind::BoundUpdate;
use crate::sql::error::{SqlError, engine_error};
use crate::sql::plan::Purpose;
use crate::sql::session::StatementResult;

/// An UPDATE of several tables under way.
#[derive(Clone, Debug)]
pub(crate) struct MultiUpdateStatement {
    bound: Arc<BoundUpdate>,
    subqueries: Subqueries,
    reader: Option<JoinReader>,
    /// The tables that are changed, by place in FROM.
    targets: BTreeSet<usize>,
    /// Rows met already: each is changed once, by its first partner.
    met: BTreeSet<(usize, RowReference)>,
    changes: VecDeque<Change>,
    complete: bool,
    change: Option<Update>,
    changed: u64,
}

/// A change that was computed and is still to be made.
#[derive(Clone, Debug)]
struct Change {
    table: Arc<Table>,
    reference: RowReference,
    old: Vec<Value>,
    new: Vec<Value>,
}

impl MultiUpdateStatement {
    /// A statement that has not begun.
    pub(super) fn new(bound: BoundUpdate, facts: &Facts) -> MultiUpdateStatement {
        MultiUpdateStatement {
            subqueries: Subqueries::new(
                &bound.query.subqueries,
                ReadLock::of_source(facts, Writer::Strict),
            ),
            targets: bound.set.iter().map(|(place, _)| place.table).collect(),
            bound: Arc::new(bound),
            reader: None,
            met: BTreeSet::new(),
            changes: VecDeque::new(),
            complete: false,
            change: None,
            changed: 0,
        }
    }

    /// Goes on by one step.
    ///
    /// # Errors
    /// Those of reading and changing rows.
    pub(super) fn step(&mut self, context: &mut Context<'_>) -> StepResult<StatementResult> {
        if let Some(change) = &mut self.change {
            let outcome = finished!(change.step(context.engine, context.trx));
            self.change = None;
            match outcome {
                UpdateOutcome::Updated => self.changed += 1,
                UpdateOutcome::Duplicate(_) if self.bound.ignore => {}
                UpdateOutcome::Duplicate(duplicate) => {
                    return Err(engine_error(Error::Duplicate(duplicate)));
                }
            }
            return Ok(Step::Progress);
        }
        if self.complete {
            let Some(change) = self.changes.pop_front() else {
                return Ok(Step::Done(StatementResult {
                    affected: self.changed,
                    ..StatementResult::default()
                }));
            };
            let Change {
                table,
                reference,
                old,
                new,
            } = change;
            let mode = DuplicateMode::Error;
            self.change = Some(Update::new(table, reference, old, new, mode));
            return Ok(Step::Progress);
        }
        finished!(self.subqueries.step(context));
        if self.reader.is_none() {
            self.reader = Some(self.open(context)?);
        }
        let Some(reader) = &mut self.reader else {
            return Ok(Step::Progress);
        };
        if finished!(reader.step(context, &self.subqueries.results)) {
            self.collect(context)?;
        } else {
            self.complete = true;
        }
        Ok(Step::Progress)
    }

    fn open(&self, context: &Context<'_>) -> Result<JoinReader, SqlError> {
        let query = &self.bound.query;
        let plan = plan_query(query, Purpose::Read, context, &self.subqueries.results)?;
        let locks = (0..query.tables.len())
            .map(|place| {
                if self.targets.contains(&place) {
                    ReadLock::EXCLUSIVE
                } else {
                    ReadLock::of_source(context.facts, Writer::Strict)
                }
            })
            .collect();
        JoinReader::new(query, plan, locks, context)
    }

    /// Computes the changes that the present rows bring.
    fn collect(&mut self, context: &Context<'_>) -> Result<(), SqlError> {
        let Some(reader) = &self.reader else {
            return Ok(());
        };
        let environment = context.environment(&reader.rows, &self.subqueries.results);
        for place in &self.targets {
            let Some(reference) = reader.references[*place].clone() else {
                continue;
            };
            if !self.met.insert((*place, reference.clone())) {
                continue;
            }
            let table = reader.table(*place)?;
            let set = self
                .bound
                .set
                .iter()
                .filter(|(target, _)| target.table == *place)
                .map(|(target, value)| (target.column, value.as_ref()));
            let row_number = self.met.len() as u64;
            let new = row::assign(&table, *place, set, &environment, row_number)?;
            let old = reader.rows[*place].clone();
            if new != old {
                self.changes.push_back(Change {
                    table,
                    reference,
                    old,
                    new,
                });
            }
        }
        Ok(())
    }
}
