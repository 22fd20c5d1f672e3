//! The lock picture: locked records down, sessions across.
//!
//! ```text
//! events            a               b
//! (table)           IX              IX
//! PRIMARY 2         X record [1]
//! PRIMARY supremum                  X next-key [2]
//! [1] ... ; step 3 of: INSERT ...
//! ```
//! Each number leads to the statement that took the lock, and why. An asterisk marks a lock that is
//! waited for.

use std::collections::BTreeMap;

use gaplock_engine::db::{Engine, LockKey, LockKind, LockRow};
use gaplock_engine::types::Value;

use super::super::text;
use super::super::world::World;
use super::deadlock::why;

/// Where a record stands in its picture: table, index, and its place in the index.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    table: String,
    /// Position of the index in its table, from 1; 0 for the table itself.
    index: usize,
    supremum: bool,
    /// The key, so spelled that texts sort as the keys do.
    sort_key: Vec<String>,
    label: String,
}

/// The picture of all tables, or of one, as lines.
#[must_use]
pub fn picture(world: &World, sessions: &[String], table: Option<&str>) -> Vec<String> {
    let engine = &world.server().engine;
    let mut cells: BTreeMap<Place, Vec<Vec<String>>> = BTreeMap::new();
    let mut notes: Vec<String> = Vec::new();
    for lock in engine.locks() {
        let owner = world.owner(lock.trx);
        let column = sessions
            .iter()
            .position(|name| Some(name.as_str()) == owner);
        let (Some(column), true) = (column, table.is_none_or(|t| t == lock.table)) else {
            continue;
        };
        let cell = cell(&lock, &mut notes);
        let row = cells
            .entry(place(engine, &lock))
            .or_insert_with(|| vec![Vec::new(); sessions.len()]);
        if !row[column].contains(&cell) {
            row[column].push(cell);
        }
    }
    if cells.is_empty() {
        return vec!["no locks".to_owned()];
    }
    let mut lines = grid(sessions, &cells);
    for (number, note) in notes.iter().enumerate() {
        lines.push(format!("[{}] {note}", number + 1));
    }
    lines
}

fn cell(lock: &LockRow, notes: &mut Vec<String>) -> String {
    let waiting = if lock.waiting { "*" } else { "" };
    let mode = text::mode(lock);
    if matches!(lock.kind, LockKind::Table(_)) {
        return format!("{mode}{waiting}");
    }
    let note = why(lock);
    let number = notes.iter().position(|other| *other == note);
    let number = number.unwrap_or_else(|| {
        notes.push(note);
        notes.len() - 1
    });
    format!("{mode}{waiting} [{}]", number + 1)
}

fn place(engine: &Engine, lock: &LockRow) -> Place {
    let position = lock.index.as_deref().and_then(|name| {
        let table = engine.table(&lock.table)?;
        table.indexes.iter().position(|index| index.name == name)
    });
    let index = position.map_or(usize::from(lock.index.is_some()), |at| at + 1);
    let label = match (&lock.index, &lock.key) {
        (Some(name), Some(key)) => format!("{name} {}", text::record(engine, lock, key)),
        _ => "(table)".to_owned(),
    };
    Place {
        table: lock.table.clone(),
        index,
        supremum: lock.key == Some(LockKey::Supremum),
        sort_key: sort_key(lock),
        label,
    }
}

/// Numbers padded and negative ones complemented, so that they sort as numbers.
fn sort_key(lock: &LockRow) -> Vec<String> {
    const BIAS: i128 = 1 << 100;
    let number = |n: i128| format!("{:040}", n.saturating_add(BIAS));
    match &lock.key {
        Some(LockKey::Values(values)) => values
            .iter()
            .map(|value| match value {
                Value::Null => String::new(),
                Value::Int(n) => number(*n),
                other => other.to_text(),
            })
            .chain(lock.row_id.map(|row| number(i128::from(row))))
            .collect(),
        Some(LockKey::Supremum) | None => Vec::new(),
    }
}

fn grid(sessions: &[String], cells: &BTreeMap<Place, Vec<Vec<String>>>) -> Vec<String> {
    let mut rows: Vec<Vec<String>> = Vec::new();
    let mut last_table = None;
    for (place, columns) in cells {
        if last_table != Some(&place.table) {
            let names = sessions.iter().cloned();
            rows.push([place.table.clone()].into_iter().chain(names).collect());
            last_table = Some(&place.table);
        }
        let columns = columns.iter().map(|locks| locks.join(", "));
        rows.push([place.label.clone()].into_iter().chain(columns).collect());
    }
    let columns = sessions.len() + 1;
    let widths: Vec<usize> = (0..columns)
        .map(|at| {
            rows.iter()
                .map(|row| row[at].chars().count())
                .max()
                .unwrap_or(0)
        })
        .collect();
    rows.iter()
        .map(|row| {
            let padded = row
                .iter()
                .zip(&widths)
                .map(|(cell, width)| format!("{cell:width$}"));
            padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
        })
        .collect()
}
