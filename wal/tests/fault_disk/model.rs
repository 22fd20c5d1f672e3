//! The obvious model: every file a vector of bytes, every change a closed case, every subset of
//! changes played from the durable content on.

use std::collections::{BTreeMap, BTreeSet};

use gaplock_wal::Disk;
use gaplock_wal::fault::{CrashSettings, FaultDisk};
use proptest::prelude::*;

const NAMES: [&str; 3] = ["a", "b", "c"];

#[derive(Clone, Debug)]
enum Step {
    Write(usize, u8, Vec<u8>),
    SetLen(usize, u8),
    Sync(usize),
    Rename(usize, usize),
    Remove(usize),
    SyncDirectory,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let name = 0..NAMES.len();
    let data = prop::collection::vec(1_u8.., 1..5);
    let step = prop_oneof![
        4 => (name.clone(), 0..8_u8, data).prop_map(|(f, at, data)| Step::Write(f, at, data)),
        1 => (name.clone(), 0..8_u8).prop_map(|(f, len)| Step::SetLen(f, len)),
        2 => name.clone().prop_map(Step::Sync),
        1 => (name.clone(), name.clone()).prop_map(|(from, to)| Step::Rename(from, to)),
        1 => name.prop_map(Step::Remove),
        1 => Just(Step::SyncDirectory),
    ];
    prop::collection::vec(step, 1..12)
}

