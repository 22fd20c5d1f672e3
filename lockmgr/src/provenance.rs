//! Where the locks of one structure came from: runs of heap numbers, each with one [`Origin`].
//!
//! A statement mostly locks neighbours, so one run of sixteen bytes stands for a whole page of
//! locks. A run may span numbers that are not locked; what matters is that every locked number lies
//! in the run of its own origin. So a run may grow across free numbers, never across another run.

use smallvec::SmallVec;

use crate::{HeapNo, Origin};

/// Heap numbers `first..=last` with one origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Run {
    first: u16,
    last: u16,
    origin: Origin,
}

/// The origins of a structure's locks. Runs are disjoint and ascending.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Provenance {
    runs: SmallVec<[Run; 1]>,
}

impl Provenance {
    /// The origin of one lock.
    pub(crate) fn single(heap: HeapNo, origin: Origin) -> Self {
        let run = Run {
            first: heap.0,
            last: heap.0,
            origin,
        };
        Provenance {
            runs: SmallVec::from_buf([run]),
        }
    }

    /// Notes that the lock on `heap` has this origin.
    pub(crate) fn record(&mut self, heap: HeapNo, origin: Origin) {
        let number = heap.0;
        let at = self.runs.partition_point(|run| run.last < number);
        if let Some(&run) = self.runs.get(at)
            && run.first <= number
        {
            if run.origin != origin {
                self.split(at, number, origin);
            }
            return;
        }
        if at > 0 && self.runs[at - 1].origin == origin {
            self.runs[at - 1].last = number;
        } else if at < self.runs.len() && self.runs[at].origin == origin {
            self.runs[at].first = number;
        } else {
            self.runs.insert(
                at,
                Run {
                    first: number,
                    last: number,
                    origin,
                },
            );
        }
    }

    /// Cuts `number` out of the run at `at` and gives it an origin of its own.
    fn split(&mut self, at: usize, number: u16, origin: Origin) {
        let old = self.runs.remove(at);
        let mut next = at;
        if old.first < number {
            self.runs.insert(
                next,
                Run {
                    last: number - 1,
                    ..old
                },
            );
            next += 1;
        }
        self.runs.insert(
            next,
            Run {
                first: number,
                last: number,
                origin,
            },
        );
        if number < old.last {
            self.runs.insert(
                next + 1,
                Run {
                    first: number + 1,
                    ..old
                },
            );
        }
    }

    /// The origin of the lock on `heap`; the default one if it was never noted.
    pub(crate) fn of(&self, heap: HeapNo) -> Origin {
        let at = self.runs.partition_point(|run| run.last < heap.0);
        match self.runs.get(at) {
            Some(run) if run.first <= heap.0 => run.origin,
            _ => Origin::default(),
        }
    }

    /// Forgets everything: the structure holds no lock any more.
    pub(crate) fn clear(&mut self) {
        self.runs.clear();
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn neighbours_of_one_statement_share_a_run() {
        let mut provenance = Provenance::default();
        for number in 2..200 {
            provenance.record(
                HeapNo(number),
                Origin {
                    statement: 1,
                    step: 2,
                    reason: 3,
                },
            );
        }
        assert_eq!(provenance.runs.len(), 1);
    }

    proptest! {
        #[test]
        fn agrees_with_a_map(program in prop::collection::vec((0u16..40, 0u32..4), 0..120)) {
            let mut provenance = Provenance::default();
            let mut model = BTreeMap::new();
            for (number, statement) in program {
                let origin = Origin { statement, ..Origin::default() };
                provenance.record(HeapNo(number), origin);
                model.insert(number, origin);
            }
            for (number, origin) in model {
                prop_assert_eq!(provenance.of(HeapNo(number)), origin);
            }
        }
    }
}
