//! Which lock is taken, and why: the one place that decides.
//!
//! Every function here is pure: from the isolation level, what is being done, what the cursor
//! stands on and the profile's facts it answers with a span and a [`Reason`]. The row operations
//! ask, and hand both to the lock table; so each lock can say for ever after why it was taken.
//! The rules are InnoDB's, as its source and the recordings show them; a comment names the fact
//! where releases differ.

use gaplock_lockmgr::{LockMode, LockSpan};

use crate::{
    profile::{DuplicateRegime, Profile, RangeEnd},
    trx::Isolation,
};

macro_rules! reasons {
    ($($name:ident = $text:literal,)*) => {
        /// Why a lock was asked for.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u16)]
        pub enum Reason {
            $(#[doc = $text] $name,)*
        }

        impl Reason {
            const ALL: &[Reason] = &[$(Reason::$name,)*];

            /// The reason in words.
            #[must_use]
            pub fn text(self) -> &'static str {
                match self { $(Reason::$name => $text,)* }
            }
        }
    };
}

reasons! {
    TableIntention = "intention to lock or change rows of the table",
    LockTables = "LOCK TABLES",
    AutoIncrement = "auto-increment values drawn until the statement ends",
    ReadCommittedRow = "record only: scans lock no gaps at this isolation level",
    UniqueHit = "record only: unique key found by equality",
    UniqueSecondaryHit = "next-key: this profile locks the gap before a unique secondary hit too",
    RangeStartHit = "record only: the range starts exactly at this primary key",
    ScannedRow = "next-key: record passed by a scan",
    DeletedUnique = "next-key: unique key found, but its record is marked as deleted",
    EqualityEnd = "gap: first record past the equal ones",
    RangeEndGap = "gap: first record past the end of the range",
    PageEnd = "gap at the end of the page, passed by a scan",
    BackwardStart = "gap: above the highest record of a descending scan",
    FetchedRow = "record only: row fetched through a secondary index",
    RowChange = "record only: the row is changed",
    EntryChange = "record only: the index entry is changed",
    InsertIntention = "insert intention: a new record goes into this gap",
    DuplicatePrimary = "record only: duplicate check on the clustered key",
    DuplicatePrimaryGap = "next-key: duplicate check on the clustered key",
    DuplicateUnique = "next-key: duplicate check on a unique key",
    DuplicateEnd = "next-key: first record past the deleted duplicates of a unique key",
    DuplicateEndGap = "gap: first record past the deleted duplicates of a unique key",
    UniqueGapVisit = "gap: upsert locks the place of its value in every unique key",
    ParentRow = "record only: foreign key, the parent row must stay",
    ParentDeleted = "next-key: foreign key, parent row marked as deleted",
    ParentMissing = "gap: foreign key, no such parent",
    ChildRow = "record only: foreign key, a child row refers to this parent",
    ChildDeleted = "next-key: foreign key, child row marked as deleted",
    ChildMissing = "gap: foreign key, no child may appear",
    CascadedRow = "record only: child row changed by a foreign key's action",
    ImplicitMadeExplicit = "record only: written by this transaction; stored as a lock when somebody asked for the record",
    UndoneRow = "row undone by a partial rollback: its lock was made explicit, and the next record inherits it as a gap lock",
}

impl Reason {
    /// The number that is kept with a lock.
    #[must_use]
    pub fn code(self) -> u16 {
        self as u16
    }

    /// The reason of that number.
    #[must_use]
    pub fn from_code(code: u16) -> Option<Self> {
        Self::ALL.get(usize::from(code)).copied()
    }
}

/// A lock that should be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Want {
    /// What it covers.
    pub span: LockSpan,
    /// Why.
    pub reason: Reason,
}

const fn want(span: LockSpan, reason: Reason) -> Want {
    Want { span, reason }
}

