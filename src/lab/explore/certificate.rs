//! A search's states and steps as a file, for somebody else to check.
//!
//! One JSON object on a line: a header that says what was explored, then every state in the order of
//! discovery: its fingerprint, the state and the session by which it was discovered, and every step
//! that can be taken in it with the state that it leads to. `commutes` marks steps that were not taken
//! but known from two others.

use std::io::{self, Write};

use serde::{Deserialize, Serialize};

use super::actors::{Actor, Granularity, Program};
use super::search::Search;

/// What the first line of a certificate says it is.
pub(super) const KIND: &str = "gaplock certificate 1";

/// The first line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Header {
    pub(super) kind: String,
    pub(super) profile: String,
    /// Each session's name and statements.
    pub(super) sessions: Vec<(String, Vec<String>)>,
    pub(super) statement_granularity: bool,
    pub(super) retries: u32,
    pub(super) purge: bool,
    /// States are told apart by how their pages lie, too.
    pub(super) layouts: bool,
    pub(super) states: u32,
}

/// Any further line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct StateLine {
    pub(super) at: u32,
    /// Hexadecimal.
    pub(super) print: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) parent: Option<(u32, String)>,
    pub(super) steps: Vec<StepLine>,
}

/// A step of a state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct StepLine {
    pub(super) by: String,
    pub(super) to: u32,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) commutes: bool,
}

impl Header {
    /// What a certificate about this program says, its number of states apart.
    pub(super) fn of(profile: &str, program: &Program, layouts: bool, states: u32) -> Header {
        let said = |place| program.statements(place).map(str::to_owned).collect();
        let sessions = program.sessions().enumerate();
        let rules = program.rules();
        Header {
            kind: KIND.to_owned(),
            profile: profile.to_owned(),
            sessions: sessions
                .map(|(place, name)| (name.to_owned(), said(place)))
                .collect(),
            statement_granularity: rules.granularity == Granularity::Statement,
            retries: rules.retries,
            purge: rules.purge,
            layouts,
            states,
        }
    }
}

/// Writes the certificate of a finished search.
pub(super) fn write(
    search: &Search,
    profile: &str,
    program: &Program,
    out: &mut dyn Write,
) -> io::Result<()> {
    let graph = search.graph();
    let name = |code| program.name(Actor::of_code(code)).to_owned();
    let states = graph.len() as u32;
    let header = Header::of(profile, program, search.detail().layout, states);
    line(&header, out)?;
    for at in 0..states {
        let steps = graph.edges(at).iter().map(|edge| StepLine {
            by: name(edge.actor),
            to: edge.target,
            commutes: !edge.taken,
        });
        let state = StateLine {
            at,
            print: format!("{:032x}", graph.print(at)),
            parent: graph.parent(at).map(|(from, code)| (from, name(code))),
            steps: steps.collect(),
        };
        line(&state, out)?;
    }
    Ok(())
}

fn line(value: &impl Serialize, out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer(&mut *out, value)?;
    out.write_all(b"\n")
}
