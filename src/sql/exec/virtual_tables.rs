//! Tables that show the engine's state: `performance_schema.data_locks` and `data_lock_waits`,
//! `information_schema.innodb_trx`.

use std::sync::Arc;

use gaplock_engine::db::{Engine, LockKey, LockKind, LockRow};
use gaplock_engine::types::{Collation, ColumnType, Value};
use gaplock_lockmgr::{LockSpan, TableMode};

use crate::sql::plan::{ColumnShape, IndexShape, TableShape};

/// Their columns; text unless the name says otherwise.
const TABLES: &[(&str, &str, &[&str])] = &[
    (
        "performance_schema",
        "data_locks",
        &[
            "ENGINE_TRANSACTION_ID",
            "OBJECT_NAME",
            "INDEX_NAME",
            "LOCK_TYPE",
            "LOCK_MODE",
            "LOCK_STATUS",
            "LOCK_DATA",
            "STATEMENT",
            "STEP",
            "REASON",
        ],
    ),
    (
        "performance_schema",
        "data_lock_waits",
        &[
            "REQUESTING_ENGINE_TRANSACTION_ID",
            "BLOCKING_ENGINE_TRANSACTION_ID",
            "OBJECT_NAME",
            "INDEX_NAME",
            "REQUESTED_LOCK_MODE",
            "BLOCKING_LOCK_MODE",
            "LOCK_DATA",
        ],
    ),
    (
        "information_schema",
        "innodb_trx",
        &[
            "trx_id",
            "trx_state",
            "trx_weight",
            "trx_query",
            "trx_lock_structs",
            "trx_rows_locked",
        ],
    ),
];

const NUMBERS: &[&str] = &[
    "ENGINE_TRANSACTION_ID",
    "REQUESTING_ENGINE_TRANSACTION_ID",
    "BLOCKING_ENGINE_TRANSACTION_ID",
    "STEP",
    "trx_id",
    "trx_weight",
    "trx_lock_structs",
    "trx_rows_locked",
];

/// The shape of such a table.
pub(crate) fn shape(schema: &str, name: &str) -> Option<Arc<TableShape>> {
    let (_, name, columns) = TABLES.iter().find(|(known_schema, known, _)| {
        known_schema.eq_ignore_ascii_case(schema) && known.eq_ignore_ascii_case(name)
    })?;
    let column = |name: &&str| ColumnShape {
        name: (*name).to_owned(),
        column_type: if NUMBERS.contains(name) {
            ColumnType::Int {
                bytes: 8,
                unsigned: true,
            }
        } else {
            ColumnType::VarChar {
                characters: 1024,
                collation: Collation::Utf8Mb4NoPad,
            }
        },
        nullable: true,
    };
    Some(Arc::new(TableShape {
        name: (*name).to_owned(),
        columns: columns.iter().map(column).collect(),
        indexes: vec![IndexShape {
            name: "GEN_CLUST_INDEX".to_owned(),
            columns: Vec::new(),
            all_columns: Vec::new(),
            unique: true,
            clustered: true,
        }],
    }))
}

/// The rows of such a table, as things stand.
pub(crate) fn rows(engine: &Engine, _schema: &str, name: &str) -> Vec<Vec<Value>> {
    match name {
        "data_locks" => engine.listed_locks().iter().map(lock).collect(),
        "data_lock_waits" => engine
            .lock_waits()
            .iter()
            .map(|wait| {
                vec![
                    id(wait.wanted.trx.0),
                    id(wait.blocking.trx.0),
                    text(&wait.wanted.table),
                    optional(wait.wanted.index.as_deref()),
                    text(&mode(&wait.wanted)),
                    text(&mode(&wait.blocking)),
                    optional(data(&wait.wanted).as_deref()),
                ]
            })
            .collect(),
        _ => engine
            .transactions()
            .iter()
            .map(|trx| {
                vec![
                    id(trx.id.0),
                    text(if trx.waiting { "LOCK WAIT" } else { "RUNNING" }),
                    id(trx.weight),
                    optional(trx.statements.last().map(|statement| &**statement)),
                    id(trx.lock_structs as u64),
                    id(trx.row_locks as u64),
                ]
            })
            .collect(),
    }
}

fn lock(lock: &LockRow) -> Vec<Value> {
    let kind = match lock.kind {
        LockKind::Table(_) => "TABLE",
        LockKind::Record { .. } => "RECORD",
    };
    vec![
        id(lock.trx.0),
        text(&lock.table),
        optional(lock.index.as_deref()),
        text(kind),
        text(&mode(lock)),
        text(if lock.waiting { "WAITING" } else { "GRANTED" }),
        optional(data(lock).as_deref()),
        optional(lock.statement.as_deref()),
        id(u64::from(lock.step)),
        optional(lock.reason.map(|reason| reason.text())),
    ]
}

/// A lock's mode in the words of `data_locks`.
pub(super) fn mode(lock: &LockRow) -> String {
    match lock.kind {
        LockKind::Table(TableMode::AutoInc) => "AUTO_INC".to_owned(),
        LockKind::Table(mode) => format!("{mode:?}"),
        LockKind::Record { mode, span } => {
            let supremum = matches!(lock.key, Some(LockKey::Supremum));
            let span = match span {
                LockSpan::NextKey => "",
                LockSpan::Record => ",REC_NOT_GAP",
                LockSpan::Gap if supremum => "",
                LockSpan::Gap => ",GAP",
                LockSpan::InsertIntention if supremum => ",INSERT_INTENTION",
                LockSpan::InsertIntention => ",GAP,INSERT_INTENTION",
            };
            format!("{mode:?}{span}")
        }
    }
}

/// The record that a lock is on.
pub(super) fn data(lock: &LockRow) -> Option<String> {
    match lock.key.as_ref()? {
        LockKey::Supremum => Some("supremum pseudo-record".to_owned()),
        LockKey::Values(values) => {
            let mut parts: Vec<String> = values.iter().map(Value::to_string).collect();
            parts.extend(lock.row_id.map(|row_id| format!("0x{row_id:012X}")));
            Some(parts.join(", "))
        }
    }
}

fn id(number: u64) -> Value {
    Value::Int(i128::from(number))
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

fn optional(found: Option<&str>) -> Value {
    found.map_or(Value::Null, text)
}
