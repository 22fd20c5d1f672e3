//! Transactions, SET and LOCK TABLES.

use std::collections::VecDeque;

use gaplock_engine::db::FlushAtCommit;
use gaplock_engine::row::{Rollback, Step as EngineStep};
use gaplock_lockmgr::TableMode;

use super::settings::{FLUSH_VARIABLE, isolation};
use super::{Next, Phase, Session, StatementResult, Undo, WaitFor};
use crate::sql::ast::{Assignment, Control, IsolationName, Literal, TableToLock, VariableScope};
use crate::sql::error::{ErrorKind, SqlError};
use crate::sql::mdl::MetadataMode;
use crate::sql::server::Server;

impl Session {
    /// Carries out such a statement, or begins to.
    pub(super) fn control(&mut self, control: &Control, server: &Server) -> Next {
        let done = match control {
            Control::Begin {
                consistent_snapshot,
            } => self.begin(*consistent_snapshot, server),
            Control::Commit => self.commit(server),
            Control::Rollback => return self.roll_back(Rollback::all(), true),
            Control::Savepoint(name) => {
                self.set_savepoint(name, server);
                Ok(())
            }
            Control::RollbackTo(name) => match self.savepoint_named(name) {
                Ok(at) => {
                    self.savepoints.truncate(at + 1);
                    let savepoint = self.savepoints[at].1;
                    return self.roll_back(Rollback::to(savepoint), false);
                }
                Err(error) => Err(error),
            },
            Control::ReleaseSavepoint(name) => self
                .savepoint_named(name)
                .map(|at| self.savepoints.truncate(at)),
            Control::SetIsolation { scope, level } => self.set_level(*scope, *level),
            Control::SetVariables(assignments) => self.set_variables(assignments, server),
            Control::LockTables(tables) => return self.lock_tables(tables, server),
            Control::UnlockTables => self.unlock_tables(server),
            Control::ShowEngineStatus => Ok(()),
        };
        match done {
            Ok(()) => Next::Finished(StatementResult::default()),
            Err(error) => Next::Failed(error),
        }
    }

    fn begin(&mut self, consistent_snapshot: bool, server: &Server) -> Result<(), SqlError> {
        self.commit(server)?;
        self.unlock(server);
        self.begin_transaction(server);
        self.in_transaction = true;
        if consistent_snapshot {
            server.engine.snapshot(&mut self.trx)?;
        }
        Ok(())
    }

    fn roll_back(&mut self, rollback: Rollback, whole: bool) -> Next {
        Next::Phase(Phase::Undo(Box::new(Undo {
            rollback,
            whole,
            error: None,
            stays: false,
        })))
    }

    /// A savepoint of a name that is taken replaces the one before it. Outside a transaction there
    /// is nothing to go back to.
    fn set_savepoint(&mut self, name: &str, server: &Server) {
        if !self.in_transaction && self.settings.autocommit {
            return;
        }
        self.begin_transaction(server);
        if let Ok(at) = self.savepoint_named(name) {
            self.savepoints.remove(at);
        }
        let savepoint = server.engine.savepoint(&self.trx);
        self.savepoints.push((name.to_owned(), savepoint));
    }

    fn savepoint_named(&self, name: &str) -> Result<usize, SqlError> {
        self.savepoints
            .iter()
            .position(|(known, _)| known.eq_ignore_ascii_case(name))
            .ok_or_else(|| ErrorKind::NoSuchSavepoint(name.to_owned()).into())
    }

    fn set_level(&mut self, scope: VariableScope, level: IsolationName) -> Result<(), SqlError> {
        match scope {
            VariableScope::Session => self.settings.isolation = isolation(level),
            VariableScope::NextTransaction if self.in_transaction => {
                return Err(ErrorKind::TransactionInProgress.into());
            }
            VariableScope::NextTransaction => {
                self.settings.next_isolation = Some(isolation(level));
            }
            VariableScope::Global => {
                return Err(SqlError::unsupported(
                    "SET GLOBAL TRANSACTION",
                    None,
                    "set it for each session",
                ));
            }
        }
        Ok(())
    }

