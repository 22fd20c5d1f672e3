//! One profile for each release, each written as its difference from another.

use super::{
    DeletedAtReadCommitted, Detection, DuplicateRegime, ForeignKeyLayer, GrantOrder,
    IndexScanForRange, InheritAtReadCommitted, Profile, RangeEnd, SemiConsistent, UnlockRule,
};
use crate::types::Collation;

/// Names of all profiles, oldest first within each family.
#[must_use]
pub fn names() -> Vec<&'static str> {
    CONSTRUCTORS.iter().map(|(name, _)| *name).collect()
}

/// The profile of that name.
#[must_use]
pub fn find(name: &str) -> Option<Profile> {
    CONSTRUCTORS
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(name, make)| Profile {
            name: (*name).to_owned(),
            ..make()
        })
}

/// The name of the profile for a release, as `SELECT VERSION()` gives it. None when no profile's
/// name says this release or its series.
#[must_use]
pub fn for_release(version: &str) -> Option<&'static str> {
    let family = if version.to_ascii_lowercase().contains("mariadb") {
        "mariadb-"
    } else {
        "mysql-"
    };
    // What old replicas need to see comes first.
    let version = version.strip_prefix("5.5.5-").unwrap_or(version);
    let number = version.split(|c: char| !c.is_ascii_digit() && c != '.');
    let number = number.into_iter().next().unwrap_or_default();
    let fits = |name: &&str| {
        let rest = name
            .strip_prefix(family)
            .and_then(|p| number.strip_prefix(p));
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    names().into_iter().find(fits)
}

/// Whether that very server was recorded (`tests/conformance`); the other profiles stand between
/// recorded ones and on what is written about their releases.
#[must_use]
pub fn is_recorded(name: &str) -> bool {
    const NOT: &[&str] = &[
        "mysql-8.0.17",
        "mysql-8.0.18",
        "mysql-8.4",
        "aurora-2.07",
        "aurora-2.11",
    ];
    names().contains(&name) && !NOT.contains(&name)
}

/// The profile that measurements change policies of, unless told otherwise: it looks for deadlocks at
/// each wait and grants by arrival.
pub const MEASURED: &str = "mysql-5.7.37";

