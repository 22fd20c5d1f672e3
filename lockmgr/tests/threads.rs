//! Real threads on one table. Each thread runs one transaction after another and parks while it waits;
//! wake-ups are delivered by whoever caused them. A word for each record, changed only under its X
//! lock, shows whether two ever held it together. Were a wake-up lost, the test would not end.

mod support;

use std::sync::atomic::{AtomicU64, Ordering};

use gaplock_lockmgr::{
    Answer, LockConfig, LockMode, LockSpan, LockTable, OnConflict, Origin, Outcome, TableId,
    TableMode, TableRequest, TrxId, Wake, Wakeup,
};
use parking_lot::{Condvar, Mutex};
use support::{record, request};

const THREADS: u64 = 4;
const TRANSACTIONS_EACH: u64 = 400;
const RECORDS: u16 = 6;

/// Where the wake-up of one thread's transaction is left.
#[derive(Default)]
struct Mailbox {
    wake: Mutex<Option<(TrxId, Wake)>>,
    arrived: Condvar,
}

struct World {
    table: LockTable,
    mailboxes: Vec<Mailbox>,
    owners: Vec<AtomicU64>,
}

impl World {
    fn new(config: LockConfig) -> Self {
        World {
            table: LockTable::new(config),
            mailboxes: (0..THREADS).map(|_| Mailbox::default()).collect(),
            owners: (0..=RECORDS).map(|_| AtomicU64::new(0)).collect(),
        }
    }

    /// A transaction's number tells its thread.
    fn deliver(&self, wakeups: &[Wakeup]) {
        for &Wakeup { trx, wake } in wakeups {
            let mailbox = &self.mailboxes[(trx.0 % THREADS) as usize];
            let before = mailbox.wake.lock().replace((trx, wake));
            assert!(before.is_none(), "{trx} was woken twice");
            mailbox.arrived.notify_one();
        }
    }

    fn park(&self, trx: TrxId) -> Wake {
        let mailbox = &self.mailboxes[(trx.0 % THREADS) as usize];
        let mut wake = mailbox.wake.lock();
        loop {
            if let Some((woken, wake)) = wake.take() {
                assert_eq!(woken, trx, "a wake-up came after its transaction's end");
                return wake;
            }
            mailbox.arrived.wait(&mut wake);
        }
    }

    /// Whether the transaction has the lock in the end, or must roll back.
    fn finish(&self, trx: TrxId, answer: &Answer, again: impl Fn() -> Answer) -> bool {
        self.deliver(&answer.wakeups);
        match answer.outcome {
            Outcome::Granted { .. } => true,
            Outcome::Victim | Outcome::Refused | Outcome::QueueFull => false,
            Outcome::Waiting => {
                self.deliver(&self.table.sweep().wakeups);
                match self.park(trx) {
                    Wake::Granted => true,
                    Wake::Retry => self.finish(trx, &again(), &again as &dyn Fn() -> Answer),
                    Wake::Victim | Wake::TimedOut => false,
                }
            }
        }
    }

    fn lock_table(&self, trx: TrxId) -> bool {
        let ask = || {
            self.table.request_table(&TableRequest {
                trx,
                table: TableId(7),
                mode: TableMode::IX,
                on_conflict: OnConflict::Wait(u64::MAX),
                origin: Origin::default(),
            })
        };
        self.finish(trx, &ask(), ask)
    }

    /// Locks a record, which may first be somebody's implicitly: then that is made explicit.
    fn lock_record(&self, trx: TrxId, heap: u16, mode: LockMode, span: LockSpan) -> bool {
        let ask = || {
            let owner = TrxId(self.owners[heap as usize].load(Ordering::SeqCst));
            if owner != TrxId(0) && owner != trx {
                self.table
                    .convert_implicit(owner, record(heap), Origin::default());
            }
            self.table.request_record(&request(trx.0, heap, mode, span))
        };
        self.finish(trx, &ask(), ask)
    }

    /// One transaction: some shared and gap locks, and changes of some records under X locks.
    fn transaction(&self, trx: TrxId, dice: &mut Dice) {
        self.table.begin(trx);
        let mut changed = Vec::new();
        let mut alive = self.lock_table(trx);
        for _ in 0..1 + dice.roll(4) {
            if !alive {
                break;
            }
            let heap = 2 + dice.roll(u64::from(RECORDS) - 1) as u16;
            match dice.roll(8) {
                0 => alive = self.lock_record(trx, heap, LockMode::S, LockSpan::NextKey),
                1 => alive = self.lock_record(trx, heap, LockMode::X, LockSpan::InsertIntention),
                2 => alive = self.lock_record(trx, 1, LockMode::S, LockSpan::NextKey),
                3 => self
                    .table
                    .inherit_on_insert(record(RECORDS + 1), record(heap)),
                _ => {
                    alive = self.lock_record(trx, heap, LockMode::X, LockSpan::Record);
                    if alive && !changed.contains(&heap) {
                        let before = self.owners[heap as usize].swap(trx.0, Ordering::SeqCst);
                        assert_eq!(before, 0, "{before} and {trx} both have {heap}");
                        changed.push(heap);
                    }
                }
            }
        }
        for heap in changed {
            assert_eq!(self.owners[heap as usize].swap(0, Ordering::SeqCst), trx.0);
        }
        self.deliver(&self.table.release_all(trx));
        self.deliver(&self.table.sweep().wakeups);
    }
}

/// A small generator of the program's own (xorshift), so that each thread repeats its program.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }
}

fn stress(config: LockConfig) {
    let world = World::new(config);
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let world = &world;
            scope.spawn(move || {
                let mut dice = Dice(thread + 1);
                for turn in 1..=TRANSACTIONS_EACH {
                    world.transaction(TrxId(turn * THREADS + thread), &mut dice);
                }
            });
        }
    });
    world.table.check().unwrap();
    assert!(world.table.locks().is_empty());
}

#[test]
fn by_arrival_with_a_search_at_each_wait() {
    stress(support::ARRIVAL);
}

#[test]
fn by_weight_with_sweeps() {
    stress(support::WEIGHT);
}

#[test]
fn by_arrival_with_one_edge() {
    stress(support::BRENT);
}

/// The owner's end races with others who make its implicit lock explicit: either the lock is
/// refused, or the owner's release finds it. None may outlive its owner.
#[test]
fn no_explicit_lock_outlives_its_owner() {
    let table = LockTable::new(support::ARRIVAL);
    for turn in 1..=500 {
        let trx = TrxId(turn);
        table.begin(trx);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for heap in 2..6 {
                    table.convert_implicit(trx, record(heap), Origin::default());
                }
            });
            let wakeups = table.release_all(trx);
            assert!(wakeups.is_empty());
        });
        assert!(table.locks().is_empty());
        table.check().unwrap();
    }
}
