//! The ways in which one table can be read, what they cost, and the cheapest.

use std::collections::BTreeSet;

use gaplock_engine::profile::IndexScanForRange;
use gaplock_engine::types::Value;

use super::candidates::Candidates;
use super::conditions::equality;
use super::hint::{self, PlanHint};
use super::interval::Subject;
use super::ranges::{IndexRanges, index_ranges};
use super::shape::{KeyRange, TableShape, point};
use super::{AccessPath, Purpose, Request, TablePlan};
use crate::sql::bind::text_collation;
use crate::sql::expr::{ColumnPlace, Comparison, Expression};

/// A request with what was found out about it.
pub(super) struct Planner<'a> {
    pub(super) request: &'a Request<'a>,
    /// WHERE without its constant parts.
    pub(super) conditions: &'a [Expression],
    pub(super) candidates: &'a [Candidates],
}

/// A way to read a table, with its price.
#[derive(Clone, Debug)]
pub(super) struct Priced {
    pub(super) table: TablePlan,
    pub(super) cost: f64,
}

/// A column's value as earlier tables or constants give it.
struct Known {
    value: Expression,
    constant: bool,
    nullable: bool,
}

/// The order of preference between ways of one price.
const RANGE_OVERHEAD: f64 = 0.01;

/// Ranges of so many rows at most may be priced row by row.
const FEW_ROWS: u64 = 2;

/// What scanning the whole table costs beyond its pages and rows.
const SCAN_OVERHEAD: f64 = 2.1;