/// A profile's name, and what makes it.
type Constructor = (&'static str, fn() -> Profile);

const CONSTRUCTORS: &[Constructor] = &[
    ("mysql-5.5", mysql_5_5),
    ("mysql-5.6", mysql_5_6),
    ("mysql-5.7.24", mysql_5_7_24),
    ("mysql-5.7.37", mysql_5_7_37),
    ("mysql-8.0.17", mysql_8_0_17),
    ("mysql-8.0.18", mysql_8_0_18),
    ("mysql-8.0.30", mysql_8_0_30),
    ("mysql-8.4", mysql_8_4),
    ("mysql-9.7", mysql_9_7),
    ("mysql-9.7-native-fk", mysql_9_7_native_fk),
    ("aurora-2.07", aurora_2_07),
    ("aurora-2.11", aurora_2_11),
    ("mariadb-10.1", mariadb_10_1),
    ("mariadb-10.5", mariadb_10_5),
    ("mariadb-10.11", mariadb_10_11),
    ("mariadb-11.8", mariadb_11_8),
    (
        "mariadb-11.8-no-snapshot-isolation",
        mariadb_11_8_no_snapshot_isolation,
    ),
];

fn version(text: &str) -> String {
    text.to_owned()
}

fn mysql_5_5() -> Profile {
    Profile {
        name: String::new(),
        server_version: version("5.5.62"),
        duplicate_regime: DuplicateRegime::A,
        shared_duplicate_scan_ends_with_gap: false,
        range_end: RangeEnd::AfterLocking,
        unique_secondary_hit_next_key: false,
        own_implicit_becomes_explicit: true,
        own_row_covers_entries: false,
        next_key_upgrade_asks_gap: false,
        bypass_blocked_waiters: false,
        grant_order: GrantOrder::Fifo,
        detection: Detection::DepthFirst,
        victim_from_whole_cycle: false,
        struct_reuse_with_waiters: false,
        unlock_rule: UnlockRule::RowFetched,
        unlock_compares_unset_ids: false,
        deleted_at_read_committed: DeletedAtReadCommitted::Lock,
        semi_consistent: SemiConsistent::Queue,
        inherit_at_read_committed: InheritAtReadCommitted::OppositeOfStatement,
        foreign_key_gaps_at_read_committed: true,
        foreign_key_layer: ForeignKeyLayer::Engine,
        auto_increment_mode: 1,
        snapshot_isolation: false,
        after_victim_in_transaction: true,
        index_condition_pushdown: false,
        pushdown_backward: false,
        nowait: false,
        skip_locked: false,
        nowait_error: 1205,
        default_collation: Collation::Latin1,
        planner_row_cost: 200,
        planner_page_cost: 1000,
        index_scan_for_range: IndexScanForRange::FewRowsSingly,
        between_point_is_equality: false,
        extended_key_is_unique: false,
        update_writes_unread_columns: false,
        locks_of_waiters_show_waiting: false,
        lock_wait_timeout: 50,
        policies: super::PolicySettings::default(),
    }
}

fn mysql_5_6() -> Profile {
    Profile {
        server_version: version("5.6.24"),
        index_condition_pushdown: true,
        pushdown_backward: true,
        update_writes_unread_columns: true,
        // 5.6.24 is older than the fix of bug 21025880, which 5.5.62 and MariaDB 10.1.10 have.
        inherit_at_read_committed: InheritAtReadCommitted::SharedOnly,
        ..mysql_5_5()
    }
}

fn mysql_5_7_24() -> Profile {
    Profile {
        server_version: version("5.7.24"),
        duplicate_regime: DuplicateRegime::B,
        inherit_at_read_committed: InheritAtReadCommitted::OppositeOfStatement,
        foreign_key_gaps_at_read_committed: false,
        after_victim_in_transaction: false,
        index_scan_for_range: IndexScanForRange::FewClusteredRowsSingly,
        ..mysql_5_6()
    }
}

fn mysql_5_7_37() -> Profile {
    Profile {
        server_version: version("5.7.37"),
        duplicate_regime: DuplicateRegime::C,
        ..mysql_5_7_24()
    }
}

fn mysql_8_0_17() -> Profile {
    Profile {
        server_version: version("8.0.17"),
        grant_order: GrantOrder::ContentionAwareFrom32,
        auto_increment_mode: 2,
        nowait: true,
        skip_locked: true,
        nowait_error: 3572,
        default_collation: Collation::Utf8Mb4NoPad,
        planner_row_cost: 100,
        planner_page_cost: 250,
        between_point_is_equality: true,
        extended_key_is_unique: true,
        ..mysql_5_7_37()
    }
}

fn mysql_8_0_18() -> Profile {
    Profile {
        server_version: version("8.0.18"),
        range_end: RangeEnd::BeforeLocking,
        next_key_upgrade_asks_gap: true,
        detection: Detection::BackgroundOneEdge,
        victim_from_whole_cycle: true,
        inherit_at_read_committed: InheritAtReadCommitted::WithinStatement,
        ..mysql_8_0_17()
    }
}

fn mysql_8_0_30() -> Profile {
    Profile {
        server_version: version("8.0.30"),
        grant_order: GrantOrder::ContentionAware,
        shared_duplicate_scan_ends_with_gap: true,
        bypass_blocked_waiters: true,
        struct_reuse_with_waiters: true,
        unlock_rule: UnlockRule::Everything,
        semi_consistent: SemiConsistent::Probe,
        locks_of_waiters_show_waiting: true,
        ..mysql_8_0_18()
    }
}

fn mysql_8_4() -> Profile {
    Profile {
        server_version: version("8.4.8"),
        locks_of_waiters_show_waiting: false,
        ..mysql_8_0_30()
    }
}

fn mysql_9_7() -> Profile {
    Profile {
        server_version: version("9.7.4"),
        foreign_key_layer: ForeignKeyLayer::Sql,
        index_scan_for_range: IndexScanForRange::Never,
        ..mysql_8_4()
    }
}

fn mysql_9_7_native_fk() -> Profile {
    Profile {
        foreign_key_layer: ForeignKeyLayer::Engine,
        ..mysql_9_7()
    }
}

fn aurora_2_07() -> Profile {
    Profile {
        server_version: version("5.7.12-aurora-2.07"),
        ..mysql_5_7_24()
    }
}

fn aurora_2_11() -> Profile {
    Profile {
        server_version: version("5.7.12-aurora-2.11"),
        ..mysql_5_7_37()
    }
}

fn mariadb_10_1() -> Profile {
    Profile {
        server_version: version("10.1.10-MariaDB"),
        pushdown_backward: false,
        update_writes_unread_columns: false,
        inherit_at_read_committed: InheritAtReadCommitted::OppositeOfStatement,
        extended_key_is_unique: true,
        index_scan_for_range: IndexScanForRange::FewSecondaryRowsSingly,
        ..mysql_5_6()
    }
}

fn mariadb_10_5() -> Profile {
    Profile {
        server_version: version("10.5.23-MariaDB"),
        unique_secondary_hit_next_key: true,
        own_implicit_becomes_explicit: false,
        next_key_upgrade_asks_gap: true,
        unlock_compares_unset_ids: true,
        deleted_at_read_committed: DeletedAtReadCommitted::Pass,
        foreign_key_gaps_at_read_committed: false,
        inherit_at_read_committed: InheritAtReadCommitted::OppositeOfStatement,
        nowait: true,
        nowait_error: 1205,
        index_scan_for_range: IndexScanForRange::Never,
        ..mariadb_10_1()
    }
}

fn mariadb_10_11() -> Profile {
    Profile {
        server_version: version("10.11.19-MariaDB"),
        own_row_covers_entries: true,
        detection: Detection::Brent,
        victim_from_whole_cycle: true,
        unlock_rule: UnlockRule::ClusteredScans,
        unlock_compares_unset_ids: false,
        // It queues, but looks for deadlocks only when it really waits: as good as a probe.
        semi_consistent: SemiConsistent::Probe,
        after_victim_in_transaction: false,
        skip_locked: true,
        ..mariadb_10_5()
    }
}

fn mariadb_11_8() -> Profile {
    Profile {
        server_version: version("11.8.9-MariaDB"),
        bypass_blocked_waiters: true,
        snapshot_isolation: true,
        semi_consistent: SemiConsistent::Off,
        default_collation: Collation::Utf8Mb4Pad,
        // MDEV-26974 (11.0) counts in time; in pages read from disk its prices are near these.
        planner_row_cost: 100,
        planner_page_cost: 250,
        ..mariadb_10_11()
    }
}

fn mariadb_11_8_no_snapshot_isolation() -> Profile {
    Profile {
        snapshot_isolation: false,
        semi_consistent: SemiConsistent::Probe,
        ..mariadb_11_8()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_find_their_profiles() {
        assert_eq!(
            for_release("10.11.19-MariaDB-0+deb12u1"),
            Some("mariadb-10.11")
        );
        assert_eq!(for_release("5.5.5-10.5.23-MariaDB"), Some("mariadb-10.5"));
        assert_eq!(for_release("9.7.4-2"), Some("mysql-9.7"));
        assert_eq!(for_release("5.7.37-log"), Some("mysql-5.7.37"));
        assert_eq!(for_release("5.7.3"), None);
        assert_eq!(for_release("10.1.48-MariaDB"), Some("mariadb-10.1"));
        assert_eq!(for_release("10.12.1-MariaDB"), None);
    }
}
