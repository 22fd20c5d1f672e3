//! What a statement may fail with: MySQL's number and words, where it stands, and advice.

use std::fmt;

use gaplock_engine::error::{RollbackScope, StoreError};

/// A place in a statement's text; both count from 1, columns in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// Line.
    pub line: u32,
    /// Column.
    pub column: u32,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

/// An error of a statement: what happened, where in the text, and what to do about it.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{kind}")]
pub struct SqlError {
    /// What happened.
    pub kind: ErrorKind,
    /// Where in the statement, if it is about a place in it.
    pub position: Option<Position>,
    /// What to write instead, or where to look.
    pub advice: Option<String>,
}

/// What happened. The words are the server's where a server has the same error.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ErrorKind {
    /// The text is not SQL.
    #[error("You have an error in your SQL syntax: expected {expected}, found {found}")]
    Syntax {
        /// What could have stood there.
        expected: String,
        /// What stands there.
        found: String,
    },
    /// SQL which is not implemented here.
    #[error("{construct} is not supported yet")]
    Unsupported {
        /// The construct, named as the manual names it.
        construct: String,
    },
    /// No such table.
    #[error("Table '{0}' doesn't exist")]
    NoSuchTable(String),
    /// The table exists already.
    #[error("Table '{0}' already exists")]
    TableExists(String),
    /// No such column.
    #[error("Unknown column '{column}' in '{clause}'")]
    UnknownColumn {
        /// As written.
        column: String,
        /// Where it stood: `where clause`, `field list`, ...
        clause: &'static str,
    },
    /// The name stands in several tables.
    #[error("Column '{column}' in {clause} is ambiguous")]
    AmbiguousColumn {
        /// As written.
        column: String,
        /// Where it stood.
        clause: &'static str,
    },
    /// Two tables of a statement go by one name.
    #[error("Not unique table/alias: '{0}'")]
    DuplicateAlias(String),
    /// An index hint names no index of the table.
    #[error("Key '{key}' doesn't exist in table '{table}'")]
    NoSuchKey {
        /// The key.
        key: String,
        /// The table.
        table: String,
    },
    /// A row of VALUES has too many or too few values.
    #[error("Column count doesn't match value count at row {0}")]
    ColumnCount(usize),
    /// A column was given twice.
    #[error("Column '{0}' specified twice")]
    ColumnTwice(String),
    /// NULL for a NOT NULL column.
    #[error("Column '{0}' cannot be null")]
    NotNull(String),
    /// A column without default was given no value.
    #[error("Field '{0}' doesn't have a default value")]
    NoDefault(String),
    /// A number out of the range of its type.
    #[error("Out of range value for column '{column}' at row {row}")]
    OutOfRange {
        /// The column.
        column: String,
        /// The row of the statement, from 1.
        row: u64,
    },
    /// A text that does not fit.
    #[error("Data too long for column '{column}' at row {row}")]
    TooLong {
        /// The column.
        column: String,
        /// The row of the statement, from 1.
        row: u64,
    },
    /// A text that is no number, or no date.
    #[error("Incorrect {wanted} value: '{value}' for column '{column}' at row {row}")]
    Incorrect {
        /// `integer`, `decimal`, `datetime`, ...
        wanted: &'static str,
        /// The value given.
        value: String,
        /// The column.
        column: String,
        /// The row of the statement, from 1.
        row: u64,
    },
    /// A text used as a number in a statement that writes.
    #[error("Truncated incorrect DOUBLE value: '{0}'")]
    TruncatedNumber(String),
    /// Arithmetic beyond BIGINT.
    #[error("BIGINT value is out of range in '{0}'")]
    BigintRange(String),
    /// A scalar subquery gave several rows.
    #[error("Subquery returns more than 1 row")]
    SubqueryRows,
    /// A subquery or row has the wrong number of columns.
    #[error("Operand should contain {0} column(s)")]
    OperandColumns(usize),
    /// An aggregate where none may stand.
    #[error("Invalid use of group function")]
    InvalidAggregate,
    /// An aggregate beside plain columns without GROUP BY.
    #[error(
        "In aggregated query without GROUP BY, expression #{0} of SELECT list contains nonaggregated column"
    )]
    MixedAggregate(usize),
    /// No such savepoint.
    #[error("SAVEPOINT {0} does not exist")]
    NoSuchSavepoint(String),
    /// No such function.
    #[error("FUNCTION {0} does not exist")]
    NoSuchFunction(String),
    /// A function with the wrong number of arguments.
    #[error("Incorrect parameter count in the call to native function '{0}'")]
    ParameterCount(String),
    /// No such variable.
    #[error("Unknown system variable '{0}'")]
    UnknownVariable(String),
    /// A variable cannot take that.
    #[error("Variable '{variable}' can't be set to the value of '{value}'")]
    WrongVariableValue {
        /// The variable.
        variable: String,
        /// The value.
        value: String,
    },
    /// The isolation level of a running transaction cannot be changed.
    #[error("Transaction characteristics can't be changed while a transaction is in progress")]
    TransactionInProgress,
    /// A table was used that LOCK TABLES did not name.
    #[error("Table '{0}' was not locked with LOCK TABLES")]
    TableNotLocked(String),
    /// A write to a table that is locked READ.
    #[error("Table '{0}' was locked with a READ lock and can't be updated")]
    TableLockedForRead(String),
    /// A table of an UPDATE with joins that may be updated under one alias only, and the like.
    #[error("The target table {0} of the statement is not updatable")]
    NotUpdatable(String),
    /// The statement changes a table that it reads in a subquery.
    #[error("You can't specify target table '{0}' for update in FROM clause")]
    UpdateTableUsed(String),
    /// A column or an index in a definition that is not right.
    #[error("{0}")]
    Definition(DefinitionError),
    /// A cycle of metadata locks, this session being the victim.
    #[error("Deadlock found when trying to get lock; try restarting transaction")]
    MetadataDeadlock,
    /// A metadata lock was waited for too long.
    #[error("Lock wait timeout exceeded; try restarting transaction")]
    MetadataTimeout,
    /// The session was given a statement while one is running, or asked to go on without one.
    #[error("Commands out of sync; you can't run this command now")]
    OutOfSync,
    /// A table that a foreign key refers to cannot be dropped.
    #[error(
        "Cannot drop table '{table}' referenced by a foreign key constraint of table '{child}'"
    )]
    Referenced {
        /// The table.
        table: String,
        /// The table whose foreign key it is.
        child: String,
    },
    /// The engine refused or failed.
    #[error(transparent)]
    Engine(EngineFailure),
}

