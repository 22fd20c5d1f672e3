//! The control file: where recovery begins.
//!
//! Two slots, of which the one with the larger sequence number counts. They are written in turn,
//! so that a torn write harms the one that does not count yet. Each lies in a block of its own:
//! a disk that can only write whole blocks of 4096 bytes does not touch the other one.
//!
//! | offset | bytes | what |
//! |---|---|---|
//! | 0 | 512 | slot of the even sequence numbers |
//! | 4096 | 512 | slot of the odd ones |
//! | 8192 | | end of the file |
//!
//! | offset in the slot | bytes | what |
//! |---|---|---|
//! | 0 | 8 | `GAPLKCTL` |
//! | 8 | 4 | format version |
//! | 12 | 4 | 1 if the database was closed in order, else 0 |
//! | 16 | 8 | identity of the database |
//! | 24 | 8 | sequence number |
//! | 32 | 8 | position at which redo begins |
//! | 40 | 8 | position up to which the log was known durable |
//! | 48 | 4 | number of the state's file: 0 or 1 |
//! | 52 | 4 | CRC-32C of the state |
//! | 56 | 8 | sequence number of the state |
//! | 64 | 8 | length of the state, in bytes |
//! | 72 | 436 | zeros |
//! | 508 | 4 | CRC-32C of bytes 0 to 507 |
//!
//! Numbers are little-endian.
//!
//! - C1. A crash at any point of a save leaves the checkpoint before or the new one.
//! - C2. If only one of the slots can be used, then the other may have been torn by a crash, or
//!   may have been the one that counted and was damaged since. The checkpoint of the slot left is
//!   a true one in either case, but that nothing was appended after it need not be true: it is
//!   never taken as clean.

use std::sync::Arc;

use crc32c::crc32c;
use parking_lot::Mutex;

use crate::{Disk, DiskError, DiskFile, Lsn};

use super::{LogError, frame::number, state::StateName};

const NAME: &str = "gaplock.control";
/// A control file being made has this name until it is complete.
const UNFINISHED: &str = "gaplock.control.new";
const MAGIC: [u8; 8] = *b"GAPLKCTL";
/// The format version written here.
const VERSION: u32 = 1;
const SLOT: usize = 512;
/// Distance of the slots, in bytes.
const BLOCK: u64 = 4096;

/// What recovery needs to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Redo begins here.
    pub redo: Lsn,
    /// The log was known durable up to here.
    pub durable: Lsn,
    /// The database was closed in order, and `durable` is the log's end.
    pub clean: bool,
    /// The user's own, of any length.
    pub state: Arc<[u8]>,
}

/// One slot's content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Slot {
    identity: u64,
    sequence: u64,
    redo: Lsn,
    durable: Lsn,
    clean: bool,
    state: StateName,
}

/// The control file, open. A latch orders those who save.
#[derive(Debug)]
pub struct Control {
    disk: Arc<dyn Disk>,
    identity: u64,
    current: Mutex<Current>,
}

#[derive(Debug)]
struct Current {
    /// The slot that counts.
    slot: Slot,
    /// The largest sequence number in the file.
    sequence: u64,
}

impl Control {
    /// Whether there is a control file, hence a database.
    ///
    /// # Errors
    /// `Disk`.
    pub fn exists(disk: &dyn Disk) -> Result<bool, LogError> {
        Ok(disk.list()?.iter().any(|name| name == NAME))
    }

    /// A new control file, with its first checkpoint; durable when this returns, and not there at
    /// all if there is a crash before.
    ///
    /// # Errors
    /// `Disk`.
    pub fn create(
        disk: Arc<dyn Disk>,
        identity: u64,
        first: &Checkpoint,
    ) -> Result<Self, LogError> {
        StateName::create_files(&*disk)?;
        let state = StateName::of(0, 0, &first.state);
        state.write(&*disk, identity, &first.state)?;
        // The states' names become durable before there is a database that relies on them.
        disk.sync_directory()?;
        let current = Current::install(&*disk, Slot::of(identity, 0, first, state))?;
        Ok(Self {
            disk,
            identity,
            current: Mutex::new(current),
        })
    }

    /// The control file that is there, and the checkpoint that counts (C2). What was read may not
    /// be durable, if a sync has failed before: it is once [`Control::mark_in_use`] has returned.
    ///
    /// # Errors
    /// `DamagedFile` if neither slot can be used; `NewerFormat`; `OtherDatabase` if the slots
    /// disagree on whose they are; `Disk`.
    pub fn open(disk: Arc<dyn Disk>) -> Result<(Self, Checkpoint), LogError> {
        let file = disk.open(NAME, false)?;
        let mut slots = Vec::new();
        for offset in [0, BLOCK] {
            slots.extend(Slot::read(&*file, offset)?);
        }
        slots.sort_by_key(|slot| std::cmp::Reverse(slot.sequence));
        if slots.len() == 2 && slots[0].identity != slots[1].identity {
            let file = NAME.to_owned();
            return Err(LogError::OtherDatabase { file });
        }
        let mut sure = slots.len() == 2;
        let mut what = "neither slot is what was written".to_owned();
        let sequence = slots.first().map_or(0, |slot| slot.sequence);
        for slot in slots {
            match slot.state.read(&*disk, slot.identity)? {
                Ok(state) => {
                    let checkpoint = slot.checkpoint(state, sure);
                    let control = Self {
                        disk,
                        identity: slot.identity,
                        current: Mutex::new(Current { slot, sequence }),
                    };
                    return Ok((control, checkpoint));
                }
                Err(wrong) => what = wrong,
            }
            sure = false;
        }
        let file = NAME.to_owned();
        Err(LogError::DamagedFile { file, what })
    }

