//! The gaplock storage engine.

pub mod types;
