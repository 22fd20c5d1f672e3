//! Policies of the lock manager under the same loads: in virtual time, where what happens depends on
//! the seed alone, and with real threads. Both run the real engine.
//!
//! A [`Workload`] is a closed loop of clients, each with one transaction after another. A transaction
//! that is rolled back is tried again at once, with its age, until it commits; its latency is counted
//! from its first attempt. What every attempt but the last did is wasted work.

mod figures;
mod html;
mod statement;
mod threads;
mod virtual_time;
mod workload;

use gaplock_engine::error::Error;
use gaplock_engine::profile::Profile;

pub use figures::{Comparison, Latency, Outcome, Suite};
pub use html::to_html;
pub use threads::run_threads;
pub use virtual_time::{VirtualClock, run_virtual};
pub use workload::{Op, Stage, Workload};

/// How large a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    /// Clients, each in its own loop.
    pub clients: usize,
    /// Transactions that all clients together commit before the run ends.
    pub transactions: u64,
    /// Attempts at transactions before the run ends without that: some policies never get there.
    pub attempts_max: u64,
    /// What chances are drawn from.
    pub seed: u64,
}

/// A named set of policy settings, such as `vats`: `grant=vats`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicySet {
    /// The name to show.
    pub name: String,
    /// Settings by name.
    pub settings: Vec<(String, String)>,
    /// How long a request waits, in microseconds; the profile's time if it is not given.
    pub timeout: Option<u64>,
}

/// The sets that are compared unless told otherwise. The youngest dies where nothing else is said:
/// a victim keeps its age, so it gets through in the end. (The lightest, as servers have it, is most
/// often the one that has just begun again; orders that go by age then grant to one who dies again.)
const STANDARD: &[(&str, &str)] = &[
    ("fifo", "grant=fifo,victim=youngest,detector=dfs"),
    (
        "fifo-reader-batch",
        "grant=fifo-reader-batch,victim=youngest,detector=dfs",
    ),
    ("vats", "grant=vats,victim=youngest,detector=dfs"),
    ("cats", "grant=cats,victim=youngest,detector=dfs"),
    ("ldsf", "grant=ldsf,victim=youngest,detector=dfs"),
    ("wound-wait", "conflict=wound-wait,grant=fifo"),
    ("wait-die", "conflict=wait-die,grant=fifo"),
    ("no-wait", "conflict=no-wait,grant=fifo"),
    ("timeout-50ms", "detector=off,grant=fifo,timeout=50000"),
    ("victim-lightest", "victim=lightest,grant=fifo,detector=dfs"),
    (
        "victim-requester",
        "victim=requester,grant=fifo,detector=dfs",
    ),
    (
        "victim-most-locks",
        "victim=most-locks,grant=fifo,detector=dfs",
    ),
];

impl PolicySet {
    /// The sets that are compared unless told otherwise.
    #[must_use]
    pub fn standard() -> Vec<PolicySet> {
        let parse = |(name, text): &(&str, &str)| {
            let set = PolicySet::parse(text).expect("our own settings are in order");
            PolicySet {
                name: (*name).to_owned(),
                ..set
            }
        };
        STANDARD.iter().map(parse).collect()
    }

    /// Reads the name of a standard set, or `NAME=VALUE,NAME=VALUE`, with `timeout=MICROS` among
    /// them.
    ///
    /// # Errors
    /// What is wrong with it, in a sentence.
    pub fn parse(text: &str) -> Result<PolicySet, String> {
        if let Some((name, settings)) = STANDARD.iter().find(|(name, _)| *name == text) {
            let set = PolicySet::parse(settings)?;
            return Ok(PolicySet {
                name: (*name).to_owned(),
                ..set
            });
        }
        let mut set = PolicySet {
            name: text.to_owned(),
            settings: Vec::new(),
            timeout: None,
        };
        for part in text.split(',') {
            let Some((name, value)) = part.split_once('=') else {
                let names: Vec<&str> = STANDARD.iter().map(|(name, _)| *name).collect();
                return Err(format!(
                    "`{part}` is neither NAME=VALUE nor one of: {}",
                    names.join(", ")
                ));
            };
            if name == "timeout" {
                let micros = value.parse();
                set.timeout = Some(micros.map_err(|error| format!("`{part}`: {error}"))?);
                continue;
            }
            let mut scratch = gaplock_lockmgr::LockConfig::default();
            scratch
                .set(name, value)
                .map_err(|error| error.to_string())?;
            set.settings.push((name.to_owned(), value.to_owned()));
        }
        Ok(set)
    }

    /// The profile with these settings.
    #[must_use]
    pub fn applied_to(&self, profile: &Profile) -> Profile {
        let mut profile = profile.clone();
        for (name, value) in &self.settings {
            let set = profile.policies.set(name, value);
            set.expect("settings were checked when they were read");
        }
        profile
    }
}

/// Why a run could not be made.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// The engine failed otherwise than by a lock.
    #[error("the engine failed: {0}")]
    Engine(#[from] Error),
}
