//! What a disk holds: content as processes see it, content that is durable, and the changes between
//! the two, in order.
//!
//! - F1. Applying a file's unsynced changes to its durable content gives what processes see, unless
//!   a sync has failed for good.
//! - F2. Each unsynced change has a number of its own, given out in the order of the calls, over
//!   all files and names.
//! - F3. A file is known by number. Names lead to files; a file without a name lives while it is
//!   open, or while a name that is not yet durably gone leads to it.

use std::{collections::BTreeMap, io::ErrorKind, sync::Arc};

use super::super::content::Content;

/// A file, whatever its name.
pub(super) type FileNo = u64;

/// A change of content.
#[derive(Clone, Debug)]
pub(super) enum Change {
    Write { offset: u64, data: Arc<[u8]> },
    SetLen(u64),
}

impl Change {
    pub(super) fn apply(&self, content: &mut Content) -> Result<(), ErrorKind> {
        match self {
            Self::Write { offset, data } => content.write(*offset, data),
            Self::SetLen(len) => content.resize(*len),
        }
    }
}

/// A change of names. The file that is meant stands in it, so that each can happen without the
/// others.
#[derive(Clone, Debug)]
pub(super) enum NameChange {
    Create { name: Arc<str>, file: FileNo },
    Rename { to: Arc<str>, file: FileNo },
    Remove { name: Arc<str>, file: FileNo },
}

pub(super) type Names = BTreeMap<Arc<str>, FileNo>;

impl NameChange {
    pub(super) fn apply(&self, names: &mut Names) {
        match self {
            Self::Create { name, file } => {
                names.insert(Arc::clone(name), *file);
            }
            Self::Rename { to, file } => {
                // Whatever it was called: an earlier rename may have been lost.
                names.retain(|_, other| other != file);
                names.insert(Arc::clone(to), *file);
            }
            Self::Remove { name, file } => {
                if names.get(name) == Some(file) {
                    names.remove(name);
                }
            }
        }
    }
}

/// A change that a crash may lose.
#[derive(Clone, Debug)]
pub(super) struct Unsynced<C> {
    /// Its place in the order of all changes (F2).
    pub(super) number: u64,
    pub(super) change: C,
    /// A sync has failed on it: no later one makes it durable.
    pub(super) forsaken: bool,
}

/// A file.
#[derive(Clone, Debug)]
pub(super) struct Inode {
    /// Its last name: errors tell it.
    pub(super) name: Arc<str>,
    /// What processes see.
    pub(super) seen: Content,
    pub(super) durable: Content,
    pub(super) unsynced: Vec<Unsynced<Change>>,
    /// How many have it open.
    pub(super) open: u32,
    /// The next sync reports what this one hid.
    pub(super) late: bool,
    /// F1 does not hold any more.
    diverged: bool,
}

impl Inode {
    pub(super) fn new(name: Arc<str>, content: Content) -> Self {
        Self {
            name,
            seen: content.clone(),
            durable: content,
            unsynced: Vec::new(),
            open: 0,
            late: false,
            diverged: false,
        }
    }

    pub(super) fn change(&mut self, number: u64, change: Change) -> Result<(), ErrorKind> {
        change.apply(&mut self.seen)?;
        self.unsynced.push(Unsynced {
            number,
            change,
            forsaken: false,
        });
        Ok(())
    }

    /// Makes the changes durable that no sync has failed on; the others are lost now, since they
    /// would lie below newer ones.
    pub(super) fn sync(&mut self) {
        if self.diverged {
            self.durable = self.synced();
        } else {
            self.durable = self.seen.clone();
        }
        self.unsynced.clear();
    }

    /// The durable content after a sync.
    fn synced(&self) -> Content {
        let mut content = self.durable.clone();
        for unsynced in self.unsynced.iter().filter(|change| !change.forsaken) {
            // It could be applied to what was seen, so it can be here.
            let _ = unsynced.change.apply(&mut content);
        }
        content
    }

    /// A sync fails for good: see [`super::SyncFault::KeptInCache`].
    pub(super) fn forsake(&mut self) {
        for unsynced in &mut self.unsynced {
            unsynced.forsaken = true;
        }
        self.diverged |= !self.unsynced.is_empty();
    }

    /// A sync fails for good: see [`super::SyncFault::Reverted`].
    pub(super) fn revert(&mut self) {
        self.seen = self.durable.clone();
        self.unsynced.clear();
        self.diverged = false;
    }

    /// The system forgets clean pages: what a failed sync left behind is no longer seen.
    pub(super) fn drop_cache(&mut self) {
        if self.diverged {
            self.seen = self.synced();
            self.unsynced.retain(|change| !change.forsaken);
            self.diverged = false;
        }
    }
}

