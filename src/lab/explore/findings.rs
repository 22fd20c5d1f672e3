//! What a search has found, and how it is told.

use std::collections::BTreeMap;
use std::fmt;

use rustc_hash::FxHashMap;
use serde::{Serialize, Serializer};

use super::actors::{Actor, Node, Program};
use super::facts::{Fact, FactKind};
use super::graph::{Graph, Ways};
use super::outcome::Outcome;

/// What a search covered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coverage {
    /// Every interleaving.
    Everything,
    /// Every interleaving with at most so many preemptions.
    Preemptions(u32),
    /// Whatever came before the bound.
    CutOff,
    /// Interleavings chosen by a seed.
    Random,
    /// Interleavings chosen by a seed, with so many changes of priority.
    Pct(u32),
}

/// A number of schedules. Counted, not listed, so it can be large: exact up to 2^53.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
pub struct Count(pub f64);

/// Beyond this a count is only about right.
const EXACT_MAX: f64 = 9_007_199_254_740_992.0;

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 <= EXACT_MAX {
            write!(f, "{:.0}", self.0)
        } else {
            write!(f, "about {:.2e}", self.0)
        }
    }
}

impl Serialize for Count {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0 <= EXACT_MAX {
            serializer.serialize_u64(self.0 as u64)
        } else {
            serializer.serialize_f64(self.0)
        }
    }
}

/// What a search did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Work {
    /// Distinct states met.
    pub states: u64,
    /// Steps taken by the engine.
    pub steps: u64,
    /// Steps known without taking them, since two steps commute.
    pub commuting: u64,
    /// At most so many schedules differ in more than the order of commuting steps.
    pub classes: Count,
    /// Pages filled up, so that states were told apart by how their pages lie, too.
    pub layouts: bool,
    /// How many waits a schedule has on average.
    pub waits_mean: f64,
    /// Most locks held and wanted at one time, where that was measured.
    pub locks_max: u64,
}

/// The result of a search.
#[derive(Clone, Debug, Serialize)]
pub struct Exploration {
    /// The profile.
    pub profile: String,
    /// Schedules covered.
    pub schedules: Count,
    /// Whether they are all that there are.
    pub exhaustive: bool,
    /// Schedules in which somebody was chosen as a deadlock's victim.
    pub deadlocks: Count,
    /// The distinct outcomes, most frequent first.
    pub outcomes: Vec<OutcomeCount>,
    /// The circles that were closed.
    pub cycles: Vec<Finding>,
    /// Who waited for what.
    pub waits: Vec<Finding>,
    /// What was covered.
    #[serde(skip)]
    pub coverage: Coverage,
    /// Schedules at whose end somebody still waits.
    pub stuck: Count,
    /// What the search did.
    pub work: Work,
}

/// One outcome.
#[derive(Clone, Debug, Serialize)]
pub struct OutcomeCount {
    /// What each session's statements came to, and the tables at the end.
    pub outcome: String,
    /// How many schedules end so.
    pub schedules: Count,
    /// Of those with the fewest switches between sessions, the shortest.
    pub first: String,
    /// The same, to be looked at.
    #[serde(skip)]
    pub end: Outcome,
}

/// Something that happens on the way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// In words.
    pub what: String,
    /// A schedule up to it, of those with the fewest switches between sessions.
    pub first: String,
}

/// Outcomes and facts, each kept once.
#[derive(Debug, Default)]
pub(super) struct Findings {
    outcomes: Vec<Outcome>,
    by_text: BTreeMap<String, u32>,
    facts: Vec<Fact>,
    fact_numbers: FxHashMap<Fact, u32>,
    /// Sets of facts; 0 is the empty one.
    sets: Vec<Vec<u32>>,
    set_numbers: FxHashMap<Vec<u32>, u32>,
}

impl Findings {
    pub(super) fn outcome(&mut self, node: &Node, program: &Program) -> u32 {
        let outcome = Outcome::of(node, program);
        let next = self.outcomes.len() as u32;
        let at = *self.by_text.entry(outcome.to_string()).or_insert(next);
        if at == next {
            self.outcomes.push(outcome);
        }
        at
    }

