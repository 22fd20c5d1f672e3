//! SQL without threads: two sessions, and this program decides who runs next.
//!
//! The same calls drive the lab. A session is a value: it can be cloned together with its server,
//! to try both ways of going on from here.
//!
//! ```text
//! cargo run --example sql_by_steps
//! ```

#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::error::Error;

use gaplock::{Server, Session, Step, engine::profile};

fn main() -> Result<(), Box<dyn Error>> {
    let profile = profile::find("mysql-8.0.30").ok_or("no such profile")?;
    let server = Server::in_memory(profile)?;
    let (mut a, mut b) = (Session::new(&server), Session::new(&server));
    for sql in [
        "CREATE TABLE t (id INT PRIMARY KEY, n INT)",
        "INSERT INTO t VALUES (1, 10), (2, 20)",
    ] {
        say(&server, "a", &mut a, sql)?;
    }
    say(&server, "a", &mut a, "BEGIN")?;
    say(&server, "a", &mut a, "UPDATE t SET n = 11 WHERE id = 1")?;
    say(
        &server,
        "b",
        &mut b,
        "SELECT * FROM t WHERE id = 1 FOR UPDATE",
    )?;

    // Both futures of this moment: a commits, or rolls back.
    for end in ["COMMIT", "ROLLBACK"] {
        let server = server.fork().ok_or("a database in memory can be forked")?;
        let (mut a, mut b) = (a.clone(), b.clone());
        println!("-- suppose a says {end}");
        say(&server, "a", &mut a, end)?;
        run(&server, "b", &mut b);
    }
    Ok(())
}

/// Gives a session a statement and runs it as far as it goes.
fn say(
    server: &Server,
    name: &str,
    session: &mut Session,
    sql: &str,
) -> Result<(), Box<dyn Error>> {
    println!("{name}> {sql}");
    session.submit(server, sql)?;
    run(server, name, session);
    Ok(())
}

/// Steps a session until its statement ends or waits.
fn run(server: &Server, name: &str, session: &mut Session) {
    loop {
        match session.step(server) {
            Step::Progress => {}
            Step::Wait(_) => return println!("{name}: waits"),
            Step::Finished(Ok(result)) if result.rows.is_empty() => {
                return println!("{name}: {} rows affected", result.affected);
            }
            Step::Finished(Ok(result)) => {
                for row in &result.rows {
                    let values: Vec<String> = row.iter().map(ToString::to_string).collect();
                    println!("{name}: {}", values.join(", "));
                }
                return;
            }
            Step::Finished(Err(error)) => return println!("{name}: {error}"),
        }
    }
}
