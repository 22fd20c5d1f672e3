//! The conflict rule: which record lock a request has to wait for.
//!
//! The cases are tried in order; the first that applies decides. What comes out of them:
//!
//! | request \ held      | next-key | gap  | record | insert intention |
//! |---------------------|----------|------|--------|------------------|
//! | record, next-key    | wait     | ok   | wait   | ok               |
//! | gap                 | ok       | ok   | ok     | ok               |
//! | insert intention    | wait     | wait | ok     | ok               |
//!
//! ("wait" only between incompatible modes of different transactions). Gap locks thus never wait
//! and only ever stop insertions; an insert intention stops nobody, not even while it waits.

use crate::{LockMode, LockSpan, TrxId};

/// A record lock, held or wanted, as the rule sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Claim {
    /// Whose it is.
    pub(crate) trx: TrxId,
    /// Strength.
    pub(crate) mode: LockMode,
    /// Precision, already normalised on a supremum.
    pub(crate) span: LockSpan,
    /// Whether it is still waited for.
    pub(crate) waiting: bool,
}

/// What the rule says about a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// No conflict.
    Free,
    /// A conflict with a waiter that the requester itself blocks, so it may pass; its lock must
    /// then be stored even where an implicit one would have done.
    Passes,
    /// The request has to wait.
    Waits,
}

/// On a supremum a lock protects a gap only, so record and gap precision lose their meaning
/// and every lock but an insert intention is kept as next-key.
pub(crate) fn normalised(span: LockSpan, supremum: bool) -> LockSpan {
    match span {
        LockSpan::InsertIntention => span,
        _ if supremum => LockSpan::NextKey,
        _ => span,
    }
}

/// Whether a granted lock of `held` span makes one of `wanted` span superfluous. (Their
/// modes are another matter.)
pub(crate) fn span_covers(held: LockSpan, wanted: LockSpan, supremum: bool) -> bool {
    match held {
        LockSpan::InsertIntention => false,
        _ if supremum => true,
        LockSpan::NextKey => true,
        _ => held == wanted,
    }
}

/// Judges `request` against `other` on the same record. `holds_record` tells whether the requester
/// has a granted lock on the record itself; it is only asked for when it can make a difference.
pub(crate) fn judge(
    request: &Claim,
    other: &Claim,
    supremum: bool,
    holds_record: impl FnOnce() -> bool,
) -> Verdict {
    let inserts = request.span == LockSpan::InsertIntention;
    if request.trx == other.trx || request.mode.compatible(other.mode) {
        return Verdict::Free;
    }
    if !inserts && (supremum || request.span == LockSpan::Gap || other.span == LockSpan::Gap) {
        return Verdict::Free;
    }
    if inserts && other.span == LockSpan::Record {
        return Verdict::Free;
    }
    if other.span == LockSpan::InsertIntention {
        return Verdict::Free;
    }
    let both_exclusive = request.mode == LockMode::X && other.mode == LockMode::X;
    if !inserts && both_exclusive && other.waiting && holds_record() {
        return Verdict::Passes;
    }
    Verdict::Waits
}

#[cfg(test)]
mod tests {
    use super::*;
    use LockSpan::{Gap, InsertIntention, NextKey, Record};

    fn claim(trx: u64, mode: LockMode, span: LockSpan) -> Claim {
        Claim {
            trx: TrxId(trx),
            mode,
            span,
            waiting: false,
        }
    }

    fn matrix(request_mode: LockMode, held_mode: LockMode, supremum: bool) -> String {
        let spans = [NextKey, Gap, Record, InsertIntention];
        let mut text = String::new();
        for request in [Record, NextKey, Gap, InsertIntention] {
            text.push_str(&format!("{request}:"));
            for held in spans {
                let verdict = judge(
                    &claim(1, request_mode, normalised(request, supremum)),
                    &claim(2, held_mode, normalised(held, supremum)),
                    supremum,
                    || false,
                );
                text.push_str(if verdict == Verdict::Waits {
                    " wait"
                } else {
                    " ok"
                });
            }
            text.push('\n');
        }
        text
    }

    #[test]
    fn the_matrix_of_incompatible_modes() {
        let expected = "record: wait ok wait ok
\
            next-key: wait ok wait ok
\
            gap: ok ok ok ok
\
            insert-intention: wait wait ok ok
";
        assert_eq!(matrix(LockMode::X, LockMode::X, false), expected);
        assert_eq!(matrix(LockMode::X, LockMode::S, false), expected);
        assert_eq!(matrix(LockMode::S, LockMode::X, false), expected);
    }

    #[test]
    fn on_a_supremum_only_insertions_wait() {
        let expected = "record: ok ok ok ok
\
            next-key: ok ok ok ok
\
            gap: ok ok ok ok
\
            insert-intention: wait wait wait ok
";
        assert_eq!(matrix(LockMode::X, LockMode::X, true), expected);
    }

    #[test]
    fn shared_locks_and_own_locks_never_conflict() {
        assert!(!matrix(LockMode::S, LockMode::S, false).contains("wait"));
        let own = claim(1, LockMode::X, NextKey);
        assert_eq!(judge(&own, &own, false, || false), Verdict::Free);
    }

    #[test]
    fn only_a_waiting_exclusive_lock_is_passed_and_never_by_an_insertion() {
        let waiting = Claim {
            waiting: true,
            ..claim(2, LockMode::X, NextKey)
        };
        let granted = claim(2, LockMode::X, NextKey);
        let shared = Claim {
            waiting: true,
            ..claim(2, LockMode::S, NextKey)
        };
        let wants = claim(1, LockMode::X, Record);
        assert_eq!(judge(&wants, &waiting, false, || true), Verdict::Passes);
        assert_eq!(judge(&wants, &waiting, false, || false), Verdict::Waits);
        assert_eq!(judge(&wants, &granted, false, || true), Verdict::Waits);
        assert_eq!(judge(&wants, &shared, false, || true), Verdict::Waits);
        let inserts = claim(1, LockMode::X, InsertIntention);
        assert_eq!(judge(&inserts, &waiting, false, || true), Verdict::Waits);
    }

    #[test]
    fn a_next_key_lock_covers_all_others_only_themselves() {
        let covered = |held| [Record, Gap, NextKey].map(|wanted| span_covers(held, wanted, false));
        assert_eq!(covered(NextKey), [true, true, true]);
        assert_eq!(covered(Record), [true, false, false]);
        assert_eq!(covered(Gap), [false, true, false]);
        assert_eq!(covered(InsertIntention), [false, false, false]);
    }
}
