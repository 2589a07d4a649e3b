//! 8 lanes in a register, two of them for a unit.

use std::arch::x86_64::*;

use half::{bf16, f16};

use super::format::{Bf16, F16, F32, Format, Int4, Int8, Stored};
use super::kernel::{Codes, Group, Kernel, Row, Scales, Share, Softened, bounds};
use super::layout::UNIT;
use crate::cpu::avx2::{load, store, sum_lanes};
use crate::cpu::prefetch;
use crate::exponential::avx2::exp_negative;

const LANES: usize = 8;

/// Rows up to which the chains of whole units fit in the registers; beyond, half units do.
const WHOLE_ROWS: usize = 3;

/// Tokens whose weighted values are added between loading and storing a sum.
const STEP_TOKENS: usize = 4;

/// Proof that the processor has AVX2, FMA and F16C.
#[derive(Debug, Clone, Copy)]
pub(super) struct Avx2(());

impl Avx2 {
    /// # Safety
    ///
    /// The processor must have AVX2, FMA and F16C.
    pub(super) unsafe fn new() -> Self {
        Self(())
    }
}

impl Kernel for Avx2 {
    fn stream_scores<F: Stored, const R: usize>(
        self,
        queries: &[[f32; R]],
        keys: Codes<'_, F>,
        group: usize,
        rows: &mut [Row; R],
    ) {
        // SAFETY: `self` proves that the processor has the features.
        unsafe {
            if R <= WHOLE_ROWS {
                stream_scores::<F, R>(queries, keys, group, rows);
            } else {
                stream_half_scores::<F, R, 0>(queries, keys, group, rows);
                stream_half_scores::<F, R, 1>(queries, keys, group, rows);
            }
        }
    }

    fn stream_values<F: Stored, const R: usize>(
        self,
        weights: &[Row; R],
        group: Group<R>,
        values: Codes<'_, F>,
        sums: &mut [[f32; UNIT]],
    ) {
        // SAFETY: `self` proves that the processor has the features.
        unsafe { stream_values::<F, R>(weights, group, values, sums) }
    }

    fn widen<F: Stored>(self, units: &[F::Unit], out: &mut [[f32; UNIT]]) {
        // SAFETY: `self` proves that the processor has the features.
        unsafe { widen::<F>(units, out) }
    }

    fn tile_scores<const R: usize>(
        self,
        queries: &[[f32; R]],
        keys: &[[f32; UNIT]],
        group: usize,
        rows: &mut [Row; R],
    ) {
        // SAFETY: `self` proves that the processor has the features.
        unsafe { tile_scores::<R>(queries, keys, group, rows) }
    }

    fn tile_values<const R: usize>(
        self,
        weights: &[Row; R],
        values: &[[f32; UNIT]],
        shares: &[Share; R],
        out: &mut [[f32; UNIT]; R],
    ) {
        // SAFETY: `self` proves that the processor has the features.
        unsafe { tile_values::<R>(weights, values, shares, out) }
    }

    fn soften(
        self,
        row: &mut Row,
        visible: usize,
        scales: Option<&Scales>,
        query_sum: f32,
    ) -> Softened {
        // SAFETY: `self` proves that the processor has the features.
        unsafe { soften(row, visible, scales, query_sum) }
    }

    fn combine<const R: usize>(
        self,
        sums: &[[f32; UNIT]],
        shares: &[Share; R],
        out: &mut [[f32; UNIT]],
    ) {
        // SAFETY: `self` proves that the processor has the features.
        unsafe { combine::<R>(sums, shares, out) }
    }

    fn exp(self, x: f32) -> f32 {
        // SAFETY: `self` proves that the processor has the features.
        unsafe { exp(x) }
    }
}

/// A format of which a unit widens to two vectors.
pub(super) trait Load: Format {
    /// Reads and widens a unit: its lower and its upper half.
    ///
    /// # Safety
    ///
    /// The processor must have AVX2 and F16C.
    unsafe fn load(unit: &Self::Unit) -> [__m256; 2];
}

