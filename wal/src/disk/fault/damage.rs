//! Damage at rest: what is stored changes though nobody wrote.

use std::io::ErrorKind;

use super::{FaultDisk, state::Inode};
use crate::disk::{DiskError, content::Content};

/// A change behind everybody's back. Bytes beyond the end are not touched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Damage {
    /// One bit is turned over.
    FlipBit {
        /// The byte.
        offset: u64,
        /// The bit in it, 0 to 7.
        bit: u8,
    },
    /// Bytes are set: one wrong byte; or an old page put back, or one that belongs elsewhere.
    Set {
        /// The first byte.
        offset: u64,
        /// What is then there.
        bytes: Vec<u8>,
    },
    /// Bytes are zero.
    Zero {
        /// The first byte.
        offset: u64,
        /// How many.
        length: u64,
    },
    /// Two parts of the file trade places.
    Swap {
        /// The first byte of one.
        offset: u64,
        /// The first byte of the other.
        with: u64,
        /// Bytes of each.
        length: u64,
    },
    /// A part of the file lies over another one as well: a write that went astray.
    Copy {
        /// The first byte to be copied.
        offset: u64,
        /// Where it goes.
        to: u64,
        /// How many bytes.
        length: u64,
    },
    /// The file ends early.
    Truncate {
        /// Its length.
        length: u64,
    },
    /// Bytes follow the end.
    Extend {
        /// They.
        bytes: Vec<u8>,
    },
}

impl Damage {
    fn apply(&self, bytes: &mut Vec<u8>) {
        let end = bytes.len();
        let place = |offset: u64, length: u64| {
            let start = usize::try_from(offset).map_or(end, |offset| offset.min(end));
            let length = usize::try_from(length).map_or(end, |length| length.min(end));
            start..start.saturating_add(length).min(end)
        };
        match self {
            Self::FlipBit { offset, bit } => {
                for byte in &mut bytes[place(*offset, 1)] {
                    *byte ^= 1 << (bit % 8);
                }
            }
            Self::Set { offset, bytes: new } => {
                let place = place(*offset, new.len() as u64);
                let count = place.len();
                bytes[place].copy_from_slice(&new[..count]);
            }
            Self::Zero { offset, length } => bytes[place(*offset, *length)].fill(0),
            Self::Swap {
                offset,
                with,
                length,
            } => {
                let (here, there) = (place(*offset, *length), place(*with, *length));
                for (here, there) in here.zip(there) {
                    bytes.swap(here, there);
                }
            }
            Self::Copy { offset, to, length } => {
                let source = bytes[place(*offset, *length)].to_vec();
                let target = place(*to, source.len() as u64);
                let count = target.len();
                bytes[target].copy_from_slice(&source[..count]);
            }
            Self::Truncate { length } => bytes.truncate(place(*length, 0).start),
            Self::Extend { bytes: more } => bytes.extend_from_slice(more),
        }
    }
}

impl FaultDisk {
    /// Damages a file: as it is read, and as a crash leaves it. Its unsynced changes, if any, become
    /// durable before.
    ///
    /// # Errors
    /// `NotFound` if there is no such file; `InvalidInput` if it would be longer than 64 GiB.
    pub fn damage(&self, name: &str, damage: &Damage) -> Result<(), DiskError> {
        let fail = |kind| DiskError::of_kind("damage", name, kind);
        let mut inner = self.inner.lock();
        let file = inner.state.names.get(name).copied();
        let inode = file.and_then(|file| inner.state.file_mut(file));
        let inode = inode.ok_or_else(|| fail(ErrorKind::NotFound))?;
        let mut bytes = inode.seen.to_vec();
        damage.apply(&mut bytes);
        let mut content = Content::default();
        content.write(0, &bytes).map_err(fail)?;
        let (open, name) = (inode.open, inode.name.clone());
        *inode = Inode::new(name, content);
        inode.open = open;
        Ok(())
    }
}
