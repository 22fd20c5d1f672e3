//! gaplock.

pub mod sql;
