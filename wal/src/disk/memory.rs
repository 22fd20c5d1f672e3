//! Files in memory, copied on write: a fork costs one pointer a file.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::ErrorKind,
    sync::Arc,
};

use parking_lot::{Mutex, RwLock};

use super::{Disk, DiskError, DiskFile, DiskLock, check_name, content::Content};

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

impl MemoryFile {
    fn fail(&self, operation: &'static str) -> impl Fn(ErrorKind) -> DiskError {
        move |kind| DiskError::of_kind(operation, &self.name, kind)
    }
}

impl DiskFile for MemoryFile {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), DiskError> {
        let content = self.content.read();
        content.read(offset, buffer).map_err(self.fail("read"))
    }

    fn write_at(&self, offset: u64, data: &[u8]) -> Result<(), DiskError> {
        let mut content = self.content.write();
        content.write(offset, data).map_err(self.fail("write"))
    }

    fn sync(&self) -> Result<(), DiskError> {
        Ok(())
    }

    fn len(&self) -> Result<u64, DiskError> {
        Ok(self.content.read().len())
    }

    fn set_len(&self, len: u64) -> Result<(), DiskError> {
        let mut content = self.content.write();
        content.resize(len).map_err(self.fail("set length"))
    }
}
