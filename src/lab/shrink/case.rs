//! A set-up and some sessions as texts: what can be made smaller, and written out as a scenario.

use gaplock_engine::profile::Profile;

use super::super::explore::{Program, Rules};
use super::super::prepare::Prepared;
use super::super::scenario::PurgeSetting;
use super::super::world::{WakeOrder, World};

/// Everything that a program consists of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// Every session's level.
    pub isolation: String,
    /// SQL that makes the tables and rows.
    pub setup: Vec<String>,
    /// Each session's name and statements.
    pub sessions: Vec<(String, Vec<String>)>,
}

impl Case {
    /// A world after the set-up, and the program.
    ///
    /// # Errors
    /// The statement of the set-up that fails, and how.
    pub fn prepare(&self, profile: &Profile, rules: Rules) -> Result<Prepared, String> {
        let level = Some(self.isolation.as_str());
        let mut world = World::new(profile.clone(), level, PurgeSetting::Drain);
        for sql in &self.setup {
            let told = |what: String| format!("{sql}: {what}");
            world
                .give("(setup)", sql, &[])
                .map_err(|error| told(format!("{error:?}")))?;
            let ended = world
                .settle(&mut WakeOrder::default())
                .map_err(|runaway| told(runaway.to_string()))?;
            let failed = ended.iter().find_map(|ended| ended.result.as_ref().err());
            if let Some(error) = failed {
                return Err(told(error.to_string()));
            }
        }
        Ok(Prepared {
            world,
            program: Program::new(self.sessions.clone()).with_rules(rules),
        })
    }

    /// The same with every session's last transaction ended, as a file's conversation needs it.
    #[must_use]
    pub fn with_ends(&self) -> Case {
        let mut ended = self.clone();
        for (_, statements) in &mut ended.sessions {
            let last = statements.last().map(|sql| sql.to_ascii_uppercase());
            if !last.is_some_and(|sql| sql == "COMMIT" || sql == "ROLLBACK") {
                statements.push("COMMIT".to_owned());
            }
        }
        ended
    }

    /// The case as a scenario file. The conversation lets one session finish before the next begins,
    /// so it can always be played if the case [has its ends](Case::with_ends); what the file is about stands in `blocks`, lines of a block each,
    /// such as a `replay` with what it comes to.
    #[must_use]
    pub fn scenario(&self, story: &[String], profiles: &[&str], blocks: &[Vec<String>]) -> String {
        let mut lines: Vec<String> = Vec::new();
        lines.extend(
            story
                .iter()
                .map(|line| format!("# {line}").trim_end().to_owned()),
        );
        lines.push(format!("profile {}", profiles.join(" ")));
        lines.push(format!("isolation {}", self.isolation));
        lines.push("setup".to_owned());
        lines.extend(self.setup.iter().map(|sql| format!("  {sql};")));
        lines.push(String::new());
        for (name, statements) in &self.sessions {
            lines.extend(statements.iter().map(|sql| format!("{name}> {sql}")));
        }
        for block in blocks {
            lines.push(String::new());
            lines.extend(block.iter().cloned());
        }
        let mut text = lines.join("\n");
        text.push('\n');
        text
    }
}
