//! Whether the rows come in the order that is asked for, and what is changed so that they do.

use super::access::Planner;
use super::conditions::equality;
use super::{AccessPath, Purpose, Request, TablePlan};
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

/// Adds what follows: where two columns are equal, a constant that one equals the other equals too.
/// And where the profile says so, BETWEEN with equal ends becomes an equality.
pub(super) fn with_consequences(
    request: &Request<'_>,
    conditions: Vec<Expression>,
) -> Vec<Expression> {
    let point_is_equality = request.profile.between_point_is_equality;
    let mut conditions: Vec<Expression> = conditions
        .into_iter()
        .map(|condition| match condition {
            Expression::Between {
                operand,
                low,
                high,
                collation,
            } if point_is_equality && low == high => Expression::Compare {
                operator: Comparison::Equal,
                left: operand,
                right: low,
                collation,
            },
            other => other,
        })
        .collect();
    while let Some(consequence) = consequence(&conditions) {
        conditions.push(consequence);
    }
    conditions
}

/// One equality of a column and a constant that follows from the conditions and is not there yet.
fn consequence(conditions: &[Expression]) -> Option<Expression> {
    for pair in conditions {
        let Expression::Compare {
            operator: Comparison::Equal,
            left,
            right,
            collation,
        } = pair
        else {
            continue;
        };
        for (known, other) in [(left, right), (right, left)] {
            let (Expression::Column(known), Expression::Column(place)) = (&**known, &**other)
            else {
                continue;
            };
            let constant_of = |place: ColumnPlace| {
                conditions.iter().find_map(|condition| {
                    let (value, nullable) = equality(condition, place)?;
                    (value.is_constant() && !nullable).then_some(value)
                })
            };
            if constant_of(*place).is_some() {
                continue;
            }
            if let Some(value) = constant_of(*known) {
                return Some(Expression::Compare {
                    operator: Comparison::Equal,
                    left: other.clone(),
                    right: Box::new(value),
                    collation: *collation,
                });
            }
        }
    }
    None
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
    let fit = fit(planner, first.table, first.index, &first.path, first.parts);
    if fit != Fit::None {
        first.backward = fit == Fit::Backward;
        if fit != Fit::Either && first.path == AccessPath::All {
            first.path = AccessPath::Index;
        }
        return false;
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
        let fit = fit(planner, plan.table, *index, &AccessPath::Index, 0);
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

fn fit(planner: &Planner<'_>, table: usize, index: usize, path: &AccessPath, parts: usize) -> Fit {
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
    // The columns that a ref access fixes give no order any more, whatever made them equal.
    let fixed_by_key = if matches!(path, AccessPath::Ref(_) | AccessPath::EqRef(_)) {
        parts
    } else {
        0
    };
    let mut columns = definition
        .all_columns
        .iter()
        .copied()
        .skip(fixed_by_key)
        .peekable();
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
