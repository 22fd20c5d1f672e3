//! The recordings as data: what one line of a `.jsonl` file holds.
//!
//! Only what scoring needs is kept typed; unknown fields are passed over, so that a recorder may
//! add some. What is written has the fields of the given recordings, in their order, and
//! `weights`, which they lack. Values of rows and keys stay JSON, since they are compared by their text.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

/// One case as a real server played it.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Recording {
    /// Name of the case; the isolation level is often its suffix.
    pub name: String,
    /// Name of the profile that it judges.
    pub server: String,
    /// The release, as the server named it.
    #[serde(default)]
    pub version: String,
    /// Isolation level in SQL's words.
    pub isolation: String,
    /// Whether the recorder let purge run.
    pub purge: PurgeMode,
    /// SQL that was run, and committed, before the sessions began.
    pub setup: Vec<String>,
    /// Every run came to the same; none in a recording that was played once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deterministic: Option<bool>,
    /// The server's EXPLAIN by statement, taken after the set-up.
    #[serde(default)]
    pub plans: BTreeMap<String, Vec<PlanRow>>,
    /// The conversation.
    pub steps: Vec<RecordedStep>,
    /// For a racy case: every outcome that was seen.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub variants: Vec<Variant>,
    /// Why the recording was given up, if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bad: Option<String>,
}

impl Recording {
    /// The outcomes any of which counts as agreement.
    #[must_use]
    pub fn accepted(&self) -> Vec<&[RecordedStep]> {
        if self.variants.is_empty() {
            vec![&self.steps]
        } else {
            self.variants.iter().map(|v| v.steps.as_slice()).collect()
        }
    }
}

/// What the recorder did about delete-marked records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum PurgeMode {
    /// Waited until purge had removed what it could, after each end of a transaction.
    Drain,
    /// Kept a snapshot open, so that delete-marked records stay.
    Hold,
}

/// One outcome of a racy case.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Variant {
    /// How often it was seen.
    #[serde(default)]
    pub count: u64,
    /// The conversation with this outcome.
    pub steps: Vec<RecordedStep>,
}

/// One table's line of the server's EXPLAIN.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct PlanRow {
    /// The table; none when the optimizer knew the answer without reading it again.
    #[serde(default)]
    pub table: Option<String>,
    /// Kind of access: const, ref, range, index, ALL.
    #[serde(default, rename = "type")]
    pub access: Option<String>,
    /// Name of the index.
    #[serde(default)]
    pub key: Option<String>,
    /// Bytes of the index that are compared.
    #[serde(default)]
    pub key_len: Option<String>,
    /// What they are compared with.
    #[serde(default, rename = "ref")]
    pub reference: Option<String>,
    /// Remarks, separated by `; `.
    #[serde(default, rename = "Extra")]
    pub extra: Option<String>,
    /// Set when the server could not explain this statement.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Json>,
}

impl PlanRow {
    /// Whether the remarks hold this one, word for word.
    #[must_use]
    pub fn remarks(&self, remark: &str) -> bool {
        let extra = self.extra.as_deref().unwrap_or_default();
        extra.split(';').any(|part| part.trim() == remark)
    }
}

/// How a statement stood after it was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It finished.
    Ok,
    /// It waits.
    Blocked,
    /// It failed.
    Error,
    /// It was not given, since the session still waited.
    Skipped,
    /// The recorder gave up on it.
    Unsettled,
}

/// One statement, what became of it, and the locks afterwards.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct RecordedStep {
    /// The session.
    pub s: String,
    /// The statement.
    pub sql: String,
    /// How it stood.
    pub status: Status,
    /// The error's number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<u16>,
    /// The error's message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub msg: Option<String>,
    /// Rows changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub affected: Option<u64>,
    /// Rows returned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<Vec<Vec<Json>>>,
    /// Sessions whose statements finished because of this step.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub woken: BTreeMap<String, RecordedWake>,
    /// Sessions that wait after it.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub waiting: BTreeSet<String>,
    /// All locks after it; none for a skipped step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locks: Option<Vec<RecordedLock>>,
    /// The server cut its list: what is there can be compared, and no more.
    #[serde(default, skip_serializing_if = "is_false")]
    pub locks_truncated: bool,
    /// What each session's transaction weighs after it, by the server's count; none when the
    /// recording does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weights: Option<BTreeMap<String, Weight>>,
    /// The server's report of a deadlock that this step caused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadlock_text: Option<String>,
    /// The server's EXPLAIN just before the statement, where the recorder took it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub plan: Vec<PlanRow>,
}

/// Whether to leave a field out.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_false(flag: &bool) -> bool {
    !flag
}

/// What a transaction weighs when a victim is chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
pub struct Weight {
    /// Lock structures, table locks among them.
    pub structs: u64,
    /// Record locks.
    pub rows: u64,
    /// Undo log records.
    pub undo: u64,
}

impl fmt::Display for Weight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Weight {
            structs,
            rows,
            undo,
        } = self;
        write!(f, "{structs} structures, {rows} records, {undo} undo")
    }
}

/// How a statement that had waited finished.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct RecordedWake {
    /// Ok or error.
    pub status: Status,
    /// The error's number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<u16>,
    /// The error's message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub msg: Option<String>,
    /// Rows changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub affected: Option<u64>,
    /// Rows returned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<Vec<Vec<Json>>>,
}

/// One lock as the server listed it.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct RecordedLock {
    /// Whose.
    pub session: String,
    /// On which table.
    pub table: String,
    /// On which index; none for a table lock.
    #[serde(default)]
    pub index: Option<String>,
    /// Of a table or of a record.
    #[serde(default, rename = "type")]
    pub level: RecordedLevel,
    /// IS, IX, S, X or `AUTO_INC`.
    pub mode: String,
    /// What it covers; none for a table lock.
    #[serde(default)]
    pub kind: Option<RecordedKind>,
    /// Held or waited for.
    pub status: RecordedLockStatus,
    /// The record; none for a table lock.
    #[serde(default)]
    pub key: Option<RecordedKey>,
}

/// What a recorded lock is on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum RecordedLevel {
    /// A table.
    Table,
    /// A record, or the gap before it.
    #[default]
    Record,
}

/// What a recorded record lock covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RecordedKind {
    /// The record alone.
    Rec,
    /// The gap before it.
    Gap,
    /// Both.
    Nextkey,
    /// The wish to insert into the gap.
    InsertIntention,
}

/// Held or waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum RecordedLockStatus {
    /// Held.
    Granted,
    /// Waited for.
    Waiting,
}

/// The record that a lock is on.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(untagged)]
pub enum RecordedKey {
    /// The word `supremum`.
    Pseudo(String),
    /// The index's columns and the primary key's columns not among them; `#n` is a row id.
    Columns(Vec<Json>),
}
