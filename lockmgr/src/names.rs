//! How the rules are written: `detector=dfs:200:1000000`, `grant=vats`. One table for each rule, from
//! which values are read, printed and listed, so that the three cannot differ.

use std::fmt;

use crate::{Beyond, ConflictKind, DetectorKind, GrantKind, LockConfig, VictimKind};

/// How long a delayed search waits unless told, in microseconds (PostgreSQL's default).
const DELAY_DEFAULT: u64 = 1_000_000;

const DFS: DetectorKind = LockConfig::DEFAULT.detector;

const DETECTORS: &[(&str, DetectorKind)] = &[
    ("dfs", DFS),
    ("background-one-edge", DetectorKind::BackgroundOneEdge),
    ("brent", DetectorKind::Brent),
    (
        "delayed",
        DetectorKind::Delayed {
            after: DELAY_DEFAULT,
        },
    ),
    ("digest", DetectorKind::Digest),
    ("off", DetectorKind::Off),
];

const CONFLICTS: &[(&str, ConflictKind)] = &[
    ("wait", ConflictKind::Wait),
    ("no-wait", ConflictKind::NoWait),
    ("wait-die", ConflictKind::WaitDie),
    ("wound-wait", ConflictKind::WoundWait),
];

const VICTIMS: &[(&str, VictimKind)] = &[
    ("lighter-of-two", VictimKind::LighterOfTwo),
    ("lightest", VictimKind::LightestInCycle),
    ("lightest-else-requester", VictimKind::LightestElseRequester),
    ("requester", VictimKind::Requester),
    ("youngest", VictimKind::Youngest),
    ("oldest", VictimKind::Oldest),
    ("fewest-locks", VictimKind::FewestLocks),
    ("most-locks", VictimKind::MostLocks),
    ("least-undo", VictimKind::LeastUndo),
    ("priority", VictimKind::LowestPriority),
    ("fewest-restarts", VictimKind::FewestRestarts),
    ("random", VictimKind::Random),
];

const GRANTS: &[(&str, GrantKind)] = &[
    ("fifo", GrantKind::Fifo),
    ("fifo-reader-batch", GrantKind::ReaderBatch),
    ("vats", GrantKind::Eldest),
    ("cats", GrantKind::ContentionAware),
    ("cats-threshold-32", GrantKind::ContentionAwareFrom(32)),
    ("ldsf", GrantKind::LargestDependencySet),
    ("priority", GrantKind::Priority),
    ("random", GrantKind::Random),
];

/// One rule that can be set by name.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// Its name.
    pub name: &'static str,
    /// What it decides.
    pub what: &'static str,
    /// What it can be, as a usage line.
    pub values: &'static str,
}

/// All rules that can be set by name: policies and their bounds. What a request locks and how locks
/// are stored is not among them.
pub const SETTINGS: &[Setting] = &[
    Setting {
        name: "detector",
        what: "how deadlocks are looked for",
        values: "dfs[:DEPTH:STEPS[:give-up]] background-one-edge brent delayed[:MICROS] digest off",
    },
    Setting {
        name: "conflict",
        what: "who may wait for whom",
        values: "wait no-wait wait-die wound-wait",
    },
    Setting {
        name: "victim",
        what: "who of a cycle dies",
        values: "lighter-of-two lightest lightest-else-requester requester youngest oldest \
                 fewest-locks most-locks least-undo priority fewest-restarts random",
    },
    Setting {
        name: "grant",
        what: "who is granted first",
        values: "fifo fifo-reader-batch vats cats cats-threshold-N ldsf priority random",
    },
    Setting {
        name: "bypass_max",
        what: "how often a waiter is passed by later ones",
        values: "N unbounded",
    },
    Setting {
        name: "waiters_max",
        what: "how many may wait for one record",
        values: "N unbounded",
    },
    Setting {
        name: "seed",
        what: "of what is drawn by lot",
        values: "N",
    },
];

