//! Random numbers that are the same on every machine, from a seed.

use std::f64::consts::TAU;

#[cfg(test)]
mod tests;

/// `len` numbers drawn evenly from -1 to 1.
pub fn random_f32(len: usize, seed: u64) -> Vec<f32> {
    let mut state = seed;
    (0..len).map(|_| (2.0 * next_unit(&mut state) - 1.0) as f32).collect()
}

/// `len` numbers drawn from the normal distribution of mean 0 and deviation 1.
pub fn random_normal(len: usize, seed: u64) -> Vec<f32> {
    let mut state = seed;
    (0..len)
        .map(|_| {
            // Box and Muller's transform; 1 - u keeps the logarithm finite.
            let radius = (-2.0 * (1.0 - next_unit(&mut state)).ln()).sqrt();
            (radius * (TAU * next_unit(&mut state)).cos()) as f32
        })
        .collect()
}

/// `len` token ids drawn evenly from 0 to `vocab_size - 1`.
///
/// # Panics
///
/// If `vocab_size` is 0.
pub fn random_tokens(len: usize, vocab_size: u32, seed: u64) -> Vec<u32> {
    assert!(vocab_size > 0, "a vocabulary must have at least one token");
    let mut state = seed;
    (0..len).map(|_| (next_u64(&mut state) % u64::from(vocab_size)) as u32).collect()
}

/// A number of 53 random bits, at least 0 and below 1.
fn next_unit(state: &mut u64) -> f64 {
    (next_u64(state) >> 11) as f64 / (1_u64 << 53) as f64
}

/// SplitMix64 (Steele, Lea, Flood 2014), as published by Vigna.
fn next_u64(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
