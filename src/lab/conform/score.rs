//! Comparing a step as the engine played it with the step as the server recorded it.
//!
//! S1. The unit is a step: its outcome, and its whole lock set.
//! S2. After the first disagreement in outcome of a case, its remaining steps count as disagreeing
//!     in outcome and in locks, since what follows is another conversation.
//! S3. Rows compare as multisets, unless the statement orders them.
//! S4. Where the server cut its list of locks, only what is there is compared.
//! S5. Weights are compared where the recording has them, and count as a third thing.

use std::collections::BTreeMap;

use super::facts::{LockFact, ResultFacts, RowFact, StepFacts};
use super::trace::{RecordedStep, Status, Weight};

/// How one step compares.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// What differs in the outcome; none when it agrees.
    pub outcome: Option<String>,
    /// What differs in the locks; none when they agree or there is nothing to compare.
    pub locks: Option<LockDifference>,
    /// Whether there were locks to compare.
    pub locks_compared: bool,
    /// What differs in the transactions' weights; none when they agree or are not recorded.
    pub weights: Option<String>,
    /// Whether there were weights to compare.
    pub weights_compared: bool,
}

impl Verdict {
    /// Whether everything that could be compared agrees.
    #[must_use]
    pub fn agrees(&self) -> bool {
        self.outcome.is_none() && self.locks.is_none() && self.weights.is_none()
    }
}

/// Locks that only one side shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LockDifference {
    /// The server has them, the engine does not.
    pub missing: Vec<LockFact>,
    /// The engine has them, the server does not.
    pub extra: Vec<LockFact>,
    /// The step was not compared lock by lock (S2).
    pub derailed: bool,
}

/// Compares one step.
#[must_use]
pub fn compare(recorded: &RecordedStep, played: &StepFacts) -> Verdict {
    let expected = StepFacts::from(recorded);
    let ordered = contains_word_pair(&recorded.sql, "ORDER", "BY");
    Verdict {
        outcome: outcome_difference(&expected, played, ordered),
        locks: lock_difference(&expected, played),
        locks_compared: expected.locks.is_some(),
        weights: weight_difference(&expected, played),
        weights_compared: expected.weights.is_some(),
    }
}

/// What a step counts for once its case has disagreed in outcome (S2).
#[must_use]
pub fn derailed(recorded: &RecordedStep) -> Verdict {
    let locks_compared = recorded.locks.is_some();
    Verdict {
        outcome: Some("after an earlier disagreement".to_owned()),
        locks: locks_compared.then(|| LockDifference {
            derailed: true,
            ..LockDifference::default()
        }),
        locks_compared,
        weights: recorded
            .weights
            .is_some()
            .then(|| "after an earlier disagreement".to_owned()),
        weights_compared: recorded.weights.is_some(),
    }
}

fn contains_word_pair(sql: &str, first: &str, second: &str) -> bool {
    let words: Vec<&str> = sql.split_whitespace().collect();
    words
        .windows(2)
        .any(|pair| pair[0].eq_ignore_ascii_case(first) && pair[1].eq_ignore_ascii_case(second))
}

fn outcome_difference(expected: &StepFacts, played: &StepFacts, ordered: bool) -> Option<String> {
    if expected.status != played.status {
        return Some(format!(
            "expected {}, got {}",
            standing(expected),
            standing(played)
        ));
    }
    if !same_result(&expected.result, &played.result, ordered) {
        return Some(format!(
            "expected {}, got {}",
            expected.result, played.result
        ));
    }
    if let Some(what) = woken_difference(&expected.woken, &played.woken) {
        return Some(what);
    }
    if expected.status != Status::Skipped && expected.waiting != played.waiting {
        return Some(format!(
            "expected {} waiting, got {}",
            names(expected.waiting.iter()),
            names(played.waiting.iter())
        ));
    }
    None
}

fn standing(step: &StepFacts) -> String {
    match step.status {
        Status::Ok | Status::Error => step.result.to_string(),
        Status::Blocked => "blocked".to_owned(),
        Status::Skipped => "skipped (still waiting)".to_owned(),
        Status::Unsettled => "unsettled".to_owned(),
    }
}

fn names<'a>(sessions: impl Iterator<Item = &'a String>) -> String {
    let list: Vec<&str> = sessions.map(String::as_str).collect();
    if list.is_empty() {
        "nobody".to_owned()
    } else {
        list.join(" ")
    }
}

/// Whether two results are the same as far as the server's one says anything.
fn same_result(expected: &ResultFacts, played: &ResultFacts, ordered: bool) -> bool {
    if expected.code != played.code {
        return false;
    }
    if expected.affected.is_some() && expected.affected != played.affected {
        return false;
    }
    match (&expected.rows, &played.rows) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(left), Some(right)) => same_rows(left, right, ordered),
    }
}

fn same_rows(left: &[RowFact], right: &[RowFact], ordered: bool) -> bool {
    if ordered {
        return left == right;
    }
    let (mut left, mut right) = (left.to_vec(), right.to_vec());
    left.sort();
    right.sort();
    left == right
}

