//! Where conditions are tested, and what they say by themselves.

use gaplock_engine::types::Value;

use super::access::Planner;
use super::{AccessPath, Purpose, TablePlan};
use crate::sql::bind::text_collation;
use crate::sql::expr::{ColumnPlace, Comparison, Expression};

/// What a condition says that the column equals, and whether that may be NULL.
pub(super) fn equality(condition: &Expression, place: ColumnPlace) -> Option<(Expression, bool)> {
    let column = Expression::Column(place);
    match condition {
        Expression::Compare {
            operator: operator @ (Comparison::Equal | Comparison::NullSafeEqual),
            left,
            right,
            ..
        } => {
            let other = if **left == column {
                right
            } else if **right == column {
                left
            } else {
                return None;
            };
            Some(((**other).clone(), *operator == Comparison::NullSafeEqual))
        }
        Expression::Between {
            operand, low, high, ..
        } if **operand == column && low == high => Some(((**low).clone(), false)),
        Expression::In { operand, list, .. } if **operand == column => match &list[..] {
            [only] => Some((only.clone(), false)),
            _ => None,
        },
        Expression::IsNull(operand) if **operand == column => {
            Some((Expression::Constant(Value::Null), true))
        }
        _ => None,
    }
}

/// Gives each condition to the first table after which all its columns are known: to its index
/// record if the index has them all, and to the row.
pub(super) fn place_conditions(planner: &Planner<'_>, tables: &mut [TablePlan]) {
    let order: Vec<usize> = tables.iter().map(|table| table.table).collect();
    for (at, plan) in tables.iter_mut().enumerate() {
        let before = &order[..at];
        let here: Vec<&Expression> = planner
            .conditions
            .iter()
            .filter(|condition| {
                let columns = condition.columns();
                let here = columns.iter().any(|place| place.table == plan.table);
                let known = |table| before.contains(&table) || table == plan.table;
                here && columns.iter().all(|place| known(place.table))
            })
            .filter(|condition| !is_guaranteed(planner, plan, condition))
            .collect();
        plan.pushed = pushed(planner, plan, &here);
        plan.filter = joined(here.into_iter().cloned().collect());
    }
}

/// Whether the key of the access makes the condition hold for every row that is read.
fn is_guaranteed(planner: &Planner<'_>, plan: &TablePlan, condition: &Expression) -> bool {
    let (AccessPath::Const(key) | AccessPath::EqRef(key) | AccessPath::Ref(key)) = &plan.path
    else {
        return false;
    };
    if !matches!(condition, Expression::Compare { .. }) {
        return false;
    }
    let shape = planner.shape(plan.table);
    let columns = shape.range_columns(plan.index, true);
    columns.iter().zip(key).any(|(column, key)| {
        let place = ColumnPlace {
            table: plan.table,
            column: *column,
        };
        let Some((value, _)) = equality(condition, place) else {
            return false;
        };
        value == *key
            || (value.is_constant()
                && text_collation(shape.columns[*column].column_type).is_none()
                && matches!((value.evaluate(&planner.request.constants), key),
                    (Ok(value), Expression::Constant(key)) if value == *key))
    })
}

/// The part of the conditions that is tested on the index record.
fn pushed(planner: &Planner<'_>, plan: &TablePlan, here: &[&Expression]) -> Option<Expression> {
    let index = &planner.shape(plan.table).indexes[plan.index];
    let scans = matches!(
        plan.path,
        AccessPath::All | AccessPath::Index | AccessPath::Const(_)
    );
    let reads = planner.request.purpose == Purpose::Read;
    let profile = planner.request.profile;
    let direction = !plan.backward || profile.pushdown_backward;
    if !profile.index_condition_pushdown
        || !reads
        || !direction
        || scans
        || index.clustered
        || plan.covering
    {
        return None;
    }
    let on_index =
        here.iter()
            .filter(|condition| {
                condition.columns().iter().all(|place| {
                    place.table != plan.table || index.all_columns.contains(&place.column)
                })
            })
            .map(|condition| (*condition).clone())
            .collect();
    joined(on_index)
}

/// All conditions as one.
pub(super) fn joined(mut conditions: Vec<Expression>) -> Option<Expression> {
    if conditions.len() > 1 {
        return Some(Expression::And(conditions));
    }
    conditions.pop()
}

/// Whether rows have to be collected before the first is changed: the scan would meet rows again
/// that it has moved, or they have to be sorted first.
pub(super) fn must_collect(planner: &Planner<'_>, tables: &[TablePlan], filesort: bool) -> bool {
    let [plan] = tables else {
        return false;
    };
    match &planner.request.purpose {
        Purpose::Read => false,
        Purpose::Delete => filesort,
        Purpose::Update(set) => filesort || moves_key(planner, plan, set),
    }
}

fn moves_key(planner: &Planner<'_>, plan: &TablePlan, set: &[usize]) -> bool {
    let shape = planner.shape(plan.table);
    if let AccessPath::Range(ranges) = &plan.path
        && let [only] = &ranges[..]
        && planner.unique_point(plan.table, plan.index, only)
    {
        return false;
    }
    let changes = |columns: &[usize]| columns.iter().any(|column| set.contains(column));
    let clustered = &shape.indexes[0].columns;
    changes(&shape.indexes[plan.index].columns) || changes(clustered)
}
