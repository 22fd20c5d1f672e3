//! B+trees of index pages.
//!
//! When a page splits, where, and whom it merges with, follow InnoDB (5.6 and later): splits and
//! merges decide which gaps exist and on which page's supremum a lock comes to lie. One thing
//! differs: pages merge only with neighbours below the same parent page. (Parents' keys then never
//! change; it takes three levels to see.)
//!
//! - T1. All leaves are on level 0 and equally far from the root; the root's page never changes.
//! - T2. Pages of a level are linked both ways in key order.
//! - T3. A branch record's key is at most every key below it, and above every key to its left. The
//!   first record of a branch page has its parent's key. The first of a level is below every key,
//!   whatever its fields say.
//! - T4. Only the root may be empty, and then it is a leaf.
//! - T5. Pages above the leaves change only under the tree's exclusive latch.
//!
//! Latches. Readers and those who change one leaf hold the tree's latch shared on their way down,
//! each page until they have its child, and in the end just the leaf; they move on to the right
//! holding one leaf until they have the next. To the left they only try, and otherwise let go
//! first. Whoever splits or merges holds the tree's latch exclusively, the leaf, and both its
//! neighbours, taken from left to right; then, all before the first change, the branch pages of the
//! path with their neighbours, and as many free pages as could be needed.

mod check;
mod cursor;
mod estimate;
mod insert;
mod merge;
mod moves;
mod path;
mod remove;
mod search;
mod split;
mod step;
mod tree;
mod update;
mod walk;

#[cfg(test)]
mod tests;

pub use cursor::{Cursor, Insertion, Latching, Removal, Seek, TreeStats, Update};
pub use moves::RecordMoves;
pub use tree::Tree;
