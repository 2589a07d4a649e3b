//! What the rows of a task know so far.

use super::TILE_ROWS;
use super::kernel::{Kernel, Share, Softened};
use super::layout::UNIT;

/// The softmax of the spans so far: the largest score, the sum of exponentials, the weighted sum
/// of values, for each row.
#[derive(Debug, Default)]
pub(super) struct State {
    max: Vec<f32>,
    sum: Vec<f32>,
    /// Groups of [`TILE_ROWS`] rows, the last one may have fewer, each `[units, rows]`.
    values: Vec<[f32; UNIT]>,
}

impl State {
    /// Nothing seen yet.
    pub(super) fn reset(&mut self, n_rows: usize, n_units: usize) {
        refill(&mut self.max, n_rows, f32::NEG_INFINITY);
        refill(&mut self.sum, n_rows, 0.0);
        refill(&mut self.values, n_rows * n_units, [0.0; UNIT]);
    }

    /// Takes the maximum and the sum of a span in, and says how its values are to be combined.
    pub(super) fn advance<K: Kernel>(
        &mut self,
        kernel: K,
        row: usize,
        span: Softened,
        visible: usize,
    ) -> Share {
        let before = self.max[row];
        // If the span has no largest score, its sum is NaN, and so is what comes of it.
        let max = if span.max > before { span.max } else { before };
        let (keep, add) = (kernel.exp(before - max), kernel.exp(span.max - max));
        self.max[row] = max;
        self.sum[row] = self.sum[row] * keep + span.sum * add;
        Share { visible, keep, add, bias: span.bias }
    }

    /// The values of a group of rows.
    pub(super) fn group_mut(&mut self, group: usize) -> &mut [[f32; UNIT]] {
        let len = self.group_len();
        self.values.chunks_mut(len).nth(group).unwrap_or_default()
    }

    /// Writes the finished output of a row.
    pub(super) fn write(&self, row: usize, out: &mut [f32]) {
        let (group, row_in_group) = (row / TILE_ROWS, row % TILE_ROWS);
        let rows = TILE_ROWS.min(self.max.len() - group * TILE_ROWS);
        let values = &self.values[group * self.group_len()..];
        let factor = 1.0 / self.sum[row];
        for (out, values) in out.as_chunks_mut::<UNIT>().0.iter_mut().zip(values.chunks(rows)) {
            *out = values[row_in_group].map(|value| value * factor);
        }
    }

    /// Keeps all of it.
    pub(super) fn save(&self, part: &mut [f32]) {
        let (max, part) = part.split_at_mut(self.max.len());
        let (sum, values) = part.split_at_mut(self.sum.len());
        max.copy_from_slice(&self.max);
        sum.copy_from_slice(&self.sum);
        values.copy_from_slice(self.values.as_flattened());
    }

    /// Values of a whole group.
    fn group_len(&self) -> usize {
        TILE_ROWS * (self.values.len() / self.max.len().max(1)).max(1)
    }
}

/// What [`State::save`] kept.
#[derive(Debug, Clone, Copy)]
pub(super) struct Saved<'a> {
    max: &'a [f32],
    sum: &'a [f32],
    values: &'a [[f32; UNIT]],
}

impl<'a> Saved<'a> {
    pub(super) fn new(part: &'a [f32], n_rows: usize) -> Self {
        let (max, part) = part.split_at(n_rows);
        let (sum, values) = part.split_at(n_rows);
        Self { max, sum, values: values.as_chunks().0 }
    }

    /// The bias is in the values already.
    pub(super) fn softened(&self, row: usize) -> Softened {
        Softened { max: self.max[row], sum: self.sum[row], bias: 0.0 }
    }

    /// The values of a group of rows, `n_units` of each.
    pub(super) fn group(&self, group: usize, n_units: usize) -> &'a [[f32; UNIT]] {
        self.values.chunks(TILE_ROWS * n_units).nth(group).unwrap_or_default()
    }
}

/// Fills a buffer anew, keeping its memory.
pub(super) fn refill<T: Clone>(buffer: &mut Vec<T>, len: usize, value: T) {
    buffer.clear();
    buffer.resize(len, value);
}
