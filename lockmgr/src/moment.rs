//! The table's time and chance: told by the driver, and drawn from a seed.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::{Micros, Moment};

/// Scatters a number (the finaliser of splitmix64): neighbours come out unlike each other.
pub(crate) fn mix(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9E37_79B9_7F4A_7C15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

/// What time it is, and how many questions were asked so far.
#[derive(Debug, Default)]
pub(crate) struct Moments {
    now: AtomicU64,
    asked: AtomicU64,
}

impl Moments {
    /// A copy.
    pub(crate) fn fork(&self) -> Self {
        Moments {
            now: AtomicU64::new(self.now()),
            asked: AtomicU64::new(self.asked.load(Ordering::Relaxed)),
        }
    }

    /// How many questions were asked so far.
    pub(crate) fn asked(&self) -> u64 {
        self.asked.load(Ordering::Relaxed)
    }

    /// The driver's time.
    pub(crate) fn now(&self) -> Micros {
        self.now.load(Ordering::Relaxed)
    }

    /// Notes the driver's time. It never goes back.
    pub(crate) fn advance(&self, now: Micros) {
        if now > self.now() {
            self.now.fetch_max(now, Ordering::Relaxed);
        }
    }

    /// The moment of the next question.
    pub(crate) fn next(&self, seed: u64) -> Moment {
        let ordinal = self.asked.fetch_add(1, Ordering::Relaxed);
        Moment {
            now: self.now(),
            random: mix(seed ^ mix(ordinal)),
        }
    }
}
