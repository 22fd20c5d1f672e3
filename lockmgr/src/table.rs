//! The lock table. It answers and never sleeps: see the crate's documentation.

use crate::{
    Answer, HeapNo, Inheritance, LockConfig, LockInfo, LockMode, LockSpan, Micros, Origin,
    PageAddress, RecordAddress, RecordRequest, TableId, TableRequest, TrxId, WaitEdge, Wakeup,
};

/// All locks of one engine. Every method takes `&self`: shards have latches of their own.
#[derive(Debug)]
pub struct LockTable {
    config: LockConfig,
}

#[allow(unused_variables, clippy::unimplemented, reason = "interface first")]
impl LockTable {
    /// An empty table with these rules.
    #[must_use]
    pub fn new(config: LockConfig) -> Self {
        Self { config }
    }
    /// The rules.
    #[must_use]
    pub fn config(&self) -> &LockConfig {
        &self.config
    }
    /// A copy of everything, for exploration. Nobody may be inside the table meanwhile.
    #[must_use]
    pub fn fork(&self) -> Self {
        unimplemented!()
    }

    /// Makes a transaction known. It is active until [`Self::release_all`].
    pub fn begin(&self, trx: TrxId) {
        unimplemented!()
    }
    /// Whether the transaction is known and has not begun to release its locks. Implicit locks
    /// of a transaction that is not active don't exist.
    #[must_use]
    pub fn is_active(&self, trx: TrxId) -> bool {
        unimplemented!()
    }
    /// How many undo records the transaction has written: a part of its weight.
    pub fn set_undo_count(&self, trx: TrxId, records: u64) {
        unimplemented!()
    }
    /// Which of the transaction's locks outlive their record, from now on.
    pub fn set_inheritance(&self, trx: TrxId, inheritance: Inheritance) {
        unimplemented!()
    }

    /// Asks for a table lock.
    pub fn request_table(&self, request: &TableRequest) -> Answer {
        unimplemented!()
    }
    /// Asks for a record lock.
    pub fn request_record(&self, request: &RecordRequest) -> Answer {
        unimplemented!()
    }
    /// Gives `owner` the explicit record lock X on `at` that the record says it has implicitly,
    /// unless it already has one or is no longer active. Returns whether a lock was created.
    pub fn convert_implicit(&self, owner: TrxId, at: RecordAddress, origin: Origin) -> bool {
        unimplemented!()
    }
    /// Whether the transaction holds a granted lock that covers the given one.
    #[must_use]
    pub fn holds(&self, trx: TrxId, at: RecordAddress, mode: LockMode, span: LockSpan) -> bool {
        unimplemented!()
    }
    /// Whether anybody has any lock on the record, granted or waiting.
    #[must_use]
    pub fn any_on(&self, at: RecordAddress) -> bool {
        unimplemented!()
    }

    /// Gives back one record lock before the end of the transaction (READ COMMITTED, a row that
    /// did not match): the granted record-only lock of that mode, if there is one.
    pub fn release_record(&self, trx: TrxId, at: RecordAddress, mode: LockMode) -> Vec<Wakeup> {
        unimplemented!()
    }
    /// Gives back a table lock before the end of the transaction (AUTO_INC at a statement's end).
    pub fn release_table(&self, trx: TrxId, table: TableId, mode: crate::TableMode) -> Vec<Wakeup> {
        unimplemented!()
    }
    /// The transaction is no longer active, and all its locks are let go, newest first.
    pub fn release_all(&self, trx: TrxId) -> Vec<Wakeup> {
        unimplemented!()
    }
    /// Takes back the transaction's waiting request, if it has one (a client that went away).
    pub fn cancel_wait(&self, trx: TrxId) -> Vec<Wakeup> {
        unimplemented!()
    }
    /// Times out the waits whose moment has come.
    pub fn expire(&self, now: Micros) -> Vec<Wakeup> {
        unimplemented!()
    }
    /// The earliest moment at which a wait times out.
    #[must_use]
    pub fn next_expiry(&self) -> Option<Micros> {
        unimplemented!()
    }
    /// Runs a background detector until it finds nothing more. Does nothing with the other kinds.
    /// The answer's outcome is meaningless (`Granted`).
    pub fn sweep(&self) -> Answer {
        unimplemented!()
    }

