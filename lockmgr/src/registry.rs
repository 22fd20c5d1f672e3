//! The transactions that the lock table knows, each with the list of its lock structures.
//!
//! A structure belongs to two lists: its resource's queue and its owner's list here. The owner's
//! list is in order of creation, which is the order in which locks are shown and, backwards, in
//! which they are let go. Others add to it too: they make the owner's implicit locks explicit, and
//! records that move take their locks along.

use parking_lot::Mutex;
use rustc_hash::FxHashMap;

use crate::digest::inheritance_code;
use crate::{Inheritance, PageAddress, Party, Seniority, TableId, TrxId};

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

/// Whether a transaction has to roll back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Not that anybody knew.
    Alive,
    /// It was wounded while it ran, and has not been told yet.
    Wounded,
    /// It has been told.
    Told,
}

/// What is known of one transaction.
#[derive(Clone, Debug)]
struct Entry {
    undo_records: u64,
    seniority: Seniority,
    inheritance: Inheritance,
    fate: Fate,
    /// It waits, or did a moment ago: whoever lets its locks go has to look.
    waits: bool,
    /// It has begun to let its locks go: it has no implicit locks any more.
    releasing: bool,
    next_sequence: u64,
    /// Ascending by sequence.
    held: Vec<Held>,
}

impl Entry {
    fn new(seniority: Seniority, held: Vec<Held>) -> Self {
        Entry {
            undo_records: 0,
            seniority,
            inheritance: Inheritance::ALL,
            fate: Fate::Alive,
            waits: false,
            releasing: false,
            next_sequence: 0,
            held,
        }
    }

    fn append(&mut self, place: Place) -> u64 {
        let sequence = self.next_sequence;
        self.next_sequence += 1;
        self.held.push(Held { sequence, place });
        sequence
    }
}

/// Memory of ended lists that a shard keeps for the next ones.
const SPARES_MAX: usize = 16;

/// Longest list whose memory is kept.
const SPARE_CAPACITY_MAX: usize = 256;

/// The transactions whose ids end alike.
#[derive(Debug, Default)]
struct Shard {
    entries: FxHashMap<TrxId, Entry>,
    spares: Vec<Vec<Held>>,
}

impl Clone for Shard {
    fn clone(&self) -> Self {
        Shard {
            entries: self.entries.clone(),
            spares: Vec::new(),
        }
    }
}

/// A shard on cache lines of its own.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Padded(Mutex<Shard>);

/// What a transaction leaves behind when it begins to let its locks go.
#[derive(Debug, Default)]
pub(crate) struct Ending {
    /// Its structures so far, in order of creation.
    pub(crate) held: Vec<Held>,
    /// It may be waiting.
    pub(crate) waits: bool,
    /// It was wounded, and ends without ever having been told.
    pub(crate) wounded: bool,
}

/// All known transactions, sharded by identity.
///
/// Its latches are the last in the latch order and are held one at a time, never across a call.
#[derive(Debug)]
pub(crate) struct Registry {
    shards: Box<[Padded]>,
}

impl Registry {
    /// An empty registry of that many shards, a power of two.
    pub(crate) fn new(shards: u32) -> Self {
        Registry {
            shards: (0..shards).map(|_| Padded::default()).collect(),
        }
    }

    /// A copy of everything.
    pub(crate) fn fork(&self) -> Self {
        Registry {
            shards: self
                .shards
                .iter()
                .map(|shard| Padded(Mutex::new(shard.0.lock().clone())))
                .collect(),
        }
    }

    fn shard(&self, trx: TrxId) -> &Mutex<Shard> {
        let mask = self.shards.len() as u64 - 1;
        &self.shards[(trx.0 & mask) as usize].0
    }

    fn with<R>(&self, trx: TrxId, read: impl FnOnce(&mut Entry) -> R) -> Option<R> {
        self.shard(trx).lock().entries.get_mut(&trx).map(read)
    }

    /// Makes a transaction known.
    pub(crate) fn begin(&self, trx: TrxId, seniority: Seniority) {
        let mut shard = self.shard(trx).lock();
        let memory = shard.spares.pop().unwrap_or_default();
        let before = shard.entries.insert(trx, Entry::new(seniority, memory));
        assert!(before.is_none(), "transaction {trx} began twice");
    }