/// All of a disk's content, as plain data.
#[derive(Clone, Debug, Default)]
pub(super) struct State {
    pub(super) names: Names,
    pub(super) durable_names: Names,
    pub(super) unsynced_names: Vec<Unsynced<NameChange>>,
    pub(super) files: BTreeMap<FileNo, Arc<Inode>>,
    pub(super) names_late: bool,
    next_file: FileNo,
    next_change: u64,
}

impl State {
    pub(super) fn next_change(&mut self) -> u64 {
        self.next_change += 1;
        self.next_change
    }

    /// The file, to be changed.
    pub(super) fn file_mut(&mut self, file: FileNo) -> Option<&mut Inode> {
        self.files.get_mut(&file).map(Arc::make_mut)
    }

    /// The file of a name.
    pub(super) fn named(&self, name: &str) -> Option<&Inode> {
        let file = self.names.get(name)?;
        self.files.get(file).map(Arc::as_ref)
    }

    pub(super) fn create(&mut self, name: &str) -> FileNo {
        let file = self.add(name, Content::default());
        let name = name.into();
        self.change_names(NameChange::Create { name, file });
        file
    }

    /// A file that no name leads to yet.
    fn add(&mut self, name: &str, content: Content) -> FileNo {
        self.next_file += 1;
        let inode = Inode::new(name.into(), content);
        self.files.insert(self.next_file, Arc::new(inode));
        self.next_file
    }

    /// A durable file, from outside.
    pub(super) fn put(&mut self, name: &str, content: Content) {
        let file = self.add(name, content);
        self.names.insert(name.into(), file);
        self.durable_names.insert(name.into(), file);
        self.collect();
    }

    /// Takes a name away, durably.
    pub(super) fn take(&mut self, name: &str) -> bool {
        self.durable_names.remove(name);
        let taken = self.names.remove(name).is_some();
        self.collect();
        taken
    }

    pub(super) fn change_names(&mut self, change: NameChange) {
        change.apply(&mut self.names);
        let number = self.next_change();
        self.unsynced_names.push(Unsynced {
            number,
            change,
            forsaken: false,
        });
    }

    pub(super) fn sync_names(&mut self) {
        for unsynced in self.unsynced_names.drain(..) {
            if !unsynced.forsaken {
                unsynced.change.apply(&mut self.durable_names);
            }
        }
        self.collect();
    }

    pub(super) fn forsake_names(&mut self) {
        for unsynced in &mut self.unsynced_names {
            unsynced.forsaken = true;
        }
    }

    pub(super) fn revert_names(&mut self) {
        self.names = self.durable_names.clone();
        self.unsynced_names.clear();
        self.collect();
    }

    /// Lets go of files that nothing leads to (F3).
    fn collect(&mut self) {
        let (names, durable, unsynced) = (&self.names, &self.durable_names, &self.unsynced_names);
        let leads = |file: FileNo| {
            let of_change = |change: &NameChange| match change {
                NameChange::Create { file, .. }
                | NameChange::Rename { file, .. }
                | NameChange::Remove { file, .. } => *file,
            };
            names.values().chain(durable.values()).any(|f| *f == file)
                || unsynced.iter().any(|u| of_change(&u.change) == file)
        };
        self.files
            .retain(|file, inode| inode.open > 0 || leads(*file));
    }

    /// Called when a file without a name is closed for the last time.
    pub(super) fn close(&mut self, file: FileNo) {
        let Some(inode) = self.file_mut(file) else {
            return;
        };
        inode.open -= 1;
        if inode.open == 0 {
            self.collect();
        }
    }

    /// Bytes that the files with names take.
    pub(super) fn allocated(&self) -> u64 {
        let files = self.names.values().filter_map(|file| self.files.get(file));
        files.map(|inode| inode.seen.allocated()).sum()
    }

    /// A settled disk with these names and contents: nothing is unsynced, nothing open.
    pub(super) fn settled(contents: impl Iterator<Item = (Arc<str>, Content)>) -> Self {
        let mut state = Self::default();
        for (name, content) in contents {
            let file = state.add(&name, content);
            state.names.insert(Arc::clone(&name), file);
            state.durable_names.insert(name, file);
        }
        state
    }

    /// A copy that nobody has open.
    pub(super) fn forked(&self) -> Self {
        let mut copy = self.clone();
        for inode in copy.files.values_mut().filter(|inode| inode.open > 0) {
            Arc::make_mut(inode).open = 0;
        }
        copy.collect();
        copy
    }
}
