//! One span of a task, by one of two ways.

use super::format::Stored;
use super::kernel::{Codes, Group, Kernel, Scales};
use super::layout::{Side, UNIT};
use super::scratch::Scratch;
use super::state::refill;
use super::worker::{Worker, first};
use super::{SPAN, STREAM_ROWS, TILE_ROWS, with_rows};

/// Groups of tokens in a span.
const GROUPS: usize = SPAN / UNIT;

/// Where the codes of a span lie: `head_dim` units for each group of tokens, none beyond the
/// context.
#[derive(Debug, Clone, Copy)]
pub(super) struct View<'a, F: Stored> {
    keys: [&'a [F::Unit]; GROUPS],
    values: [&'a [F::Unit]; GROUPS],
}

impl<'a, K: Kernel> Worker<'a, K> {
    /// Finds a span.
    pub(super) fn view<F: Stored>(&self, span: usize) -> View<'a, F> {
        let head_dim = self.call.layout.head_dim;
        let context = self.call.segments[self.task.segment].context;
        let mut view = View { keys: [&[]; GROUPS], values: [&[]; GROUPS] };
        for group in 0..context.saturating_sub(span * SPAN).min(SPAN).div_ceil(UNIT) {
            let (keys, values, slot) = self.sides(span, group);
            let first = slot / UNIT * head_dim;
            view.keys[group] = &F::units(keys.codes)[first..][..head_dim];
            view.values[group] = &F::units(values.codes)[first..][..head_dim];
        }
        view
    }

    /// Takes a span into the state of all rows that see some of it. The next one will be read soon.
    pub(super) fn add_span<F: Stored>(
        &mut self,
        span: usize,
        view: View<'a, F>,
        next: View<'a, F>,
    ) {
        // The last row sees most.
        let visible = self.visible(span, self.n_rows - 1);
        self.scratch.weights.resize(self.n_rows, [0.0; SPAN]);
        if F::IS_INTEGER {
            self.load_scales(span, visible);
        }
        if self.n_rows <= STREAM_ROWS {
            self.stream(span, visible, view, next);
        } else {
            self.tile(span, visible, view);
        }
    }

    /// Few rows: codes are widened in registers.
    fn stream<F: Stored>(
        &mut self,
        span: usize,
        visible: usize,
        view: View<'a, F>,
        next: View<'a, F>,
    ) {
        for group in 0..visible.div_ceil(UNIT) {
            let keys = codes(view.keys[group], next.keys[group]);
            let Scratch { queries, weights, .. } = &mut *self.scratch;
            with_rows!(self.n_rows, R => {
                let (queries, _) = queries.as_chunks();
                self.kernel.stream_scores::<F, R>(queries, keys, group, first_mut(weights));
            });
        }

        self.soften::<F>(span);
        let n_sums = self.n_rows * self.n_units;
        refill(&mut self.scratch.sums, n_sums, [0.0; UNIT]);
        for index in 0..visible.div_ceil(UNIT) {
            let values = codes(view.values[index], next.values[index]);
            let Scratch { weights, shares, sums, .. } = &mut *self.scratch;
            with_rows!(self.n_rows, R => {
                let shares = first::<_, R>(shares).each_ref();
                let visible =
                    shares.map(|share| share.visible.saturating_sub(index * UNIT).min(UNIT));
                let group = Group { index, visible };
                self.kernel.stream_values::<F, R>(first(weights), group, values, sums);
            });
        }

        let Scratch { sums, shares, state, .. } = &mut *self.scratch;
        with_rows!(self.n_rows, R => {
            self.kernel.combine::<R>(sums, first(shares), state.group_mut(0));
        });
    }

    /// Many rows: codes are widened once.
    fn tile<F: Stored>(&mut self, span: usize, visible: usize, view: View<'a, F>) {
        self.widen(visible, view);
        let head_dim = self.call.layout.head_dim;
        for index in 0..visible.div_ceil(UNIT) {
            for group in 0..self.n_groups() {
                let rows = self.group_rows(group);
                if self.visible(span, group * TILE_ROWS + rows - 1) <= index * UNIT {
                    continue;
                }
                let Scratch { queries, weights, keys, .. } = &mut *self.scratch;
                let queries = &queries[group * TILE_ROWS * head_dim..][..rows * head_dim];
                let weights = &mut weights[group * TILE_ROWS..];
                let keys = &keys[index * head_dim..][..head_dim];
                with_rows!(rows, R => {
                    let (queries, _) = queries.as_chunks();
                    self.kernel.tile_scores::<R>(queries, keys, index, first_mut(weights));
                });
            }
        }

        self.soften::<F>(span);
        for group in 0..self.n_groups() {
            let rows = self.group_rows(group);
            let Scratch { weights, shares, values, state, .. } = &mut *self.scratch;
            let (weights, shares) = (&weights[group * TILE_ROWS..], &shares[group * TILE_ROWS..]);
            if shares[rows - 1].visible == 0 {
                continue;
            }
            with_rows!(rows, R => {
                let (out, _) = state.group_mut(group).as_chunks_mut();
                for (values, out) in values.chunks_exact(SPAN).zip(out) {
                    self.kernel.tile_values::<R>(first(weights), values, first(shares), out);
                }
            });
        }
    }

    /// Scores to weights, for all rows.
    fn soften<F: Stored>(&mut self, span: usize) {
        let kernel = self.kernel;
        self.advance(span, |scratch, row, visible| {
            let scales = if F::IS_INTEGER { scratch.scales.as_deref() } else { None };
            let query_sum = scratch.query_sums[row];
            kernel.soften(&mut scratch.weights[row], visible, scales, query_sum)
        });
    }

    /// Widens the keys and values of a span.
    fn widen<F: Stored>(&mut self, visible: usize, view: View<'a, F>) {
        let head_dim = self.call.layout.head_dim;
        self.scratch.keys.resize(GROUPS * head_dim, [0.0; UNIT]);
        self.scratch.values.resize(SPAN * self.n_units, [0.0; UNIT]);
        for group in 0..visible.div_ceil(UNIT) {
            let (keys, values) = (view.keys[group], view.values[group]);
            let Scratch { keys: wide_keys, values: wide_values, .. } = &mut *self.scratch;
            self.kernel.widen::<F>(keys, &mut wide_keys[group * head_dim..][..head_dim]);
            self.kernel.widen_columns::<F>(values, &mut wide_values[group * UNIT..]);
        }
    }

    /// Gathers what belongs to the codes of a span.
    fn load_scales(&mut self, span: usize, visible: usize) {
        let mut scales = self.scratch.scales.take().unwrap_or_else(|| Box::new(Scales::ZERO));
        for group in 0..visible.div_ceil(UNIT) {
            let (keys, values, slot) = self.sides(span, group);
            copy(keys.scales, slot, &mut scales.key_scales, group);
            copy(keys.minimums, slot, &mut scales.key_minimums, group);
            copy(values.scales, slot, &mut scales.value_scales, group);
            copy(values.minimums, slot, &mut scales.value_minimums, group);
        }
        self.scratch.scales = Some(scales);
    }

    /// The block that holds a group of tokens, and their first slot in it. Groups do not cross
    /// blocks: both begin at multiples of [`UNIT`].
    fn sides(&self, span: usize, group: usize) -> (Side<'a>, Side<'a>, usize) {
        let call = self.call;
        let position = span * SPAN + group * UNIT;
        let segment = &call.segments[self.task.segment];
        let (block, slot) = segment.slot(position, call.layout.block_tokens);
        let [keys, values] = call.cache.sides(block, self.task.kv_head);
        (call.layout.split(keys), call.layout.split(values), slot)
    }
}

/// Codes, and those of the next span, if it has them. A span ahead is what the memory needs: blocks
/// lie anywhere, and the prefetchers of the processor end with a page.
fn codes<'a, F: Stored>(units: &'a [F::Unit], next: &'a [F::Unit]) -> Codes<'a, F> {
    Codes { units, ahead: if next.is_empty() { units } else { next } }
}

/// Copies the floats of a group of tokens.
fn copy(bytes: &[u8], slot: usize, row: &mut [f32; SPAN], group: usize) {
    let (floats, _) = bytes.as_chunks();
    for (out, bytes) in row[group * UNIT..][..UNIT].iter_mut().zip(&floats[slot..]) {
        *out = f32::from_le_bytes(*bytes);
    }
}

/// As [`first`], to write.
fn first_mut<T, const R: usize>(rows: &mut [T]) -> &mut [T; R] {
    rows.first_chunk_mut().expect("a group has as many rows as it was asked for")
}
