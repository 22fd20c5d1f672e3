//! A real server: connections, a database of our own, and what it says about itself.
//!
//! V1. Everything happens in two databases whose names begin with [`SCHEMA_PREFIX`] and end with
//!     the number of this process. They are created here, never taken over, and dropped at the end.
//! V2. No statement of a case is sent that the engine's own grammar does not know: nothing there
//!     names another database, an account or a file.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use gaplock_engine::profile;
use mysql::prelude::{FromRow, Queryable};
use mysql::{Conn, Opts, OptsBuilder, Row};

use super::error::LiveError;
use super::keys::IndexColumn;
use super::locks::DataLock;
use super::status::{self, Report, StatusTrx};
use crate::sql::parse::parse;

/// What the names of our databases begin with.
pub const SCHEMA_PREFIX: &str = "gaplock_live_";

/// A real server.
pub struct LiveServer {
    options: Opts,
    pub(super) admin: Conn,
    /// The release, as the server names it.
    version: String,
    /// The profile that it is compared with.
    profile: String,
    /// The database of the cases.
    pub(super) schema: String,
    /// The database of our own tables.
    pub(super) own: String,
    /// It lists its locks in `performance_schema.data_locks`.
    pub(super) lists_data_locks: bool,
    stop: Arc<AtomicBool>,
}

impl LiveServer {
    /// Connects; `profile` overrides what the release says. Once `stop` is set, playing ends with
    /// [`LiveError::Interrupted`].
    ///
    /// # Errors
    /// No connection, an unknown release, a missing privilege, or a database of our name.
    pub fn connect(
        url: &str,
        profile: Option<&str>,
        stop: Arc<AtomicBool>,
    ) -> Result<LiveServer, LiveError> {
        let options = options(url)?;
        let mut admin = open(&options)?;
        let version: String = single(&mut admin, "SELECT VERSION()")?;
        let profile = match profile {
            Some(name) => name.to_owned(),
            None => profile::for_release(&version)
                .ok_or_else(|| LiveError::UnknownRelease {
                    version: version.clone(),
                })?
                .to_owned(),
        };
        let data_locks: u64 = single(
            &mut admin,
            "SELECT COUNT(*) FROM information_schema.TABLES \
             WHERE TABLE_SCHEMA = 'performance_schema' AND TABLE_NAME = 'data_locks'",
        )?;
        let schema = format!("{SCHEMA_PREFIX}{}", std::process::id());
        let mut server = LiveServer {
            options,
            admin,
            version,
            profile,
            own: format!("{schema}_own"),
            schema,
            lists_data_locks: data_locks > 0,
            stop,
        };
        server.report()?;
        // Newer servers explain as trees; older ones do not know the setting.
        let _ = server.run("SET SESSION explain_format = 'TRADITIONAL'");
        server.make_locks_listed()?;
        server.create_own()?;
        Ok(server)
    }

    /// The release, as the server names it.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The profile that it is compared with.
    #[must_use]
    pub fn profile(&self) -> &str {
        &self.profile
    }

    /// Drops our databases.
    ///
    /// # Errors
    /// The server does not do it.
    pub fn close(mut self) -> Result<(), LiveError> {
        let dropped = self.drop_schema(&self.schema.clone());
        self.drop_schema(&self.own.clone()).and(dropped)
    }

    /// Whether to go on.
    pub(super) fn check_stop(&self) -> Result<(), LiveError> {
        if self.stop.load(Ordering::Relaxed) {
            return Err(LiveError::Interrupted);
        }
        Ok(())
    }

    /// Runs a statement of our own.
    pub(super) fn run(&mut self, sql: &str) -> Result<(), LiveError> {
        self.admin
            .query_drop(sql)
            .map_err(|error| LiveError::of(sql, &error))
    }

    /// A connection to the cases' database that waits for locks as long as it takes.
    pub(super) fn session(&self) -> Result<Conn, LiveError> {
        let mut connection = open(&self.options)?;
        let prepare = [
            format!("USE {}", self.schema),
            "SET SESSION innodb_lock_wait_timeout = 3600".to_owned(),
            "SET SESSION lock_wait_timeout = 3600".to_owned(),
        ];
        for sql in prepare {
            connection
                .query_drop(&sql)
                .map_err(|error| LiveError::of(&sql, &error))?;
        }
        Ok(connection)
    }

