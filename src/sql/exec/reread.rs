//! Rows that were collected first are looked up again, one by one, before they are changed.
//!
//! A row is locked already, so this adds nothing, with one exception that real servers show: an
//! exact search for the first key of a page begins at the end of the page before, and locks that
//! end as a scan that passes it does.

use std::collections::VecDeque;
use std::sync::Arc;

use gaplock_engine::row::{Access, LockStrength, NoFilter, Scan, ScanSpec, Step, WaitPolicy};
use gaplock_engine::table::Table;

use super::update::Collected;
use super::{Context, StepResult, finished};

/// Rows to be changed, each to be looked up first.
#[derive(Clone, Debug, Default)]
pub(super) struct CollectedRows {
    rows: VecDeque<Collected>,
    lookup: Option<Box<Scan>>,
}

impl CollectedRows {
    /// Adds a row.
    pub(super) fn push(&mut self, row: Collected) {
        self.rows.push_back(row);
    }

    /// Puts the rows into another order.
    pub(super) fn rearrange(
        &mut self,
        order: impl FnOnce(VecDeque<Collected>) -> VecDeque<Collected>,
    ) {
        self.rows = order(std::mem::take(&mut self.rows));
    }

    /// Looks up the next row and gives it; none when there are no more.
    ///
    /// # Errors
    /// Those of the search.
    pub(super) fn next(
        &mut self,
        table: &Arc<Table>,
        context: &mut Context<'_>,
    ) -> StepResult<Option<Collected>> {
        let Some(row) = self.rows.front() else {
            return Ok(Step::Done(None));
        };
        let key = &table.indexes[0].columns;
        if key.is_empty() {
            return Ok(Step::Done(self.rows.pop_front()));
        }
        let values = &row.values;
        let lookup = self.lookup.get_or_insert_with(|| {
            Box::new(Scan::new(ScanSpec {
                table: Arc::clone(table),
                index: 0,
                access: Access::Equal(key.iter().map(|at| values[*at].clone()).collect()),
                lock: LockStrength::Exclusive,
                wait: WaitPolicy::Wait,
                covering: false,
                pushed: false,
                semi_consistent: false,
            }))
        });
        finished!(lookup.step(context.engine, context.trx, &NoFilter));
        self.lookup = None;
        Ok(Step::Done(self.rows.pop_front()))
    }
}
