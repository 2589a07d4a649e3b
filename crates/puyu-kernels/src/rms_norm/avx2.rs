//! 8 values at a time, as two vectors of 4 `f64`.

use std::arch::x86_64::*;

use super::scalar;
use crate::cpu::avx2::{load, store};

#[target_feature(enable = "avx2,fma")]
pub(super) fn rms_norm(x: &[f32], weight: &[f32], eps: f32, out: &mut [f32]) {
    let d = weight.len();
    for (x, out) in x.chunks_exact(d).zip(out.chunks_exact_mut(d)) {
        let scale = scalar::scale(sum_of_squares(x), d, eps);
        multiply(x, weight, scale, out);
    }
}

#[inline]
#[target_feature(enable = "avx2,fma")]
fn sum_of_squares(x: &[f32]) -> f64 {
    let (blocks, rest) = x.as_chunks::<8>();
    let (pairs, last) = blocks.as_chunks::<2>();
    // Four sums hide the latency of the multiply-add.
    let mut sums = [_mm256_setzero_pd(); 4];
    for [a, b] in pairs {
        let [a, b] = [widen(a), widen(b)];
        for (sum, x) in sums.iter_mut().zip([a[0], a[1], b[0], b[1]]) {
            *sum = _mm256_fmadd_pd(x, x, *sum);
        }
    }
    for block in last {
        for (sum, x) in sums.iter_mut().zip(widen(block)) {
            *sum = _mm256_fmadd_pd(x, x, *sum);
        }
    }

    let [a, b, c, d] = sums;
    let sum = _mm256_add_pd(_mm256_add_pd(a, b), _mm256_add_pd(c, d));
    let sum = _mm_add_pd(_mm256_castpd256_pd128(sum), _mm256_extractf128_pd::<1>(sum));
    let sum = _mm_cvtsd_f64(_mm_add_pd(sum, _mm_unpackhi_pd(sum, sum)));
    sum + scalar::sum_of_squares(rest)
}

#[inline]
#[target_feature(enable = "avx2,fma")]
fn multiply(x: &[f32], weight: &[f32], scale: f64, out: &mut [f32]) {
    let (x_blocks, x_rest) = x.as_chunks::<8>();
    let (weight_blocks, weight_rest) = weight.as_chunks::<8>();
    let (out_blocks, out_rest) = out.as_chunks_mut::<8>();
    let scales = _mm256_set1_pd(scale);
    for ((x, weight), out) in x_blocks.iter().zip(weight_blocks).zip(out_blocks) {
        let (x, weight) = (widen(x), widen(weight));
        let low = _mm256_mul_pd(_mm256_mul_pd(x[0], scales), weight[0]);
        let high = _mm256_mul_pd(_mm256_mul_pd(x[1], scales), weight[1]);
        store(out, _mm256_set_m128(_mm256_cvtpd_ps(high), _mm256_cvtpd_ps(low)));
    }
    scalar::multiply(x_rest, weight_rest, scale, out_rest);
}

/// The lower and the upper 4 values.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn widen(values: &[f32; 8]) -> [__m256d; 2] {
    let values = load(values);
    let upper = _mm256_extractf128_ps::<1>(values);
    [_mm256_cvtps_pd(_mm256_castps256_ps128(values)), _mm256_cvtps_pd(upper)]
}
