//! Making a disagreeing case smaller: sessions, statements and rows are left out for as long as the
//! server and the engine still disagree.
//!
//! Every candidate is played on the server, so the number of plays is bounded. A candidate counts
//! only if it disagrees twice, and the server did the same both times.

use std::collections::BTreeSet;

use gaplock_engine::profile::Profile;

use super::super::conform::case::Case;
use super::compare::{Comparison, once, steps_of};
use super::error::LiveError;
use super::server::LiveServer;

/// A case made smaller.
pub struct Reduced {
    /// It.
    pub case: Case,
    /// What came of it on both sides; none when nothing could be left out.
    pub comparison: Option<Comparison>,
    /// How many candidates were played.
    pub plays: usize,
}

/// Makes a case that disagrees smaller, playing at most `plays_max` candidates.
///
/// # Errors
/// The server fails. One that only refuses a candidate's set-up does not count as disagreeing.
pub fn shrink(
    server: &mut LiveServer,
    profile: &Profile,
    case: &Case,
    plays_max: usize,
) -> Result<Reduced, LiveError> {
    let mut best = Reduced {
        case: case.clone(),
        comparison: None,
        plays: 0,
    };
    loop {
        let mut smaller = false;
        let mut at = 0;
        // The list of what can be left out is made anew after each success.
        while let Some(candidate) = candidates(&best.case).into_iter().nth(at) {
            if best.plays >= plays_max {
                return Ok(best);
            }
            best.plays += 1;
            match disagreement(server, profile, &candidate)? {
                Some(comparison) => {
                    best.case = candidate;
                    best.comparison = Some(comparison);
                    smaller = true;
                }
                None => at += 1,
            }
        }
        if !smaller {
            return Ok(best);
        }
    }
}

/// The comparison if the case disagrees, and the server does the same twice.
fn disagreement(
    server: &mut LiveServer,
    profile: &Profile,
    case: &Case,
) -> Result<Option<Comparison>, LiveError> {
    let first = match once(server, profile, case) {
        Ok(first) => first,
        Err(LiveError::Setup { .. }) => return Ok(None),
        Err(error) => return Err(error),
    };
    if first.agrees() || first.recording.bad.is_some() {
        return Ok(None);
    }
    let second = once(server, profile, case)?;
    let same = steps_of(&first.recording) == steps_of(&second.recording);
    Ok(same.then_some(first))
}

/// All cases that have a little less, largest parts first.
fn candidates(case: &Case) -> Vec<Case> {
    let mut found = Vec::new();
    for session in case.sessions() {
        let steps: Vec<_> = case
            .steps
            .iter()
            .filter(|s| s.s != session)
            .cloned()
            .collect();
        if !steps.is_empty() && steps.len() < case.steps.len() {
            found.push(Case {
                steps,
                ..case.clone()
            });
        }
    }
    let mut size = case.steps.len() / 2;
    while size > 0 {
        for start in (0..case.steps.len()).step_by(size).rev() {
            let mut steps = case.steps.clone();
            steps.drain(start..(start + size).min(case.steps.len()));
            if !steps.is_empty() {
                found.push(Case {
                    steps,
                    ..case.clone()
                });
            }
        }
        size /= 2;
    }
    found.extend(smaller_setups(case));
    found
}

fn smaller_setups(case: &Case) -> Vec<Case> {
    let mut found = Vec::new();
    let with = |at: usize, sql: Option<String>| {
        let mut setup = case.setup.clone();
        match sql {
            Some(sql) => setup[at] = sql,
            None => drop(setup.remove(at)),
        }
        Case {
            setup,
            ..case.clone()
        }
    };
    for (at, sql) in case.setup.iter().enumerate().rev() {
        found.push(with(at, None));
        let Some((head, rows)) = rows_of(sql) else {
            continue;
        };
        let mut sizes = BTreeSet::from([1]);
        sizes.insert((rows.len() / 2).max(1));
        for size in sizes.into_iter().rev() {
            for start in (0..rows.len()).step_by(size).rev() {
                let mut fewer = rows.clone();
                fewer.drain(start..(start + size).min(rows.len()));
                if !fewer.is_empty() {
                    found.push(with(at, Some(format!("{head}{}", fewer.join(",")))));
                }
            }
        }
    }
    found
}

/// The rows of `INSERT .. VALUES (..),(..)`, and what stands before them.
fn rows_of(sql: &str) -> Option<(&str, Vec<&str>)> {
    let start = sql.find(" VALUES ")? + " VALUES ".len();
    let list = &sql[start..];
    let (mut depth, mut quoted, mut from) = (0_usize, false, 0);
    let mut rows = Vec::new();
    for (at, letter) in list.char_indices() {
        match letter {
            '\'' => quoted = !quoted,
            '(' if !quoted => depth += 1,
            ')' if !quoted => depth = depth.saturating_sub(1),
            ',' if !quoted && depth == 0 => {
                rows.push(list[from..at].trim());
                from = at + 1;
            }
            _ => {}
        }
    }
    rows.push(list[from..].trim());
    (rows.len() > 1).then_some((&sql[..start], rows))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn case() -> Case {
        serde_json::from_str(
            r#"{"name":"n","isolation":"READ COMMITTED","purge":"hold",
                "setup":["CREATE TABLE t (id INT PRIMARY KEY)","INSERT INTO t VALUES (1,'a),('),(2,'')"],
                "steps":[{"s":"A","sql":"BEGIN"},{"s":"B","sql":"BEGIN"},{"s":"A","sql":"COMMIT"}]}"#,
        )
        .unwrap()
    }

    #[test]
    fn rows_are_told_apart() {
        let case = case();
        let (head, rows) = rows_of(&case.setup[1]).unwrap();
        assert_eq!(head, "INSERT INTO t VALUES ");
        assert_eq!(rows, ["(1,'a),(')", "(2,'')"]);
    }

    #[test]
    fn every_candidate_is_smaller() {
        let case = case();
        let size =
            |case: &Case| case.steps.len() + case.setup.iter().map(String::len).sum::<usize>();
        let found = candidates(&case);
        assert!(found.len() > 5);
        assert!(found.iter().all(|smaller| size(smaller) < size(&case)));
    }
}
