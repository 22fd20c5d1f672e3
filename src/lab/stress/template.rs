//! Statement templates of a load: SQL with `{rand LOW HIGH}`, `{seq}` and `{thread}`.
//!
//! - `{rand 1 1000}`: a whole number from 1 to 1000, both included, chosen anew each time.
//! - `{seq}`: 1, 2, 3 ... over all threads of the load.
//! - `{thread}`: the thread's number, from 0.

use std::sync::atomic::{AtomicU64, Ordering};

use super::super::chance::Chance;

/// A statement with places to fill.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Template {
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Rand(i64, u64),
    Seq,
    Thread,
}

/// Where the numbers come from.
pub(super) struct Fill<'a> {
    pub(super) thread: u64,
    pub(super) sequence: &'a AtomicU64,
    pub(super) chance: &'a mut Chance,
}

impl Template {
    /// A statement without placeholders.
    pub(super) fn plain(sql: String) -> Template {
        Template {
            parts: vec![Part::Text(sql)],
        }
    }

    /// Reads a template; the error is the placeholder that means nothing.
    pub(super) fn read(sql: &str) -> Result<Template, String> {
        let mut parts = Vec::new();
        let mut rest = sql;
        while let Some((text, after)) = rest.split_once('{') {
            let (inside, after) = after.split_once('}').ok_or_else(|| after.to_owned())?;
            parts.push(Part::Text(text.to_owned()));
            parts.push(placeholder(inside).ok_or_else(|| inside.to_owned())?);
            rest = after;
        }
        parts.push(Part::Text(rest.to_owned()));
        Ok(Template { parts })
    }

    /// The statement, filled in.
    pub(super) fn fill(&self, fill: &mut Fill<'_>) -> String {
        let mut sql = String::new();
        for part in &self.parts {
            match part {
                Part::Text(text) => sql.push_str(text),
                Part::Rand(low, span) => {
                    let offset = fill.chance.below(*span);
                    sql.push_str(&low.saturating_add_unsigned(offset).to_string());
                }
                Part::Seq => {
                    let next = fill.sequence.fetch_add(1, Ordering::Relaxed) + 1;
                    sql.push_str(&next.to_string());
                }
                Part::Thread => sql.push_str(&fill.thread.to_string()),
            }
        }
        sql
    }
}

fn placeholder(inside: &str) -> Option<Part> {
    let words: Vec<&str> = inside.split_whitespace().collect();
    match words.as_slice() {
        ["seq"] => Some(Part::Seq),
        ["thread"] => Some(Part::Thread),
        ["rand", low, high] => {
            let (low, high): (i64, i64) = (low.parse().ok()?, high.parse().ok()?);
            let span = u64::try_from(i128::from(high) - i128::from(low) + 1).ok()?;
            (span > 0).then_some(Part::Rand(low, span))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_filled() {
        let template =
            Template::read("INSERT INTO t VALUES ({seq}, {rand 5 7}, {thread})").unwrap();
        let sequence = AtomicU64::new(0);
        let mut chance = Chance::new(1);
        for number in 1..50 {
            let mut fill = Fill {
                thread: 3,
                sequence: &sequence,
                chance: &mut chance,
            };
            let sql = template.fill(&mut fill);
            let possible: Vec<String> = (5..=7)
                .map(|rand| format!("INSERT INTO t VALUES ({number}, {rand}, 3)"))
                .collect();
            assert!(possible.contains(&sql), "{sql}");
        }
    }

    #[test]
    fn what_means_nothing_is_named() {
        assert_eq!(Template::read("{rnd 1 2}"), Err("rnd 1 2".to_owned()));
        assert_eq!(Template::read("{rand 2 1}"), Err("rand 2 1".to_owned()));
        assert_eq!(Template::read("{seq"), Err("seq".to_owned()));
    }
}
