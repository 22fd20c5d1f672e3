//! Tests of the log as a whole.

mod memory;
mod recovery;
