//! One task: span by span.

use super::attention::Call;
use super::format::Stored;
use super::kernel::{Kernel, Share, Softened};
use super::layout::UNIT;
use super::plan::Task;
use super::scratch::Scratch;
use super::state::{Saved, State, refill};
use super::{SPAN, TILE_ROWS, with_rows};
use crate::shared::SharedSlice;

/// A task at work.
pub(super) struct Worker<'a, K> {
    pub(super) kernel: K,
    pub(super) call: &'a Call<'a>,
    pub(super) task: &'a Task,
    pub(super) scratch: &'a mut Scratch,
    pub(super) n_rows: usize,
    pub(super) n_units: usize,
}

impl<'a, K: Kernel> Worker<'a, K> {
    pub(super) fn new(
        kernel: K,
        call: &'a Call<'a>,
        task: &'a Task,
        scratch: &'a mut Scratch,
    ) -> Self {
        let n_units = call.layout.head_dim / UNIT;
        Self { kernel, call, task, scratch, n_rows: call.n_rows(task), n_units }
    }

    /// Computes the outputs of the task.
    pub(super) fn run<F: Stored>(&mut self, out: &SharedSlice<'_, f32>) {
        self.each_span::<F>(|_| ());
        self.write(out);
    }

    /// Computes the spans of the task one by one, without combining them.
    pub(super) fn run_part<F: Stored>(&mut self, parts: &SharedSlice<'_, f32>) {
        let (n_rows, n_units, len) = (self.n_rows, self.n_units, self.call.part_len(self.task));
        let mut start = self.task.part_start.unwrap_or_default();
        self.each_span::<F>(|state| {
            // SAFETY: the plan gives every span of every part its own floats.
            state.save(unsafe { parts.part(start, len) });
            state.reset(n_rows, n_units);
            start += len;
        });
    }

    /// Takes span by span into the state, which `done` sees after each.
    fn each_span<F: Stored>(&mut self, mut done: impl FnMut(&mut State)) {
        self.prepare();
        self.scratch.state.reset(self.n_rows, self.n_units);
        let mut view = self.view::<F>(self.task.spans.start);
        for span in self.task.spans.clone() {
            let is_last = span + 1 == self.task.spans.end;
            let next = if is_last { view } else { self.view(span + 1) };
            self.add_span(span, view, next);
            done(&mut self.scratch.state);
            view = next;
        }
    }

    /// Combines the spans that parts have computed, as [`run`](Self::run) would.
    pub(super) fn merge(&mut self, parts: &[f32], out: &SharedSlice<'_, f32>) {
        self.scratch.state.reset(self.n_rows, self.n_units);
        let parts = &parts[self.task.part_start.unwrap_or_default()..];
        let spans = parts.chunks_exact(self.call.part_len(self.task));
        for (span, part) in self.task.spans.clone().zip(spans) {
            let saved = Saved::new(part, self.n_rows);
            self.advance(span, |_, row, _| saved.softened(row));
            for group in 0..self.n_groups() {
                let sums = saved.group(group, self.n_units);
                let rows = self.group_rows(group);
                let Scratch { shares, state, .. } = &mut *self.scratch;
                let (shares, out) = (&shares[group * TILE_ROWS..], state.group_mut(group));
                with_rows!(rows, R => {
                    self.kernel.combine::<R>(sums, first(shares), out);
                });
            }
        }
        self.write(out);
    }

    /// Groups of at most [`TILE_ROWS`] rows.
    pub(super) fn n_groups(&self) -> usize {
        self.n_rows.div_ceil(TILE_ROWS)
    }

    /// Rows of a group: all but the last have [`TILE_ROWS`].
    pub(super) fn group_rows(&self, group: usize) -> usize {
        TILE_ROWS.min(self.n_rows - group * TILE_ROWS)
    }

    /// Tokens of a span that a row sees.
    pub(super) fn visible(&self, span: usize, row: usize) -> usize {
        self.call.seen(self.task, row).saturating_sub(span * SPAN).min(SPAN)
    }

    /// Takes the maximum and the sum that `soften` finds for each row into the state, and leaves in
    /// the scratch how the values of the span are to be combined.
    pub(super) fn advance(
        &mut self,
        span: usize,
        soften: impl Fn(&mut Scratch, usize, usize) -> Softened,
    ) {
        refill(&mut self.scratch.shares, self.n_rows, Share::default());
        for row in 0..self.n_rows {
            let visible = self.visible(span, row);
            if visible > 0 {
                let softened = soften(self.scratch, row, visible);
                let share = self.scratch.state.advance(self.kernel, row, softened, visible);
                self.scratch.shares[row] = share;
            }
        }
    }

    /// Packs the scaled queries, and sums each.
    fn prepare(&mut self) {
        let Self { call, task, n_rows, .. } = *self;
        let head_dim = call.layout.head_dim;
        let Scratch { queries, query_sums, .. } = &mut *self.scratch;
        refill(queries, n_rows * head_dim, 0.0);
        query_sums.clear();
        for row in 0..n_rows {
            let group = row / TILE_ROWS;
            let group_rows = TILE_ROWS.min(n_rows - group * TILE_ROWS);
            let packed = &mut queries[group * TILE_ROWS * head_dim + row % TILE_ROWS..];
            let query = &call.queries[call.row_start(task, row)..][..head_dim];
            let mut sum = 0.0;
            for (packed, value) in packed.iter_mut().step_by(group_rows).zip(query) {
                *packed = value * call.scale;
                sum += *packed;
            }
            query_sums.push(sum);
        }
    }

    fn write(&self, out: &SharedSlice<'_, f32>) {
        for row in 0..self.n_rows {
            let start = self.call.row_start(self.task, row);
            // SAFETY: the plan gives every row of outputs to one task, or to one merge, and those
            // do not run at the same time as other writers of outputs.
            let out = unsafe { out.part(start, self.call.layout.head_dim) };
            self.scratch.state.write(row, out);
        }
    }
}

/// The first `R` of at least as many rows.
pub(super) fn first<T, const R: usize>(rows: &[T]) -> &[T; R] {
    rows.first_chunk().expect("a group has as many rows as it was asked for")
}
