//! Asking for locks: from an access rule's answer to the lock table's.

use gaplock_lockmgr::{
    Answer, HeapNo, Inheritance, LockMode, LockSpan, OnConflict, Origin, Outcome, PageAddress,
    RecordAddress, RecordRequest, TableId, TableMode, TableRequest, TrxId,
};
use gaplock_wal::PageNo;

use super::WaitPolicy;
use crate::{
    access::{Reason, Want},
    db::Engine,
    error::Error,
    page::Record,
    profile::InheritAtReadCommitted,
    trx::Trx,
};

/// What became of a request for a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Got {
    /// Held. `newly`: this request stored it.
    Granted { newly: bool },
    /// Queued.
    Wait,
    /// There was a conflict, and the request was not to wait.
    Refused,
}

/// A record's place, for the lock table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Spot {
    pub(crate) page: PageNo,
    pub(crate) heap: u16,
}

impl Spot {
    pub(crate) fn of(record: &Record<'_>) -> Self {
        Self {
            page: record.page_no(),
            heap: record.heap_no(),
        }
    }

    pub(crate) fn address(self) -> RecordAddress {
        RecordAddress {
            page: page_address(self.page),
            heap: HeapNo(self.heap),
        }
    }
}

/// All pages are of the one data file.
pub(crate) fn page_address(page: PageNo) -> PageAddress {
    PageAddress {
        space: 0,
        page: page.0,
    }
}

impl Engine {
    /// The transaction's id; it becomes active with it.
    pub(crate) fn ensure_active(&self, trx: &mut Trx) -> TrxId {
        if let Some(id) = trx.id {
            return id;
        }
        let id = self.trxs.begin();
        self.locks.begin_as(id, trx.seniority);
        trx.id = Some(id);
        self.texts.register(id, &trx.statements);
        self.refresh_inheritance(trx);
        id
    }

    /// Tells the lock table which of the transaction's locks outlive their records, as its isolation
    /// level and its current statement have it.
    pub(crate) fn refresh_inheritance(&self, trx: &mut Trx) {
        let Some(id) = trx.id else { return };
        let wanted = if trx.isolation.locks_gaps() {
            Inheritance::ALL
        } else {
            let (shared, exclusive) = match self.profile().inherit_at_read_committed {
                InheritAtReadCommitted::SharedOnly => (true, false),
                InheritAtReadCommitted::OppositeOfStatement => (!trx.replaces, trx.replaces),
                InheritAtReadCommitted::WithinStatement => {
                    (trx.checked_duplicates, trx.checked_duplicates)
                }
            };
            Inheritance {
                shared,
                exclusive,
                record_only: true,
            }
        };
        let seen = Some((wanted.shared, wanted.exclusive, wanted.record_only));
        if trx.last_inheritance != seen {
            trx.last_inheritance = seen;
            self.locks.set_inheritance(id, wanted);
        }
    }

    /// Provenance of a lock that the current step asks for.
    pub(crate) fn origin(&self, trx: &Trx, reason: Reason) -> Origin {
        Origin {
            statement: (trx.statements.len() as u32).saturating_sub(1),
            step: trx.step,
            reason: reason.code(),
        }
    }

    fn on_conflict(&self, trx: &Trx, policy: WaitPolicy) -> OnConflict {
        match policy {
            WaitPolicy::Wait => OnConflict::Wait(self.now().saturating_add(trx.lock_wait_timeout)),
            WaitPolicy::NoWait | WaitPolicy::SkipLocked => OnConflict::Refuse,
        }
    }

    /// Asks for a table lock.
    pub(crate) fn lock_table(
        &self,
        trx: &mut Trx,
        table: u64,
        mode: TableMode,
        reason: Reason,
        policy: WaitPolicy,
    ) -> Result<Got, Error> {
        self.refuse_after_failure()?;
        let id = self.ensure_active(trx);
        trx.read_write |= matches!(mode, TableMode::IX | TableMode::X);
        let request = TableRequest {
            trx: id,
            table: TableId(table),
            mode,
            on_conflict: self.on_conflict(trx, policy),
            origin: self.origin(trx, reason),
        };
        let answer = self.locks.request_table(&request);
        self.take_answer(trx, answer)
    }

    /// Asks for the intention lock that goes before record locks of a table.
    pub(crate) fn lock_intention(
        &self,
        trx: &mut Trx,
        table: u64,
        mode: TableMode,
    ) -> Result<Got, Error> {
        self.lock_table(trx, table, mode, Reason::TableIntention, WaitPolicy::Wait)
    }

    /// Asks for a record lock.
    pub(crate) fn lock_spot(
        &self,
        trx: &mut Trx,
        spot: Spot,
        mode: LockMode,
        want: Want,
        policy: WaitPolicy,
    ) -> Result<Got, Error> {
        self.request(trx, spot, mode, want, false, policy)
    }

    /// Asks for leave to change a record that will show its writer itself, or to insert before it:
    /// nothing is stored unless there is a conflict.
    pub(crate) fn lock_implicitly(
        &self,
        trx: &mut Trx,
        spot: Spot,
        want: Want,
    ) -> Result<Got, Error> {
        self.request(trx, spot, LockMode::X, want, true, WaitPolicy::Wait)
    }

    fn request(
        &self,
        trx: &mut Trx,
        spot: Spot,
        mode: LockMode,
        want: Want,
        implicit: bool,
        policy: WaitPolicy,
    ) -> Result<Got, Error> {
        let id = self.ensure_active(trx);
        let request = RecordRequest {
            trx: id,
            at: spot.address(),
            mode,
            span: want.span,
            implicit,
            on_conflict: self.on_conflict(trx, policy),
            origin: self.origin(trx, want.reason),
        };
        let answer = self.locks.request_record(&request);
        self.take_answer(trx, answer)
    }

    /// Keeps what the request caused for others until the step has given back its latches.
    fn take_answer(&self, trx: &mut Trx, answer: Answer) -> Result<Got, Error> {
        trx.effects.wakeups.extend(answer.wakeups);
        trx.effects.deadlocks.extend(answer.deadlocks);
        match answer.outcome {
            Outcome::Granted { newly } => Ok(Got::Granted { newly }),
            Outcome::Waiting => {
                trx.waiting = true;
                Ok(Got::Wait)
            }
            Outcome::Refused => Ok(Got::Refused),
            Outcome::Victim => Err(Error::Deadlock),
            Outcome::QueueFull => Err(Error::LockWaitTimeout),
        }
    }

    /// Asks for leave to insert before `successor`.
    pub(crate) fn lock_gap_for_insertion(
        &self,
        trx: &mut Trx,
        successor: Spot,
    ) -> Result<Got, Error> {
        let want = Want {
            span: LockSpan::InsertIntention,
            reason: Reason::InsertIntention,
        };
        self.lock_implicitly(trx, successor, want)
    }
}
