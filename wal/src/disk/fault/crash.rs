//! What a power loss can leave of the unsynced changes.
//!
//! States come in this order, so that whoever stops early has seen the plainest:
//!
//! 1. Whole changes: every subset of them up to [`CrashSettings::exhaustive_up_to`]; beyond, none,
//!    all, all up to each one, all but one, one alone, and subsets at random.
//! 2. One write torn, among others of which the earlier ones were kept, or all, or none.
//! 3. Several torn at random.
//!
//! Equal disks are given once, by [`FaultDisk::fingerprint`].

use std::{collections::BTreeMap, fmt, sync::Arc};

use rustc_hash::FxHashSet;

use super::{
    FaultDisk,
    fingerprint::Known,
    random::Random,
    state::{Change, FileNo, Names, State},
    tear::{Torn, tears},
};
use crate::disk::content::Content;

/// How many crash states of one moment are looked at.
#[derive(Clone, Debug)]
pub struct CrashSettings {
    /// With at most so many unsynced changes, every subset of them. No more than 20 are taken.
    pub exhaustive_up_to: u32,
    /// With more: subsets at random, besides those always given.
    pub subsets: u32,
    /// States with one torn write: all there are, or so many of them at random.
    pub torn: u32,
    /// States with several torn writes, at random.
    pub torn_together: u32,
    /// The same seed gives the same states.
    pub seed: u64,
}

impl Default for CrashSettings {
    fn default() -> Self {
        Self {
            exhaustive_up_to: 12,
            subsets: 100,
            torn: 200,
            torn_together: 20,
            seed: 0,
        }
    }
}

/// What happens to one unsynced change.
#[derive(Clone, Debug)]
enum Fate {
    Lost,
    Kept,
    Torn(Arc<Torn>),
}

type Fates = Vec<Fate>;

/// Where an unsynced change stands.
#[derive(Clone, Copy, Debug)]
enum Place {
    Name(usize),
    File(FileNo, usize),
}

/// How many changes a crash could lose.
pub(super) fn count(state: &State) -> usize {
    places(&state.forked()).len()
}

/// The unsynced changes in order (F2).
fn places(state: &State) -> Vec<Place> {
    let names = state.unsynced_names.iter().enumerate();
    let mut found: Vec<(u64, Place)> = names
        .map(|(at, change)| (change.number, Place::Name(at)))
        .collect();
    for (file, inode) in &state.files {
        let changes = inode.unsynced.iter().enumerate();
        found.extend(changes.map(|(at, change)| (change.number, Place::File(*file, at))));
    }
    found.sort_unstable_by_key(|(number, _)| *number);
    found.into_iter().map(|(_, place)| place).collect()
}

/// A disk that a power loss left. Shown, it tells the fate of each unsynced change.
#[derive(Debug)]
pub struct CrashState {
    /// The disk. All that is on it is durable.
    pub disk: FaultDisk,
    /// Its [`FaultDisk::fingerprint`].
    pub fingerprint: u64,
    moment: Arc<Moment>,
    fates: Fates,
}

/// The disk when the power went.
#[derive(Debug)]
struct Moment {
    state: State,
    places: Vec<Place>,
}

impl Moment {
    /// Names and contents after a crash, whose files are those of the moment.
    fn after(&self, fates: &[Fate]) -> (Names, BTreeMap<FileNo, Content>) {
        let mut names = self.state.durable_names.clone();
        let mut contents = BTreeMap::new();
        for (place, fate) in self.places.iter().zip(fates) {
            match (place, fate) {
                (_, Fate::Lost) => {}
                (Place::Name(at), _) => self.state.unsynced_names[*at].change.apply(&mut names),
                (Place::File(file, at), fate) => {
                    let inode = &self.state.files[file];
                    let content = contents
                        .entry(*file)
                        .or_insert_with(|| inode.durable.clone());
                    let change = &inode.unsynced[*at].change;
                    if let Fate::Torn(torn) = fate {
                        torn.apply(change, content);
                    } else {
                        // It could be applied to what was seen, so it can be here.
                        let _ = change.apply(content);
                    }
                }
            }
        }
        (names, contents)
    }

    fn content<'a>(
        &'a self,
        changed: &'a BTreeMap<FileNo, Content>,
        file: FileNo,
    ) -> Option<&'a Content> {
        changed
            .get(&file)
            .or_else(|| self.state.files.get(&file).map(|inode| &inode.durable))
    }

    fn disk(&self, names: &Names, changed: &BTreeMap<FileNo, Content>) -> FaultDisk {
        let contents = names.iter().filter_map(|(name, file)| {
            let content = self.content(changed, *file)?;
            Some((Arc::clone(name), content.clone()))
        });
        FaultDisk::of(State::settled(contents))
    }

    /// Offset and length of each write, with its place among the changes.
    fn writes(&self) -> Vec<(usize, u64, usize)> {
        let mut found = Vec::new();
        for (at, place) in self.places.iter().enumerate() {
            if let Place::File(file, change) = place
                && let Change::Write { offset, data } =
                    &self.state.files[file].unsynced[*change].change
            {
                found.push((at, *offset, data.len()));
            }
        }
        found
    }
}

/// The disk with none, or all, of its unsynced changes.
pub(super) fn survivor(state: &State, keep: bool) -> FaultDisk {
    let state = state.forked();
    let places = places(&state);
    let fate = if keep { Fate::Kept } else { Fate::Lost };
    let fates = vec![fate; places.len()];
    let moment = Moment { state, places };
    let (names, contents) = moment.after(&fates);
    moment.disk(&names, &contents)
}

/// The states, one by one.
pub struct CrashStates {
    moment: Arc<Moment>,
    known: Known,
    fates: Box<dyn Iterator<Item = Fates> + Send>,
    given: FxHashSet<u64>,
}

