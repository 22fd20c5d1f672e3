//! The SQL front: text of a statement in, steps of the engine, rows or an error out.
pub mod ast;
pub mod error;
pub mod parse;
mod print;
