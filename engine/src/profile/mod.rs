//! Version profiles: everything in which releases differ, as data.
//!
//! A [`Profile`] is one struct of plain facts. `versions` has one constant for each release, written
//! as its difference from another; `facts` says of each fact what it means and where it is known
//! from, and gets and sets facts by name. Below the profile, code asks for a fact, never for a
//! version.

mod facts;
mod policies;
mod versions;

use serde::{Deserialize, Serialize};

pub use facts::{Evidence, FACTS, Fact, ProfileError, Standing};
pub use policies::PolicySettings;
pub use versions::{MEASURED, find, for_release, is_recorded, names};

use crate::types::Collation;

/// What an insertion that meets a duplicate locks beyond the duplicate itself, at REPEATABLE READ
/// and above.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum DuplicateRegime {
    /// Nothing.
    A,
    /// Upserts and REPLACE visit every unique index and lock the gap before the successor.
    B,
    /// A partial rollback turns the undone row's implicit locks into explicit ones, which its
    /// successors inherit.
    C,
}

/// Where the end of an ascending clustered range scan is tested.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum RangeEnd {
    /// Above the engine, after the record past the end was locked.
    AfterLocking,
    /// In the engine, before locking: the record past the end has its gap locked at most.
    BeforeLocking,
}

/// Which record locks of a row that did not match READ COMMITTED gives back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum UnlockRule {
    /// Those of clustered scans, and pairs of secondary and clustered record; a lone secondary lock
    /// (covering read, condition tested in the index) stays.
    RowFetched,
    /// Those of clustered scans only.
    ClusteredScans,
    /// All, also those of delete-marked and index-condition-rejected records.
    Everything,
}

/// What a locking read at READ COMMITTED does with delete-marked records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum DeletedAtReadCommitted {
    /// Locks them and keeps what the unlock rule does not give back.
    Lock,
    /// Passes them without a lock when the deletion is committed.
    Pass,
}

/// How an UPDATE's semi-consistent read looks at a locked row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum SemiConsistent {
    /// Not at all: it waits.
    Off,
    /// It queues, looks at the committed version, and withdraws.
    Queue,
    /// It asks without queueing.
    Probe,
}

/// Whose locks live on as gap locks at READ COMMITTED when their record goes away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum InheritAtReadCommitted {
    /// Shared ones.
    SharedOnly,
    /// Shared ones; under REPLACE and upserts exclusive ones instead.
    OppositeOfStatement,
    /// All of a transaction whose current statement checked for duplicates.
    WithinStatement,
}

/// How deadlocks are looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Detection {
    /// Depth-first when a wait begins, at most 200 deep and 1,000,000 steps.
    DepthFirst,
    /// In the background, one edge a waiter.
    BackgroundOneEdge,
    /// One edge a waiter, when a wait begins.
    Brent,
    /// Not at all.
    Off,
}

/// Who is granted first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum GrantOrder {
    /// First come, first served.
    Fifo,
    /// By contention.
    ContentionAware,
    /// By contention once 32 transactions wait.
    ContentionAwareFrom32,
}

/// Who checks foreign keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ForeignKeyLayer {
    /// The storage engine, record by record.
    Engine,
    /// The SQL layer, by reads of its own.
    Sql,
}

/// When a covering range, which is priced as a page and its rows, is read as a scan of the whole
/// index instead: where the scan's price is the lower one. The two are within the price of a row of
/// each other, so that it hangs on how a range of one or two rows is priced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum IndexScanForRange {
    /// Never: a range stays a range.
    Never,
    /// When it takes in all rows; a clustered range of up to two rows is priced as a page for each.
    FewClusteredRowsSingly,
    /// As before; a secondary range of up to two rows is priced as a page for each and one more.
    FewRowsSingly,
    /// When it takes in all rows; only secondary ranges are priced so, and only where the statement
    /// asks for no order.
    FewSecondaryRowsSingly,
}

