//! 16 values at a time, as two vectors of 8 `f64`.

use std::arch::x86_64::*;

use super::scalar;
use crate::cpu::avx2::store;
use crate::cpu::avx512::{halves, load};

#[target_feature(enable = "avx512f")]
pub(super) fn rms_norm(x: &[f32], weight: &[f32], eps: f32, out: &mut [f32]) {
    let d = weight.len();
    for (x, out) in x.chunks_exact(d).zip(out.chunks_exact_mut(d)) {
        let scale = scalar::scale(sum_of_squares(x), d, eps);
        multiply(x, weight, scale, out);
    }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn sum_of_squares(x: &[f32]) -> f64 {
    let (blocks, rest) = x.as_chunks::<16>();
    let (pairs, last) = blocks.as_chunks::<2>();
    // Four sums hide the latency of the multiply-add.
    let mut sums = [_mm512_setzero_pd(); 4];
    for [a, b] in pairs {
        let [a, b] = [widen(a), widen(b)];
        for (sum, x) in sums.iter_mut().zip([a[0], a[1], b[0], b[1]]) {
            *sum = _mm512_fmadd_pd(x, x, *sum);
        }
    }
    for block in last {
        for (sum, x) in sums.iter_mut().zip(widen(block)) {
            *sum = _mm512_fmadd_pd(x, x, *sum);
        }
    }

    let [a, b, c, d] = sums;
    let sum = _mm512_reduce_add_pd(_mm512_add_pd(_mm512_add_pd(a, b), _mm512_add_pd(c, d)));
    sum + scalar::sum_of_squares(rest)
}

#[inline]
#[target_feature(enable = "avx512f")]
fn multiply(x: &[f32], weight: &[f32], scale: f64, out: &mut [f32]) {
    let (x_blocks, x_rest) = x.as_chunks::<16>();
    let (weight_blocks, weight_rest) = weight.as_chunks::<16>();
    let (out_blocks, out_rest) = out.as_chunks_mut::<16>();
    let scales = _mm512_set1_pd(scale);
    for ((x, weight), out) in x_blocks.iter().zip(weight_blocks).zip(out_blocks) {
        let (x, weight) = (widen(x), widen(weight));
        let (out, _) = out.as_chunks_mut::<8>();
        for ((x, weight), out) in x.into_iter().zip(weight).zip(out) {
            store(out, _mm512_cvtpd_ps(_mm512_mul_pd(_mm512_mul_pd(x, scales), weight)));
        }
    }
    scalar::multiply(x_rest, weight_rest, scale, out_rest);
}

/// The lower and the upper 8 values.
#[inline]
#[target_feature(enable = "avx512f")]
fn widen(values: &[f32; 16]) -> [__m512d; 2] {
    let [low, high] = halves(load(values));
    [_mm512_cvtps_pd(low), _mm512_cvtps_pd(high)]
}
