//! The rows of a query, by nested loops over its tables.

use std::sync::Arc;

use gaplock_engine::row::Step;
use gaplock_engine::table::{RowReference, Table};
use gaplock_engine::types::Value;

use super::reader::{Opening, Pushed, TableReader};
use super::{Context, ReadLock, StepResult, finished, virtual_tables};
use crate::sql::bind::Query;
use crate::sql::catalog::EngineCatalog;
use crate::sql::error::{ErrorKind, SqlError};
use crate::sql::expr::{Environment, SubqueryResult};
use crate::sql::plan::{AccessPath, Plan, Purpose, Request, RequestTable, TablePlan, plan};

/// Where a table's rows come from.
#[derive(Clone, Debug)]
enum Source {
    Engine(Arc<Table>),
    /// A table that shows the engine's state.
    Virtual(Arc<Vec<Vec<Value>>>),
}

/// One level of the nested loop.
#[derive(Clone, Debug)]
enum Level {
    Closed,
    Reading(Box<TableReader>),
    Virtual(usize),
}

/// The rows of a query under way.
#[derive(Clone, Debug)]
pub(super) struct JoinReader {
    pub(super) plan: Arc<Plan>,
    sources: Vec<Source>,
    locks: Vec<ReadLock>,
    semi_consistent: bool,
    levels: Vec<Level>,
    depth: usize,
    /// The current row of each table, by its place in FROM.
    pub(super) rows: Vec<Vec<Value>>,
    /// Its clustered key.
    pub(super) references: Vec<Option<RowReference>>,
    /// The one row of a query without tables is still to come.
    tableless: bool,
    ended: bool,
}

/// Plans a query.
///
/// # Errors
/// Hints that name no index, constants that cannot be evaluated.
pub(super) fn plan_query(
    query: &Query,
    purpose: Purpose,
    context: &Context<'_>,
    subqueries: &[SubqueryResult],
) -> Result<Plan, SqlError> {
    let catalog = EngineCatalog(context.engine);
    let request = request(query, purpose, context, subqueries, &catalog);
    plan(&request)
}

/// The planner's question about a query.
pub(super) fn request<'a>(
    query: &'a Query,
    purpose: Purpose,
    context: &'a Context<'_>,
    subqueries: &'a [SubqueryResult],
    catalog: &'a EngineCatalog<'a>,
) -> Request<'a> {
    Request {
        tables: query
            .tables
            .iter()
            .zip(&query.scope.tables)
            .map(|(table, named)| RequestTable {
                name: &named.name,
                shape: &table.shape,
                hints: &table.hints,
                needed: table.needed.clone(),
            })
            .collect(),
        conditions: query.conditions.clone(),
        order: query.order.clone(),
        limit: query
            .limit
            .map(|limit| limit.rows.saturating_add(limit.offset)),
        purpose,
        constants: context.environment(&[], subqueries),
        statistics: catalog,
        profile: context.engine.profile(),
        forced: &context.facts.forced,
    }
}

impl JoinReader {
    /// A reader at the beginning; `locks` by place in FROM.
    ///
    /// # Errors
    /// When a table has gone.
    pub(super) fn new(
        query: &Query,
        plan: Plan,
        locks: Vec<ReadLock>,
        context: &Context<'_>,
    ) -> Result<JoinReader, SqlError> {
        let sources: Result<Vec<Source>, SqlError> = query
            .tables
            .iter()
            .map(|table| match &table.schema {
                Some(schema) => Ok(Source::Virtual(Arc::new(virtual_tables::rows(
                    context.engine,
                    schema,
                    &table.shape.name,
                )))),
                None => context
                    .engine
                    .table(&table.shape.name)
                    .map(Source::Engine)
                    .ok_or_else(|| ErrorKind::NoSuchTable(table.shape.name.clone()).into()),
            })
            .collect();
        Ok(JoinReader {
            levels: vec![Level::Closed; plan.tables.len()],
            depth: 0,
            rows: query
                .tables
                .iter()
                .map(|table| vec![Value::Null; table.shape.columns.len()])
                .collect(),
            references: vec![None; query.tables.len()],
            tableless: plan.tables.is_empty() && !plan.impossible,
            ended: plan.tables.is_empty(),
            plan: Arc::new(plan),
            sources: sources?,
            locks,
            semi_consistent: false,
        })
    }

    /// With semi-consistent reads, as UPDATE has them.
    pub(super) fn semi_consistent(mut self) -> JoinReader {
        self.semi_consistent = true;
        self
    }

