//! 16 values at a time.

use std::arch::x86_64::*;

use half::bf16;

use super::scalar;
use crate::cpu::avx512::{Load16, load, store};

/// Widens blocks of 16; `rest` widens what remains.
#[target_feature(enable = "avx512f")]
pub(super) fn widen<T: Load16>(source: &[T], out: &mut [f32], rest: fn(&[T], &mut [f32])) {
    let (source_blocks, source_rest) = source.as_chunks::<16>();
    let (out_blocks, out_rest) = out.as_chunks_mut::<16>();
    for (source, out) in source_blocks.iter().zip(out_blocks) {
        // SAFETY: this function has the feature that `load16` asks for.
        store(out, unsafe { T::load16(source) });
    }
    rest(source_rest, out_rest);
}

/// Rounds to nearest, ties to even.
#[target_feature(enable = "avx512f")]
pub(super) fn f32_to_bf16(source: &[f32], out: &mut [bf16]) {
    let (source_blocks, source_rest) = source.as_chunks::<16>();
    let (out_blocks, out_rest) = out.as_chunks_mut::<16>();
    for (source, out) in source_blocks.iter().zip(out_blocks) {
        let packed = _mm512_cvtepi32_epi16(round(load(source)));
        // SAFETY: the array holds 16 values of 16 bits and `storeu` accepts any alignment.
        unsafe { _mm256_storeu_si256(out.as_mut_ptr().cast(), packed) };
    }
    scalar::f32_to_bf16(source_rest, out_rest);
}

/// The bits of the nearest brain floats, one in the lower half of each lane.
#[inline]
#[target_feature(enable = "avx512f")]
fn round(values: __m512) -> __m512i {
    let bits = _mm512_castps_si512(values);
    let upper = _mm512_srli_epi32::<16>(bits);

    // Adding just under half of the last place, and one more if that place is odd, carries into
    // the upper half exactly when the value must be rounded up.
    let is_odd = _mm512_and_si512(upper, _mm512_set1_epi32(1));
    let half = _mm512_add_epi32(is_odd, _mm512_set1_epi32(0x7fff));
    let rounded = _mm512_srli_epi32::<16>(_mm512_add_epi32(bits, half));

    // NaN keeps its upper payload and becomes quiet, so that no carry turns it into infinity.
    let quiet = _mm512_or_si512(upper, _mm512_set1_epi32(0x40));
    let is_nan = _mm512_cmp_ps_mask::<_CMP_UNORD_Q>(values, values);
    _mm512_mask_blend_epi32(is_nan, rounded, quiet)
}
