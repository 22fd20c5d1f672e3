//! SQL over an embedded engine that takes InnoDB's locks, release by release; and a lab that plays,
//! explains and explores deadlocks.
//!
//! A [`Database`] has the locks of one **profile**, such as `mysql-5.6` or `mariadb-10.11`: which
//! statements wait for each other, who is granted first, and who is a deadlock's victim are that
//! release's. [`Connection`]s take SQL and may be used from as many threads.
//!
//! ```
//! use gaplock::{Database, engine::profile};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let profile = profile::find("mysql-5.7.37").ok_or("no such profile")?;
//! let database = Database::in_memory(profile)?;
//! let mut connection = database.connect();
//! connection.execute("CREATE TABLE events (id BIGINT AUTO_INCREMENT PRIMARY KEY, k INT UNIQUE, n INT)")?;
//! connection.execute("INSERT INTO events (k, n) VALUES (10, 0), (20, 0)")?;
//!
//! connection.execute("BEGIN")?;
//! connection.execute("INSERT INTO events (k, n) VALUES (20, 1) ON DUPLICATE KEY UPDATE n = n + 1")?;
//!
//! // What it holds now, and why. The last lock is the surprise: the end of the primary key.
//! for lock in database.server().engine.locks() {
//!     if let (Some(index), Some(reason)) = (&lock.index, lock.reason) {
//!         eprintln!("{index}: {:?}, {}", lock.kind, reason.text());
//!     }
//! }
//! # let supremum = Some(gaplock::engine::db::LockKey::Supremum);
//! # assert!(database.server().engine.locks().iter().any(|lock| lock.key == supremum));
//! connection.execute("COMMIT")?;
//! # Ok(())
//! # }
//! ```
//!
//! # Threads, or steps
//!
//! A connection's thread sleeps while its statement waits for a lock. Underneath is a [`Session`],
//! which never sleeps: [`Session::submit`] gives it a statement, and each [`Session::step`] makes
//! one mini-transaction of it, or says that it waits. Whoever drives sessions that way decides who
//! runs next, and gets the same every time. That is how the [`lab`] works.
//!
//! # The layers
//!
//! | where | what |
//! |---|---|
//! | [`lab`] | scenarios, exploration, recordings of real servers, load |
//! | [`sql`] | text to steps: parser, binder, planner, statements, sessions |
//! | [`engine`] | rows without SQL: pages, undo, row operations, profiles |
//! | [`lockmgr`] | the lock table |
//!
//! Each layer uses those below it only. The last two are crates of their own, `gaplock-engine` and
//! `gaplock-lockmgr`, for those who need no more.

pub mod lab;
pub mod sql;

pub use gaplock_engine as engine;
pub use gaplock_lockmgr as lockmgr;

pub use sql::{Connection, Database, Server, Session, SqlError, StatementResult, Step, WaitFor};