impl Planner<'_> {
    pub(super) fn shape(&self, table: usize) -> &TableShape {
        self.request.tables[table].shape
    }

    pub(super) fn row_cost(&self) -> f64 {
        f64::from(self.request.profile.planner_row_cost) / 1000.0
    }

    fn page_cost(&self) -> f64 {
        f64::from(self.request.profile.planner_page_cost) / 1000.0
    }

    /// Whether secondary keys go on with the primary key behind them.
    fn extended(&self) -> bool {
        self.request.profile.index_condition_pushdown
    }

    /// Whether an index has all columns that are read. What is changed is needed whole.
    pub(super) fn covers(&self, table: usize, index: usize) -> bool {
        if self.request.purpose != Purpose::Read {
            return false;
        }
        let index = &self.shape(table).indexes[index];
        self.request.tables[table]
            .needed
            .iter()
            .all(|column| index.all_columns.contains(column))
    }

    pub(super) fn row_count(&self, table: usize) -> u64 {
        self.request.statistics.row_count(self.shape(table)).max(1)
    }

    fn rows_in(&self, table: usize, index: usize, ranges: &[KeyRange]) -> u64 {
        let shape = self.shape(table);
        let one = |range: &KeyRange| {
            let is_unique = self.unique_point(table, index, range);
            if is_unique {
                return 1;
            }
            self.request
                .statistics
                .records_in_range(shape, index, range)
                .max(1)
        };
        ranges.iter().map(one).sum()
    }

    /// Whether a range is one whole key, without NULL, of a unique index.
    pub(super) fn unique_point(&self, table: usize, index: usize, range: &KeyRange) -> bool {
        let index = &self.shape(table).indexes[index];
        index.unique
            && point(range).is_some_and(|key| {
                key.len() == index.columns.len() && !key.iter().any(Value::is_null)
            })
    }

    pub(super) fn ranges(&self, table: usize, index: usize) -> Option<IndexRanges> {
        let shape = self.shape(table);
        let conditions: Vec<&Expression> = self
            .conditions
            .iter()
            .filter(|condition| condition.columns().iter().all(|at| at.table == table))
            .collect();
        let columns = shape.range_columns(index, self.extended());
        index_ranges(shape, table, columns, &conditions, &self.request.constants)
    }

    /// Whether the conditions on this table can never hold, as an index shows.
    pub(super) fn is_impossible(&self, table: usize) -> bool {
        self.candidates[table]
            .indexes
            .iter()
            .filter_map(|index| self.ranges(table, *index))
            .any(|ranges| ranges.ranges.is_empty())
    }

    /// Values that the leading columns of an index are known to equal, given the tables before.
    fn known(&self, table: usize, index: usize, before: &BTreeSet<usize>) -> Vec<Known> {
        let shape = self.shape(table);
        let mut columns = shape.range_columns(index, self.extended());
        if shape.indexes[index].columns.is_empty() {
            columns = &[];
        }
        columns
            .iter()
            .map_while(|column| self.known_column(table, *column, before))
            .collect()
    }

    fn known_column(&self, table: usize, column: usize, before: &BTreeSet<usize>) -> Option<Known> {
        let place = ColumnPlace { table, column };
        let definition = &self.shape(table).columns[column];
        let subject = Subject {
            place,
            column_type: definition.column_type,
            nullable: definition.nullable,
        };
        let mut found: Option<Known> = None;
        for condition in self.conditions {
            let Some((value, nullable)) = equality(condition, place) else {
                continue;
            };
            let columns = value.columns();
            if !columns.iter().all(|at| before.contains(&at.table)) {
                continue;
            }
            let constant = columns.is_empty();
            let known = if constant {
                let Ok(literal) = value.evaluate(&self.request.constants) else {
                    continue;
                };
                match subject.key_constant(Comparison::Equal, &literal) {
                    _ if literal.is_null() => Expression::Constant(Value::Null),
                    Some(Some((Comparison::Equal, literal))) => Expression::Constant(literal),
                    _ => continue,
                }
            } else if self.same_kind(place, &columns) {
                value.clone()
            } else {
                continue;
            };
            if found
                .as_ref()
                .is_none_or(|found| constant && !found.constant)
            {
                found = Some(Known {
                    value: known,
                    constant,
                    nullable,
                });
            }
        }
        found
    }

    /// Whether values of these columns find their place in an index on `place`: texts by texts of
    /// the same collation, others by others.
    fn same_kind(&self, place: ColumnPlace, columns: &[ColumnPlace]) -> bool {
        let kind = |place: &ColumnPlace| {
            text_collation(self.shape(place.table).columns[place.column].column_type)
        };
        columns.iter().all(|other| kind(other) == kind(&place))
    }

    /// The table by a whole unique key of constants, if its conditions give one.
    pub(super) fn constant(&self, table: usize) -> Option<Priced> {
        let nothing = BTreeSet::new();
        for index in &self.candidates[table].indexes {
            let shape = self.shape(table);
            let definition = &shape.indexes[*index];
            let known = self.known(table, *index, &nothing);
            let declared = definition.columns.len();
            let whole = definition.unique && known.len() >= declared;
            let extended = self.request.profile.extended_key_is_unique
                && shape.has_named_key()
                && !definition.clustered
                && known.len() == definition.all_columns.len();
            let parts = if whole { declared } else { known.len() };
            let definite = known.iter().take(parts).all(|known| !known.nullable);
            if (whole || extended) && definite {
                let key = known.into_iter().take(parts).map(|k| k.value).collect();
                return Some(Priced {
                    table: self.table_plan(table, *index, AccessPath::Const(key), 1, parts),
                    cost: 0.0,
                });
            }
        }
        None
    }

    pub(super) fn table_plan(
        &self,
        table: usize,
        index: usize,
        path: AccessPath,
        rows: u64,
        parts: usize,
    ) -> TablePlan {
        TablePlan {
            table,
            index,
            path,
            backward: false,
            covering: self.covers(table, index),
            pushed: None,
            filter: None,
            rows,
            parts,
        }
    }

    /// The cheapest way to read a table once, after `before`.
    pub(super) fn cheapest(&self, table: usize, before: &BTreeSet<usize>) -> Priced {
        if let Some(forced) = self.forced(table) {
            return hint::forced(self, table, forced, before);
        }
        let mut ways: Vec<Priced> = Vec::new();
        for index in &self.candidates[table].indexes {
            ways.extend(self.by_index(table, *index, before));
        }
        if !self.candidates[table].forced || ways.is_empty() {
            ways.push(self.scan(table));
        }
        let best = ways
            .into_iter()
            .reduce(|best, next| if next.cost < best.cost { next } else { best });
        match best {
            Some(best) => best,
            None => self.scan(table),
        }
    }

    pub(super) fn forced(&self, table: usize) -> Option<&PlanHint> {
        hint::of_table(self.request, table)
    }

    /// The way through one index: `ref` if the conditions give it and no range is narrower.
    fn by_index(&self, table: usize, index: usize, before: &BTreeSet<usize>) -> Option<Priced> {
        let reference = match self.request.purpose {
            Purpose::Read => self.reference(table, index, before),
            Purpose::Update(_) | Purpose::Delete => None,
        };
        let range = self.range(table, index);
        match (reference, range) {
            (Some(reference), Some(range)) => {
                let narrower = range.table.parts > reference.table.parts
                    && range.cost <= reference.cost + self.row_cost();
                Some(if narrower { range } else { reference })
            }
            (reference, range) => reference.or(range),
        }
    }

    /// `ref` or `eq_ref` through an index.
    pub(super) fn reference(
        &self,
        table: usize,
        index: usize,
        before: &BTreeSet<usize>,
    ) -> Option<Priced> {
        let known = self.known(table, index, before);
        if known.is_empty() {
            return None;
        }
        let definition = &self.shape(table).indexes[index];
        let parts = known.len();
        let declared = definition.columns.len();
        let unique = definition.unique && parts >= declared;
        let definite = known.iter().take(declared).all(|known| !known.nullable);
        let constant = known.iter().all(|known| known.constant);
        let rows = if unique && definite {
            1
        } else if constant {
            self.rows_in(table, index, &[point_of(&known)])
        } else {
            self.rows_per_key(table, index, parts)
        };
        let used = if unique { declared } else { parts };
        let key: Vec<Expression> = known.into_iter().take(used).map(|k| k.value).collect();
        let path = if unique && definite {
            AccessPath::EqRef(key)
        } else {
            AccessPath::Ref(key)
        };
        Some(Priced {
            cost: self.reference_cost(table, index, rows),
            table: self.table_plan(table, index, path, rows, used),
        })
    }

    /// Rows with one key, as a guess where the key is not known before.
    fn rows_per_key(&self, table: usize, index: usize, parts: usize) -> u64 {
        let definition = &self.shape(table).indexes[index];
        if definition.unique && parts >= definition.columns.len() {
            return 1;
        }
        (self.row_count(table) / 10).max(1)
    }

    /// The ranges of an index.
    pub(super) fn range(&self, table: usize, index: usize) -> Option<Priced> {
        let IndexRanges { ranges, parts } = self.ranges(table, index)?;
        let rows = self.rows_in(table, index, &ranges);
        let whole = self.index_scan_is_cheaper(table, index, ranges.len() as u64, rows);
        let cost = self.read_cost(table, index, ranges.len() as u64, rows) + RANGE_OVERHEAD;
        let (path, parts) = if whole {
            (AccessPath::Index, 0)
        } else {
            (AccessPath::Range(ranges), parts)
        };
        Some(Priced {
            table: self.table_plan(table, index, path, rows, parts),
            cost,
        })
    }

    /// Whether a covering range costs more than a scan of its whole index.
    fn index_scan_is_cheaper(&self, table: usize, index: usize, ranges: u64, rows: u64) -> bool {
        if !self.covers(table, index) {
            return false;
        }
        let clustered = self.shape(table).indexes[index].clustered;
        let ordered = !self.request.order.is_empty();
        let few = rows <= FEW_ROWS;
        let singly = match self.request.profile.index_scan_for_range {
            IndexScanForRange::Never => return false,
            IndexScanForRange::FewClusteredRowsSingly => few && clustered,
            IndexScanForRange::FewRowsSingly => few,
            IndexScanForRange::FewSecondaryRowsSingly => few && !clustered && !ordered,
        };
        let pages = match (singly, clustered) {
            (false, _) => 1,
            (true, true) => rows,
            (true, false) => ranges + rows,
        };
        let range = pages as f64 * self.page_cost() + rows as f64 * self.row_cost();
        let scan = self.page_cost() + self.row_count(table) as f64 * self.row_cost();
        scan < range + RANGE_OVERHEAD
    }

    /// The price of reading the rows of one key: a page each, unless the index covers.
    fn reference_cost(&self, table: usize, index: usize, rows: u64) -> f64 {
        let pages = if self.covers(table, index) {
            1.0
        } else {
            rows as f64
        };
        pages * self.page_cost() + rows as f64 * self.row_cost()
    }

    /// The price of reading rows through an index.
    fn read_cost(&self, table: usize, index: usize, ranges: u64, rows: u64) -> f64 {
        let definition = &self.shape(table).indexes[index];
        let (ranges, rows) = (ranges as f64, rows as f64);
        let pages = if self.covers(table, index) && !definition.clustered {
            ranges
        } else if definition.clustered {
            if rows <= 2.0 { rows } else { ranges }
        } else {
            ranges + rows
        };
        pages * self.page_cost() + rows * self.row_cost()
    }

    /// The whole table, through a covering index if there is one.
    pub(super) fn scan(&self, table: usize) -> Priced {
        let shape = self.shape(table);
        let rows = self.row_count(table);
        let cost = self.page_cost() + rows as f64 * self.row_cost() + SCAN_OVERHEAD;
        let covering = self.candidates[table]
            .indexes
            .iter()
            .filter(|index| self.covers(table, **index))
            .min_by_key(|index| {
                let index = &shape.indexes[**index];
                (index.clustered, self.key_length(shape, &index.columns))
            });
        match covering {
            Some(index) => Priced {
                table: self.table_plan(table, *index, AccessPath::Index, rows, 0),
                cost: cost - SCAN_OVERHEAD,
            },
            None => {
                let mut plan = self.table_plan(table, 0, AccessPath::All, rows, 0);
                plan.covering = false;
                Priced { table: plan, cost }
            }
        }
    }

    fn key_length(&self, shape: &TableShape, columns: &[usize]) -> usize {
        columns
            .iter()
            .map(|column| shape.columns[*column].column_type.max_length())
            .sum()
    }
}

fn point_of(known: &[Known]) -> KeyRange {
    let key: Vec<Value> = known
        .iter()
        .map(|known| match &known.value {
            Expression::Constant(value) => value.clone(),
            _ => Value::Null,
        })
        .collect();
    KeyRange {
        lower: std::ops::Bound::Included(key.clone()),
        upper: std::ops::Bound::Included(key),
    }
}
