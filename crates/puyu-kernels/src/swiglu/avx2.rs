//! 8 values at a time.

use std::arch::x86_64::*;

use crate::cpu::avx2::{load, store};
use crate::exponential::LOWEST;
use crate::exponential::avx2::exp_negative;

#[target_feature(enable = "avx2,fma")]
pub(super) fn swiglu(gate: &[f32], up: &[f32], out: &mut [f32]) {
    let (gate_blocks, gate_rest) = gate.as_chunks::<8>();
    let (up_blocks, up_rest) = up.as_chunks::<8>();
    let (out_blocks, out_rest) = out.as_chunks_mut::<8>();
    for ((gate, up), out) in gate_blocks.iter().zip(up_blocks).zip(out_blocks) {
        store(out, _mm256_mul_ps(silu(load(gate)), load(up)));
    }

    // The rest goes through the same instructions, so that no value depends on its place.
    let (mut gate, mut up, mut whole) = ([0.0; 8], [0.0; 8], [0.0; 8]);
    gate[..gate_rest.len()].copy_from_slice(gate_rest);
    up[..up_rest.len()].copy_from_slice(up_rest);
    store(&mut whole, _mm256_mul_ps(silu(load(&gate)), load(&up)));
    out_rest.copy_from_slice(&whole[..out_rest.len()]);
}

/// With `e = exp(-|x|)`: `x / (1 + e)` for positive and `x * e / (1 + e)` for negative `x`, so
/// that nothing overflows.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn silu(x: __m256) -> __m256 {
    let one = _mm256_set1_ps(1.0);
    // Beyond `LOWEST` the result is -0, also for negative infinity, which times 0 would be NaN.
    // `max` returns its second operand if either is NaN, so NaN stays.
    let x = _mm256_max_ps(_mm256_set1_ps(2.0 * LOWEST), x);
    let e = exp_negative(_mm256_or_ps(x, _mm256_set1_ps(-0.0)));
    // The blend looks at the sign bit of `x`.
    let numerator = _mm256_mul_ps(x, _mm256_blendv_ps(one, e, x));
    _mm256_div_ps(numerator, _mm256_add_ps(one, e))
}