/// An error of the engine. Two are equal when their numbers and words are.
#[derive(Clone, Debug, thiserror::Error)]
#[error(transparent)]
pub struct EngineFailure(#[from] pub gaplock_engine::error::Error);

impl PartialEq for EngineFailure {
    fn eq(&self, other: &EngineFailure) -> bool {
        self.0.code() == other.0.code() && self.0.to_string() == other.0.to_string()
    }
}

/// The engine's error as a statement's.
pub(crate) fn engine_error(error: gaplock_engine::error::Error) -> SqlError {
    ErrorKind::Engine(EngineFailure(error)).into()
}

impl From<StoreError> for SqlError {
    fn from(error: StoreError) -> SqlError {
        engine_error(error.into())
    }
}

impl From<gaplock_engine::error::Error> for SqlError {
    fn from(error: gaplock_engine::error::Error) -> SqlError {
        engine_error(error)
    }
}

/// A definition of a table or index that cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DefinitionError {
    /// Two columns of one name.
    #[error("Duplicate column name '{0}'")]
    DuplicateColumn(String),
    /// Two keys of one name.
    #[error("Duplicate key name '{0}'")]
    DuplicateKey(String),
    /// Two primary keys.
    #[error("Multiple primary key defined")]
    MultiplePrimary,
    /// A key on a column that is not there.
    #[error("Key column '{0}' doesn't exist in table")]
    KeyColumn(String),
    /// Several AUTO_INCREMENT columns, or one that is no key.
    #[error(
        "Incorrect table definition; there can be only one auto column and it must be defined as a key"
    )]
    AutoColumn,
    /// A default that the column cannot take.
    #[error("Invalid default value for '{0}'")]
    Default(String),
    /// A key or column to drop that is not there.
    #[error("Can't DROP '{0}'; check that column/key exists")]
    CannotDrop(String),
    /// The only kind of column that a key may name in full is a bounded one.
    #[error("BLOB/TEXT column '{0}' used in key specification without a key length")]
    TextKey(String),
}

