//! Choices by a seed.

/// Choices by a seed (xorshift64*): the same seed gives the same choices everywhere.
#[derive(Clone, Debug)]
pub(in crate::lab) struct Chance(u64);

impl Chance {
    pub(in crate::lab) fn new(seed: u64) -> Chance {
        // The state must not be zero; the constant spreads small seeds over all bits.
        Chance(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15).max(1))
    }

    /// A number below `bound`, which is not 0.
    pub(in crate::lab) fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11) % bound
    }

    /// A number from `low` to `high`, both among them.
    pub(in crate::lab) fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high - low + 1)
    }

    /// True in so many of a hundred cases.
    pub(in crate::lab) fn percent(&mut self, share: u64) -> bool {
        self.below(100) < share
    }

    /// One of these; none if there are none.
    pub(in crate::lab) fn pick<T: Copy>(&mut self, choices: &[T]) -> Option<T> {
        let bound = choices.len() as u64;
        let at = (bound > 0).then(|| self.below(bound))?;
        choices.get(usize::try_from(at).ok()?).copied()
    }

    /// One of these, each as often as its weight says; there is at least one weight above 0.
    pub(in crate::lab) fn weighted<T: Copy>(&mut self, choices: &[(u64, T)]) -> T {
        let total: u64 = choices.iter().map(|(weight, _)| weight).sum();
        let mut left = self.below(total);
        for (weight, choice) in choices {
            if left < *weight {
                return *choice;
            }
            left -= weight;
        }
        unreachable!("what is left is below the sum of the weights")
    }
}
