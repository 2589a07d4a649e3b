//! The world's dice: SplitMix64, so that a conversation is a pure function of two numbers.
//!
//! # Source
//!
//! Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014.

/// A small deterministic generator of random numbers. Not for secrets.
#[derive(Debug, Clone)]
pub(super) struct Rng {
    state: u64,
}

impl Rng {
    /// Starts the stream number `index` of the family `seed`.
    pub(super) fn new(seed: u64, index: u64) -> Self {
        // Mixed twice, so that neighbouring seeds and indices share no visible pattern.
        Self { state: mix(mix(seed) ^ index.wrapping_mul(0xd1b5_4a32_d192_ed03)) }
    }

    /// A number in `0..n`.
    ///
    /// # Panics
    ///
    /// If `n` is zero.
    pub(super) fn below(&mut self, n: usize) -> usize {
        assert!(n > 0, "cannot draw from nothing");
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        // The bias of the remainder is below 2^-50 for the tables of this world.
        (mix(self.state) % n as u64) as usize
    }

    /// A number in `low..=high`.
    pub(super) fn between(&mut self, low: u32, high: u32) -> u32 {
        low + self.below((high - low + 1) as usize) as u32
    }

    /// True in `percent` of a hundred draws.
    pub(super) fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    /// One of `items`, each as likely as the others.
    pub(super) fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }

    /// One of the phrases, each as likely as the others.
    pub(super) fn phrase(&mut self, phrases: &[&'static str]) -> &'static str {
        phrases[self.below(phrases.len())]
    }

    /// One of `items`, as likely as the weight beside it.
    pub(super) fn weighted<T: Copy>(&mut self, items: &[(T, u32)]) -> T {
        let total: u32 = items.iter().map(|&(_, weight)| weight).sum();
        let mut ticket = self.below(total as usize) as u32;
        for &(item, weight) in items {
            if ticket < weight {
                return item;
            }
            ticket -= weight;
        }
        unreachable!("the ticket is below the sum of the weights")
    }
}

/// The finaliser of SplitMix64: a bijection whose output bits all depend on all input bits.
pub(super) fn mix(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}
