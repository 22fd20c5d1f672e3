//! Files in memory, copied on write.
//!
//! Content is an array of chunks behind `Arc`s, itself behind an `Arc`: forking a disk copies one
//! pointer a file, the first write after it copies the array, and each chunk is copied when it is
//! first written.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::ErrorKind,
    sync::Arc,
};

use parking_lot::{Mutex, RwLock};

use super::{Disk, DiskError, DiskFile, DiskLock, check_name};

const CHUNK: usize = 16 * 1024;

/// Files in memory.
#[derive(Debug, Default)]
pub struct MemoryDisk {
    files: Mutex<BTreeMap<String, Arc<MemoryFile>>>,
    locks: Arc<Mutex<BTreeSet<String>>>,
}

/// Takes its name off the locked ones when it is dropped.
struct Locked {
    name: String,
    locks: Arc<Mutex<BTreeSet<String>>>,
}

impl Drop for Locked {
    fn drop(&mut self) {
        self.locks.lock().remove(&self.name);
    }
}

impl MemoryDisk {
    /// A disk without files.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

impl Disk for MemoryDisk {
    fn open(&self, name: &str, create: bool) -> Result<Arc<dyn DiskFile>, DiskError> {
        check_name("open", name)?;
        let mut files = self.files.lock();
        if let Some(file) = files.get(name) {
            return Ok(Arc::clone(file) as Arc<dyn DiskFile>);
        }
        if !create {
            return Err(DiskError::of_kind("open", name, ErrorKind::NotFound));
        }
        let file = Arc::new(MemoryFile {
            name: name.to_owned(),
            content: RwLock::default(),
        });
        files.insert(name.to_owned(), Arc::clone(&file));
        Ok(file)
    }

    fn list(&self) -> Result<Vec<String>, DiskError> {
        Ok(self.files.lock().keys().cloned().collect())
    }

    fn remove(&self, name: &str) -> Result<(), DiskError> {
        check_name("remove", name)?;
        match self.files.lock().remove(name) {
            Some(_) => Ok(()),
            None => Err(DiskError::of_kind("remove", name, ErrorKind::NotFound)),
        }
    }

    fn rename(&self, from: &str, to: &str) -> Result<(), DiskError> {
        check_name("rename", from)?;
        check_name("rename", to)?;
        let mut files = self.files.lock();
        let file = files
            .remove(from)
            .ok_or_else(|| DiskError::of_kind("rename", from, ErrorKind::NotFound))?;
        files.insert(to.to_owned(), file);
        Ok(())
    }

    fn sync_directory(&self) -> Result<(), DiskError> {
        Ok(())
    }

    fn lock(&self, name: &str) -> Result<DiskLock, DiskError> {
        self.open(name, true)?;
        if !self.locks.lock().insert(name.to_owned()) {
            return Err(DiskLock::in_use(name));
        }
        let guard = Locked {
            name: name.to_owned(),
            locks: Arc::clone(&self.locks),
        };
        Ok(DiskLock::new(name, guard))
    }

    /// Nobody holds a lock in the copy.
    fn fork(&self) -> Option<Arc<dyn Disk>> {
        let files = self.files.lock();
        let copy = files
            .iter()
            .map(|(name, file)| {
                let file = MemoryFile {
                    name: name.clone(),
                    content: RwLock::new(file.content.read().clone()),
                };
                (name.clone(), Arc::new(file))
            })
            .collect();
        Some(Arc::new(Self {
            files: Mutex::new(copy),
            locks: Arc::default(),
        }))
    }
}

#[derive(Debug)]
struct MemoryFile {
    /// The name it was created with: errors tell it, even after a rename.
    name: String,
    content: RwLock<Content>,
}

/// Bytes beyond `len` in the last chunk are zero.
#[derive(Clone, Debug, Default)]
struct Content {
    len: usize,
    chunks: Arc<Vec<Arc<[u8; CHUNK]>>>,
}

impl Content {
    /// Cuts or extends. Keeps the bytes beyond the end zero, so that extending shows zeros.
    fn resize(&mut self, len: usize) {
        if len == self.len {
            return;
        }
        let chunks = Arc::make_mut(&mut self.chunks);
        if len < self.len && !len.is_multiple_of(CHUNK) {
            Arc::make_mut(&mut chunks[len / CHUNK])[len % CHUNK..].fill(0);
        }
        let count = len.div_ceil(CHUNK);
        chunks.truncate(count);
        if chunks.len() < count {
            let zeros = Arc::new([0; CHUNK]);
            chunks.resize(count, zeros);
        }
        self.len = len;
    }
}

/// The parts, chunk by chunk, of `length` bytes at `offset`: chunk, first byte in it, and bytes.
fn parts(offset: usize, length: usize) -> impl Iterator<Item = (usize, usize, usize)> {
    let mut done = 0;
    std::iter::from_fn(move || {
        let at = offset + done;
        let count = (CHUNK - at % CHUNK).min(length - done);
        done += count;
        (count > 0).then_some((at / CHUNK, at % CHUNK, count))
    })
}

impl MemoryFile {
    fn position(&self, operation: &'static str, at: u64) -> Result<usize, DiskError> {
        usize::try_from(at)
            .map_err(|_| DiskError::of_kind(operation, &self.name, ErrorKind::InvalidInput))
    }
}

impl DiskFile for MemoryFile {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), DiskError> {
        let offset = self.position("read", offset)?;
        let content = self.content.read();
        if offset.saturating_add(buffer.len()) > content.len {
            return Err(DiskError::of_kind(
                "read",
                &self.name,
                ErrorKind::UnexpectedEof,
            ));
        }
        let mut rest = buffer;
        for (chunk, start, count) in parts(offset, rest.len()) {
            let (now, later) = rest.split_at_mut(count);
            now.copy_from_slice(&content.chunks[chunk][start..start + count]);
            rest = later;
        }
        Ok(())
    }

    fn write_at(&self, offset: u64, data: &[u8]) -> Result<(), DiskError> {
        let offset = self.position("write", offset)?;
        let mut content = self.content.write();
        if data.is_empty() {
            return Ok(());
        }
        let end = offset.saturating_add(data.len());
        if end > content.len {
            content.resize(end);
        }
        let chunks = Arc::make_mut(&mut content.chunks);
        let mut rest = data;
        for (chunk, start, count) in parts(offset, data.len()) {
            let (now, later) = rest.split_at(count);
            Arc::make_mut(&mut chunks[chunk])[start..start + count].copy_from_slice(now);
            rest = later;
        }
        Ok(())
    }

    fn sync(&self) -> Result<(), DiskError> {
        Ok(())
    }

    fn len(&self) -> Result<u64, DiskError> {
        Ok(self.content.read().len as u64)
    }

    fn set_len(&self, len: u64) -> Result<(), DiskError> {
        let len = self.position("set length", len)?;
        self.content.write().resize(len);
        Ok(())
    }
}
