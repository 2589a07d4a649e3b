//! 32 bytes in a register: 4 inputs of 8 outputs.
//!
//! `maddubs` multiplies unsigned weights with signed activations and adds neighbours in 16 bits. No
//! sum is ever too large for that, so a block needs one widening at its end:
//!
//! - A product of two 4-bit values with activations is at most 2 × 15 × 127 = 3810 and cannot
//!   saturate.
//! - A lane takes 16 of the 32 inputs of a block. Additions wrap, and the zero points are
//!   subtracted in the same 16 bits, so only the final sum must fit. It is at most
//!   16 × 8 × 127 = 16256 with the zero point 8, and 16 × 16 × 127 = 32512 with one from 0 to 16.
//! - An 8-bit value is 16 times its upper half, with the zero point 8, and its lower half, without;
//!   these sums are at most 16 × 8 × 127 and 16 × 15 × 127 = 30480.

// Loops rather than `map`: what takes a closure lacks the instruction set and could not be inlined.
use std::arch::x86_64::*;

use super::format::{BLOCK, BLOCK_BYTES_4, BLOCK_BYTES_8, QUAD, QUAD_BYTES};
use super::kernel::{Kernel, Scales, Source, Span, Sums, add_groups};
use super::rows::Block;
use crate::cpu::avx2::{load, store};

/// Bytes of a vector.
const BYTES: usize = 32;

/// A value in 32 bits for each output of a panel, or two in 16.
type Pair = [__m256i; 2];

/// Proof that the processor has AVX2, FMA and F16C.
#[derive(Debug, Clone, Copy)]
pub(super) struct Avx2(());

impl Avx2 {
    /// # Safety
    ///
    /// The processor must have AVX2, FMA and F16C.
    pub(super) unsafe fn new() -> Self {
        Self(())
    }
}

impl Kernel for Avx2 {
    type Ints = Pair;
    type Floats = [__m256; 2];
    type Zeros = Pair;

    /// The upper and the lower halves, one byte each.
    const UNPACKED_8: usize = 2 * BLOCK_BYTES_8;

    fn add<S: Source<Self>, const R: usize>(
        self,
        span: Span<'_>,
        x: [&[Block]; R],
        sums: &mut [Sums; R],
    ) {
        // SAFETY: `self` proves that the processor has the features.
        unsafe { add::<S, R>(span, x, sums) }
    }

    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    unsafe fn dots_4<const R: usize>(
        block: &[u8; BLOCK_BYTES_4],
        x: [&Block; R],
        zeros: Option<Pair>,
    ) -> [Pair; R] {
        let mut sums = start(x, zeros);
        for (pair, bytes) in block.as_chunks::<QUAD_BYTES>().0.iter().enumerate() {
            for (half, bytes) in bytes.as_chunks::<BYTES>().0.iter().enumerate() {
                let [low, high] = halves(load_bytes(bytes));
                for (sums, x) in sums.iter_mut().zip(x) {
                    sums[half] = add_products(low, quad(x, 2 * pair), sums[half]);
                    sums[half] = add_products(high, quad(x, 2 * pair + 1), sums[half]);
                }
            }
        }
        add_neighbours(sums)
    }

    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    unsafe fn unpacked_dots_4<const R: usize>(
        block: &[u8; BLOCK_BYTES_8],
        x: [&Block; R],
        zeros: Option<Pair>,
    ) -> [Pair; R] {
        let mut sums = start(x, zeros);
        add_plane(block, x, &mut sums);
        add_neighbours(sums)
    }

    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    unsafe fn dots_8<const R: usize>(block: &[u8; BLOCK_BYTES_8], x: [&Block; R]) -> [Pair; R] {
        let mut upper = start(x, None);
        let mut lower = [[_mm256_setzero_si256(); 2]; R];
        for (i, bytes) in block.as_chunks::<QUAD_BYTES>().0.iter().enumerate() {
            for (half, bytes) in bytes.as_chunks::<BYTES>().0.iter().enumerate() {
                let [low, high] = halves(load_bytes(bytes));
                for row in 0..R {
                    let x = quad(x[row], i);
                    lower[row][half] = add_products(low, x, lower[row][half]);
                    upper[row][half] = add_products(high, x, upper[row][half]);
                }
            }
        }
        join(upper, lower)
    }

    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    unsafe fn unpacked_dots_8<const R: usize>(block: &[u8], x: [&Block; R]) -> [Pair; R] {
        let [high, low] = block.as_chunks::<BLOCK_BYTES_8>().0 else {
            unreachable!("an unpacked block has two halves")
        };
        let mut upper = start(x, None);
        add_plane(high, x, &mut upper);
        let mut lower = [[_mm256_setzero_si256(); 2]; R];
        add_plane(low, x, &mut lower);
        join(upper, lower)
    }

