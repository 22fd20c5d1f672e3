//! SELECT: rows of the join, projected, aggregated, sorted, limited.

use std::cmp::Ordering;
use std::collections::VecDeque;
use std::sync::Arc;

use gaplock_engine::row::Step;
use gaplock_engine::types::{Collation, Value};

use super::join::{JoinReader, plan_query};
use super::subquery::Subqueries;
use super::{Context, ReadLock, StepResult, finished};
use crate::sql::ast::BinaryOperator;
use crate::sql::bind::{Aggregate, AggregateFunction, BoundSelect, text_collation};
use crate::sql::error::SqlError;
use crate::sql::expr::{Environment, Expression, compare};
use crate::sql::plan::Purpose;
use crate::sql::session::StatementResult;

/// A SELECT that gives its rows one by one, as INSERT .. SELECT and subqueries take them.
#[derive(Clone, Debug)]
pub(super) struct SelectRun {
    bound: Arc<BoundSelect>,
    lock: ReadLock,
    subqueries: Subqueries,
    reader: Option<JoinReader>,
    aggregates: Vec<Accumulator>,
    /// Rows that wait for the end: sort keys and values.
    sorted: Vec<(Vec<Value>, Vec<Value>)>,
    /// Rows ready to be given, once all have been read.
    ready: Option<VecDeque<Vec<Value>>>,
    /// For DISTINCT: what was given.
    given: Vec<Vec<Value>>,
    skipped: u64,
    taken: u64,
}

/// A running aggregate.
#[derive(Clone, Debug, Default)]
struct Accumulator {
    count: i128,
    value: Option<Value>,
}

impl SelectRun {
    /// A SELECT that has not begun.
    pub(super) fn new(
        bound: Arc<BoundSelect>,
        lock: ReadLock,
        subquery_lock: ReadLock,
    ) -> SelectRun {
        SelectRun {
            subqueries: Subqueries::new(&bound.query.subqueries, subquery_lock),
            aggregates: vec![Accumulator::default(); bound.aggregates.len()],
            lock,
            reader: None,
            sorted: Vec::new(),
            ready: None,
            given: Vec::new(),
            skipped: 0,
            taken: 0,
            bound,
        }
    }

    /// Goes on by one step; a row, or nothing at the end.
    ///
    /// # Errors
    /// Those of reading and evaluating.
    pub(super) fn next(&mut self, context: &mut Context<'_>) -> StepResult<Option<Vec<Value>>> {
        if self.is_full() {
            return Ok(Step::Done(None));
        }
        if let Some(ready) = &mut self.ready {
            let row = ready.pop_front();
            return Ok(match row {
                Some(row) => self.limited(row),
                None => Step::Done(None),
            });
        }
        finished!(self.subqueries.step(context));
        if self.reader.is_none() {
            self.reader = Some(self.open(context)?);
        }
        let Some(reader) = &mut self.reader else {
            return Ok(Step::Done(None));
        };
        let found = finished!(reader.step(context, &self.subqueries.results));
        let sorts = reader.plan.filesort;
        if !found {
            self.finish(context)?;
            return Ok(Step::Progress);
        }
        let bound = Arc::clone(&self.bound);
        let environment = context.environment(&reader.rows, &self.subqueries.results);
        if !bound.aggregates.is_empty() {
            for (state, aggregate) in self.aggregates.iter_mut().zip(&bound.aggregates) {
                state.add(aggregate, &environment)?;
            }
            return Ok(Step::Progress);
        }
        let row = project(&bound.items, &environment)?;
        if sorts {
            let keys: Result<Vec<Value>, SqlError> = bound
                .query
                .order
                .iter()
                .map(|(expression, _)| expression.evaluate(&environment))
                .collect();
            self.sorted.push((keys?, row));
            return Ok(Step::Progress);
        }
        Ok(self.limited(row))
    }

    fn open(&self, context: &Context<'_>) -> Result<JoinReader, SqlError> {
        let query = &self.bound.query;
        let plan = plan_query(query, Purpose::Read, context, &self.subqueries.results)?;
        JoinReader::new(query, plan, vec![self.lock; query.tables.len()], context)
    }

    /// Whether LIMIT is reached: nothing more is read then.
    fn is_full(&self) -> bool {
        self.bound
            .query
            .limit
            .is_some_and(|limit| self.taken >= limit.rows)
    }

    /// The row, unless DISTINCT or OFFSET pass over it.
    fn limited(&mut self, row: Vec<Value>) -> Step<Option<Vec<Value>>> {
        if self.bound.distinct {
            if self.given.contains(&row) {
                return Step::Progress;
            }
            self.given.push(row.clone());
        }
        let offset = self.bound.query.limit.map_or(0, |limit| limit.offset);
        if self.skipped < offset {
            self.skipped += 1;
            return Step::Progress;
        }
        self.taken += 1;
        Step::Done(Some(row))
    }

