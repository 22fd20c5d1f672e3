//! The blocking face of the library: a database, and connections that threads may use.
//!
//! A connection is a loop over [`Session::step`] that sleeps where the session waits. Time is real
//! here, so this is the one module that looks at a clock.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use gaplock_engine::db::{Durability, EngineConfig};
use gaplock_engine::error::StoreError;
use gaplock_engine::profile::Profile;
use gaplock_wal::{Disk, FileDisk, MemoryDisk};

use super::background::Background;
use super::error::SqlError;
use super::server::Server;
use super::session::{Session, StatementResult, Step, WaitFor};

/// How long a thread sleeps at most before it looks at the clock again.
const PATIENCE: Duration = Duration::from_millis(100);

/// The same where deadlocks are looked for in the background, which the waiting threads do.
const SWEEP_PATIENCE: Duration = Duration::from_millis(5);

/// A database that threads share.
#[derive(Clone, Debug)]
pub struct Database {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    server: Arc<Server>,
    started: Instant,
    background: Background,
}

/// A client of a [`Database`]; what it has not committed is rolled back when it goes.
#[derive(Debug)]
pub struct Connection {
    shared: Arc<Shared>,
    session: Option<Session>,
}

impl Database {
    /// A new database in memory.
    ///
    /// # Errors
    /// When there is no memory or no thread for it.
    pub fn in_memory(profile: Profile) -> Result<Database, SqlError> {
        Database::with_config(
            EngineConfig::for_threads(profile),
            Arc::new(MemoryDisk::new()),
        )
    }

    /// Opens the database in a directory, or creates one there. Each commit is durable when it returns;
    /// what had not committed when the database was last in use is rolled back.
    ///
    /// # Errors
    /// When files cannot be read or written, are damaged or of a newer format, or another process has
    /// the database open.
    pub fn open(directory: &Path, profile: Profile) -> Result<Database, SqlError> {
        let disk = FileDisk::open(directory).map_err(StoreError::from)?;
        let durability = Durability {
            identity: new_identity(),
            ..Durability::default()
        };
        let config = EngineConfig::for_threads(profile).durable(durability);
        Database::with_config(config, Arc::new(disk))
    }

    /// Opens or creates a database with settings of one's own.
    ///
    /// # Errors
    /// As [`Self::open`].
    #[expect(clippy::disallowed_methods, reason = "time is real here")]
    pub fn with_config(config: EngineConfig, disk: Arc<dyn Disk>) -> Result<Database, SqlError> {
        let server = Arc::new(Server::open(config, disk)?);
        let background = Background::start(&server).map_err(|error| StoreError::NoThread {
            what: error.to_string(),
        })?;
        let shared = Arc::new(Shared {
            server,
            started: Instant::now(),
            background,
        });
        Ok(Database { shared })
    }

    /// Makes everything that was committed durable, and writes it to its place: the next opening has
    /// next to nothing to do. Commits are durable without it, as far as the flush policy promises.
    ///
    /// # Errors
    /// When files cannot be written.
    pub fn checkpoint(&self) -> Result<(), SqlError> {
        Ok(self.shared.server.engine.checkpoint()?)
    }

    /// A new connection.
    #[must_use]
    pub fn connect(&self) -> Connection {
        Connection {
            shared: Arc::clone(&self.shared),
            session: Some(Session::new(&self.shared.server)),
        }
    }

    /// The server behind it: locks, deadlocks, transactions.
    #[must_use]
    pub fn server(&self) -> &Server {
        &self.shared.server
    }
}

impl Drop for Shared {
    /// The last user is gone: every transaction has ended.
    fn drop(&mut self) {
        self.background.end();
        // Nobody is left to be told of an error, and nothing is lost by it: the next opening recovers.
        let _ = self.server.engine.close();
    }
}

impl Shared {
    /// Microseconds since the database was opened.
    fn now(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX)
    }
}

