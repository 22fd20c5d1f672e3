//! A case on a real server and on the engine.

use gaplock_engine::profile::Profile;

use super::super::conform::case::Case;
use super::super::conform::{CaseScore, PlanBook, Recording, play_recording};
use super::error::LiveError;
use super::play::record;
use super::server::LiveServer;

/// How often a disagreeing case is played again before it counts.
const AGAIN: usize = 2;

/// What came of a case on both sides.
pub struct Comparison {
    /// What the server did.
    pub recording: Recording,
    /// How the engine compares with it.
    pub score: CaseScore,
    /// The server did one thing and then another.
    pub racy: bool,
}

impl Comparison {
    /// Whether everything that could be compared agrees.
    #[must_use]
    pub fn agrees(&self) -> bool {
        self.score.steps.iter().all(|step| step.verdict.agrees())
    }
}

/// Plays a case on both sides. One that disagrees is played again on the server, since schedules
/// race there: any of its outcomes counts as agreement.
///
/// # Errors
/// As [`record`].
pub fn compare(
    server: &mut LiveServer,
    profile: &Profile,
    case: &Case,
) -> Result<Comparison, LiveError> {
    let first = once(server, profile, case)?;
    if first.agrees() {
        return Ok(first);
    }
    let mut kept = first;
    for _ in 0..AGAIN {
        let again = once(server, profile, case)?;
        let same = steps_of(&again.recording) == steps_of(&kept.recording);
        let racy = kept.racy || !same;
        if again.agrees() || kept.recording.bad.is_some() {
            kept = again;
        }
        kept.racy = racy;
        if kept.agrees() {
            break;
        }
    }
    Ok(kept)
}

/// Plays a case once on both sides.
pub(super) fn once(
    server: &mut LiveServer,
    profile: &Profile,
    case: &Case,
) -> Result<Comparison, LiveError> {
    let recording = record(server, case)?;
    let score = play_recording(&recording, profile, &PlanBook::default());
    Ok(Comparison {
        recording,
        score,
        racy: false,
    })
}

/// All that two runs of a case can differ in but its deadlock's text, which has times in it.
pub(super) fn steps_of(recording: &Recording) -> String {
    let mut steps = recording.steps.clone();
    for step in &mut steps {
        step.deadlock_text = None;
    }
    serde_json::to_string(&steps).expect("our own data always has a JSON form")
}
