//! What each fact means, where it is known from, and access by name.

use serde_json::Value as Json;

use super::{Profile, versions::is_recorded};
use Evidence::{Both, Documents, Recordings};

/// What is to be known about one field of [`Profile`].
#[derive(Clone, Copy, Debug)]
pub struct Fact {
    /// The field's name.
    pub name: &'static str,
    /// What it decides, in a line.
    pub what: &'static str,
    /// The bug, work log, release note or recordings that it is known from.
    pub source: &'static str,
    /// What kinds of sources these are.
    pub evidence: Evidence,
}

/// The kinds of sources of a fact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// Recordings of servers.
    Recordings,
    /// Source code, release notes, bug reports, manuals.
    Documents,
    /// Both.
    Both,
}

/// How far one profile's value of a fact is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Standing {
    /// Recordings of that very server show it.
    Recorded,
    /// Nobody recorded that server, or what was recorded cannot show it; documents say it.
    Documented,
    /// Concluded from the releases before and after.
    Inferred,
}

impl Standing {
    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Standing::Recorded => "recorded",
            Standing::Documented => "documented",
            Standing::Inferred => "inferred",
        }
    }
}

impl Fact {
    /// How far this fact is known of a profile.
    #[must_use]
    pub fn standing(&self, profile: &str) -> Standing {
        match self.evidence {
            Evidence::Recordings | Evidence::Both if is_recorded(profile) => Standing::Recorded,
            Evidence::Documents | Evidence::Both => Standing::Documented,
            Evidence::Recordings => Standing::Inferred,
        }
    }
}

const fn fact(
    name: &'static str,
    what: &'static str,
    source: &'static str,
    evidence: Evidence,
) -> Fact {
    Fact {
        name,
        what,
        source,
        evidence,
    }
}

