//! A session: one client's settings, transaction and running statement, as plain data.
//!
//! A statement is given with [`Session::submit`] and goes on with each [`Session::step`], which makes
//! one step of the engine: it takes its metadata locks, runs, and ends its transaction if nobody began
//! one. A failing statement is rolled back in steps too, before its error is answered; how much of
//! the transaction falls with it is the error's ([`SqlError::rollback_scope`]).
//!
//! - **S1** A session has at most one statement under way.
//! - **S2** Metadata locks are held to the end of the transaction, those of LOCK TABLES to UNLOCK
//!   TABLES, whatever becomes of the statement.
//! - **S3** A statement that failed has left no change behind, only locks.

mod control;
mod digest;
mod result;
mod settings;
mod tables;

use std::collections::VecDeque;
use std::sync::Arc;

use gaplock_engine::db::WaitState;
use gaplock_engine::error::RollbackScope;
use gaplock_engine::row::{Rollback, Step as EngineStep};
use gaplock_engine::trx::{Savepoint, Trx};
use gaplock_engine::types::datetime;
use gaplock_lockmgr::TrxId;

pub use result::{StatementResult, Step, WaitFor};

use settings::Settings;

use super::ast::{Control, Statement};
use super::error::{ErrorKind, SqlError};
use super::exec::{Context, Execution, Facts};
use super::mdl::{Hold, MetadataAnswer, MetadataMode, MetadataRequest, SessionId};
use super::parse::parse;
use super::plan::PlanHint;
use super::server::Server;

/// When virtual time begins, for NOW().
const VIRTUAL_EPOCH: &str = "2023-01-01 00:00:00";

/// One client of a server.
#[derive(Clone, Debug)]
pub struct Session {
    id: SessionId,
    settings: Settings,
    trx: Trx,
    /// BEGIN was given, or a statement ran without autocommit.
    in_transaction: bool,
    savepoints: Vec<(String, Savepoint)>,
    /// Tables of LOCK TABLES, and whether for writing.
    locked_tables: Option<Vec<(String, bool)>>,
    last_insert_id: u64,
    running: Option<Box<Running>>,
}

/// The statement under way.
#[derive(Clone, Debug)]
struct Running {
    sql: Arc<str>,
    statement: Arc<Statement>,
    forced: Vec<PlanHint>,
    phase: Phase,
}

/// How far a statement is.
#[derive(Clone, Debug)]
enum Phase {
    /// It has not begun.
    Begin,
    /// It takes metadata locks; `asked` for the first of them.
    Metadata {
        wanted: VecDeque<(String, MetadataMode)>,
        asked: bool,
    },
    /// It runs.
    Execute {
        execution: Execution,
        savepoint: Savepoint,
        facts: Box<Facts>,
    },
    /// It locks tables in the engine too (LOCK TABLES without autocommit).
    LockInEngine(VecDeque<(String, bool)>),
    /// It is done, and its transaction with it.
    Commit(Box<StatementResult>),
    /// Something is rolled back.
    Undo(Box<Undo>),
}

/// A rollback under way.
#[derive(Clone, Debug)]
struct Undo {
    rollback: Rollback,
    /// The whole transaction.
    whole: bool,
    /// What is answered when it is done; a ROLLBACK answers nothing.
    error: Option<SqlError>,
    /// The session stands in a transaction afterwards.
    stays: bool,
}

/// What a step of a statement leads to.
enum Next {
    Phase(Phase),
    Wait(Phase, WaitFor),
    Finished(StatementResult),
    Failed(SqlError),
}

impl Session {
    /// A new session of a server, in autocommit, at REPEATABLE READ.
    #[must_use]
    pub fn new(server: &Server) -> Session {
        let settings = Settings::new(u64::from(server.engine.profile().lock_wait_timeout));
        Session {
            id: server.next_session(),
            trx: server.engine.begin(settings.isolation),
            settings,
            in_transaction: false,
            savepoints: Vec::new(),
            locked_tables: None,
            last_insert_id: 0,
            running: None,
        }
    }

    /// The session's number among those of its server.
    #[must_use]
    pub fn id(&self) -> SessionId {
        self.id
    }

    /// The engine's id of its transaction, once that has locked or changed something.
    #[must_use]
    pub fn trx_id(&self) -> Option<TrxId> {
        self.trx.id
    }