    /// Goes on by one step of one table; true: a row of the query stands in `rows`.
    ///
    /// # Errors
    /// Those of scans and conditions.
    pub(super) fn step(
        &mut self,
        context: &mut Context<'_>,
        subqueries: &[SubqueryResult],
    ) -> StepResult<bool> {
        if std::mem::take(&mut self.tableless) {
            return Ok(Step::Done(true));
        }
        if self.ended {
            return Ok(Step::Done(false));
        }
        let mut level = std::mem::replace(&mut self.levels[self.depth], Level::Closed);
        let result = self.step_level(&mut level, context, subqueries);
        let found = match result {
            Ok(Step::Done(found)) => found,
            other => {
                self.levels[self.depth] = level;
                return other;
            }
        };
        if !found {
            if self.depth == 0 {
                self.ended = true;
                return Ok(Step::Done(false));
            }
            self.depth -= 1;
            return Ok(Step::Progress);
        }
        self.levels[self.depth] = level;
        if self.depth + 1 == self.levels.len() {
            return Ok(Step::Done(true));
        }
        self.depth += 1;
        Ok(Step::Progress)
    }

    /// One step of the table at the present depth; true: it has a row that passes.
    fn step_level(
        &mut self,
        level: &mut Level,
        context: &mut Context<'_>,
        subqueries: &[SubqueryResult],
    ) -> StepResult<bool> {
        let plan = Arc::clone(&self.plan);
        let plan = &plan.tables[self.depth];
        if matches!(level, Level::Closed) {
            *level = self.open(plan, context, subqueries)?;
        }
        match level {
            Level::Reading(reader) => {
                let environment = context.environment(&self.rows, subqueries);
                let filter = Pushed {
                    condition: plan.pushed.as_ref(),
                    environment,
                    table: plan.table,
                };
                let Some(row) = finished!(reader.step(context, &filter)) else {
                    return Ok(Step::Done(false));
                };
                self.rows[plan.table] = row.values;
                self.references[plan.table] = Some(row.reference);
                let environment = context.environment(&self.rows, subqueries);
                if passes(plan, &environment)? {
                    if row.semi_consistent {
                        reader.reread();
                        return Ok(Step::Progress);
                    }
                    return Ok(Step::Done(true));
                }
                // A const table's row is kept: the server reads it while it still plans.
                if !matches!(plan.path, AccessPath::Const(_)) {
                    reader.reject(context)?;
                }
                Ok(Step::Progress)
            }
            Level::Virtual(next) => {
                let Source::Virtual(rows) = &self.sources[plan.table] else {
                    return Ok(Step::Done(false));
                };
                let Some(row) = rows.get(*next) else {
                    return Ok(Step::Done(false));
                };
                *next += 1;
                self.rows[plan.table].clone_from(row);
                let environment = context.environment(&self.rows, subqueries);
                if passes(plan, &environment)? {
                    Ok(Step::Done(true))
                } else {
                    Ok(Step::Progress)
                }
            }
            Level::Closed => Ok(Step::Done(false)),
        }
    }

    fn open(
        &self,
        plan: &TablePlan,
        context: &Context<'_>,
        subqueries: &[SubqueryResult],
    ) -> Result<Level, SqlError> {
        let Source::Engine(table) = &self.sources[plan.table] else {
            return Ok(Level::Virtual(0));
        };
        let opening = Opening {
            table,
            plan,
            lock: self.locks[plan.table],
            semi_consistent: self.semi_consistent && !context.facts.isolation.locks_gaps(),
        };
        let environment = context.environment(&self.rows, subqueries);
        let reader = TableReader::open(&opening, &environment)?;
        Ok(Level::Reading(Box::new(reader)))
    }

    /// The engine's table at a place in FROM.
    pub(super) fn table(&self, place: usize) -> Result<Arc<Table>, SqlError> {
        match &self.sources[place] {
            Source::Engine(table) => Ok(Arc::clone(table)),
            Source::Virtual(_) => Err(SqlError::unsupported(
                "changing a table that shows the engine's state",
                None,
                "read it with SELECT",
            )),
        }
    }
}

fn passes(plan: &TablePlan, environment: &Environment<'_>) -> Result<bool, SqlError> {
    match &plan.filter {
        Some(filter) => Ok(filter.holds(environment)? == Some(true)),
        None => Ok(true),
    }
}