    // Moves: the record layer tells what happens to records, under the page latches.

    /// A record was inserted before `successor`: gap and next-key locks there are copied to the
    /// new record as gap locks.
    pub fn inherit_on_insert(&self, new: RecordAddress, successor: RecordAddress) {
        unimplemented!()
    }
    /// `removed` goes away physically: its locks live on as gap locks on `heir` (as far as their
    /// owners inherit), and whoever waits on it is woken to ask again.
    pub fn inherit_on_remove(&self, removed: RecordAddress, heir: RecordAddress) -> Vec<Wakeup> {
        unimplemented!()
    }
    /// Records moved to another page, or to other heap numbers of the same page; their locks go
    /// along, in queue order. Pairs are (old, new).
    pub fn move_records(&self, from: PageAddress, to: PageAddress, moved: &[(HeapNo, HeapNo)]) {
        unimplemented!()
    }
    /// Split to the right: `left`'s supremum locks move to `right`'s supremum, and `left`'s
    /// supremum inherits from the first user record of `right`.
    pub fn split_right(&self, left: PageAddress, right: PageAddress, right_first: HeapNo) {
        unimplemented!()
    }
    /// Split to the left: the supremum of the new page `left` inherits from `right`'s first user record.
    pub fn split_left(&self, left: PageAddress, right: PageAddress, right_first: HeapNo) {
        unimplemented!()
    }
    /// `left` was merged into `right`: `left`'s supremum locks are inherited by the record that was
    /// first on `right`; nothing stays on `left`.
    pub fn merge_right(&self, right_old_first: RecordAddress, left: PageAddress) -> Vec<Wakeup> {
        unimplemented!()
    }
    /// `right` was merged into `left`: `left_old_sup_heir` is the record now standing where
    /// `left`'s supremum was (None if `right` was empty).
    pub fn merge_left(
        &self,
        left: PageAddress,
        left_old_sup_heir: Option<HeapNo>,
        right: PageAddress,
    ) -> Vec<Wakeup> {
        unimplemented!()
    }
    /// The root's records moved to the new page `child`: the supremum locks go along.
    pub fn root_raise(&self, root: PageAddress, child: PageAddress) {
        unimplemented!()
    }
    /// `old`'s records were copied to `new` and `old` goes away (a single child lifted into its parent).
    pub fn copy_and_discard(&self, new: PageAddress, old: PageAddress) {
        unimplemented!()
    }
    /// `page` goes away: every lock on it is inherited by `heir`.
    pub fn discard(&self, heir: RecordAddress, page: PageAddress) -> Vec<Wakeup> {
        unimplemented!()
    }

    // Views.

    /// Every lock, ordered by transaction and then by the order in which it was taken.
    #[must_use]
    pub fn locks(&self) -> Vec<LockInfo> {
        unimplemented!()
    }
    /// One transaction's locks in the order in which they were taken.
    #[must_use]
    pub fn locks_of(&self, trx: TrxId) -> Vec<LockInfo> {
        unimplemented!()
    }
    /// Every conflicting pair of a waiting lock and a lock that it waits for.
    #[must_use]
    pub fn wait_edges(&self) -> Vec<WaitEdge> {
        unimplemented!()
    }
    /// The lock that the transaction waits for.
    #[must_use]
    pub fn waiting_for(&self, trx: TrxId) -> Option<LockInfo> {
        unimplemented!()
    }
    /// Number of lock structures (table locks among them), and of record locks.
    #[must_use]
    pub fn counts(&self, trx: TrxId) -> (usize, usize) {
        unimplemented!()
    }
    /// Weight for victim choice: undo records plus lock structures.
    #[must_use]
    pub fn weight(&self, trx: TrxId) -> u64 {
        unimplemented!()
    }
}
