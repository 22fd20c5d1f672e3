//! Searches that keep no states: plain depth-first, which is the judge of every other search, and
//! schedules by chance.
//!
//! They fork or replay, count what they play, and prune nothing.

use std::collections::BTreeMap;

use super::super::chance::Chance;
use super::super::world::World;
use super::actors::{Actor, Node, Program, ScheduleError};
use super::facts::{Fact, FactKind};
use super::findings::{Count, Coverage, Exploration, Finding, OutcomeCount, Work, sort};
use super::outcome::Outcome;

/// Counts while schedules are played.
#[derive(Default)]
pub(super) struct Counts {
    schedules: u64,
    deadlocks: u64,
    stuck: u64,
    outcomes: BTreeMap<String, Counted>,
    facts: BTreeMap<Fact, (Cost, Vec<Actor>)>,
}

/// Switches, then steps.
type Cost = (usize, usize);

struct Counted {
    schedules: u64,
    cost: Cost,
    first: Vec<Actor>,
    end: Outcome,
}

/// A point of a schedule with the choices not yet tried there; the next one is last.
struct Branch {
    node: Node,
    untried: Vec<Actor>,
}

fn cost(schedule: &[Actor]) -> Cost {
    let switches = schedule.windows(2).filter(|pair| pair[0] != pair[1]);
    (switches.count(), schedule.len())
}

impl Counts {
    /// Takes up what a step did.
    fn step(&mut self, node: &Node) {
        for fact in &node.facts {
            let here = cost(&node.schedule);
            let first = self.facts.get(fact).map(|(cost, _)| *cost);
            if first.is_none_or(|first| here < first) {
                let schedule = node.schedule.clone();
                self.facts.insert(fact.clone(), (here, schedule));
            }
        }
    }

    /// Counts a schedule that has come to its end.
    fn leaf(&mut self, node: &Node, program: &Program) {
        let end = Outcome::of(node, program);
        self.schedules += 1;
        self.deadlocks += u64::from(node.deadlocked);
        self.stuck += u64::from(end.is_stuck());
        let here = cost(&node.schedule);
        let counted = self.outcomes.entry(end.to_string());
        let counted = counted.or_insert_with(|| Counted {
            schedules: 0,
            cost: here,
            first: node.schedule.clone(),
            end,
        });
        counted.schedules += 1;
        if here < counted.cost {
            counted.cost = here;
            counted.first.clone_from(&node.schedule);
        }
    }

    fn finish(self, root: &World, program: &Program, coverage: Coverage) -> Exploration {
        let outcomes = self.outcomes.into_iter();
        let mut outcomes: Vec<OutcomeCount> = outcomes
            .map(|(outcome, counted)| OutcomeCount {
                outcome,
                schedules: Count(counted.schedules as f64),
                first: program.write_schedule(&counted.first),
                end: counted.end,
            })
            .collect();
        sort(&mut outcomes);
        let findings = |kind| {
            let facts = self.facts.iter().filter(move |(fact, _)| fact.kind == kind);
            let findings = facts.map(|(fact, (_, schedule))| Finding {
                what: fact.text.clone(),
                first: program.write_schedule(schedule),
            });
            findings.collect()
        };
        Exploration {
            profile: root.server().engine.profile().name.clone(),
            schedules: Count(self.schedules as f64),
            exhaustive: coverage == Coverage::Everything,
            deadlocks: Count(self.deadlocks as f64),
            outcomes,
            cycles: findings(FactKind::Deadlock),
            waits: findings(FactKind::Wait),
            coverage,
            stuck: Count(self.stuck as f64),
            work: Work::default(),
        }
    }
}

/// Plays every schedule one by one, or the first `schedules_max` of them.
pub(super) fn depth_first(root: &World, program: &Program, schedules_max: u64) -> Exploration {
    let mut counts = Counts::default();
    let mut stack: Vec<Branch> = Vec::new();
    visit(Node::root(root, program), program, &mut stack, &mut counts);
    while let Some(mut branch) = stack.pop() {
        let Some(actor) = branch.untried.pop() else {
            continue;
        };
        if counts.schedules >= schedules_max {
            return counts.finish(root, program, Coverage::CutOff);
        }
        let mut node = if branch.untried.is_empty() {
            branch.node
        } else {
            let node = branch.node.fork();
            stack.push(branch);
            node
        };
        node.take(program, actor);
        counts.step(&node);
        visit(node, program, &mut stack, &mut counts);
    }
    counts.finish(root, program, Coverage::Everything)
}

/// Counts a finished schedule, or puts its next choices on the stack.
fn visit(node: Node, program: &Program, stack: &mut Vec<Branch>, counts: &mut Counts) {
    let mut untried = node.enabled(program);
    if untried.is_empty() {
        counts.leaf(&node, program);
        return;
    }
    untried.reverse();
    stack.push(Branch { node, untried });
}

/// Plays `count` schedules with every choice made by chance.
pub(super) fn random(root: &World, program: &Program, count: u64, seed: u64) -> Exploration {
    let mut counts = Counts::default();
    let mut chance = Chance::new(seed);
    for _ in 0..count {
        let mut node = Node::root(root, program);
        while let Some(actor) = chance.pick(&node.enabled(program)) {
            node.take(program, actor);
            counts.step(&node);
        }
        counts.leaf(&node, program);
    }
    counts.finish(root, program, Coverage::Random)
}

/// Plays `count` schedules by probabilistic concurrency testing: actors have priorities by chance, the
/// highest that can run does, and at `depth - 1` steps chosen by chance the one that runs falls below
/// all others. A bug that needs `depth` ordered steps is met with probability at least
/// 1 / (actors * steps^(depth - 1)) in each schedule.
pub(super) fn pct(
    root: &World,
    program: &Program,
    depth: u32,
    count: u64,
    seed: u64,
) -> Exploration {
    let mut counts = Counts::default();
    let mut chance = Chance::new(seed);
    // The number of steps is learnt from the schedules played so far.
    let mut longest = 1;
    for _ in 0..count {
        let changes: Vec<u64> = (1..depth).map(|_| chance.below(longest)).collect();
        let mut node = Node::root(root, program);
        let mut priorities: BTreeMap<u8, u64> = BTreeMap::new();
        let mut lowest = u64::from(depth);
        for step in 0.. {
            let enabled = node.enabled(program);
            for actor in &enabled {
                let drawn = || u64::from(depth) + 1 + chance.below(1 << 40);
                priorities.entry(actor.code()).or_insert_with(drawn);
            }
            let Some(actor) = enabled.iter().max_by_key(|a| priorities[&a.code()]) else {
                longest = longest.max(step);
                break;
            };
            if changes.contains(&step) {
                lowest = lowest.saturating_sub(1);
                priorities.insert(actor.code(), lowest);
            }
            let chosen = enabled.iter().max_by_key(|a| priorities[&a.code()]);
            node.take(program, *chosen.unwrap_or(actor));
            counts.step(&node);
        }
        counts.leaf(&node, program);
    }
    counts.finish(root, program, Coverage::Pct(depth))
}

/// Plays one schedule and then whatever is left, session by session.
pub(super) fn replay(
    root: &World,
    program: &Program,
    schedule: &[Actor],
) -> Result<Outcome, ScheduleError> {
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
    Ok(Outcome::of(&node, program))
}