/// All facts, in the order of the struct.
pub const FACTS: &[Fact] = &[
    fact(
        "duplicate_regime",
        "locks left by an insertion that met a duplicate",
        "bugs 11758237, 25966845, 98324; recordings m19, m21, m41, m58, regime",
        Both,
    ),
    fact(
        "shared_duplicate_scan_ends_with_gap",
        "a shared duplicate scan over delete-marked entries ends with a gap lock",
        "8.0.27; recording m44",
        Both,
    ),
    fact(
        "range_end",
        "where the end of an ascending clustered range is tested",
        "bug 29508068 (8.0.18); recordings m08, m09",
        Both,
    ),
    fact(
        "unique_secondary_hit_next_key",
        "equality on a unique secondary key takes a next-key lock",
        "MDEV-30225; recordings m17, m18",
        Both,
    ),
    fact(
        "own_implicit_becomes_explicit",
        "locking an own new row stores a lock",
        "MDEV-16675; recording m01",
        Both,
    ),
    fact(
        "own_row_covers_entries",
        "locking an index entry of an own changed row stores no lock, whatever changed",
        "recordings r1_00337, r1_00490 (MariaDB 10.11, 11.8)",
        Recordings,
    ),
    fact(
        "next_key_upgrade_asks_gap",
        "a next-key lock over an own record lock adds the gap only",
        "bug 23755664 (8.0.18), MDEV-10962; recording m06",
        Both,
    ),
    fact(
        "bypass_blocked_waiters",
        "a holder passes waiters that it blocks",
        "bug 11745929 (8.0.29), MDEV-34877; recording m25",
        Both,
    ),
    fact(
        "grant_order",
        "who is granted first",
        "WL#10793 (8.0.3), WL#13468 (8.0.20); recordings m27, m28",
        Both,
    ),
    fact(
        "detection",
        "how deadlocks are found",
        "bug 29882690 (8.0.18), MDEV-24738 (10.6)",
        Both,
    ),
    fact(
        "victim_from_whole_cycle",
        "the victim is the lightest of the whole cycle",
        "bug 29882690, MDEV-24738; recordings m33, m56",
        Both,
    ),
    fact(
        "struct_reuse_with_waiters",
        "locks join a structure whose record is waited for",
        "8.0.27",
        Documents,
    ),
    fact(
        "unlock_rule",
        "which locks READ COMMITTED gives back",
        "bug 102722, 8.0.30; recordings m11.rc, m37.rc",
        Both,
    ),
    fact(
        "unlock_compares_unset_ids",
        "READ COMMITTED gives nothing back to read-only transactions on purged rows",
        "recordings pk_range_ge_s.rc, m05.rc, m07_rec_then_nextkey_s.rc (MariaDB 10.5)",
        Recordings,
    ),
    fact(
        "deleted_at_read_committed",
        "locking reads at READ COMMITTED over delete-marked records",
        "MDEV-14589; recording m43.rc",
        Both,
    ),
    fact(
        "semi_consistent",
        "how UPDATE looks at locked rows at READ COMMITTED",
        "8.0.30, MDEV-24738, MDEV-32898; recordings m36.rc, r1_00178",
        Both,
    ),
    fact(
        "inherit_at_read_committed",
        "whose locks become gap locks at READ COMMITTED",
        "bug 21025880, 8.0.18, MDEV-28709; recording m55.rc",
        Both,
    ),
    fact(
        "foreign_key_gaps_at_read_committed",
        "foreign-key checks lock gaps at READ COMMITTED",
        "bug 25082593; recordings m39.rc, fk_par_del_free.rc",
        Both,
    ),
    fact(
        "foreign_key_layer",
        "who checks foreign keys",
        "innodb_native_foreign_keys (9.7); recordings fk_*",
        Both,
    ),
    fact(
        "auto_increment_mode",
        "innodb_autoinc_lock_mode",
        "8.0.3; recording ai_bulk_blocked",
        Both,
    ),
    fact(
        "snapshot_isolation",
        "locking a row changed after the snapshot fails with 1020",
        "MDEV-35124 (11.6.2); recording m49",
        Both,
    ),
    fact(
        "after_victim_in_transaction",
        "a victim's session stands in a new transaction",
        "recording m52",
        Recordings,
    ),
    fact(
        "index_condition_pushdown",
        "conditions and range ends are tested in the index",
        "WL#2475 (5.6)",
        Both,
    ),
    fact(
        "pushdown_backward",
        "pushdown ends backward range scans",
        "recording m16",
        Recordings,
    ),
    fact(
        "nowait",
        "NOWAIT is known",
        "WL#3597 (8.0.1), MariaDB 10.3",
        Both,
    ),
    fact(
        "skip_locked",
        "SKIP LOCKED is known",
        "WL#3597 (8.0.1), MariaDB 10.6",
        Both,
    ),
    fact(
        "nowait_error",
        "the error of NOWAIT on a held row",
        "recordings",
        Recordings,
    ),
    fact(
        "default_collation",
        "default character set and collation",
        "manuals",
        Documents,
    ),
    fact(
        "planner_row_cost",
        "the optimizer's price of a row, in thousandths",
        "ROW_EVALUATE_COST, row_evaluate_cost",
        Documents,
    ),
    fact(
        "planner_page_cost",
        "the optimizer's price of a page in memory, in thousandths",
        "memory_block_read_cost (8.0)",
        Documents,
    ),
    fact(
        "index_scan_for_range",
        "whether a covering range can be dearer than a scan of its index, and is then read as one",
        "recordings' plans by rows found and rows of the table: 5.5 to 8.0.30, MariaDB 10.1",
        Recordings,
    ),
    fact(
        "between_point_is_equality",
        "BETWEEN with equal ends is an equality",
        "recordings' plans: 8.0 and later",
        Recordings,
    ),
    fact(
        "extended_key_is_unique",
        "equality on a secondary key and the primary key behind it is unique",
        "recordings' plans: 8.0 and later",
        Recordings,
    ),
    fact(
        "update_writes_unread_columns",
        "an UPDATE that changes nothing writes the row, if it did not read what it sets",
        "records_are_comparable() in sql_update; recording r1_00346",
        Both,
    ),
    fact(
        "locks_of_waiters_show_waiting",
        "data_locks lists locks that are made for a waiter by others as waiting, too",
        "recordings dup3_del_ua, r1_00014, r1_00058 and more (8.0.30)",
        Recordings,
    ),
    fact(
        "lock_wait_timeout",
        "innodb_lock_wait_timeout, in seconds",
        "manuals",
        Documents,
    ),
];