    fn set_variables(
        &mut self,
        assignments: &[Assignment],
        server: &Server,
    ) -> Result<(), SqlError> {
        let before = self.settings.autocommit;
        for assignment in assignments {
            if assignment.scope == VariableScope::Global
                && assignment.variable.text == FLUSH_VARIABLE
            {
                set_flush_policy(assignment, server)?;
            } else {
                self.settings.set(assignment)?;
            }
        }
        // Switching autocommit on ends the transaction.
        if self.settings.autocommit && !before {
            self.commit(server)?;
        }
        Ok(())
    }

    /// LOCK TABLES ends the transaction and the locks before it, then asks for its own.
    fn lock_tables(&mut self, tables: &[TableToLock], server: &Server) -> Next {
        if let Err(error) = self.commit(server) {
            return Next::Failed(error);
        }
        self.unlock(server);
        let mut wanted: Vec<(String, MetadataMode)> = Vec::new();
        for table in tables {
            let name = &table.table.text;
            if server.engine.table(name).is_none() {
                let error = SqlError::from(ErrorKind::NoSuchTable(name.clone()));
                return Next::Failed(error.at(table.table.position));
            }
            let mode = if table.write {
                MetadataMode::Exclusive
            } else {
                MetadataMode::ReadOnly
            };
            wanted.push((name.clone(), mode));
        }
        wanted.sort();
        self.begin_transaction(server);
        Next::Phase(Phase::Metadata {
            wanted: wanted.into(),
            asked: false,
        })
    }

    /// The metadata locks of LOCK TABLES are there.
    pub(super) fn tables_locked(&mut self, tables: &[TableToLock]) -> Next {
        let locked: Vec<(String, bool)> = tables
            .iter()
            .map(|table| (table.table.text.clone(), table.write))
            .collect();
        self.locked_tables = Some(locked.clone());
        if self.settings.autocommit {
            return Next::Finished(StatementResult::default());
        }
        Next::Phase(Phase::LockInEngine(locked.into()))
    }

    /// Without autocommit the engine's own table locks are taken too.
    pub(super) fn lock_in_engine(
        &mut self,
        mut tables: VecDeque<(String, bool)>,
        server: &Server,
    ) -> Next {
        let Some((name, write)) = tables.front() else {
            return Next::Finished(StatementResult::default());
        };
        let mode = if *write { TableMode::X } else { TableMode::S };
        let Some(table) = server.engine.table(name) else {
            let error = SqlError::from(ErrorKind::NoSuchTable(name.clone()));
            return Next::Failed(error);
        };
        match server.engine.lock_whole_table(&mut self.trx, &table, mode) {
            Ok(EngineStep::Done(())) => {
                tables.pop_front();
                Next::Phase(Phase::LockInEngine(tables))
            }
            Ok(EngineStep::Progress) => Next::Phase(Phase::LockInEngine(tables)),
            Ok(EngineStep::Wait) => Next::Wait(Phase::LockInEngine(tables), WaitFor::Lock),
            Err(error) => {
                let savepoint = server.engine.savepoint(&self.trx);
                self.fail(error.into(), savepoint)
            }
        }
    }

    fn unlock_tables(&mut self, server: &Server) -> Result<(), SqlError> {
        if self.locked_tables.is_some() {
            self.commit(server)?;
        }
        self.unlock(server);
        Ok(())
    }

    fn unlock(&mut self, server: &Server) {
        if self.locked_tables.take().is_some() {
            server.mdl.release(self.id, true);
        }
    }
}

/// `innodb_flush_log_at_trx_commit`.
fn set_flush_policy(assignment: &Assignment, server: &Server) -> Result<(), SqlError> {
    let policy = match &assignment.value {
        Literal::Int(code) => u8::try_from(*code).ok().and_then(FlushAtCommit::from_code),
        _ => None,
    };
    let policy = policy.ok_or_else(|| {
        let kind = ErrorKind::WrongVariableValue {
            variable: assignment.variable.text.clone(),
            value: assignment.value.to_string(),
        };
        SqlError::from(kind).at(assignment.variable.position)
    })?;
    server.engine.set_flush_at_commit(policy);
    Ok(())
}
