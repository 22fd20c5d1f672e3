//! Power loss between any two calls, and again while what was left is opened (B1 to B3).

use std::{collections::BTreeMap, sync::Arc};

use gaplock_wal::fault::{CrashSettings, CrashState, FaultDisk};
use parking_lot::Mutex;

use crate::{
    Shared, for_each,
    model::{History, World, contents},
    play::{Player, open},
    reached,
    scripts::{Script, all},
};

/// Opening one state of so many is itself cut short,
const NEST_EVERY: u64 = 151;
/// and one of so many of the states that this leaves once more.
const NEST_AGAIN_EVERY: u64 = 97;
const DEPTH: u32 = 3;
/// One state of so many goes on.
const GO_ON_EVERY: u64 = 19;

#[derive(Debug, Default)]
struct Counts {
    moments: u64,
    states: u64,
    opened: u64,
    inside: u64,
    deepest: u64,
    went_on: u64,
    /// Transactions rolled back by an opening.
    rolled_back: u64,
}

#[test]
fn a_power_loss_between_any_two_calls() {
    let scripts = all();
    let total: Shared<Counts> = Mutex::default();
    for_each(scripts.len(), |at| {
        let counts = play(&scripts[at], at as u64);
        eprintln!("{}: {counts:?}", scripts[at].name);
        let mut total = total.lock();
        total.moments += counts.moments;
        total.states += counts.states;
        total.opened += counts.opened;
        total.inside += counts.inside;
        total.deepest += counts.deepest;
        total.went_on += counts.went_on;
        total.rolled_back += counts.rolled_back;
    });
    let total = total.into_inner();
    reached(&[
        ("moments of crashes", total.moments, 1_000),
        (
            "crash states of the engine",
            total.states + total.inside,
            200_000,
        ),
        ("of them different ones, opened", total.opened, 60_000),
        ("of them inside recovery", total.inside, 20_000),
        ("of them at depth three", total.deepest, 2_000),
        ("gone on with", total.went_on, 2_000),
        ("transactions rolled back", total.rolled_back, 20_000),
    ]);
}

fn play(script: &Script, seed: u64) -> Counts {
    let disk = Arc::new(FaultDisk::new());
    disk.capture(0..u64::MAX);
    let mut player = Player::create(script, Arc::clone(&disk)).expect("a disk that works");
    for op in &script.ops {
        let done = player.op(*op);
        done.unwrap_or_else(|error| panic!("{}: {op:?}: {error}", script.name));
    }
    assert_eq!(player.wrong, None, "{}", script.name);
    let mut moments: Vec<(u64, FaultDisk)> = disk
        .take_captured()
        .into_iter()
        .map(|captured| (captured.before.number, captured.disk))
        .collect();
    moments.push((disk.calls(), disk.copy()));
    player.forget_unpromised();
    let mut judge = Judge {
        script,
        history: &player.history,
        known: BTreeMap::new(),
        counts: Counts::default(),
    };
    for (number, moment) in moments {
        judge.counts.moments += 1;
        let settings = CrashSettings {
            torn: 500,
            torn_together: 40,
            subsets: 60,
            exhaustive_up_to: 12,
            seed: seed << 32 | number,
        };
        for state in moment.crash_states(&settings) {
            judge.state(number, &state);
        }
    }
    judge.counts
}

struct Judge<'h> {
    script: &'h Script,
    history: &'h History,
    /// What was found in states that were met before.
    known: BTreeMap<u64, Arc<World>>,
    counts: Counts,
}

impl Judge<'_> {
    fn state(&mut self, number: u64, state: &CrashState) {
        self.counts.states += 1;
        let what = || format!("{}, before call {number}: {state}", self.script.name);
        let found = match self.known.get(&state.fingerprint) {
            Some(found) => Arc::clone(found),
            None => {
                self.counts.opened += 1;
                let go_on = self.counts.opened.is_multiple_of(GO_ON_EVERY);
                let found = sound(self.script, &state.disk, go_on, &mut self.counts);
                let found = found.unwrap_or_else(|wrong| panic!("{wrong}\n{}", what()));
                if self.counts.opened.is_multiple_of(NEST_EVERY) {
                    let counts = &mut self.counts;
                    cut_short(self.script, &state.disk, &found, 2, counts)
                        .unwrap_or_else(|wrong| panic!("{wrong}\n{}", what()));
                }
                let found = self.intern(found);
                self.known.insert(state.fingerprint, Arc::clone(&found));
                found
            }
        };
        if let Err(wrong) = self.history.judge(number, &found) {
            panic!("{wrong}\n{}", what());
        }
    }

    /// Few versions are found, again and again.
    fn intern(&self, found: World) -> Arc<World> {
        let same = self.known.values().find(|known| ***known == found);
        same.map_or_else(|| Arc::new(found), Arc::clone)
    }
}

/// Opens a state and checks it (J3); and goes on with it, if wanted (J5).
fn sound(
    script: &Script,
    disk: &FaultDisk,
    go_on: bool,
    counts: &mut Counts,
) -> Result<World, String> {
    let disk = Arc::new(disk.copy());
    let engine = open(script, Arc::clone(&disk)).map_err(|error| format!("J3: {error}"))?;
    counts.rolled_back += engine.recovery().rolled_back;
    let check = engine.check().map_err(|error| format!("J3: {error}"))?;
    if !check.problems.is_empty() {
        return Err(format!("J3: {:?}", check.problems));
    }
    let found = contents(&engine).map_err(|error| format!("J3: {error}"))?;
    if go_on && found.contains_key("t") {
        counts.went_on += 1;
        drop(engine);
        goes_on(script, &disk, &found)?;
    }
    Ok(found)
}

/// J5.
fn goes_on(script: &Script, disk: &Arc<FaultDisk>, found: &World) -> Result<(), String> {
    let more = crate::play::commit_one_more(script, disk, found)
        .map_err(|error| format!("J5: going on: {error}"))?;
    let left = Arc::new(disk.without_unsynced());
    let engine = open(script, left).map_err(|error| format!("J5: afterwards: {error}"))?;
    let check = engine.check().map_err(|error| format!("J5: {error}"))?;
    let there = contents(&engine).map_err(|error| format!("J5: {error}"))?;
    if there != more || !check.problems.is_empty() {
        return Err(format!("J5: another content, or {:?}", check.problems));
    }
    Ok(())
}

/// J4: crashes at every call of opening it.
fn cut_short(
    script: &Script,
    disk: &FaultDisk,
    expected: &World,
    depth: u32,
    counts: &mut Counts,
) -> Result<(), String> {
    let disk = Arc::new(disk.copy());
    disk.capture(0..u64::MAX);
    open(script, Arc::clone(&disk)).map_err(|error| format!("J4: {error}"))?;
    for captured in disk.take_captured() {
        let settings = CrashSettings {
            torn: 4,
            torn_together: 1,
            subsets: 4,
            exhaustive_up_to: 3,
            seed: captured.before.number,
        };
        for state in captured.disk.crash_states(&settings) {
            counts.inside += 1;
            counts.deepest += u64::from(depth == DEPTH);
            let what = |wrong: String| {
                format!(
                    "{wrong}\nand, opening that, before call {}: {state}",
                    captured.before
                )
            };
            let found = sound(script, &state.disk, false, counts).map_err(what)?;
            if found != *expected {
                return Err(what("J4: another content".into()));
            }
            if depth < DEPTH && counts.inside.is_multiple_of(NEST_AGAIN_EVERY) {
                cut_short(script, &state.disk, expected, depth + 1, counts).map_err(what)?;
            }
        }
    }
    Ok(())
}
