//! What happens on the way: who waited for whom, and which circles were closed.
//!
//! A fact belongs to a step, not to a schedule: the same step from the same state has the same facts,
//! whatever came before. So a search that takes every step of every state once knows them all.

use gaplock_engine::db::{Deadlock, DeadlockPart};

use super::super::say;
use super::super::text;
use super::super::world::World;

/// Something that a step did.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fact {
    /// Its kind.
    pub kind: FactKind,
    /// In words: `a waits X record on t.PRIMARY at 2, for b`.
    pub text: String,
}

/// Kinds of facts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FactKind {
    /// A deadlock was found and resolved.
    Deadlock,
    /// A session began to wait.
    Wait,
}

impl Fact {
    pub(super) fn wait(world: &World, session: &str) -> Fact {
        Fact {
            kind: FactKind::Wait,
            text: format!("{session} {}", say::waits(world, session)),
        }
    }

    /// The circle from its first name on, each with what it waits for.
    pub(super) fn cycle(world: &World, deadlock: &Deadlock) -> Fact {
        let name = |part: &DeadlockPart| world.owner(part.trx).unwrap_or("?").to_owned();
        let members = &deadlock.members;
        let first = (0..members.len()).min_by_key(|at| name(&members[*at]));
        let first = first.unwrap_or(0);
        let count = members.len();
        let parts = (0..count).map(|step| {
            let member = &members[(first + step) % count];
            let next = name(&members[(first + step + 1) % count]);
            let wanted = text::lock(&world.server().engine, &member.wanted);
            format!("{} waits {wanted}, for {next}", name(member))
        });
        let mut parts: Vec<String> = parts.collect();
        if members.is_empty() {
            parts.push("the search was cut off by its limits".to_owned());
        }
        let victim = world.owner(deadlock.victim).unwrap_or("?");
        Fact {
            kind: FactKind::Deadlock,
            text: format!("{}; victim {victim}", parts.join("; ")),
        }
    }

    pub(super) fn metadata_deadlock(victim: &str) -> Fact {
        Fact {
            kind: FactKind::Deadlock,
            text: format!("metadata locks; victim {victim}"),
        }
    }
}
