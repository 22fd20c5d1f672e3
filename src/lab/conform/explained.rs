//! Why recordings still disagree: each disagreeing case stands in one class, with its reason.
//!
//! X1. A case that disagrees and stands in no class is an error of the table, and so is one that
//!     stands in a class and agrees. So nothing new hides behind an old reason.
//! X2. Where a class is set apart, what it holds is not the engine's to decide (the recording raced
//!     with purge or with the optimizer's statistics); such cases are named, counted, and also
//!     given as figures without them. They are never left out of the main figures.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

/// The classes, in the order of the file.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Explained {
    /// Each class once.
    #[serde(default, rename = "class")]
    pub classes: Vec<Class>,
}

/// Disagreements with one cause.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Class {
    /// A short name.
    pub name: String,
    /// The cause, in a sentence or two.
    pub why: String,
    /// The recording itself depends on something that it does not hold (X2).
    #[serde(default)]
    pub set_apart: bool,
    /// Names of cases, by server.
    pub cases: BTreeMap<String, Vec<String>>,
}

/// Why the classes could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ExplainedError {
    /// The file could not be read.
    #[error("{path}: {source}", path = path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is not TOML of this form.
    #[error("{path}: {source}", path = path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong, with its place.
        source: Box<toml::de::Error>,
    },
}

impl Explained {
    /// Reads the classes from a file.
    ///
    /// # Errors
    /// The file can't be read, or is not of this form.
    pub fn read(path: &Path) -> Result<Explained, ExplainedError> {
        let text = std::fs::read_to_string(path).map_err(|source| ExplainedError::Io {
            path: path.to_owned(),
            source,
        })?;
        toml::from_str(&text).map_err(|source| ExplainedError::Malformed {
            path: path.to_owned(),
            source: Box::new(source),
        })
    }

    /// The class that a case of a server stands in.
    #[must_use]
    pub fn class_of(&self, server: &str, case: &str) -> Option<&Class> {
        self.classes.iter().find(|class| class.holds(server, case))
    }
}

impl Class {
    fn holds(&self, server: &str, case: &str) -> bool {
        let cases = self.cases.get(server);
        cases.is_some_and(|cases| cases.iter().any(|known| known == case))
    }
}