    /// The number of a step's set of facts.
    pub(super) fn facts(&mut self, facts: &[Fact]) -> u32 {
        if facts.is_empty() {
            return 0;
        }
        if self.sets.is_empty() {
            self.sets.push(Vec::new());
        }
        let mut set: Vec<u32> = facts.iter().map(|fact| self.fact(fact)).collect();
        set.sort_unstable();
        let next = self.sets.len() as u32;
        let at = *self.set_numbers.entry(set.clone()).or_insert(next);
        if at == next {
            self.sets.push(set);
        }
        at
    }

    fn fact(&mut self, fact: &Fact) -> u32 {
        if let Some(known) = self.fact_numbers.get(fact) {
            return *known;
        }
        let number = self.facts.len() as u32;
        self.facts.push(fact.clone());
        self.fact_numbers.insert(fact.clone(), number);
        number
    }

    fn set(&self, number: u32) -> &[u32] {
        self.sets.get(number as usize).map_or(&[], Vec::as_slice)
    }

    fn has_deadlock(&self, set: u32) -> bool {
        let mut facts = self.set(set).iter().map(|fact| &self.facts[*fact as usize]);
        facts.any(|fact| fact.kind == FactKind::Deadlock)
    }

    /// Tells everything that the graph holds.
    pub(super) fn tell(self, graph: &Graph, program: &Program, summary: Summary) -> Exploration {
        let order = graph.ordered();
        let ways = graph.ways(&order, &|set| self.has_deadlock(set));
        let ranks = graph.ranks(&order);
        let write = |codes: Vec<u8>| program.write_schedule(&actors(&codes));
        let mut counted: Vec<Counted> = vec![Counted::default(); self.outcomes.len()];
        let (mut schedules, mut deadlocks, mut stuck) = (0.0, 0.0, 0.0);
        for (at, outcome) in graph.ends() {
            let here = ways[at as usize];
            let counted = &mut counted[outcome as usize];
            schedules += here.all;
            deadlocks += here.all - here.clean;
            counted.schedules += here.all;
            if self.outcomes[outcome as usize].is_stuck() {
                stuck += here.all;
            }
            let cost = ranks.cost(at);
            if counted.first.is_none_or(|(best, _)| cost < best) {
                counted.first = Some((cost, at));
            }
        }
        let outcomes = self.outcomes.iter().zip(&counted).map(|(end, counted)| {
            let first = counted.first.map(|(_, at)| write(ranks.schedule(at)));
            OutcomeCount {
                outcome: end.to_string(),
                schedules: Count(counted.schedules),
                first: first.unwrap_or_default(),
                end: end.clone(),
            }
        });
        let mut outcomes: Vec<OutcomeCount> = outcomes.collect();
        sort(&mut outcomes);
        let firsts = self.first_steps(graph, &order, &ranks);
        let findings = |kind| -> Vec<Finding> {
            let all = self.facts.iter().zip(&firsts);
            let mut found: Vec<Finding> = all
                .filter(|(fact, _)| fact.kind == kind)
                .map(|(fact, first)| Finding {
                    what: fact.text.clone(),
                    first: first.map_or_else(String::new, |(_, at, actor)| {
                        write(ranks.schedule_with_step(at, actor))
                    }),
                })
                .collect();
            found.sort_by(|a, b| (a.first.len(), &a.what).cmp(&(b.first.len(), &b.what)));
            found
        };
        let (steps, commuting) = graph.steps();
        Exploration {
            profile: summary.profile,
            schedules: Count(schedules),
            exhaustive: summary.coverage == Coverage::Everything,
            deadlocks: Count(deadlocks),
            cycles: findings(FactKind::Deadlock),
            waits: findings(FactKind::Wait),
            outcomes,
            coverage: summary.coverage,
            stuck: Count(stuck),
            work: Work {
                states: graph.len() as u64,
                steps,
                commuting,
                classes: Count(graph.classes_at_most(&order)),
                layouts: summary.layouts,
                waits_mean: self.waits_mean(graph, &order, &ways) / schedules.max(1.0),
                locks_max: summary.locks_max,
            },
        }
    }

