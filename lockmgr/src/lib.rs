//! Record, gap, next-key and insert-intention locks with pluggable deadlock detection, victim
//! choice and grant order. The lock table answers; it never sleeps.

mod config;
mod ids;
mod mode;
mod request;
mod table;
mod view;

pub use config::{DetectorKind, GrantKind, Inheritance, LockConfig, StructReuse, VictimKind};
pub use ids::{HeapNo, PageAddress, RecordAddress, TableId, TrxId};
pub use mode::{LockMode, LockSpan, TableMode};
pub use request::{
    Answer, Micros, OnConflict, Origin, Outcome, RecordRequest, TableRequest, Wake, Wakeup,
};
pub use table::LockTable;
pub use view::{DeadlockMember, DeadlockReport, LockInfo, LockTarget, WaitEdge};
