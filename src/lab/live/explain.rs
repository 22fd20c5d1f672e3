//! The server's plans of a case's statements: taken after the set-up, as recordings have them, and
//! again just before each statement, since rows have come and gone by then.
//!
//! Explaining must not wait for anybody: it is done without the locking clause, which does not
//! change the plan.

use std::collections::BTreeMap;

use mysql::Row;
use mysql::prelude::Queryable;
use serde_json::Value as Json;

use super::super::conform::case::Case;
use super::super::conform::trace::PlanRow;
use super::error::LiveError;
use super::server::LiveServer;

/// The statements whose plan is asked for.
const EXPLAINED: [&str; 3] = ["SELECT", "UPDATE", "DELETE"];

/// Asks for the plan of every statement that reads.
pub(super) fn plans(
    server: &mut LiveServer,
    case: &Case,
) -> Result<BTreeMap<String, Vec<PlanRow>>, LiveError> {
    let mut plans = BTreeMap::new();
    for step in &case.steps {
        let word = step.sql.split_whitespace().next().unwrap_or_default();
        let explained = EXPLAINED
            .iter()
            .any(|known| word.eq_ignore_ascii_case(known));
        if explained && !plans.contains_key(&step.sql) {
            plans.insert(step.sql.clone(), plan(server, &step.sql)?);
        }
    }
    Ok(plans)
}

/// The plan of a statement as things stand; empty for one that has none.
pub(super) fn plan_now(server: &mut LiveServer, sql: &str) -> Result<Vec<PlanRow>, LiveError> {
    let source = source_of(sql);
    if !explained(source) {
        return Ok(Vec::new());
    }
    let plan = plan(server, source)?;
    // It is an addition: one that the server cannot give is left out.
    Ok(if plan.iter().any(|row| row.error.is_some()) {
        Vec::new()
    } else {
        plan
    })
}

fn explained(sql: &str) -> bool {
    let word = sql.split_whitespace().next().unwrap_or_default();
    EXPLAINED
        .iter()
        .any(|known| word.eq_ignore_ascii_case(known))
}

/// What `INSERT .. SELECT` and `REPLACE .. SELECT` read; any other statement as it is.
fn source_of(sql: &str) -> &str {
    let writes = ["INSERT ", "REPLACE "]
        .iter()
        .any(|verb| sql.starts_with(verb));
    let at = sql.find(" SELECT ").filter(|_| writes);
    at.map_or(sql, |at| &sql[at + 1..])
}

fn without_locks(sql: &str) -> &str {
    let clauses = [" FOR UPDATE", " LOCK IN SHARE MODE", " FOR SHARE"];
    let at = clauses.iter().filter_map(|clause| sql.rfind(clause)).min();
    at.map_or(sql, |at| &sql[..at])
}

fn plan(server: &mut LiveServer, sql: &str) -> Result<Vec<PlanRow>, LiveError> {
    let asked = format!("EXPLAIN {}", without_locks(sql));
    let rows: Result<Vec<Row>, mysql::Error> = server.admin.query(&asked);
    match rows {
        Ok(rows) => Ok(rows.iter().map(plan_row).collect()),
        Err(mysql::Error::MySqlError(error)) => Ok(vec![PlanRow {
            error: Some(Json::from(error.code)),
            ..PlanRow::default()
        }]),
        Err(other) => Err(LiveError::of(&asked, &other)),
    }
}

fn plan_row(row: &Row) -> PlanRow {
    let text = |column: &str| row.get::<Option<String>, _>(column).flatten();
    PlanRow {
        table: text("table"),
        access: text("type"),
        key: text("key"),
        key_len: text("key_len"),
        reference: text("ref"),
        extra: text("Extra"),
        error: None,
    }
}
