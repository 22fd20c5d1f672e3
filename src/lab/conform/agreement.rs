//! Agreement with all recorded servers as one table: by server, by kind of case, by cause.
//!
//! It stands in docs/FIDELITY.md between two marks, is written there by one command, and a test
//! compares it with what is played.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use gaplock_engine::profile::{self, Profile};

use super::explained::Explained;
use super::hints::PlanBook;
use super::planner::PlannerScore;
use super::read::{ReadError, read_recordings};
use super::tally::ServerScore;
use super::trace::Recording;

/// Kinds of cases: the files of a server's directory, in the order of the table.
pub const KINDS: [&str; 4] = ["min", "regime", "hand", "random"];

/// Agreement with every server of a directory.
#[derive(Clone, Debug, Default)]
pub struct Agreement {
    /// Each server, by name.
    pub servers: BTreeMap<String, ServerAgreement>,
}

/// Agreement with one server.
#[derive(Clone, Debug, Default)]
pub struct ServerAgreement {
    /// By kind of case.
    pub kinds: BTreeMap<String, ServerScore>,
    /// Our planner against the server's.
    pub planner: PlannerScore,
    /// Cases that disagree somewhere, each with how many steps do in outcome and in locks.
    pub disagreeing: BTreeMap<String, Steps>,
}

/// Steps that disagree.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Steps {
    /// In outcome.
    pub outcome: u64,
    /// In locks.
    pub locks: u64,
}

impl std::ops::AddAssign for Steps {
    fn add_assign(&mut self, more: Steps) {
        self.outcome += more.outcome;
        self.locks += more.locks;
    }
}

/// Counts of agreement, summed over some cases.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Cases.
    pub cases: u64,
    /// Steps.
    pub steps: u64,
    /// Steps whose outcome agrees.
    pub outcome_agree: u64,
    /// Steps whose locks could be compared.
    pub locks_compared: u64,
    /// Those whose locks agree.
    pub locks_agree: u64,
    /// Steps that agree only in another wake order; in no other count of agreement.
    pub other_order: u64,
    /// Recordings that were given up.
    pub given_up: u64,
}

impl Counts {
    fn add(&mut self, score: &ServerScore) {
        self.cases += score.cases;
        self.steps += score.steps;
        self.outcome_agree += score.outcome_agree;
        self.locks_compared += score.locks_compared;
        self.locks_agree += score.locks_agree;
        self.other_order += score.other_order;
        self.given_up += score.given_up;
    }

    /// Steps that disagree in outcome, and in locks, in every wake order.
    #[must_use]
    pub fn disagree(&self) -> Steps {
        Steps {
            outcome: self.steps - self.outcome_agree - self.other_order,
            locks: self.locks_compared - self.locks_agree - self.other_order,
        }
    }
}

impl ServerAgreement {
    /// All kinds together.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for score in self.kinds.values() {
            counts.add(score);
        }
        counts
    }

    /// One kind's counts; none when the server has no such cases.
    #[must_use]
    pub fn counts_of(&self, kind: &str) -> Option<Counts> {
        let score = self.kinds.get(kind)?;
        let mut counts = Counts::default();
        counts.add(score);
        Some(counts)
    }
}

impl Agreement {
    /// Plays everything below a directory that has one directory for each server.
    ///
    /// # Errors
    /// A file of recordings that can't be read. Directories that name no profile are passed over.
    pub fn measure(directory: &Path) -> Result<Agreement, ReadError> {
        let mut agreement = Agreement::default();
        let mut servers = Vec::new();
        // A server whose EXPLAIN does not know UPDATE and DELETE borrows their plans from the first
        // one that does.
        let mut lent = PlanBook::default();
        for profile in profile::names().into_iter().filter_map(profile::find) {
            let mut kinds = Vec::new();
            for kind in KINDS {
                let recordings = of_kind(directory, &profile.name, kind)?;
                lent.learn(&recordings);
                if !recordings.is_empty() {
                    kinds.push((kind, recordings));
                }
            }
            servers.push((profile, kinds));
        }
        for (profile, kinds) in servers.into_iter().filter(|(_, kinds)| !kinds.is_empty()) {
            let mut server = ServerAgreement::default();
            for (kind, recordings) in kinds {
                let score = server.play(&recordings, &profile, &lent);
                server.kinds.insert(kind.to_owned(), score);
            }
            agreement.servers.insert(profile.name, server);
        }
        Ok(agreement)
    }

    /// What contradicts rule X1 of `explained`, a line each.
    #[must_use]
    pub fn unexplained(&self, explained: &Explained) -> Vec<String> {
        let mut lines = Vec::new();
        for (server, agreement) in &self.servers {
            for case in agreement.disagreeing.keys() {
                if explained.class_of(server, case).is_none() {
                    lines.push(format!("{server} {case} disagrees and stands in no class"));
                }
            }
        }
        let mut seen = BTreeSet::new();
        for class in &explained.classes {
            let all = class.cases.iter();
            for (server, case) in all.flat_map(|(s, cases)| cases.iter().map(move |c| (s, c))) {
                let disagrees = self
                    .servers
                    .get(server)
                    .is_some_and(|known| known.disagreeing.contains_key(case));
                if !disagrees {
                    lines.push(format!(
                        "{server} {case} stands in class {} and agrees",
                        class.name
                    ));
                }
                if !seen.insert((server, case)) {
                    lines.push(format!("{server} {case} stands in two classes"));
                }
            }
        }
        lines
    }
}

/// The recordings of a server and kind; none when there is no such file.
fn of_kind(directory: &Path, server: &str, kind: &str) -> Result<Vec<Recording>, ReadError> {
    let path = directory.join(server).join(format!("{kind}.jsonl.gz"));
    if path.exists() {
        read_recordings(&path)
    } else {
        Ok(Vec::new())
    }
}

impl ServerAgreement {
    fn play(
        &mut self,
        recordings: &[Recording],
        profile: &Profile,
        lent: &PlanBook,
    ) -> ServerScore {
        let mut plans = PlanBook::default();
        plans.learn(recordings);
        plans.lend(lent);
        let mut score = ServerScore::new(&profile.name);
        for recording in recordings {
            self.planner.count(recording, profile);
            let Some(case) = score.play(recording, profile, &plans, 0) else {
                continue;
            };
            let mut steps = Steps::default();
            for step in &case.steps {
                steps.outcome += u64::from(step.verdict.outcome.is_some());
                steps.locks += u64::from(step.verdict.locks.is_some());
            }
            if steps != Steps::default() {
                self.disagreeing.insert(recording.name.clone(), steps);
            }
        }
        score
    }
}
