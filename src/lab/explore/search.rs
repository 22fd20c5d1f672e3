//! The search: depth-first over states, each met once, and steps known from others not taken.

use std::hash::Hasher;

use gaplock_engine::db::DigestDetail;
use gaplock_engine::digest::Digest;

use super::super::world::World;
use super::actors::{Actor, Node, Parts, Program};
use super::findings::{Coverage, Exploration, Findings, Summary};
use super::footprint::Footprint;
use super::graph::{Edge, Graph, StateId};
use super::{Bounds, Progress};
use crate::sql::SqlError;

/// Steps between two calls of the progress function.
const PROGRESS_EVERY: u64 = 512;

pub(super) struct Search {
    program: Program,
    bounds: Bounds,
    detail: DigestDetail,
    parts: Parts,
    graph: Graph,
    findings: Findings,
    steps: u64,
    /// Schedules played: each ends at an end, or at a state met before.
    played: u64,
    /// Steps may be known from others that commute.
    commuting: bool,
    /// Some page filled up while layouts were left out of states.
    crowded: bool,
    locks_max: u64,
    #[cfg(test)]
    pub(super) mistake: Option<Mistake>,
}

/// Mistakes that tests make on purpose.
#[cfg(test)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mistake {
    /// Steps commute whatever tables they use.
    TablesForgotten,
    /// Steps commute whatever views they open.
    ViewsForgotten,
    /// Steps commute whatever waits they begin or end.
    WaitsForgotten,
    /// A part of the state is left out.
    Without(Parts),
}

/// A state with the choices not yet tried there.
struct Branch {
    /// None once its last choice was taken.
    node: Option<Node>,
    state: StateId,
    untried: Vec<Actor>,
}

impl Search {
    pub(super) fn new(root: &World, program: &Program, bounds: Bounds, layout: bool) -> Search {
        Search {
            program: program.with_uses(root),
            bounds,
            detail: DigestDetail {
                layout,
                ..program.detail()
            },
            parts: Parts::ALL,
            graph: Graph::default(),
            findings: Findings::default(),
            steps: 0,
            played: 0,
            commuting: bounds.preemptions.is_none() && program.may_commute(root),
            crowded: false,
            locks_max: 0,
            #[cfg(test)]
            mistake: None,
        }
    }

    /// The search makes this mistake.
    #[cfg(test)]
    pub(super) fn mistaken(mut self, mistake: Mistake) -> Search {
        if let Mistake::Without(parts) = mistake {
            self.parts = parts;
        }
        self.mistake = Some(mistake);
        self
    }

    /// Visits every state within the bounds; false when the bound on schedules cut it off, or layouts
    /// turned out to matter.
    pub(super) fn run(&mut self, root: &World, progress: Progress<'_>) -> Result<bool, SqlError> {
        let mut stack: Vec<Branch> = Vec::new();
        let mut node = Node::root(root, &self.program);
        let print = self.print(&mut node)?;
        let (state, _) = self.graph.enter(print, None);
        self.open(node, state, &mut stack);
        while let Some(branch) = stack.last_mut() {
            let Some(actor) = branch.untried.pop() else {
                stack.pop();
                continue;
            };
            if self.played >= self.bounds.schedules_max {
                return Ok(false);
            }
            let from = branch.state;
            if let Some(edge) = self.known(from, actor) {
                self.graph.add(from, edge);
                continue;
            }
            let last = branch.untried.is_empty();
            let node = if last { branch.node.take() } else { None };
            let node = node.or_else(|| branch.node.as_ref().map(Node::fork));
            let Some(node) = node else { continue };
            self.advance(node, from, actor, &mut stack)?;
            if self.needs_layouts() {
                return Ok(false);
            }
            if self.steps.is_multiple_of(PROGRESS_EVERY) {
                progress(self.graph.len() as u64, self.steps);
            }
        }
        Ok(true)
    }

    /// Whether the search has to begin anew with layouts.
    pub(super) fn needs_layouts(&self) -> bool {
        self.crowded && !self.detail.layout
    }

