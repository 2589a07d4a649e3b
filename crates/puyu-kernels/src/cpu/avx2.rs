//! Vectors of 8 floats: loads and stores through arrays, so that the kernels need no pointers.

use std::arch::x86_64::*;

use half::{bf16, f16};

/// Reads 8 floats.
#[inline]
#[target_feature(enable = "avx2")]
pub(crate) fn load(values: &[f32; 8]) -> __m256 {
    // SAFETY: the array holds 8 floats and `loadu` accepts any alignment.
    unsafe { _mm256_loadu_ps(values.as_ptr()) }
}

/// Writes 8 floats.
#[inline]
#[target_feature(enable = "avx2")]
pub(crate) fn store(out: &mut [f32; 8], values: __m256) {
    // SAFETY: the array holds 8 floats and `storeu` accepts any alignment.
    unsafe { _mm256_storeu_ps(out.as_mut_ptr(), values) };
}

/// Sums the 8 lanes of each of 4 vectors, always in the same order.
#[inline]
#[target_feature(enable = "avx2")]
pub(crate) fn sum_lanes(vectors: [__m256; 4]) -> [f32; 4] {
    let [a, b, c, d] = vectors;
    let quarters = _mm256_hadd_ps(_mm256_hadd_ps(a, b), _mm256_hadd_ps(c, d));
    let low = _mm256_castps256_ps128(quarters);
    let sums = _mm_add_ps(low, _mm256_extractf128_ps::<1>(quarters));
    let mut out = [0.0; 4];
    // SAFETY: the array holds 4 floats and `storeu` accepts any alignment.
    unsafe { _mm_storeu_ps(out.as_mut_ptr(), sums) };
    out
}

/// A float format of which 8 values widen to a vector of `f32`, exactly.
pub(crate) trait Load8: Sized {
    /// Reads and widens 8 values.
    ///
    /// # Safety
    ///
    /// The processor must have AVX2 and F16C.
    unsafe fn load8(values: &[Self; 8]) -> __m256;
}

impl Load8 for f32 {
    #[inline]
    #[target_feature(enable = "avx2,f16c")]
    unsafe fn load8(values: &[Self; 8]) -> __m256 {
        load(values)
    }
}

impl Load8 for bf16 {
    #[inline]
    #[target_feature(enable = "avx2,f16c")]
    unsafe fn load8(values: &[Self; 8]) -> __m256 {
        // SAFETY: the array holds 8 values of 16 bits and `loadu` accepts any alignment.
        let bits = unsafe { _mm_loadu_si128(values.as_ptr().cast()) };
        // A brain float is the upper half of a float.
        _mm256_castsi256_ps(_mm256_slli_epi32::<16>(_mm256_cvtepu16_epi32(bits)))
    }
}

impl Load8 for f16 {
    #[inline]
    #[target_feature(enable = "avx2,f16c")]
    unsafe fn load8(values: &[Self; 8]) -> __m256 {
        // SAFETY: the array holds 8 values of 16 bits and `loadu` accepts any alignment.
        let bits = unsafe { _mm_loadu_si128(values.as_ptr().cast()) };
        _mm256_cvtph_ps(bits)
    }
}
