//! Locks and rows in the lab's words.

use gaplock_engine::db::{Engine, LockKey, LockKind, LockRow};
use gaplock_engine::types::Value;
use gaplock_lockmgr::LockSpan;

/// A row in parentheses: `(1, 'x', NULL)`.
#[must_use]
pub fn row(values: &[Value]) -> String {
    let fields: Vec<String> = values.iter().map(ToString::to_string).collect();
    format!("({})", fields.join(", "))
}

/// What a lock is, where: `X insert-intention on events.PRIMARY at supremum`.
#[must_use]
pub fn lock(engine: &Engine, lock: &LockRow) -> String {
    let mut text = format!("{} on {}", mode(lock), lock.table);
    if let Some(index) = &lock.index {
        text.push('.');
        text.push_str(index);
    }
    if let Some(key) = &lock.key {
        text.push_str(" at ");
        text.push_str(&record(engine, lock, key));
    }
    text
}

/// Strength and precision: `X next-key`, `IX`.
#[must_use]
pub fn mode(lock: &LockRow) -> String {
    match &lock.kind {
        LockKind::Table(mode) => mode.to_string(),
        LockKind::Record { mode, span } => format!("{mode} {span}"),
    }
}

/// The record's name: what tells it apart in its index, so the whole entry only where the index's
/// own columns do not.
#[must_use]
pub fn record(engine: &Engine, lock: &LockRow, key: &LockKey) -> String {
    match key {
        LockKey::Supremum => "supremum".to_owned(),
        LockKey::Values(values) => {
            let telling = telling_columns(engine, lock).unwrap_or(values.len());
            let fields = values[..telling.min(values.len())].iter();
            let mut fields: Vec<String> = fields.map(ToString::to_string).collect();
            if telling >= values.len() {
                fields.extend(lock.row_id.map(|row| format!("row {row}")));
            }
            match fields.as_slice() {
                [single] => single.clone(),
                several => format!("({})", several.join(", ")),
            }
        }
    }
}

/// How many of an entry's columns tell it apart; none when all of them are needed.
fn telling_columns(engine: &Engine, lock: &LockRow) -> Option<usize> {
    let table = engine.table(&lock.table)?;
    let name = lock.index.as_deref()?;
    let index = table.indexes.iter().find(|index| index.name == name)?;
    index.unique.then_some(index.columns.len())
}

/// A span in a word.
#[must_use]
pub fn span(span: LockSpan) -> &'static str {
    match span {
        LockSpan::Record => "record",
        LockSpan::Gap => "gap",
        LockSpan::NextKey => "next-key",
        LockSpan::InsertIntention => "insert-intention",
    }
}