impl ErrorKind {
    /// MySQL's number for it.
    #[must_use]
    pub fn code(&self) -> u16 {
        match self {
            ErrorKind::Syntax { .. } => 1064,
            ErrorKind::Unsupported { .. } => 1235,
            ErrorKind::NoSuchTable(_) => 1146,
            ErrorKind::TableExists(_) => 1050,
            ErrorKind::UnknownColumn { .. } => 1054,
            ErrorKind::AmbiguousColumn { .. } => 1052,
            ErrorKind::DuplicateAlias(_) => 1066,
            ErrorKind::NoSuchKey { .. } => 1176,
            ErrorKind::ColumnCount(_) => 1136,
            ErrorKind::ColumnTwice(_) => 1110,
            ErrorKind::NotNull(_) => 1048,
            ErrorKind::NoDefault(_) => 1364,
            ErrorKind::OutOfRange { .. } => 1264,
            ErrorKind::TooLong { .. } => 1406,
            ErrorKind::Incorrect { .. } => 1366,
            ErrorKind::TruncatedNumber(_) => 1292,
            ErrorKind::BigintRange(_) => 1690,
            ErrorKind::SubqueryRows => 1242,
            ErrorKind::OperandColumns(_) => 1241,
            ErrorKind::InvalidAggregate => 1111,
            ErrorKind::MixedAggregate(_) => 1140,
            ErrorKind::NoSuchSavepoint(_) | ErrorKind::NoSuchFunction(_) => 1305,
            ErrorKind::ParameterCount(_) => 1582,
            ErrorKind::UnknownVariable(_) => 1193,
            ErrorKind::WrongVariableValue { .. } => 1231,
            ErrorKind::TransactionInProgress => 1568,
            ErrorKind::TableNotLocked(_) => 1100,
            ErrorKind::TableLockedForRead(_) => 1099,
            ErrorKind::NotUpdatable(_) => 1288,
            ErrorKind::UpdateTableUsed(_) => 1093,
            ErrorKind::Definition(definition) => definition.code(),
            ErrorKind::MetadataDeadlock => 1213,
            ErrorKind::MetadataTimeout => 1205,
            ErrorKind::OutOfSync => 2014,
            ErrorKind::Referenced { .. } => 3730,
            ErrorKind::Engine(failure) => failure.0.code(),
        }
    }
}

impl DefinitionError {
    fn code(&self) -> u16 {
        match self {
            DefinitionError::DuplicateColumn(_) => 1060,
            DefinitionError::DuplicateKey(_) => 1061,
            DefinitionError::MultiplePrimary => 1068,
            DefinitionError::KeyColumn(_) => 1072,
            DefinitionError::AutoColumn => 1075,
            DefinitionError::Default(_) => 1067,
            DefinitionError::CannotDrop(_) => 1091,
            DefinitionError::TextKey(_) => 1170,
        }
    }
}

impl SqlError {
    /// MySQL's number for it.
    #[must_use]
    pub fn code(&self) -> u16 {
        self.kind.code()
    }

    /// How much of the transaction it takes back.
    #[must_use]
    pub fn rollback_scope(&self) -> RollbackScope {
        match &self.kind {
            ErrorKind::Engine(failure) => failure.0.rollback_scope(),
            ErrorKind::MetadataDeadlock => RollbackScope::Transaction,
            _ => RollbackScope::Statement,
        }
    }

    /// An error about a construct that is not here, with what to do instead.
    pub(crate) fn unsupported(
        construct: impl Into<String>,
        position: Option<Position>,
        advice: impl Into<String>,
    ) -> SqlError {
        SqlError {
            kind: ErrorKind::Unsupported {
                construct: construct.into(),
            },
            position,
            advice: Some(advice.into()),
        }
    }

    /// The same error at a place, unless it has one already.
    #[must_use]
    pub(crate) fn at(mut self, position: Position) -> SqlError {
        self.position.get_or_insert(position);
        self
    }
}

impl From<ErrorKind> for SqlError {
    fn from(kind: ErrorKind) -> SqlError {
        SqlError {
            kind,
            position: None,
            advice: None,
        }
    }
}

impl From<DefinitionError> for SqlError {
    fn from(error: DefinitionError) -> SqlError {
        ErrorKind::Definition(error).into()
    }
}
