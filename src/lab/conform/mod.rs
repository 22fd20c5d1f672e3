//! Conformance: recordings of real servers, played again on the engine and compared.
//!
//! [`read_recordings`] reads them, `play` plays one case on a fresh
//! in-memory server of its profile, [`score`] compares step by step.

pub mod facts;
pub mod read;
pub mod score;
pub mod trace;

pub use read::{ReadError, parse_recordings, read_recordings};
pub use trace::Recording;
