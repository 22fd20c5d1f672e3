//! The disk as others see it: each call is counted, noted, captured before, and perhaps struck.

use std::{io::ErrorKind, sync::Arc};

use parking_lot::Mutex;

use super::{
    Captured, FaultDisk, Inner,
    calls::{Call, Operation},
    failure::{Fault, Reason, SyncFault, strike},
    state::{Change, FileNo, NameChange},
};
use crate::disk::{Disk, DiskError, DiskFile, DiskLock, check_name};

/// How a call goes on.
enum Course {
    /// As asked.
    Clean,
    /// As asked, but for what the fault says of this kind of call.
    Odd(Fault),
    /// It is done, and then reported as failed.
    DoneButFailed(DiskError),
}

impl Inner {
    /// Counts a call. `Err` when it fails without having done anything.
    fn begin(
        &mut self,
        operation: Operation,
        file: &Arc<str>,
        (offset, length): (u64, u64),
    ) -> Result<(Call, Course), DiskError> {
        let call = Call {
            number: self.calls,
            operation,
            file: Arc::clone(file),
            offset,
            length,
        };
        self.calls += 1;
        if let Some(trace) = &mut self.trace {
            trace.push(call.clone());
        }
        if operation.changes() && self.capture.contains(&call.number) {
            self.captured.push(Captured {
                before: call.clone(),
                disk: FaultDisk::of(self.state.forked()),
            });
        }
        let Some(fault) = strike(&mut self.failures, &call) else {
            return Ok((call, Course::Clean));
        };
        self.struck += 1;
        let transfers = matches!(operation, Operation::Read | Operation::Write);
        let syncs = matches!(operation, Operation::Sync | Operation::SyncDirectory);
        match fault {
            Fault::Error(reason) => Err(reason.error(&call)),
            Fault::ErrorAfterwards(reason) => {
                let error = reason.error(&call);
                Ok((call, Course::DoneButFailed(error)))
            }
            Fault::Short { reason, .. } if !transfers => Err(reason.error(&call)),
            Fault::Sync(_) if !syncs => Err(Reason::InputOutput.error(&call)),
            Fault::Short { .. }
            | Fault::Sync(_)
            | Fault::WriteLost
            | Fault::WriteMisplaced(_)
            | Fault::ReadFlipped(_) => Ok((call, Course::Odd(fault))),
        }
    }

    /// A call that is done whole or not at all.
    fn whole<T>(
        &mut self,
        operation: Operation,
        name: &str,
        (offset, length): (u64, u64),
        act: impl FnOnce(&mut Self) -> Result<T, ErrorKind>,
    ) -> Result<T, DiskError> {
        let (call, course) = self.begin(operation, &name.into(), (offset, length))?;
        let done = act(self)
            .map_err(|kind| DiskError::of_kind(call.operation.word(), &call.file, kind))?;
        match course {
            Course::DoneButFailed(error) => Err(error),
            Course::Clean | Course::Odd(_) => Ok(done),
        }
    }

    fn write(
        &mut self,
        file: FileNo,
        name: &Arc<str>,
        offset: u64,
        data: &[u8],
    ) -> Result<(), DiskError> {
        let extent = (offset, data.len() as u64);
        let (call, course) = self.begin(Operation::Write, name, extent)?;
        match course {
            Course::Odd(Fault::WriteLost) => Ok(()),
            Course::Odd(Fault::WriteMisplaced(by)) => {
                self.write_fitting(file, &call, offset.saturating_add(by), data)
            }
            Course::Odd(Fault::Short { bytes, reason }) => {
                let part = &data[..data.len().min(bytes as usize)];
                self.write_fitting(file, &call, offset, part)?;
                Err(reason.error(&call))
            }
            Course::Clean | Course::Odd(_) => self.write_fitting(file, &call, offset, data),
            Course::DoneButFailed(error) => {
                self.write_fitting(file, &call, offset, data)?;
                Err(error)
            }
        }
    }

    /// Writes as much as finds room.
    fn write_fitting(
        &mut self,
        file: FileNo,
        call: &Call,
        offset: u64,
        data: &[u8],
    ) -> Result<(), DiskError> {
        let free = self
            .capacity
            .map(|bytes| bytes.saturating_sub(self.state.allocated()));
        let number = self.state.next_change();
        let Some(inode) = self.state.file_mut(file) else {
            return Ok(());
        };
        let fitting = free.map_or(data.len(), |free| inode.seen.fits(offset, data.len(), free));
        if fitting > 0 || data.is_empty() {
            let data = data[..fitting].into();
            inode
                .change(number, Change::Write { offset, data })
                .map_err(|kind| DiskError::of_kind(call.operation.word(), &call.file, kind))?;
        }
        if fitting < data.len() {
            return Err(Reason::NoSpace.error(call));
        }
        Ok(())
    }

