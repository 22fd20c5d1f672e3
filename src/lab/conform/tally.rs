//! Counting agreement over many cases, server by server.

use gaplock_engine::profile::Profile;
use serde::Serialize;

use super::hints::PlanBook;
use super::play::{CaseScore, play_recording};
use super::trace::Recording;

/// Agreement with one server.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ServerScore {
    /// The profile that was judged.
    pub profile: String,
    /// Cases played.
    pub cases: u64,
    /// Their steps.
    pub steps: u64,
    /// Steps whose outcome agrees.
    pub outcome_agree: u64,
    /// Steps whose locks could be compared.
    pub locks_compared: u64,
    /// Those whose locks agree.
    pub locks_agree: u64,
    /// Steps whose transactions' weights could be compared.
    pub weights_compared: u64,
    /// Those whose weights agree.
    pub weights_agree: u64,
    /// The first disagreements, in the order of the recordings.
    pub first_disagreements: Vec<Disagreement>,
    /// Steps that agree only with another wake order than the engine's; they are in no other count
    /// of agreement.
    #[serde(skip)]
    pub other_order: u64,
    /// Recordings that were given up and are not played.
    #[serde(skip)]
    pub given_up: u64,
}

/// One step that does not agree.
#[derive(Clone, Debug, Serialize)]
pub struct Disagreement {
    /// The case.
    pub case: String,
    /// The step, from 1.
    pub step: usize,
    /// What differs, in a line.
    pub what: String,
}

impl ServerScore {
    /// A score of nothing yet; keeps at most `limit` disagreements.
    #[must_use]
    pub fn new(profile: &str) -> ServerScore {
        ServerScore {
            profile: profile.to_owned(),
            ..ServerScore::default()
        }
    }

    /// Plays a recording under the profile and counts it; gives its score, or none for a recording
    /// that was given up.
    pub fn play(
        &mut self,
        recording: &Recording,
        profile: &Profile,
        plans: &PlanBook,
        limit: usize,
    ) -> Option<CaseScore> {
        if recording.bad.is_some() {
            self.given_up += 1;
            return None;
        }
        let score = play_recording(recording, profile, plans);
        self.count(recording, &score, limit);
        Some(score)
    }

    /// Counts a recording that was played.
    pub fn count(&mut self, recording: &Recording, score: &CaseScore, limit: usize) {
        self.cases += 1;
        for (index, step) in score.steps.iter().enumerate() {
            self.steps += 1;
            let verdict = &step.verdict;
            self.locks_compared += u64::from(verdict.locks_compared);
            if step.other_order {
                self.other_order += 1;
            } else {
                self.outcome_agree += u64::from(verdict.outcome.is_none());
                self.locks_agree += u64::from(verdict.locks_compared && verdict.locks.is_none());
            }
            self.weights_compared += u64::from(verdict.weights_compared);
            self.weights_agree += u64::from(verdict.weights_compared && verdict.weights.is_none());
            if first_of_its_kind(score, index) && self.first_disagreements.len() < limit {
                self.first_disagreements.push(Disagreement {
                    case: recording.name.clone(),
                    step: index + 1,
                    what: what_differs(score, index),
                });
            }
        }
    }
}

/// Whether a step disagrees and none before it did so in the same way: the first one in outcome,
/// the first one in locks, and the first one in weights.
#[must_use]
pub fn first_of_its_kind(score: &CaseScore, index: usize) -> bool {
    let (before, at) = (&score.steps[..index], &score.steps[index].verdict);
    let outcome = at.outcome.is_some() && before.iter().all(|s| s.verdict.outcome.is_none());
    let locks = at.locks.is_some() && before.iter().all(|s| s.verdict.agrees());
    let weights = at.weights.is_some() && before.iter().all(|s| s.verdict.agrees());
    outcome || locks || weights
}

/// What differs at a step, in a line.
#[must_use]
pub fn what_differs(score: &CaseScore, index: usize) -> String {
    let verdict = &score.steps[index].verdict;
    if let Some(outcome) = &verdict.outcome {
        return outcome.clone();
    }
    let Some(locks) = &verdict.locks else {
        return verdict.weights.clone().unwrap_or("agrees".to_owned());
    };
    let only = |side: &str, locks: &[super::facts::LockFact]| {
        let list: Vec<String> = locks.iter().map(ToString::to_string).collect();
        (!list.is_empty()).then(|| format!("{side}: {}", list.join(", ")))
    };
    let parts = [only("missing", &locks.missing), only("extra", &locks.extra)];
    parts.into_iter().flatten().collect::<Vec<_>>().join("; ")
}