    /// Whether the transaction is known and has not begun to let its locks go.
    pub(crate) fn is_active(&self, trx: TrxId) -> bool {
        self.with(trx, |entry| !entry.releasing).unwrap_or(false)
    }

    /// The transaction begins to let its locks go: from now on it has no implicit ones. Its list is
    /// taken away, to be let go; others may still add to what is then a new one.
    pub(crate) fn begin_release(&self, trx: TrxId) -> Ending {
        let end = |entry: &mut Entry| {
            entry.releasing = true;
            Ending {
                held: std::mem::take(&mut entry.held),
                waits: entry.waits,
                wounded: std::mem::replace(&mut entry.fate, Fate::Told) == Fate::Wounded,
            }
        };
        self.with(trx, end).unwrap_or_default()
    }

    /// What others have added since the list was last taken. Forgets the transaction if that is
    /// nothing: nothing can be added any more, since whatever others add is derived from a lock that
    /// the transaction still has in some queue. `memory` is a list that nobody needs any longer.
    pub(crate) fn take_held(&self, trx: TrxId, mut memory: Vec<Held>) -> Vec<Held> {
        let mut shard = self.shard(trx).lock();
        let Some(entry) = shard.entries.get_mut(&trx) else {
            return Vec::new();
        };
        if !entry.held.is_empty() {
            return std::mem::take(&mut entry.held);
        }
        shard.entries.remove(&trx);
        if shard.spares.len() < SPARES_MAX && memory.capacity() <= SPARE_CAPACITY_MAX {
            memory.clear();
            shard.spares.push(memory);
        }
        Vec::new()
    }

    /// Notes that the transaction begins to wait, or no longer does.
    pub(crate) fn set_waits(&self, trx: TrxId, waits: bool) {
        self.with(trx, |entry| entry.waits = waits);
    }

    /// Notes that the transaction is to roll back when it next asks for anything, unless it ends or
    /// was told so already. Returns its fate before; `None` if it is not known.
    pub(crate) fn wound(&self, trx: TrxId) -> Option<Fate> {
        self.with(trx, |entry| {
            let before = entry.fate;
            if before == Fate::Alive {
                entry.fate = Fate::Wounded;
            }
            before
        })
    }

    /// Whether the transaction is to roll back and does not know.
    pub(crate) fn is_wounded(&self, trx: TrxId) -> bool {
        self.with(trx, |entry| entry.fate == Fate::Wounded)
            .unwrap_or(false)
    }

    /// The transaction is told that it has to roll back. Returns its fate before.
    pub(crate) fn tell(&self, trx: TrxId) -> Option<Fate> {
        self.with(trx, |entry| std::mem::replace(&mut entry.fate, Fate::Told))
    }

    /// How the transaction looks to a policy, while it is known.
    pub(crate) fn party(&self, trx: TrxId) -> Option<Party> {
        self.with(trx, |entry| Party {
            trx,
            age: entry.seniority.age.unwrap_or(trx.0),
            restarts: entry.seniority.restarts,
            priority: entry.seniority.priority,
            undo_records: entry.undo_records,
            structures: entry.held.len() as u64,
        })
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
                // Ages count by their order, which is written apart.
                seniority:
                    Seniority {
                        age: _,
                        restarts,
                        priority,
                    },
                inheritance,
                fate,
                // Those who wait are written apart.
                waits: _,
                releasing,
                next_sequence: _,
                held,
            } = entry;
            out.write_u32(*restarts);
            out.write_i32(*priority);
            out.write_u8(*fate as u8);
            out.write_u64(*undo_records);
            out.write_u8(inheritance_code(*inheritance));
            out.write_u8(u8::from(*releasing));
            out.write_usize(held.len());
        });
    }

    /// All known transactions, ascending.
    pub(crate) fn transactions(&self) -> Vec<TrxId> {
        let mut all: Vec<TrxId> = Vec::new();
        for shard in &self.shards {
            all.extend(shard.0.lock().entries.keys());
        }
        all.sort_unstable();
        all
    }
}