#[derive(Clone, Debug)]
enum Change {
    Write(usize, usize, Vec<u8>),
    SetLen(usize, usize),
    Create(usize, &'static str),
    Rename(usize, &'static str),
    Remove(usize, &'static str),
}

/// Files by number, and the names that lead to them.
#[derive(Clone, Debug, Default)]
struct World {
    files: Vec<Vec<u8>>,
    names: BTreeMap<&'static str, usize>,
}

impl World {
    fn apply(&mut self, change: &Change) {
        match change {
            Change::Write(file, at, data) => {
                let bytes = &mut self.files[*file];
                bytes.resize(bytes.len().max(at + data.len()), 0);
                bytes[*at..at + data.len()].copy_from_slice(data);
            }
            Change::SetLen(file, len) => self.files[*file].resize(*len, 0),
            Change::Create(file, name) => {
                self.names.insert(name, *file);
            }
            Change::Rename(file, to) => {
                self.names.retain(|_, other| other != file);
                self.names.insert(to, *file);
            }
            Change::Remove(file, name) => {
                if self.names.get(name) == Some(file) {
                    self.names.remove(name);
                }
            }
        }
    }

    fn contents(&self) -> BTreeMap<String, Vec<u8>> {
        let named = self.names.iter();
        named
            .map(|(name, file)| ((*name).to_owned(), self.files[*file].clone()))
            .collect()
    }
}

#[derive(Debug, Default)]
struct Model {
    seen: World,
    durable: World,
    unsynced: Vec<Change>,
}

impl Model {
    fn change(&mut self, change: Change) {
        self.seen.apply(&change);
        self.unsynced.push(change);
    }

    /// The file of a name, created if need be.
    fn file(&mut self, name: &'static str) -> usize {
        if let Some(file) = self.seen.names.get(name) {
            return *file;
        }
        self.seen.files.push(Vec::new());
        self.durable.files.push(Vec::new());
        let file = self.seen.files.len() - 1;
        self.change(Change::Create(file, name));
        file
    }

    fn sync(&mut self, which: impl Fn(&Change) -> bool) {
        for change in self.unsynced.extract_if(.., |change| which(change)) {
            self.durable.apply(&change);
        }
    }

    fn after_crash(&self) -> BTreeSet<BTreeMap<String, Vec<u8>>> {
        let subsets = 0..1_usize << self.unsynced.len();
        let after = |mask: usize| {
            let mut world = self.durable.clone();
            for (at, change) in self.unsynced.iter().enumerate() {
                if mask >> at & 1 == 1 {
                    world.apply(change);
                }
            }
            world.contents()
        };
        subsets.map(after).collect()
    }

    /// Takes a step, and takes it on the disk.
    fn step(&mut self, step: &Step, disk: &FaultDisk) {
        match step {
            Step::Write(name, at, data) => {
                let file = self.file(NAMES[*name]);
                self.change(Change::Write(file, usize::from(*at), data.clone()));
                let open = disk.open(NAMES[*name], true).unwrap();
                open.write_at(u64::from(*at), data).unwrap();
            }
            Step::SetLen(name, len) => {
                let file = self.file(NAMES[*name]);
                self.change(Change::SetLen(file, usize::from(*len)));
                let open = disk.open(NAMES[*name], true).unwrap();
                open.set_len(u64::from(*len)).unwrap();
            }
            Step::Sync(name) => {
                let wanted = self.file(NAMES[*name]);
                disk.open(NAMES[*name], true).unwrap().sync().unwrap();
                self.sync(|change| match change {
                    Change::Write(file, ..) | Change::SetLen(file, _) => *file == wanted,
                    _ => false,
                });
            }
            Step::Rename(from, to) => {
                let renamed = disk.rename(NAMES[*from], NAMES[*to]);
                let file = self.seen.names.get(NAMES[*from]).copied();
                assert_eq!(renamed.is_ok(), file.is_some());
                if let Some(file) = file.filter(|_| from != to) {
                    self.change(Change::Rename(file, NAMES[*to]));
                }
            }
            Step::Remove(name) => {
                let removed = disk.remove(NAMES[*name]);
                let file = self.seen.names.get(NAMES[*name]).copied();
                assert_eq!(removed.is_ok(), file.is_some());
                if let Some(file) = file {
                    self.change(Change::Remove(file, NAMES[*name]));
                }
            }
            Step::SyncDirectory => {
                disk.sync_directory().unwrap();
                self.sync(|change| !matches!(change, Change::Write(..) | Change::SetLen(..)));
            }
        }
    }
}

fn contents(disk: &FaultDisk) -> BTreeMap<String, Vec<u8>> {
    let names = disk.list().unwrap().into_iter();
    names
        .map(|name| {
            let content = disk.content(&name).unwrap();
            (name, content)
        })
        .collect()
}

proptest! {
    /// The disk and the model agree on what is seen and on everything a crash can leave.
    #[test]
    fn crashes_leave_what_the_model_says(steps in steps()) {
        let disk = FaultDisk::new();
        let mut model = Model::default();
        for step in &steps {
            model.step(step, &disk);
            prop_assert_eq!(contents(&disk), model.seen.contents());
            prop_assert_eq!(contents(&disk.with_unsynced()), model.seen.contents());
            prop_assert_eq!(contents(&disk.without_unsynced()), model.durable.contents());
        }
        prop_assume!(model.unsynced.len() <= 14);
        let settings = CrashSettings {
            exhaustive_up_to: 14,
            torn: 0,
            torn_together: 0,
            ..CrashSettings::default()
        };
        let mut found = BTreeSet::new();
        for state in disk.crash_states(&settings) {
            prop_assert!(found.insert(contents(&state.disk)), "given twice: {}", state);
        }
        prop_assert_eq!(found, model.after_crash());
    }

    /// Equal content, equal fingerprint; other content, another one: whatever way led there.
    #[test]
    fn fingerprints_are_of_content(a in steps(), b in steps()) {
        let play = |steps: &[Step]| {
            let disk = FaultDisk::new();
            let mut model = Model::default();
            for step in steps {
                model.step(step, &disk);
            }
            disk.with_unsynced()
        };
        let (a, b) = (play(&a), play(&b));
        prop_assert_eq!(contents(&a) == contents(&b), a.fingerprint() == b.fingerprint());
        let again = FaultDisk::new();
        for (name, bytes) in contents(&a) {
            again.put(&name, &bytes);
        }
        prop_assert_eq!(a.fingerprint(), again.fingerprint());
    }
}
