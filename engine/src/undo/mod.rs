//! Undo: what every change overwrote, kept in pages until nobody can ask for it.
//!
//! Before a row changes, an undo record with what is overwritten goes to an undo page, and the
//! row gets a pointer to it: so the versions of a row form a chain from the clustered index into
//! undo pages. A rolled back transaction walks its own records backwards; a read view follows a
//! row's chain until it meets a version that it sees; purge removes what no view can reach.
//!
//! Records are appended through a *segment*, a stretch of undo pages that one transaction at a time
//! owns, so that appending takes no common latch. A segment passes to the next transaction where
//! the last one stopped, and a page is given back when no record in it is needed.
//!
//! - **U1** An undo record is written, in a mini-transaction of its own, before the change that it
//!   describes. A record without its change is harmless: rollback and purge compare the row's
//!   pointer first.
//! - **U2** A record that a row's chain leads to stays until no read view can need it.

mod record;
mod space;

pub use record::{OldVersion, UndoKind, UndoRecord};
pub(crate) use space::Found;
pub use space::{Segment, UndoSpace};
