//! A disk that loses power, fails and rots on purpose, to test what is stored on one.
//!
//! [`FaultDisk`] is a disk in memory that knows, for each file and for the directory, what is durable
//! and which changes are not yet. Three things can be done to it:
//!
//! - **Power loss.** [`FaultDisk::crash_states`] gives the disks that a power loss could leave: each
//!   subset of the unsynced changes, in their order, and each write torn at a sector, a block or a
//!   byte. [`FaultDisk::capture`] keeps the disk as it was before each call, so that one run of a
//!   test gives the states of a crash between any two calls.
//! - **Failure.** [`FaultDisk::fail`] lets chosen calls fail, once or for ever: errors, short reads
//!   and writes, three fashions of failing syncs, writes that are lost or misplaced though reported
//!   as done. [`FaultDisk::set_capacity`] makes the disk full, and gives it space again.
//! - **Damage at rest.** [`FaultDisk::damage`] changes what is stored, behind everybody's back.
//!
//! Nothing happens by chance and no clock is read: the same calls give the same disk, the same seed
//! the same samples.
//!
//! # The model
//!
//! - A crash may keep or lose each unsynced change by itself, whatever was kept or lost before and
//!   after it. Changes that are kept are applied in order.
//! - A write may be kept in part. When it was to extend the file, the length may have been kept
//!   without the bytes, which are then zeros.
//! - Creating, renaming and removing a name are changes like others, made durable by
//!   `sync_directory` alone: a file that was created and synced can be lost with its name.
//!   Each happens whole: a rename never leaves both names, or none.
//! - A sync that succeeds makes everything durable that its file was asked for before it. (One
//!   fault, [`SyncFault::ReportedLate`], breaks this.)
//! - Locks end with the crash.
//!
//! ```
//! use std::sync::Arc;
//! use gaplock_wal::Disk;
//! use gaplock_wal::fault::{CrashSettings, FaultDisk};
//!
//! // A new version of a file is written under another name, synced, and renamed over the old one.
//! let disk = FaultDisk::new();
//! disk.put("settings", b"old");
//! let file = disk.open("settings.new", true)?;
//! file.write_at(0, b"new")?;
//! file.sync()?;
//! disk.rename("settings.new", "settings")?;
//!
//! // Whatever a power loss leaves now, it is one of the two versions, whole.
//! for state in disk.crash_states(&CrashSettings::default()) {
//!     let found = state.disk.content("settings").unwrap();
//!     assert!(found == b"old" || found == b"new", "{state}");
//! }
//! # Ok::<(), gaplock_wal::DiskError>(())
//! ```

mod calls;
mod crash;
mod damage;
mod failure;
mod files;
mod fingerprint;
mod random;
mod state;
mod tear;

use std::{collections::BTreeSet, ops::Range, sync::Arc};

use parking_lot::Mutex;

pub use calls::{Call, Calls, Operation};
pub use crash::{CrashSettings, CrashState, CrashStates};
pub use damage::Damage;
pub use failure::{Fault, Reason, SyncFault, Times};

use self::{failure::Failure, state::State};
use super::content::Content;

/// A disk in memory that fails on purpose.
#[derive(Debug)]
pub struct FaultDisk {
    inner: Arc<Mutex<Inner>>,
}

/// The disk as it was before a call.
#[derive(Debug)]
pub struct Captured {
    /// The call that came next.
    pub before: Call,
    /// The disk, with its unsynced changes; without failures, nothing counted.
    pub disk: FaultDisk,
}

#[derive(Debug, Default)]
struct Inner {
    state: State,
    calls: u64,
    trace: Option<Vec<Call>>,
    capture: Range<u64>,
    captured: Vec<Captured>,
    failures: Vec<Failure>,
    struck: u64,
    capacity: Option<u64>,
    /// Names that are locked.
    locks: BTreeSet<Arc<str>>,
}

impl Default for FaultDisk {
    fn default() -> Self {
        Self::of(State::default())
    }
}

