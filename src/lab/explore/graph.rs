//! The states that a search has met, and the steps between them.
//!
//! Each distinct state is kept once, so schedules are not listed but counted: as many lead to a state
//! as lead to those before it. Steps only ever take a program further, so the graph has no circles;
//! should it have one (a session that goes round for ever), what lies on it is not counted, and
//! [`Graph::circular`] says so.

use rustc_hash::FxHashMap;

use super::footprint::Footprint;

/// A state, by its place in the order of discovery; 0 is the root.
pub(super) type StateId = u32;

/// No outcome: the state is not an end.
const GOES_ON: u32 = u32::MAX;

/// One step.
#[derive(Clone, Copy, Debug)]
pub(super) struct Edge {
    /// Who takes it, by [`Actor::code`](super::actors::Actor::code).
    pub(super) actor: u8,
    /// Where it leads.
    pub(super) target: StateId,
    /// Which set of facts it has.
    pub(super) facts: u32,
    /// What it may have touched.
    pub(super) footprint: Footprint,
    /// It was taken; else it is known from two steps that commute.
    pub(super) taken: bool,
}

#[derive(Clone, Debug)]
struct State {
    edges: Vec<Edge>,
    /// Which outcome it is, if it is an end.
    end: u32,
    /// The step that discovered it; the root has none.
    parent: Option<(StateId, u8)>,
    print: u128,
}

/// All states, with their steps.
#[derive(Debug, Default)]
pub(super) struct Graph {
    states: Vec<State>,
    known: FxHashMap<u128, StateId>,
}

/// Schedules to each state, and through how many of them no deadlock was met. Exact up to 2^53.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Ways {
    pub(super) all: f64,
    pub(super) clean: f64,
}

/// The shortest way to a state whose last step was a given actor's: switches, then steps; and the
/// last actor before it.
#[derive(Clone, Copy, Debug)]
struct Way {
    actor: u8,
    cost: (u32, u32),
    from: (StateId, u8),
}

/// Shortest ways to all states.
pub(super) struct Ranks {
    ways: Vec<Vec<Way>>,
}

impl Graph {
    /// The state of that fingerprint; `true` if it is new.
    pub(super) fn enter(&mut self, print: u128, parent: Option<(StateId, u8)>) -> (StateId, bool) {
        let next = self.states.len() as StateId;
        let at = *self.known.entry(print).or_insert(next);
        if at == next {
            self.states.push(State {
                edges: Vec::new(),
                end: GOES_ON,
                parent,
                print,
            });
        }
        (at, at == next)
    }

    pub(super) fn len(&self) -> usize {
        self.states.len()
    }

    pub(super) fn add(&mut self, from: StateId, edge: Edge) {
        self.states[from as usize].edges.push(edge);
    }

    pub(super) fn set_end(&mut self, at: StateId, outcome: u32) {
        self.states[at as usize].end = outcome;
    }

    pub(super) fn edges(&self, at: StateId) -> &[Edge] {
        &self.states[at as usize].edges
    }

    pub(super) fn edge(&self, at: StateId, actor: u8) -> Option<&Edge> {
        self.edges(at).iter().find(|edge| edge.actor == actor)
    }

    /// The step that discovered the state.
    pub(super) fn parent(&self, at: StateId) -> Option<(StateId, u8)> {
        self.states[at as usize].parent
    }

    /// The state's fingerprint.
    pub(super) fn print(&self, at: StateId) -> u128 {
        self.states[at as usize].print
    }

    /// Whether nobody can step in the state.
    pub(super) fn is_end(&self, at: StateId) -> bool {
        self.states[at as usize].end != GOES_ON
    }

