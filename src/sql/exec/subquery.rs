//! Subqueries: each is run once, before the statement that contains it is planned.

use std::sync::Arc;

use gaplock_engine::row::Step;

use super::select::SelectRun;
use super::{Context, ReadLock, StepResult, finished};
use crate::sql::ast::Select;
use crate::sql::bind;
use crate::sql::catalog::EngineCatalog;
use crate::sql::error::{ErrorKind, SqlError};
use crate::sql::expr::SubqueryResult;

/// A statement's subqueries under way, and what they gave.
#[derive(Clone, Debug)]
pub(super) struct Subqueries {
    lock: ReadLock,
    pending: Vec<Select>,
    current: Option<Box<SelectRun>>,
    values: SubqueryResult,
    /// Results, by the subquery's number.
    pub(super) results: Vec<SubqueryResult>,
}

impl Subqueries {
    /// Subqueries that have not begun.
    pub(super) fn new(pending: &[Select], lock: ReadLock) -> Subqueries {
        Subqueries {
            lock,
            pending: pending.to_vec(),
            current: None,
            values: SubqueryResult::default(),
            results: Vec::new(),
        }
    }

    /// Goes on until all have run.
    ///
    /// # Errors
    /// Those of the subqueries; a name that only the outer statement knows.
    pub(super) fn step(&mut self, context: &mut Context<'_>) -> StepResult<()> {
        let number = self.results.len();
        let Some(select) = self.pending.get(number) else {
            return Ok(Step::Done(()));
        };
        let run = match &mut self.current {
            Some(run) => run,
            none => none.insert(Box::new(begin(select, self.lock, context)?)),
        };
        match finished!(run.next(context)) {
            Some(mut row) => {
                self.values.values.extend(row.pop());
            }
            None => {
                self.current = None;
                self.results.push(std::mem::take(&mut self.values));
            }
        }
        Ok(Step::Progress)
    }
}

fn begin(select: &Select, lock: ReadLock, context: &Context<'_>) -> Result<SelectRun, SqlError> {
    let bound = bind::select(select, &EngineCatalog(context.engine)).map_err(|mut error| {
        if matches!(error.kind, ErrorKind::UnknownColumn { .. }) {
            error.advice = Some(
                "a subquery here cannot name columns of the statement around it; use a join"
                    .to_owned(),
            );
        }
        error
    })?;
    if bound.items.len() != 1 {
        return Err(ErrorKind::OperandColumns(1).into());
    }
    let lock = match select.locking {
        Some(_) => ReadLock::of_select(select.locking, context.facts),
        None => lock,
    };
    Ok(SelectRun::new(Arc::new(bound), lock, lock))
}