    fn unpack_4(self, block: &[u8; BLOCK_BYTES_4], out: &mut [u8; BLOCK_BYTES_8]) {
        // SAFETY: `self` proves that the processor has the features.
        unsafe { unpack_4(block, out) }
    }

    fn unpack_8(self, block: &[u8; BLOCK_BYTES_8], out: &mut [u8]) {
        // SAFETY: `self` proves that the processor has the features.
        unsafe { unpack_8(block, out) }
    }

    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    unsafe fn scales(scales: &Scales) -> [__m256; 2] {
        let scales = load_bytes(scales);
        let low = _mm256_cvtph_ps(_mm256_castsi256_si128(scales));
        [low, _mm256_cvtph_ps(_mm256_extracti128_si256::<1>(scales))]
    }

    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    unsafe fn zeros(zeros: &Scales) -> Pair {
        // Quarters 0 and 1 into the lower halves of the vector's halves, 2 and 3 into the upper:
        // then every zero point stands twice, in the order of the outputs.
        let zeros = _mm256_permute4x64_epi64::<0b11_01_10_00>(load_bytes(zeros));
        [_mm256_unpacklo_epi16(zeros, zeros), _mm256_unpackhi_epi16(zeros, zeros)]
    }

    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    unsafe fn load(sums: &Sums) -> [__m256; 2] {
        let (halves, _) = sums.as_chunks::<8>();
        [load(&halves[0]), load(&halves[1])]
    }

    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    unsafe fn store(sums: &mut Sums, values: [__m256; 2]) {
        let (halves, _) = sums.as_chunks_mut::<8>();
        store(&mut halves[0], values[0]);
        store(&mut halves[1], values[1]);
    }

    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    unsafe fn multiply(ints: Pair, scale: f32) -> [__m256; 2] {
        let scale = _mm256_set1_ps(scale);
        let low = _mm256_mul_ps(_mm256_cvtepi32_ps(ints[0]), scale);
        [low, _mm256_mul_ps(_mm256_cvtepi32_ps(ints[1]), scale)]
    }

    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    unsafe fn multiply_add(ints: Pair, scale: f32, sums: [__m256; 2]) -> [__m256; 2] {
        let scale = _mm256_set1_ps(scale);
        let low = _mm256_fmadd_ps(_mm256_cvtepi32_ps(ints[0]), scale, sums[0]);
        [low, _mm256_fmadd_ps(_mm256_cvtepi32_ps(ints[1]), scale, sums[1])]
    }

    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    unsafe fn scale_add(
        values: [__m256; 2],
        scales: [__m256; 2],
        sums: [__m256; 2],
    ) -> [__m256; 2] {
        let low = _mm256_fmadd_ps(values[0], scales[0], sums[0]);
        [low, _mm256_fmadd_ps(values[1], scales[1], sums[1])]
    }
}

#[target_feature(enable = "avx2,fma,f16c")]
fn add<S: Source<Avx2>, const R: usize>(span: Span<'_>, x: [&[Block]; R], sums: &mut [Sums; R]) {
    // SAFETY: this function has the features of the version.
    unsafe { add_groups::<Avx2, S, R>(span, x, sums) }
}

