//! Record, gap, next-key and insert-intention locks with pluggable deadlock detection, victim
//! choice and grant order.
//!
//! # What a lock is
//!
//! A record lock is on a record of an index page, named by page and heap number. It has a
//! [`LockMode`], S or X, and a [`LockSpan`]: the record itself, the gap before it, both (next-key), or
//! the wish to insert into the gap. A lock on the page's supremum protects the gap at its end. Gap
//! locks stop nothing but insertions and never wait themselves. Beside record locks there are table
//! locks ([`TableMode`]), mostly intentions.
//!
//! Locks are stored as InnoDB stores them: one structure for each transaction, page, mode and span,
//! with a bitmap of records. What the structures are matters beyond memory, since victims are
//! weighed by their number and queues are made of them.
//!
//! # The queue
//!
//! All locks on one record, granted or waiting, form a queue. A request that conflicts with anything in
//! it waits at its end. When locks are let go, the waiters are looked at again: by arrival
//! ([`GrantKind::Fifo`]) each is granted that nothing ahead of it is in the way of; by weight
//! ([`GrantKind::ContentionAware`]) those who waited for the one that let go are taken in the order of
//! how many are blocked behind them, and only granted locks count against them.
//!
//! The waits-for graph is never stored: detectors see it as a view that is derived from the queues by
//! the same rule. They differ in how much of it they look at, and when ([`DetectorKind`]).
//!
//! # Policies
//!
//! Who may wait for whom, how deadlocks are looked for, who dies and who is granted first are
//! policies: rules by name ([`LockConfig::set`], [`SETTINGS`]), or the user's own behind four traits
//! ([`ConflictPolicy`], [`DeadlockDetector`], [`VictimPolicy`], [`GrantPolicy`];
//! [`LockTable::with_policies`]).
//!
//! # Records come and go
//!
//! Locks are on places, so the owner of the records tells the table what happens to these: a record is
//! inserted into a locked gap, is removed, moves with its page's split. Locks are then inherited, as
//! gap locks, or move along. A transaction's own changes are locks that only the record shows
//! (implicit ones); whoever meets one makes it explicit first with [`LockTable::convert_implicit`].
//!
//! # The table answers, it never sleeps
//!
//! Every call returns at once: a request is granted, waiting, refused or the victim of a deadlock, and
//! any call may return [`Wakeup`]s for other transactions. Sleeping, and handing wake-ups over, is the
//! caller's. Time is an argument ([`LockTable::expire`]). So one table serves threads
//! that park and a simulator that steps.
//!
//! ```
//! use gaplock_lockmgr::{
//!     HeapNo, LockConfig, LockMode, LockSpan, LockTable, OnConflict, Origin, Outcome, PageAddress,
//!     RecordAddress, RecordRequest, TrxId, VictimKind, Wake, Wakeup,
//! };
//!
//! let table = LockTable::new(LockConfig {
//!     shards: 1,
//!     victim: VictimKind::LighterOfTwo,
//!     ..LockConfig::DEFAULT
//! });
//! let page = PageAddress { space: 1, page: 4 };
//! let insertion_at_the_end = |trx| RecordRequest {
//!     trx,
//!     at: RecordAddress { page, heap: HeapNo::SUPREMUM },
//!     mode: LockMode::X,
//!     span: LockSpan::InsertIntention,
//!     implicit: true,
//!     on_conflict: OnConflict::Wait(50_000_000),
//!     origin: Origin::default(),
//! };
//!
//! let (reader, writer) = (TrxId(1), TrxId(2));
//! table.begin(reader);
//! table.begin(writer);
//! let gap_at_the_end = RecordRequest { span: LockSpan::Gap, ..insertion_at_the_end(reader) };
//! let explicit = RecordRequest { implicit: false, ..gap_at_the_end };
//! assert_eq!(table.request_record(&explicit).outcome, Outcome::Granted { newly: true });
//!
//! // The gap is locked: the insertion waits, and its transaction has to sleep.
//! let answer = table.request_record(&insertion_at_the_end(writer));
//! assert_eq!(answer.outcome, Outcome::Waiting);
//!
//! // The reader's end wakes the writer.
//! let wakeups = table.release_all(reader);
//! assert_eq!(wakeups, [Wakeup { trx: writer, wake: Wake::Granted }]);
//! ```

mod acquire;
mod check;
mod config;
mod conflict;
mod deadlock;
mod digest;
mod dreadlocks;
mod figures;
mod grant;
mod graph;
mod heap_set;
mod ids;
mod inspect;
mod mode;
mod moment;
mod moves;
mod names;
mod policies;
mod policy;
mod prevent;
mod prevention;
mod provenance;
mod queue;
mod rank;
mod registry;
mod release;
mod request;
mod resolve;
mod shard;
mod table;
mod table_queue;
#[cfg(feature = "testing")]
pub mod testing;
mod victim;
mod view;
mod waits;

pub use config::{
    Beyond, ConflictKind, DetectorKind, GrantKind, Inheritance, LockConfig, Seniority, StructReuse,
    VictimKind,
};
pub use deadlock::{BackgroundOneEdge, Brent, Delayed, DepthFirst};
pub use digest::DigestNames;
pub use dreadlocks::Digest;
pub use figures::{Histogram, LockFigures, Stopwatch};
pub use graph::WaitGraph;
pub use ids::{HeapNo, PageAddress, RecordAddress, TableId, TrxId};
pub use mode::{LockMode, LockSpan, TableMode};
pub use names::{SETTINGS, Setting, SettingError};
pub use policies::Policies;
pub use policy::{
    Candidate, ConflictPolicy, DeadlockDetector, Decision, Found, GrantPolicy, Moment, Party,
    Searches, VictimPolicy, Waiter,
};
pub use prevention::{NoWait, WaitDie, WoundWait};
pub use rank::{AtRandom, ByPriority, Eldest, LargestDependencySet, ReaderBatch};
pub use request::{
    Answer, Micros, OnConflict, Origin, Outcome, RecordRequest, TableRequest, Wake, Wakeup,
};
pub use table::LockTable;
pub use victim::{Extreme, LighterOfTwo, LightestElseRequester, LightestInCycle, Requester};
pub use view::{DeadlockMember, DeadlockReport, LockInfo, LockTarget, WaitEdge};
