//! Random numbers without state: Philox 4x32-10.
//!
//! A counter-based generator makes the number a pure function of seed, sample and step. A stream
//! generator would have to be carried along when a sequence is preempted, forked or resumed, and
//! would give other tokens if two sequences shared it.
//!
//! Source: Salmon, Moraes, Dror, Shaw, Parallel Random Numbers: As Easy as 1, 2, 3 (2011).

const MULTIPLIERS: [u32; 2] = [0xD251_1F53, 0xCD9E_8D57];
/// The golden ratio and the square root of 3 less 1, as 32-bit fractions.
const KEY_STEPS: [u32; 2] = [0x9E37_79B9, 0xBB67_AE85];
const ROUNDS: usize = 10;

/// Four random words from a counter and a key.
///
/// # Examples
///
/// ```
/// // The first of the authors' published test vectors.
/// let words = puyu_core::sampler::random::philox([0; 4], [0; 2]);
/// assert_eq!(words, [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]);
/// ```
pub fn philox(mut counter: [u32; 4], mut key: [u32; 2]) -> [u32; 4] {
    for _ in 0..ROUNDS {
        let [c0, c1, c2, c3] = counter;
        let (high0, low0) = multiply(MULTIPLIERS[0], c0);
        let (high1, low1) = multiply(MULTIPLIERS[1], c2);
        counter = [high1 ^ c1 ^ key[0], low1, high0 ^ c3 ^ key[1], low0];
        key = [key[0].wrapping_add(KEY_STEPS[0]), key[1].wrapping_add(KEY_STEPS[1])];
    }
    counter
}

/// The high and the low half of a product.
fn multiply(a: u32, b: u32) -> (u32, u32) {
    let product = u64::from(a) * u64::from(b);
    ((product >> 32) as u32, product as u32)
}

/// A number of 53 random bits, at least 0 and below 1, for one step of one sample.
pub fn uniform(seed: u64, sample: u32, step: u64) -> f64 {
    let counter = [step as u32, (step >> 32) as u32, sample, 0];
    let [w0, w1, _, _] = philox(counter, [seed as u32, (seed >> 32) as u32]);
    let bits = (u64::from(w1) << 32 | u64::from(w0)) >> 11;
    bits as f64 / (1_u64 << 53) as f64
}