impl Connection {
    /// Runs a statement to its end, sleeping while it waits for locks.
    ///
    /// # Errors
    /// Those of the statement.
    pub fn execute(&mut self, sql: &str) -> Result<StatementResult, SqlError> {
        let shared = Arc::clone(&self.shared);
        let server = &shared.server;
        let Some(session) = &mut self.session else {
            return Err(super::error::ErrorKind::OutOfSync.into());
        };
        server.engine.set_time(shared.now());
        session.submit(server, sql)?;
        loop {
            match session.step(server) {
                Step::Progress => {}
                Step::Wait(what) => sleep(&shared, session, &what),
                Step::Finished(result) => {
                    if !session.in_transaction() {
                        shared.background.wake();
                    }
                    return result;
                }
            }
        }
    }

    /// The session, for what it shows of itself.
    #[must_use]
    pub fn session(&self) -> Option<&Session> {
        self.session.as_ref()
    }
}

/// A number that no other database is likely to have.
#[expect(clippy::disallowed_methods, reason = "not part of any answer")]
fn new_identity() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let nanos = since.map_or(0, |since| since.as_nanos() as u64);
    nanos ^ u64::from(std::process::id()).rotate_left(48)
}

/// Sleeps until the session may go on, or its time is up.
fn sleep(shared: &Shared, session: &Session, what: &WaitFor) {
    let server = &shared.server;
    let background = server.engine.detects_in_background();
    if background {
        server.engine.sweep_deadlocks();
    }
    let patience = if background { SWEEP_PATIENCE } else { PATIENCE };
    match what {
        WaitFor::Lock => {
            server.engine.park(session.transaction(), patience);
        }
        WaitFor::Metadata(_) => server.mdl.park(session.id(), patience),
    }
    server.expire(shared.now());
}

impl Drop for Connection {
    fn drop(&mut self) {
        if let Some(session) = self.session.take() {
            // Nobody is left to be told that pages could not be read.
            let _ = session.close(&self.shared.server);
        }
    }
}

#[cfg(test)]
mod tests {
    use gaplock_engine::profile;
    use gaplock_engine::types::Value;

    use super::*;

    /// Threads that move amounts between rows in opposite orders: deadlocks end, and nothing is lost.
    #[test]
    fn threads_wait_and_deadlocks_end() {
        for name in ["mysql-5.6", "mysql-8.4", "mariadb-10.11"] {
            let profile = profile::find(name).expect("a profile");
            let database = Database::in_memory(profile).expect("a database");
            let mut setup = database.connect();
            for sql in [
                "CREATE TABLE t(id INT PRIMARY KEY, n INT)",
                "INSERT INTO t VALUES (1,100),(2,100),(3,100)",
            ] {
                setup.execute(sql).expect(sql);
            }
            std::thread::scope(|scope| {
                for thread in 0..4 {
                    let database = database.clone();
                    scope.spawn(move || {
                        let mut connection = database.connect();
                        for round in 0..20 {
                            transfer(&mut connection, thread, round);
                        }
                    });
                }
            });
            let total = setup
                .execute("SELECT SUM(n), COUNT(*) FROM t")
                .expect("a sum");
            assert_eq!(total.rows, [[Value::Int(300), Value::Int(3)]], "{name}");
            assert!(database.server().engine.check().is_ok(), "{name}");
        }
    }

    fn transfer(connection: &mut Connection, thread: usize, round: usize) {
        let from = (thread + round) % 3 + 1;
        let to = (thread * 2 + round + 1) % 3 + 1;
        for sql in [
            "BEGIN".to_owned(),
            format!("UPDATE t SET n=n-1 WHERE id={from}"),
            format!("UPDATE t SET n=n+1 WHERE id={to}"),
            "COMMIT".to_owned(),
        ] {
            match connection.execute(&sql) {
                Ok(_) => {}
                Err(error) if error.code() == 1213 => {
                    connection.execute("ROLLBACK").expect("a rollback");
                    return;
                }
                Err(error) => panic!("{sql}: {error}"),
            }
        }
    }
}