/// Everything in which one release differs from another.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// The profile's name.
    pub name: String,
    /// The release it stands for, as `SELECT VERSION()` says it.
    pub server_version: String,
    /// See [`DuplicateRegime`].
    pub duplicate_regime: DuplicateRegime,
    /// The record after delete-marked duplicates in a unique secondary index: shared duplicate
    /// checks lock only its gap.
    pub shared_duplicate_scan_ends_with_gap: bool,
    /// See [`RangeEnd`].
    pub range_end: RangeEnd,
    /// Equality on a whole unique secondary key takes a next-key lock on the hit.
    pub unique_secondary_hit_next_key: bool,
    /// A transaction that lock-reads a row that it wrote itself gets an explicit lock on it.
    pub own_implicit_becomes_explicit: bool,
    /// With that, all index entries of a row that a transaction has changed in any column count as
    /// changed by it, when it asks for them itself.
    pub own_row_covers_entries: bool,
    /// A next-key request over an own record lock asks for the gap only.
    pub next_key_upgrade_asks_gap: bool,
    /// A holder passes waiters that it blocks itself.
    pub bypass_blocked_waiters: bool,
    /// See [`GrantOrder`].
    pub grant_order: GrantOrder,
    /// See [`Detection`].
    pub detection: Detection,
    /// The victim is the lightest of the whole cycle, not the lighter of its two ends.
    pub victim_from_whole_cycle: bool,
    /// Locks are added to a structure whose record is waited for.
    pub struct_reuse_with_waiters: bool,
    /// See [`UnlockRule`].
    pub unlock_rule: UnlockRule,
    /// READ COMMITTED keeps the locks of rows "that the transaction has changed itself" by comparing
    /// ids, and takes a read-only transaction, which has none, for the writer of each row whose
    /// writer's id purge has erased.
    pub unlock_compares_unset_ids: bool,
    /// See [`DeletedAtReadCommitted`].
    pub deleted_at_read_committed: DeletedAtReadCommitted,
    /// See [`SemiConsistent`].
    pub semi_consistent: SemiConsistent,
    /// See [`InheritAtReadCommitted`].
    pub inherit_at_read_committed: InheritAtReadCommitted,
    /// Foreign-key checks lock gaps at READ COMMITTED too.
    pub foreign_key_gaps_at_read_committed: bool,
    /// See [`ForeignKeyLayer`].
    pub foreign_key_layer: ForeignKeyLayer,
    /// `innodb_autoinc_lock_mode`: 0, 1 or 2.
    pub auto_increment_mode: u8,
    /// A locking read of a row changed after the snapshot fails with 1020 (`innodb_snapshot_isolation`).
    pub snapshot_isolation: bool,
    /// After a victim's rollback the session stands in a new transaction, as after BEGIN.
    pub after_victim_in_transaction: bool,
    /// Index condition pushdown exists.
    pub index_condition_pushdown: bool,
    /// It also ends backward range scans.
    pub pushdown_backward: bool,
    /// FOR UPDATE NOWAIT is known.
    pub nowait: bool,
    /// SKIP LOCKED is known.
    pub skip_locked: bool,
    /// The error of NOWAIT on a held row.
    pub nowait_error: u16,
    /// Default character set and collation.
    pub default_collation: Collation,
    /// What the optimizer charges for looking at a row, in thousandths of a page read from disk.
    pub planner_row_cost: u32,
    /// What it charges for a page that is in memory, in the same unit.
    pub planner_page_cost: u32,
    /// See [`IndexScanForRange`].
    pub index_scan_for_range: IndexScanForRange,
    /// BETWEEN with equal ends counts as an equality, not only as a range.
    pub between_point_is_equality: bool,
    /// Equality on a secondary key and the primary key behind it counts as unique.
    pub extended_key_is_unique: bool,
    /// UPDATE writes a row that stays as it is when it has not read all columns that it sets.
    pub update_writes_unread_columns: bool,
    /// A lock made for somebody who waits already is listed as waiting as long as that wait lasts.
    pub locks_of_waiters_show_waiting: bool,
    /// `innodb_lock_wait_timeout` in seconds.
    pub lock_wait_timeout: u32,
    /// Policies of the lock table that the user sets, whatever the release has.
    #[serde(default, skip_serializing_if = "PolicySettings::is_empty")]
    pub policies: PolicySettings,
}