    /// Its transaction, for `Engine::park`, `wait_state` and `cancel_wait`.
    #[must_use]
    pub fn transaction(&self) -> &Trx {
        &self.trx
    }

    /// Whether it stands in a transaction that goes on after the statement.
    #[must_use]
    pub fn in_transaction(&self) -> bool {
        self.in_transaction
    }

    /// The statement under way.
    #[must_use]
    pub fn statement(&self) -> Option<&str> {
        self.running.as_ref().map(|running| &*running.sql)
    }

    /// Whether its statement has not begun to run: it is read, and takes metadata locks.
    #[must_use]
    pub fn is_preparing(&self) -> bool {
        let phase = self.running.as_ref().map(|running| &running.phase);
        matches!(phase, Some(Phase::Begin | Phase::Metadata { .. }))
    }

    /// Whether it is undoing something: a statement, back to a savepoint, or everything.
    #[must_use]
    pub(crate) fn is_undoing(&self) -> bool {
        let phase = self.running.as_ref().map(|running| &running.phase);
        matches!(phase, Some(Phase::Undo(_)))
    }

    /// The tables that a statement names; none if they cannot be told, or if it also reads what is
    /// no table.
    #[must_use]
    pub(crate) fn tables_of(sql: &str) -> Option<Vec<String>> {
        let statement = parse(sql).ok()?;
        let listed = match &statement {
            Statement::Control(Control::ShowEngineStatus | Control::LockTables(_))
            | Statement::Definition(_) => false,
            Statement::Control(_) => true,
            _ => !sql.to_ascii_lowercase().contains("_schema"),
        };
        let uses = tables::of_statement(&statement).into_iter();
        listed.then(|| uses.map(|(table, _)| table).collect())
    }

    /// Gives it a statement.
    ///
    /// # Errors
    /// Texts that are no statement of ours; a statement while one is under way.
    pub fn submit(&mut self, server: &Server, sql: &str) -> Result<(), SqlError> {
        self.submit_with_plan(server, sql, &[])
    }

    /// Gives it a statement which reads its tables as recorded plans say.
    ///
    /// # Errors
    /// As [`Session::submit`].
    pub fn submit_with_plan(
        &mut self,
        _server: &Server,
        sql: &str,
        plans: &[PlanHint],
    ) -> Result<(), SqlError> {
        if self.running.is_some() {
            return Err(ErrorKind::OutOfSync.into());
        }
        let statement = Arc::new(parse(sql)?);
        self.running = Some(Box::new(Running {
            sql: Arc::from(sql.trim()),
            statement,
            forced: plans.to_vec(),
            phase: Phase::Begin,
        }));
        Ok(())
    }

    /// What it waits for, if it could not go on now.
    #[must_use]
    pub fn wait(&self, server: &Server) -> Option<WaitFor> {
        self.running.as_ref()?;
        if server.engine.wait_state(&self.trx) == WaitState::Waiting {
            return Some(WaitFor::Lock);
        }
        if server.mdl.is_waiting(self.id) {
            let table = server.mdl.waiting_for(self.id).unwrap_or_default();
            return Some(WaitFor::Metadata(table));
        }
        None
    }

    /// Goes on by one step.
    pub fn step(&mut self, server: &Server) -> Step {
        let Some(mut running) = self.running.take() else {
            return Step::Finished(Err(ErrorKind::OutOfSync.into()));
        };
        let phase = std::mem::replace(&mut running.phase, Phase::Begin);
        match self.advance(&running, phase, server) {
            Next::Phase(phase) => {
                running.phase = phase;
                self.running = Some(running);
                Step::Progress
            }
            Next::Wait(phase, what) => {
                running.phase = phase;
                self.running = Some(running);
                Step::Wait(what)
            }
            Next::Finished(result) => Step::Finished(Ok(result)),
            Next::Failed(error) => Step::Finished(Err(error)),
        }
    }

    /// Ends the session: what it has not committed is rolled back at once.
    ///
    /// # Errors
    /// When pages cannot be read.
    pub fn close(mut self, server: &Server) -> Result<(), SqlError> {
        let result = Rollback::all().finish(&server.engine, &mut self.trx);
        server.mdl.release(self.id, true);
        Ok(result?)
    }

