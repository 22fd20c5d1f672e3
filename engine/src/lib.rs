//! The gaplock storage engine.

pub mod access;
pub mod btree;
pub mod buffer;
pub mod db;
pub mod error;
pub mod mtr;
pub mod page;
pub mod profile;
pub mod row;
pub mod table;
pub mod trx;
pub mod types;
pub mod undo;
