//! MinHash signatures by one permutation.
//!
//! Each shingle is hashed once. The hash chooses a bin, and each bin keeps its smallest hash: one
//! hash per shingle where `k` permutations need `k` (Li, Owen, Zhang, *One Permutation Hashing*,
//! NIPS 2012). A bin without a shingle copies the bin that its own random probe sequence meets
//! first, which keeps the chance of agreement at exactly the Jaccard similarity and the variance
//! smallest (Shrivastava, *Optimal Densification for Fast and Accurate Minwise Hashing*, ICML
//! 2017). `k` permutations would cost `k` multiplications per character.

use super::super::fold::{ODD, fold, fold_tokens, is_ideograph, mix};
use super::{MinHashOptions, Shingle};

/// A bin without a shingle; a hash of this value becomes one less.
const EMPTY: u64 = u64::MAX;

/// The numbers of a document. Documents without any letter have [`None`](Signer::sign) instead.
pub type Signature = Vec<u32>;

/// Makes signatures; owns the buffers, so one per thread.
///
/// ```
/// use puyu_dataset::dedup::MinHashOptions;
/// use puyu_dataset::dedup::minhash::{Signer, signature};
///
/// let mut signer = Signer::new(&MinHashOptions::default());
/// let one = signer.sign("床前明月光，疑是地上霜。").unwrap();
/// let two = signer.sign("床前明月光 疑是地上霜").unwrap();
/// assert_eq!(signature::similarity(&one, &two), 1.0);
/// assert!(signer.sign("……！").is_none());
/// ```
#[derive(Debug, Clone)]
pub struct Signer {
    shingle: Shingle,
    seed: u64,
    bins: Vec<u64>,
    windows: Windows,
}

impl Signer {
    /// A signer for checked options.
    ///
    /// # Panics
    ///
    /// If the options do not [validate](MinHashOptions::validate).
    pub fn new(options: &MinHashOptions) -> Self {
        assert!(options.validate().is_ok(), "options must be validated first");
        let (Shingle::Characters(weight) | Shingle::Words(weight)) = options.shingle;
        Self {
            shingle: options.shingle,
            seed: mix(options.seed ^ ODD),
            bins: vec![EMPTY; options.width()],
            windows: Windows::new(weight, window_base(options.seed)),
        }
    }

    /// The signature of a text; `None` if folding leaves nothing of it.
    ///
    /// A text shorter than one shingle is one shingle.
    pub fn sign(&mut self, text: &str) -> Option<Signature> {
        self.bins.fill(EMPTY);
        self.windows.clear();
        let (bins, windows, seed) = (&mut self.bins, &mut self.windows, self.seed);
        let mut put = |window: u64| {
            let hash = mix(window ^ seed).min(EMPTY - 1);
            // The high half scaled to the number of bins.
            let bin = ((hash >> 32) * bins.len() as u64) >> 32;
            let least = &mut bins[bin as usize];
            *least = hash.min(*least);
        };
        match self.shingle {
            Shingle::Characters(_) => fold(text, |unit| {
                let weight = 1 + u32::from(is_ideograph(unit.code));
                windows.feed(u64::from(unit.code) + 1, weight, &mut put);
            }),
            Shingle::Words(_) => fold_tokens(text, |token| windows.feed(token.hash, 1, &mut put)),
        }
        windows.finish(&mut put);
        self.numbers()
    }

    /// One number per bin: its own or a borrowed hash, mixed with the number of the bin, so that
    /// borrowing the same hash twice gives independent numbers.
    fn numbers(&self) -> Option<Signature> {
        if self.bins.iter().all(|&bin| bin == EMPTY) {
            return None;
        }
        let number = |bin: usize| {
            let source = self.source(bin);
            (mix(self.bins[source] ^ (bin as u64).wrapping_mul(ODD)) >> 32) as u32
        };
        Some((0..self.bins.len()).map(number).collect())
    }

    /// The bin itself, or the first filled one in its probe sequence.
    ///
    /// The sequence depends on the bin and seed only, so both sides of a pair probe alike. Where
    /// one bin is filled, each other takes as many probes as there are bins, on average.
    fn source(&self, bin: usize) -> usize {
        let mut source = bin;
        let mut attempt = 0_u64;
        while self.bins[source] == EMPTY {
            attempt += 1;
            let probe = mix(self.seed ^ (attempt << 32 | bin as u64));
            source = (((probe >> 32) * self.bins.len() as u64) >> 32) as usize;
        }
        source
    }
}

/// The share of equal numbers, which estimates the Jaccard similarity.
///
/// # Panics
///
/// If the lengths differ.
pub fn similarity(a: &[u32], b: &[u32]) -> f64 {
    assert_eq!(a.len(), b.len(), "signatures of different widths");
    let equal = a.iter().zip(b).filter(|(a, b)| a == b).count();
    equal as f64 / a.len().max(1) as f64
}

/// The base of window hashes for a seed.
///
/// The fixed bits keep it away from small numbers whatever the seed: with base 1 a window would be
/// the sum of its characters, equal for all their orders. 5 modulo 8 has the longest period.
fn window_base(seed: u64) -> u64 {
    mix(seed.wrapping_add(ODD)) & !7 | 0x4000_0001_0000_0005
}

/// The number of windows that may be open at once: the largest weight, and one.
const RING: usize = 128;

/// Hashes of windows that begin at each element and end where their weight suffices.
///
/// A polynomial over the elements, as the difference of two prefixes, so a window costs the same
/// whatever its length. The polynomial is modulo 2⁶⁴, which is weak against texts built to
/// collide only for windows far longer than 64 elements.
#[derive(Debug, Clone)]
struct Windows {
    least_weight: u32,
    base: u64,
    powers: [u64; RING],
    prefixes: [u64; RING],
    weights: [u32; RING],
    start: usize,
    end: usize,
    weight: u32,
}

impl Windows {
    fn new(least_weight: u32, base: u64) -> Self {
        let mut powers = [1_u64; RING];
        for i in 1..RING {
            powers[i] = powers[i - 1].wrapping_mul(base);
        }
        let (prefixes, weights) = ([0; RING], [0; RING]);
        Self { least_weight, base, powers, prefixes, weights, start: 0, end: 0, weight: 0 }
    }

    fn clear(&mut self) {
        self.prefixes[0] = 0;
        (self.start, self.end, self.weight) = (0, 0, 0);
    }

    #[inline]
    fn feed(&mut self, element: u64, weight: u32, put: &mut impl FnMut(u64)) {
        let prefix = self.prefixes[self.end % RING];
        self.weights[self.end % RING] = weight;
        self.end += 1;
        self.prefixes[self.end % RING] = prefix.wrapping_mul(self.base).wrapping_add(element);
        self.weight += weight;
        while self.weight >= self.least_weight {
            put(self.window());
            self.weight -= self.weights[self.start % RING];
            self.start += 1;
        }
    }

    fn finish(&mut self, put: &mut impl FnMut(u64)) {
        if self.start == 0 && self.end > 0 {
            put(self.window());
        }
    }

    #[inline]
    fn window(&self) -> u64 {
        let before = self.prefixes[self.start % RING];
        let power = self.powers[(self.end - self.start) % RING];
        self.prefixes[self.end % RING].wrapping_sub(before.wrapping_mul(power))
    }
}
