//! What two searches differ in: the same sessions under two profiles, or on two sets of indexes.

use std::collections::BTreeMap;

use serde::Serialize;

use super::findings::{Coverage, Exploration, Finding};

/// What exists on one side only.
#[derive(Clone, Debug, Default, Serialize)]
pub struct OneSided {
    /// Circles that were closed.
    pub cycles: Vec<Finding>,
    /// Ends of schedules.
    pub outcomes: Vec<Finding>,
    /// Waits.
    pub waits: Vec<Finding>,
}

impl OneSided {
    fn is_empty(&self) -> bool {
        self.cycles.is_empty() && self.outcomes.is_empty() && self.waits.is_empty()
    }

    /// What is in `one` and not in `other`.
    fn of(one: &Exploration, other: &Exploration) -> OneSided {
        OneSided {
            cycles: missing(&one.cycles, &other.cycles),
            outcomes: missing(&outcomes(one), &outcomes(other)),
            waits: missing(&one.waits, &other.waits),
        }
    }

    fn lines(&self, side: &str) -> Vec<String> {
        let kinds = [
            ("deadlock", &self.cycles),
            ("outcome", &self.outcomes),
            ("wait", &self.waits),
        ];
        let lines = kinds.into_iter().flat_map(|(kind, all)| {
            all.iter()
                .map(move |f| format!("only {side}: {kind}: {} (first {})", f.what, f.first))
        });
        lines.collect()
    }
}

fn outcomes(of: &Exploration) -> Vec<Finding> {
    let all = of.outcomes.iter().map(|outcome| Finding {
        what: outcome.outcome.clone(),
        first: outcome.first.clone(),
    });
    all.collect()
}

fn missing(from: &[Finding], other: &[Finding]) -> Vec<Finding> {
    let known: BTreeMap<&str, ()> = other.iter().map(|f| (f.what.as_str(), ())).collect();
    let unknown = from.iter().filter(|f| !known.contains_key(f.what.as_str()));
    unknown.cloned().collect()
}

/// Two searches, and what each has alone.
#[derive(Clone, Debug, Serialize)]
pub struct Difference {
    /// The name of the first side: a profile, or `before`.
    pub from: String,
    /// The name of the second side.
    pub to: String,
    /// Only on the first side.
    pub only_from: OneSided,
    /// Only on the second side.
    pub only_to: OneSided,
    /// Both sides were covered wholly: what is not listed is on both sides or on neither.
    pub exhaustive: bool,
    /// What was covered, a line for each side.
    pub covered: Vec<String>,
}

impl Difference {
    /// Compares; `from` and `to` name the sides.
    #[must_use]
    pub fn between(from: (&str, &Exploration), to: (&str, &Exploration)) -> Difference {
        let covered = |(name, found): (&str, &Exploration)| {
            format!(
                "{name}: {}, {}; {} schedules, {} states",
                found.covered(),
                found.verdict(),
                found.schedules,
                found.work.states
            )
        };
        let whole = |found: &Exploration| found.coverage == Coverage::Everything;
        Difference {
            from: from.0.to_owned(),
            to: to.0.to_owned(),
            only_from: OneSided::of(from.1, to.1),
            only_to: OneSided::of(to.1, from.1),
            exhaustive: whole(from.1) && whole(to.1),
            covered: vec![covered(from), covered(to)],
        }
    }

    /// Whether nothing differs.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.only_from.is_empty() && self.only_to.is_empty()
    }

    /// The result as lines.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let verdict = match (self.is_empty(), self.exhaustive) {
            (true, true) => "no difference".to_owned(),
            (true, false) => "no difference in what was covered".to_owned(),
            (false, _) => format!("{} and {} differ", self.from, self.to),
        };
        let mut lines = vec![verdict];
        lines.extend(self.covered.iter().cloned());
        lines.extend(self.only_from.lines(&self.from));
        lines.extend(self.only_to.lines(&self.to));
        lines
    }
}
