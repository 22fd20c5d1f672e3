//! What can go wrong with a log and its control file.

use crate::{DiskError, Lsn};

/// Why a log could not be written, kept or read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LogError {
    /// A call to the disk failed and nothing was lost by it: the same request may be made again.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// The log is not what was written, at a place where it was durable.
    #[error("the log is damaged at position {position}, in {file}: {what}")]
    Damaged {
        /// The file that holds the position.
        file: String,
        /// The first position that cannot be read.
        position: Lsn,
        /// What is wrong there, and how it is known not to be a torn end.
        what: String,
    },
    /// A file that holds no positions, or none that can be told, is not what was written.
    #[error("{file} is damaged: {what}")]
    DamagedFile {
        /// The file.
        file: String,
        /// What is wrong with it.
        what: String,
    },
    /// The files of the log do not hold a position that is asked for.
    #[error("no file of the log holds position {position}")]
    Missing {
        /// The position.
        position: Lsn,
    },
    /// A file was written by a later release.
    #[error("{file} has format version {found}, this release reads up to {supported}")]
    NewerFormat {
        /// The file.
        file: String,
        /// Its format version.
        found: u32,
        /// The latest version known here.
        supported: u32,
    },
    /// A file belongs to another database.
    #[error("{file} belongs to another database")]
    OtherDatabase {
        /// The file.
        file: String,
    },
    /// The settings of a new log make no sense.
    #[error("log settings: {what}")]
    Settings {
        /// What is wrong with them.
        what: String,
    },
    /// A write or a sync failed earlier: nothing above the durable position will become durable
    /// until the log is opened again, which decides what of it did.
    #[error("the log has failed, what is not durable is in doubt until it is reopened: {first}")]
    Failed {
        /// The first failure.
        first: DiskError,
    },
}
