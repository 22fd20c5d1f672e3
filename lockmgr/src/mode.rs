//! Lock modes and spans, and the tables that say which conflict and which cover which.

use std::fmt;

/// Strength of a record lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LockMode {
    /// Shared.
    S,
    /// Exclusive.
    X,
}

/// What a record lock covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LockSpan {
    /// The record alone.
    Record,
    /// The gap before the record alone.
    Gap,
    /// The record and the gap before it.
    NextKey,
    /// The wish to insert into the gap before the record.
    InsertIntention,
}

/// Strength of a table lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TableMode {
    /// Intention to take shared record locks.
    IS,
    /// Intention to take exclusive record locks.
    IX,
    /// Shared.
    S,
    /// Exclusive.
    X,
    /// The right to draw auto-increment values, held to the end of a statement.
    AutoInc,
}

impl LockMode {
    /// Whether two record locks of these modes may be held together.
    #[must_use]
    pub fn compatible(self, other: LockMode) -> bool {
        self == LockMode::S && other == LockMode::S
    }

    /// Whether holding `self` makes a request for `wanted` superfluous.
    #[must_use]
    pub fn covers(self, wanted: LockMode) -> bool {
        self >= wanted
    }
}

impl TableMode {
    /// Whether two table locks of these modes may be held together.
    #[must_use]
    pub fn compatible(self, other: TableMode) -> bool {
        use TableMode::{AutoInc, IS, IX, S};
        matches!(
            (self, other),
            (IS, IS | IX | S | AutoInc)
                | (IX, IS | IX | AutoInc)
                | (S, IS | S)
                | (AutoInc, IS | IX)
        )
    }

    /// Whether holding `self` makes a request for `wanted` superfluous.
    #[must_use]
    pub fn covers(self, wanted: TableMode) -> bool {
        use TableMode::{AutoInc, IS, IX, S, X};
        match self {
            X => true,
            S => matches!(wanted, S | IS),
            IX => matches!(wanted, IX | IS),
            IS => wanted == IS,
            AutoInc => wanted == AutoInc,
        }
    }
}

impl fmt::Display for LockMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            LockMode::S => "S",
            LockMode::X => "X",
        })
    }
}

impl fmt::Display for LockSpan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            LockSpan::Record => "record",
            LockSpan::Gap => "gap",
            LockSpan::NextKey => "next-key",
            LockSpan::InsertIntention => "insert-intention",
        })
    }
}

impl fmt::Display for TableMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TableMode::IS => "IS",
            TableMode::IX => "IX",
            TableMode::S => "S",
            TableMode::X => "X",
            TableMode::AutoInc => "AUTO_INC",
        })
    }
}