/// What a locking scan's cursor stands on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScanSpot {
    /// The scan is of the clustered index.
    pub clustered: bool,
    /// The search gives every column of a unique key by equality, none NULL.
    pub unique_search: bool,
    /// The record is marked as deleted.
    pub deleted: bool,
    /// The scan begins at a whole clustered key, by equality or an ascending `>=`, and the record
    /// equals it.
    pub starts_exactly: bool,
}

/// The lock on a record that a locking scan inspects. (INNODB row search, step "choose the lock".)
#[must_use]
pub fn scanned_record(profile: &Profile, isolation: Isolation, spot: ScanSpot) -> Want {
    if !isolation.locks_gaps() {
        want(LockSpan::Record, Reason::ReadCommittedRow)
    } else if spot.unique_search && !spot.deleted {
        if !spot.clustered && profile.unique_secondary_hit_next_key {
            want(LockSpan::NextKey, Reason::UniqueSecondaryHit)
        } else {
            want(LockSpan::Record, Reason::UniqueHit)
        }
    } else if spot.starts_exactly {
        want(LockSpan::Record, Reason::RangeStartHit)
    } else if spot.unique_search {
        want(LockSpan::NextKey, Reason::DeletedUnique)
    } else {
        want(LockSpan::NextKey, Reason::ScannedRow)
    }
}

/// Whether a scan tests the range's end before it locks a record: then a record past the end has
/// at most its gap locked. Secondary indexes never do; nor do scans that lock no gaps, which lock
/// the record past the end and give it back.
#[must_use]
pub fn tests_end_before_locking(
    profile: &Profile,
    isolation: Isolation,
    clustered: bool,
    backward: bool,
) -> bool {
    profile.range_end == RangeEnd::BeforeLocking && isolation.locks_gaps() && clustered && !backward
}

/// The lock on a record that is past the end, when that was tested first.
pub const PAST_THE_END: Want = want(LockSpan::Gap, Reason::RangeEndGap);

/// The lock on the first record that does not equal an equality search any more.
#[must_use]
pub fn past_equal(isolation: Isolation) -> Option<Want> {
    isolation
        .locks_gaps()
        .then_some(want(LockSpan::Gap, Reason::EqualityEnd))
}

/// The lock on a page's supremum that a scan passes.
#[must_use]
pub fn page_end(isolation: Isolation) -> Option<Want> {
    isolation
        .locks_gaps()
        .then_some(want(LockSpan::NextKey, Reason::PageEnd))
}

/// The lock on the record above a descending scan's first.
#[must_use]
pub fn above_backward_start(isolation: Isolation) -> Option<Want> {
    isolation
        .locks_gaps()
        .then_some(want(LockSpan::Gap, Reason::BackwardStart))
}

/// The duplicate check's lock on an equal clustered record.
#[must_use]
pub fn clustered_duplicate(profile: &Profile, isolation: Isolation) -> Want {
    if profile.duplicate_regime == DuplicateRegime::B && isolation.locks_gaps() {
        want(LockSpan::NextKey, Reason::DuplicatePrimaryGap)
    } else {
        want(LockSpan::Record, Reason::DuplicatePrimary)
    }
}

/// The duplicate check's lock on a record of a unique secondary index, at every isolation level:
/// one that equals the new entry, or the first one past those.
#[must_use]
pub fn secondary_duplicate(profile: &Profile, mode: LockMode, equal: bool, supremum: bool) -> Want {
    if equal {
        want(LockSpan::NextKey, Reason::DuplicateUnique)
    } else if mode == LockMode::S && profile.shared_duplicate_scan_ends_with_gap && !supremum {
        want(LockSpan::Gap, Reason::DuplicateEndGap)
    } else {
        want(LockSpan::NextKey, Reason::DuplicateEnd)
    }
}

/// Whether an upsert visits every unique secondary index and locks the gap of its value there,
/// beyond the first duplicate too.
#[must_use]
pub fn visits_unique_gaps(profile: &Profile, isolation: Isolation, mode: LockMode) -> bool {
    profile.duplicate_regime == DuplicateRegime::B && isolation.locks_gaps() && mode == LockMode::X
}

