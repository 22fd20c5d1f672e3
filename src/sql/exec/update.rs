//! UPDATE of one table.

use std::collections::VecDeque;
use std::sync::Arc;

use gaplock_engine::error::Error;
use gaplock_engine::row::{DuplicateMode, Step, Update, UpdateOutcome};
use gaplock_engine::table::{RowReference, Table};
use gaplock_engine::types::{Collation, Value};

use super::join::{JoinReader, plan_query};
use super::reread::CollectedRows;
use super::select::sort_order;
use super::subquery::Subqueries;
use super::{Context, Facts, ReadLock, StepResult, Writer, finished, row};
use crate::sql::bind::{BoundUpdate, text_collation};
use crate::sql::error::{SqlError, engine_error};
use crate::sql::expr::Expression;
use crate::sql::plan::Purpose;
use crate::sql::session::StatementResult;

/// An UPDATE under way.
#[derive(Clone, Debug)]
pub(crate) struct UpdateStatement {
    bound: Arc<BoundUpdate>,
    subqueries: Subqueries,
    reader: Option<JoinReader>,
    /// Rows found before the first was changed.
    collected: CollectedRows,
    /// All of them are found.
    complete: bool,
    change: Option<Update>,
    /// The row under change stays as it is: it is written, and not counted.
    unchanged: bool,
    found: u64,
    changed: u64,
    warnings: Vec<String>,
}

/// A row that was found and locked.
#[derive(Clone, Debug)]
pub(super) struct Collected {
    pub(super) reference: RowReference,
    pub(super) values: Vec<Value>,
    pub(super) keys: Vec<Value>,
}

/// Sorts collected rows for ORDER BY.
pub(super) fn sort_collected(
    collected: VecDeque<Collected>,
    order: &[(Expression, bool)],
    collation: impl Fn(&Expression) -> Collation,
) -> VecDeque<Collected> {
    let mut rows: Vec<Collected> = collected.into();
    rows.sort_by(|left, right| {
        let keys = left.keys.iter().zip(&right.keys).zip(order);
        keys.map(|((left, right), (expression, descending))| {
            let order = sort_order(left, right, collation(expression));
            if *descending { order.reverse() } else { order }
        })
        .find(|order| order.is_ne())
        .unwrap_or(std::cmp::Ordering::Equal)
    });
    rows.into()
}

impl UpdateStatement {
    /// A statement that has not begun.
    pub(super) fn new(bound: BoundUpdate, facts: &Facts) -> UpdateStatement {
        UpdateStatement {
            subqueries: Subqueries::new(
                &bound.query.subqueries,
                ReadLock::of_source(facts, Writer::Relaxed),
            ),
            bound: Arc::new(bound),
            reader: None,
            collected: CollectedRows::default(),
            complete: false,
            change: None,
            unchanged: false,
            found: 0,
            changed: 0,
            warnings: Vec::new(),
        }
    }

    /// Goes on by one step.
    ///
    /// # Errors
    /// Those of reading and changing rows.
    pub(super) fn step(&mut self, context: &mut Context<'_>) -> StepResult<StatementResult> {
        if self.change.is_some() {
            return self.go_on_changing(context);
        }
        finished!(self.subqueries.step(context));
        if self.reader.is_none() {
            self.reader = Some(self.open(context)?);
        }
        let Some(reader) = &mut self.reader else {
            return Ok(Step::Progress);
        };
        let table = reader.table(0)?;
        if self.complete {
            let Some(row) = finished!(self.collected.next(&table, context)) else {
                return Ok(Step::Done(self.result()));
            };
            self.begin_change(&table, row.reference, row.values, context)?;
            return Ok(Step::Progress);
        }
        let limit = self.bound.query.limit.map(|limit| limit.rows);
        let (collects, sorts) = (reader.plan.collect, reader.plan.filesort);
        let full = !sorts && limit.is_some_and(|limit| self.found >= limit);
        if full || !finished!(reader.step(context, &self.subqueries.results)) {
            self.complete_collection(sorts, limit);
            return Ok(Step::Progress);
        }
        self.found += 1;
        let values = reader.rows[0].clone();
        let Some(reference) = reader.references[0].clone() else {
            return Ok(Step::Progress);
        };
        if !collects {
            self.begin_change(&table, reference, values, context)?;
            return Ok(Step::Progress);
        }
        let environment = context.environment(&reader.rows, &self.subqueries.results);
        let keys: Result<Vec<Value>, SqlError> = self
            .bound
            .query
            .order
            .iter()
            .map(|(expression, _)| expression.evaluate(&environment))
            .collect();
        self.collected.push(Collected {
            reference,
            values,
            keys: keys?,
        });
        Ok(Step::Progress)
    }

