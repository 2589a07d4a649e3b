//! 16 values at a time.

use std::arch::x86_64::*;

use super::{COEFFICIENTS, LN_2_HIGH, LN_2_LOW, LOWEST};

/// `exp(x)` for `x` not above 0, or NaN.
#[inline]
#[target_feature(enable = "avx512f")]
pub(crate) fn exp_negative(x: __m512) -> __m512 {
    let x = _mm512_max_ps(_mm512_set1_ps(LOWEST), x);
    let n = _mm512_mul_ps(x, _mm512_set1_ps(std::f32::consts::LOG2_E));
    // The lower four bits say how to round (to nearest, ties to even), the upper four to how many
    // binary digits (none).
    let n = _mm512_roundscale_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(n);
    let r = _mm512_fnmadd_ps(n, _mm512_set1_ps(LN_2_HIGH), x);
    let r = _mm512_fnmadd_ps(n, _mm512_set1_ps(LN_2_LOW), r);

    let [highest, others @ ..] = COEFFICIENTS;
    let mut p = _mm512_set1_ps(highest);
    for coefficient in others {
        p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(coefficient));
    }
    let p = _mm512_fmadd_ps(p, _mm512_mul_ps(r, r), r);
    let p = _mm512_add_ps(p, _mm512_set1_ps(1.0));

    // 2^n in two factors: n goes down to -150, beyond the smallest normal exponent.
    let n = _mm512_cvtps_epi32(n);
    let half = _mm512_srai_epi32::<1>(n);
    let rest = _mm512_sub_epi32(n, half);
    _mm512_mul_ps(_mm512_mul_ps(p, power_of_two(half)), power_of_two(rest))
}

/// `2^n` for `n` from -126 to 127.
#[inline]
#[target_feature(enable = "avx512f")]
fn power_of_two(n: __m512i) -> __m512 {
    let biased = _mm512_add_epi32(n, _mm512_set1_epi32(127));
    _mm512_castsi512_ps(_mm512_slli_epi32::<23>(biased))
}
