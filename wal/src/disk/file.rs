//! Files in a real directory, read and written by position, made durable by the system's fsync.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, ErrorKind},
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{Disk, DiskError, DiskFile, DiskLock, check_name};

/// Files in a real directory.
#[derive(Debug)]
pub struct FileDisk {
    directory: PathBuf,
}

impl FileDisk {
    /// The files of `directory`, which is created (durably) if there is none.
    ///
    /// # Errors
    /// The system's.
    pub fn open(directory: impl Into<PathBuf>) -> Result<Self, DiskError> {
        let directory = directory.into();
        if !directory.is_dir() {
            let name = directory.display().to_string();
            fs::create_dir_all(&directory)
                .map_err(|error| DiskError::new("create directory", &name, &error))?;
            if let Some(parent) = directory.parent() {
                sync_directory(parent)
                    .map_err(|error| DiskError::new("sync directory", &name, &error))?;
            }
        }
        Ok(Self { directory })
    }

    /// The directory.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    fn path(&self, operation: &'static str, name: &str) -> Result<PathBuf, DiskError> {
        check_name(operation, name)?;
        Ok(self.directory.join(name))
    }

    fn open_file(
        &self,
        operation: &'static str,
        name: &str,
        create: bool,
    ) -> Result<File, DiskError> {
        OpenOptions::new()
            .read(true)
            .write(true)
            .create(create)
            .truncate(false)
            .open(self.path(operation, name)?)
            .map_err(|error| DiskError::new(operation, name, &error))
    }

    fn names(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.directory)? {
            let entry = entry?;
            // A name that is not text, or not plain, is not one of ours.
            let name = entry.file_name().into_string().ok();
            if let Some(name) = name.filter(|name| check_name("list", name).is_ok())
                && entry.file_type()?.is_file()
            {
                names.push(name);
            }
        }
        names.sort();
        Ok(names)
    }
}

impl Disk for FileDisk {
    fn open(&self, name: &str, create: bool) -> Result<Arc<dyn DiskFile>, DiskError> {
        Ok(Arc::new(RealFile {
            name: name.to_owned(),
            file: self.open_file("open", name, create)?,
        }))
    }

    fn list(&self) -> Result<Vec<String>, DiskError> {
        let name = self.directory.display().to_string();
        self.names()
            .map_err(|error| DiskError::new("list", &name, &error))
    }

    fn remove(&self, name: &str) -> Result<(), DiskError> {
        fs::remove_file(self.path("remove", name)?)
            .map_err(|error| DiskError::new("remove", name, &error))
    }

    fn rename(&self, from: &str, to: &str) -> Result<(), DiskError> {
        fs::rename(self.path("rename", from)?, self.path("rename", to)?)
            .map_err(|error| DiskError::new("rename", from, &error))
    }

    fn sync_directory(&self) -> Result<(), DiskError> {
        sync_directory(&self.directory).map_err(|error| {
            DiskError::new(
                "sync directory",
                &self.directory.display().to_string(),
                &error,
            )
        })
    }

    /// The system forgets the lock when the file is closed, hence also when the process dies.
    fn lock(&self, name: &str) -> Result<DiskLock, DiskError> {
        let file = self.open_file("lock", name, true)?;
        match file.try_lock() {
            Ok(()) => Ok(DiskLock::new(name, file)),
            Err(TryLockError::WouldBlock) => Err(DiskLock::in_use(name)),
            Err(TryLockError::Error(error)) => Err(DiskError::new("lock", name, &error)),
        }
    }

    fn fork(&self) -> Option<Arc<dyn Disk>> {
        None
    }
}

#[cfg(unix)]
fn sync_directory(directory: &Path) -> io::Result<()> {
    let directory = if directory.as_os_str().is_empty() {
        Path::new(".")
    } else {
        directory
    };
    File::open(directory)?.sync_all()
}

/// Directories cannot be synced by themselves here: the system logs changes of names.
#[cfg(not(unix))]
#[allow(clippy::unnecessary_wraps, reason = "same shape on all systems")]
fn sync_directory(_directory: &Path) -> io::Result<()> {
    Ok(())
}

#[derive(Debug)]
struct RealFile {
    name: String,
    file: File,
}

impl RealFile {
    fn fail(&self, operation: &'static str) -> impl Fn(io::Error) -> DiskError {
        let name = self.name.clone();
        move |error| DiskError::new(operation, &name, &error)
    }
}

#[cfg(unix)]
fn read_some(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, buffer, offset)
}

#[cfg(unix)]
fn write_some(file: &File, data: &[u8], offset: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::write_at(file, data, offset)
}

#[cfg(windows)]
fn read_some(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, buffer, offset)
}

#[cfg(windows)]
fn write_some(file: &File, data: &[u8], offset: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_write(file, data, offset)
}

impl DiskFile for RealFile {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), DiskError> {
        let mut done = 0;
        while done < buffer.len() {
            match read_some(&self.file, &mut buffer[done..], offset + done as u64) {
                Ok(0) => return Err(self.fail("read")(ErrorKind::UnexpectedEof.into())),
                Ok(count) => done += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(self.fail("read")(error)),
            }
        }
        Ok(())
    }

    fn write_at(&self, offset: u64, data: &[u8]) -> Result<(), DiskError> {
        let mut done = 0;
        while done < data.len() {
            match write_some(&self.file, &data[done..], offset + done as u64) {
                Ok(0) => return Err(self.fail("write")(ErrorKind::WriteZero.into())),
                Ok(count) => done += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(self.fail("write")(error)),
            }
        }
        Ok(())
    }

    fn sync(&self) -> Result<(), DiskError> {
        self.file.sync_data().map_err(self.fail("sync"))
    }

    fn len(&self) -> Result<u64, DiskError> {
        let metadata = self.file.metadata().map_err(self.fail("length"))?;
        Ok(metadata.len())
    }

    fn set_len(&self, len: u64) -> Result<(), DiskError> {
        self.file.set_len(len).map_err(self.fail("set length"))
    }
}
