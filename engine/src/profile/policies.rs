//! Policies of the lock table that the user sets by name, over what the profile's release has.

use std::collections::BTreeMap;

use gaplock_lockmgr::{LockConfig, SettingError};
use serde::{Deserialize, Serialize};

/// Settings by name, each checked when it was made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PolicySettings(BTreeMap<String, String>);

impl PolicySettings {
    /// Whether nothing is set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Sets one policy.
    ///
    /// # Errors
    /// When there is no such policy, or the text is not one of its values.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), SettingError> {
        LockConfig::default().set(name, value)?;
        self.0.insert(name.to_owned(), value.to_owned());
        Ok(())
    }

    /// The rules with these settings. Servers never bound how often a waiter is passed; a grant order
    /// that the user chooses is bounded, unless he says otherwise.
    #[must_use]
    pub fn applied_to(&self, mut rules: LockConfig) -> LockConfig {
        if self.0.contains_key("grant") {
            rules.bypass_max = LockConfig::DEFAULT.bypass_max;
        }
        for (name, value) in &self.0 {
            // What was read from elsewhere may be of another version; what is unknown has no effect.
            let _ = rules.set(name, value);
        }
        rules
    }
}

#[cfg(test)]
mod tests {
    use gaplock_lockmgr::{GrantKind, VictimKind};

    use super::*;
    use crate::profile::find;

    #[test]
    fn settings_change_the_rules_and_nothing_else() {
        let mut profile = find("mysql-5.6").unwrap();
        profile.set("policy.grant", "vats").unwrap();
        profile.set("policy.victim", "youngest").unwrap();
        let base = LockConfig {
            bypass_max: u32::MAX,
            ..LockConfig::DEFAULT
        };
        let rules = profile.policies.applied_to(base);
        let expected = LockConfig {
            grant: GrantKind::Eldest,
            victim: VictimKind::Youngest,
            ..LockConfig::DEFAULT
        };
        assert_eq!(rules, expected);
        profile.set("policy.bypass_max", "unbounded").unwrap();
        assert_eq!(profile.policies.applied_to(base).bypass_max, u32::MAX);
    }

    #[test]
    fn a_wrong_setting_is_refused_with_what_there_is() {
        let mut profile = find("mysql-5.6").unwrap();
        let error = profile.set("policy.grant", "cat").unwrap_err().to_string();
        assert!(error.contains("vats"), "{error}");
        let error = profile.set("policy.grants", "fifo").unwrap_err();
        assert!(error.to_string().contains("detector"), "{error}");
        assert!(profile.policies.is_empty());
    }
}
