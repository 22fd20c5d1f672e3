//! Whether the rows come in the order that is asked for, and what is changed so that they do.

use super::access::{Planner, equality};
use super::{AccessPath, Purpose, Request, TablePlan};
use crate::sql::error::SqlError;
use crate::sql::expr::{ColumnPlace, Comparison, Expression};

/// How an index's order fits the one asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fit {
    /// It does not.
    None,
    /// Any direction will do.
    Either,
    /// Read forward.
    Forward,
    /// Read backward.
    Backward,
}

/// Where the profile says so, BETWEEN with equal ends becomes an equality.
///
/// # Errors
/// None today; constants are evaluated where they are used.
pub(super) fn without_points_as_between(
    request: &Request<'_>,
    conditions: Vec<Expression>,
) -> Result<Vec<Expression>, SqlError> {
    if !request.profile.between_point_is_equality {
        return Ok(conditions);
    }
    Ok(conditions
        .into_iter()
        .map(|condition| match condition {
            Expression::Between {
                operand,
                low,
                high,
                collation,
            } if low == high => Expression::Compare {
                operator: Comparison::Equal,
                left: operand,
                right: low,
                collation,
            },
            other => other,
        })
        .collect())
}

/// Sets the direction of the first table that is not const, changes it to an index that gives the
/// order where that pays, and says whether rows have to be sorted all the same.
pub(super) fn settle(planner: &Planner<'_>, tables: &mut [TablePlan]) -> bool {
    let constants = tables
        .iter()
        .take_while(|table| matches!(table.path, AccessPath::Const(_)))
        .count();
    if planner.request.order.is_empty() || constants == tables.len() {
        return false;
    }
    let first = &mut tables[constants];
    let fit = fit(planner, first.table, first.index, &first.path);
    match fit {
        Fit::Either | Fit::Forward => return false,
        Fit::Backward => {
            first.backward = true;
            return false;
        }
        Fit::None => {}
    }
    match ordered_scan(planner, first) {
        Some(scan) => {
            *first = scan;
            false
        }
        None => true,
    }
}

/// The index scan that gives the order, if reading the table through it pays: the table is
/// scanned anyway, and the index has all columns, is the clustered one, or few rows are wanted.
fn ordered_scan(planner: &Planner<'_>, plan: &TablePlan) -> Option<TablePlan> {
    if !matches!(plan.path, AccessPath::All | AccessPath::Index) {
        return None;
    }
    for index in &planner.candidates[plan.table].indexes {
        let fit = fit(planner, plan.table, *index, &AccessPath::Index);
        let definition = &planner.shape(plan.table).indexes[*index];
        let few = planner
            .request
            .limit
            .is_some_and(|limit| limit < planner.row_count(plan.table));
        let reads = planner.request.purpose == Purpose::Read;
        let covered = reads && planner.covers(plan.table, *index);
        if fit != Fit::None && (few || definition.clustered || covered) {
            let rows = plan.rows;
            let mut scan = planner.table_plan(plan.table, *index, AccessPath::Index, rows, 0);
            scan.backward = fit == Fit::Backward;
            return Some(scan);
        }
    }
    None
}

fn fit(planner: &Planner<'_>, table: usize, index: usize, path: &AccessPath) -> Fit {
    let shape = planner.shape(table);
    let definition = &shape.indexes[index];
    if matches!(path, AccessPath::All) && !shape.has_named_key() {
        return Fit::None;
    }
    let fixed = |column: usize| {
        let place = ColumnPlace { table, column };
        planner.conditions.iter().any(|condition| {
            let point_range = matches!(condition, Expression::Between { .. });
            !point_range
                && equality(condition, place)
                    .is_some_and(|(value, _)| value.is_constant() || value.columns().is_empty())
        })
    };
    let mut columns = definition.all_columns.iter().copied().peekable();
    let mut direction = Fit::Either;
    for (expression, descending) in &planner.request.order {
        let column = match expression {
            Expression::Column(place) if place.table == table => place.column,
            constant if constant.is_constant() => continue,
            _ => return Fit::None,
        };
        if fixed(column) {
            continue;
        }
        while columns
            .next_if(|next| *next != column && fixed(*next))
            .is_some()
        {}
        if columns.next() != Some(column) {
            return Fit::None;
        }
        let wanted = if *descending {
            Fit::Backward
        } else {
            Fit::Forward
        };
        if direction != Fit::Either && direction != wanted {
            return Fit::None;
        }
        direction = wanted;
    }
    direction
}
