//! B+trees of index pages.

mod cursor;
mod tree;

pub use cursor::{Cursor, Insertion, Latching, Removal, Seek, TreeStats, Update};
pub use tree::{RecordMoves, Tree};
