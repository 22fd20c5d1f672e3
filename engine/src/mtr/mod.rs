//! Mini-transactions: latched pages, changed together and logged as one unit.
//!
//! A mini-transaction latches pages, looks at them, changes them, and commits: its changes go to
//! the log as one group, the pages get the group's position, and the latches go.
//!
//! - M1. A page is changed only under an exclusive latch, by a [`crate::page::PageOp`], which is
//!   logged.
//! - M2. After the first change nothing may fail, because changes are not undone: fetch, latch and
//!   reserve everything before.
//! - M3. Pages are unlatched only after their changes have their place in the log, so that the log
//!   has a page's changes in the order in which they were made.
//! - M4. Order of latches: a tree's latch, its pages from the root down and from left to right, the
//!   pages of other trees (secondary indexes before the clustered one), undo pages, the space
//!   header, free pages. Whoever holds a tree's latch exclusively may latch its pages above the
//!   leaves at any time: nobody else is there.

mod group;
mod latches;
mod ledger;
mod redo;
mod space;
mod transaction;

pub(crate) use group::GROUP;
pub use group::{Change, changes};
pub use latches::{LatchMode, Latched};
pub(crate) use ledger::Ledger;
pub use ledger::{RowCount, TableCounters};
pub(crate) use redo::Redo;
pub(crate) use space::{check_space, create_space, free_pages};
pub use transaction::Mtr;