/// Why a rule cannot be set so.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingError {
    /// There is no rule of that name.
    #[error("no policy setting `{name}`; there are: {}", setting_names())]
    UnknownSetting {
        /// What was asked for.
        name: String,
    },
    /// The rule cannot have that value.
    #[error("policy setting `{name}` cannot be `{value}`; it is one of: {values}")]
    BadValue {
        /// The rule.
        name: &'static str,
        /// What it was to be.
        value: String,
        /// What it can be.
        values: &'static str,
    },
}

fn setting_names() -> String {
    let names: Vec<&str> = SETTINGS.iter().map(|setting| setting.name).collect();
    names.join(", ")
}

fn by_name<T: Copy>(table: &[(&str, T)], value: &str) -> Option<T> {
    let found = table.iter().find(|(name, _)| *name == value);
    found.map(|&(_, kind)| kind)
}

fn name_of<T: PartialEq>(table: &[(&'static str, T)], kind: &T) -> Option<&'static str> {
    let found = table.iter().find(|(_, known)| known == kind);
    found.map(|&(name, _)| name)
}

fn bound(value: &str) -> Option<u32> {
    match value {
        "unbounded" => Some(u32::MAX),
        number => number.parse().ok(),
    }
}

impl DetectorKind {
    /// All with their parameters' defaults, by name.
    pub fn all() -> impl Iterator<Item = (&'static str, DetectorKind)> {
        DETECTORS.iter().copied()
    }

    /// Reads what [`fmt::Display`] writes.
    #[must_use]
    pub fn parse(value: &str) -> Option<Self> {
        if let Some(kind) = by_name(DETECTORS, value) {
            return Some(kind);
        }
        let parts: Vec<&str> = value.split(':').collect();
        let beyond = match parts.get(3) {
            None => Beyond::RequesterDies,
            Some(&"give-up") => Beyond::GiveUp,
            Some(_) => return None,
        };
        match parts[..] {
            ["dfs", depth, steps] | ["dfs", depth, steps, _] => Some(DetectorKind::DepthFirst {
                depth: depth.parse().ok()?,
                steps: steps.parse().ok()?,
                beyond,
            }),
            ["delayed", after] => Some(DetectorKind::Delayed {
                after: after.parse().ok()?,
            }),
            _ => None,
        }
    }
}

impl ConflictKind {
    /// All, by name.
    pub fn all() -> impl Iterator<Item = (&'static str, ConflictKind)> {
        CONFLICTS.iter().copied()
    }

    /// Reads what [`fmt::Display`] writes.
    #[must_use]
    pub fn parse(value: &str) -> Option<Self> {
        by_name(CONFLICTS, value)
    }
}

impl VictimKind {
    /// All, by name.
    pub fn all() -> impl Iterator<Item = (&'static str, VictimKind)> {
        VICTIMS.iter().copied()
    }

    /// Reads what [`fmt::Display`] writes.
    #[must_use]
    pub fn parse(value: &str) -> Option<Self> {
        by_name(VICTIMS, value)
    }
}

impl GrantKind {
    /// All, by name; the threshold as servers had it.
    pub fn all() -> impl Iterator<Item = (&'static str, GrantKind)> {
        GRANTS.iter().copied()
    }

    /// Reads what [`fmt::Display`] writes.
    #[must_use]
    pub fn parse(value: &str) -> Option<Self> {
        let threshold = || {
            let least = value.strip_prefix("cats-threshold-")?.parse().ok()?;
            Some(GrantKind::ContentionAwareFrom(least))
        };
        by_name(GRANTS, value).or_else(threshold)
    }
}

impl fmt::Display for DetectorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (name_of(DETECTORS, self), self) {
            (Some(name), _) => f.write_str(name),
            (
                None,
                DetectorKind::DepthFirst {
                    depth,
                    steps,
                    beyond,
                },
            ) => {
                write!(f, "dfs:{depth}:{steps}")?;
                match beyond {
                    Beyond::RequesterDies => Ok(()),
                    Beyond::GiveUp => f.write_str(":give-up"),
                }
            }
            (None, DetectorKind::Delayed { after }) => write!(f, "delayed:{after}"),
            (None, _) => f.write_str("custom"),
        }
    }
}

impl fmt::Display for ConflictKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(name_of(CONFLICTS, self).unwrap_or("custom"))
    }
}

