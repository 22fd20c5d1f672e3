//! The engine under a disk that loses power, fails, and is full for a while.
//!
//! A script of interleaved transactions is played once on a disk that remembers what is durable.
//! From each call that it made come the states that a power loss could leave there, and each of
//! them is opened:
//!
//! - J1. What is there is what the first k commits made, for some k: a prefix of their order.
//! - J2. k is no less than the number of commits acknowledged before the crash, and no more than
//!   the number asked for.
//! - J3. `Engine::check` finds nothing wrong: trees, indexes against rows, counters, undo, pages.
//! - J4. Opening is the same again when it is cut short anywhere, to the third degree.
//! - J5. What was opened goes on: takes a commit and has it next time.
//!
//! With failing calls instead: the right answer or a typed error, and nothing acknowledged once
//! writes are refused. With a full disk: statements fail, and all goes on when there is space.
//!
//! Each battery prints how many states it has reached, and fails below four fifths of what it set out
//! to reach, so that it cannot grow weak unseen.

mod failures;
mod full;
mod model;
mod play;
mod power;
mod scripts;

use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;

/// Says what a battery reached and what it set out to; fails when it is too little.
fn reached(counts: &[(&str, u64, u64)]) {
    for (what, count, intended) in counts {
        eprintln!("{what}: {count} (of {intended} intended)");
    }
    for (what, count, intended) in counts {
        assert!(count * 5 >= intended * 4, "{what}: too few");
    }
}

/// Does some work for each number below `count`, on all processors.
fn for_each(count: usize, work: impl Fn(usize) + Sync) {
    let next = AtomicUsize::new(0);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    if at >= count {
                        break;
                    }
                    work(at);
                }
            });
        }
    });
}

/// Counts that several threads add to.
type Shared<T> = Mutex<T>;
