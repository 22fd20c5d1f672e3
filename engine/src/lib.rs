//! The gaplock storage engine.

pub mod btree;
pub mod buffer;
pub mod error;
pub mod mtr;
pub mod page;
pub mod profile;
pub mod types;