/// Two chains for each row, over even and over odd elements, so that their latencies overlap.
#[target_feature(enable = "avx2,fma,f16c")]
fn stream_scores<F: Stored, const R: usize>(
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

/// As [`stream_scores`], for one half of the tokens.
#[target_feature(enable = "avx2,fma,f16c")]
fn stream_half_scores<F: Stored, const R: usize, const HALF: usize>(
    queries: &[[f32; R]],
    keys: Codes<'_, F>,
    group: usize,
    rows: &mut [Row; R],
) {
    let mut chains = [[_mm256_setzero_ps(); R]; 2];
    let pairs = keys.units.as_chunks::<2>().0.iter().zip(keys.ahead.as_chunks::<2>().0);
    for (queries, (keys, ahead)) in queries.as_chunks::<2>().0.iter().zip(pairs) {
        if HALF == 0 {
            prefetch(ahead, 0);
        }
        for parity in 0..2 {
            // SAFETY: this function has the features that `load` asks for.
            let key = unsafe { F::load(&keys[parity]) }[HALF];
            for row in 0..R {
                let query = _mm256_set1_ps(queries[parity][row]);
                chains[parity][row] = _mm256_fmadd_ps(query, key, chains[parity][row]);
            }
        }
    }
    let [even, odd] = chains;
    for row in 0..R {
        let scores = &mut rows[row].as_chunks_mut::<LANES>().0[2 * group + HALF];
        store(scores, _mm256_add_ps(even[row], odd[row]));
    }
}

#[target_feature(enable = "avx2,fma,f16c")]
fn stream_values<F: Stored, const R: usize>(
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

#[target_feature(enable = "avx2,fma,f16c")]
fn widen<F: Load>(units: &[F::Unit], out: &mut [[f32; UNIT]]) {
    for (unit, out) in units.iter().zip(out) {
        // SAFETY: this function has the features that `load` asks for.
        let [low, high] = unsafe { F::load(unit) };
        let (halves, _) = out.as_chunks_mut::<LANES>();
        store(&mut halves[0], low);
        store(&mut halves[1], high);
    }
}

/// 6 × 2 accumulators, 2 keys and 1 query fill the 16 registers: so first the even, then the odd
/// elements, while the keys stay in the first-level cache.
#[target_feature(enable = "avx2,fma")]
fn tile_scores<const R: usize>(
    queries: &[[f32; R]],
    keys: &[[f32; UNIT]],
    group: usize,
    rows: &mut [Row; R],
) {
    let (queries, keys) = (queries.as_chunks::<2>().0, keys.as_chunks::<2>().0);
    let even = tile_chains::<R, 0>(queries, keys);
    for (row, even) in rows.iter_mut().zip(even) {
        let halves = row.as_chunks_mut::<LANES>().0[2 * group..].iter_mut();
        for (half, even) in halves.zip(even) {
            store(half, even);
        }
    }
    let odd = tile_chains::<R, 1>(queries, keys);
    for (row, odd) in rows.iter_mut().zip(odd) {
        let halves = row.as_chunks_mut::<LANES>().0[2 * group..].iter_mut();
        for (half, odd) in halves.zip(odd) {
            store(half, _mm256_add_ps(load(half), odd));
        }
    }
}

#[inline]
#[target_feature(enable = "avx2,fma")]
fn tile_chains<const R: usize, const PARITY: usize>(
    queries: &[[[f32; R]; 2]],
    keys: &[[[f32; UNIT]; 2]],
) -> [[__m256; 2]; R] {
    let mut chains = [[_mm256_setzero_ps(); 2]; R];
    for (queries, keys) in queries.iter().zip(keys) {
        let (halves, _) = keys[PARITY].as_chunks::<LANES>();
        let key = [load(&halves[0]), load(&halves[1])];
        for (query, chain) in queries[PARITY].iter().zip(&mut chains) {
            let query = _mm256_set1_ps(*query);
            chain[0] = _mm256_fmadd_ps(query, key[0], chain[0]);
            chain[1] = _mm256_fmadd_ps(query, key[1], chain[1]);
        }
    }
    chains
}

#[target_feature(enable = "avx2,fma")]
fn tile_values<const R: usize>(
    weights: &[Row; R],
    values: &[[f32; UNIT]],
    shares: &[Share; R],
    out: &mut [[f32; UNIT]; R],
) {
    let [least, most] = bounds(shares.map(|share| share.visible));
    let mut chains = [[_mm256_setzero_ps(); 2]; R];
    for (token, value) in values.iter().enumerate().take(least.min(weights[0].len())) {
        let (halves, _) = value.as_chunks::<LANES>();
        let value = [load(&halves[0]), load(&halves[1])];
        for (weights, chain) in weights.iter().zip(&mut chains) {
            let weight = _mm256_set1_ps(weights[token]);
            chain[0] = _mm256_fmadd_ps(weight, value[0], chain[0]);
            chain[1] = _mm256_fmadd_ps(weight, value[1], chain[1]);
        }
    }
    // Where the rows end one after the other.
    for token in least..most {
        let (halves, _) = values[token].as_chunks::<LANES>();
        for row in 0..R {
            if token < shares[row].visible {
                let weight = _mm256_set1_ps(weights[row][token]);
                let chain = &mut chains[row];
                chain[0] = _mm256_fmadd_ps(weight, load(&halves[0]), chain[0]);
                chain[1] = _mm256_fmadd_ps(weight, load(&halves[1]), chain[1]);
            }
        }
    }
    for ((chain, share), out) in chains.iter().zip(shares).zip(out) {
        combine_unit(*chain, share, out);
    }
}

#[target_feature(enable = "avx2,fma")]
fn combine<const R: usize>(sums: &[[f32; UNIT]], shares: &[Share; R], out: &mut [[f32; UNIT]]) {
    for (sums, out) in sums.as_chunks::<R>().0.iter().zip(out.as_chunks_mut::<R>().0) {
        for ((sum, share), out) in sums.iter().zip(shares).zip(out) {
            let (halves, _) = sum.as_chunks::<LANES>();
            combine_unit([load(&halves[0]), load(&halves[1])], share, out);
        }
    }
}

#[inline]
#[target_feature(enable = "avx2,fma")]
fn combine_unit(sum: [__m256; 2], share: &Share, out: &mut [f32; UNIT]) {
    if share.visible == 0 {
        return;
    }
    let [keep, add, bias] = [share.keep, share.add, share.bias].map(|x| _mm256_set1_ps(x));
    for (half, sum) in out.as_chunks_mut::<LANES>().0.iter_mut().zip(sum) {
        let kept = _mm256_mul_ps(load(half), keep);
        store(half, _mm256_fmadd_ps(_mm256_add_ps(sum, bias), add, kept));
    }
}

#[target_feature(enable = "avx2,fma")]
fn soften(row: &mut Row, visible: usize, scales: Option<&Scales>, query_sum: f32) -> Softened {
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
fn exp(x: f32) -> f32 {
    _mm256_cvtss_f32(exp_negative(_mm256_set1_ps(x)))
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
