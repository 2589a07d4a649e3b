//! Codes to floats.

use std::arch::x86_64::*;

use half::{bf16, f16};

use super::LANES;
use crate::cpu::avx2::store;
use crate::paged::format::{Bf16, F16, F32, Format, Int4, Int8};
use crate::paged::layout::UNIT;

/// A format of which a unit widens to two vectors.
pub(in crate::paged) trait Load: Format {
    /// Reads and widens a unit: its lower and its upper half.
    ///
    /// # Safety
    ///
    /// The processor must have AVX2 and F16C.
    unsafe fn load(unit: &Self::Unit) -> [__m256; 2];
}

#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn widen<F: Load>(units: &[F::Unit], out: &mut [[f32; UNIT]]) {
    for (unit, out) in units.iter().zip(out) {
        // SAFETY: this function has the features that `load` asks for.
        let [low, high] = unsafe { F::load(unit) };
        let (halves, _) = out.as_chunks_mut::<LANES>();
        store(&mut halves[0], low);
        store(&mut halves[1], high);
    }
}

impl Load for F32 {
    #[inline]
    #[target_feature(enable = "avx2,f16c")]
    unsafe fn load(unit: &Self::Unit) -> [__m256; 2] {
        let start = unit.as_ptr().cast::<f32>();
        // SAFETY: the unit holds 16 floats and `loadu` accepts any alignment.
        unsafe { [_mm256_loadu_ps(start), _mm256_loadu_ps(start.add(LANES))] }
    }
}

impl Load for F16 {
    #[inline]
    #[target_feature(enable = "avx2,f16c")]
    unsafe fn load(unit: &Self::Unit) -> [__m256; 2] {
        const { assert!(size_of::<f16>() * UNIT == size_of::<<F16 as Format>::Unit>()) };
        let start = unit.as_ptr().cast::<__m128i>();
        // SAFETY: the unit holds twice 16 bytes and `loadu` accepts any alignment.
        let halves = unsafe { [_mm_loadu_si128(start), _mm_loadu_si128(start.add(1))] };
        [_mm256_cvtph_ps(halves[0]), _mm256_cvtph_ps(halves[1])]
    }
}

impl Load for Bf16 {
    #[inline]
    #[target_feature(enable = "avx2,f16c")]
    unsafe fn load(unit: &Self::Unit) -> [__m256; 2] {
        const { assert!(size_of::<bf16>() * UNIT == size_of::<<Bf16 as Format>::Unit>()) };
        let start = unit.as_ptr().cast::<__m128i>();
        // SAFETY: the unit holds twice 16 bytes and `loadu` accepts any alignment.
        let halves = unsafe { [_mm_loadu_si128(start), _mm_loadu_si128(start.add(1))] };
        // A brain float is the upper half of a float.
        let widen = |half| _mm256_slli_epi32::<16>(_mm256_cvtepu16_epi32(half));
        [_mm256_castsi256_ps(widen(halves[0])), _mm256_castsi256_ps(widen(halves[1]))]
    }
}

impl Load for Int8 {
    #[inline]
    #[target_feature(enable = "avx2,f16c")]
    unsafe fn load(unit: &Self::Unit) -> [__m256; 2] {
        // SAFETY: the unit holds 16 bytes and `loadu` accepts any alignment.
        let codes = unsafe { _mm_loadu_si128(unit.as_ptr().cast()) };
        [widen_bytes(codes), widen_bytes(_mm_unpackhi_epi64(codes, codes))]
    }
}

impl Load for Int4 {
    #[inline]
    #[target_feature(enable = "avx2,f16c")]
    unsafe fn load(unit: &Self::Unit) -> [__m256; 2] {
        // SAFETY: the unit holds 8 bytes and `loadl` accepts any alignment.
        let codes = unsafe { _mm_loadl_epi64(unit.as_ptr().cast()) };
        let mask = _mm_set1_epi8(0x0f);
        let high = _mm_and_si128(_mm_srli_epi16::<4>(codes), mask);
        [widen_bytes(_mm_and_si128(codes, mask)), widen_bytes(high)]
    }
}

/// The lower 8 bytes as floats.
#[inline]
#[target_feature(enable = "avx2")]
fn widen_bytes(codes: __m128i) -> __m256 {
    _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(codes))
}