    fn read(
        &mut self,
        file: FileNo,
        name: &Arc<str>,
        offset: u64,
        buffer: &mut [u8],
    ) -> Result<(), DiskError> {
        let extent = (offset, buffer.len() as u64);
        let (call, course) = self.begin(Operation::Read, name, extent)?;
        let fail = |kind| DiskError::of_kind(call.operation.word(), &call.file, kind);
        let Some(inode) = self.state.files.get(&file) else {
            return Err(fail(ErrorKind::NotFound));
        };
        match course {
            Course::Odd(Fault::Short { bytes, reason }) => {
                let count = buffer.len().min(bytes as usize);
                inode
                    .seen
                    .read(offset, &mut buffer[..count])
                    .map_err(fail)?;
                return Err(reason.error(&call));
            }
            Course::DoneButFailed(error) => return Err(error),
            Course::Clean | Course::Odd(_) => inode.seen.read(offset, buffer).map_err(fail)?,
        }
        if let (Course::Odd(Fault::ReadFlipped(bit)), false) = (course, buffer.is_empty()) {
            let bit = bit % (buffer.len() as u64 * 8);
            buffer[(bit / 8) as usize] ^= 1 << (bit % 8);
        }
        Ok(())
    }

    /// A sync of a file, or of the directory (no file).
    fn sync(&mut self, file: Option<FileNo>, name: &Arc<str>) -> Result<(), DiskError> {
        let operation = file.map_or(Operation::SyncDirectory, |_| Operation::Sync);
        let (call, course) = self.begin(operation, name, (0, 0))?;
        let late = match file {
            Some(file) => self
                .state
                .file_mut(file)
                .is_some_and(|inode| std::mem::take(&mut inode.late)),
            None => std::mem::take(&mut self.state.names_late),
        };
        match course {
            Course::Odd(Fault::Sync(fault)) => {
                self.fail_sync(file, fault);
                if fault != SyncFault::ReportedLate || late {
                    return Err(Reason::InputOutput.error(&call));
                }
                return Ok(());
            }
            _ if late => {
                self.fail_sync(file, SyncFault::KeptInCache);
                return Err(Reason::InputOutput.error(&call));
            }
            _ => {}
        }
        match file {
            Some(file) => {
                if let Some(inode) = self.state.file_mut(file) {
                    inode.sync();
                }
            }
            None => self.state.sync_names(),
        }
        match course {
            Course::DoneButFailed(error) => Err(error),
            Course::Clean | Course::Odd(_) => Ok(()),
        }
    }

    fn fail_sync(&mut self, file: Option<FileNo>, fault: SyncFault) {
        let Some(file) = file else {
            match fault {
                SyncFault::KeptInCache => self.state.forsake_names(),
                SyncFault::Reverted => self.state.revert_names(),
                SyncFault::ReportedLate => {
                    self.state.forsake_names();
                    self.state.names_late = true;
                }
            }
            return;
        };
        let Some(inode) = self.state.file_mut(file) else {
            return;
        };
        match fault {
            SyncFault::KeptInCache => inode.forsake(),
            SyncFault::Reverted => inode.revert(),
            SyncFault::ReportedLate => {
                inode.forsake();
                inode.late = true;
            }
        }
    }
}

impl Disk for FaultDisk {
    fn open(&self, name: &str, create: bool) -> Result<Arc<dyn DiskFile>, DiskError> {
        check_name("open", name)?;
        let mut inner = self.inner.lock();
        let file = inner.whole(Operation::Open, name, (0, 0), |inner| {
            let state = &mut inner.state;
            let file = match state.names.get(name) {
                Some(file) => *file,
                None if create => state.create(name),
                None => return Err(ErrorKind::NotFound),
            };
            Ok(file)
        })?;
        if let Some(inode) = inner.state.file_mut(file) {
            inode.open += 1;
        }
        Ok(Arc::new(OpenFile {
            inner: Arc::clone(&self.inner),
            file,
        }))
    }

