//! Failures: of the storage layers, and of statements.

use gaplock_wal::{DiskError, LogError, PageId};

use crate::{
    table::RowReference,
    types::{TypeError, Value},
};

/// Why pages could not be read, kept or changed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// A call to the disk failed.
    #[error(transparent)]
    Disk(Box<DiskError>),
    /// The log cannot be read or written.
    #[error(transparent)]
    Log(Box<LogError>),
    /// The data file was written by a newer program.
    #[error(
        "the data file has format version {found}, this program reads up to {supported}: use the \
         program that wrote it"
    )]
    NewerFormat {
        /// The file's version.
        found: u32,
        /// The newest that can be read.
        supported: u32,
    },
    /// The system gave no thread to the database's background work.
    #[error("no thread for the background work: {what}")]
    NoThread {
        /// What the system said.
        what: String,
    },
    /// The database was closed.
    #[error("the database was closed")]
    Closed,
    /// The directory has files of a database, but not the one that says what belongs together.
    #[error("{what}")]
    Incomplete {
        /// What is there and what is missing.
        what: String,
    },
    /// A page is not what was written: wrong checksum, wrong place or impossible content.
    #[error("page {page} is damaged: {what}")]
    Damaged {
        /// The page.
        page: PageId,
        /// What is wrong with it.
        what: String,
    },
    /// Every frame of the buffer pool stayed in use for as long as a caller is made to wait.
    #[error("all frames of the buffer pool are in use; give it more frames")]
    PoolExhausted,
    /// A row, as stored, is too long: two must fit on a page.
    #[error("row of {bytes} bytes is too large, the limit is {limit}")]
    RowTooLarge {
        /// Bytes that the row would take, its header included.
        bytes: usize,
        /// Most bytes that a row may take.
        limit: usize,
    },
    /// No page number is left in the data file.
    #[error("the data file has no page left")]
    SpaceFull,
}

impl StoreError {
    /// Whether there was no room left on the disk: nothing is damaged, and when there is room again
    /// the same can be tried again.
    #[must_use]
    pub fn is_disk_full(&self) -> bool {
        let disk = match self {
            StoreError::Disk(error) => error,
            StoreError::Log(error) => match &**error {
                LogError::Disk(error) => error,
                _ => return false,
            },
            _ => return false,
        };
        use std::io::ErrorKind;
        matches!(
            disk.kind,
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge
        )
    }
}

impl From<DiskError> for StoreError {
    fn from(error: DiskError) -> Self {
        StoreError::Disk(Box::new(error))
    }
}

impl From<LogError> for StoreError {
    fn from(error: LogError) -> Self {
        StoreError::Log(Box::new(error))
    }
}

/// A row that a new one collides with.
#[derive(Clone, Debug, PartialEq)]
pub struct DuplicateKey {
    /// Position of the unique index.
    pub index: usize,
    /// Its name.
    pub name: String,
    /// The values of its columns that both rows have.
    pub key: Vec<Value>,
    /// The existing row.
    pub reference: RowReference,
}

/// Why an operation of a transaction failed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// The transaction was chosen as a deadlock's victim.
    #[error("Deadlock found when trying to get lock; try restarting transaction")]
    Deadlock,
    /// A lock was not granted in time.
    #[error("Lock wait timeout exceeded; try restarting transaction")]
    LockWaitTimeout,
    /// A lock could not be had at once and the statement asked not to wait.
    #[error("{}", if *.code == 3572 {
        "Statement aborted because lock(s) could not be acquired immediately and NOWAIT is set."
    } else {
        "Lock wait timeout exceeded; try restarting transaction"
    })]
    NoWait {
        /// The profile's number for it.
        code: u16,
    },
    /// The row was changed after the transaction's snapshot, and the profile forbids to lock it.
    #[error("Record has changed since last read in table '{table}'")]
    SnapshotTooOld {
        /// The table.
        table: String,
    },
    /// A unique key has this value already.
    #[error("Duplicate entry '{}' for key '{}'", key_text(&.0.key), .0.name)]
    Duplicate(Box<DuplicateKey>),
    /// A foreign key's parent row does not exist.
    #[error("Cannot add or update a child row: a foreign key constraint fails ({constraint})")]
    NoParent {
        /// The constraint, spelled out.
        constraint: String,
    },
    /// A child row refers to this parent row.
    #[error("Cannot delete or update a parent row: a foreign key constraint fails ({constraint})")]
    ChildExists {
        /// The constraint, spelled out.
        constraint: String,
    },
    /// A cascade goes deeper than 15 tables.
    #[error("Foreign key cascade delete/update exceeds max depth of 15.")]
    CascadeTooDeep,
    /// A column cannot hold its value.
    #[error(transparent)]
    Type(#[from] TypeError),
    /// The row to change is not there: its reference was made under no lock, or is not of this
    /// table.
    #[error("Can't find record in '{table}'")]
    RowGone {
        /// The table.
        table: String,
    },
    /// No table of that name.
    #[error("Table '{name}' doesn't exist")]
    NoSuchTable {
        /// The name.
        name: String,
    },
    /// A table of that name exists.
    #[error("Table '{name}' already exists")]
    TableExists {
        /// The name.
        name: String,
    },
    /// No index of that name.
    #[error("Can't DROP '{name}'; check that column/key exists")]
    NoSuchIndex {
        /// The name.
        name: String,
    },
    /// An index of that name exists.
    #[error("Duplicate key name '{name}'")]
    IndexExists {
        /// The name.
        name: String,
    },
    /// The definition makes no sense; the text says why.
    #[error("{what}")]
    Definition {
        /// What is wrong.
        what: String,
    },
    /// Whether the commit is durable is not known: the log could not be written to its end. Opening
    /// the database anew decides. Also of a reader that may have seen such a commit.
    #[error("commit in doubt, opening the database anew decides: {cause}")]
    InDoubt {
        /// What failed.
        cause: Box<StoreError>,
    },
    /// A write failed earlier, and nothing is changed until the database is opened anew.
    #[error("writes are refused until the database is opened anew, after: {cause}")]
    WritesRefused {
        /// What failed.
        cause: Box<StoreError>,
    },
    /// Pages could not be read, kept or changed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What became of a transaction whose commit was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommitOutcome {
    /// It is durable, as far as the flush policy promises.
    Committed,
    /// Nothing of it will be there.
    RolledBack,
    /// Opening the database anew decides.
    InDoubt,
}

