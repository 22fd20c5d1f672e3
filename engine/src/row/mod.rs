//! Row operations: restartable steps that read and change rows under locks.
//!
//! Each operation is a small state machine of plain data. One call of its `step` is one of InnoDB's
//! mini-transactions: it latches pages, asks for locks, reads or changes, and gives everything back.
//! When a lock is not to be had the operation remembers a key, not a place, and returns
//! [`Step::Wait`]; called again after the wake-up, it finds its place anew and asks again.
//!
//! - **R1** No latch lives across a step: every mini-transaction begins and ends inside one.
//! - **R2** Latches are taken from secondary to clustered index to undo pages, never back.
//! - **R3** A step that returned `Wait` has changed nothing but lock queues and undo that is not yet
//!   referred to.

mod auto_increment;
mod change;
mod delete;
mod entry;
mod foreign;
mod foreign_sql;
mod implicit;
mod insert;
mod locking;
mod moves;
mod purge;
mod rollback;
mod scan;
mod update;
mod version;

pub(crate) use change::{ChangeProgress, Inserted};
pub(crate) use locking::Got;
pub(crate) use moves::LockMoves;

pub use auto_increment::{AutoCount, AutoIncrement};
pub use delete::Delete;
pub use insert::{DuplicateMode, Insert, InsertOutcome};
pub use rollback::Rollback;
pub use scan::{
    Access, KeyRange, LockStrength, NoFilter, RowFilter, Scan, ScanSpec, ScannedRow, WaitPolicy,
};
pub use update::{Update, UpdateOutcome};

/// What one step of an operation came to.
#[derive(Clone, Debug, PartialEq)]
pub enum Step<T> {
    /// The operation is finished (a scan: has its next row).
    Done(T),
    /// One mini-transaction is done; call again.
    Progress,
    /// A lock is waited for; call again after the wake-up.
    Wait,
}
