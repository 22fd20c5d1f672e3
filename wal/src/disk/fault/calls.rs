//! What was asked of the disk, call by call, and how a failure names the calls it strikes.

use std::{fmt, sync::Arc};

/// A kind of call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operation {
    /// A file opened, perhaps created.
    Open,
    /// The names listed.
    List,
    /// A file removed.
    Remove,
    /// A file renamed.
    Rename,
    /// Names made durable.
    SyncDirectory,
    /// Bytes read.
    Read,
    /// Bytes written.
    Write,
    /// A file's content made durable.
    Sync,
    /// A length asked for.
    Len,
    /// A file cut or extended.
    SetLen,
    /// A file locked against others, perhaps created.
    Lock,
}

impl Operation {
    /// The word that errors and traces use.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::List => "list",
            Self::Remove => "remove",
            Self::Rename => "rename",
            Self::SyncDirectory => "sync directory",
            Self::Read => "read",
            Self::Write => "write",
            Self::Sync => "sync",
            Self::Len => "length",
            Self::SetLen => "set length",
            Self::Lock => "lock",
        }
    }

    /// Whether such a call can change what a crash leaves.
    #[must_use]
    pub fn changes(self) -> bool {
        match self {
            Self::List | Self::Read | Self::Len => false,
            Self::Open
            | Self::Remove
            | Self::Rename
            | Self::SyncDirectory
            | Self::Write
            | Self::Sync
            | Self::SetLen
            | Self::Lock => true,
        }
    }
}

/// One call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// How many calls came before it.
    pub number: u64,
    /// What was asked.
    pub operation: Operation,
    /// The file's name; empty for the directory.
    pub file: Arc<str>,
    /// The first byte; the length asked for by `SetLen`.
    pub offset: u64,
    /// How many bytes.
    pub length: u64,
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.number, self.operation.word())?;
        if !self.file.is_empty() {
            write!(f, " {}", self.file)?;
        }
        match self.operation {
            Operation::Read | Operation::Write => {
                write!(f, " {} bytes at {}", self.length, self.offset)
            }
            Operation::SetLen => write!(f, " to {}", self.offset),
            _ => Ok(()),
        }
    }
}

/// Which calls a failure strikes: all of them, narrowed down.
#[derive(Clone, Debug, Default)]
pub struct Calls {
    operation: Option<Operation>,
    file: Option<String>,
    from: u64,
    skip: u64,
}

impl Calls {
    /// Every call.
    #[must_use]
    pub fn all() -> Self {
        Self::default()
    }

    /// The call numbered `number` and those after it.
    #[must_use]
    pub fn from(number: u64) -> Self {
        Self::all().and_from(number)
    }

    /// Calls of one kind.
    #[must_use]
    pub fn of(operation: Operation) -> Self {
        Self {
            operation: Some(operation),
            ..Self::default()
        }
    }

    /// Of these, the call numbered `number` and those after it.
    #[must_use]
    pub fn and_from(self, number: u64) -> Self {
        Self {
            from: number,
            ..self
        }
    }

    /// Of these, the calls on files whose names begin so.
    #[must_use]
    pub fn on(self, prefix: &str) -> Self {
        Self {
            file: Some(prefix.to_owned()),
            ..self
        }
    }

    /// Of these, all but the first `count`.
    #[must_use]
    pub fn after(self, count: u64) -> Self {
        Self {
            skip: count,
            ..self
        }
    }

    /// Whether a call is struck. Counts those that are skipped.
    pub(super) fn strikes(&mut self, call: &Call) -> bool {
        let matches = call.number >= self.from
            && self.operation.is_none_or(|kind| kind == call.operation)
            && self
                .file
                .as_ref()
                .is_none_or(|prefix| call.file.starts_with(prefix.as_str()));
        if matches && self.skip > 0 {
            self.skip -= 1;
            return false;
        }
        matches
    }
}
