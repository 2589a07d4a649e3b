//! 16 lanes in arrays, which compilers turn into whatever vectors the target always has.
//!
//! Products are rounded before they are added: without an instruction for it, a fused
//! multiply-add is a slow library call.

use super::format::Stored;
use super::kernel::{Codes, Group, Kernel, Row, Scales, Share, Softened, bounds};
use super::layout::UNIT;

/// The version for every processor.
#[derive(Debug, Clone, Copy)]
pub(super) struct Portable;

impl Kernel for Portable {
    fn stream_scores<F: Stored, const R: usize>(
        self,
        queries: &[[f32; R]],
        keys: Codes<'_, F>,
        group: usize,
        rows: &mut [Row; R],
    ) {
        scores(queries, keys.units.iter().map(F::widen), group, rows);
    }

    fn stream_values<F: Stored, const R: usize>(
        self,
        weights: &[Row; R],
        group: Group<R>,
        values: Codes<'_, F>,
        sums: &mut [[f32; UNIT]],
    ) {
        let (sums, _) = sums.as_chunks_mut::<R>();
        let [_, most] = group.bounds();
        for (token, values) in values.units.chunks_exact(sums.len()).take(most).enumerate() {
            for (value, sums) in values.iter().map(F::widen).zip(sums.iter_mut()) {
                for (row, sum) in sums.iter_mut().enumerate() {
                    if token < group.visible[row] {
                        multiply_add(weights[row][group.index * UNIT + token], &value, sum);
                    }
                }
            }
        }
    }

    fn widen<F: Stored>(self, units: &[F::Unit], out: &mut [[f32; UNIT]]) {
        for (unit, out) in units.iter().zip(out) {
            *out = F::widen(unit);
        }
    }

    fn tile_scores<const R: usize>(
        self,
        queries: &[[f32; R]],
        keys: &[[f32; UNIT]],
        group: usize,
        rows: &mut [Row; R],
    ) {
        scores(queries, keys.iter().copied(), group, rows);
    }

    fn tile_values<const R: usize>(
        self,
        weights: &[Row; R],
        values: &[[f32; UNIT]],
        shares: &[Share; R],
        out: &mut [[f32; UNIT]; R],
    ) {
        let mut sums = [[0.0; UNIT]; R];
        let [_, most] = bounds(shares.map(|share| share.visible));
        for (token, value) in values[..most].iter().enumerate() {
            for (row, sum) in sums.iter_mut().enumerate() {
                if token < shares[row].visible {
                    multiply_add(weights[row][token], value, sum);
                }
            }
        }
        self.combine(&sums, shares, out);
    }

    fn soften(
        self,
        row: &mut Row,
        visible: usize,
        scales: Option<&Scales>,
        query_sum: f32,
    ) -> Softened {
        let row = &mut row[..visible];
        if let Some(scales) = scales {
            for (i, score) in row.iter_mut().enumerate() {
                *score = *score * scales.key_scales[i] + scales.key_minimums[i] * query_sum;
            }
        }
        let max = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let (mut sum, mut bias) = (0.0, 0.0);
        for (i, score) in row.iter_mut().enumerate() {
            let weight = self.exp(*score - max);
            sum += weight;
            *score = weight;
            if let Some(scales) = scales {
                *score = weight * scales.value_scales[i];
                bias += weight * scales.value_minimums[i];
            }
        }
        Softened { max, sum, bias }
    }

    fn combine<const R: usize>(
        self,
        sums: &[[f32; UNIT]],
        shares: &[Share; R],
        out: &mut [[f32; UNIT]],
    ) {
        for (sums, out) in sums.as_chunks::<R>().0.iter().zip(out.as_chunks_mut::<R>().0) {
            for (row, share) in shares.iter().enumerate().filter(|(_, share)| share.visible > 0) {
                for (out, sum) in out[row].iter_mut().zip(sums[row]) {
                    *out = (sum + share.bias) * share.add + *out * share.keep;
                }
            }
        }
    }

    fn exp(self, x: f32) -> f32 {
        x.exp()
    }
}

fn scores<const R: usize>(
    queries: &[[f32; R]],
    keys: impl Iterator<Item = [f32; UNIT]>,
    group: usize,
    rows: &mut [Row; R],
) {
    let mut chains = [[[0.0; UNIT]; R]; 2];
    for (i, (query, key)) in queries.iter().zip(keys).enumerate() {
        for (query, chain) in query.iter().zip(&mut chains[i % 2]) {
            multiply_add(*query, &key, chain);
        }
    }
    let [even, odd] = chains;
    for (row, (even, odd)) in rows.iter_mut().zip(even.iter().zip(odd)) {
        let scores = &mut row.as_chunks_mut::<UNIT>().0[group];
        for (score, (even, odd)) in scores.iter_mut().zip(even.iter().zip(odd)) {
            *score = even + odd;
        }
    }
}

#[inline]
fn multiply_add(x: f32, values: &[f32; UNIT], sums: &mut [f32; UNIT]) {
    for (sum, value) in sums.iter_mut().zip(values) {
        *sum += x * value;
    }
}