/// Whether a partial rollback makes the undone rows' implicit locks explicit first, so that their
/// successors inherit them.
#[must_use]
pub fn partial_rollback_keeps_locks(profile: &Profile, isolation: Isolation) -> bool {
    profile.duplicate_regime == DuplicateRegime::C && isolation.locks_gaps()
}

/// What a foreign-key check's cursor stands on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForeignKeySpot {
    /// A record with the key.
    Match,
    /// A record with the key, marked as deleted.
    Deleted,
    /// The first record past the key, or a supremum.
    Past,
}

/// The shared lock of a foreign-key check; `parent` tells that a child looks for its parent.
#[must_use]
pub fn foreign_key_check(
    profile: &Profile,
    isolation: Isolation,
    spot: ForeignKeySpot,
    supremum: bool,
    parent: bool,
) -> Option<Want> {
    let gaps = isolation.locks_gaps() || profile.foreign_key_gaps_at_read_committed;
    let choose = |if_parent, if_child| if parent { if_parent } else { if_child };
    let missing = choose(Reason::ParentMissing, Reason::ChildMissing);
    let deleted = choose(Reason::ParentDeleted, Reason::ChildDeleted);
    match spot {
        ForeignKeySpot::Match => Some(want(
            LockSpan::Record,
            choose(Reason::ParentRow, Reason::ChildRow),
        )),
        ForeignKeySpot::Deleted if gaps => Some(want(LockSpan::NextKey, deleted)),
        ForeignKeySpot::Deleted => Some(want(LockSpan::Record, deleted)),
        ForeignKeySpot::Past if gaps && supremum => Some(want(LockSpan::NextKey, missing)),
        ForeignKeySpot::Past if gaps => Some(want(LockSpan::Gap, missing)),
        ForeignKeySpot::Past => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::find;

    fn spot() -> ScanSpot {
        ScanSpot {
            clustered: true,
            unique_search: true,
            deleted: false,
            starts_exactly: false,
        }
    }

    #[test]
    fn a_reason_survives_its_code() {
        for reason in Reason::ALL {
            assert_eq!(Reason::from_code(reason.code()), Some(*reason));
        }
        assert_eq!(Reason::from_code(9999), None);
    }

    #[test]
    fn a_point_read_locks_the_record_alone_unless_it_is_a_deleted_secondary_one() {
        let profile = find("mysql-5.6").unwrap();
        let span = |spot| scanned_record(&profile, Isolation::RepeatableRead, spot).span;
        assert_eq!(span(spot()), LockSpan::Record);
        let deleted = ScanSpot {
            deleted: true,
            clustered: false,
            ..spot()
        };
        assert_eq!(span(deleted), LockSpan::NextKey);
        let exact = ScanSpot {
            deleted: true,
            starts_exactly: true,
            ..spot()
        };
        assert_eq!(span(exact), LockSpan::Record);
        assert_eq!(
            span(ScanSpot {
                unique_search: false,
                ..spot()
            }),
            LockSpan::NextKey
        );
    }

    #[test]
    fn no_scan_locks_a_gap_at_read_committed() {
        let profile = find("mysql-8.0.30").unwrap();
        let level = Isolation::ReadCommitted;
        assert_eq!(
            scanned_record(&profile, level, spot()).span,
            LockSpan::Record
        );
        assert_eq!(past_equal(level), None);
        assert_eq!(page_end(level), None);
        assert_eq!(above_backward_start(level), None);
    }

    #[test]
    fn a_missing_parent_locks_the_gap_at_read_committed_in_old_profiles_only() {
        let check = |name: &str| {
            let profile = find(name).unwrap();
            foreign_key_check(
                &profile,
                Isolation::ReadCommitted,
                ForeignKeySpot::Past,
                false,
                true,
            )
        };
        assert_eq!(check("mysql-5.6").map(|w| w.span), Some(LockSpan::Gap));
        assert_eq!(check("mysql-5.7.37"), None);
    }
}
