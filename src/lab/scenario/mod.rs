//! Scenario files, `.scn`: schema, conversation, expectation and what to explore, in plain text.
//!
//! ```text
//! # The story.                         a comment opens every file
//! profile mysql-5.6 mysql-5.7.37       header: played under each of these
//! isolation repeatable read
//! purge drain                          or: hold
//!
//! variant surrogate-key                optional: several acts, each on a fresh database
//! setup
//!   CREATE TABLE t (id INT PRIMARY KEY);
//!   a> BEGIN    b> BEGIN
//! load                                 optional: what `gaplock stress` plays, one pass a transaction
//!   BEGIN; INSERT INTO t VALUES ({rand 1 1000}); COMMIT;
//!
//! a> INSERT INTO t VALUES (1)          input: what session a says
//!    ON DUPLICATE KEY UPDATE id = 2    an indented line continues the one before
//! ---- mysql-5.6                       what is expected, for these profiles
//! a: 1 row
//! ---- mysql-5.7.37
//! a: 1 row
//!
//! locks t                              a command; its output may be expected too
//! ```
//!
//! The line `...` at the end of a section stands for whatever else a command puts out. A blank line ends a block; `#` begins a comment, at the start of a line or after a space. A
//! section without profiles is for all that have none of their own. [`parse`] gives the tree, every
//! part with its place; [`accept()`] writes new expectations into the text and leaves every other
//! byte alone.

pub mod accept;
pub mod ast;
pub mod error;
mod lines;
mod parse;
mod words;

pub use accept::{BlockOutput, accept};
pub use ast::{
    Act, Block, Command, ExpectedLine, Input, Place, PurgeSetting, Scenario, Section, SetupItem,
    Statement,
};
pub use error::{Problem, ScenarioError};
pub use parse::parse;