    fn list(&self) -> Result<Vec<String>, DiskError> {
        let mut inner = self.inner.lock();
        inner.whole(Operation::List, "", (0, 0), |inner| {
            let names = inner.state.names.keys();
            Ok(names.map(|name| name.to_string()).collect())
        })
    }

    fn remove(&self, name: &str) -> Result<(), DiskError> {
        check_name("remove", name)?;
        let mut inner = self.inner.lock();
        inner.whole(Operation::Remove, name, (0, 0), |inner| {
            let state = &mut inner.state;
            let file = *state.names.get(name).ok_or(ErrorKind::NotFound)?;
            let name = name.into();
            state.change_names(NameChange::Remove { name, file });
            Ok(())
        })
    }

    fn rename(&self, from: &str, to: &str) -> Result<(), DiskError> {
        check_name("rename", from)?;
        check_name("rename", to)?;
        let mut inner = self.inner.lock();
        inner.whole(Operation::Rename, from, (0, 0), |inner| {
            let state = &mut inner.state;
            let file = *state.names.get(from).ok_or(ErrorKind::NotFound)?;
            if from == to {
                return Ok(());
            }
            let to: Arc<str> = to.into();
            if let Some(inode) = state.file_mut(file) {
                inode.name = Arc::clone(&to);
            }
            state.change_names(NameChange::Rename { to, file });
            Ok(())
        })
    }

    fn sync_directory(&self) -> Result<(), DiskError> {
        self.inner.lock().sync(None, &"".into())
    }

    fn lock(&self, name: &str) -> Result<DiskLock, DiskError> {
        check_name("lock", name)?;
        let mut inner = self.inner.lock();
        inner.whole(Operation::Lock, name, (0, 0), |inner| {
            if !inner.state.names.contains_key(name) {
                inner.state.create(name);
            }
            Ok(())
        })?;
        let locked: Arc<str> = name.into();
        if !inner.locks.insert(Arc::clone(&locked)) {
            return Err(DiskLock::in_use(name));
        }
        let inner = Arc::clone(&self.inner);
        Ok(DiskLock::new(
            name,
            Locked {
                inner,
                name: locked,
            },
        ))
    }

    fn fork(&self) -> Option<Arc<dyn Disk>> {
        Some(Arc::new(self.copy()))
    }
}

/// Takes its name off the locked ones when it is dropped.
struct Locked {
    inner: Arc<Mutex<Inner>>,
    name: Arc<str>,
}

impl Drop for Locked {
    fn drop(&mut self) {
        self.inner.lock().locks.remove(&self.name);
    }
}

/// A file that is open. It holds on to the disk's content, whatever becomes of the handle of the
/// disk.
#[derive(Debug)]
struct OpenFile {
    inner: Arc<Mutex<Inner>>,
    file: FileNo,
}

impl Inner {
    fn name_of(&self, file: FileNo) -> Arc<str> {
        let inode = self.state.files.get(&file);
        inode.map_or_else(|| "".into(), |inode| Arc::clone(&inode.name))
    }
}

impl DiskFile for OpenFile {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), DiskError> {
        let mut inner = self.inner.lock();
        let name = inner.name_of(self.file);
        inner.read(self.file, &name, offset, buffer)
    }

    fn write_at(&self, offset: u64, data: &[u8]) -> Result<(), DiskError> {
        let mut inner = self.inner.lock();
        let name = inner.name_of(self.file);
        inner.write(self.file, &name, offset, data)
    }

    fn sync(&self) -> Result<(), DiskError> {
        let mut inner = self.inner.lock();
        let name = inner.name_of(self.file);
        inner.sync(Some(self.file), &name)
    }

    fn len(&self) -> Result<u64, DiskError> {
        let mut inner = self.inner.lock();
        let name = inner.name_of(self.file);
        inner.whole(Operation::Len, &name, (0, 0), |inner| {
            let inode = inner.state.files.get(&self.file);
            inode
                .map(|inode| inode.seen.len())
                .ok_or(ErrorKind::NotFound)
        })
    }

    fn set_len(&self, len: u64) -> Result<(), DiskError> {
        let mut inner = self.inner.lock();
        let name = inner.name_of(self.file);
        inner.whole(Operation::SetLen, &name, (len, 0), |inner| {
            let number = inner.state.next_change();
            let inode = inner.state.file_mut(self.file);
            inode
                .ok_or(ErrorKind::NotFound)?
                .change(number, Change::SetLen(len))
        })
    }
}

impl Drop for OpenFile {
    fn drop(&mut self) {
        self.inner.lock().state.close(self.file);
    }
}
