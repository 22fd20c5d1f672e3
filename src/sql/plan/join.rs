//! In which order tables are read.

use std::collections::BTreeSet;

use super::TablePlan;
use super::access::{Planner, Priced};

/// The tables in join order: const tables as written, then the others in the order that costs
/// least (the written order where several cost the same). `None` if no row can be found.
pub(super) fn order_tables(planner: &Planner<'_>) -> Option<Vec<TablePlan>> {
    let count = planner.request.tables.len();
    let mut before = BTreeSet::new();
    let mut plans = Vec::new();
    for table in 0..count {
        if planner.is_impossible(table) {
            return None;
        }
        let reads = planner.request.purpose == super::Purpose::Read;
        let hinted = planner.forced(table).is_some();
        if let Some(constant) = planner.constant(table).filter(|_| reads && !hinted) {
            before.insert(table);
            plans.push(constant.table);
        }
    }
    let rest: Vec<usize> = (0..count).filter(|at| !before.contains(at)).collect();
    let (best, _) = cheapest_order(planner, &before, &rest);
    plans.extend(best);
    Some(plans)
}

fn cheapest_order(
    planner: &Planner<'_>,
    before: &BTreeSet<usize>,
    rest: &[usize],
) -> (Vec<TablePlan>, f64) {
    let mut best: Option<(Vec<TablePlan>, f64)> = None;
    for table in rest {
        let Priced { table: plan, cost } = planner.cheapest(*table, before);
        let mut after = before.clone();
        after.insert(*table);
        let remaining: Vec<usize> = rest.iter().copied().filter(|at| at != table).collect();
        let (mut plans, further) = cheapest_order(planner, &after, &remaining);
        let total = cost + plan.rows as f64 * further;
        if best.as_ref().is_none_or(|(_, cheapest)| total < *cheapest) {
            plans.insert(0, plan);
            best = Some((plans, total));
        }
    }
    best.unwrap_or_default()
}
