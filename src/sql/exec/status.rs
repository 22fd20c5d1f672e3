//! SHOW ENGINE INNODB STATUS: transactions, what they wait for, and the latest deadlock, readable.

use std::fmt::Write;

use gaplock_engine::db::{Deadlock, Engine, LockRow};
use gaplock_engine::types::Value;

use super::virtual_tables::{data, mode};
use crate::sql::session::StatementResult;

/// The one row of SHOW ENGINE INNODB STATUS.
pub(super) fn engine_status(engine: &Engine) -> StatementResult {
    let mut status = String::new();
    if let Some(deadlock) = engine.last_deadlock() {
        section(&mut status, "LATEST DETECTED DEADLOCK");
        describe_deadlock(&mut status, &deadlock);
    }
    section(&mut status, "TRANSACTIONS");
    for trx in engine.transactions() {
        let state = if trx.waiting { "LOCK WAIT" } else { "ACTIVE" };
        let _ = writeln!(
            status,
            "---TRANSACTION {}, {state}, {} lock struct(s), {} row lock(s), weight {}",
            trx.id.0, trx.lock_structs, trx.row_locks, trx.weight
        );
        if let Some(statement) = trx.statements.last() {
            let _ = writeln!(status, "{statement}");
        }
        if let Some(wanted) = engine.waiting_for(trx.id) {
            let _ = writeln!(status, "WAITING FOR {}", describe(&wanted));
        }
    }
    let row = vec![
        Value::Text("InnoDB".to_owned()),
        Value::Text(String::new()),
        Value::Text(status),
    ];
    StatementResult {
        rows: vec![row],
        columns: ["Type", "Name", "Status"].map(str::to_owned).to_vec(),
        ..StatementResult::default()
    }
}

// Writing to a String cannot fail: the results of `write!` are passed over here.

fn section(status: &mut String, title: &str) {
    let line = "-".repeat(title.len());
    let _ = writeln!(status, "{line}\n{title}\n{line}");
}

fn describe(lock: &LockRow) -> String {
    let mut text = format!("{} on {}", mode(lock), lock.table);
    if let Some(index) = &lock.index {
        let _ = write!(text, ".{index}");
    }
    if let Some(data) = data(lock) {
        let _ = write!(text, " at {data}");
    }
    if let Some(reason) = lock.reason {
        let _ = write!(text, " ({})", reason.text());
    }
    if let Some(statement) = &lock.statement {
        let _ = write!(text, ", by: {statement}");
    }
    text
}

fn describe_deadlock(status: &mut String, deadlock: &Deadlock) {
    for (number, member) in deadlock.members.iter().enumerate() {
        let number = number + 1;
        let _ = writeln!(
            status,
            "*** ({number}) TRANSACTION {}, weight {}",
            member.trx.0, member.weight
        );
        for statement in &member.statements {
            let _ = writeln!(status, "    {statement}");
        }
        let _ = writeln!(status, "*** ({number}) HOLDS THE LOCK(S)");
        for held in &member.holds {
            let _ = writeln!(status, "    {}", describe(held));
        }
        let _ = writeln!(
            status,
            "*** ({number}) WAITING FOR\n    {}\n    behind {} of transaction {}",
            describe(&member.wanted),
            describe(&member.blocked_by),
            member.blocked_by.trx.0
        );
    }
    if deadlock.too_deep {
        let _ = writeln!(status, "TOO DEEP OR LONG SEARCH IN THE WAITS-FOR GRAPH");
    }
    let _ = writeln!(status, "*** WE ROLL BACK TRANSACTION {}", deadlock.victim.0);
}
