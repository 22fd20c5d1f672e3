//! Which indexes hints leave over.

use super::{Request, RequestTable};
use crate::sql::ast::HintKind;
use crate::sql::error::{ErrorKind, SqlError};

/// The indexes that may be used for a table.
#[derive(Clone, Debug)]
pub(super) struct Candidates {
    /// By their place in the table.
    pub(super) indexes: Vec<usize>,
    /// FORCE INDEX: a scan of the table counts as infinitely expensive.
    pub(super) forced: bool,
}

/// The candidates of each table.
///
/// # Errors
/// When a hint names no index of its table.
pub(super) fn of_tables(request: &Request<'_>) -> Result<Vec<Candidates>, SqlError> {
    request.tables.iter().map(of_table).collect()
}

fn of_table(table: &RequestTable<'_>) -> Result<Candidates, SqlError> {
    let shape = table.shape;
    let named: Vec<usize> = (0..shape.indexes.len())
        .filter(|index| !shape.indexes[*index].columns.is_empty())
        .collect();
    let mut chosen: Vec<usize> = Vec::new();
    let mut ignored: Vec<usize> = Vec::new();
    let (mut restricts, mut forced) = (false, false);
    for hint in table.hints {
        for name in &hint.indexes {
            let index = shape
                .index(&name.text)
                .filter(|index| named.contains(index));
            let Some(index) = index else {
                let known: Vec<&str> = named
                    .iter()
                    .map(|at| shape.indexes[*at].name.as_str())
                    .collect();
                return Err(SqlError {
                    kind: ErrorKind::NoSuchKey {
                        key: name.text.clone(),
                        table: shape.name.clone(),
                    },
                    position: Some(name.position),
                    advice: Some(format!("the keys are {}", known.join(", "))),
                });
            };
            match hint.kind {
                HintKind::Ignore => ignored.push(index),
                HintKind::Force | HintKind::Use => chosen.push(index),
            }
        }
        restricts |= hint.kind != HintKind::Ignore;
        forced |= hint.kind == HintKind::Force;
    }
    let indexes = named
        .into_iter()
        .filter(|index| !ignored.contains(index) && (!restricts || chosen.contains(index)))
        .collect();
    Ok(Candidates { indexes, forced })
}
