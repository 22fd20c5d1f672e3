//! The SQL front: text of a statement in, steps of the engine, rows or an error out.
pub mod ast;
pub mod bind;
pub mod error;
pub mod expr;
pub mod parse;
pub mod plan;
mod print;
