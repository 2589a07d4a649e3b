//! Scores to weights, and spans to one result.

use std::arch::x86_64::*;

use super::LANES;
use crate::cpu::avx2::{load, store, sum_lanes};
use crate::exponential::avx2::exp_negative;
use crate::paged::kernel::{Row, Scales, Share, Softened};
use crate::paged::layout::UNIT;

#[target_feature(enable = "avx2,fma")]
pub(super) fn soften(
    row: &mut Row,
    visible: usize,
    scales: Option<&Scales>,
    query_sum: f32,
) -> Softened {
    let n_vectors = visible.div_ceil(LANES);
    let scores = &mut row.as_chunks_mut::<LANES>().0[..n_vectors];
    let query_sum = _mm256_set1_ps(query_sum);
    let lowest = _mm256_set1_ps(f32::NEG_INFINITY);

    let mut maxima = lowest;
    for (i, scores) in scores.iter_mut().enumerate() {
        let mut score = load(scores);
        if let Some(scales) = scales {
            let minimum = _mm256_mul_ps(vector(&scales.key_minimums, i), query_sum);
            score = _mm256_fmadd_ps(score, vector(&scales.key_scales, i), minimum);
        }
        score = _mm256_blendv_ps(lowest, score, mask(i, visible));
        maxima = _mm256_max_ps(maxima, score);
        store(scores, score);
    }
    let max = max_lanes(maxima);

    let (mut sum, mut bias) = (_mm256_setzero_ps(), _mm256_setzero_ps());
    for (i, scores) in scores.iter_mut().enumerate() {
        let mut weight = exp_negative(_mm256_sub_ps(load(scores), _mm256_set1_ps(max)));
        sum = _mm256_add_ps(sum, weight);
        if let Some(scales) = scales {
            // What is beyond the visible tokens may be anything, and 0 times anything is not 0.
            let mask = mask(i, visible);
            let minimum = _mm256_and_ps(vector(&scales.value_minimums, i), mask);
            bias = _mm256_fmadd_ps(weight, minimum, bias);
            weight = _mm256_mul_ps(weight, vector(&scales.value_scales, i));
        }
        store(scores, weight);
    }
    let zero = _mm256_setzero_ps();
    let [sum, bias, _, _] = sum_lanes([sum, bias, zero, zero]);
    Softened { max, sum, bias }
}

#[inline]
#[target_feature(enable = "avx2")]
fn vector(row: &Row, i: usize) -> __m256 {
    load(&row.as_chunks::<LANES>().0[i])
}

/// All bits in the lanes of vector `i` that are below `visible`.
#[inline]
#[target_feature(enable = "avx2")]
fn mask(i: usize, visible: usize) -> __m256 {
    // Both are at most the length of a span, so the difference fits.
    let n_lanes = _mm256_set1_epi32(visible as i32 - (i * LANES) as i32);
    let lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    _mm256_castsi256_ps(_mm256_cmpgt_epi32(n_lanes, lanes))
}

#[inline]
#[target_feature(enable = "avx2")]
fn max_lanes(values: __m256) -> f32 {
    let halves = _mm_max_ps(_mm256_castps256_ps128(values), _mm256_extractf128_ps::<1>(values));
    let quarters = _mm_max_ps(halves, _mm_movehl_ps(halves, halves));
    _mm_cvtss_f32(_mm_max_ss(quarters, _mm_shuffle_ps::<1>(quarters, quarters)))
}

#[target_feature(enable = "avx2,fma")]
pub(super) fn exp(x: f32) -> f32 {
    _mm256_cvtss_f32(exp_negative(_mm256_set1_ps(x)))
}

#[target_feature(enable = "avx2,fma")]
pub(super) fn combine<const R: usize>(
    sums: &[[f32; UNIT]],
    shares: &[Share; R],
    out: &mut [[f32; UNIT]],
) {
    for (sums, out) in sums.as_chunks::<R>().0.iter().zip(out.as_chunks_mut::<R>().0) {
        for ((sum, share), out) in sums.iter().zip(shares).zip(out) {
            let (halves, _) = sum.as_chunks::<LANES>();
            combine_unit([load(&halves[0]), load(&halves[1])], share, out);
        }
    }
}

#[inline]
#[target_feature(enable = "avx2,fma")]
pub(super) fn combine_unit(sum: [__m256; 2], share: &Share, out: &mut [f32; UNIT]) {
    if share.visible == 0 {
        return;
    }
    let [keep, add, bias] = [share.keep, share.add, share.bias].map(|x| _mm256_set1_ps(x));
    for (half, sum) in out.as_chunks_mut::<LANES>().0.iter_mut().zip(sum) {
        let kept = _mm256_mul_ps(load(half), keep);
        store(half, _mm256_fmadd_ps(_mm256_add_ps(sum, bias), add, kept));
    }
}
