//! The SQL front: text of a statement in, steps of the engine, rows or an error out.
//!
//! One statement's way, `UPDATE t SET v = 1 WHERE id = 3`:
//!
//! 1. [`Session::submit`] reads it: [`parse`] turns text into [`ast`], or says which construct is not
//!    there, where, and what to write instead.
//! 2. [`Session::step`] takes its metadata locks ([`mdl`]), and the statement begins.
//! 3. [`bind`] finds names in the engine's catalog; expressions become [`expr::Expression`]s.
//! 4. [`plan`] chooses the access path that MySQL's optimizer would choose: the index and its range
//!    decide what is locked.
//! 5. `exec` runs it as a state machine, one step of a row operation at a time: a locking read of the
//!    row, the rest of WHERE, the change of the row.
//! 6. Without a transaction around it, it commits. If it fails, it is rolled back, as far as its
//!    error says.
//!
//! A [`Session`] is plain data beside its [`Server`]: both can be copied between any two steps, which
//! is how interleavings are explored. [`Connection`] is the blocking loop over it for real threads.

pub mod ast;
mod background;
pub mod bind;
mod catalog;
mod connection;
pub mod error;
mod exec;
pub mod expr;
pub mod mdl;
pub mod parse;
pub mod plan;
mod print;
mod server;
mod session;

pub use connection::{Connection, Database};
pub use error::{ErrorKind, Position, SqlError};
pub use plan::{EXPLAIN_COLUMNS, HintedAccess, PlanHint};
pub use server::Server;
pub use session::{Session, StatementResult, Step, WaitFor};
