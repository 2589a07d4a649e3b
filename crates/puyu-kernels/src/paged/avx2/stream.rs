//! Few rows: codes are widened in registers.

use std::arch::x86_64::*;

use super::LANES;
use crate::cpu::avx2::{load, store};
use crate::cpu::prefetch;
use crate::paged::format::Stored;
use crate::paged::kernel::{Codes, Group, Row};
use crate::paged::layout::UNIT;

/// Tokens whose weighted values are added between loading and storing a sum.
const STEP_TOKENS: usize = 4;

/// Two chains for each row, over even and over odd elements, so that their latencies overlap.
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn stream_scores<F: Stored, const R: usize>(
    queries: &[[f32; R]],
    keys: Codes<'_, F>,
    group: usize,
    rows: &mut [Row; R],
) {
    let mut chains = [[[_mm256_setzero_ps(); 2]; R]; 2];
    let pairs = keys.units.as_chunks::<2>().0.iter().zip(keys.ahead.as_chunks::<2>().0);
    for (queries, (keys, ahead)) in queries.as_chunks::<2>().0.iter().zip(pairs) {
        prefetch(ahead, 0);
        for parity in 0..2 {
            // SAFETY: this function has the features that `load` asks for.
            let [low, high] = unsafe { F::load(&keys[parity]) };
            for row in 0..R {
                let query = _mm256_set1_ps(queries[parity][row]);
                let chain = &mut chains[parity][row];
                chain[0] = _mm256_fmadd_ps(query, low, chain[0]);
                chain[1] = _mm256_fmadd_ps(query, high, chain[1]);
            }
        }
    }
    let [even, odd] = chains;
    for row in 0..R {
        let scores = &mut rows[row].as_chunks_mut::<UNIT>().0[group];
        for (half, scores) in scores.as_chunks_mut::<LANES>().0.iter_mut().enumerate() {
            store(scores, _mm256_add_ps(even[row][half], odd[row][half]));
        }
    }
}

/// As [`stream_scores`], one chain after the other: twice as many would not fit in the registers.
/// The keys are in the first-level cache the second time.
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn stream_many_scores<F: Stored, const R: usize>(
    queries: &[[f32; R]],
    keys: Codes<'_, F>,
    group: usize,
    rows: &mut [Row; R],
) {
    let even = chains::<F, R, 0>(queries, keys);
    let odd = chains::<F, R, 1>(queries, keys);
    for row in 0..R {
        let scores = &mut rows[row].as_chunks_mut::<UNIT>().0[group];
        for (half, scores) in scores.as_chunks_mut::<LANES>().0.iter_mut().enumerate() {
            store(scores, _mm256_add_ps(even[row][half], odd[row][half]));
        }
    }
}

#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn chains<F: Stored, const R: usize, const PARITY: usize>(
    queries: &[[f32; R]],
    keys: Codes<'_, F>,
) -> [[__m256; 2]; R] {
    let mut chains = [[_mm256_setzero_ps(); 2]; R];
    let pairs = keys.units.as_chunks::<2>().0.iter().zip(keys.ahead.as_chunks::<2>().0);
    for (queries, (keys, ahead)) in queries.as_chunks::<2>().0.iter().zip(pairs) {
        if PARITY == 0 {
            prefetch(ahead, 0);
        }
        // SAFETY: this function has the features that `load` asks for.
        let key = unsafe { F::load(&keys[PARITY]) };
        for (query, chain) in queries[PARITY].iter().zip(&mut chains) {
            let query = _mm256_set1_ps(*query);
            chain[0] = _mm256_fmadd_ps(query, key[0], chain[0]);
            chain[1] = _mm256_fmadd_ps(query, key[1], chain[1]);
        }
    }
    chains
}

#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn stream_values<F: Stored, const R: usize>(
    weights: &[Row; R],
    group: Group<R>,
    values: Codes<'_, F>,
    sums: &mut [[f32; UNIT]],
) {
    let (sums, _) = sums.as_chunks_mut::<R>();
    let [least, most] = group.bounds();
    let first = group.index * UNIT;
    let mut tokens = values.units.chunks_exact(sums.len());
    let mut ahead = values.ahead.chunks_exact(STEP_TOKENS * sums.len());
    let mut token = 0;
    while token + STEP_TOKENS <= least {
        let mut step =
            Step::<F, R> { weights: [[0.0; STEP_TOKENS]; R], values: [&[]; STEP_TOKENS] };
        for (i, values) in tokens.by_ref().take(STEP_TOKENS).enumerate() {
            step.values[i] = values;
            for (step, weights) in step.weights.iter_mut().zip(weights) {
                step[i] = weights[first + token + i];
            }
        }
        let ahead = ahead.next().unwrap_or_default();
        add_tokens::<F, R>(&step, ahead, sums);
        token += STEP_TOKENS;
    }
    for (token, values) in (token..most).zip(tokens) {
        for (row, weights) in weights.iter().enumerate() {
            if token < group.visible[row] {
                let weight = _mm256_set1_ps(weights[first + token]);
                for (value, sums) in values.iter().zip(sums.iter_mut()) {
                    // SAFETY: this function has the features that `load` asks for.
                    add_token(weight, unsafe { F::load(value) }, &mut sums[row]);
                }
            }
        }
    }
}

/// Some tokens for some rows.
struct Step<'a, F: Stored, const R: usize> {
    weights: [[f32; STEP_TOKENS]; R],
    values: [&'a [F::Unit]; STEP_TOKENS],
}

/// Adds the weighted values of [`STEP_TOKENS`] tokens, oldest first.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn add_tokens<F: Stored, const R: usize>(
    step: &Step<'_, F, R>,
    ahead: &[F::Unit],
    sums: &mut [[[f32; UNIT]; R]],
) {
    let [first, second, third, fourth] = step.values;
    let values = first.iter().zip(second).zip(third).zip(fourth);
    let (ahead, _) = ahead.as_chunks::<STEP_TOKENS>();
    for ((sums, (((first, second), third), fourth)), ahead) in
        sums.iter_mut().zip(values).zip(ahead)
    {
        prefetch(ahead, 0);
        // SAFETY: this function has the features that `load` asks for.
        let values = unsafe { [F::load(first), F::load(second), F::load(third), F::load(fourth)] };
        for (weights, sums) in step.weights.iter().zip(sums) {
            let (halves, _) = sums.as_chunks_mut::<LANES>();
            let mut sum = [load(&halves[0]), load(&halves[1])];
            for (weight, value) in weights.iter().zip(values) {
                let weight = _mm256_set1_ps(*weight);
                sum[0] = _mm256_fmadd_ps(weight, value[0], sum[0]);
                sum[1] = _mm256_fmadd_ps(weight, value[1], sum[1]);
            }
            store(&mut halves[0], sum[0]);
            store(&mut halves[1], sum[1]);
        }
    }
}

#[inline]
#[target_feature(enable = "avx2,fma")]
fn add_token(weight: __m256, value: [__m256; 2], sum: &mut [f32; UNIT]) {
    for (half, value) in sum.as_chunks_mut::<LANES>().0.iter_mut().zip(value) {
        store(half, _mm256_fmadd_ps(weight, value, load(half)));
    }
}
