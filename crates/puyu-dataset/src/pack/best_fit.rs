//! Best-fit decreasing in near-linear time.
//!
//! Open packs lie in one bucket for each number of free tokens. A tree of bits over the buckets
//! finds the smallest one that is large enough in as many steps as the tree has levels: three for
//! rows of up to 262 144 tokens. Documents are put in order of length by counting, not comparing.

/// Puts items into packs of `capacity`; returns the pack of each item and the number of packs.
///
/// Each length must be from 1 to `capacity`. Equal lengths, in the order that `seed` gives them.
pub(super) fn assign(lengths: &[u32], capacity: u32, seed: u64) -> (Vec<u32>, usize) {
    let mut packs = vec![0; lengths.len()];
    let mut open = OpenPacks::new(capacity);
    for item in longest_first(lengths, capacity, seed) {
        let length = lengths[item as usize];
        let (pack, free) = match open.take(length) {
            Some((pack, free)) => (pack, free),
            None => (open.add(), capacity),
        };
        packs[item as usize] = pack;
        open.put(pack, free - length);
    }
    (packs, open.next.len())
}

/// The items from long to short.
fn longest_first(lengths: &[u32], capacity: u32, seed: u64) -> Vec<u32> {
    let mut places = vec![0_u32; capacity as usize + 2];
    for &length in lengths {
        places[(capacity - length) as usize + 1] += 1;
    }
    for rank in 1..places.len() {
        places[rank] += places[rank - 1];
    }
    let mut sorted = vec![0; lengths.len()];
    for item in shuffled(lengths.len() as u32, seed) {
        let place = &mut places[(capacity - lengths[item as usize]) as usize];
        sorted[*place as usize] = item;
        *place += 1;
    }
    sorted
}

/// The numbers below `n` in an order that depends on the seed only (Fisher and Yates).
fn shuffled(n: u32, seed: u64) -> Vec<u32> {
    let mut items: Vec<u32> = (0..n).collect();
    let mut state = seed;
    for last in (1..items.len()).rev() {
        let random = split_mix(&mut state);
        // The high half of the product: less than one in 2^32 of the orders is favoured.
        let other = (u128::from(random) * (last as u128 + 1)) >> 64;
        items.swap(last, other as usize);
    }
    items
}

/// The next number of the SplitMix64 generator (Steele, Lea and Flood, 2014).
pub(super) fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

const NOBODY: u32 = u32::MAX;

/// Packs with room, by how much.
struct OpenPacks {
    /// For each number of free tokens the pack that came last.
    heads: Vec<u32>,
    /// For each pack the one that came before it into the same bucket.
    next: Vec<u32>,
    /// Which buckets are not empty; above it, which of 64 words are not zero; and so on.
    levels: Vec<Vec<u64>>,
}

impl OpenPacks {
    fn new(capacity: u32) -> Self {
        let mut levels = Vec::new();
        let mut bits = capacity as usize + 1;
        loop {
            bits = bits.div_ceil(64);
            levels.push(vec![0; bits]);
            if bits == 1 {
                break;
            }
        }
        Self { heads: vec![NOBODY; capacity as usize + 1], next: Vec::new(), levels }
    }

    /// Makes a pack that is in no bucket yet.
    fn add(&mut self) -> u32 {
        self.next.push(NOBODY);
        self.next.len() as u32 - 1
    }

    /// Takes out a pack with the least room of at least `length`, and says how much that is.
    fn take(&mut self, length: u32) -> Option<(u32, u32)> {
        let bucket = self.first_from(length as usize)?;
        let pack = self.heads[bucket];
        self.heads[bucket] = self.next[pack as usize];
        if self.heads[bucket] == NOBODY {
            self.clear(bucket);
        }
        Some((pack, bucket as u32))
    }

    /// Puts a pack with `free` tokens of room into its bucket. Full packs are done.
    fn put(&mut self, pack: u32, free: u32) {
        if free == 0 {
            return;
        }
        let bucket = free as usize;
        self.next[pack as usize] = self.heads[bucket];
        self.heads[bucket] = pack;
        let mut bit = bucket;
        for level in &mut self.levels {
            level[bit / 64] |= 1 << (bit % 64);
            bit /= 64;
        }
    }

    fn clear(&mut self, bucket: usize) {
        let mut bit = bucket;
        for level in &mut self.levels {
            level[bit / 64] &= !(1 << (bit % 64));
            if level[bit / 64] != 0 {
                break;
            }
            bit /= 64;
        }
    }

    /// The first bucket that is not empty, from `bucket` on.
    fn first_from(&self, bucket: usize) -> Option<usize> {
        let mut bit = bucket;
        for (height, level) in self.levels.iter().enumerate() {
            let word = *level.get(bit / 64)? & (u64::MAX << (bit % 64));
            if word == 0 {
                // Nothing at or after this bit in its word: go on after the word, one level up.
                bit = bit / 64 + 1;
                continue;
            }
            let mut found = bit / 64 * 64 + word.trailing_zeros() as usize;
            for lower in self.levels[..height].iter().rev() {
                found = found * 64 + lower[found].trailing_zeros() as usize;
            }
            return Some(found);
        }
        None
    }
}
