//! SQL from two threads: a deadlock, its victim's second attempt, and what the engine knows of it.
//!
//! ```text
//! cargo run --example sql
//! cargo run --example sql mysql-8.0.30
//! ```

#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::{error::Error, sync::Barrier, thread};

use gaplock::{
    Connection, Database, SqlError,
    engine::{db::Deadlock, profile},
};

/// MySQL's number of "Deadlock found when trying to get lock".
const ER_LOCK_DEADLOCK: u16 = 1213;

fn main() -> Result<(), Box<dyn Error>> {
    let name = std::env::args().nth(1);
    let name = name.as_deref().unwrap_or("mysql-5.7.37");
    let profile = profile::find(name).ok_or_else(|| format!("no profile {name:?}"))?;
    let database = Database::in_memory(profile)?;

    let mut connection = database.connect();
    connection.execute("CREATE TABLE accounts (id INT PRIMARY KEY, balance INT)")?;
    connection.execute("INSERT INTO accounts VALUES (1, 100), (2, 100)")?;

    // Both have taken from one account before either gives to the other.
    let both_have_one = Barrier::new(2);
    thread::scope(|scope| {
        let there = scope.spawn(|| transfer(&database, 1, 2, &both_have_one));
        let back = scope.spawn(|| transfer(&database, 2, 1, &both_have_one));
        [there, back].into_iter().try_for_each(|thread| {
            thread
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    })?;

    if let Some(deadlock) = database.server().engine.last_deadlock() {
        print_deadlock(&deadlock);
    }
    for row in connection.execute("SELECT * FROM accounts")?.rows {
        let values: Vec<String> = row.iter().map(|value| value.to_text()).collect();
        println!("account {}", values.join(" has "));
    }
    Ok(())
}

/// Moves 10 from one account to another, once more if it is chosen as a deadlock's victim.
fn transfer(
    database: &Database,
    from: i32,
    to: i32,
    both_have_one: &Barrier,
) -> Result<(), SqlError> {
    let mut connection = database.connect();
    let first = attempt(&mut connection, from, to, || {
        both_have_one.wait();
    });
    match first {
        Err(error) if error.code() == ER_LOCK_DEADLOCK => attempt(&mut connection, from, to, || ()),
        other => other,
    }
}

fn attempt(
    connection: &mut Connection,
    from: i32,
    to: i32,
    halfway: impl FnOnce(),
) -> Result<(), SqlError> {
    let take = format!("UPDATE accounts SET balance = balance - 10 WHERE id = {from}");
    let give = format!("UPDATE accounts SET balance = balance + 10 WHERE id = {to}");
    connection.execute("BEGIN")?;
    connection.execute(&take)?;
    halfway();
    connection.execute(&give)?;
    connection.execute("COMMIT")?;
    Ok(())
}

/// The cycle, and why each lock in it was taken: also those of earlier statements.
fn print_deadlock(deadlock: &Deadlock) {
    for part in &deadlock.members {
        let victim = part.trx == deadlock.victim;
        let fate = if victim { ", the victim" } else { "" };
        println!("transaction {}{fate}", part.trx.0);
        if let Some(statement) = &part.wanted.statement {
            println!("  waits in   {statement}");
        }
        let lock = &part.blocked_by;
        if let (Some(statement), Some(reason)) = (&lock.statement, lock.reason) {
            println!(
                "  behind a lock that transaction {} took in {statement}",
                lock.trx.0
            );
            println!("    because: {}", reason.text());
        }
    }
}
