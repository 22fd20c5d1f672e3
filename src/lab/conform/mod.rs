//! Conformance: recordings of real servers, played again on the engine and compared.
//!
//! `read` reads them, `play` plays one case on a fresh in-memory server of its profile, `score`
//! compares step by step, `tally` counts, `print` shows a disagreement in full. `planner` counts how
//! often our own planner chooses what the server explained. `agreement` does all of it for all
//! servers, `explained` knows why cases still disagree, and `document` writes both as tables.

pub mod agreement;
pub mod case;
pub mod document;
pub mod explained;
pub mod facts;
pub mod hints;
pub mod planner;
pub mod play;
pub mod print;
pub mod read;
pub mod score;
pub mod tally;
pub mod trace;

pub use agreement::Agreement;
pub use case::{Case, CaseStep};
pub use explained::Explained;
pub use hints::PlanBook;
pub use play::{CaseScore, StepScore, play_recording};
pub use read::{ReadError, parse_recordings, read_cases, read_recordings};
pub use tally::{Disagreement, ServerScore};
pub use trace::Recording;
