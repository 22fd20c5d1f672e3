//! A found failure made small: the fewest sessions, statements and rows that still show it, and the
//! schedule with the fewest switches.
//!
//! Parts are left out one at a time, the largest first: whole sessions, statements, statements of the
//! set-up, rows of its insertions, columns' keys; what is left out stays out if the failure is still
//! there. Rounds go on until nothing more can be left out, so the result is minimal: each part that is
//! left is needed. The search finds the shortest schedule by itself. Nothing is drawn by chance, so the
//! same failure gives the same bytes.

mod case;

pub use case::Case;

/// Leaves out whatever can be while `fails` says that the failure is still there. `fails` need not
/// hold for cases that cannot be set up.
pub fn shrink(case: &Case, fails: &mut dyn FnMut(&Case) -> bool) -> Case {
    let mut smallest = case.clone();
    loop {
        let before = smallest.clone();
        for stage in [sessions, statements, set_up, rows, keys] {
            reduce(&mut smallest, stage, fails);
        }
        if smallest == before {
            return smallest;
        }
    }
}

/// One way of leaving something out: the case without its part of that number; none past the last.
type Stage = fn(&Case, usize) -> Option<Case>;

fn reduce(smallest: &mut Case, stage: Stage, fails: &mut dyn FnMut(&Case) -> bool) {
    let mut at = 0;
    while let Some(smaller) = stage(smallest, at) {
        if smaller != *smallest && fails(&smaller) {
            *smallest = smaller;
        } else {
            at += 1;
        }
    }
}

fn sessions(case: &Case, at: usize) -> Option<Case> {
    let mut smaller = case.clone();
    (at < smaller.sessions.len()).then(|| {
        smaller.sessions.remove(at);
        smaller
    })
}

fn statements(case: &Case, at: usize) -> Option<Case> {
    let mut smaller = case.clone();
    let mut left = at;
    for (_, statements) in &mut smaller.sessions {
        if left < statements.len() {
            statements.remove(left);
            return Some(smaller);
        }
        left -= statements.len();
    }
    None
}

fn set_up(case: &Case, at: usize) -> Option<Case> {
    let mut smaller = case.clone();
    (at < smaller.setup.len()).then(|| {
        smaller.setup.remove(at);
        smaller
    })
}

/// Rows of the set-up's insertions: `(..)` groups after VALUES.
fn rows(case: &Case, at: usize) -> Option<Case> {
    let mut left = at;
    for (place, sql) in case.setup.iter().enumerate() {
        let rows = rows_of(sql);
        if left < rows.len() {
            let mut smaller = case.clone();
            smaller.setup[place] = without_row(sql, &rows, left);
            return Some(smaller);
        }
        left -= rows.len();
    }
    None
}

/// Where each row of an insertion stands.
fn rows_of(sql: &str) -> Vec<std::ops::Range<usize>> {
    let Some(values) = sql.to_ascii_uppercase().find("VALUES") else {
        return Vec::new();
    };
    groups(sql, values)
}

/// The outermost bracketed groups from a place on.
fn groups(sql: &str, from: usize) -> Vec<std::ops::Range<usize>> {
    let (mut groups, mut depth, mut begin) = (Vec::new(), 0_usize, 0);
    for (at, byte) in sql.bytes().enumerate().skip(from) {
        match byte {
            b'(' => {
                if depth == 0 {
                    begin = at;
                }
                depth += 1;
            }
            b')' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    groups.push(begin..at + 1);
                }
            }
            _ => {}
        }
    }
    groups
}

fn without_row(sql: &str, rows: &[std::ops::Range<usize>], at: usize) -> String {
    let (Some(first), true) = (rows.first(), rows.len() > 1) else {
        return sql.to_owned();
    };
    let kept = rows.iter().enumerate().filter(|(place, _)| *place != at);
    let kept: Vec<&str> = kept.map(|(_, row)| &sql[row.clone()]).collect();
    format!("{}{}", &sql[..first.start], kept.join(", "))
}

/// Secondary keys in the set-up's table definitions.
fn keys(case: &Case, at: usize) -> Option<Case> {
    let mut left = at;
    for (place, sql) in case.setup.iter().enumerate() {
        let parts: Vec<&str> = sql.split(", ").collect();
        for part in 0..parts.len() {
            let key = ["UNIQUE ", "KEY ", "INDEX "];
            if part == 0 || !key.iter().any(|word| parts[part].starts_with(word)) {
                continue;
            }
            if left > 0 {
                left -= 1;
                continue;
            }
            let mut kept = parts.clone();
            let taken = kept.remove(part);
            let mut shorter = kept.join(", ");
            if part == parts.len() - 1 && taken.ends_with("))") {
                shorter.push(')');
            }
            let mut smaller = case.clone();
            smaller.setup[place] = shorter;
            return Some(smaller);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn case() -> Case {
        Case {
            isolation: "repeatable read".into(),
            setup: vec![
                "CREATE TABLE t (id INT PRIMARY KEY, k INT, UNIQUE u (k))".into(),
                "INSERT INTO t VALUES (1, 1), (2, 2), (3, 3)".into(),
                "CREATE TABLE s (id INT PRIMARY KEY)".into(),
            ],
            sessions: vec![
                ("a".into(), vec!["x".into(), "y".into()]),
                ("b".into(), vec!["z".into()]),
            ],
        }
    }

    #[test]
    fn only_what_is_needed_is_left() {
        let needed = |case: &Case| {
            let text = format!("{case:?}");
            ["\"y\"", "(2, 2)", "CREATE TABLE t"]
                .iter()
                .all(|part| text.contains(part))
        };
        let smallest = shrink(&case(), &mut |case| needed(case));
        assert_eq!(
            smallest.setup,
            [
                "CREATE TABLE t (id INT PRIMARY KEY, k INT)",
                "INSERT INTO t VALUES (2, 2)"
            ]
        );
        assert_eq!(smallest.sessions, [("a".to_owned(), vec!["y".to_owned()])]);
    }

    #[test]
    fn a_case_that_needs_everything_stays_as_it_is() {
        let whole = case();
        assert_eq!(shrink(&whole, &mut |case| *case == whole), whole);
    }
}
