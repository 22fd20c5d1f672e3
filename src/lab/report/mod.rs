//! Reports for people: the timeline, a deadlock explained, the lock picture.

pub mod deadlock;
pub mod picture;
pub mod timeline;
