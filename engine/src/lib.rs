//! A transactional storage engine whose locks are InnoDB's, release by release.
//!
//! It keeps tables in B+trees of 16 KiB pages, old versions of rows in undo pages, and locks in a
//! [`gaplock_lockmgr::LockTable`]. Which release's locks it takes is said by a
//! [`Profile`](profile::Profile), a struct of plain facts chosen when the engine is opened. The
//! engine speaks rows, not SQL; the SQL front is the crate `gaplock`.
//!
//! # The layers
//!
//! From the lowest up; each uses those below it only.
//!
//! | module | what it does |
//! |---|---|
//! | [`types`] | values, column types, and their images on a page |
//! | [`page`] | a page's records: format, space, heap numbers; changes as [`page::PageOp`]s |
//! | [`buffer`] | pages in memory, over a [`gaplock_wal::Disk`] |
//! | [`mtr`] | mini-transactions: latched pages, changed together, logged as one unit |
//! | [`btree`] | search, insertion, splits and merges, and which records they move |
//! | [`undo`] | what every change overwrote, in pages |
//! | [`trx`], [`table`] | transactions and read views; tables, indexes, images of rows |
//! | [`profile`], [`access`] | the facts of a release; which lock is taken, and why |
//! | [`row`] | scans, insertions, changes, rollback and purge as restartable steps |
//! | [`db`] | [`db::Engine`]: one database, and pictures of its locks |
//! | [`digest`] | a fingerprint of a database's state, for searches |
//! | [`blocking`] | a loop over steps for threads, which sleeps where they wait |
//!
//! # Steps
//!
//! No operation sleeps for a lock. A row operation is a value with a `step` method; one step is one of
//! InnoDB's mini-transactions. It answers [`Step::Done`](row::Step::Done), `Progress` (call again),
//! or `Wait`: a lock is not to be had, and every latch has been given back. A driver with threads
//! then calls [`park`](db::Engine::park); one that decides itself who runs next steps another
//! transaction. Either way the operation goes on from a remembered key.
//!
//! Time is told to the engine ([`set_time`](db::Engine::set_time),
//! [`expire`](db::Engine::expire)), and the background detector runs when it is called
//! ([`sweep_deadlocks`](db::Engine::sweep_deadlocks)); nothing happens by itself.
//!
//! # A table, a row, a locked range
//!
//! ```
//! use std::ops::Bound;
//!
//! use gaplock_engine::{
//!     db::Engine,
//!     profile,
//!     row::{
//!         Access, DuplicateMode, Insert, KeyRange, LockStrength, NoFilter, Scan, ScanSpec, Step,
//!         WaitPolicy,
//!     },
//!     table::{Column, TableSpec},
//!     trx::Isolation,
//!     types::{ColumnType, Value},
//! };
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let profile = profile::find("mysql-5.7.37").ok_or("no such profile")?;
//! let engine = Engine::in_memory(profile)?;
//! let id = Column {
//!     name: "id".into(),
//!     ty: ColumnType::Int { bytes: 4, unsigned: false },
//!     nullable: false,
//!     auto_increment: false,
//!     default: None,
//! };
//! let table = engine.create_table(TableSpec {
//!     name: "t".into(),
//!     columns: vec![id],
//!     primary_key: Some(vec![0]),
//!     indexes: vec![],
//!     foreign_keys: vec![],
//!     auto_increment: 1,
//! })?;
//!
//! // Nobody else is here, so no step waits.
//! let mut writer = engine.begin(Isolation::RepeatableRead);
//! for id in [10, 20, 30] {
//!     let row = vec![Value::Int(id)];
//!     let mut insert = Insert::new(table.clone(), row, DuplicateMode::Error);
//!     while !matches!(insert.step(&engine, &mut writer)?, Step::Done(_)) {}
//! }
//! engine.commit(&mut writer)?;
//!
//! // SELECT ... WHERE id >= 20 FOR UPDATE
//! let mut reader = engine.begin(Isolation::RepeatableRead);
//! engine.start_statement(&mut reader, "read from 20 on");
//! let range = KeyRange { lower: Bound::Included(vec![Value::Int(20)]), upper: Bound::Unbounded };
//! let mut scan = Scan::new(ScanSpec {
//!     table: table.clone(),
//!     index: 0,
//!     access: Access::Range { range, backward: false },
//!     lock: LockStrength::Exclusive,
//!     wait: WaitPolicy::Wait,
//!     covering: false,
//!     pushed: false,
//!     semi_consistent: false,
//! });
//! let mut found = Vec::new();
//! while let Step::Done(Some(row)) = scan.step(&engine, &mut reader, &NoFilter)? {
//!     found.push(row.values);
//! }
//! assert_eq!(found, [[Value::Int(20)], [Value::Int(30)]]);
//!
//! // Every lock knows which statement took it, and why.
//! let locks = engine.locks();
//! let reasons: Vec<_> = locks.iter().filter_map(|lock| Some(lock.reason?.text())).collect();
//! assert_eq!(reasons.len(), 4); // the table, 20, 30, and the end of the page
//! assert!(locks.iter().all(|lock| lock.statement.as_deref() == Some("read from 20 on")));
//!
//! // The end of the page is locked: an insertion there waits until the reader is done.
//! let mut other = engine.begin(Isolation::RepeatableRead);
//! let mut insert = Insert::new(table, vec![Value::Int(40)], DuplicateMode::Error);
//! assert_eq!(insert.step(&engine, &mut other)?, Step::Wait);
//! engine.commit(&mut reader)?;
//! while !matches!(insert.step(&engine, &mut other)?, Step::Done(_)) {}
//! engine.commit(&mut other)?;
//! # Ok(())
//! # }
//! ```

pub mod access;
pub mod blocking;
pub mod btree;
pub mod buffer;
pub mod db;
pub mod digest;
pub mod error;
pub mod mtr;
pub mod page;
pub mod profile;
pub mod row;
pub mod table;
pub mod trx;
pub mod types;
pub mod undo;
