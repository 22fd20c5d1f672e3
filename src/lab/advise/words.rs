//! Statements as words, for changes that only move or replace some of them.
//!
//! A statement is cut at blanks, commas and brackets, with texts in quotes kept whole. It is enough to
//! find a clause at the end, a first number, or the name of a column; what comes of a change is read by
//! the real parser before anything is believed.

/// The words of a statement, commas and brackets left out.
pub(super) fn words(sql: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut quote = None;
    for character in sql.chars() {
        match quote {
            Some(open) => {
                word.push(character);
                if character == open {
                    quote = None;
                }
            }
            None if matches!(character, '\'' | '"' | '`') => {
                quote = Some(character);
                word.push(character);
            }
            None if character.is_whitespace() || "(),=<>;".contains(character) => {
                words.extend((!word.is_empty()).then(|| std::mem::take(&mut word)));
            }
            None => word.push(character),
        }
    }
    words.extend((!word.is_empty()).then_some(word));
    words
}

/// The statement's first word in capitals.
pub(super) fn verb(sql: &str) -> String {
    let first = words(sql).into_iter().next();
    first.unwrap_or_default().to_ascii_uppercase()
}

/// Whether it begins a transaction.
pub(super) fn begins(sql: &str) -> bool {
    matches!(verb(sql).as_str(), "BEGIN" | "START")
}

/// Whether it reads or changes rows.
pub(super) fn is_data(sql: &str) -> bool {
    ["SELECT", "INSERT", "REPLACE", "UPDATE", "DELETE"].contains(&verb(sql).as_str())
}

/// The statement without this ending, if it has it; compared without case, blanks as one.
pub(super) fn without_ending(sql: &str, ending: &str) -> Option<String> {
    let sql = sql.trim_end().trim_end_matches(';').trim_end();
    let mut rest = sql;
    for word in ending.split_whitespace().rev() {
        let cut = rest.len().checked_sub(word.len())?;
        let (before, last) = rest.is_char_boundary(cut).then(|| rest.split_at(cut))?;
        if !last.eq_ignore_ascii_case(word) {
            return None;
        }
        rest = before.trim_end();
    }
    Some(rest.to_owned())
}

/// What the statement locks first, as far as its text tells: its table, and the first number after
/// WHERE or VALUES.
pub(super) fn place(sql: &str) -> (String, i64) {
    let words = words(sql);
    let after = |word: &str| words.iter().position(|w| w.eq_ignore_ascii_case(word));
    let named = ["INTO", "FROM", "UPDATE", "TABLE", "IGNORE"]
        .iter()
        .filter_map(|word| after(word))
        .max()
        .or(Some(0));
    let table = named.and_then(|at| words.get(at + 1)).cloned();
    let from = after("WHERE").or_else(|| after("VALUES")).unwrap_or(0);
    let numbers = words[from..].iter().filter_map(|word| word.parse().ok());
    let first = numbers.into_iter().next();
    (
        table.unwrap_or_default().to_ascii_lowercase(),
        first.unwrap_or(i64::MIN),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endings_are_found_whatever_the_blanks() {
        let sql = "SELECT * FROM t WHERE id = 1  lock IN\n share mode";
        let rest = without_ending(sql, "LOCK IN SHARE MODE");
        assert_eq!(rest.as_deref(), Some("SELECT * FROM t WHERE id = 1"));
        assert_eq!(without_ending(sql, "FOR UPDATE"), None);
        assert_eq!(without_ending("", "FOR UPDATE"), None);
    }

    #[test]
    fn places_are_table_and_number() {
        let place = |sql| super::place(sql);
        assert_eq!(place("UPDATE t SET v = 7 WHERE id = 3"), ("t".into(), 3));
        assert_eq!(
            place("INSERT INTO T (k, n) VALUES (20, 1)"),
            ("t".into(), 20)
        );
        assert_eq!(place("DELETE FROM t"), ("t".into(), i64::MIN));
    }
}