impl FaultDisk {
    /// A disk without files.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn of(state: State) -> Self {
        let inner = Inner {
            state,
            ..Inner::default()
        };
        Self {
            inner: Arc::new(Mutex::new(inner)),
        }
    }

    /// A copy with the same content, durable or not, that shares nothing observable with this one.
    /// It has no failures, captures or locks, unlimited room, and counts its calls from zero.
    #[must_use]
    pub fn copy(&self) -> Self {
        Self::of(self.inner.lock().state.forked())
    }

    /// How many calls there were. The next one has this number.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.inner.lock().calls
    }

    /// Notes all calls from now on.
    pub fn trace(&self) {
        self.inner.lock().trace = Some(Vec::new());
    }

    /// The calls noted so far, in order.
    #[must_use]
    pub fn take_trace(&self) -> Vec<Call> {
        let mut inner = self.inner.lock();
        inner.trace.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Keeps the disk as it is before each call of these numbers that can change what a crash
    /// leaves.
    pub fn capture(&self, numbers: Range<u64>) {
        self.inner.lock().capture = numbers;
    }

    /// What was captured so far, in order.
    #[must_use]
    pub fn take_captured(&self) -> Vec<Captured> {
        std::mem::take(&mut self.inner.lock().captured)
    }

    /// Lets calls fail. Of several failures that would strike a call, the first that was asked for
    /// does.
    pub fn fail(&self, calls: Calls, fault: Fault, times: Times) {
        self.inner.lock().failures.push(Failure {
            calls,
            fault,
            times,
        });
    }

    /// Plans no more failures.
    pub fn heal(&self) {
        self.inner.lock().failures.clear();
    }

    /// How many calls failures have struck.
    #[must_use]
    pub fn struck(&self) -> u64 {
        self.inner.lock().struck
    }

    /// How many bytes the files may take; `None` for as many as they like. What is there already
    /// stays. Room is taken in chunks of 16 KiB when they are first written: a file that was
    /// extended without being written takes none.
    pub fn set_capacity(&self, bytes: Option<u64>) {
        self.inner.lock().capacity = bytes;
    }

    /// How many bytes the files take now, counted as [`FaultDisk::set_capacity`] does.
    #[must_use]
    pub fn allocated(&self) -> u64 {
        self.inner.lock().state.allocated()
    }

    /// How many changes a crash could lose now.
    #[must_use]
    pub fn unsynced(&self) -> usize {
        crash::count(&self.inner.lock().state)
    }

    /// The disk after a power loss that kept nothing but what was synced.
    #[must_use]
    pub fn without_unsynced(&self) -> Self {
        crash::survivor(&self.inner.lock().state, false)
    }

    /// The disk after a power loss that kept everything: also what a killed process leaves.
    #[must_use]
    pub fn with_unsynced(&self) -> Self {
        crash::survivor(&self.inner.lock().state, true)
    }

    /// What a power loss now could leave. Equal disks are given once.
    #[must_use]
    pub fn crash_states(&self, settings: &CrashSettings) -> CrashStates {
        CrashStates::new(self.inner.lock().state.forked(), settings)
    }

    /// The system forgets clean pages: content that only a failed sync has left in memory
    /// ([`SyncFault::KeptInCache`]) is no longer read.
    pub fn drop_cache(&self) {
        let mut inner = self.inner.lock();
        for inode in inner.state.files.values_mut() {
            Arc::make_mut(inode).drop_cache();
        }
    }

    /// A name for all that is durable: disks with different names and contents have different ones
    /// (but for one chance in 2^64 or so). Equal in all runs.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        fingerprint::of_durable(&self.inner.lock().state)
    }

    /// A file's content as processes see it.
    #[must_use]
    pub fn content(&self, name: &str) -> Option<Vec<u8>> {
        let inner = self.inner.lock();
        inner.state.named(name).map(|inode| inode.seen.to_vec())
    }

    /// The content, as far as it is durable, of what the name durably leads to.
    #[must_use]
    pub fn durable_content(&self, name: &str) -> Option<Vec<u8>> {
        let inner = self.inner.lock();
        let file = inner.state.durable_names.get(name)?;
        let inode = inner.state.files.get(file)?;
        Some(inode.durable.to_vec())
    }

    /// Puts a file there, durably, in place of what the name led to.
    ///
    /// # Panics
    /// When the content is longer than 64 GiB.
    pub fn put(&self, name: &str, bytes: &[u8]) {
        let mut content = Content::default();
        if let Err(error) = content.write(0, bytes) {
            panic!("{name} cannot hold {} bytes: {error:?}", bytes.len());
        }
        self.inner.lock().state.put(name, content);
    }

    /// Takes a file away, durably. Says whether there was one.
    pub fn take(&self, name: &str) -> bool {
        self.inner.lock().state.take(name)
    }
}