    fn advance(&mut self, running: &Running, phase: Phase, server: &Server) -> Next {
        match phase {
            Phase::Begin => self.begin_statement(running, server),
            Phase::Metadata { wanted, asked } => self.lock_metadata(running, wanted, asked, server),
            Phase::Execute {
                execution,
                savepoint,
                facts,
            } => self.execute(execution, savepoint, facts, server),
            Phase::LockInEngine(tables) => self.lock_in_engine(tables, server),
            Phase::Commit(result) => match self.commit(server) {
                Ok(()) => Next::Finished(*result),
                Err(error) => Next::Failed(error),
            },
            Phase::Undo(undo) => self.undo(undo, server),
        }
    }

    fn begin_statement(&mut self, running: &Running, server: &Server) -> Next {
        match &*running.statement {
            Statement::Control(Control::ShowEngineStatus) => {}
            Statement::Control(control) => return self.control(control, server),
            Statement::Definition(_) => {
                // A definition ends the transaction before it begins.
                if let Err(error) = self.commit(server) {
                    return Next::Failed(error);
                }
            }
            _ => {}
        }
        let wanted = tables::of_statement(&running.statement);
        if let Err(error) = self.check_locked_tables(&wanted) {
            return Next::Failed(error);
        }
        self.begin_transaction(server);
        Next::Phase(Phase::Metadata {
            wanted: wanted.into(),
            asked: false,
        })
    }

    /// Under LOCK TABLES a statement may use the locked tables only, as they are locked.
    fn check_locked_tables(&self, wanted: &[(String, MetadataMode)]) -> Result<(), SqlError> {
        let Some(locked) = &self.locked_tables else {
            return Ok(());
        };
        for (table, mode) in wanted {
            match locked.iter().find(|(name, _)| name == table) {
                None => return Err(ErrorKind::TableNotLocked(table.clone()).into()),
                Some((_, false)) if *mode > MetadataMode::Read => {
                    return Err(ErrorKind::TableLockedForRead(table.clone()).into());
                }
                Some(_) => {}
            }
        }
        Ok(())
    }

    /// The level and the settings that the next transaction has; the one under way keeps its own.
    fn begin_transaction(&mut self, server: &Server) {
        if !self.in_transaction {
            let next = self.settings.next_isolation.take();
            let isolation = next.unwrap_or(self.settings.isolation);
            server.engine.set_isolation(&mut self.trx, isolation);
        }
        let timeout = self.settings.row_lock_timeout.saturating_mul(1_000_000);
        server.engine.set_lock_wait_timeout(&mut self.trx, timeout);
        let checks = self.settings.foreign_key_checks;
        server.engine.set_foreign_key_checks(&mut self.trx, checks);
        self.in_transaction |= !self.settings.autocommit;
    }

    fn lock_metadata(
        &mut self,
        running: &Running,
        mut wanted: VecDeque<(String, MetadataMode)>,
        asked: bool,
        server: &Server,
    ) -> Next {
        let Some((table, mode)) = wanted.front() else {
            return self.start_execution(running, server);
        };
        let locks_tables = matches!(
            &*running.statement,
            Statement::Control(Control::LockTables(_))
        );
        let answer = if asked {
            server.mdl.poll(self.id)
        } else {
            let patience = self
                .settings
                .metadata_lock_timeout
                .saturating_mul(1_000_000);
            server.mdl.request(MetadataRequest {
                session: self.id,
                table: table.clone(),
                mode: *mode,
                hold: if locks_tables {
                    Hold::Explicit
                } else {
                    Hold::Transaction
                },
                deadline: server.engine.now().saturating_add(patience),
            })
        };
        match answer {
            MetadataAnswer::Granted => {
                wanted.pop_front();
                if wanted.is_empty() {
                    return self.start_execution(running, server);
                }
                Next::Phase(Phase::Metadata {
                    wanted,
                    asked: false,
                })
            }
            MetadataAnswer::Waiting => {
                let what = WaitFor::Metadata(table.clone());
                let asked = true;
                Next::Wait(Phase::Metadata { wanted, asked }, what)
            }
            MetadataAnswer::Deadlock => self.fail_before(ErrorKind::MetadataDeadlock, server),
            MetadataAnswer::TimedOut => self.fail_before(ErrorKind::MetadataTimeout, server),
        }
    }

