//! Checks a certificate without trusting whoever wrote it.
//!
//! Nothing of the search is used here: not its graph, nor its order, nor what it believes about steps
//! that commute. Shared are only what is being judged, the engine, and what both must mean alike: how
//! a session takes a step, and a state's fingerprint. What is confirmed:
//!
//! - K1. The certificate is about this program, profile and set of rules.
//! - K2. The first state is the one that the set-up leaves; every other is reached, by the step that
//!   it names as its discovery, from the state that it names.
//! - K3. In every state the steps listed are those that can be taken, none less and none more.
//! - K4. Each of them, taken for real, ends in the state that it says: also those that were left out
//!   because two steps commute, so both orders of every such pair are taken.
//!
//! By K2 to K4 the states are closed: no schedule leaves them. Whether one of them holds a deadlock is
//! then not the certificate's claim but what the checker itself met when it took the steps.

use std::collections::BTreeMap;
use std::io::BufRead;

use gaplock_engine::db::DigestDetail;
use gaplock_engine::digest::Digest;

use super::super::world::World;
use super::actors::{Node, Parts, Program};
use super::certificate::{Header, KIND, StateLine};
use super::facts::FactKind;
use crate::sql::SqlError;

/// What was confirmed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Certified {
    /// States.
    pub states: u64,
    /// Steps taken; every one that can be.
    pub steps: u64,
    /// Of those, steps that the search knew from two that commute.
    pub commuting: u64,
    /// Steps that closed a circle.
    pub deadlocks: u64,
    /// States in which nobody can run and somebody waits.
    pub stuck: u64,
}

