//! Statements under way: plain-data state machines over the engine's row operations.
//!
//! One call of a statement's `step` makes one step of one row operation, so a statement can be left
//! and copied between any two of InnoDB's mini-transactions. Rows are read one at a time, the rest
//! of WHERE is tested on each, rows that do not match are given back (`Scan::reject`), and reading
//! stops the moment LIMIT is reached: the order of these calls is the server's, because it decides
//! which locks are taken and which are kept.

pub(crate) mod define;
mod delete;
mod explain;
mod insert;
mod join;
mod multi_update;
mod reader;
mod reread;
mod row;
mod select;
mod status;
mod subquery;
#[cfg(test)]
mod tests;
mod update;
pub(crate) mod virtual_tables;

use std::sync::Arc;

use gaplock_engine::db::Engine;
use gaplock_engine::row::{LockStrength, Step, WaitPolicy};
use gaplock_engine::trx::{Isolation, Trx};
use gaplock_engine::types::Value;

use super::ast::{InsertSource, Locking, Statement, WaitClause};
use super::bind;
use super::catalog::EngineCatalog;
use super::error::SqlError;
use super::expr::{Environment, SubqueryResult};
use super::plan::PlanHint;
use super::session::StatementResult;

/// What a statement knows of its session; fixed when it begins.
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    /// Its start, as dates count.
    pub(crate) now: i64,
    /// LAST_INSERT_ID().
    pub(crate) last_insert_id: i128,
    /// The transaction's level.
    pub(crate) isolation: Isolation,
    /// Whether it is part of a transaction that goes on after it.
    pub(crate) in_transaction: bool,
    /// Whether texts that are no numbers are errors (statements that write).
    pub(crate) strict: bool,
    /// A recorded plan to take.
    pub(crate) forced: Vec<PlanHint>,
}

/// What a step of a statement works with.
pub(crate) struct Context<'a> {
    pub(crate) engine: &'a Engine,
    pub(crate) trx: &'a mut Trx,
    pub(crate) facts: &'a Facts,
}

impl Context<'_> {
    /// An environment for the statement's expressions.
    pub(crate) fn environment<'e>(
        &self,
        rows: &'e [Vec<Value>],
        subqueries: &'e [SubqueryResult],
    ) -> Environment<'e> {
        Environment {
            rows,
            new_row: &[],
            subqueries,
            aggregates: &[],
            now: self.facts.now,
            last_insert_id: self.facts.last_insert_id,
            strict: self.facts.strict,
        }
    }
}

/// What a step came to, or why the statement fails.
pub(crate) type StepResult<T> = Result<Step<T>, SqlError>;

/// Gives the value of a finished step, or leaves the calling step with it.
macro_rules! finished {
    ($step:expr) => {
        match $step? {
            gaplock_engine::row::Step::Done(value) => value,
            gaplock_engine::row::Step::Progress => {
                return Ok(gaplock_engine::row::Step::Progress);
            }
            gaplock_engine::row::Step::Wait => return Ok(gaplock_engine::row::Step::Wait),
        }
    };
}
pub(crate) use finished;

/// How the rows of a query are locked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ReadLock {
    pub(crate) strength: LockStrength,
    pub(crate) wait: WaitPolicy,
}

impl ReadLock {
    /// A consistent read.
    pub(crate) const NONE: ReadLock = ReadLock {
        strength: LockStrength::None,
        wait: WaitPolicy::Wait,
    };

    /// For rows that are going to be changed.
    pub(crate) const EXCLUSIVE: ReadLock = ReadLock {
        strength: LockStrength::Exclusive,
        wait: WaitPolicy::Wait,
    };

    /// A SELECT's.
    fn of_select(locking: Option<Locking>, facts: &Facts) -> ReadLock {
        let serializable = facts.isolation == Isolation::Serializable && facts.in_transaction;
        match locking {
            None if serializable => ReadLock {
                strength: LockStrength::Shared,
                wait: WaitPolicy::Wait,
            },
            None => ReadLock::NONE,
            Some(locking) => ReadLock {
                strength: if locking.exclusive {
                    LockStrength::Exclusive
                } else {
                    LockStrength::Shared
                },
                wait: match locking.wait {
                    WaitClause::Wait => WaitPolicy::Wait,
                    WaitClause::NoWait => WaitPolicy::NoWait,
                    WaitClause::SkipLocked => WaitPolicy::SkipLocked,
                },
            },
        }
    }

