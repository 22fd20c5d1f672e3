//! Changes worth trying: what people are told, and what the schema suggests.

use std::collections::BTreeSet;
use std::sync::Arc;

use gaplock_engine::table::{Index, Table};

use super::super::prepare::Change;
use super::super::scenario::Scenario;
use super::super::world::World;
use super::words::{begins, is_data, place, verb, without_ending, words};

/// A change, and what it is called.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// In words.
    pub what: String,
    /// The change.
    pub change: Change,
}

type Sessions = [(String, Vec<String>)];

impl Candidate {
    fn schema(what: String, sql: String) -> Candidate {
        Candidate {
            what,
            change: Change {
                setup: vec![sql],
                ..Change::default()
            },
        }
    }

    /// The same at READ COMMITTED.
    pub(super) fn with_read_committed(&self) -> Candidate {
        let mut both = self.clone();
        both.what.push_str(", at READ COMMITTED");
        both.change.isolation = Some("read committed".to_owned());
        both
    }

    /// The statements of the change, to be copied.
    pub(super) fn how(&self) -> Vec<String> {
        let mut how = self.change.setup.clone();
        for (name, said) in self.change.sessions.iter().flatten() {
            how.push(format!("{name}> {}", said.join("; ")));
        }
        how
    }
}

/// All changes to try on what these sessions say.
pub(super) fn all(root: &World, said: &Sessions, scenario: &Scenario) -> Vec<Candidate> {
    let mut all = Vec::new();
    let level = scenario.isolation.as_deref().unwrap_or_default();
    if !level.eq_ignore_ascii_case("read committed") {
        all.push(Candidate {
            what: "READ COMMITTED".to_owned(),
            change: Change {
                isolation: Some("read committed".to_owned()),
                ..Change::default()
            },
        });
    }
    for table in root.server().engine.tables() {
        indexes(&table, said, &mut all);
    }
    statements(root, said, &mut all);
    all
}

fn quoted(table: &Table, columns: &[usize]) -> String {
    let names = columns
        .iter()
        .map(|at| format!("`{}`", table.columns[*at].name));
    names.collect::<Vec<_>>().join(", ")
}

/// Indexes dropped, added, made unique or primary.
fn indexes(table: &Arc<Table>, said: &Sessions, all: &mut Vec<Candidate>) {
    let name = &table.name;
    for index in &table.indexes[1..] {
        let columns = quoted(table, &index.columns);
        let drop = format!("ALTER TABLE `{name}` DROP INDEX `{}`", index.name);
        all.push(Candidate::schema(
            format!("drop the index {} of {name}", index.name),
            drop.clone(),
        ));
        if index.unique {
            all.push(as_primary(table, index));
        } else {
            all.push(Candidate::schema(
                format!("make the index {} of {name} unique", index.name),
                format!("{drop}, ADD UNIQUE INDEX `{}` ({columns})", index.name),
            ));
        }
    }
    for column in compared_columns(table, said) {
        let columns = quoted(table, &[column]);
        all.push(Candidate::schema(
            format!("add an index on {columns} of {name}"),
            format!("ALTER TABLE `{name}` ADD INDEX ({columns})"),
        ));
    }
}

/// The unique key takes the primary key's place. A counter's column needs an index of its own.
fn as_primary(table: &Table, index: &Index) -> Candidate {
    let name = &table.name;
    let columns = quoted(table, &index.columns);
    let mut actions = vec![format!("DROP INDEX `{}`", index.name)];
    if !table.has_hidden_key() {
        actions.push("DROP PRIMARY KEY".to_owned());
    }
    actions.push(format!("ADD PRIMARY KEY ({columns})"));
    let counted = table.columns.iter().position(|c| c.auto_increment);
    if let Some(counted) = counted.filter(|at| index.columns.first() != Some(at)) {
        actions.push(format!("ADD INDEX ({})", quoted(table, &[counted])));
    }
    Candidate::schema(
        format!("make ({columns}) the primary key of {name}"),
        format!("ALTER TABLE `{name}` {}", actions.join(", ")),
    )
}

/// Columns that a statement about the table names after WHERE, and that no index begins with.
fn compared_columns(table: &Table, said: &Sessions) -> BTreeSet<usize> {
    let mut found = BTreeSet::new();
    for sql in said.iter().flat_map(|(_, statements)| statements) {
        let words = words(sql);
        let about = words
            .iter()
            .any(|word| word.eq_ignore_ascii_case(&table.name));
        let place = words
            .iter()
            .position(|word| word.eq_ignore_ascii_case("WHERE"));
        let (true, Some(place)) = (about, place) else {
            continue;
        };
        let columns = words[place..].iter().filter_map(|word| table.column(word));
        found.extend(columns.filter(|column| {
            let mut indexes = table.indexes.iter();
            !indexes.any(|index| index.columns.first() == Some(column))
        }));
    }
    found
}