impl fmt::Display for VictimKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(name_of(VICTIMS, self).unwrap_or("custom"))
    }
}

impl fmt::Display for GrantKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (name_of(GRANTS, self), self) {
            (Some(name), _) => f.write_str(name),
            (None, GrantKind::ContentionAwareFrom(least)) => write!(f, "cats-threshold-{least}"),
            (None, _) => f.write_str("custom"),
        }
    }
}

impl LockConfig {
    /// Sets one of [`SETTINGS`] by name.
    ///
    /// # Errors
    /// [`SettingError`], with what there is or what it can be.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), SettingError> {
        let Some(setting) = SETTINGS.iter().find(|setting| setting.name == name) else {
            return Err(SettingError::UnknownSetting {
                name: name.to_owned(),
            });
        };
        self.try_set(name, value)
            .ok_or_else(|| SettingError::BadValue {
                name: setting.name,
                value: value.to_owned(),
                values: setting.values,
            })
    }

    fn try_set(&mut self, name: &str, value: &str) -> Option<()> {
        match name {
            "detector" => self.detector = DetectorKind::parse(value)?,
            "conflict" => self.conflict = ConflictKind::parse(value)?,
            "victim" => self.victim = VictimKind::parse(value)?,
            "grant" => self.grant = GrantKind::parse(value)?,
            "bypass_max" => self.bypass_max = bound(value)?,
            "waiters_max" => self.waiters_max = bound(value)?,
            _ => self.seed = value.parse().ok()?,
        }
        Some(())
    }

    /// One of [`SETTINGS`] as it would be written.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<String> {
        let bounded = |bound: u32| match bound {
            u32::MAX => "unbounded".to_owned(),
            bound => bound.to_string(),
        };
        Some(match name {
            "detector" => self.detector.to_string(),
            "conflict" => self.conflict.to_string(),
            "victim" => self.victim.to_string(),
            "grant" => self.grant.to_string(),
            "bypass_max" => bounded(self.bypass_max),
            "waiters_max" => bounded(self.waiters_max),
            "seed" => self.seed.to_string(),
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let values = [
            ("detector", "dfs"),
            ("detector", "dfs:5:10"),
            ("detector", "dfs:5:10:give-up"),
            ("detector", "delayed:250"),
            ("grant", "cats-threshold-8"),
            ("bypass_max", "3"),
            ("bypass_max", "unbounded"),
            ("waiters_max", "100"),
            ("seed", "42"),
        ];
        let names = |setting, all: Vec<&'static str>| all.into_iter().map(move |v| (setting, v));
        let all = values
            .into_iter()
            .chain(names(
                "detector",
                DetectorKind::all().map(|d| d.0).collect(),
            ))
            .chain(names(
                "conflict",
                ConflictKind::all().map(|c| c.0).collect(),
            ))
            .chain(names("victim", VictimKind::all().map(|v| v.0).collect()))
            .chain(names("grant", GrantKind::all().map(|g| g.0).collect()));
        for (name, value) in all {
            let mut config = LockConfig::DEFAULT;
            config.set(name, value).unwrap();
            assert_eq!(config.get(name).as_deref(), Some(value));
            let listed = SETTINGS.iter().find(|s| s.name == name).unwrap().values;
            let word = value.split(':').next().unwrap();
            let known = word.starts_with("cats-threshold") || listed.contains(word);
            assert!(known || word.parse::<u64>().is_ok(), "{value} of {name}");
        }
    }

    #[test]
    fn bad_values_say_what_is_possible() {
        let mut config = LockConfig::DEFAULT;
        for (name, value) in [
            ("detector", "dfs:1"),
            ("detector", "dfs:1:2:die"),
            ("grant", "cats-threshold-"),
            ("victim", "custom"),
            ("seed", "-1"),
        ] {
            let error = config.set(name, value).unwrap_err().to_string();
            assert!(error.contains(value) && error.contains("one of"), "{error}");
        }
        let error = config.set("detectr", "dfs").unwrap_err().to_string();
        assert!(error.contains("detector"), "{error}");
        assert_eq!(config, LockConfig::DEFAULT);
    }
}
