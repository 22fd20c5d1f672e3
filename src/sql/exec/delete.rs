//! DELETE from one table.

use std::sync::Arc;

use gaplock_engine::error::Error;
use gaplock_engine::row::{Delete, Step};
use gaplock_engine::types::{Collation, Value};

use super::join::{JoinReader, plan_query};
use super::reread::CollectedRows;
use super::subquery::Subqueries;
use super::update::{Collected, sort_collected};
use super::{Context, Facts, ReadLock, StepResult, Writer, finished};
use crate::sql::bind::{BoundDelete, text_collation};
use crate::sql::error::SqlError;
use crate::sql::expr::Expression;
use crate::sql::plan::Purpose;
use crate::sql::session::StatementResult;

/// A DELETE under way.
#[derive(Clone, Debug)]
pub(crate) struct DeleteStatement {
    bound: Arc<BoundDelete>,
    subqueries: Subqueries,
    reader: Option<JoinReader>,
    /// Rows found, where they have to be sorted first.
    collected: CollectedRows,
    complete: bool,
    deletion: Option<Delete>,
    deleted: u64,
    warnings: Vec<String>,
}

impl DeleteStatement {
    /// A statement that has not begun.
    pub(super) fn new(bound: BoundDelete, facts: &Facts) -> DeleteStatement {
        DeleteStatement {
            subqueries: Subqueries::new(
                &bound.query.subqueries,
                ReadLock::of_source(facts, Writer::Strict),
            ),
            bound: Arc::new(bound),
            reader: None,
            collected: CollectedRows::default(),
            complete: false,
            deletion: None,
            deleted: 0,
            warnings: Vec::new(),
        }
    }

    /// Goes on by one step.
    ///
    /// # Errors
    /// Those of reading and deleting rows.
    pub(super) fn step(&mut self, context: &mut Context<'_>) -> StepResult<StatementResult> {
        if let Some(deletion) = &mut self.deletion {
            match deletion.step(context.engine, context.trx) {
                Ok(step) => {
                    finished!(Ok::<_, SqlError>(step));
                    self.deleted += 1;
                }
                Err(error @ Error::ChildExists { .. }) if self.bound.ignore => {
                    self.warnings.push(error.to_string());
                }
                Err(error) => return Err(error.into()),
            }
            self.deletion = None;
            return Ok(Step::Progress);
        }
        finished!(self.subqueries.step(context));
        if self.reader.is_none() {
            let query = &self.bound.query;
            let results = &self.subqueries.results;
            let plan = plan_query(query, Purpose::Delete, context, results)?;
            let locks = vec![ReadLock::EXCLUSIVE];
            self.reader = Some(JoinReader::new(query, plan, locks, context)?);
        }
        let Some(reader) = &mut self.reader else {
            return Ok(Step::Progress);
        };
        let table = reader.table(0)?;
        let limit = self.bound.query.limit.map(|limit| limit.rows);
        if limit.is_some_and(|limit| self.deleted >= limit) {
            return Ok(Step::Done(self.result()));
        }
        if self.complete {
            let Some(row) = finished!(self.collected.next(&table, context)) else {
                return Ok(Step::Done(self.result()));
            };
            self.deletion = Some(Delete::new(table, row.reference, row.values));
            return Ok(Step::Progress);
        }
        if !finished!(reader.step(context, &self.subqueries.results)) {
            self.sort();
            return Ok(Step::Progress);
        }
        let values = reader.rows[0].clone();
        let Some(reference) = reader.references[0].clone() else {
            return Ok(Step::Progress);
        };
        if !reader.plan.collect {
            self.deletion = Some(Delete::new(table, reference, values));
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

    fn sort(&mut self) {
        self.complete = true;
        let query = &self.bound.query;
        let collation = |expression: &Expression| match expression {
            Expression::Column(place) => text_collation(query.scope.column_type(*place)),
            _ => None,
        };
        self.collected.rearrange(|collected| {
            sort_collected(collected, &query.order, |expression| {
                collation(expression).unwrap_or(Collation::Utf8Mb4NoPad)
            })
        });
    }

    fn result(&mut self) -> StatementResult {
        StatementResult {
            affected: self.deleted,
            warnings: std::mem::take(&mut self.warnings),
            ..StatementResult::default()
        }
    }
}
