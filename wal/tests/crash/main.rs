//! The log under a disk that loses power and fails.
//!
//! A script appends records, makes them durable, saves checkpoints, forgets segments, and takes the
//! log up again. It is played once; from the calls that it made come the states that a crash between
//! any two of them can leave, and each is judged:
//!
//! - J1. What is read is what was appended, from the checkpoint on, in order, without a gap.
//! - J2. Everything that was acknowledged as durable before the crash is among it.
//! - J3. The checkpoint is the last one that was acknowledged, or one that was being saved.
//! - J4. A crash is never taken for damage.
//! - J5. Reading and going on can itself be cut short anywhere, and is then done again.
//!
//! Calls that fail are another battery: each call of each script, in nine fashions. Damage at rest,
//! and lives of random length, are in `tests/log_faults`.
//!
//! Each battery prints how many states it has reached, and fails below four fifths of what it set out
//! to reach, so that it cannot grow weak unseen.

mod failures;
mod power;
mod script;

/// Says what a battery reached and what it set out to; fails when it is too little.
fn reached(counts: &[(&str, u64, u64)]) {
    for (what, count, intended) in counts {
        eprintln!("{what}: {count} (of {intended} intended)");
    }
    for (what, count, intended) in counts {
        assert!(count * 5 >= intended * 4, "{what}: too few");
    }
}
