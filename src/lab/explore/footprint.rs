//! What a step may have touched: by tables, coarse and safe.
//!
//! Two steps of different sessions that can both be taken in a state *commute* there if, taken in
//! either order, neither does anything else for the other having gone first, and both orders end in
//! one state. It is enough that (F1-F4 are each a way not to):
//!
//! - **F1** They use no table together: neither one that a statement names, nor one that a foreign key
//!   leads to from there, in either direction and over any number of keys. Everything that is kept of a
//!   table goes with it: rows, indexes, versions, its lock queues, its counters. A step that undoes, or
//!   that ends a transaction, uses every table that the session has used: so far, to be safe.
//! - **F2** One does not open a snapshot while the other ends a transaction or opens one: what a view
//!   sees, and which view is the oldest, depend on the order.
//! - **F3** Neither begins to wait, wakes anybody, or closes a circle: the graph of waits is one for all
//!   tables, and who is looked at first decides who dies.
//! - **F4** Neither is the detector or purge, and neither changes or locks definitions.
//!
//! What else sessions share is named so that order does not show: numbers of transactions, undo places
//! and page numbers (G1, G4 of the digest).

use std::collections::BTreeMap;

use gaplock_engine::db::Engine;

/// Tables as bits, and what else the step did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Footprint(u64);

/// Tables that have a bit of their own.
const TABLES_MAX: usize = 60;
const OPENS_VIEW: u64 = 1 << 62;
const ENDS: u64 = 1 << 61;

impl Footprint {
    /// A step that may have touched anything.
    pub(super) const ANYTHING: Footprint = Footprint(u64::MAX);
    /// A step that touched nothing which anybody else sees.
    pub(super) const NOTHING: Footprint = Footprint(0);

    pub(super) fn with(self, other: Footprint) -> Footprint {
        Footprint(self.0 | other.0)
    }

    /// The step opened a snapshot.
    pub(super) fn opening_view(self) -> Footprint {
        Footprint(self.0 | OPENS_VIEW)
    }

    /// The step ended a transaction.
    pub(super) fn ending(self) -> Footprint {
        Footprint(self.0 | ENDS)
    }

    /// Whether two steps of different sessions, both to be taken in one state, commute there.
    pub(super) fn commutes(self, other: Footprint) -> bool {
        let Footprint(here) = self;
        let Footprint(there) = other;
        if self == Footprint::ANYTHING || other == Footprint::ANYTHING {
            return false;
        }
        let tables = here & there & !(OPENS_VIEW | ENDS);
        let views = |one: u64, two: u64| one & OPENS_VIEW != 0 && two & (OPENS_VIEW | ENDS) != 0;
        tables == 0 && !views(here, there) && !views(there, here)
    }

    #[cfg(test)]
    pub(super) fn without_tables(self) -> Footprint {
        match self {
            Footprint::ANYTHING => self,
            Footprint(bits) => Footprint(bits & (OPENS_VIEW | ENDS)),
        }
    }

    #[cfg(test)]
    pub(super) fn without_views(self) -> Footprint {
        match self {
            Footprint::ANYTHING => self,
            Footprint(bits) => Footprint(bits & !(OPENS_VIEW | ENDS)),
        }
    }
}

/// The tables of a database: for each its own bit, and with it those that foreign keys lead to.
#[derive(Clone, Debug, Default)]
pub(super) struct TableBits(BTreeMap<String, Footprint>);

impl TableBits {
    pub(super) fn of(engine: &Engine) -> TableBits {
        let tables = engine.tables();
        let mut groups: Vec<(String, u64)> = Vec::new();
        for (at, table) in tables.iter().enumerate() {
            let bit = if at < TABLES_MAX { 1 << at } else { u64::MAX };
            groups.push((table.name.clone(), bit));
        }
        let links: Vec<(String, String)> = tables
            .iter()
            .flat_map(|table| {
                let keys = table.foreign_keys.iter();
                keys.map(|key| (table.name.clone(), key.parent.clone()))
            })
            .collect();
        // Each round joins what one key links; as many rounds as keys join all that hangs together.
        for _ in 0..links.len() {
            for (child, parent) in &links {
                let joined = groups
                    .iter()
                    .filter(|(name, _)| name == child || name == parent)
                    .fold(0, |bits, (_, own)| bits | own);
                for (name, bits) in &mut groups {
                    if name == child || name == parent {
                        *bits |= joined;
                    }
                }
            }
        }
        let named = groups.into_iter();
        TableBits(named.map(|(name, bits)| (name, Footprint(bits))).collect())
    }

    /// The footprint of a statement that uses these tables; anything if one is not known.
    pub(super) fn using<'a>(&self, tables: impl Iterator<Item = &'a str>) -> Footprint {
        tables.fold(Footprint::NOTHING, |all, table| {
            let own = self.0.get(table).copied();
            all.with(own.unwrap_or(Footprint::ANYTHING))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn views_and_ends_do_not_commute() {
        let (one, two) = (Footprint(1), Footprint(2));
        assert!(one.commutes(two));
        assert!(!one.commutes(one));
        assert!(one.ending().commutes(two.ending()));
        assert!(!one.opening_view().commutes(two.ending()));
        assert!(!one.ending().commutes(two.opening_view()));
        assert!(!one.opening_view().commutes(two.opening_view()));
        assert!(one.opening_view().commutes(two));
        assert!(!Footprint::ANYTHING.commutes(Footprint::NOTHING));
    }
}