/// Why a certificate is not accepted.
#[derive(Debug, thiserror::Error)]
pub enum CertifyError {
    /// The file cannot be read.
    #[error("cannot read the certificate: {0}")]
    Io(#[from] std::io::Error),
    /// A line is not what it should be.
    #[error("line {line}: {what}")]
    Malformed {
        /// From 1.
        line: usize,
        /// What is wrong.
        what: String,
    },
    /// K1.
    #[error("the certificate is about something else: {0}")]
    OtherProgram(String),
    /// K2, K3 or K4 does not hold.
    #[error("state {state}: {what}")]
    Refuted {
        /// Which.
        state: u32,
        /// What was found instead.
        what: String,
    },
    /// A page could not be read.
    #[error(transparent)]
    Sql(#[from] SqlError),
}

struct Claims {
    detail: DigestDetail,
    states: Vec<StateLine>,
    prints: Vec<u128>,
}

fn malformed(line: usize, what: impl ToString) -> CertifyError {
    CertifyError::Malformed {
        line,
        what: what.to_string(),
    }
}

fn refuted(state: u32, what: impl Into<String>) -> CertifyError {
    CertifyError::Refuted {
        state,
        what: what.into(),
    }
}

/// Checks a certificate about the program, whose set-up left `root`.
///
/// # Errors
/// The first reason not to accept it.
pub fn certify(
    root: &World,
    program: &Program,
    certificate: &mut dyn BufRead,
) -> Result<Certified, CertifyError> {
    let claims = read(root, program, certificate)?;
    let mut checked = vec![false; claims.states.len()];
    let mut done = Certified::default();
    let mut node = Node::root(root, program);
    expect_print(&mut node, 0, &claims)?;
    let mut open = vec![(node, 0)];
    while let Some((node, at)) = open.pop() {
        checked[at as usize] = true;
        check_state(&node, at, program, &claims, &mut done, &mut open)?;
    }
    match checked.iter().position(|checked| !checked) {
        Some(missing) => Err(refuted(missing as u32, "is discovered by no step (K2)")),
        None => Ok(done),
    }
}

/// K3 and K4 for one state; the states that it discovers are put on the list.
fn check_state(
    node: &Node,
    at: u32,
    program: &Program,
    claims: &Claims,
    done: &mut Certified,
    open: &mut Vec<(Node, u32)>,
) -> Result<(), CertifyError> {
    let claim = &claims.states[at as usize];
    let mut listed: BTreeMap<&str, (u32, bool)> = BTreeMap::new();
    for step in &claim.steps {
        if listed.insert(&step.by, (step.to, step.commutes)).is_some() {
            return Err(refuted(at, format!("lists {} twice (K3)", step.by)));
        }
    }
    let enabled = node.enabled(program);
    done.states += 1;
    done.stuck += u64::from(enabled.is_empty() && !node.done());
    for actor in &enabled {
        let name = program.name(*actor);
        let Some((to, commutes)) = listed.remove(name) else {
            return Err(refuted(
                at,
                format!("{name} can step and is not listed (K3)"),
            ));
        };
        let mut next = node.fork();
        next.take(program, *actor);
        let deadlocks = next.facts.iter().filter(|f| f.kind == FactKind::Deadlock);
        done.deadlocks += deadlocks.count() as u64;
        done.steps += 1;
        done.commuting += u64::from(commutes);
        expect_print(&mut next, to, claims).map_err(|_| {
            refuted(
                at,
                format!("{name}'s step does not lead to state {to} (K4)"),
            )
        })?;
        let discovers = claims.states[to as usize].parent.as_ref();
        if discovers.is_some_and(|(from, by)| *from == at && by == name) {
            open.push((next, to));
        }
    }
    match listed.keys().next() {
        Some(name) => Err(refuted(
            at,
            format!("{name} is listed and cannot step (K3)"),
        )),
        None => Ok(()),
    }
}

fn expect_print(node: &mut Node, state: u32, claims: &Claims) -> Result<(), CertifyError> {
    let mut out = Digest::default();
    node.digest(claims.detail, Parts::ALL, &mut out)?;
    if out.fingerprint() == claims.prints[state as usize] {
        Ok(())
    } else {
        Err(refuted(state, "is not what is reached (K2)"))
    }
}

/// K1, and that the lines hold together.
fn read(
    root: &World,
    program: &Program,
    certificate: &mut dyn BufRead,
) -> Result<Claims, CertifyError> {
    let mut lines = certificate.lines().enumerate();
    let Some((_, first)) = lines.next() else {
        return Err(malformed(1, "the file is empty"));
    };
    let header: Header = serde_json::from_str(&first?).map_err(|error| malformed(1, error))?;
    if header.kind != KIND {
        return Err(malformed(1, format!("not a `{KIND}`")));
    }
    let profile = &root.server().engine.profile().name;
    let wanted = Header::of(profile, program, header.layouts, header.states);
    if header != wanted {
        return Err(CertifyError::OtherProgram(differing(&header, &wanted)));
    }
    let mut claims = Claims {
        detail: DigestDetail {
            layout: header.layouts,
            ..program.detail()
        },
        states: Vec::new(),
        prints: Vec::new(),
    };
    for (at, line) in lines {
        let number = at + 1;
        let state: StateLine =
            serde_json::from_str(&line?).map_err(|error| malformed(number, error))?;
        let beyond = state.steps.iter().any(|step| step.to >= header.states);
        if state.at as usize != claims.states.len() || beyond {
            return Err(malformed(number, "states are out of order or missing"));
        }
        let print = u128::from_str_radix(&state.print, 16);
        claims
            .prints
            .push(print.map_err(|error| malformed(number, error))?);
        claims.states.push(state);
    }
    if claims.states.len() != header.states as usize || claims.states.is_empty() {
        return Err(malformed(claims.states.len() + 1, "states are missing"));
    }
    Ok(claims)
}

fn differing(found: &Header, wanted: &Header) -> String {
    if found.profile != wanted.profile {
        return format!("profile {}, not {}", found.profile, wanted.profile);
    }
    if found.sessions != wanted.sessions {
        return "other sessions or statements".to_owned();
    }
    "other rules".to_owned()
}