impl CommitOutcome {
    /// What a commit that gave `result` has come to.
    #[must_use]
    pub fn of(result: &Result<(), Error>) -> Self {
        match result {
            Ok(()) => Self::Committed,
            Err(Error::InDoubt { .. }) => Self::InDoubt,
            Err(_) => Self::RolledBack,
        }
    }
}

/// How much of a transaction an error takes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RollbackScope {
    /// Nothing was done.
    None,
    /// The statement.
    Statement,
    /// The whole transaction.
    Transaction,
}

impl Error {
    pub(crate) fn in_doubt(cause: StoreError) -> Self {
        Error::InDoubt {
            cause: Box::new(cause),
        }
    }

    pub(crate) fn writes_refused(cause: StoreError) -> Self {
        Error::WritesRefused {
            cause: Box::new(cause),
        }
    }

    /// MySQL's number for it.
    #[must_use]
    pub fn code(&self) -> u16 {
        match self {
            Error::Deadlock => 1213,
            Error::LockWaitTimeout => 1205,
            Error::NoWait { code } => *code,
            Error::SnapshotTooOld { .. } => 1020,
            Error::Duplicate(_) => 1062,
            Error::NoParent { .. } => 1452,
            Error::ChildExists { .. } => 1451,
            Error::CascadeTooDeep => 3008,
            Error::Type(TypeError::OutOfRange { .. }) => 1264,
            Error::Type(TypeError::TooLong { .. }) => 1406,
            Error::Type(TypeError::Incorrect { .. }) => 1366,
            Error::RowGone { .. } => 1032,
            Error::NoSuchTable { .. } => 1146,
            Error::TableExists { .. } => 1050,
            Error::NoSuchIndex { .. } => 1091,
            Error::IndexExists { .. } => 1061,
            Error::Definition { .. } => 1005,
            Error::Store(StoreError::RowTooLarge { .. }) => 1118,
            Error::Store(StoreError::SpaceFull) => 1114,
            Error::Store(error) if error.is_disk_full() => 1021,
            Error::InDoubt { .. } | Error::Store(_) => 1030,
            Error::WritesRefused { .. } => 1290,
        }
    }

    /// What has to be rolled back because of it.
    #[must_use]
    pub fn rollback_scope(&self) -> RollbackScope {
        match self {
            // Both take the whole transaction: its locks must go for others to go on, or its
            // snapshot is of no more use.
            Error::Deadlock | Error::SnapshotTooOld { .. } | Error::WritesRefused { .. } => {
                RollbackScope::Transaction
            }
            Error::LockWaitTimeout
            | Error::NoWait { .. }
            | Error::Duplicate(_)
            | Error::NoParent { .. }
            | Error::ChildExists { .. }
            | Error::CascadeTooDeep
            | Error::RowGone { .. }
            | Error::Type(_)
            | Error::Store(_) => RollbackScope::Statement,
            Error::NoSuchTable { .. }
            | Error::TableExists { .. }
            | Error::NoSuchIndex { .. }
            | Error::IndexExists { .. }
            | Error::Definition { .. }
            // The transaction has ended.
            | Error::InDoubt { .. } => RollbackScope::None,
        }
    }
}

/// The values of a key as an error message joins them.
fn key_text(key: &[Value]) -> String {
    key.iter().map(Value::to_text).collect::<Vec<_>>().join("-")
}
