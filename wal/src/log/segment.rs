//! A segment's header, and how a segment comes to be.
//!
//! | offset | bytes | what |
//! |---|---|---|
//! | 0 | 8 | `GAPLKLOG` |
//! | 8 | 4 | format version |
//! | 12 | 4 | length of the file, in bytes |
//! | 16 | 8 | identity of the database |
//! | 24 | 8 | number of the segment |
//! | 32 | 4 | CRC-32C of bytes 0 to 31 |
//! | 36 | 4060 | zeros |
//! | 4096 | | positions `number * capacity` and on; capacity is the length less 4096 |
//!
//! Numbers are little-endian. These fields keep their places in every version.

use std::sync::Arc;

use crc32c::crc32c;

use crate::{Disk, DiskError, DiskFile, Lsn};

use super::{
    LogError,
    frame::number,
    layout::{Layout, SEGMENT_HEADER, SEGMENT_MAX, UNFINISHED, segment_name},
};

const MAGIC: [u8; 8] = *b"GAPLKLOG";
/// The format version written here.
const VERSION: u32 = 1;
/// Bytes that a header needs.
const HEADER_BYTES: usize = 36;
/// A new segment is filled by writes of this many bytes.
const FILL_BYTES: usize = 1024 * 1024;

/// What a segment says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SegmentHeader {
    pub(super) layout: Layout,
    pub(super) identity: u64,
    pub(super) number: u64,
}

impl SegmentHeader {
    fn write(self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(SEGMENT_HEADER as usize);
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        bytes.extend_from_slice(&self.layout.segment_bytes().to_le_bytes());
        bytes.extend_from_slice(&self.identity.to_le_bytes());
        bytes.extend_from_slice(&self.number.to_le_bytes());
        bytes.extend_from_slice(&crc32c(&bytes).to_le_bytes());
        bytes.resize(SEGMENT_HEADER as usize, 0);
        bytes
    }

    /// Reads the header of a file. `Err` inside says what is wrong with it.
    pub(super) fn read(file: &dyn DiskFile, name: &str) -> Result<Result<Self, String>, LogError> {
        let mut bytes = [0; HEADER_BYTES];
        if file.len()? < HEADER_BYTES as u64 {
            return Ok(Err("the file is too short for a header".into()));
        }
        file.read_at(0, &mut bytes)?;
        let sum = number(&bytes[32..]) as u32;
        if bytes[..8] != MAGIC || crc32c(&bytes[..32]) != sum {
            return Ok(Err("the header is not what was written".into()));
        }
        let version = number(&bytes[8..12]) as u32;
        if version > VERSION {
            return Err(LogError::NewerFormat {
                file: name.to_owned(),
                found: version,
                supported: VERSION,
            });
        }
        Ok(
            Layout::new(number(&bytes[12..16]) as u32).map(|layout| Self {
                layout,
                identity: number(&bytes[16..24]),
                number: number(&bytes[24..32]),
            }),
        )
    }

    /// Opens a segment and reads its header: it must be the one expected, whole.
    pub(super) fn open_checked(self, disk: &dyn Disk) -> Result<Arc<dyn DiskFile>, LogError> {
        let name = segment_name(self.number);
        let file = disk.open(&name, false)?;
        let damaged = |what| LogError::Damaged {
            file: name.clone(),
            position: Lsn(self.layout.start(self.number)),
            what,
        };
        let found = Self::read(&*file, &name)?.map_err(damaged)?;
        if found.identity != self.identity {
            return Err(LogError::OtherDatabase { file: name });
        }
        if found != self {
            let what = format!(
                "the header is that of segment {} with {} bytes",
                found.number,
                found.layout.segment_bytes()
            );
            return Err(damaged(what));
        }
        let (length, whole) = (file.len()?, self.layout.segment_bytes());
        if length < u64::from(whole) {
            let what = format!("the file has {length} bytes instead of {whole}");
            return Err(damaged(what));
        }
        Ok(file)
    }

    /// Makes a segment: zeros throughout, durable, and complete before it has its name.
    pub(super) fn create(self, disk: &dyn Disk) -> Result<Arc<dyn DiskFile>, DiskError> {
        let made = self.fill_and_rename(disk);
        if made.is_err() {
            // Half a segment would keep the space that others may be short of.
            let _ = disk.remove(UNFINISHED);
        }
        made
    }

    fn fill_and_rename(self, disk: &dyn Disk) -> Result<Arc<dyn DiskFile>, DiskError> {
        self.check_number()?;
        let file = disk.open(UNFINISHED, true)?;
        file.set_len(0)?;
        let length = u64::from(self.layout.segment_bytes());
        let zeros = vec![0; FILL_BYTES.min(self.layout.segment_bytes() as usize)];
        let mut at = 0;
        while at < length {
            let count = zeros.len().min((length - at) as usize);
            file.write_at(at, &zeros[..count])?;
            at += count as u64;
        }
        self.finish(disk, file)
    }

    /// Turns a segment that is no longer needed into this one. Its old content stays: frames name
    /// their positions, and none of those is a position of this segment.
    pub(super) fn recycle(self, disk: &dyn Disk, old: u64) -> Result<Arc<dyn DiskFile>, DiskError> {
        self.check_number()?;
        disk.rename(&segment_name(old), UNFINISHED)?;
        let file = disk.open(UNFINISHED, false)?;
        self.finish(disk, file)
    }

    fn finish(
        self,
        disk: &dyn Disk,
        file: Arc<dyn DiskFile>,
    ) -> Result<Arc<dyn DiskFile>, DiskError> {
        file.write_at(0, &self.write())?;
        file.sync()?;
        let name = segment_name(self.number);
        disk.rename(UNFINISHED, &name)?;
        let synced = disk.sync_directory();
        if synced.is_err() {
            // Nobody may come upon a name that is not durable and take it for one that is.
            let _ = disk.remove(&name);
        }
        synced.map(|()| file)
    }

    fn check_number(self) -> Result<(), DiskError> {
        if self.number <= SEGMENT_MAX {
            return Ok(());
        }
        let kind = std::io::ErrorKind::InvalidInput;
        Err(DiskError::of_kind(
            "create",
            &segment_name(self.number),
            kind,
        ))
    }
}