/// Changes of what the sessions say.
fn statements(root: &World, said: &Sessions, all: &mut Vec<Candidate>) {
    let mut push = |what: &str, sessions: Vec<(String, Vec<String>)>| {
        if sessions != said {
            let change = Change {
                sessions: Some(sessions),
                ..Change::default()
            };
            let what = what.to_owned();
            all.push(Candidate { what, change });
        }
    };
    let share = ["LOCK IN SHARE MODE", "FOR SHARE"];
    let locking = ["FOR UPDATE", "LOCK IN SHARE MODE", "FOR SHARE"];
    push("lock rows in one order", per_session(said, in_order));
    push(
        "FOR UPDATE instead of share",
        each(said, |sql| {
            let rest = share.iter().find_map(|ending| without_ending(sql, ending));
            rest.map(|rest| format!("{rest} FOR UPDATE"))
        }),
    );
    for (what, option) in [("SKIP LOCKED", "SKIP LOCKED"), ("NOWAIT", "NOWAIT")] {
        push(
            what,
            each(said, |sql| {
                let locks = locking.iter().any(|end| without_ending(sql, end).is_some());
                locks.then(|| format!("{sql} {option}"))
            }),
        );
    }
    push(
        "read without locks",
        each(said, |sql| {
            locking
                .iter()
                .find_map(|ending| without_ending(sql, ending))
        }),
    );
    push("an upsert instead of a check and an insertion", {
        per_session(said, |all| upsert_without_check(root, all))
    });
    push("INSERT ... ON DUPLICATE KEY UPDATE instead of REPLACE", {
        each(said, |sql| upsert_of(root, sql, "REPLACE"))
    });
    push("INSERT IGNORE instead of INSERT", {
        each(said, |sql| {
            let words = words(sql);
            let second = words.get(1).map(|word| word.to_ascii_uppercase());
            let plain = verb(sql) == "INSERT" && second.as_deref() == Some("INTO");
            let upsert = words
                .iter()
                .any(|word| word.eq_ignore_ascii_case("DUPLICATE"));
            (plain && !upsert).then(|| format!("INSERT IGNORE{}", &sql.trim_start()[6..]))
        })
    });
    push(
        "split each transaction into its statements (they are then not atomic)",
        per_session(said, split),
    );
}

fn per_session(
    said: &Sessions,
    change: impl Fn(&[String]) -> Vec<String>,
) -> Vec<(String, Vec<String>)> {
    let changed = said.iter().map(|(name, all)| (name.clone(), change(all)));
    changed.collect()
}

/// Each statement changed, where it can be.
fn each(said: &Sessions, change: impl Fn(&str) -> Option<String>) -> Vec<(String, Vec<String>)> {
    per_session(said, |all| {
        let changed = all
            .iter()
            .map(|sql| change(sql).unwrap_or_else(|| sql.clone()));
        changed.collect()
    })
}

/// Neighbouring statements that only change or lock rows, sorted by table and number. Plain reads
/// stay where they are, and so does what stands around them.
fn in_order(all: &[String]) -> Vec<String> {
    let mut sorted: Vec<String> = Vec::new();
    let mut run: Vec<String> = Vec::new();
    for sql in all {
        if is_data(sql) {
            run.push(sql.clone());
        } else {
            run.sort_by_key(|sql| place(sql));
            sorted.append(&mut run);
            sorted.push(sql.clone());
        }
    }
    run.sort_by_key(|sql| place(sql));
    sorted.append(&mut run);
    sorted
}

/// A commit after each statement that reads or changes rows.
fn split(all: &[String]) -> Vec<String> {
    let mut parts = Vec::new();
    for sql in all {
        if begins(sql) || verb(sql) == "COMMIT" {
            continue;
        }
        parts.push(sql.clone());
        if is_data(sql) {
            parts.push("COMMIT".to_owned());
        }
    }
    parts
}

/// A locking read or a DELETE that is followed by an insertion into its table gives way to an upsert.
fn upsert_without_check(root: &World, all: &[String]) -> Vec<String> {
    let mut changed = Vec::new();
    let mut at = 0;
    while let Some(sql) = all.get(at) {
        let next = all.get(at + 1);
        let checks = matches!(verb(sql).as_str(), "SELECT" | "DELETE");
        let upsert = next
            .filter(|next| checks && place(next).0 == place(sql).0)
            .and_then(|next| upsert_of(root, next, "INSERT"));
        match upsert {
            Some(upsert) => {
                changed.push(upsert);
                at += 2;
            }
            None => {
                changed.push(sql.clone());
                at += 1;
            }
        }
    }
    changed
}

/// The statement as an upsert that sets every column outside the primary key to the new value.
fn upsert_of(root: &World, sql: &str, from: &str) -> Option<String> {
    let words = words(sql);
    let upsert = words
        .iter()
        .any(|word| word.eq_ignore_ascii_case("DUPLICATE"));
    let into = words.get(1)?.eq_ignore_ascii_case("INTO");
    if verb(sql) != from || upsert || !into {
        return None;
    }
    let table = root
        .server()
        .engine
        .table(words.get(2)?.trim_matches('`'))?;
    let key = &table.clustered().columns;
    let sets = (0..table.columns.len()).filter(|at| !key.contains(at));
    let sets = sets.map(|at| {
        let column = quoted(&table, &[at]);
        format!("{column} = VALUES({column})")
    });
    let sets: Vec<String> = sets.collect();
    if sets.is_empty() {
        return None;
    }
    let rest = sql.trim_start().get(from.len()..)?;
    let rest = rest.trim_end().trim_end_matches(';');
    Some(format!(
        "INSERT{rest} ON DUPLICATE KEY UPDATE {}",
        sets.join(", ")
    ))
}