fn woken_difference(
    expected: &BTreeMap<String, ResultFacts>,
    played: &BTreeMap<String, ResultFacts>,
) -> Option<String> {
    if !expected.keys().eq(played.keys()) {
        return Some(format!(
            "expected {} to be woken, got {}",
            names(expected.keys()),
            names(played.keys())
        ));
    }
    // The statement of a woken session is not at hand: its rows compare as multisets.
    let differing = expected
        .iter()
        .find(|(session, wake)| !same_result(wake, &played[session.as_str()], false));
    differing.map(|(session, wake)| {
        format!(
            "expected {session} to wake with {wake}, got {}",
            played[session]
        )
    })
}

fn lock_difference(expected: &StepFacts, played: &StepFacts) -> Option<LockDifference> {
    let wanted = expected.locks.as_ref()?;
    let have = played.locks.clone().unwrap_or_default();
    let difference = LockDifference {
        missing: wanted.difference(&have).cloned().collect(),
        extra: if expected.locks_truncated {
            Vec::new()
        } else {
            have.difference(wanted).cloned().collect()
        },
        derailed: false,
    };
    (!difference.missing.is_empty() || !difference.extra.is_empty()).then_some(difference)
}

fn weight_difference(expected: &StepFacts, played: &StepFacts) -> Option<String> {
    let wanted = expected.weights.as_ref()?;
    let have = played.weights.clone().unwrap_or_default();
    // Servers go on counting records that they no longer lock: only structures and undo weigh.
    let weighs = |weight: Option<&Weight>| weight.map(|w| (w.structs, w.undo));
    // Some servers do not say it of transactions that only read.
    let differing = wanted
        .keys()
        .filter(|s| weighs(wanted.get(*s)) != weighs(have.get(*s)));
    let told = differing.map(|session| {
        let side = |weights: &BTreeMap<String, Weight>| {
            weights
                .get(session)
                .map_or("nothing".to_owned(), Weight::to_string)
        };
        format!("{session} weighs {}, here {}", side(wanted), side(&have))
    });
    let told: Vec<String> = told.collect();
    (!told.is_empty()).then(|| told.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(json: &str) -> RecordedStep {
        serde_json::from_str(json).unwrap()
    }

    fn facts(json: &str) -> StepFacts {
        StepFacts::from(&step(json))
    }

    #[test]
    fn rows_compare_as_multisets_unless_ordered() {
        let played = facts(r#"{"s":"A","sql":"","status":"ok","rows":[[2],[1]]}"#);
        let loose = step(r#"{"s":"A","sql":"SELECT a FROM t","status":"ok","rows":[[1],[2]]}"#);
        let strict =
            step(r#"{"s":"A","sql":"SELECT a FROM t order  by a","status":"ok","rows":[[1],[2]]}"#);
        assert!(compare(&loose, &played).agrees());
        assert_eq!(
            compare(&strict, &played).outcome.unwrap(),
            "expected 2 rows (1) (2), got 2 rows (2) (1)"
        );
    }

    #[test]
    fn truncated_lists_compare_what_is_there() {
        let lock = |key: u32| {
            format!(
                r#"{{"session":"A","table":"t","index":"PRIMARY","type":"RECORD","mode":"X","kind":"rec","status":"GRANTED","key":[{key}]}}"#
            )
        };
        let list = |truncated: bool, locks: &[String]| {
            format!(
                r#"{{"s":"A","sql":"x","status":"ok","affected":1,"locks":[{}],"locks_truncated":{truncated}}}"#,
                locks.join(",")
            )
        };
        let played = facts(&list(false, &[lock(1), lock(2)]));
        assert!(compare(&step(&list(true, &[lock(1)])), &played).agrees());
        let difference = compare(&step(&list(false, &[lock(1), lock(3)])), &played)
            .locks
            .unwrap();
        assert_eq!(
            difference.missing[0].to_string(),
            "A: X record on t.PRIMARY at (3)"
        );
        assert_eq!(
            difference.extra[0].to_string(),
            "A: X record on t.PRIMARY at (2)"
        );
    }

    #[test]
    fn who_wakes_how_and_who_waits_is_part_of_the_outcome() {
        let recorded = step(
            r#"{"s":"A","sql":"COMMIT","status":"ok","affected":0,"woken":{"B":{"status":"ok","affected":1}},"waiting":["C"]}"#,
        );
        let mut played = StepFacts::from(&recorded);
        assert!(compare(&recorded, &played).agrees());
        played.waiting.clear();
        assert_eq!(
            compare(&recorded, &played).outcome.unwrap(),
            "expected C waiting, got nobody"
        );
        played.woken.get_mut("B").unwrap().affected = Some(2);
        assert_eq!(
            compare(&recorded, &played).outcome.unwrap(),
            "expected B to wake with ok, 1 affected, got ok, 2 affected"
        );
    }
}