    /// The ends, each with its outcome.
    pub(super) fn ends(&self) -> impl Iterator<Item = (StateId, u32)> + '_ {
        let states = self.states.iter().enumerate();
        states
            .filter(|(_, state)| state.end != GOES_ON)
            .map(|(at, state)| (at as StateId, state.end))
    }

    /// Steps that were taken, and steps that are known from others.
    pub(super) fn steps(&self) -> (u64, u64) {
        let edges = self.states.iter().flat_map(|state| &state.edges);
        edges.fold((0, 0), |(taken, known), edge| match edge.taken {
            true => (taken + 1, known),
            false => (taken, known + 1),
        })
    }

    /// All states, each after those that lead to it. States on a circle, and behind one, are missing.
    pub(super) fn ordered(&self) -> Vec<StateId> {
        let mut pending = vec![0_u32; self.states.len()];
        for edge in self.states.iter().flat_map(|state| &state.edges) {
            pending[edge.target as usize] += 1;
        }
        let mut order: Vec<StateId> = Vec::with_capacity(self.states.len());
        order.extend((pending.first() == Some(&0)).then_some(0));
        let mut next = 0;
        while let Some(at) = order.get(next).copied() {
            next += 1;
            for edge in self.edges(at) {
                let left = &mut pending[edge.target as usize];
                *left -= 1;
                if *left == 0 {
                    order.push(edge.target);
                }
            }
        }
        order
    }

    /// How many schedules lead to each state; `deadlocks` tells whether a set of facts has one.
    pub(super) fn ways(&self, order: &[StateId], deadlocks: &dyn Fn(u32) -> bool) -> Vec<Ways> {
        let mut ways = vec![Ways::default(); self.states.len()];
        if let Some(root) = ways.first_mut() {
            *root = Ways {
                all: 1.0,
                clean: 1.0,
            };
        }
        for at in order {
            let here = ways[*at as usize];
            for edge in self.edges(*at) {
                let there = &mut ways[edge.target as usize];
                there.all += here.all;
                if !deadlocks(edge.facts) {
                    there.clean += here.clean;
                }
            }
        }
        ways
    }

    /// How many schedules go on from each state.
    pub(super) fn ways_onward(&self, order: &[StateId]) -> Vec<f64> {
        let mut ways = vec![0.0; self.states.len()];
        for at in order.iter().rev() {
            let edges = self.edges(*at);
            let onward: f64 = edges.iter().map(|edge| ways[edge.target as usize]).sum();
            ways[*at as usize] = onward + f64::from(u8::from(self.is_end(*at)));
        }
        ways
    }

    /// Through how many states a schedule can go that takes no step known from others: no fewer than
    /// there are classes of schedules that differ only in the order of commuting steps.
    pub(super) fn classes_at_most(&self, order: &[StateId]) -> f64 {
        let mut ways = vec![0.0; self.states.len()];
        if let Some(root) = ways.first_mut() {
            *root = 1.0;
        }
        for at in order {
            let here = ways[*at as usize];
            let taken = self.edges(*at).iter().filter(|edge| edge.taken);
            taken.for_each(|edge| ways[edge.target as usize] += here);
        }
        self.ends().map(|(at, _)| ways[at as usize]).sum()
    }

    /// The shortest way to every state.
    pub(super) fn ranks(&self, order: &[StateId]) -> Ranks {
        let mut ranks = Ranks {
            ways: vec![Vec::new(); self.states.len()],
        };
        for at in order {
            for edge in self.edges(*at) {
                let way = ranks.step(*at, edge.actor);
                let ways = &mut ranks.ways[edge.target as usize];
                match ways.iter_mut().find(|known| known.actor == edge.actor) {
                    Some(known) if known.cost <= way.cost => {}
                    Some(known) => *known = way,
                    None => ways.push(way),
                }
            }
        }
        ranks
    }
}

impl Ranks {
    /// The shortest way that takes one more step of `actor` from `at`.
    fn step(&self, at: StateId, actor: u8) -> Way {
        let ways = &self.ways[at as usize];
        let with_switch = |way: &Way| {
            let switches = way.cost.0 + u32::from(way.actor != actor);
            ((switches, way.cost.1 + 1), way.actor)
        };
        let best = ways.iter().map(with_switch).min();
        let (cost, last) = best.unwrap_or(((0, 1), actor));
        Way {
            actor,
            cost,
            from: (at, last),
        }
    }

    /// Length of the shortest way to a state: switches, steps.
    pub(super) fn cost(&self, at: StateId) -> (u32, u32) {
        let costs = self.ways[at as usize].iter().map(|way| way.cost);
        costs.min().unwrap_or_default()
    }

    /// Length of the shortest way to a state and one step further.
    pub(super) fn cost_of_step(&self, at: StateId, actor: u8) -> (u32, u32) {
        self.step(at, actor).cost
    }

    /// Who steps on the shortest way to a state.
    pub(super) fn schedule(&self, at: StateId) -> Vec<u8> {
        let ways = &self.ways[at as usize];
        let best = ways.iter().min_by_key(|way| (way.cost, way.actor));
        best.map_or_else(Vec::new, |way| self.walk(*way))
    }

    /// The same with one step more.
    pub(super) fn schedule_with_step(&self, at: StateId, actor: u8) -> Vec<u8> {
        self.walk(self.step(at, actor))
    }

    fn walk(&self, last: Way) -> Vec<u8> {
        let mut schedule = vec![last.actor];
        let mut way = last;
        loop {
            let (state, actor) = way.from;
            let ways = &self.ways[state as usize];
            let Some(before) = ways.iter().find(|before| before.actor == actor) else {
                schedule.reverse();
                return schedule;
            };
            way = *before;
            schedule.push(way.actor);
        }
    }
}