    /// Fails a statement that has not begun to run.
    fn fail_before(&mut self, kind: ErrorKind, server: &Server) -> Next {
        let error = SqlError::from(kind);
        let nothing = server.engine.savepoint(&self.trx);
        self.fail(error, nothing)
    }

    fn start_execution(&mut self, running: &Running, server: &Server) -> Next {
        if let Statement::Control(Control::LockTables(tables)) = &*running.statement {
            return self.tables_locked(tables);
        }
        let epoch = datetime::parse(VIRTUAL_EPOCH).unwrap_or(0);
        let elapsed = i64::try_from(server.engine.now()).unwrap_or(i64::MAX);
        let facts = Facts {
            now: epoch.saturating_add(elapsed),
            last_insert_id: i128::from(self.last_insert_id),
            isolation: self.trx.isolation,
            in_transaction: self.in_transaction,
            strict: !matches!(
                &*running.statement,
                Statement::Select(_) | Statement::Explain(_)
            ),
            forced: running.forced.clone(),
        };
        let savepoint = server.engine.start_statement(&mut self.trx, &running.sql);
        match Execution::new(&running.statement, &server.engine, &facts) {
            Ok(execution) => Next::Phase(Phase::Execute {
                execution,
                savepoint,
                facts: Box::new(facts),
            }),
            Err(error) => self.fail(error, savepoint),
        }
    }

    fn execute(
        &mut self,
        mut execution: Execution,
        savepoint: Savepoint,
        facts: Box<Facts>,
        server: &Server,
    ) -> Next {
        let mut context = Context {
            engine: &server.engine,
            trx: &mut self.trx,
            facts: &facts,
        };
        let step = execution.step(&mut context);
        let phase = |execution| Phase::Execute {
            execution,
            savepoint,
            facts,
        };
        match step {
            Ok(EngineStep::Progress) => Next::Phase(phase(execution)),
            Ok(EngineStep::Wait) => Next::Wait(phase(execution), WaitFor::Lock),
            Ok(EngineStep::Done(result)) => {
                server.engine.end_statement(&mut self.trx);
                self.last_insert_id = result.last_insert_id.unwrap_or(self.last_insert_id);
                if self.in_transaction {
                    return Next::Finished(result);
                }
                if self.trx.is_untouched() {
                    return match self.commit(server) {
                        Ok(()) => Next::Finished(result),
                        Err(error) => Next::Failed(error),
                    };
                }
                Next::Phase(Phase::Commit(Box::new(result)))
            }
            Err(error) => self.fail(error, savepoint),
        }
    }

    /// Begins to undo what a failed statement did.
    fn fail(&mut self, error: SqlError, savepoint: Savepoint) -> Next {
        let whole = error.rollback_scope() == RollbackScope::Transaction || !self.in_transaction;
        let rollback = if whole {
            Rollback::all()
        } else {
            Rollback::statement(savepoint)
        };
        Next::Phase(Phase::Undo(Box::new(Undo {
            rollback,
            whole,
            error: Some(error),
            stays: false,
        })))
    }

    fn undo(&mut self, mut undo: Box<Undo>, server: &Server) -> Next {
        match undo.rollback.step(&server.engine, &mut self.trx) {
            Ok(EngineStep::Done(())) => {}
            Ok(EngineStep::Progress) => return Next::Phase(Phase::Undo(undo)),
            Ok(EngineStep::Wait) => return Next::Wait(Phase::Undo(undo), WaitFor::Lock),
            Err(error) => return Next::Failed(error.into()),
        }
        server.engine.end_statement(&mut self.trx);
        if undo.whole {
            let stays = undo.stays
                || (undo.error.is_some()
                    && self.in_transaction
                    && server.engine.profile().after_victim_in_transaction);
            self.end_transaction(server);
            self.in_transaction = stays;
        }
        match undo.error {
            Some(error) => Next::Failed(error),
            None => Next::Finished(StatementResult::default()),
        }
    }

    fn commit(&mut self, server: &Server) -> Result<(), SqlError> {
        server.engine.commit(&mut self.trx)?;
        self.end_transaction(server);
        Ok(())
    }

    /// What goes with a transaction on the session's side.
    fn end_transaction(&mut self, server: &Server) {
        self.in_transaction = false;
        self.savepoints.clear();
        server.mdl.release(self.id, false);
    }
}