    /// The waits of all schedules together: each wait as often as schedules go through its step.
    fn waits_mean(&self, graph: &Graph, order: &[u32], ways: &[Ways]) -> f64 {
        let onward = graph.ways_onward(order);
        let mut waits = 0.0;
        for at in order {
            for edge in graph.edges(*at).iter().filter(|edge| edge.facts > 0) {
                let begun = self.set(edge.facts).iter();
                let begun = begun.filter(|fact| self.facts[**fact as usize].kind == FactKind::Wait);
                let through = ways[*at as usize].all * onward[edge.target as usize];
                waits += begun.count() as f64 * through;
            }
        }
        waits
    }

    /// For each fact the shortest way to a step that has it.
    #[expect(clippy::type_complexity, reason = "cost, state and actor, once")]
    fn first_steps(
        &self,
        graph: &Graph,
        order: &[u32],
        ranks: &super::graph::Ranks,
    ) -> Vec<Option<((u32, u32), u32, u8)>> {
        let mut firsts = vec![None; self.facts.len()];
        for at in order {
            for edge in graph.edges(*at).iter().filter(|edge| edge.facts > 0) {
                let cost = ranks.cost_of_step(*at, edge.actor);
                for fact in self.set(edge.facts) {
                    let first = &mut firsts[*fact as usize];
                    let candidate = (cost, *at, edge.actor);
                    if first.is_none_or(|known| candidate < known) {
                        *first = Some(candidate);
                    }
                }
            }
        }
        firsts
    }
}

#[derive(Clone, Debug, Default)]
struct Counted {
    schedules: f64,
    first: Option<((u32, u32), u32)>,
}

/// What the search knows beside the graph.
pub(super) struct Summary {
    pub(super) profile: String,
    pub(super) coverage: Coverage,
    pub(super) layouts: bool,
    pub(super) locks_max: u64,
}

pub(super) fn actors(codes: &[u8]) -> Vec<Actor> {
    codes.iter().map(|code| Actor::of_code(*code)).collect()
}

/// Most frequent first.
pub(super) fn sort(outcomes: &mut [OutcomeCount]) {
    outcomes.sort_by(|a, b| {
        let counts = b.schedules.0.total_cmp(&a.schedules.0);
        counts.then_with(|| a.outcome.cmp(&b.outcome))
    });
}

impl Exploration {
    /// The result as lines of a scenario: the verdict, the counts, the circles, then each outcome.
    /// The verdict does not change when steps are cut in another way; the counts do.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let mut lines = vec![
            format!("{}: {}", self.covered(), self.verdict()),
            format!(
                "{} schedules, {} with a deadlock, {} stuck",
                self.schedules, self.deadlocks, self.stuck
            ),
        ];
        lines.extend(self.work_line());
        for cycle in &self.cycles {
            lines.push(format!("deadlock: {} (first {})", cycle.what, cycle.first));
        }
        for outcome in &self.outcomes {
            lines.push(format!(
                "{} x {} (first {})",
                outcome.schedules, outcome.outcome, outcome.first
            ));
        }
        lines
    }

    /// What was covered, in words.
    #[must_use]
    pub fn covered(&self) -> String {
        match self.coverage {
            Coverage::Everything => "every interleaving".to_owned(),
            Coverage::Preemptions(most) => {
                format!("every interleaving with at most {most} preemptions")
            }
            Coverage::CutOff => "cut off by the bound".to_owned(),
            Coverage::Random => "chosen at random".to_owned(),
            Coverage::Pct(depth) => format!("chosen at random, for bugs of depth {depth}"),
        }
    }

    /// What was found, in words.
    #[must_use]
    pub fn verdict(&self) -> &'static str {
        match (self.deadlocks.0 > 0.0, self.stuck.0 > 0.0) {
            (false, false) => "no deadlock",
            (false, true) => "stuck",
            (true, false) => "deadlocks",
            (true, true) => "deadlocks, stuck",
        }
    }

    /// How much the search had to do; none if it kept no states.
    fn work_line(&self) -> Option<String> {
        let Work {
            states,
            steps,
            commuting,
            classes,
            layouts,
            waits_mean: _,
            locks_max: _,
        } = self.work;
        (states > 0).then(|| {
            let layouts = if layouts { ", pages told apart" } else { "" };
            format!(
                "{states} states, {steps} steps taken, {commuting} known from steps that commute; \
                 at most {classes} classes{layouts}"
            )
        })
    }
}
