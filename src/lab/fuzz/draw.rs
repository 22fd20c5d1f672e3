//! Small programs drawn by chance: few rows with gaps between them, unique and plain keys, and
//! statements that meet in them.

use std::ops::RangeInclusive;

use super::super::chance::Chance;
use super::super::explore::{Granularity, Rules};
use super::super::shrink::Case;

/// A drawn program.
#[derive(Clone, Debug)]
pub struct Drawn {
    /// What it consists of.
    pub case: Case,
    /// How it is cut into steps, and who takes some.
    pub rules: Rules,
}

const LEVELS: [&str; 4] = [
    "repeatable read",
    "repeatable read",
    "read committed",
    "serializable",
];

fn number(chance: &mut Chance, choices: &[u32]) -> u32 {
    chance.pick(choices).unwrap_or_default()
}

/// Keys that are there, and others in the gaps between them.
fn key(chance: &mut Chance) -> u32 {
    number(chance, &[10, 10, 20, 20, 30, 5, 15, 25, 35])
}

fn schema(chance: &mut Chance) -> Vec<String> {
    let second = ["", ", UNIQUE u (k)", ", UNIQUE u (k)", ", KEY u (k)"];
    let second = chance.pick(&second).unwrap_or_default();
    let mut all = vec![
        format!("CREATE TABLE t (id INT PRIMARY KEY, k INT, v INT{second})"),
        "INSERT INTO t VALUES (10, 10, 0), (20, 20, 0)".to_owned(),
    ];
    match chance.below(4) {
        0 => all.push("CREATE TABLE s (id BIGINT AUTO_INCREMENT PRIMARY KEY, k INT UNIQUE)".into()),
        1 => all.push("CREATE TABLE s (id INT PRIMARY KEY, k INT)".into()),
        _ => {}
    }
    if all.len() > 2 {
        all.push("INSERT INTO s (id, k) VALUES (10, 10), (20, 20)".to_owned());
    }
    all
}

fn statement(chance: &mut Chance, tables: u64) -> String {
    if tables > 1 && chance.below(3) == 0 {
        return on_second_table(chance);
    }
    let (a, b, c) = (key(chance), key(chance), key(chance));
    let column = chance.pick(&["id", "id", "k"]).unwrap_or("id");
    match chance.below(14) {
        0 => format!("INSERT INTO t VALUES ({a}, {b}, 1)"),
        1 => format!("INSERT INTO t VALUES ({a}, {a}, 1)"),
        2 => format!("INSERT IGNORE INTO t VALUES ({a}, {b}, 1)"),
        3 => format!("INSERT INTO t VALUES ({a}, {b}, 1) ON DUPLICATE KEY UPDATE v = v + 1"),
        4 => format!("REPLACE INTO t VALUES ({a}, {b}, 1)"),
        5 => format!("UPDATE t SET v = v + 1 WHERE {column} = {a}"),
        6 => format!("UPDATE t SET k = {b} WHERE id = {a}"),
        7 => format!("UPDATE t SET v = {c} WHERE {column} >= {a}"),
        8 => format!("DELETE FROM t WHERE {column} = {a}"),
        9 => format!("SELECT * FROM t WHERE {column} = {a} FOR UPDATE"),
        10 => format!("SELECT * FROM t WHERE {column} > {a} FOR UPDATE"),
        11 => format!("SELECT * FROM t WHERE {column} = {a} LOCK IN SHARE MODE"),
        12 => "SELECT * FROM t".to_owned(),
        _ => format!("SELECT v FROM t WHERE {column} = {a}"),
    }
}

fn on_second_table(chance: &mut Chance) -> String {
    let a = key(chance);
    match chance.below(5) {
        0 => format!("INSERT INTO s (k) VALUES ({a})"),
        1 => format!("INSERT INTO s (id, k) VALUES ({a}, {a})"),
        2 => format!("DELETE FROM s WHERE k = {a}"),
        3 => format!("SELECT * FROM s WHERE id = {a} FOR UPDATE"),
        _ => "SELECT * FROM s".to_owned(),
    }
}

fn session(chance: &mut Chance, tables: u64, counts: RangeInclusive<u64>) -> Vec<String> {
    let count = counts.start() + chance.below(1 + counts.end() - counts.start());
    let mut all = Vec::new();
    if count > 1 || chance.below(2) == 0 {
        all.push("BEGIN".to_owned());
    }
    all.extend((0..count).map(|_| statement(chance, tables)));
    if chance.below(8) == 0 {
        all.push("ROLLBACK".to_owned());
    }
    all
}

/// The program of that number; the same number gives the same program.
#[must_use]
pub fn draw(number: u64) -> Drawn {
    let mut chance = Chance::new(number);
    let level = chance.pick(&LEVELS).unwrap_or(LEVELS[0]);
    let setup = schema(&mut chance);
    let tables = 1 + u64::from(setup.len() > 2);
    let rules = Rules {
        granularity: match chance.below(3) {
            0 => Granularity::Lock,
            _ => Granularity::Statement,
        },
        retries: u32::from(chance.below(4) == 0),
        purge: chance.below(5) == 0,
    };
    let coarse = rules.granularity == Granularity::Statement;
    let names = if coarse || chance.below(6) == 0 { 3 } else { 2 };
    let statements = if coarse { 2..=3 } else { 1..=2 };
    let sessions = ["a", "b", "c"][..names].iter().map(|name| {
        let said = session(&mut chance, tables, statements.clone());
        ((*name).to_owned(), said)
    });
    let sessions = sessions.collect();
    Drawn {
        case: Case {
            isolation: level.to_owned(),
            setup,
            sessions,
        },
        rules,
    }
}
