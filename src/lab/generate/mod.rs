//! Cases by a seed: tables, rows, and what two to four sessions say to each other.
//!
//! G1. The same seed and number give the same case, byte for byte, whatever the profile.
//! G2. Every statement is one that all recorded releases accept, and that our own grammar knows.
//! G3. Numbers are few, so that sessions meet: on rows, on gaps, and on unique keys.
//!
//! `shape` makes tables and their rows, `predicate` and `statement` what is said about them.

mod predicate;
mod shape;
mod statement;

use super::chance::Chance;
use super::conform::case::{Case, CaseStep};
use super::conform::trace::PurgeMode;
use shape::Schema;

/// What kind of cases.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    /// A few short rows; every table fits a page.
    Small,
    /// Long rows, and hundreds of them: pages split and merge.
    Pages,
    /// Mostly small ones.
    #[default]
    Mixed,
}

/// How many of a hundred mixed cases fill pages.
const PAGES_SHARE: u64 = 8;

/// The case with this number under this seed.
#[must_use]
pub fn case(seed: u64, number: u64, kind: Kind) -> Case {
    // Numbers spread so that neighbouring seeds do not share cases.
    let mut chance = Chance::new(seed ^ number.wrapping_mul(0xD1B5_4A32_D192_ED03));
    let pages = match kind {
        Kind::Small => false,
        Kind::Pages => true,
        Kind::Mixed => chance.percent(PAGES_SHARE),
    };
    let schema = if pages {
        shape::pages(&mut chance)
    } else {
        shape::small(&mut chance)
    };
    let isolation = chance.weighted(&[
        (58, "REPEATABLE READ"),
        (34, "READ COMMITTED"),
        (6, "SERIALIZABLE"),
        (2, "READ UNCOMMITTED"),
    ]);
    let purge = if chance.percent(25) {
        PurgeMode::Hold
    } else {
        PurgeMode::Drain
    };
    let mut setup = schema.definitions();
    setup.extend(schema.rows(&mut chance));
    let steps = conversation(&schema, &mut chance);
    Case {
        name: format!("s{seed}_{number:05}_{}", schema.name),
        isolation: isolation.to_owned(),
        purge,
        setup,
        steps,
    }
}

/// Session names, as many as there can be.
const SESSIONS: [&str; 4] = ["A", "B", "C", "D"];

fn conversation(schema: &Schema, chance: &mut Chance) -> Vec<CaseStep> {
    let count = chance.weighted(&[(45, 2), (40, 3), (15, 4)]);
    let sessions = &SESSIONS[..count];
    let mut steps = Vec::new();
    let mut say = |session: &str, sql: String| {
        steps.push(CaseStep {
            s: session.to_owned(),
            sql,
        });
    };
    for session in sessions {
        if let Some(begin) = beginning(chance) {
            say(session, begin.to_owned());
        }
    }
    let statements = chance.between(4, 12);
    let mut savepoints = [false; SESSIONS.len()];
    for _ in 0..statements {
        let at = chance.below(count as u64) as usize;
        let session = sessions[at];
        if chance.percent(12) {
            let end = chance.weighted(&[(6, "COMMIT"), (4, "ROLLBACK")]);
            say(session, end.to_owned());
            savepoints[at] = false;
            if let Some(begin) = beginning(chance) {
                say(session, begin.to_owned());
            }
        } else if chance.percent(5) {
            let sql = if savepoints[at] {
                "ROLLBACK TO s"
            } else {
                "SAVEPOINT s"
            };
            savepoints[at] = true;
            say(session, sql.to_owned());
        } else {
            say(session, statement::statement(schema, chance));
        }
    }
    // An end lets those go on that waited.
    for session in sessions {
        if chance.percent(40) {
            say(session, "COMMIT".to_owned());
        }
    }
    steps
}

/// How a transaction begins; none where statements commit by themselves.
fn beginning(chance: &mut Chance) -> Option<&'static str> {
    chance.weighted(&[
        (85, Some("BEGIN")),
        (4, Some("START TRANSACTION WITH CONSISTENT SNAPSHOT")),
        (11, None),
    ])
}

#[cfg(test)]
mod tests;
