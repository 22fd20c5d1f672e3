//! Random programs: a few transactions, each with a list of things to do.

use crate::moment::mix;
use crate::{HeapNo, LockMode, LockSpan, PageAddress, RecordAddress, TableId, TableMode};

/// A generator that repeats itself: the same seed, the same numbers.
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// A generator from a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Dice(mix(seed))
    }

    /// A number below `sides`, which is not 0.
    pub fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(1);
        mix(self.0) % sides
    }

    /// One of these.
    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.roll(from.len() as u64) as usize]
    }
}

/// How large programs are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Transactions at once, at most.
    pub transactions: u64,
    /// Actions of each, at most.
    pub actions: u64,
    /// Records, on as many pages as there are shards to tell apart.
    pub records: u64,
    /// How often a transaction that was rolled back is tried again.
    pub retries: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            transactions: 6,
            actions: 5,
            records: 4,
            retries: 40,
        }
    }
}

/// One thing that a transaction does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Asks for a record lock.
    Record {
        /// Which record.
        at: RecordAddress,
        /// Strength.
        mode: LockMode,
        /// Precision.
        span: LockSpan,
        /// Whether it would rather not wait.
        now_or_never: bool,
    },
    /// Asks for a table lock.
    Table {
        /// Which table.
        table: TableId,
        /// Strength.
        mode: TableMode,
    },
    /// Gives a record lock back early.
    Unlock {
        /// Which record.
        at: RecordAddress,
        /// The lock's strength.
        mode: LockMode,
    },
}

/// What a few transactions do.
#[derive(Clone, Debug)]
pub struct Program {
    /// The seed that it came from.
    pub seed: u64,
    /// Each transaction's actions; after the last it commits.
    pub transactions: Vec<Vec<Action>>,
    /// How often a transaction that was rolled back is tried again.
    pub retries: u32,
}

fn record(number: u64) -> RecordAddress {
    // Two records to a page, and every fourth one is a supremum.
    let heap = if number % 4 == 3 { 1 } else { 2 + number % 2 };
    RecordAddress {
        page: PageAddress {
            space: 1,
            page: 4 + (number / 2) as u32,
        },
        heap: HeapNo(heap as u16),
    }
}

impl Program {
    /// The program of that seed.
    #[must_use]
    pub fn random(seed: u64, limits: &Limits) -> Self {
        let mut dice = Dice::new(seed);
        let count = 2 + dice.roll(limits.transactions - 1);
        let transactions = (0..count).map(|_| {
            let actions = 1 + dice.roll(limits.actions);
            let list = (0..actions).map(|_| Action::random(&mut dice, limits));
            list.collect()
        });
        Program {
            seed,
            transactions: transactions.collect(),
            retries: limits.retries,
        }
    }
}

impl Action {
    fn random(dice: &mut Dice, limits: &Limits) -> Self {
        use LockSpan::{Gap, InsertIntention, NextKey, Record};
        let at = record(dice.roll(limits.records));
        match dice.roll(12) {
            0 => Action::Table {
                table: TableId(1 + dice.roll(2)),
                mode: dice.pick(&[
                    TableMode::IS,
                    TableMode::IX,
                    TableMode::S,
                    TableMode::X,
                    TableMode::AutoInc,
                ]),
            },
            1 => Action::Unlock {
                at,
                mode: LockMode::S,
            },
            _ => {
                let span = dice.pick(&[Record, Record, Record, NextKey, Gap, InsertIntention]);
                let mode = match span {
                    InsertIntention => LockMode::X,
                    _ => dice.pick(&[LockMode::S, LockMode::X]),
                };
                Action::Record {
                    at,
                    mode,
                    span,
                    now_or_never: dice.roll(16) == 0,
                }
            }
        }
    }
}
