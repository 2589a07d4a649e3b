//! Many rows: register tiles over widened keys and values.

use std::arch::x86_64::*;

use super::LANES;
use super::soften::combine_unit;
use crate::cpu::avx2::{load, store};
use crate::paged::kernel::{Row, Share, bounds};
use crate::paged::layout::UNIT;

/// 6 × 2 accumulators, 2 keys and 1 query fill the 16 registers: so first the even, then the odd
/// elements, while the keys stay in the first-level cache.
#[target_feature(enable = "avx2,fma")]
pub(super) fn tile_scores<const R: usize>(
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
pub(super) fn tile_values<const R: usize>(
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