    /// That of tables which a writing statement only reads: shared. INSERT .. SELECT, REPLACE ..
    /// SELECT and UPDATE of one table read without locks where gaps are not locked; other statements
    /// lock at every level.
    pub(crate) fn of_source(facts: &Facts, statement: Writer) -> ReadLock {
        let unlocked = statement == Writer::Relaxed && !facts.isolation.locks_gaps();
        ReadLock {
            strength: if unlocked {
                LockStrength::None
            } else {
                LockStrength::Shared
            },
            wait: WaitPolicy::Wait,
        }
    }
}

/// The kinds of writing statements that differ in how they lock what they only read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Writer {
    /// INSERT .. SELECT, REPLACE .. SELECT, UPDATE of one table.
    Relaxed,
    /// DELETE, INSERT of VALUES with subqueries, UPDATE of several tables.
    Strict,
}

/// A statement on rows under way.
#[derive(Clone, Debug)]
pub(crate) enum Execution {
    Select(Box<select::SelectStatement>),
    Insert(Box<insert::InsertStatement>),
    Update(Box<update::UpdateStatement>),
    MultiUpdate(Box<multi_update::MultiUpdateStatement>),
    Delete(Box<delete::DeleteStatement>),
    /// The answer is there already.
    Answer(Box<StatementResult>),
}

impl Execution {
    /// Binds a statement on rows.
    ///
    /// # Errors
    /// Names that are not found, and constructs that the profile does not know.
    pub(crate) fn new(
        statement: &Statement,
        engine: &Engine,
        facts: &Facts,
    ) -> Result<Execution, SqlError> {
        let catalog = EngineCatalog(engine);
        match statement {
            Statement::Select(select) => {
                check_locking(select.locking, engine)?;
                let bound = Arc::new(bind::select(select, &catalog)?);
                let lock = ReadLock::of_select(select.locking, facts);
                let run = select::SelectRun::new(bound, lock, ReadLock::NONE);
                Ok(Execution::Select(Box::new(select::SelectStatement::new(
                    run,
                ))))
            }
            Statement::Insert(insert) => {
                let bound = bind::insert(insert, &catalog)?;
                if let InsertSource::Select(select) = &insert.source {
                    check_locking(select.locking, engine)?;
                }
                let statement = insert::InsertStatement::new(bound, engine, facts)?;
                Ok(Execution::Insert(Box::new(statement)))
            }
            Statement::Update(update) => {
                let bound = bind::update(update, &catalog)?;
                if bound.query.tables.len() > 1 {
                    let statement = multi_update::MultiUpdateStatement::new(bound, facts);
                    return Ok(Execution::MultiUpdate(Box::new(statement)));
                }
                let statement = update::UpdateStatement::new(bound, facts);
                Ok(Execution::Update(Box::new(statement)))
            }
            Statement::Delete(delete) => {
                let bound = bind::delete(delete, &catalog)?;
                let statement = delete::DeleteStatement::new(bound, facts);
                Ok(Execution::Delete(Box::new(statement)))
            }
            Statement::Explain(explained) => {
                let answer = explain::explain_statement(explained, engine, facts)?;
                Ok(Execution::Answer(Box::new(answer)))
            }
            Statement::Control(_) => Ok(Execution::Answer(Box::new(status::engine_status(engine)))),
            Statement::Definition(definition) => {
                define::define(definition, engine)?;
                Ok(Execution::Answer(Box::default()))
            }
        }
    }

    /// Goes on by one step.
    ///
    /// # Errors
    /// What the statement fails with; what it did has to be rolled back by the session.
    pub(crate) fn step(&mut self, context: &mut Context<'_>) -> StepResult<StatementResult> {
        match self {
            Execution::Select(statement) => statement.step(context),
            Execution::Insert(statement) => statement.step(context),
            Execution::Update(statement) => statement.step(context),
            Execution::MultiUpdate(statement) => statement.step(context),
            Execution::Delete(statement) => statement.step(context),
            Execution::Answer(answer) => Ok(Step::Done(std::mem::take(answer))),
        }
    }
}

/// NOWAIT and SKIP LOCKED exist in some releases only.
fn check_locking(locking: Option<Locking>, engine: &Engine) -> Result<(), SqlError> {
    let Some(locking) = locking else {
        return Ok(());
    };
    let profile = engine.profile();
    let (known, word) = match locking.wait {
        WaitClause::Wait => return Ok(()),
        WaitClause::NoWait => (profile.nowait, "NOWAIT"),
        WaitClause::SkipLocked => (profile.skip_locked, "SKIP LOCKED"),
    };
    if known {
        return Ok(());
    }
    Err(SqlError::unsupported(
        format!("{word} under the profile {}", profile.name),
        Some(locking.position),
        "leave it out, or choose a later profile",
    ))
}
