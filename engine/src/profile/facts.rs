//! What each fact means, where it is known from, and access by name.

use serde_json::Value as Json;

use super::Profile;

/// What is to be known about one field of [`Profile`].
#[derive(Clone, Copy, Debug)]
pub struct Fact {
    /// The field's name.
    pub name: &'static str,
    /// What it decides, in a line.
    pub what: &'static str,
    /// The bug, work log, release note or recordings that it is known from.
    pub source: &'static str,
}

const fn fact(name: &'static str, what: &'static str, source: &'static str) -> Fact {
    Fact { name, what, source }
}

/// All facts, in the order of the struct.
pub const FACTS: &[Fact] = &[
    fact(
        "duplicate_regime",
        "locks left by an insertion that met a duplicate",
        "bugs 11758237, 25966845, 98324; recordings m19, m21, m41, m58, regime",
    ),
    fact(
        "shared_duplicate_scan_ends_with_gap",
        "a shared duplicate scan over delete-marked entries ends with a gap lock",
        "8.0.27; recording m44",
    ),
    fact(
        "range_end",
        "where the end of an ascending clustered range is tested",
        "bug 29508068 (8.0.18); recordings m08, m09",
    ),
    fact(
        "unique_secondary_hit_next_key",
        "equality on a unique secondary key takes a next-key lock",
        "MDEV-30225; recordings m17, m18",
    ),
    fact(
        "own_implicit_becomes_explicit",
        "locking an own new row stores a lock",
        "MDEV-16675; recording m01",
    ),
    fact(
        "next_key_upgrade_asks_gap",
        "a next-key lock over an own record lock adds the gap only",
        "bug 23755664 (8.0.18), MDEV-10962; recording m06",
    ),
    fact(
        "bypass_blocked_waiters",
        "a holder passes waiters that it blocks",
        "bug 11745929 (8.0.29), MDEV-34877; recording m25",
    ),
    fact(
        "grant_order",
        "who is granted first",
        "WL#10793 (8.0.3), WL#13468 (8.0.20); recordings m27, m28",
    ),
    fact(
        "detection",
        "how deadlocks are found",
        "bug 29882690 (8.0.18), MDEV-24738 (10.6)",
    ),
    fact(
        "victim_from_whole_cycle",
        "the victim is the lightest of the whole cycle",
        "bug 29882690, MDEV-24738; recordings m33, m56",
    ),
    fact(
        "struct_reuse_with_waiters",
        "locks join a structure whose record is waited for",
        "8.0.27",
    ),
    fact(
        "unlock_rule",
        "which locks READ COMMITTED gives back",
        "bug 102722, 8.0.30; recordings m11.rc, m37.rc",
    ),
    fact(
        "unlock_shared",
        "READ COMMITTED gives back shared locks too",
        "recording pk_range_ge_s.rc",
    ),
    fact(
        "deleted_at_read_committed",
        "locking reads at READ COMMITTED over delete-marked records",
        "MDEV-14589; recording m43.rc",
    ),
    fact(
        "semi_consistent",
        "how UPDATE looks at locked rows at READ COMMITTED",
        "8.0.30, MDEV-24738, MDEV-32898; recordings m36.rc, r1_00178",
    ),
    fact(
        "inherit_at_read_committed",
        "whose locks become gap locks at READ COMMITTED",
        "bug 21025880, 8.0.18, MDEV-28709; recording m55.rc",
    ),
    fact(
        "foreign_key_gaps_at_read_committed",
        "foreign-key checks lock gaps at READ COMMITTED",
        "bug 25082593; recordings m39.rc, fk_par_del_free.rc",
    ),
    fact(
        "foreign_key_layer",
        "who checks foreign keys",
        "innodb_native_foreign_keys (9.7); recordings fk_*",
    ),
    fact(
        "auto_increment_mode",
        "innodb_autoinc_lock_mode",
        "8.0.3; recording ai_bulk_blocked",
    ),
    fact(
        "snapshot_isolation",
        "locking a row changed after the snapshot fails with 1020",
        "MDEV-35124 (11.6.2); recording m49",
    ),
    fact(
        "after_victim_in_transaction",
        "a victim's session stands in a new transaction",
        "recording m52",
    ),
    fact(
        "index_condition_pushdown",
        "conditions and range ends are tested in the index",
        "WL#2475 (5.6)",
    ),
    fact(
        "pushdown_backward",
        "pushdown ends backward range scans",
        "recording m16",
    ),
    fact("nowait", "NOWAIT is known", "WL#3597 (8.0.1), MariaDB 10.3"),
    fact(
        "skip_locked",
        "SKIP LOCKED is known",
        "WL#3597 (8.0.1), MariaDB 10.6",
    ),
    fact(
        "nowait_error",
        "the error of NOWAIT on a held row",
        "recordings",
    ),
    fact(
        "default_collation",
        "default character set and collation",
        "manuals",
    ),
    fact(
        "planner_row_cost",
        "the optimizer's price of a row, in thousandths",
        "ROW_EVALUATE_COST, row_evaluate_cost",
    ),
    fact(
        "planner_page_cost",
        "the optimizer's price of a page in memory, in thousandths",
        "memory_block_read_cost (8.0)",
    ),
    fact(
        "whole_range_becomes_index_scan",
        "a covering range over all rows is read as an index scan",
        "recordings' plans: 5.5 to 8.0.30, MariaDB 10.1",
    ),
    fact(
        "planner_statistics_lag",
        "row estimates lag behind recent changes",
        "recordings' plans against what was run: 5.5, 5.6, MariaDB 10.1",
    ),
    fact(
        "between_point_is_equality",
        "BETWEEN with equal ends is an equality",
        "recordings' plans: 8.0 and later",
    ),
    fact(
        "extended_key_is_unique",
        "equality on a secondary key and the primary key behind it is unique",
        "recordings' plans: 8.0 and later",
    ),
    fact(
        "lock_wait_timeout",
        "innodb_lock_wait_timeout, in seconds",
        "manuals",
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

    /// Overrides one fact by name.
    ///
    /// # Errors
    /// When there is no such fact, or the text is not one of its values.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), ProfileError> {
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
