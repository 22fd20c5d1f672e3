//! Depth-first over all choices, by chance, or along one given schedule.

use super::super::chance::Chance;
use super::super::world::World;
use super::Progress;
use super::actors::{Actor, Node, Program, ScheduleError};
use super::outcome::{Counts, Coverage, Exploration, describe};

/// Schedules between two calls of the progress function.
const PROGRESS_EVERY: u64 = 256;

pub(super) struct Search<'a> {
    program: &'a Program,
    /// Most preemptions of a schedule; none for any number.
    preemptions_max: Option<u32>,
    schedules_max: u64,
    counts: Counts,
}

/// A point of a schedule with the choices not yet tried there; the next one is last.
struct Branch {
    node: Node,
    untried: Vec<Actor>,
}

impl<'a> Search<'a> {
    pub(super) fn new(
        program: &'a Program,
        preemptions_max: Option<u32>,
        schedules_max: u64,
    ) -> Search<'a> {
        Search {
            program,
            preemptions_max,
            schedules_max,
            counts: Counts::default(),
        }
    }

    /// Plays every schedule within the bounds; false when `schedules_max` cut it off.
    pub(super) fn run(&mut self, root: &World, progress: Progress<'_>) -> bool {
        let mut stack: Vec<Branch> = Vec::new();
        self.visit(Node::root(root, self.program), &mut stack);
        while let Some(mut branch) = stack.pop() {
            let Some(actor) = branch.untried.pop() else {
                continue;
            };
            if self.counts.schedules >= self.schedules_max {
                return false;
            }
            let node = if branch.untried.is_empty() {
                branch.node
            } else {
                let node = branch.node.fork();
                stack.push(branch);
                node
            };
            let before = self.counts.schedules;
            self.advance(node, actor, &mut stack);
            if self.counts.schedules > before
                && self.counts.schedules.is_multiple_of(PROGRESS_EVERY)
            {
                progress(self.counts.schedules);
            }
        }
        true
    }

    fn advance(&mut self, mut node: Node, actor: Actor, stack: &mut Vec<Branch>) {
        let enabled = node.enabled(self.program);
        node.preemptions += u32::from(node.preempts(actor, &enabled));
        node.take(self.program, actor);
        self.visit(node, stack);
    }

    /// Counts a finished schedule, or puts its next choices on the stack.
    fn visit(&mut self, node: Node, stack: &mut Vec<Branch>) {
        let enabled = node.enabled(self.program);
        if enabled.is_empty() {
            self.counts.leaf(&node, self.program);
            return;
        }
        let most = self.preemptions_max.unwrap_or(u32::MAX);
        let mut untried: Vec<Actor> = enabled
            .iter()
            .copied()
            .filter(|actor| node.preemptions < most || !node.preempts(*actor, &enabled))
            .collect();
        untried.reverse();
        stack.push(Branch { node, untried });
    }

    /// Plays schedules with every choice made by chance.
    pub(super) fn run_random(&mut self, root: &World, seed: u64) {
        let mut chance = Chance::new(seed);
        while self.counts.schedules < self.schedules_max {
            let mut node = Node::root(root, self.program);
            loop {
                let enabled = node.enabled(self.program);
                let Some(actor) = chance.pick(&enabled) else {
                    break;
                };
                node.take(self.program, actor);
            }
            self.counts.leaf(&node, self.program);
        }
    }

    pub(super) fn finish(self, root: &World, coverage: Coverage) -> Exploration {
        let profile = &root.server().engine.profile().name;
        self.counts.finish(profile, coverage)
    }
}

/// Plays one schedule and then whatever is left, session by session.
pub(super) fn replay(
    root: &World,
    program: &Program,
    schedule: &[Actor],
) -> Result<String, ScheduleError> {
    let mut node = Node::root(root, program);
    for (index, actor) in schedule.iter().enumerate() {
        if !node.enabled(program).contains(actor) {
            return Err(ScheduleError::CannotRun {
                step: index + 1,
                actor: program.name(*actor).to_owned(),
            });
        }
        node.take(program, *actor);
    }
    while let Some(actor) = node.enabled(program).first().copied() {
        node.take(program, actor);
    }
    Ok(describe(&node, program))
}
