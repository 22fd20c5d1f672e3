//! EXPLAIN: the plan of a statement, without running it.

use gaplock_engine::db::Engine;
use gaplock_engine::trx::Trx;

use super::join::request;
use super::{Context, Facts};
use crate::sql::ast::{InsertSource, Statement};
use crate::sql::bind::{self, Query};
use crate::sql::catalog::EngineCatalog;
use crate::sql::error::SqlError;
use crate::sql::plan::{EXPLAIN_COLUMNS, Purpose, explain, plan};
use crate::sql::session::StatementResult;

/// Plans a statement and shows how.
///
/// # Errors
/// Names that are not found; subqueries, which would have to run first.
pub(super) fn explain_statement(
    statement: &Statement,
    engine: &Engine,
    facts: &Facts,
) -> Result<StatementResult, SqlError> {
    let catalog = EngineCatalog(engine);
    let (query, purpose) = match statement {
        Statement::Select(select) => (bind::select(select, &catalog)?.query, Purpose::Read),
        Statement::Update(update) => {
            let bound = bind::update(update, &catalog)?;
            let set = bound.set.iter().map(|(place, _)| place.column).collect();
            let single = bound.query.tables.len() == 1;
            let purpose = if single {
                Purpose::Update(set)
            } else {
                Purpose::Read
            };
            (bound.query, purpose)
        }
        Statement::Delete(delete) => (bind::delete(delete, &catalog)?.query, Purpose::Delete),
        Statement::Insert(insert) => match &insert.source {
            InsertSource::Select(select) => (bind::select(select, &catalog)?.query, Purpose::Read),
            InsertSource::Values(_) => return Ok(answer(Vec::new())),
        },
        _ => return Ok(answer(Vec::new())),
    };
    if !query.subqueries.is_empty() {
        return Err(SqlError::unsupported(
            "EXPLAIN of a statement with subqueries",
            None,
            "explain the subquery and the rest by themselves",
        ));
    }
    Ok(answer(rows(&query, purpose, engine, facts)?))
}

fn rows(
    query: &Query,
    purpose: Purpose,
    engine: &Engine,
    facts: &Facts,
) -> Result<Vec<Vec<gaplock_engine::types::Value>>, SqlError> {
    let catalog = EngineCatalog(engine);
    let mut trx: Trx = engine.begin(facts.isolation);
    let context = Context {
        engine,
        trx: &mut trx,
        facts,
    };
    let request = request(query, purpose, &context, &[], &catalog);
    let plan = plan(&request)?;
    Ok(explain(&request, &plan))
}

fn answer(rows: Vec<Vec<gaplock_engine::types::Value>>) -> StatementResult {
    StatementResult {
        rows,
        columns: EXPLAIN_COLUMNS.map(str::to_owned).to_vec(),
        ordered: true,
        ..StatementResult::default()
    }
}
