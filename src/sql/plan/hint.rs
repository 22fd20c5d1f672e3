//! Recorded plans that are to be taken instead of our own choice.
//!
//! From a recording only the index, the order, the pushdown and whether rows are collected first
//! are taken. What the bounds are, whether they hit and whether the search is unique is found from
//! the statement, since the recording saw the table at another moment.

use std::collections::BTreeSet;

use gaplock_engine::profile::IndexScanForRange;

use super::access::{Planner, Priced};
use super::{AccessPath, Plan, Purpose, Request};

/// A recorded plan of one table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlanHint {
    /// The table, by the name it goes by in the statement. A record without one (a const table that
    /// was empty when it was made) forces nothing.
    pub table: Option<String>,
    /// The index's name; none for a scan of the table.
    pub key: Option<String>,
    /// How it was used, if that is known.
    pub access: Option<HintedAccess>,
    /// Read from its end.
    pub backward: bool,
    /// A condition was tested in the index.
    pub pushed: bool,
    /// Rows were collected before they were changed.
    pub collect: bool,
    /// Rows were sorted, and so all read before the first was used.
    pub sorts: bool,
    /// The plan was made just before this statement ran: it is taken as it is.
    pub fresh: bool,
}

/// The kinds of access that EXPLAIN prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HintedAccess {
    /// `const`, `system`.
    Const,
    /// `eq_ref`.
    EqRef,
    /// `ref`, `ref_or_null`.
    Ref,
    /// `range`.
    Range,
    /// `index`.
    Index,
    /// `ALL`.
    All,
}

impl HintedAccess {
    /// The access that EXPLAIN's word stands for.
    #[must_use]
    pub fn named(word: &str) -> Option<HintedAccess> {
        Some(match word {
            "const" | "system" => HintedAccess::Const,
            "eq_ref" => HintedAccess::EqRef,
            "ref" | "ref_or_null" => HintedAccess::Ref,
            "range" => HintedAccess::Range,
            "index" => HintedAccess::Index,
            "ALL" => HintedAccess::All,
            _ => return None,
        })
    }
}

/// The hint for a table, by its name.
pub(super) fn of_table<'a>(request: &Request<'a>, table: usize) -> Option<&'a PlanHint> {
    let name = request.tables[table].name;
    request
        .forced
        .iter()
        .find(|hint| hint.table.as_deref() == Some(name))
}

/// The way of reading a table that a hint asks for, or the nearest to it that there is.
pub(super) fn forced(
    planner: &Planner<'_>,
    table: usize,
    hint: &PlanHint,
    before: &BTreeSet<usize>,
) -> Priced {
    let shape = planner.shape(table);
    let index = hint
        .key
        .as_deref()
        .and_then(|key| shape.index(key))
        .unwrap_or(0);
    let reads = planner.request.purpose == Purpose::Read;
    let by_table = hint.key.is_none() || hint.access == Some(HintedAccess::All);
    let whole = || Priced {
        table: planner.table_plan(
            table,
            index,
            if by_table {
                AccessPath::All
            } else {
                AccessPath::Index
            },
            planner.row_count(table),
            0,
        ),
        cost: 0.0,
    };
    let constant = || {
        planner
            .constant(table)
            .filter(|constant| reads && constant.table.index == index)
    };
    let reference = || planner.reference(table, index, before).filter(|_| reads);
    let range = || planner.range(table, index);
    let found = match hint.access {
        // Where a range may become a scan of the index, the recording saw which of the two it was with
        // other rows in the table: the bounds decide anew.
        Some(HintedAccess::Index)
            if !hint.fresh
                && planner.request.profile.index_scan_for_range != IndexScanForRange::Never =>
        {
            range()
        }
        Some(HintedAccess::All | HintedAccess::Index) => None,
        None if by_table => None,
        Some(HintedAccess::Range) => range().or_else(reference),
        Some(HintedAccess::Ref | HintedAccess::EqRef) => reference().or_else(range),
        Some(HintedAccess::Const) | None => constant().or_else(reference).or_else(range),
    };
    found.unwrap_or_else(whole)
}

/// Applies what a hint says about order, pushdown and collecting.
pub(super) fn apply_flags(request: &Request<'_>, plan: &mut Plan) {
    for table in &mut plan.tables {
        let Some(hint) = of_table(request, table.table) else {
            continue;
        };
        if !hint.pushed {
            table.pushed = None;
        }
        if request.tables.len() == 1 && hint.fresh && hint.sorts {
            plan.filesort = true;
            // Rows to be changed are read in the order asked for even where they are sorted after.
            table.backward &= request.purpose != Purpose::Read;
        }
        if request.tables.len() == 1 && request.purpose != Purpose::Read {
            plan.collect = hint.collect || plan.filesort;
        }
    }
}
