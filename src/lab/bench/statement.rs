//! One operation of a load as a state machine over row operations: it may stop at any step and go on
//! later, so that simulated clients and threads run the same.

use std::ops::Bound;
use std::sync::Arc;

use gaplock_engine::db::Engine;
use gaplock_engine::error::Error;
use gaplock_engine::row::{
    Access, DuplicateMode, Insert, KeyRange, LockStrength, NoFilter, Scan, ScanSpec, ScannedRow,
    Step, Update, WaitPolicy,
};
use gaplock_engine::table::Table;
use gaplock_engine::trx::Trx;
use gaplock_engine::types::Value;

use super::Op;

/// An operation under way.
pub(super) enum Statement {
    /// Looking for the row; it is changed if it is found and that is wanted.
    Finding {
        scan: Scan,
        changes: bool,
    },
    Changing(Update),
    Inserting(Insert),
}

impl Statement {
    pub(super) fn new(table: &Arc<Table>, op: Op) -> Self {
        let at = |key: i128| Access::Equal(vec![Value::Int(key)]);
        let find = |access, lock, wait, changes| Statement::Finding {
            scan: Scan::new(ScanSpec {
                table: table.clone(),
                index: 0,
                access,
                lock,
                wait,
                covering: false,
                pushed: false,
                semi_consistent: false,
            }),
            changes,
        };
        let waits = WaitPolicy::Wait;
        match op {
            Op::Share(key) => find(at(key), LockStrength::Shared, waits, false),
            Op::Lock(key) => find(at(key), LockStrength::Exclusive, waits, false),
            Op::Update(key) => find(at(key), LockStrength::Exclusive, waits, true),
            Op::Claim(key) => {
                let range = KeyRange {
                    lower: Bound::Included(vec![Value::Int(key)]),
                    upper: Bound::Unbounded,
                };
                let access = Access::Range {
                    range,
                    backward: false,
                };
                find(
                    access,
                    LockStrength::Exclusive,
                    WaitPolicy::SkipLocked,
                    true,
                )
            }
            Op::Insert(key) => {
                let row = vec![Value::Int(key), Value::Int(0)];
                let mode = DuplicateMode::Error;
                Statement::Inserting(Insert::new(table.clone(), row, mode))
            }
        }
    }

    /// Makes one step; `Done` when the operation is over.
    pub(super) fn step(&mut self, engine: &Engine, trx: &mut Trx) -> Result<Step<()>, Error> {
        match self {
            Statement::Finding { scan, changes } => {
                let table = scan.spec().table.clone();
                match scan.step(engine, trx, &NoFilter)? {
                    Step::Wait => Ok(Step::Wait),
                    Step::Progress => Ok(Step::Progress),
                    Step::Done(Some(row)) if *changes => {
                        *self = Statement::Changing(addition(table, row));
                        Ok(Step::Progress)
                    }
                    Step::Done(_) => Ok(Step::Done(())),
                }
            }
            Statement::Changing(update) => Ok(done(update.step(engine, trx)?)),
            Statement::Inserting(insert) => Ok(done(insert.step(engine, trx)?)),
        }
    }
}

fn done<T>(step: Step<T>) -> Step<()> {
    match step {
        Step::Wait => Step::Wait,
        Step::Progress => Step::Progress,
        Step::Done(_) => Step::Done(()),
    }
}

/// The change that adds one to a row.
fn addition(table: Arc<Table>, row: ScannedRow) -> Update {
    let mut new = row.values.clone();
    new[1] = Value::Int(row.values[1].to_int().unwrap_or(0) + 1);
    Update::new(table, row.reference, row.values, new, DuplicateMode::Error)
}
