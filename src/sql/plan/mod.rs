//! Which way a statement reads its tables.
//!
//! The access path decides the locks, so it has to be the one that MySQL's optimizer would take:
//!
//! 1. Hints leave over some indexes (`candidates`).
//! 2. A table whose whole unique key is given by constants is *const*: it is read first, once.
//! 3. Else each index offers `ref` (its leading columns equal something known) or `range` (its
//!    leading columns lie in intervals, `interval` and `ranges`); the cheapest by the optimizer's
//!    prices wins over the scan of the whole table (`access`).
//! 4. Several tables are joined in the order that costs least (`join`).
//! 5. What is left of the conditions is tested in the index (pushdown), on the row, or both; an
//!    order that the index does not give is sorted (`order`).
//!
//! UPDATE and DELETE of one table know only ranges and scans, as in the server, and push nothing
//! down. An UPDATE that changes the key it reads by collects its rows first.

mod access;
mod candidates;
mod conditions;
mod explain;
mod hint;
mod interval;
mod join;
mod order;
mod ranges;
mod shape;
#[cfg(test)]
mod tests;

use gaplock_engine::profile::Profile;

pub use explain::{EXPLAIN_COLUMNS, explain};
pub use hint::{HintedAccess, PlanHint};
pub use shape::{ColumnShape, IndexShape, KeyRange, Statistics, TableShape, point};

use super::ast::IndexHint;
use super::error::SqlError;
use super::expr::{Environment, Expression};

/// Most tables of a join: every order of them is tried.
const MOST_TABLES: usize = 6;

/// What is to be planned.
pub struct Request<'a> {
    /// The tables, in the order of FROM.
    pub tables: Vec<RequestTable<'a>>,
    /// WHERE, split at its ANDs.
    pub conditions: Vec<Expression>,
    /// ORDER BY: what by, and whether descending.
    pub order: Vec<(Expression, bool)>,
    /// Most rows that are wanted, offset included.
    pub limit: Option<u64>,
    /// What is done with the rows.
    pub purpose: Purpose,
    /// For constants: results of subqueries, the time.
    pub constants: Environment<'a>,
    /// Row counts.
    pub statistics: &'a dyn Statistics,
    /// The optimizer's facts.
    pub profile: &'a Profile,
    /// A recorded plan that is to be taken instead, table by table.
    pub forced: &'a [PlanHint],
}

/// One table of a request.
#[derive(Clone)]
pub struct RequestTable<'a> {
    /// The name it goes by.
    pub name: &'a str,
    /// The table.
    pub shape: &'a TableShape,
    /// Its hints.
    pub hints: &'a [IndexHint],
    /// Columns that the statement needs, sorted.
    pub needed: Vec<usize>,
}

/// What is done with the rows.
#[derive(Clone, Debug, PartialEq)]
pub enum Purpose {
    /// They are read, by SELECT or by a statement with several tables.
    Read,
    /// They are updated, in these columns; one table.
    Update(Vec<usize>),
    /// They are deleted; one table.
    Delete,
}

/// How a statement reads its tables.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// The tables in join order.
    pub tables: Vec<TablePlan>,
    /// No row can fulfil the conditions: nothing is read or locked.
    pub impossible: bool,
    /// Conditions without columns of any table.
    pub constant_filter: Vec<Expression>,
    /// The rows have to be sorted.
    pub filesort: bool,
    /// The rows are collected before the first is changed.
    pub collect: bool,
}

/// How one table is read.
#[derive(Clone, Debug, PartialEq)]
pub struct TablePlan {
    /// Its place in FROM.
    pub table: usize,
    /// The index.
    pub index: usize,
    /// Which part of the index.
    pub path: AccessPath,
    /// From the end to the beginning.
    pub backward: bool,
    /// The index has all columns that are needed.
    pub covering: bool,
    /// Tested on the index record.
    pub pushed: Option<Expression>,
    /// Tested on the row.
    pub filter: Option<Expression>,
    /// Rows expected each time it is read.
    pub rows: u64,
    /// Columns of the index that the path uses.
    pub parts: usize,
}

/// The ways to read a table.
#[derive(Clone, Debug, PartialEq)]
pub enum AccessPath {
    /// By a whole unique key of constants.
    Const(Vec<Expression>),
    /// By a whole unique key that earlier tables give.
    EqRef(Vec<Expression>),
    /// By equality on leading columns.
    Ref(Vec<Expression>),
    /// By ranges, in index order.
    Range(Vec<KeyRange>),
    /// The whole index.
    Index,
    /// The whole table.
    All,
}

/// Plans a statement.
///
/// # Errors
/// When a hint names no index, a constant cannot be evaluated, or there are too many tables.
pub fn plan(request: &Request<'_>) -> Result<Plan, SqlError> {
    if request.tables.len() > MOST_TABLES {
        return Err(SqlError::unsupported(
            format!("a join of more than {MOST_TABLES} tables"),
            None,
            "split the statement",
        ));
    }
    let candidates = candidates::of_tables(request)?;
    let (constant_filter, conditions): (Vec<_>, Vec<_>) = request
        .conditions
        .iter()
        .cloned()
        .partition(Expression::is_constant);
    for condition in &constant_filter {
        if condition.holds(&request.constants)? != Some(true) {
            return Ok(Plan::impossible());
        }
    }
    let conditions = order::with_consequences(request, conditions);
    let planner = access::Planner {
        request,
        conditions: &conditions,
        candidates: &candidates,
    };
    let Some(mut tables) = join::order_tables(&planner) else {
        return Ok(Plan::impossible());
    };
    let filesort = order::settle(&planner, &mut tables);
    conditions::place_conditions(&planner, &mut tables);
    let collect = conditions::must_collect(&planner, &tables, filesort);
    let mut plan = Plan {
        tables,
        impossible: false,
        constant_filter: Vec::new(),
        filesort,
        collect,
    };
    hint::apply_flags(request, &mut plan);
    Ok(plan)
}

impl Plan {
    fn impossible() -> Plan {
        Plan {
            tables: Vec::new(),
            impossible: true,
            constant_filter: Vec::new(),
            filesort: false,
            collect: false,
        }
    }
}
