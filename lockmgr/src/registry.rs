//! The transactions that the lock table knows, each with the list of its lock structures.
//!
//! A structure belongs to two lists: its resource's queue and its owner's list here. The owner's
//! list is in order of creation, which is the order in which locks are shown and, backwards, in
//! which they are let go. Others add to it too: they make the owner's implicit locks explicit, and
//! records that move take their locks along.

use parking_lot::Mutex;
use rustc_hash::FxHashMap;

use crate::digest::inheritance_code;
use crate::{Inheritance, PageAddress, TableId, TrxId};

/// Where a lock structure is queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    /// With the record locks of a page.
    Page(PageAddress),
    /// With the locks of a table.
    Table(TableId),
}

/// A structure in its owner's list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Held {
    /// Its name within the transaction; ascending in order of creation.
    pub(crate) sequence: u64,
    /// Where it is queued.
    pub(crate) place: Place,
}

/// What is known of one transaction.
#[derive(Clone, Debug)]
struct Entry {
    undo_records: u64,
    inheritance: Inheritance,
    /// It has begun to let its locks go: it has no implicit locks any more.
    releasing: bool,
    next_sequence: u64,
    /// Ascending by sequence.
    held: Vec<Held>,
}

impl Entry {
    fn new() -> Self {
        Entry {
            undo_records: 0,
            inheritance: Inheritance::ALL,
            releasing: false,
            next_sequence: 0,
            held: Vec::new(),
        }
    }

    fn append(&mut self, place: Place) -> u64 {
        let sequence = self.next_sequence;
        self.next_sequence += 1;
        self.held.push(Held { sequence, place });
        sequence
    }
}

type Shard = FxHashMap<TrxId, Entry>;

/// All known transactions, sharded by identity.
///
/// Its latches are the last in the latch order and are held one at a time, never across a call.
#[derive(Debug)]
pub(crate) struct Registry {
    shards: Box<[Mutex<Shard>]>,
}

impl Registry {
    /// An empty registry of that many shards, a power of two.
    pub(crate) fn new(shards: u32) -> Self {
        Registry {
            shards: (0..shards).map(|_| Mutex::default()).collect(),
        }
    }

    /// A copy of everything.
    pub(crate) fn fork(&self) -> Self {
        Registry {
            shards: self
                .shards
                .iter()
                .map(|shard| Mutex::new(shard.lock().clone()))
                .collect(),
        }
    }

    fn shard(&self, trx: TrxId) -> &Mutex<Shard> {
        let mask = self.shards.len() as u64 - 1;
        &self.shards[(trx.0 & mask) as usize]
    }

    fn with<R>(&self, trx: TrxId, read: impl FnOnce(&mut Entry) -> R) -> Option<R> {
        self.shard(trx).lock().get_mut(&trx).map(read)
    }

    /// Makes a transaction known.
    pub(crate) fn begin(&self, trx: TrxId) {
        let before = self.shard(trx).lock().insert(trx, Entry::new());
        assert!(before.is_none(), "transaction {trx} began twice");
    }

    /// Whether the transaction is known and has not begun to let its locks go.
    pub(crate) fn is_active(&self, trx: TrxId) -> bool {
        self.with(trx, |entry| !entry.releasing).unwrap_or(false)
    }

    /// Notes that the transaction begins to let its locks go.
    pub(crate) fn begin_release(&self, trx: TrxId) {
        self.with(trx, |entry| entry.releasing = true);
    }

    /// Takes the list of structures away, to be let go. Forgets the transaction if the list is
    /// empty: nothing can be added any more, since whatever others add is derived from a lock that
    /// the transaction still has in some queue.
    pub(crate) fn take_held(&self, trx: TrxId) -> Vec<Held> {
        let mut shard = self.shard(trx).lock();
        let Some(entry) = shard.get_mut(&trx) else {
            return Vec::new();
        };
        if entry.held.is_empty() {
            shard.remove(&trx);
            return Vec::new();
        }
        std::mem::take(&mut entry.held)
    }

    /// Sets the number of undo records.
    pub(crate) fn set_undo_records(&self, trx: TrxId, records: u64) {
        self.with(trx, |entry| entry.undo_records = records);
    }

    /// Sets which locks outlive their record.
    pub(crate) fn set_inheritance(&self, trx: TrxId, inheritance: Inheritance) {
        self.with(trx, |entry| entry.inheritance = inheritance);
    }

    /// Which of the transaction's locks outlive their record.
    pub(crate) fn inheritance(&self, trx: TrxId) -> Inheritance {
        self.with(trx, |entry| entry.inheritance)
            .unwrap_or(Inheritance::NONE)
    }

    /// Adds a new structure to its owner's list and names it. The caller has latched the place.
    pub(crate) fn append(&self, trx: TrxId, place: Place) -> u64 {
        self.with(trx, |entry| entry.append(place))
            .unwrap_or_else(|| panic!("transaction {trx} asks for a lock but never began"))
    }

    /// As [`Self::append`], unless the transaction is not active.
    pub(crate) fn append_if_active(&self, trx: TrxId, place: Place) -> Option<u64> {
        self.with(trx, |entry| (!entry.releasing).then(|| entry.append(place)))
            .flatten()
    }

    /// Takes a structure off its owner's list, if it is still there.
    pub(crate) fn remove(&self, trx: TrxId, sequence: u64) {
        self.with(trx, |entry| {
            if let Ok(at) = entry
                .held
                .binary_search_by_key(&sequence, |held| held.sequence)
            {
                entry.held.remove(at);
            }
        });
    }

    /// The structures of one transaction in order of creation.
    pub(crate) fn held(&self, trx: TrxId) -> Vec<Held> {
        self.with(trx, |entry| entry.held.clone())
            .unwrap_or_default()
    }

    /// Writes what is known of a transaction, its list of structures apart (G1, G3 of `digest`).
    pub(crate) fn digest(&self, trx: TrxId, out: &mut dyn std::hash::Hasher) {
        self.with(trx, |entry| {
            let Entry {
                undo_records,
                inheritance,
                releasing,
                next_sequence: _,
                held,
            } = entry;
            out.write_u64(*undo_records);
            out.write_u8(inheritance_code(*inheritance));
            out.write_u8(u8::from(*releasing));
            out.write_usize(held.len());
        });
    }

    /// Undo records plus lock structures.
    pub(crate) fn weight(&self, trx: TrxId) -> u64 {
        self.with(trx, |entry| entry.undo_records + entry.held.len() as u64)
            .unwrap_or(0)
    }

    /// All known transactions, ascending.
    pub(crate) fn transactions(&self) -> Vec<TrxId> {
        let mut all: Vec<TrxId> = Vec::new();
        for shard in &self.shards {
            all.extend(shard.lock().keys());
        }
        all.sort_unstable();
        all
    }
}
