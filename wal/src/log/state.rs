//! The user's state of a checkpoint, in a file of its own.
//!
//! | offset | bytes | what |
//! |---|---|---|
//! | 0 | 8 | `GAPLKCKP` |
//! | 8 | 4 | format version |
//! | 12 | 4 | CRC-32C of bytes 0 to 11 and 16 to 47 |
//! | 16 | 8 | identity of the database |
//! | 24 | 8 | sequence number of the checkpoint that it was written for |
//! | 32 | 8 | length of the state, in bytes |
//! | 40 | 4 | CRC-32C of the state |
//! | 44 | 4 | zeros |
//! | 48 | | the state; the file ends with it |
//!
//! Numbers are little-endian. There are two such files; the control file names the one that
//! counts, with its sequence number, length and checksum, and the other one is overwritten next.

use std::sync::Arc;

use crc32c::{crc32c, crc32c_append};

use crate::{Disk, DiskError};

use super::{LogError, frame::number};

const MAGIC: [u8; 8] = *b"GAPLKCKP";
/// The format version written here.
const VERSION: u32 = 1;
/// Bytes of the header.
const HEADER: usize = 48;

/// What the control file says of a state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct StateName {
    /// Which of the two files.
    pub(super) file: u32,
    /// The checkpoint that it was written for.
    pub(super) sequence: u64,
    pub(super) bytes: u64,
    pub(super) checksum: u32,
}

pub(super) fn state_file(file: u32) -> String {
    format!("gaplock.checkpoint.{file}")
}

impl StateName {
    pub(super) fn of(file: u32, sequence: u64, state: &[u8]) -> Self {
        Self {
            file,
            sequence,
            bytes: state.len() as u64,
            checksum: crc32c(state),
        }
    }

    fn header(self, identity: u64) -> [u8; HEADER] {
        let mut header = [0; HEADER];
        header[..8].copy_from_slice(&MAGIC);
        header[8..12].copy_from_slice(&VERSION.to_le_bytes());
        header[16..24].copy_from_slice(&identity.to_le_bytes());
        header[24..32].copy_from_slice(&self.sequence.to_le_bytes());
        header[32..40].copy_from_slice(&self.bytes.to_le_bytes());
        header[40..44].copy_from_slice(&self.checksum.to_le_bytes());
        let sum = checksum(&header);
        header[12..16].copy_from_slice(&sum.to_le_bytes());
        header
    }

    /// Makes both files, empty. Their names never change once they are durable. Those that an
    /// earlier attempt left go first: a sync may have failed on their names, which another one
    /// would then not make durable.
    pub(super) fn create_files(disk: &dyn Disk) -> Result<(), DiskError> {
        let names = disk.list()?;
        for name in [state_file(0), state_file(1)] {
            if names.contains(&name) {
                disk.remove(&name)?;
            }
            disk.open(&name, true)?;
        }
        Ok(())
    }

    /// Writes it; durable when this returns.
    pub(super) fn write(
        self,
        disk: &dyn Disk,
        identity: u64,
        state: &[u8],
    ) -> Result<(), DiskError> {
        let file = disk.open(&state_file(self.file), false)?;
        let mut all = self.header(identity).to_vec();
        all.extend_from_slice(state);
        file.write_at(0, &all)?;
        file.set_len(all.len() as u64)?;
        file.sync()
    }

    /// Reads it back; `Err` inside says what is wrong with it.
    pub(super) fn read(
        self,
        disk: &dyn Disk,
        identity: u64,
    ) -> Result<Result<Arc<[u8]>, String>, LogError> {
        let name = state_file(self.file);
        let file = match disk.open(&name, false) {
            Ok(file) => file,
            Err(error) if error.kind == std::io::ErrorKind::NotFound => {
                return Ok(Err(format!("{name} is gone")));
            }
            Err(error) => return Err(error.into()),
        };
        let length = file.len()?;
        let mut header = [0; HEADER];
        if length < HEADER as u64 {
            return Ok(Err(format!("{name} is too short")));
        }
        file.read_at(0, &mut header)?;
        let version = number(&header[8..12]) as u32;
        if header[..8] != MAGIC || number(&header[12..16]) != u64::from(checksum(&header)) {
            return Ok(Err(format!("the header of {name} is not what was written")));
        }
        if version > VERSION {
            return Err(LogError::NewerFormat {
                file: name,
                found: version,
                supported: VERSION,
            });
        }
        if header != self.header(identity) || length != HEADER as u64 + self.bytes {
            return Ok(Err(format!("{name} holds another state")));
        }
        let mut state = vec![0; self.bytes as usize];
        file.read_at(HEADER as u64, &mut state)?;
        if crc32c(&state) != self.checksum {
            return Ok(Err(format!("the state in {name} is not what was written")));
        }
        Ok(Ok(state.into()))
    }
}

fn checksum(header: &[u8; HEADER]) -> u32 {
    crc32c_append(crc32c(&header[..12]), &header[16..])
}