    /// The step, if it need not be taken. The state was reached by a step of `other` from `before`,
    /// where `actor` could have gone first; if the two commute there, this step leads to where
    /// `other`'s leads from where `actor`'s leads from `before`.
    ///
    /// Only what is known by now is used, so no two steps are known from each other. (Sleep sets, which
    /// forbid a step instead of finding its target, lose states when they are combined with a store of
    /// states: the step may sleep on the one way into a state that the store lets pass.)
    fn known(&self, at: StateId, actor: Actor) -> Option<Edge> {
        if !self.commuting {
            return None;
        }
        let (before, other) = self.graph.parent(at)?;
        let first = self.graph.edge(before, actor.code())?;
        let second = self.graph.edge(before, other)?;
        if first.actor == second.actor || !first.footprint.commutes(second.footprint) {
            return None;
        }
        let over = self.graph.edge(first.target, other)?;
        Some(Edge {
            target: over.target,
            taken: false,
            ..*first
        })
    }

    fn footprint(&self, node: &Node) -> Footprint {
        #[cfg(test)]
        match self.mistake {
            Some(Mistake::TablesForgotten) => return node.footprint.without_tables(),
            Some(Mistake::ViewsForgotten) => return node.footprint.without_views(),
            Some(Mistake::WaitsForgotten) if node.footprint == Footprint::ANYTHING => {
                return Footprint::NOTHING;
            }
            _ => {}
        }
        node.footprint
    }

    fn advance(
        &mut self,
        mut node: Node,
        from: StateId,
        actor: Actor,
        stack: &mut Vec<Branch>,
    ) -> Result<(), SqlError> {
        self.steps += 1;
        let enabled = node.enabled(&self.program);
        node.preemptions += u32::from(node.preempts(actor, &enabled));
        node.take(&self.program, actor);
        let facts = self.findings.facts(&node.facts);
        let footprint = self.footprint(&node);
        let print = self.print(&mut node)?;
        let parent = Some((from, actor.code()));
        let (state, new) = self.graph.enter(print, parent);
        self.graph.add(
            from,
            Edge {
                actor: actor.code(),
                target: state,
                facts,
                footprint,
                taken: true,
            },
        );
        if new {
            self.open(node, state, stack);
        } else {
            self.played += 1;
        }
        Ok(())
    }

    /// Puts a new state's choices on the stack, or takes up how it ends.
    fn open(&mut self, node: Node, state: StateId, stack: &mut Vec<Branch>) {
        if self.bounds.measure {
            let locks = node.world.server().engine.lock_table_view().locks();
            self.locks_max = self.locks_max.max(locks.len() as u64);
        }
        let enabled = node.enabled(&self.program);
        if enabled.is_empty() {
            let outcome = self.findings.outcome(&node, &self.program);
            self.graph.set_end(state, outcome);
            self.played += 1;
            return;
        }
        let most = self.bounds.preemptions.unwrap_or(u32::MAX);
        let mut untried: Vec<Actor> = enabled
            .iter()
            .copied()
            .filter(|actor| node.preemptions < most || !node.preempts(*actor, &enabled))
            .collect();
        untried.reverse();
        stack.push(Branch {
            node: Some(node),
            state,
            untried,
        });
    }

    /// The state's fingerprint. Where preemptions are bounded, what is left of them is part of the
    /// state, and so is who stepped last: both decide which choices there are.
    fn print(&mut self, node: &mut Node) -> Result<u128, SqlError> {
        let mut out = Digest::default();
        if self.bounds.preemptions.is_some() {
            out.write_u32(node.preemptions);
            out.write_u8(node.last.map_or(u8::MAX, Actor::code));
        }
        let found = node.digest(self.detail, self.parts, &mut out)?;
        self.crowded |= found.crowded;
        Ok(out.fingerprint())
    }

    pub(super) fn graph(&self) -> &Graph {
        &self.graph
    }

    pub(super) fn detail(&self) -> DigestDetail {
        self.detail
    }

    pub(super) fn finish(self, root: &World, coverage: Coverage) -> Exploration {
        let summary = Summary {
            profile: root.server().engine.profile().name.clone(),
            coverage,
            layouts: self.detail.layout,
            locks_max: self.locks_max,
        };
        self.findings.tell(&self.graph, &self.program, summary)
    }
}