    /// The identity of the database.
    #[must_use]
    pub fn identity(&self) -> u64 {
        self.identity
    }

    /// Makes a checkpoint the one that counts: durably, or (on a crash or an error) not at all.
    ///
    /// # Errors
    /// `Disk`; the earlier checkpoint then still counts, and another save may be tried.
    pub fn save(&self, checkpoint: &Checkpoint) -> Result<(), LogError> {
        let mut current = self.current.lock();
        let sequence = current.next();
        let file = 1 - current.slot.state.file;
        let state = StateName::of(file, sequence, &checkpoint.state);
        state.write(&*self.disk, self.identity, &checkpoint.state)?;
        let slot = Slot::of(self.identity, sequence, checkpoint, state);
        Ok(current.put(&*self.disk, slot)?)
    }

    /// Takes back that the database was closed in order: durably, before anything is appended to
    /// its log. The whole file is written anew, and with it the checkpoint that was read.
    ///
    /// # Errors
    /// `Disk`; the checkpoint that was read still counts.
    pub fn mark_in_use(&self) -> Result<(), LogError> {
        let mut current = self.current.lock();
        let slot = Slot {
            sequence: current.sequence + 1,
            clean: false,
            ..current.slot
        };
        // Should this fail, then nobody knows which file has the name.
        current.sequence += 2;
        *current = Current::install(&*self.disk, slot)?;
        Ok(())
    }
}

impl Current {
    /// Puts a control file there, in place of any that is: durably, or (on a crash) not at all.
    /// Both slots hold the same, so that one which cannot be used is never taken for one that was
    /// not used yet (C2).
    fn install(disk: &dyn Disk, first: Slot) -> Result<Self, DiskError> {
        let second = Slot {
            sequence: first.sequence + 1,
            ..first
        };
        let file = disk.open(UNFINISHED, true)?;
        file.set_len(0)?;
        for slot in [first, second] {
            file.write_at(slot.offset(), &slot.write())?;
        }
        file.set_len(2 * BLOCK)?;
        file.sync()?;
        disk.rename(UNFINISHED, NAME)?;
        disk.sync_directory()?;
        Ok(Self {
            sequence: second.sequence,
            slot: second,
        })
    }

    /// The next sequence number, of the slot that does not count.
    fn next(&self) -> u64 {
        let next = self.sequence + 1;
        next + u64::from(next % 2 == self.slot.sequence % 2)
    }

    /// Writes the slot that does not count, and lets it count.
    fn put(&mut self, disk: &dyn Disk, slot: Slot) -> Result<(), DiskError> {
        let file = disk.open(NAME, false)?;
        file.write_at(slot.offset(), &slot.write())?;
        file.sync()?;
        self.sequence = slot.sequence;
        self.slot = slot;
        Ok(())
    }
}

impl Slot {
    fn of(identity: u64, sequence: u64, checkpoint: &Checkpoint, state: StateName) -> Self {
        Self {
            identity,
            sequence,
            redo: checkpoint.redo,
            durable: checkpoint.durable,
            clean: checkpoint.clean,
            state,
        }
    }

    /// As a checkpoint; `sure` that it is the one that counted (C2).
    fn checkpoint(self, state: Arc<[u8]>, sure: bool) -> Checkpoint {
        Checkpoint {
            redo: self.redo,
            durable: self.durable,
            clean: self.clean && sure,
            state,
        }
    }

    /// Where it lies in the file.
    fn offset(self) -> u64 {
        self.sequence % 2 * BLOCK
    }

    fn write(self) -> [u8; SLOT] {
        let mut bytes = [0; SLOT];
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8..12].copy_from_slice(&VERSION.to_le_bytes());
        bytes[12..16].copy_from_slice(&u32::from(self.clean).to_le_bytes());
        bytes[16..24].copy_from_slice(&self.identity.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.sequence.to_le_bytes());
        bytes[32..40].copy_from_slice(&self.redo.0.to_le_bytes());
        bytes[40..48].copy_from_slice(&self.durable.0.to_le_bytes());
        bytes[48..52].copy_from_slice(&self.state.file.to_le_bytes());
        bytes[52..56].copy_from_slice(&self.state.checksum.to_le_bytes());
        bytes[56..64].copy_from_slice(&self.state.sequence.to_le_bytes());
        bytes[64..72].copy_from_slice(&self.state.bytes.to_le_bytes());
        let sum = crc32c(&bytes[..508]);
        bytes[508..].copy_from_slice(&sum.to_le_bytes());
        bytes
    }

    /// The slot at an offset; `None` if it is not what was written.
    fn read(file: &dyn DiskFile, offset: u64) -> Result<Option<Self>, LogError> {
        if file.len()? < offset + SLOT as u64 {
            return Ok(None);
        }
        let mut bytes = [0; SLOT];
        file.read_at(offset, &mut bytes)?;
        if bytes[..8] != MAGIC || number(&bytes[508..]) != u64::from(crc32c(&bytes[..508])) {
            return Ok(None);
        }
        let version = number(&bytes[8..12]) as u32;
        if version > VERSION {
            return Err(LogError::NewerFormat {
                file: NAME.to_owned(),
                found: version,
                supported: VERSION,
            });
        }
        let slot = Self {
            identity: number(&bytes[16..24]),
            sequence: number(&bytes[24..32]),
            redo: Lsn(number(&bytes[32..40])),
            durable: Lsn(number(&bytes[40..48])),
            clean: number(&bytes[12..16]) == 1,
            state: StateName {
                file: number(&bytes[48..52]) as u32,
                checksum: number(&bytes[52..56]) as u32,
                sequence: number(&bytes[56..64]),
                bytes: number(&bytes[64..72]),
            },
        };
        Ok((slot.state.file < 2 && slot.offset() == offset).then_some(slot))
    }
}
