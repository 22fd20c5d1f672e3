//! A case that nobody has played yet: a recording without what a server made of it.
//!
//! One is a JSON line with the fields of a recording that are given rather than seen, so that
//! recordings are cases too. It can also be written as a scenario.

use std::fmt::Write;

use serde::{Deserialize, Serialize};

use super::trace::{PurgeMode, Recording};
use crate::lab::scenario::{Act, Input, PurgeSetting, Scenario, SetupItem};

/// A set-up and a conversation.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Case {
    /// Its name.
    pub name: String,
    /// Isolation level of every session, in SQL's words.
    pub isolation: String,
    /// Whether purge runs.
    pub purge: PurgeMode,
    /// SQL to be run, and committed, before the sessions begin.
    pub setup: Vec<String>,
    /// The conversation.
    pub steps: Vec<CaseStep>,
}

/// A statement of a session.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct CaseStep {
    /// The session.
    pub s: String,
    /// The statement.
    pub sql: String,
}

/// The level of a scenario that names none.
const DEFAULT_ISOLATION: &str = "REPEATABLE READ";

/// Why a scenario cannot be played as cases.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what} cannot be played on a server")]
pub struct NotACase {
    /// Line of the scenario, from 1.
    pub line: usize,
    /// What it is.
    pub what: &'static str,
}

impl Case {
    /// The sessions, in the order of their first word.
    #[must_use]
    pub fn sessions(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for step in &self.steps {
            if !names.contains(&step.s.as_str()) {
                names.push(&step.s);
            }
        }
        names
    }

    /// A case for each act of a scenario. Commands that only look or search are left out.
    ///
    /// # Errors
    /// The scenario lets time pass, crashes, or changes how purge works on its way.
    pub fn of_scenario(scenario: &Scenario, name: &str) -> Result<Vec<Case>, NotACase> {
        let of_act = |act: &Act| {
            let (setup, mut steps) = setup_of(act);
            for block in &act.blocks {
                for input in &block.inputs {
                    steps.extend(step_of(input)?);
                }
            }
            Ok(Case {
                name: match &act.name {
                    Some(variant) => format!("{name}.{variant}"),
                    None => name.to_owned(),
                },
                isolation: scenario
                    .isolation
                    .clone()
                    .unwrap_or_else(|| DEFAULT_ISOLATION.to_owned()),
                purge: match scenario.purge {
                    PurgeSetting::Drain => PurgeMode::Drain,
                    PurgeSetting::Hold => PurgeMode::Hold,
                },
                setup,
                steps,
            })
        };
        scenario.acts.iter().map(of_act).collect()
    }

    /// The case as a scenario, to be played under these profiles. `story` becomes its opening
    /// comment.
    #[must_use]
    pub fn to_scenario(&self, story: &str, profiles: &[&str]) -> String {
        let mut text = String::new();
        for line in story.lines() {
            put(&mut text, format!("# {line}").trim_end());
        }
        put(&mut text, &format!("profile {}", profiles.join(" ")));
        put(
            &mut text,
            &format!("isolation {}", self.isolation.to_lowercase()),
        );
        if self.purge == PurgeMode::Hold {
            put(&mut text, "purge hold");
        }
        put(&mut text, "\nsetup");
        for sql in &self.setup {
            put(&mut text, &format!("  {sql};"));
        }
        for step in &self.steps {
            put(&mut text, &format!("\n{}> {}\n----", step.s, step.sql));
        }
        text
    }
}

fn put(text: &mut String, line: &str) {
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{line}");
}

/// What is run beforehand, and what sessions say there.
fn setup_of(act: &Act) -> (Vec<String>, Vec<CaseStep>) {
    let (mut setup, mut steps) = (Vec::new(), Vec::new());
    for item in &act.setup {
        match item {
            SetupItem::Sql(statement) => setup.push(one_line(&statement.sql)),
            SetupItem::Say(session, statement) => steps.push(CaseStep {
                s: session.clone(),
                sql: one_line(&statement.sql),
            }),
        }
    }
    (setup, steps)
}

fn step_of(input: &Input) -> Result<Option<CaseStep>, NotACase> {
    use crate::lab::scenario::Command;
    let refused = |what| {
        Err(NotACase {
            line: input.place().line,
            what,
        })
    };
    match input {
        Input::Say(session, statement) => Ok(Some(CaseStep {
            s: session.clone(),
            sql: one_line(&statement.sql),
        })),
        Input::Command(command, _) => match command {
            Command::SetPurge(_) => refused("a change of `purge`"),
            Command::Purge => refused("`purge`"),
            Command::Advance(_) => refused("`advance`"),
            Command::Crash | Command::Recover => refused("`crash` or `recover`"),
            _ => Ok(None),
        },
    }
}

/// A statement that was written on several lines.
fn one_line(sql: &str) -> String {
    let lines: Vec<&str> = sql.lines().map(str::trim).collect();
    lines.join(" ")
}

impl From<&Recording> for Case {
    fn from(recording: &Recording) -> Case {
        Case {
            name: recording.name.clone(),
            isolation: recording.isolation.clone(),
            purge: recording.purge,
            setup: recording.setup.clone(),
            steps: recording
                .steps
                .iter()
                .map(|step| CaseStep {
                    s: step.s.clone(),
                    sql: step.sql.clone(),
                })
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::lab::scenario;

    fn case() -> Case {
        serde_json::from_str(
            r#"{"name":"n","isolation":"READ COMMITTED","purge":"hold",
                "setup":["CREATE TABLE t (id INT PRIMARY KEY)"],
                "steps":[{"s":"A","sql":"BEGIN"},{"s":"B","sql":"SELECT * FROM t"}]}"#,
        )
        .unwrap()
    }

    #[test]
    fn a_case_survives_being_a_scenario() {
        let text = case().to_scenario("Why.", &["x"]);
        let parsed = scenario::parse(Path::new("n.scn"), &text).unwrap();
        assert_eq!(Case::of_scenario(&parsed, "n").unwrap(), [case()]);
    }

    #[test]
    fn virtual_time_is_refused_with_its_line() {
        let text = "# x\nsetup\n  CREATE TABLE t (id INT);\n\nadvance 50s\n";
        let parsed = scenario::parse(Path::new("n.scn"), text).unwrap();
        let error = Case::of_scenario(&parsed, "n").unwrap_err();
        assert_eq!(
            error.to_string(),
            "line 5: `advance` cannot be played on a server"
        );
    }
}
