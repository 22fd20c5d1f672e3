//! A session's variables.

use gaplock_engine::trx::Isolation;

use crate::sql::ast::{Assignment, IsolationName, Literal, VariableScope};
use crate::sql::error::{ErrorKind, SqlError};

/// Variables that SET knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Settings {
    /// `autocommit`.
    pub(super) autocommit: bool,
    /// `transaction_isolation`.
    pub(super) isolation: Isolation,
    /// SET TRANSACTION, for the next one only.
    pub(super) next_isolation: Option<Isolation>,
    /// `innodb_lock_wait_timeout`, in seconds.
    pub(super) row_lock_timeout: u64,
    /// `lock_wait_timeout` (metadata locks), in seconds.
    pub(super) metadata_lock_timeout: u64,
    /// `foreign_key_checks`.
    pub(super) foreign_key_checks: bool,
}

/// A year: the server's default for metadata locks.
const METADATA_TIMEOUT: u64 = 31_536_000;

/// The one global variable that can be set: it is the engine's.
pub(super) const FLUSH_VARIABLE: &str = "innodb_flush_log_at_trx_commit";

/// Variables that may be set and change nothing here.
const WITHOUT_EFFECT: &[&str] = &["sql_mode", "names", "sql_safe_updates", "unique_checks"];

impl Settings {
    /// The variables of a new session.
    pub(super) fn new(row_lock_timeout: u64) -> Settings {
        Settings {
            autocommit: true,
            isolation: Isolation::RepeatableRead,
            next_isolation: None,
            row_lock_timeout,
            metadata_lock_timeout: METADATA_TIMEOUT,
            foreign_key_checks: true,
        }
    }

    /// Sets a variable.
    ///
    /// # Errors
    /// A variable that there is not, a value that it does not take, a global one.
    pub(super) fn set(&mut self, assignment: &Assignment) -> Result<(), SqlError> {
        let Assignment {
            scope,
            variable,
            value,
        } = assignment;
        if *scope == VariableScope::Global {
            return Err(SqlError::unsupported(
                "SET GLOBAL",
                Some(variable.position),
                "set the session's variable, or choose another profile; only \
                 innodb_flush_log_at_trx_commit is set for all",
            ));
        }
        let wrong = || {
            SqlError::from(ErrorKind::WrongVariableValue {
                variable: variable.text.clone(),
                value: value.to_string(),
            })
            .at(variable.position)
        };
        match variable.text.as_str() {
            "autocommit" => self.autocommit = switch(value).ok_or_else(wrong)?,
            "foreign_key_checks" => self.foreign_key_checks = switch(value).ok_or_else(wrong)?,
            "innodb_lock_wait_timeout" => {
                self.row_lock_timeout = seconds(value).ok_or_else(wrong)?;
            }
            "lock_wait_timeout" => {
                self.metadata_lock_timeout = seconds(value).ok_or_else(wrong)?;
            }
            "transaction_isolation" | "tx_isolation" => {
                self.isolation = level(value).ok_or_else(wrong)?;
            }
            other if WITHOUT_EFFECT.contains(&other) => {}
            other => {
                return Err(SqlError {
                    kind: ErrorKind::UnknownVariable(other.to_owned()),
                    position: Some(variable.position),
                    advice: Some(
                        "autocommit, transaction_isolation, innodb_lock_wait_timeout, \
                         lock_wait_timeout and foreign_key_checks are there"
                            .to_owned(),
                    ),
                });
            }
        }
        Ok(())
    }
}

fn switch(value: &Literal) -> Option<bool> {
    match value {
        Literal::Int(0) => Some(false),
        Literal::Int(1) => Some(true),
        Literal::Text(text) if text.eq_ignore_ascii_case("on") => Some(true),
        Literal::Text(text) if text.eq_ignore_ascii_case("off") => Some(false),
        _ => None,
    }
}

fn seconds(value: &Literal) -> Option<u64> {
    match value {
        Literal::Int(number) => u64::try_from(*number).ok().map(|seconds| seconds.max(1)),
        _ => None,
    }
}

fn level(value: &Literal) -> Option<Isolation> {
    let Literal::Text(text) = value else {
        return None;
    };
    match text.to_uppercase().replace('-', " ").as_str() {
        "READ UNCOMMITTED" => Some(Isolation::ReadUncommitted),
        "READ COMMITTED" => Some(Isolation::ReadCommitted),
        "REPEATABLE READ" => Some(Isolation::RepeatableRead),
        "SERIALIZABLE" => Some(Isolation::Serializable),
        _ => None,
    }
}

/// The engine's level of that name.
pub(super) fn isolation(name: IsolationName) -> Isolation {
    match name {
        IsolationName::ReadUncommitted => Isolation::ReadUncommitted,
        IsolationName::ReadCommitted => Isolation::ReadCommitted,
        IsolationName::RepeatableRead => Isolation::RepeatableRead,
        IsolationName::Serializable => Isolation::Serializable,
    }
}
