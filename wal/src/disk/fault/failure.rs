//! Failures on purpose: which fault, at which calls, once or for ever.

use std::io::{Error, ErrorKind};

use super::calls::{Call, Calls};
use crate::DiskError;

/// What the system says when it fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// EIO.
    InputOutput,
    /// ENOSPC.
    NoSpace,
    /// EMFILE.
    TooManyFiles,
}

impl Reason {
    pub(super) fn error(self, call: &Call) -> DiskError {
        let error = match self {
            Self::InputOutput => Error::other("input/output error"),
            Self::NoSpace => Error::from(ErrorKind::StorageFull),
            Self::TooManyFiles => Error::other("too many open files"),
        };
        DiskError::new(call.operation.word(), &call.file, &error)
    }
}

/// How a `sync` fails: three fashions of kernels, after which trying again does not help. (A sync
/// that fails with [`Fault::Error`] leaves everything as it was, and trying again does help.)
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyncFault {
    /// An error; what was to be made durable stays readable, but no later sync makes it durable.
    /// A crash may or may not keep it.
    KeptInCache,
    /// An error; what was to be made durable is gone, and reads give the durable content.
    Reverted,
    /// This sync succeeds though it makes nothing durable; the next one of the same file (or of the
    /// directory) reports the error, once. A sync that lies breaks every promise of what was
    /// acknowledged between the two; what is left must still be consistent.
    ReportedLate,
}

/// What goes wrong with a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing is done.
    Error(Reason),
    /// It is done, and reported as failed.
    ErrorAfterwards(Reason),
    /// Reads and writes stop after so many bytes and fail. Other calls: nothing is done.
    Short {
        /// Bytes read or written.
        bytes: u32,
        /// What is reported.
        reason: Reason,
    },
    /// A sync, of a file or of the directory, fails for good. Other calls: nothing is done, EIO.
    Sync(SyncFault),
    /// A write is reported as done and is not. Other calls are done.
    WriteLost,
    /// A write goes so many bytes further on, and is reported as done. Other calls are done.
    WriteMisplaced(u64),
    /// A read is given one wrong bit: this one of the bytes read, modulo their number. Other calls
    /// are done.
    ReadFlipped(u64),
}

/// How often a failure strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Times {
    /// The first such call.
    Once,
    /// All such calls.
    Forever,
}

/// A failure that waits for its calls.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    pub(super) calls: Calls,
    pub(super) fault: Fault,
    pub(super) times: Times,
}

/// The fault that strikes a call, if any: the first that was planned.
pub(super) fn strike(failures: &mut Vec<Failure>, call: &Call) -> Option<Fault> {
    let at = failures
        .iter_mut()
        .position(|failure| failure.calls.strikes(call))?;
    let fault = failures[at].fault;
    if failures[at].times == Times::Once {
        failures.remove(at);
    }
    Some(fault)
}