impl fmt::Debug for CrashStates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CrashStates")
            .field("unsynced", &self.moment.places.len())
            .field("given", &self.given.len())
            .finish_non_exhaustive()
    }
}

impl CrashStates {
    pub(super) fn new(state: State, settings: &CrashSettings) -> Self {
        let known = Known::of(&state);
        let places = places(&state);
        let moment = Arc::new(Moment { state, places });
        let count = moment.places.len();
        let whole = subsets(count, settings);
        let torn = one_torn(&moment, settings);
        let together = several_torn(&moment, settings);
        Self {
            moment,
            known,
            fates: Box::new(whole.chain(torn).chain(together)),
            given: FxHashSet::default(),
        }
    }
}

impl Iterator for CrashStates {
    type Item = CrashState;

    fn next(&mut self) -> Option<CrashState> {
        loop {
            let fates = self.fates.next()?;
            let (names, contents) = self.moment.after(&fates);
            let files = names
                .iter()
                .map(|(name, file)| (name, *file, self.moment.content(&contents, *file)));
            let fingerprint = self.known.of_disk(files);
            if self.given.insert(fingerprint) {
                return Some(CrashState {
                    disk: self.moment.disk(&names, &contents),
                    fingerprint,
                    moment: Arc::clone(&self.moment),
                    fates,
                });
            }
        }
    }
}

fn fates(count: usize, keep: impl Fn(usize) -> bool) -> Fates {
    let fate = |at| if keep(at) { Fate::Kept } else { Fate::Lost };
    (0..count).map(fate).collect()
}

/// Whole changes.
fn subsets(count: usize, settings: &CrashSettings) -> Box<dyn Iterator<Item = Fates> + Send> {
    if count <= settings.exhaustive_up_to.min(20) as usize {
        let masks = 0..1_usize << count;
        return Box::new(masks.map(move |mask| fates(count, |at| mask >> at & 1 == 1)));
    }
    let upto = (0..=count).map(move |end| fates(count, |at| at < end));
    let all_but = (0..count).map(move |lost| fates(count, |at| at != lost));
    let alone = (0..count).map(move |kept| fates(count, |at| at == kept));
    let mut random = Random::new(settings.seed);
    let samples = (0..settings.subsets).map(move |_| {
        let bits: Vec<u64> = (0..count).map(|_| random.next() >> 63).collect();
        fates(count, |at| bits[at] == 1)
    });
    Box::new(upto.chain(all_but).chain(alone).chain(samples))
}

/// One write torn: all there are, or a sample of them.
fn one_torn(
    moment: &Arc<Moment>,
    settings: &CrashSettings,
) -> impl Iterator<Item = Fates> + Send + use<> {
    let mut random = Random::new(settings.seed ^ 1);
    let count = moment.places.len();
    let mut found = Vec::new();
    for (write, offset, length) in moment.writes() {
        for torn in tears(offset, length, &mut random) {
            found.push((write, Arc::new(torn)));
        }
    }
    let mut order: Vec<(usize, usize)> = (0..3)
        .flat_map(|others| (0..found.len()).map(move |at| (others, at)))
        .collect();
    let wanted = settings.torn as usize;
    if order.len() > wanted {
        for at in 0..wanted {
            let other = at + random.below(order.len() - at);
            order.swap(at, other);
        }
        order.truncate(wanted);
    }
    order.into_iter().map(move |(others, at)| {
        let (write, torn) = &found[at];
        let mut fates = fates(count, |other| match others {
            0 => other < *write,
            1 => true,
            _ => false,
        });
        fates[*write] = Fate::Torn(Arc::clone(torn));
        fates
    })
}

/// Several writes torn, at random.
fn several_torn(
    moment: &Arc<Moment>,
    settings: &CrashSettings,
) -> impl Iterator<Item = Fates> + Send + use<> {
    let mut random = Random::new(settings.seed ^ 2);
    let count = moment.places.len();
    let writes = moment.writes();
    let samples = if writes.len() < 2 {
        0
    } else {
        settings.torn_together
    };
    (0..samples).map(move |_| {
        let bits: Vec<u64> = (0..count).map(|_| random.next() >> 63).collect();
        let mut fates = fates(count, |at| bits[at] == 1);
        for (write, offset, length) in &writes {
            if random.below(3) == 0 {
                let mut torn = tears(*offset, *length, &mut random);
                let torn = torn.swap_remove(random.below(torn.len()));
                fates[*write] = Fate::Torn(Arc::new(torn));
            }
        }
        fates
    })
}

impl fmt::Display for CrashState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = &self.moment.state;
        write!(f, "a crash with {} unsynced changes", self.fates.len())?;
        for (place, fate) in self.moment.places.iter().zip(&self.fates) {
            write!(f, "\n  ")?;
            match fate {
                Fate::Lost => write!(f, "lost  ")?,
                Fate::Kept => write!(f, "kept  ")?,
                Fate::Torn(torn) => {
                    let length = if torn.whole_length {
                        " and the length"
                    } else {
                        ""
                    };
                    write!(f, "kept {:?}{length} of  ", torn.kept)?;
                }
            }
            match place {
                Place::Name(at) => write!(f, "{:?}", state.unsynced_names[*at].change)?,
                Place::File(file, at) => {
                    let inode = &state.files[file];
                    match &inode.unsynced[*at].change {
                        Change::SetLen(len) => write!(f, "{} cut to {len}", inode.name)?,
                        Change::Write { offset, data } => {
                            write!(f, "{}: {} bytes at {offset}", inode.name, data.len())?;
                        }
                    }
                }
            }
        }
        Ok(())
    }
}
