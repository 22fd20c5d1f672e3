//! Conditions: on an index, mostly, and on the rest of a row.

use super::shape::{Column, ColumnKind, Index, Table};
use crate::lab::chance::Chance;

/// Which rows a statement is about.
pub(super) struct Condition {
    /// The index that it is made for; none for a condition on no index.
    pub(super) index: Option<usize>,
    /// SQL, without WHERE.
    pub(super) sql: String,
}

/// A condition on some index of the table, or on none.
pub(super) fn condition(table: &Table, chance: &mut Chance) -> Condition {
    let indexes = table.indexes.len() as u64;
    if indexes == 0 || chance.percent(6) {
        return Condition {
            index: None,
            sql: unindexed(table, chance),
        };
    }
    let at = chance.below(indexes) as usize;
    let index = &table.indexes[at];
    let mut sql = on_index(table, index, chance);
    if chance.percent(15) {
        let column = last_column(table);
        if !index.columns.contains(&column) && column > 0 {
            let rest = comparison(table, &table.columns[column], chance);
            sql = format!("{sql} AND {rest}");
        }
    }
    Condition {
        index: Some(at),
        sql,
    }
}

/// The last column that can be compared.
fn last_column(table: &Table) -> usize {
    let comparable = |at: &usize| table.columns[*at].kind != ColumnKind::Payload;
    (0..table.columns.len()).rev().find(comparable).unwrap_or(0)
}

fn unindexed(table: &Table, chance: &mut Chance) -> String {
    let column = table.columns[last_column(table)];
    if column.kind == ColumnKind::Number && chance.percent(50) {
        let value = chance.below(table.largest + 1);
        return format!("{}+0={value}", column.name);
    }
    comparison(table, &column, chance)
}

fn on_index(table: &Table, index: &Index, chance: &mut Chance) -> String {
    let mut parts = Vec::new();
    // All columns but the last are compared with one value each.
    let used = chance.between(1, index.columns.len() as u64) as usize;
    for (place, at) in index.columns[..used].iter().enumerate() {
        let column = &table.columns[*at];
        parts.push(if place + 1 < used {
            format!("{}={}", column.name, literal(table, column, chance))
        } else {
            comparison(table, column, chance)
        });
    }
    parts.join(" AND ")
}

/// A literal that is not NULL and costs little room.
pub(super) fn literal(table: &Table, column: &Column, chance: &mut Chance) -> String {
    let solid = Column {
        nullable: false,
        ..*column
    };
    table.value(&solid, chance)
}

fn comparison(table: &Table, column: &Column, chance: &mut Chance) -> String {
    let name = column.name;
    let mut value = || literal(table, column, chance);
    let (first, second) = (value(), value());
    let (low, high) = ordered(&first, &second);
    chance
        .weighted(&[
            (10, 0),
            (2, 1),
            (2, 2),
            (2, 3),
            (2, 4),
            (3, 5),
            (2, 6),
            (u64::from(column.nullable), 7),
        ])
        .to_comparison(name, low, high)
}

trait ToComparison {
    fn to_comparison(self, name: &str, low: &str, high: &str) -> String;
}

impl ToComparison for u64 {
    fn to_comparison(self, name: &str, low: &str, high: &str) -> String {
        match self {
            0 => format!("{name}={low}"),
            1 => format!("{name}<{low}"),
            2 => format!("{name}<={low}"),
            3 => format!("{name}>{low}"),
            4 => format!("{name}>={low}"),
            5 => format!("{name} BETWEEN {low} AND {high}"),
            6 => format!("{name} IN ({low},{high})"),
            _ => format!("{name} IS NULL"),
        }
    }
}

/// The smaller first; numbers by their size, other literals by their text.
fn ordered<'a>(first: &'a str, second: &'a str) -> (&'a str, &'a str) {
    let swap = match (first.parse::<u64>(), second.parse::<u64>()) {
        (Ok(first), Ok(second)) => first > second,
        _ => first.to_lowercase() > second.to_lowercase(),
    };
    if swap {
        (second, first)
    } else {
        (first, second)
    }
}