#[inline]
#[target_feature(enable = "avx2")]
fn load_bytes(bytes: &[u8; BYTES]) -> __m256i {
    // SAFETY: the array holds 32 bytes and `loadu` accepts any alignment.
    unsafe { _mm256_loadu_si256(bytes.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx2")]
fn store_bytes(out: &mut [u8; BYTES], bytes: __m256i) {
    // SAFETY: the array holds 32 bytes and `storeu` accepts any alignment.
    unsafe { _mm256_storeu_si256(out.as_mut_ptr().cast(), bytes) };
}

/// The lower and the upper halves of bytes.
#[inline]
#[target_feature(enable = "avx2")]
fn halves(bytes: __m256i) -> [__m256i; 2] {
    let mask = _mm256_set1_epi8(15);
    [_mm256_and_si256(bytes, mask), _mm256_and_si256(_mm256_srli_epi16::<4>(bytes), mask)]
}

/// Four activations, repeated.
#[inline]
#[target_feature(enable = "avx2")]
fn quad(x: &Block, i: usize) -> __m256i {
    const QUADS: usize = BLOCK / QUAD;
    let quads: &[[i8; QUAD]; QUADS] =
        x.values.as_chunks().0.try_into().expect("a block is cut into its quads");
    _mm256_set1_epi32(i32::from_le_bytes(quads[i].map(i8::cast_unsigned)))
}

#[inline]
#[target_feature(enable = "avx2")]
fn add_products(weights: __m256i, x: __m256i, sums: __m256i) -> __m256i {
    _mm256_add_epi16(sums, _mm256_maddubs_epi16(weights, x))
}

/// What the zero points subtract, 8 if there are none.
#[inline]
#[target_feature(enable = "avx2")]
fn start<const R: usize>(x: [&Block; R], zeros: Option<Pair>) -> [Pair; R] {
    let mut all = [[_mm256_setzero_si256(); 2]; R];
    for (sums, x) in all.iter_mut().zip(x) {
        let [even, odd] = x.negated_sums.map(i16::to_le_bytes);
        let negated = i32::from_le_bytes([even[0], even[1], odd[0], odd[1]]);
        let negated = _mm256_set1_epi32(negated);
        *sums = match zeros {
            Some([low, high]) => {
                [_mm256_mullo_epi16(low, negated), _mm256_mullo_epi16(high, negated)]
            }
            None => [_mm256_slli_epi16::<3>(negated); 2],
        };
    }
    all
}

/// Adds the products of a block with one 4-bit value in a byte.
#[inline]
#[target_feature(enable = "avx2")]
fn add_plane<const R: usize>(block: &[u8; BLOCK_BYTES_8], x: [&Block; R], sums: &mut [Pair; R]) {
    for (i, bytes) in block.as_chunks::<QUAD_BYTES>().0.iter().enumerate() {
        let (halves, _) = bytes.as_chunks::<BYTES>();
        let weights = [load_bytes(&halves[0]), load_bytes(&halves[1])];
        for (sums, x) in sums.iter_mut().zip(x) {
            let x = quad(x, i);
            sums[0] = add_products(weights[0], x, sums[0]);
            sums[1] = add_products(weights[1], x, sums[1]);
        }
    }
}

/// Adds neighbours into 32 bits.
#[inline]
#[target_feature(enable = "avx2")]
fn add_neighbours<const R: usize>(mut sums: [Pair; R]) -> [Pair; R] {
    let ones = _mm256_set1_epi16(1);
    for [low, high] in &mut sums {
        *low = _mm256_madd_epi16(*low, ones);
        *high = _mm256_madd_epi16(*high, ones);
    }
    sums
}

/// `16 * upper + lower`, neighbours added.
#[inline]
#[target_feature(enable = "avx2")]
fn join<const R: usize>(upper: [Pair; R], lower: [Pair; R]) -> [Pair; R] {
    let (ones, sixteens) = (_mm256_set1_epi16(1), _mm256_set1_epi16(16));
    let mut ints = upper;
    for ([low, high], lower) in ints.iter_mut().zip(lower) {
        let rest = _mm256_madd_epi16(lower[0], ones);
        *low = _mm256_add_epi32(_mm256_madd_epi16(*low, sixteens), rest);
        let rest = _mm256_madd_epi16(lower[1], ones);
        *high = _mm256_add_epi32(_mm256_madd_epi16(*high, sixteens), rest);
    }
    ints
}

#[target_feature(enable = "avx2")]
fn unpack_4(block: &[u8; BLOCK_BYTES_4], out: &mut [u8; BLOCK_BYTES_8]) {
    let out = out.as_chunks_mut::<{ 2 * QUAD_BYTES }>().0;
    for (bytes, out) in block.as_chunks::<QUAD_BYTES>().0.iter().zip(out) {
        let (out, _) = out.as_chunks_mut::<BYTES>();
        for (half, bytes) in bytes.as_chunks::<BYTES>().0.iter().enumerate() {
            let [low, high] = halves(load_bytes(bytes));
            store_bytes(&mut out[half], low);
            store_bytes(&mut out[2 + half], high);
        }
    }
}

#[target_feature(enable = "avx2")]
fn unpack_8(block: &[u8; BLOCK_BYTES_8], out: &mut [u8]) {
    let (upper, lower) = out.split_at_mut(BLOCK_BYTES_8);
    let out = upper.as_chunks_mut::<BYTES>().0.iter_mut().zip(lower.as_chunks_mut::<BYTES>().0);
    for (bytes, (upper, lower)) in block.as_chunks::<BYTES>().0.iter().zip(out) {
        let [low, high] = halves(load_bytes(bytes));
        store_bytes(lower, low);
        store_bytes(upper, high);
    }
}
