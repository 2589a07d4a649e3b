//! Vectors of 16 floats: loads and stores through arrays, so that the kernels need no pointers.

use std::arch::x86_64::*;

use half::{bf16, f16};

/// Reads 16 floats.
#[inline]
#[target_feature(enable = "avx512f")]
pub(crate) fn load(values: &[f32; 16]) -> __m512 {
    // SAFETY: the array holds 16 floats and `loadu` accepts any alignment.
    unsafe { _mm512_loadu_ps(values.as_ptr()) }
}

/// Writes 16 floats.
#[inline]
#[target_feature(enable = "avx512f")]
pub(crate) fn store(out: &mut [f32; 16], values: __m512) {
    // SAFETY: the array holds 16 floats and `storeu` accepts any alignment.
    unsafe { _mm512_storeu_ps(out.as_mut_ptr(), values) };
}

/// The lower and the upper 8 lanes.
#[inline]
#[target_feature(enable = "avx512f")]
pub(crate) fn halves(values: __m512) -> [__m256; 2] {
    let upper = _mm512_extractf64x4_pd::<1>(_mm512_castps_pd(values));
    [_mm512_castps512_ps256(values), _mm256_castpd_ps(upper)]
}

/// Sums the 16 lanes of each of 4 vectors, always in the same order.
#[inline]
#[target_feature(enable = "avx512f")]
pub(crate) fn sum_lanes(vectors: [__m512; 4]) -> [f32; 4] {
    let mut folded = [_mm256_setzero_ps(); 4];
    for (folded, vector) in folded.iter_mut().zip(vectors) {
        let [low, high] = halves(vector);
        *folded = _mm256_add_ps(low, high);
    }
    super::avx2::sum_lanes(folded)
}

/// A float format of which 16 values widen to a vector of `f32`, exactly.
pub(crate) trait Load16: Sized {
    /// Reads and widens 16 values.
    ///
    /// # Safety
    ///
    /// The processor must have AVX-512F.
    unsafe fn load16(values: &[Self; 16]) -> __m512;
}

impl Load16 for f32 {
    #[inline]
    #[target_feature(enable = "avx512f")]
    unsafe fn load16(values: &[Self; 16]) -> __m512 {
        load(values)
    }
}

impl Load16 for bf16 {
    #[inline]
    #[target_feature(enable = "avx512f")]
    unsafe fn load16(values: &[Self; 16]) -> __m512 {
        // SAFETY: the array holds 16 values of 16 bits and `loadu` accepts any alignment.
        let bits = unsafe { _mm256_loadu_si256(values.as_ptr().cast()) };
        // A brain float is the upper half of a float.
        _mm512_castsi512_ps(_mm512_slli_epi32::<16>(_mm512_cvtepu16_epi32(bits)))
    }
}

impl Load16 for f16 {
    #[inline]
    #[target_feature(enable = "avx512f")]
    unsafe fn load16(values: &[Self; 16]) -> __m512 {
        // SAFETY: the array holds 16 values of 16 bits and `loadu` accepts any alignment.
        let bits = unsafe { _mm256_loadu_si256(values.as_ptr().cast()) };
        _mm512_cvtph_ps(bits)
    }
}
