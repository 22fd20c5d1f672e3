//! Record, gap, next-key and insert-intention locks with pluggable deadlock detection, victim
//! choice and grant order. The lock table answers; it never sleeps.

mod acquire;
mod check;
mod config;
mod conflict;
mod deadlock;
mod grant;
mod graph;
mod heap_set;
mod ids;
mod inspect;
mod mode;
mod moves;
mod provenance;
mod queue;
mod registry;
mod release;
mod request;
mod resolve;
mod shard;
mod table;
mod table_queue;
mod victim;
mod view;
mod waits;

pub use config::{DetectorKind, GrantKind, Inheritance, LockConfig, StructReuse, VictimKind};
pub use ids::{HeapNo, PageAddress, RecordAddress, TableId, TrxId};
pub use mode::{LockMode, LockSpan, TableMode};
pub use request::{
    Answer, Micros, OnConflict, Origin, Outcome, RecordRequest, TableRequest, Wake, Wakeup,
};
pub use table::LockTable;
pub use view::{DeadlockMember, DeadlockReport, LockInfo, LockTarget, WaitEdge};
