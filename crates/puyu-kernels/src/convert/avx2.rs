//! 8 values at a time.

use std::arch::x86_64::*;

use half::bf16;

use super::scalar;
use crate::cpu::avx2::{Load8, load, store};

/// Widens blocks of 8; `rest` widens what remains.
#[target_feature(enable = "avx2,f16c")]
pub(super) fn widen<T: Load8>(source: &[T], out: &mut [f32], rest: fn(&[T], &mut [f32])) {
    let (source_blocks, source_rest) = source.as_chunks::<8>();
    let (out_blocks, out_rest) = out.as_chunks_mut::<8>();
    for (source, out) in source_blocks.iter().zip(out_blocks) {
        // SAFETY: this function has the features that `load8` asks for.
        store(out, unsafe { T::load8(source) });
    }
    rest(source_rest, out_rest);
}

/// Rounds to nearest, ties to even.
#[target_feature(enable = "avx2")]
pub(super) fn f32_to_bf16(source: &[f32], out: &mut [bf16]) {
    let (source_blocks, source_rest) = source.as_chunks::<8>();
    let (out_blocks, out_rest) = out.as_chunks_mut::<8>();
    for (source, out) in source_blocks.iter().zip(out_blocks) {
        let words = round(load(source));
        // Each word is below 2^16, so the saturating pack keeps it; it packs within 128 bits.
        let low = _mm256_castsi256_si128(words);
        let packed = _mm_packus_epi32(low, _mm256_extracti128_si256::<1>(words));
        // SAFETY: the array holds 8 values of 16 bits and `storeu` accepts any alignment.
        unsafe { _mm_storeu_si128(out.as_mut_ptr().cast(), packed) };
    }
    scalar::f32_to_bf16(source_rest, out_rest);
}

/// The bits of the nearest brain floats, one in the lower half of each lane.
#[inline]
#[target_feature(enable = "avx2")]
fn round(values: __m256) -> __m256i {
    let bits = _mm256_castps_si256(values);
    let upper = _mm256_srli_epi32::<16>(bits);

    // Adding just under half of the last place, and one more if that place is odd, carries into
    // the upper half exactly when the value must be rounded up.
    let is_odd = _mm256_and_si256(upper, _mm256_set1_epi32(1));
    let half = _mm256_add_epi32(is_odd, _mm256_set1_epi32(0x7fff));
    let rounded = _mm256_srli_epi32::<16>(_mm256_add_epi32(bits, half));

    // NaN keeps its upper payload and becomes quiet, so that no carry turns it into infinity.
    let quiet = _mm256_or_si256(upper, _mm256_set1_epi32(0x40));
    let is_nan = _mm256_castps_si256(_mm256_cmp_ps::<_CMP_UNORD_Q>(values, values));
    _mm256_blendv_epi8(rounded, quiet, is_nan)
}
