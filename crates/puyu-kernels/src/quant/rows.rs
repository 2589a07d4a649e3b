//! Activations in 8 bits.

use super::format::{BLOCK, QUAD};
use super::round::ROUNDING;
use crate::shared::SharedSlice;
use crate::{Isa, pool};

/// Activations from which several threads quantise them: some 30 microseconds of one thread.
const PARALLEL_LEN: usize = 1 << 17;

/// A group whose values all lie below this (2^-100) counts as zeros, so that the inverse of its
/// scale stays finite.
pub(super) const TINY: f32 = 7.888_609_e-31;

/// The largest quantised value.
pub(super) const LARGEST: f32 = 127.0;

/// 32 quantised activations of a row.
#[derive(Debug, Clone, Copy, PartialEq)]
#[repr(C)]
pub(super) struct Block {
    /// From -127 to 127.
    pub(super) values: [i8; BLOCK],
    /// What a value is worth; NaN if an activation was not finite.
    pub(super) scale: f32,
    /// The negated sums of the values whose place in their quad is 0 or 1, and 2 or 3: what a
    /// weight's zero point is multiplied with. At most 16 × 127 each.
    pub(super) negated_sums: [i16; 2],
}

impl Block {
    pub(super) const ZERO: Self = Self { values: [0; BLOCK], scale: 0.0, negated_sums: [0; 2] };

    /// Fills in the negated sums.
    #[inline(always)]
    pub(super) fn sum(&mut self) {
        let mut sums = [0; 2];
        for quad in self.values.as_chunks::<QUAD>().0 {
            let [a, b, c, d] = quad.map(i16::from);
            sums = [sums[0] - a - b, sums[1] - c - d];
        }
        self.negated_sums = sums;
    }
}

/// Rows of activations in 8 bits, with a scale for every 32 values of a row.
///
/// One quantisation serves every weight that the rows are multiplied with. A value `x` becomes
/// `round(x * (127 / max))` with the largest magnitude `max` of its group, so it is kept with an
/// error of at most `max / 254`, plus rounding. Groups with no value of at least 2^-100 become
/// zeros. A group with an infinity or NaN makes all outputs of its row NaN.
///
/// The bits are the same with every instruction set, and those of a row depend on that row alone.
///
/// # Examples
///
/// ```
/// use puyu_kernels::QuantizedRows;
///
/// let mut rows = QuantizedRows::new();
/// rows.quantize(&[1.0, -0.5, 0.0, 0.25, 8.0, 2.0], 3);
/// assert_eq!((rows.n(), rows.k()), (2, 3));
/// assert_eq!(rows.to_f32()[0], 1.0);
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
pub struct QuantizedRows {
    blocks: Vec<Block>,
    n: usize,
    k: usize,
}

impl QuantizedRows {
    /// No rows yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Number of rows.
    pub fn n(&self) -> usize {
        self.n
    }

    /// Values of a row.
    pub fn k(&self) -> usize {
        self.k
    }

    /// Quantises rows of `k` values in place of those before, whose memory is used again.
    ///
    /// # Panics
    ///
    /// If `k` is 0, or `x` is not whole rows of `k`.
    pub fn quantize(&mut self, x: &[f32], k: usize) {
        assert!(k > 0, "a product must have at least one term");
        assert!(x.len().is_multiple_of(k), "{} activations are not whole rows of {k}", x.len());
        self.quantize_on(Isa::detect(), x, k);
    }

    /// `isa` comes from `Isa::detect` or `Isa::available`.
    pub(super) fn quantize_on(&mut self, isa: Isa, x: &[f32], k: usize) {
        let write = |_: &mut (), row: usize, blocks: &mut [Block]| {
            quantize_row(isa, &x[row * k..][..k], blocks);
        };
        self.fill(x.len() / k, k, || (), write);
    }

    /// Makes room for `n` rows and lets every row be written by its number, in several threads if
    /// there are many values. `init` makes what a thread keeps between its rows.
    pub(super) fn fill<S>(
        &mut self,
        n: usize,
        k: usize,
        init: impl Fn() -> S + Sync,
        write: impl Fn(&mut S, usize, &mut [Block]) + Sync,
    ) {
        let shared = self.reset(n, k);
        let row_len = k.div_ceil(BLOCK);
        let run = |state: &mut S, row: usize| {
            // SAFETY: the rows are disjoint, and each is written by one task.
            write(state, row, unsafe { shared.part(row * row_len, row_len) });
        };
        if n > 1 && n.saturating_mul(k) >= PARALLEL_LEN {
            pool::for_each_init(n, init, run);
        } else {
            let mut state = init();
            (0..n).for_each(|row| run(&mut state, row));
        }
    }

    /// Takes the shape of `n` rows of `k` values, whose blocks the caller writes.
    pub(super) fn reset(&mut self, n: usize, k: usize) -> SharedSlice<'_, Block> {
        (self.n, self.k) = (n, k);
        self.blocks.resize(n * k.div_ceil(BLOCK), Block::ZERO);
        SharedSlice::new(&mut self.blocks)
    }

    /// The blocks of a row.
    pub(super) fn row(&self, row: usize) -> &[Block] {
        let len = self.k.div_ceil(BLOCK);
        &self.blocks[row * len..][..len]
    }

    /// The values that the quantised ones stand for, `[n, k]`.
    pub fn to_f32(&self) -> Vec<f32> {
        let mut out = Vec::with_capacity(self.n * self.k);
        for row in 0..self.n {
            let values = self
                .row(row)
                .iter()
                .flat_map(|block| block.values.iter().map(|&value| f32::from(value) * block.scale));
            out.extend(values.take(self.k));
        }
        out
    }
}

/// Quantises a row; `isa` comes from `Isa::detect` or `Isa::available`.
pub(super) fn quantize_row(isa: Isa, x: &[f32], blocks: &mut [Block]) {
    let (chunks, rest) = x.as_chunks::<BLOCK>();
    match isa {
        // SAFETY: the processor has this instruction set, see above. One with AVX-512 has AVX2.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 | Isa::Avx512 => unsafe { quantize_avx2(chunks, blocks) },
        _ => quantize_blocks(chunks, blocks),
    }
    if !rest.is_empty() {
        let mut padded = [0.0; BLOCK];
        padded[..rest.len()].copy_from_slice(rest);
        quantize_blocks(&[padded], &mut blocks[chunks.len()..]);
    }
}

/// The definition, compiled for vectors of 8.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn quantize_avx2(chunks: &[[f32; BLOCK]], blocks: &mut [Block]) {
    quantize_blocks(chunks, blocks);
}

/// The definition.
#[inline(always)]
fn quantize_blocks(chunks: &[[f32; BLOCK]], blocks: &mut [Block]) {
    for (x, block) in chunks.iter().zip(blocks) {
        // The magnitudes of floats are ordered as their bits, and NaN comes out above all.
        let largest = x.iter().fold(0, |max, x| max.max(x.to_bits() as i32 & i32::MAX));
        let largest = f32::from_bits(largest as u32);
        if !largest.is_finite() {
            *block = Block { scale: f32::NAN, ..Block::ZERO };
            continue;
        }
        if largest < TINY {
            *block = Block::ZERO;
            continue;
        }
        let inverse = LARGEST / largest;
        for (value, x) in block.values.iter_mut().zip(x) {
            // At most 127 * (1 + 2^-23), which rounds to 127. The last byte of the sum is the
            // product, rounded to the nearest integer.
            *value = (x * inverse + ROUNDING).to_bits() as i8;
        }
        block.scale = largest / LARGEST;
        block.sum();
    }
}