    /// The transactions that have locks or wait: those of the status, and those that only read,
    /// which the status of servers with `data_locks` leaves out.
    pub(super) fn transactions(&mut self) -> Result<Report, LiveError> {
        let mut report = self.report()?;
        if !self.lists_data_locks {
            return Ok(report);
        }
        // Only a transaction's own thread makes table locks; records' locks may be made by others.
        let rows: Vec<(u64, String, String, Option<u32>)> = self.rows(
            "SELECT l.ENGINE_TRANSACTION_ID, l.LOCK_TYPE, l.LOCK_STATUS, t.PROCESSLIST_ID \
             FROM performance_schema.data_locks l \
             LEFT JOIN performance_schema.threads t ON t.THREAD_ID = l.THREAD_ID \
             WHERE l.LOCK_TYPE = 'TABLE' OR l.LOCK_STATUS = 'WAITING'",
        )?;
        for (id, kind, status, connection) in rows {
            let known = report.trxs.iter().position(|trx| trx.id == id);
            let at = known.unwrap_or_else(|| {
                report.trxs.push(StatusTrx {
                    id,
                    ..StatusTrx::default()
                });
                report.trxs.len() - 1
            });
            let trx = &mut report.trxs[at];
            trx.waiting |= status == "WAITING";
            if kind == "TABLE" {
                trx.connection = trx.connection.or(connection);
            }
        }
        Ok(report)
    }

    /// The status of InnoDB's transactions.
    pub(super) fn report(&mut self) -> Result<Report, LiveError> {
        let sql = "SHOW ENGINE INNODB STATUS";
        let row: Option<(String, String, String)> = self
            .admin
            .query_first(sql)
            .map_err(|error| LiveError::of(sql, &error))?;
        let (_, _, text) = row.ok_or_else(|| LiveError::Status {
            what: "there is none: is InnoDB there?".to_owned(),
        })?;
        status::parse(&text)
    }

    /// The connections that wait for a metadata lock.
    pub(super) fn metadata_waiters(&mut self) -> Result<Vec<u32>, LiveError> {
        let sql = "SHOW PROCESSLIST";
        let rows: Vec<Row> = self.rows(sql)?;
        let waits = |row: &Row| {
            let state: Option<Option<String>> = row.get("State");
            state
                .flatten()
                .is_some_and(|s| s.starts_with("Waiting for ") && s.contains("lock"))
        };
        Ok(rows
            .iter()
            .filter(|row| waits(row))
            .filter_map(|row| row.get("Id"))
            .collect())
    }

    /// Who waits for whom, by transaction; only where the server lists it without a cache.
    pub(super) fn edges(&mut self) -> Result<Vec<(u64, u64)>, LiveError> {
        if !self.lists_data_locks {
            return Ok(Vec::new());
        }
        self.rows(
            "SELECT REQUESTING_ENGINE_TRANSACTION_ID, BLOCKING_ENGINE_TRANSACTION_ID \
             FROM performance_schema.data_lock_waits",
        )
    }

    /// `performance_schema.data_locks` of one of our databases.
    pub(super) fn data_locks(&mut self, schema: &str) -> Result<Vec<DataLock>, LiveError> {
        type Columns = (u64, String, Option<String>, String, String, Option<String>);
        let sql = format!(
            "SELECT ENGINE_TRANSACTION_ID, OBJECT_NAME, INDEX_NAME, LOCK_MODE, LOCK_STATUS, \
             LOCK_DATA FROM performance_schema.data_locks WHERE OBJECT_SCHEMA = '{schema}'"
        );
        let rows: Vec<Columns> = self.rows(&sql)?;
        let lock = |(trx, table, index, mode, status, data): Columns| DataLock {
            trx,
            table,
            index,
            mode,
            status,
            data,
        };
        Ok(rows.into_iter().map(lock).collect())
    }

    /// The tables of the cases' database, and the columns of their indexes.
    pub(super) fn catalog(&mut self) -> Result<(Vec<String>, Vec<IndexColumn>), LiveError> {
        type Columns = (
            String,
            String,
            String,
            u64,
            String,
            Option<u64>,
            String,
            String,
        );
        let tables = self.rows(&format!(
            "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = '{}'",
            self.schema
        ))?;
        let rows: Vec<Columns> = self.rows(&format!(
            "SELECT s.TABLE_NAME, s.INDEX_NAME, s.COLUMN_NAME, s.NON_UNIQUE, c.IS_NULLABLE, \
             s.SUB_PART, c.DATA_TYPE, c.COLUMN_TYPE \
             FROM information_schema.STATISTICS s JOIN information_schema.COLUMNS c \
             ON c.TABLE_SCHEMA = s.TABLE_SCHEMA AND c.TABLE_NAME = s.TABLE_NAME \
             AND c.COLUMN_NAME = s.COLUMN_NAME WHERE s.TABLE_SCHEMA = '{}' \
             ORDER BY s.TABLE_NAME, s.NON_UNIQUE, s.INDEX_NAME, s.SEQ_IN_INDEX",
            self.schema
        ))?;
        let column = |row: Columns| IndexColumn {
            table: row.0,
            index: row.1,
            column: row.2,
            unique: row.3 == 0,
            nullable: row.4 == "YES",
            prefix: row.5.is_some(),
            kind: row.6,
            full_kind: row.7,
        };
        Ok((tables, rows.into_iter().map(column).collect()))
    }