    fn open(&self, context: &Context<'_>) -> Result<JoinReader, SqlError> {
        let query = &self.bound.query;
        let set = self
            .bound
            .set
            .iter()
            .map(|(place, _)| place.column)
            .collect();
        let results = &self.subqueries.results;
        let plan = plan_query(query, Purpose::Update(set), context, results)?;
        let reader = JoinReader::new(query, plan, vec![ReadLock::EXCLUSIVE], context)?;
        Ok(reader.semi_consistent())
    }

    fn complete_collection(&mut self, sorts: bool, limit: Option<u64>) {
        self.complete = true;
        if sorts {
            let query = &self.bound.query;
            let collation = |expression: &Expression| match expression {
                Expression::Column(place) => text_collation(query.scope.column_type(*place)),
                _ => None,
            };
            let rows = limit.and_then(|limit| usize::try_from(limit).ok());
            self.collected.rearrange(|collected| {
                let mut sorted = sort_collected(collected, &query.order, |expression| {
                    collation(expression).unwrap_or(Collation::Utf8Mb4NoPad)
                });
                sorted.truncate(rows.unwrap_or(usize::MAX));
                sorted
            });
        }
    }

    /// Whether a row is written without being compared: it sets a column that it has not read.
    fn writes_blindly(&self, context: &Context<'_>) -> bool {
        let BoundUpdate { query, set, .. } = &*self.bound;
        let values = set.iter().filter_map(|(_, value)| value.as_ref());
        let order = query.order.iter().map(|(expression, _)| expression);
        let reads: Vec<_> = query
            .conditions
            .iter()
            .chain(values)
            .chain(order)
            .flat_map(Expression::columns)
            .collect();
        context.engine.profile().update_writes_unread_columns
            && set.iter().any(|(place, _)| !reads.contains(place))
    }

    /// Computes the new row; one that stays as it is is not touched, where that is known.
    fn begin_change(
        &mut self,
        table: &Arc<Table>,
        reference: RowReference,
        values: Vec<Value>,
        context: &Context<'_>,
    ) -> Result<(), SqlError> {
        let rows = [values];
        let environment = context.environment(&rows, &self.subqueries.results);
        let set = self
            .bound
            .set
            .iter()
            .map(|(place, value)| (place.column, value.as_ref()));
        let new = row::assign(table, 0, set, &environment, self.found)?;
        let [old] = rows;
        self.unchanged = new == old;
        if !self.unchanged || self.writes_blindly(context) {
            let table = Arc::clone(table);
            let mode = DuplicateMode::Error;
            self.change = Some(Update::new(table, reference, old, new, mode));
        }
        Ok(())
    }

    fn go_on_changing(&mut self, context: &mut Context<'_>) -> StepResult<StatementResult> {
        let Some(change) = &mut self.change else {
            return Ok(Step::Progress);
        };
        let outcome = match change.step(context.engine, context.trx) {
            Ok(Step::Done(outcome)) => outcome,
            Ok(Step::Progress) => return Ok(Step::Progress),
            Ok(Step::Wait) => return Ok(Step::Wait),
            Err(error @ (Error::NoParent { .. } | Error::ChildExists { .. }))
                if self.bound.ignore =>
            {
                self.warnings.push(error.to_string());
                self.change = None;
                return Ok(Step::Progress);
            }
            Err(error) => return Err(error.into()),
        };
        self.change = None;
        match outcome {
            UpdateOutcome::Updated => self.changed += u64::from(!self.unchanged),
            UpdateOutcome::Duplicate(duplicate) => {
                let error = Error::Duplicate(duplicate);
                if !self.bound.ignore {
                    return Err(engine_error(error));
                }
                self.warnings.push(error.to_string());
            }
        }
        Ok(Step::Progress)
    }

    fn result(&mut self) -> StatementResult {
        StatementResult {
            affected: self.changed,
            warnings: std::mem::take(&mut self.warnings),
            ..StatementResult::default()
        }
    }
}
