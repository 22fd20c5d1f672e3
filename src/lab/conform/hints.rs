//! Recorded plans as hints for the planner.
//!
//! Of a server's EXPLAIN only four things are taken over: the index, the order in which it is read,
//! whether conditions are pushed down to it, and whether rows are collected before they are changed.
//! Whether a search hits and whether it is unique is decided from its bounds when it runs.

use std::collections::BTreeMap;

use crate::sql::plan::{HintedAccess, PlanHint};

use super::trace::{PlanRow, RecordedStep, Recording};

/// The plans of all recordings of a call, so that a server whose EXPLAIN does not know UPDATE and
/// DELETE can borrow them from another recording of the same case.
#[derive(Clone, Debug, Default)]
pub struct PlanBook {
    lent: BTreeMap<(String, String), Vec<PlanRow>>,
}

impl PlanBook {
    /// Takes up the plans of some recordings; the first one to know a statement lends its plan.
    pub fn learn(&mut self, recordings: &[Recording]) {
        for recording in recordings {
            for (sql, rows) in &recording.plans {
                if usable(rows) {
                    let key = (recording.name.clone(), sql.clone());
                    self.lent.entry(key).or_insert_with(|| rows.clone());
                }
            }
        }
    }

    /// The hints for a step of a recording: from its own plan, if it has one, else from that of its
    /// statement.
    #[must_use]
    pub fn step_hints(&self, recording: &Recording, step: &RecordedStep) -> Vec<PlanHint> {
        if step.plan.is_empty() {
            self.hints(recording, &step.sql)
        } else {
            let fresh = |hint| PlanHint {
                fresh: true,
                ..hint
            };
            step.plan.iter().filter_map(hint).map(fresh).collect()
        }
    }

    /// Takes up what another book knows and this one does not.
    pub fn lend(&mut self, other: &PlanBook) {
        for (key, rows) in &other.lent {
            let known = self.lent.entry(key.clone());
            known.or_insert_with(|| rows.clone());
        }
    }

    /// The hints for a statement of a recording: from its own plan, else from a borrowed one. None
    /// for tables where the server had the answer at planning time and says no access.
    #[must_use]
    pub fn hints(&self, recording: &Recording, sql: &str) -> Vec<PlanHint> {
        let rows = self.rows(recording, sql).unwrap_or_default();
        rows.iter().filter_map(hint).collect()
    }

    /// The server's EXPLAIN of a statement of a recording, if it is known.
    pub(super) fn rows<'a>(&'a self, recording: &'a Recording, sql: &str) -> Option<&'a [PlanRow]> {
        let own = recording.plans.get(sql).filter(|rows| usable(rows));
        let lent = || self.lent.get(&(recording.name.clone(), sql.to_owned()));
        own.or_else(lent).map(Vec::as_slice)
    }
}

fn usable(rows: &[PlanRow]) -> bool {
    rows.iter().all(|row| row.error.is_none())
}

fn hint(row: &PlanRow) -> Option<PlanHint> {
    let access = row.access.as_deref().and_then(HintedAccess::named)?;
    Some(PlanHint {
        table: Some(row.table.clone()?),
        key: row.key.clone(),
        access: Some(access),
        backward: row.remarks("Backward index scan"),
        pushed: row.remarks("Using index condition"),
        collect: row.remarks("Using temporary")
            || row.remarks("Using buffer")
            || row.remarks("Using filesort"),
        sorts: row.remarks("Using filesort"),
        fresh: false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recording(plans: &str) -> Recording {
        let text = format!(
            r#"{{"name":"n","server":"s","isolation":"READ COMMITTED","purge":"drain","setup":[],"plans":{plans},"steps":[]}}"#
        );
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn plans_are_borrowed_where_a_server_cannot_explain() {
        let mute = recording(r#"{"UPDATE t":[{"error":"1064"}]}"#);
        let other = recording(
            r#"{"UPDATE t":[{"table":"t","type":"range","key":"PRIMARY","Extra":"Using where; Using temporary"}]}"#,
        );
        let mut book = PlanBook::default();
        assert_eq!(book.hints(&mute, "UPDATE t"), []);
        book.learn(&[mute.clone(), other]);
        let hints = book.hints(&mute, "UPDATE t");
        assert_eq!(hints[0].key.as_deref(), Some("PRIMARY"));
        assert_eq!(hints[0].access, Some(HintedAccess::Range));
        assert!(hints[0].collect && !hints[0].pushed && !hints[0].backward);
    }
}