    pub(super) fn rows<T: FromRow>(&mut self, sql: &str) -> Result<Vec<T>, LiveError> {
        self.admin
            .query(sql)
            .map_err(|error| LiveError::of(sql, &error))
    }

    /// An empty database for the next case.
    pub(super) fn empty_schema(&mut self) -> Result<(), LiveError> {
        let tables: Vec<String> = self.rows(&format!(
            "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = '{}'",
            self.schema
        ))?;
        if tables.is_empty() {
            return Ok(());
        }
        self.run("SET SESSION foreign_key_checks = 0")?;
        self.run(&format!("DROP TABLE {}", tables.join(", ")))?;
        self.run("SET SESSION foreign_key_checks = 1")
    }

    fn drop_schema(&mut self, schema: &str) -> Result<(), LiveError> {
        assert!(schema.starts_with(SCHEMA_PREFIX), "not ours: {schema}");
        self.run("SET SESSION foreign_key_checks = 0")?;
        self.run(&format!("DROP DATABASE IF EXISTS {schema}"))?;
        self.run("SET SESSION foreign_key_checks = 1")
    }

    /// Has locks listed in the status, where there is no other list.
    fn make_locks_listed(&mut self) -> Result<(), LiveError> {
        if self.lists_data_locks {
            return Ok(());
        }
        let listed: u64 = single(&mut self.admin, "SELECT @@innodb_status_output_locks")?;
        if listed == 1 {
            return Ok(());
        }
        let set = "SET GLOBAL innodb_status_output_locks = ON";
        let done = self.admin.query_drop(set);
        done.map_err(|error| LiveError::LocksNotListed {
            message: error.to_string(),
        })
    }

    fn create_own(&mut self) -> Result<(), LiveError> {
        let (schema, own) = (self.schema.clone(), self.own.clone());
        for name in [&schema, &own] {
            let found: u64 = single(
                &mut self.admin,
                &format!(
                    "SELECT COUNT(*) FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = '{name}'"
                ),
            )?;
            if found > 0 {
                return Err(LiveError::SchemaTaken {
                    schema: name.clone(),
                });
            }
        }
        self.run(&format!("CREATE DATABASE {schema}"))?;
        self.run(&format!("USE {schema}"))?;
        self.run(&format!("CREATE DATABASE {own}"))?;
        self.run(&format!("CREATE TABLE {own}.probe (n INT) ENGINE=InnoDB"))?;
        self.run(&format!(
            "CREATE TABLE {own}.kick (id INT PRIMARY KEY, n INT) ENGINE=InnoDB"
        ))?;
        self.run(&format!("INSERT INTO {own}.kick VALUES (1, 0)"))
    }
}

/// Refuses what the engine's grammar does not know (V2).
pub(super) fn guard(sql: &str) -> Result<(), LiveError> {
    parse(sql).map(|_| ()).map_err(|error| LiveError::Refused {
        sql: sql.to_owned(),
        what: error.to_string(),
    })
}

fn options(url: &str) -> Result<Opts, LiveError> {
    let options = Opts::from_url(url).map_err(|error| LiveError::Url {
        url: url.to_owned(),
        what: error.to_string(),
    })?;
    let socket = options.get_socket().is_some();
    Ok(OptsBuilder::from_opts(options).prefer_socket(socket).into())
}

fn open(options: &Opts) -> Result<Conn, LiveError> {
    Conn::new(options.clone()).map_err(|error| LiveError::Connect {
        server: match options.get_socket() {
            Some(socket) => socket.to_owned(),
            None => format!(
                "{}:{}",
                options.get_ip_or_hostname(),
                options.get_tcp_port()
            ),
        },
        what: error.to_string(),
    })
}

fn single<T: mysql::prelude::FromValue>(admin: &mut Conn, sql: &str) -> Result<T, LiveError> {
    let found = admin
        .query_first(sql)
        .map_err(|error| LiveError::of(sql, &error))?;
    found.ok_or_else(|| LiveError::Lost {
        doing: sql.to_owned(),
        what: "no row".to_owned(),
    })
}