    /// All rows are read: sorts them, or closes the aggregates.
    fn finish(&mut self, context: &Context<'_>) -> Result<(), SqlError> {
        if !self.bound.aggregates.is_empty() {
            let results: Vec<Value> = self
                .aggregates
                .iter()
                .zip(&self.bound.aggregates)
                .map(|(state, aggregate)| state.result(aggregate.function))
                .collect();
            let mut environment = context.environment(&[], &self.subqueries.results);
            environment.aggregates = &results;
            let row = project(&self.bound.items, &environment)?;
            self.ready = Some(VecDeque::from([row]));
            return Ok(());
        }
        let mut rows = std::mem::take(&mut self.sorted);
        sort(&mut rows, &self.bound);
        self.ready = Some(rows.into_iter().map(|(_, row)| row).collect());
        Ok(())
    }
}

fn project(items: &[Expression], environment: &Environment<'_>) -> Result<Vec<Value>, SqlError> {
    items
        .iter()
        .map(|item| item.evaluate(environment))
        .collect()
}

fn sort(rows: &mut [(Vec<Value>, Vec<Value>)], bound: &BoundSelect) {
    let collations: Vec<Collation> = bound
        .query
        .order
        .iter()
        .map(|(expression, _)| match expression {
            Expression::Column(place) => {
                text_collation(bound.query.scope.column_type(*place)).unwrap_or(Collation::Binary)
            }
            _ => Collation::Utf8Mb4NoPad,
        })
        .collect();
    rows.sort_by(|(left, _), (right, _)| {
        let keys = left.iter().zip(right).zip(&collations);
        keys.zip(&bound.query.order)
            .map(|(((left, right), collation), (_, descending))| {
                let order = sort_order(left, right, *collation);
                if *descending { order.reverse() } else { order }
            })
            .find(|order| order.is_ne())
            .unwrap_or(Ordering::Equal)
    });
}

/// The order of ORDER BY: NULL first.
pub(super) fn sort_order(left: &Value, right: &Value, collation: Collation) -> Ordering {
    match (left.is_null(), right.is_null()) {
        (true, true) => Ordering::Equal,
        (true, false) => Ordering::Less,
        (false, true) => Ordering::Greater,
        (false, false) => compare(left, right, collation).unwrap_or(Ordering::Equal),
    }
}

impl Accumulator {
    fn add(
        &mut self,
        aggregate: &Aggregate,
        environment: &Environment<'_>,
    ) -> Result<(), SqlError> {
        let Some(argument) = &aggregate.argument else {
            self.count += 1;
            return Ok(());
        };
        let value = argument.evaluate(environment)?;
        if value.is_null() {
            return Ok(());
        }
        self.count += 1;
        let Some(before) = self.value.take() else {
            self.value = Some(value);
            return Ok(());
        };
        let collation = Collation::Utf8Mb4NoPad;
        self.value = Some(match aggregate.function {
            AggregateFunction::Count => before,
            AggregateFunction::Min
                if compare(&value, &before, collation) == Some(Ordering::Less) =>
            {
                value
            }
            AggregateFunction::Max
                if compare(&value, &before, collation) == Some(Ordering::Greater) =>
            {
                value
            }
            AggregateFunction::Min | AggregateFunction::Max => before,
            AggregateFunction::Sum | AggregateFunction::Average => {
                binary(BinaryOperator::Add, before, value)?
            }
        });
        Ok(())
    }

    fn result(&self, function: AggregateFunction) -> Value {
        match function {
            AggregateFunction::Count => Value::Int(self.count),
            AggregateFunction::Average => self
                .value
                .clone()
                .and_then(|sum| binary(BinaryOperator::Divide, sum, Value::Int(self.count)).ok())
                .unwrap_or(Value::Null),
            _ => self.value.clone().unwrap_or(Value::Null),
        }
    }
}

fn binary(operator: BinaryOperator, left: Value, right: Value) -> Result<Value, SqlError> {
    Expression::Arithmetic {
        operator,
        left: Box::new(Expression::Constant(left)),
        right: Box::new(Expression::Constant(right)),
    }
    .evaluate(&Environment::empty())
}

/// A SELECT whose rows are the statement's result.
#[derive(Clone, Debug)]
pub(crate) struct SelectStatement {
    run: SelectRun,
    rows: Vec<Vec<Value>>,
}

impl SelectStatement {
    /// A statement that has not begun.
    pub(super) fn new(run: SelectRun) -> SelectStatement {
        SelectStatement {
            run,
            rows: Vec::new(),
        }
    }

    /// Goes on by one step.
    ///
    /// # Errors
    /// Those of the SELECT.
    pub(super) fn step(&mut self, context: &mut Context<'_>) -> StepResult<StatementResult> {
        if let Some(row) = finished!(self.run.next(context)) {
            self.rows.push(row);
            return Ok(Step::Progress);
        }
        Ok(Step::Done(StatementResult {
            rows: std::mem::take(&mut self.rows),
            columns: self.run.bound.headings.clone(),
            ordered: !self.run.bound.query.order.is_empty(),
            ..StatementResult::default()
        }))
    }
}
