//! A scenario file as a tree; every part knows where it stands in the text.

use std::path::PathBuf;

/// A place in a file; both count from 1, columns in characters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Line.
    pub line: usize,
    /// Column.
    pub column: usize,
}

impl Place {
    /// The place of something at (`line`, `column`) within a text that begins here.
    #[must_use]
    pub fn within(self, line: usize, column: usize) -> Place {
        if line <= 1 {
            Place {
                line: self.line,
                column: self.column + column.max(1) - 1,
            }
        } else {
            Place {
                line: self.line + line - 1,
                column,
            }
        }
    }
}

/// A whole file.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Where it was read from, for messages.
    pub path: PathBuf,
    /// Its text, as read.
    pub text: String,
    /// Profiles to play it under, in the file's order; empty when the file names none.
    pub profiles: Vec<(String, Place)>,
    /// Isolation level of every session, in SQL's words.
    pub isolation: Option<String>,
    /// Whether purge runs.
    pub purge: PurgeSetting,
    /// One act, or one for each `variant`; never empty.
    pub acts: Vec<Act>,
}

/// Whether purge runs by itself after each end of a transaction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PurgeSetting {
    /// As far as read views allow.
    #[default]
    Drain,
    /// Only where the file says `purge`.
    Hold,
}

/// A conversation on a database of its own.
#[derive(Clone, Debug, Default)]
pub struct Act {
    /// The `variant`'s name; none when the file has no variants.
    pub name: Option<String>,
    /// Where it begins.
    pub place: Place,
    /// What is done before the conversation.
    pub setup: Vec<SetupItem>,
    /// Statement templates of one pass of `gaplock stress`; empty when the file gives none.
    pub load: Vec<Statement>,
    /// The conversation.
    pub blocks: Vec<Block>,
}

/// One statement's text and where it begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// SQL; line breaks are those of the file, so that places within it can be mapped back.
    pub sql: String,
    /// Where the first character of `sql` stands.
    pub place: Place,
}

/// One item of a `setup`.
#[derive(Clone, Debug)]
pub enum SetupItem {
    /// SQL run by nobody in particular, and committed.
    Sql(Statement),
    /// SQL of a session, such as `a> BEGIN`.
    Say(String, Statement),
}

/// Inputs and what is expected of them.
#[derive(Clone, Debug, Default)]
pub struct Block {
    /// What is given, in order.
    pub inputs: Vec<Input>,
    /// What is expected; empty when the file expects nothing.
    pub sections: Vec<Section>,
    /// Last line of the block in the file, from 1.
    pub last_line: usize,
}

impl Block {
    /// The section that holds for a profile: its own, or else the one for all others.
    #[must_use]
    pub fn section(&self, profile: &str) -> Option<&Section> {
        let own = |s: &&Section| s.profiles.iter().any(|p| p == profile);
        let open = |s: &&Section| s.profiles.is_empty();
        let sections = &self.sections;
        sections
            .iter()
            .find(own)
            .or_else(|| sections.iter().find(open))
    }
}

/// One thing that is given.
#[derive(Clone, Debug)]
pub enum Input {
    /// A statement of a session.
    Say(String, Statement),
    /// A command, and where it stands.
    Command(Command, Place),
}

impl Input {
    /// Where it stands.
    #[must_use]
    pub fn place(&self) -> Place {
        match self {
            Input::Say(_, statement) => statement.place,
            Input::Command(_, place) => *place,
        }
    }
}

/// The commands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// The lock picture, of all tables or of one.
    Locks(Option<String>),
    /// The plan of a statement, or of the last one given.
    Plan(Option<(String, Statement)>),
    /// Run purge now.
    Purge,
    /// From here on purge waits, or runs again.
    SetPurge(PurgeSetting),
    /// Let this many microseconds of virtual time pass.
    Advance(u64),
    /// Lose everything that is not durable.
    Crash,
    /// Open the database again.
    Recover,
    /// Every interleaving of the sessions' statements.
    Explore {
        /// Of these sessions; of all when empty.
        sessions: Vec<String>,
        /// Only those with at most so many preemptions.
        preemptions: Option<u32>,
    },
    /// One given interleaving.
    Replay(String),
    /// Some random interleavings.
    Random {
        /// How many.
        count: u64,
        /// The seed that chooses them.
        seed: u64,
    },
    /// Defaults for `gaplock stress`.
    Stress {
        /// Threads.
        threads: usize,
        /// Duration in microseconds.
        micros: u64,
    },
}

/// What is expected of a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// Under these profiles; when empty, under all that have no section of their own.
    pub profiles: Vec<String>,
    /// The expected lines; comments are not among them.
    pub lines: Vec<ExpectedLine>,
    /// Line of the `----`, from 1.
    pub first_line: usize,
    /// Last line that belongs to it, from 1.
    pub last_line: usize,
}

/// One expected line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpectedLine {
    /// Its text without a comment and without blanks at the end.
    pub text: String,
    /// Where it stands.
    pub place: Place,
}

impl Act {
    /// The sessions that say something, in the order of their first word.
    #[must_use]
    pub fn sessions(&self) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        let from_setup = self.setup.iter().filter_map(|item| match item {
            SetupItem::Say(name, _) => Some(name),
            SetupItem::Sql(_) => None,
        });
        let from_blocks = self.blocks.iter().flat_map(|block| {
            block.inputs.iter().filter_map(|input| match input {
                Input::Say(name, _) => Some(name),
                Input::Command(..) => None,
            })
        });
        for name in from_setup.chain(from_blocks) {
            if !names.contains(name) {
                names.push(name.clone());
            }
        }
        names
    }

    /// The statements that a session says in the conversation, in order.
    #[must_use]
    pub fn statements_of(&self, session: &str) -> Vec<Statement> {
        let inputs = self.blocks.iter().flat_map(|block| &block.inputs);
        inputs
            .filter_map(|input| match input {
                Input::Say(name, statement) if name == session => Some(statement.clone()),
                _ => None,
            })
            .collect()
    }
}
