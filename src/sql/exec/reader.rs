//! Reading one table the way its plan says.

use std::collections::VecDeque;
use std::sync::Arc;

use gaplock_engine::row::{Access, RowFilter, Scan, ScanSpec, ScannedRow, Step};
use gaplock_engine::table::Table;
use gaplock_engine::types::Value;

use super::{Context, ReadLock, StepResult, finished};
use crate::sql::error::SqlError;
use crate::sql::expr::{Environment, Expression};
use crate::sql::plan::{AccessPath, TablePlan, point};

/// A table being read: its ranges still to come, and the scan of the present one.
#[derive(Clone, Debug)]
pub(super) struct TableReader {
    scans: VecDeque<ScanSpec>,
    current: Option<Scan>,
    /// The present scan gives one row at most.
    single: bool,
    /// It has given it.
    given: bool,
}

/// How a table is to be read.
pub(super) struct Opening<'a> {
    pub(super) table: &'a Arc<Table>,
    pub(super) plan: &'a TablePlan,
    pub(super) lock: ReadLock,
    pub(super) semi_consistent: bool,
}

impl TableReader {
    /// A reader at the beginning; keys come from the rows of the tables before.
    ///
    /// # Errors
    /// When a key cannot be evaluated.
    pub(super) fn open(
        opening: &Opening<'_>,
        environment: &Environment<'_>,
    ) -> Result<TableReader, SqlError> {
        let plan = opening.plan;
        let spec = |access| ScanSpec {
            table: Arc::clone(opening.table),
            index: plan.index,
            access,
            lock: opening.lock.strength,
            wait: opening.lock.wait,
            covering: plan.covering,
            pushed: plan.pushed.is_some(),
            semi_consistent: opening.semi_consistent,
        };
        let mut scans = VecDeque::new();
        match &plan.path {
            AccessPath::Const(key) | AccessPath::EqRef(key) | AccessPath::Ref(key) => {
                if let Some(key) = key_values(key, environment)? {
                    scans.push_back(spec(equal(key, plan.backward)));
                }
            }
            AccessPath::Range(ranges) => {
                for range in ranges {
                    let whole_key = opening.table.indexes[plan.index].columns.len();
                    let access = match point(range) {
                        // Rows with one whole key have no order among them, and are read forward.
                        // The rows that begin with a part of it are a range like any other.
                        Some(key) if !plan.backward || key.len() >= whole_key => {
                            Access::Equal(key.to_vec())
                        }
                        _ => Access::Range {
                            range: range.clone(),
                            backward: plan.backward,
                        },
                    };
                    scans.push_back(spec(access));
                }
                if plan.backward {
                    scans = scans.into_iter().rev().collect();
                }
            }
            AccessPath::Index | AccessPath::All => scans.push_back(spec(Access::Full {
                backward: plan.backward,
            })),
        }
        Ok(TableReader {
            scans,
            current: None,
            single: matches!(plan.path, AccessPath::Const(_) | AccessPath::EqRef(_)),
            given: false,
        })
    }

    /// The next row, of whichever range.
    ///
    /// # Errors
    /// Those of the scan.
    pub(super) fn step(
        &mut self,
        context: &mut Context<'_>,
        filter: &dyn RowFilter,
    ) -> StepResult<Option<ScannedRow>> {
        if self.given && (self.single || self.at_unique_key()) {
            self.current = None;
        }
        self.given = false;
        let Some(scan) = &mut self.current else {
            let Some(spec) = self.scans.pop_front() else {
                return Ok(Step::Done(None));
            };
            self.current = Some(Scan::new(spec));
            return self.step(context, filter);
        };
        let row = finished!(scan.step(context.engine, context.trx, filter));
        match row {
            Some(row) => {
                self.given = !row.semi_consistent;
                Ok(Step::Done(Some(row)))
            }
            None if self.scans.is_empty() => {
                self.current = None;
                Ok(Step::Done(None))
            }
            None => {
                self.current = None;
                Ok(Step::Progress)
            }
        }
    }

    /// Whether the present scan looks for one whole unique key: nothing can follow its row.
    fn at_unique_key(&self) -> bool {
        let Some(scan) = &self.current else {
            return false;
        };
        let spec = scan.spec();
        let index = &spec.table.indexes[spec.index];
        match &spec.access {
            Access::Equal(key) | Access::EqualBackward(key) => {
                index.unique
                    && !index.columns.is_empty()
                    && key.len() >= index.columns.len()
                    && !key.iter().any(Value::is_null)
            }
            _ => false,
        }
    }

    /// The row just given does not match: its locks may go, where the profile lets them.
    ///
    /// # Errors
    /// When pages cannot be read.
    pub(super) fn reject(&mut self, context: &mut Context<'_>) -> Result<(), SqlError> {
        match &mut self.current {
            Some(scan) => Ok(scan.reject(context.engine, context.trx)?),
            None => Ok(()),
        }
    }

    /// The row just given was read without waiting for its lock and matches: lock it now.
    pub(super) fn reread(&mut self) {
        if let Some(scan) = &mut self.current {
            scan.reread();
        }
    }
}

fn equal(key: Vec<Value>, backward: bool) -> Access {
    if backward {
        Access::EqualBackward(key)
    } else {
        Access::Equal(key)
    }
}

/// The key's values; `None` if one comes out NULL, which equals nothing.
fn key_values(
    key: &[Expression],
    environment: &Environment<'_>,
) -> Result<Option<Vec<Value>>, SqlError> {
    let mut values = Vec::with_capacity(key.len());
    for part in key {
        let value = part.evaluate(environment)?;
        if value.is_null() && !matches!(part, Expression::Constant(_)) {
            return Ok(None);
        }
        values.push(value);
    }
    Ok(Some(values))
}

/// The part of the conditions that is tested on an index record.
pub(super) struct Pushed<'a> {
    pub(super) condition: Option<&'a Expression>,
    pub(super) environment: Environment<'a>,
    pub(super) table: usize,
}

impl RowFilter for Pushed<'_> {
    fn pushed(&self, row: &[Value]) -> bool {
        let Some(condition) = self.condition else {
            return true;
        };
        let mut rows = self.environment.rows.to_vec();
        rows[self.table] = row.to_vec();
        let environment = Environment {
            rows: &rows,
            ..self.environment
        };
        // What cannot be evaluated here fails on the row, where it can be reported.
        !matches!(condition.holds(&environment), Ok(Some(false) | None))
    }
}
