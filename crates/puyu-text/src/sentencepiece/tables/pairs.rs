//! What two symbols side by side make.

use super::NONE;

/// What a pair makes: the piece and its rank, 0 for the best score.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Joined {
    pub(crate) id: u32,
    pub(crate) rank: u32,
}

impl Joined {
    /// The pair makes no piece; worse than every rank.
    pub(crate) const NOTHING: Self = Self { id: NONE, rank: u32::MAX };
}

/// A hash table from two ids to what they make. Fixed in size, with open addressing.
#[derive(Debug)]
pub(crate) struct Pairs {
    slots: Vec<Slot>,
    shift: u32,
    /// A bit per hash: most pairs that are asked for make nothing, and megabytes of slots are in
    /// no near cache.
    filter: Vec<u64>,
    filter_shift: u32,
}

#[derive(Debug, Clone, Copy)]
struct Slot {
    pair: u64,
    joined: Joined,
}

impl Pairs {
    const EMPTY: Slot = Slot { pair: u64::MAX, joined: Joined::NOTHING };

    /// At most half of the slots are taken, so a search looks at one and a half on average.
    pub(crate) fn with_capacity(n_pairs: usize) -> Self {
        let n_slots = (2 * n_pairs).next_power_of_two().max(2);
        let n_bits = (4 * n_slots).max(64);
        Self {
            slots: vec![Self::EMPTY; n_slots],
            shift: 64 - n_slots.trailing_zeros(),
            filter: vec![0; n_bits / 64],
            filter_shift: 64 - n_bits.trailing_zeros(),
        }
    }

    /// Enters a pair that is not there yet; no more pairs than the capacity.
    pub(crate) fn insert(&mut self, left: u32, right: u32, joined: Joined) {
        let pair = key(left, right);
        let mut at = self.home(pair);
        while self.slots[at].pair != Self::EMPTY.pair {
            at = self.after(at);
        }
        self.slots[at] = Slot { pair, joined };
        let bit = mixed(pair) >> self.filter_shift;
        self.filter[(bit / 64) as usize] |= 1 << (bit % 64);
    }

    #[inline]
    pub(crate) fn find(&self, left: u32, right: u32) -> Joined {
        let pair = key(left, right);
        let bit = mixed(pair) >> self.filter_shift;
        if self.filter[(bit / 64) as usize] & (1 << (bit % 64)) == 0 {
            return Joined::NOTHING;
        }
        let mut at = self.home(pair);
        loop {
            let slot = self.slots[at];
            // An empty slot holds what is to be said of a pair that is not there.
            if slot.pair == pair || slot.pair == Self::EMPTY.pair {
                return slot.joined;
            }
            at = self.after(at);
        }
    }

    #[inline]
    fn home(&self, pair: u64) -> usize {
        (mixed(pair) >> self.shift) as usize
    }

    #[inline]
    fn after(&self, at: usize) -> usize {
        (at + 1) & (self.slots.len() - 1)
    }
}

/// Multiplication by 2^64 over the golden ratio spreads neighbours over the top bits.
#[inline]
fn mixed(pair: u64) -> u64 {
    pair.wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

#[inline]
fn key(left: u32, right: u32) -> u64 {
    (u64::from(left) << 32) | u64::from(right)
}