/// A fact that cannot be set.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProfileError {
    /// No such fact.
    #[error("no fact is called '{name}'")]
    UnknownFact {
        /// The name given.
        name: String,
    },
    /// Not a value of this fact.
    #[error("'{value}' is not a value of {name}: {detail}")]
    BadValue {
        /// The fact.
        name: String,
        /// The value given.
        value: String,
        /// What would be accepted.
        detail: String,
    },
    /// No such policy, or not one of its values.
    #[error(transparent)]
    Policy(#[from] gaplock_lockmgr::SettingError),
}

impl Profile {
    /// The value of a fact, as text.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<String> {
        let Ok(Json::Object(fields)) = serde_json::to_value(self) else {
            return None;
        };
        fields.get(name).map(|value| match value {
            Json::String(text) => text.clone(),
            other => other.to_string(),
        })
    }

    /// Overrides one fact by name, or with `policy.NAME` a policy of the lock table
    /// ([`gaplock_lockmgr::SETTINGS`]).
    ///
    /// # Errors
    /// When there is no such fact, or the text is not one of its values.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), ProfileError> {
        if let Some(policy) = name.strip_prefix("policy.") {
            return Ok(self.policies.set(policy, value)?);
        }
        if !FACTS.iter().any(|fact| fact.name == name) {
            return Err(ProfileError::UnknownFact {
                name: name.to_owned(),
            });
        }
        let bad = |detail: String| ProfileError::BadValue {
            name: name.to_owned(),
            value: value.to_owned(),
            detail,
        };
        let mut fields = serde_json::to_value(&*self).map_err(|error| bad(error.to_string()))?;
        let parsed = match value {
            "true" | "on" => Json::Bool(true),
            "false" | "off" if fields[name].is_boolean() => Json::Bool(false),
            text => text
                .parse::<u64>()
                .map_or_else(|_| Json::String(text.to_owned()), Json::from),
        };
        fields[name] = parsed;
        *self = serde_json::from_value(fields).map_err(|error| bad(error.to_string()))?;
        Ok(())
    }

    /// The facts in which two profiles differ: name, this one's value, the other's.
    #[must_use]
    pub fn differences(&self, other: &Profile) -> Vec<(&'static Fact, String, String)> {
        FACTS
            .iter()
            .filter_map(|fact| {
                let (mine, theirs) = (self.get(fact.name)?, other.get(fact.name)?);
                (mine != theirs).then_some((fact, mine, theirs))
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::{DuplicateRegime, find, names};

    #[test]
    fn every_field_is_explained_once_and_in_order() {
        let profile = find("mysql-5.5").unwrap();
        let Json::Object(fields) = serde_json::to_value(&profile).unwrap() else {
            panic!()
        };
        let mut explained: Vec<_> = FACTS.iter().map(|fact| fact.name.to_owned()).collect();
        explained.extend(["name".to_owned(), "server_version".to_owned()]);
        let mut fields: Vec<_> = fields.keys().cloned().collect();
        fields.sort();
        explained.sort();
        assert_eq!(fields, explained);
    }

    #[test]
    fn facts_are_overridden_by_name() {
        let mut profile = find("mysql-5.6").unwrap();
        profile.set("duplicate_regime", "C").unwrap();
        assert_eq!(profile.duplicate_regime, DuplicateRegime::C);
        assert!(matches!(
            profile.set("nonsense", "1"),
            Err(ProfileError::UnknownFact { .. })
        ));
        assert!(matches!(
            profile.set("duplicate_regime", "Q"),
            Err(ProfileError::BadValue { .. })
        ));
    }

    #[test]
    fn profiles_differ_where_their_releases_do() {
        let (old, new) = (find("mysql-5.7.24").unwrap(), find("mysql-5.7.37").unwrap());
        let names_of =
            |d: Vec<(&Fact, String, String)>| d.iter().map(|(f, ..)| f.name).collect::<Vec<_>>();
        assert_eq!(names_of(old.differences(&new)), ["duplicate_regime"]);
        assert_eq!(names().len(), 17);
    }
}
