//! Real servers: cases played on them, statement by statement, and what they did written down in
//! the form of recordings.
//!
//! Nothing is learnt by sleeping. A statement has returned, or the server itself says that its
//! connection waits; only when every statement is in one of the two states, and again so at the next
//! look, is a step over. Then locks and weights are read, and where the case lets purge run, it is
//! waited for.
//!
//! `session` holds a connection, `server` everything that is ours on the server, `status` and
//! `keys` read what it prints, `play` plays a case, `purge` waits for purge, `shrink` makes a
//! disagreeing case smaller.

mod compare;
mod error;
mod explain;
mod keys;
mod locks;
mod play;
mod purge;
mod server;
mod session;
mod shrink;
mod status;

pub use compare::{Comparison, compare};
pub use error::LiveError;
pub use play::record;
pub use server::{LiveServer, SCHEMA_PREFIX};
pub use shrink::{Reduced, shrink};
