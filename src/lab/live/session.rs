//! A session on the server: a connection of its own, and a thread that waits in it.

use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::{self, JoinHandle};

use mysql::consts::ColumnType;
use mysql::prelude::Queryable;
use mysql::{Conn, Row, Value};
use serde_json::Value as Json;

/// How a statement ended.
#[derive(Clone, Debug)]
pub(super) enum Answer {
    /// It changed so many rows.
    Affected(u64),
    /// It returned these rows.
    Rows(Vec<Vec<Json>>),
    /// The server refused or ended it.
    Failed {
        /// The error's number.
        code: u16,
        /// Its message.
        message: String,
    },
    /// The connection broke.
    Lost(String),
}

/// An answer, and whose it is.
#[derive(Debug)]
pub(super) struct Reply {
    /// The session.
    pub(super) session: String,
    /// How its statement ended.
    pub(super) answer: Answer,
}

/// One session.
pub(super) struct Seat {
    /// The server's number of the connection.
    pub(super) connection: u32,
    /// A statement was given and has not ended.
    pub(super) busy: bool,
    statements: Option<Sender<String>>,
    thread: Option<JoinHandle<()>>,
}

impl Seat {
    /// Seats a session at a connection; what it answers goes to `replies`.
    pub(super) fn new(name: &str, mut connection: Conn, replies: Sender<Reply>) -> Seat {
        let number = connection.connection_id();
        let (statements, given): (Sender<String>, Receiver<String>) = mpsc::channel();
        let session = name.to_owned();
        let thread = thread::spawn(move || {
            for sql in given {
                let reply = Reply {
                    session: session.clone(),
                    answer: run(&mut connection, &sql),
                };
                // Nobody listens any more: the case is over.
                if replies.send(reply).is_err() {
                    return;
                }
            }
        });
        Seat {
            connection: number,
            busy: false,
            statements: Some(statements),
            thread: Some(thread),
        }
    }

    /// Gives it a statement.
    pub(super) fn give(&mut self, sql: &str) {
        let statements = self.statements.as_ref();
        // Its thread ends only with its connection, and then its last answer says so.
        self.busy = statements.is_some_and(|s| s.send(sql.to_owned()).is_ok());
    }

    /// Waits until its thread has ended; whoever calls has seen to it that no statement waits.
    pub(super) fn join(&mut self) {
        self.statements = None;
        if let Some(thread) = self.thread.take() {
            // A panic in there has been reported by its hook.
            let _ = thread.join();
        }
    }
}

fn run(connection: &mut Conn, sql: &str) -> Answer {
    match answered(connection, sql) {
        Ok(answer) => answer,
        Err(mysql::Error::MySqlError(error)) => Answer::Failed {
            code: error.code,
            message: error.message,
        },
        Err(other) => Answer::Lost(other.to_string()),
    }
}

fn answered(connection: &mut Conn, sql: &str) -> Result<Answer, mysql::Error> {
    let mut result = connection.query_iter(sql)?;
    if result.columns().as_ref().is_empty() {
        return Ok(Answer::Affected(result.affected_rows()));
    }
    let mut rows = Vec::new();
    for row in result.by_ref() {
        rows.push(row_values(&row?));
    }
    Ok(Answer::Rows(rows))
}

fn row_values(row: &Row) -> Vec<Json> {
    let columns = row.columns_ref().iter().enumerate();
    columns
        .map(|(at, column)| {
            row.as_ref(at)
                .map_or(Json::Null, |v| json(v, column.column_type()))
        })
        .collect()
}

/// A value as recordings have it: whole numbers as numbers, all else as text.
fn json(value: &Value, column: ColumnType) -> Json {
    let whole = matches!(
        column,
        ColumnType::MYSQL_TYPE_TINY
            | ColumnType::MYSQL_TYPE_SHORT
            | ColumnType::MYSQL_TYPE_INT24
            | ColumnType::MYSQL_TYPE_LONG
            | ColumnType::MYSQL_TYPE_LONGLONG
    );
    match value {
        Value::NULL => Json::Null,
        Value::Bytes(bytes) => {
            let text = String::from_utf8_lossy(bytes).into_owned();
            let number = whole.then(|| serde_json::from_str(&text).ok()).flatten();
            number.unwrap_or(Json::String(text))
        }
        other => Json::String(other.as_sql(true)),
    }
}
