//! gaplock.

pub mod lab;
pub mod sql;
