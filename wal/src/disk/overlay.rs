//! A disk that reads another one and keeps what is written to itself.
//!
//! Whoever wants to look at a database that has to be recovered first (a check, a copy) works on an
//! overlay: what lies below is not changed, whatever happens above.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::ErrorKind,
    sync::Arc,
};

use parking_lot::Mutex;

use super::{Disk, DiskError, DiskFile, DiskLock, check_name};

/// Bytes that are copied when the first of them is written.
const BLOCK: u64 = 4096;

/// Reads another disk, and keeps what is written to itself, in memory.
#[derive(Debug)]
pub struct OverlayDisk {
    below: Arc<dyn Disk>,
    names: Mutex<Names>,
}

#[derive(Debug, Default)]
struct Names {
    /// Files that were opened or made here.
    files: BTreeMap<String, Arc<OverlayFile>>,
    /// Names below that mean nothing here any more.
    gone: BTreeSet<String>,
}

impl OverlayDisk {
    /// An overlay of `below`, whose files nobody may change meanwhile.
    #[must_use]
    pub fn new(below: Arc<dyn Disk>) -> Self {
        Self {
            below,
            names: Mutex::default(),
        }
    }
}

impl Names {
    fn find(&mut self, below: &dyn Disk, name: &str) -> Result<Arc<OverlayFile>, DiskError> {
        if let Some(file) = self.files.get(name) {
            return Ok(Arc::clone(file));
        }
        if self.gone.contains(name) {
            return Err(DiskError::of_kind("open", name, ErrorKind::NotFound));
        }
        let file = OverlayFile::over(name, Some(below.open(name, false)?))?;
        self.files.insert(name.to_owned(), Arc::clone(&file));
        Ok(file)
    }
}

impl Disk for OverlayDisk {
    fn open(&self, name: &str, create: bool) -> Result<Arc<dyn DiskFile>, DiskError> {
        check_name("open", name)?;
        let mut names = self.names.lock();
        match names.find(&*self.below, name) {
            Err(error) if error.kind == ErrorKind::NotFound && create => {
                let file = OverlayFile::over(name, None)?;
                names.files.insert(name.to_owned(), Arc::clone(&file));
                Ok(file)
            }
            found => Ok(found?),
        }
    }

    fn list(&self) -> Result<Vec<String>, DiskError> {
        let names = self.names.lock();
        let mut all: BTreeSet<String> = self.below.list()?.into_iter().collect();
        all.retain(|name| !names.gone.contains(name));
        all.extend(names.files.keys().cloned());
        Ok(all.into_iter().collect())
    }

    fn remove(&self, name: &str) -> Result<(), DiskError> {
        check_name("remove", name)?;
        let mut names = self.names.lock();
        names.find(&*self.below, name)?;
        names.files.remove(name);
        names.gone.insert(name.to_owned());
        Ok(())
    }

    fn rename(&self, from: &str, to: &str) -> Result<(), DiskError> {
        check_name("rename", from)?;
        check_name("rename", to)?;
        let mut names = self.names.lock();
        let file = names.find(&*self.below, from)?;
        names.files.remove(from);
        names.gone.insert(from.to_owned());
        names.files.insert(to.to_owned(), file);
        Ok(())
    }

    fn sync_directory(&self) -> Result<(), DiskError> {
        Ok(())
    }

    fn fork(&self) -> Option<Arc<dyn Disk>> {
        None
    }

    /// Of the disk below: nobody else may change it meanwhile.
    fn lock(&self, name: &str) -> Result<DiskLock, DiskError> {
        self.below.lock(name)
    }
}

#[derive(Debug)]
struct OverlayFile {
    name: String,
    below: Option<Arc<dyn DiskFile>>,
    state: Mutex<Content>,
}

#[derive(Debug)]
struct Content {
    len: u64,
    /// Below this, blocks that were not written here are those of the file below; from it on, zeros.
    below_len: u64,
    blocks: BTreeMap<u64, Box<[u8]>>,
}

impl OverlayFile {
    fn over(name: &str, below: Option<Arc<dyn DiskFile>>) -> Result<Arc<Self>, DiskError> {
        let len = below.as_ref().map_or(Ok(0), |below| below.len())?;
        Ok(Arc::new(Self {
            name: name.to_owned(),
            below,
            state: Mutex::new(Content {
                len,
                below_len: len,
                blocks: BTreeMap::new(),
            }),
        }))
    }

    /// A block as it is here now.
    fn block(&self, content: &Content, number: u64) -> Result<Box<[u8]>, DiskError> {
        if let Some(block) = content.blocks.get(&number) {
            return Ok(block.clone());
        }
        let mut block = vec![0; BLOCK as usize].into_boxed_slice();
        let start = number * BLOCK;
        let there = content.below_len.saturating_sub(start).min(BLOCK) as usize;
        if let (Some(below), 1..) = (&self.below, there) {
            below.read_at(start, &mut block[..there])?;
        }
        Ok(block)
    }
}

/// The parts, block by block, of `length` bytes at `offset`: block, first byte in it, and bytes.
fn parts(offset: u64, length: usize) -> impl Iterator<Item = (u64, usize, usize)> {
    let end = offset + length as u64;
    let mut at = offset;
    std::iter::from_fn(move || {
        let first = at % BLOCK;
        let count = (BLOCK - first).min(end - at);
        let part = (at / BLOCK, first as usize, count as usize);
        at += count;
        (count > 0).then_some(part)
    })
}

impl DiskFile for OverlayFile {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), DiskError> {
        let content = self.state.lock();
        if offset + buffer.len() as u64 > content.len {
            let kind = ErrorKind::UnexpectedEof;
            return Err(DiskError::of_kind("read", &self.name, kind));
        }
        let mut done = 0;
        for (number, first, count) in parts(offset, buffer.len()) {
            let block = self.block(&content, number)?;
            buffer[done..done + count].copy_from_slice(&block[first..first + count]);
            done += count;
        }
        Ok(())
    }

    fn write_at(&self, offset: u64, data: &[u8]) -> Result<(), DiskError> {
        let mut content = self.state.lock();
        let mut done = 0;
        for (number, first, count) in parts(offset, data.len()) {
            let mut block = self.block(&content, number)?;
            block[first..first + count].copy_from_slice(&data[done..done + count]);
            content.blocks.insert(number, block);
            done += count;
        }
        content.len = content.len.max(offset + data.len() as u64);
        Ok(())
    }

    fn sync(&self) -> Result<(), DiskError> {
        Ok(())
    }

    fn len(&self) -> Result<u64, DiskError> {
        Ok(self.state.lock().len)
    }

    fn set_len(&self, len: u64) -> Result<(), DiskError> {
        let mut content = self.state.lock();
        if len < content.len {
            // What comes back when the file grows again is zeros.
            let mut last = self.block(&content, len / BLOCK)?;
            last[(len % BLOCK) as usize..].fill(0);
            content.below_len = content.below_len.min(len);
            content.blocks.retain(|number, _| number * BLOCK < len);
            if !len.is_multiple_of(BLOCK) {
                content.blocks.insert(len / BLOCK, last);
            }
        }
        content.len = len;
        Ok(())
    }
}
