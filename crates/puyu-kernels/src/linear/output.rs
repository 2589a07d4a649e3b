//! Writing the outputs, several threads at once.

use crate::shared::SharedSlice;

/// A rectangle of outputs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Task {
    pub(super) first_row: usize,
    pub(super) n_rows: usize,
    pub(super) first_column: usize,
    pub(super) n_columns: usize,
}

/// The outputs, to be written in rectangles by several threads.
pub(super) struct Output<'a> {
    values: SharedSlice<'a, f32>,
    /// Outputs of a row.
    m: usize,
}

impl<'a> Output<'a> {
    /// Borrows outputs, `m` in a row.
    pub(super) fn new(out: &'a mut [f32], m: usize) -> Self {
        Self { values: SharedSlice::new(out), m }
    }

    /// Writes the sums of a task, given by their place in it, with the bias.
    ///
    /// # Safety
    ///
    /// The task must lie within the outputs that were borrowed, and no other thread may write any
    /// of its outputs.
    pub(super) unsafe fn write(
        &self,
        task: Task,
        bias: Option<&[f32]>,
        sum: impl Fn(usize, usize) -> f32,
    ) {
        let columns = task.first_column..task.first_column + task.n_columns;
        let bias = bias.map(|bias| &bias[columns]);
        for row in 0..task.n_rows {
            let start = (task.first_row + row) * self.m + task.first_column;
            // SAFETY: the caller promises that nobody else has these outputs.
            let out = unsafe { self.values.part(start, task.n_columns) };
            for (column, out) in out.iter_mut().enumerate() {
                *out = sum(row, column);
            }
            for (out, &bias) in out.iter_mut().zip(bias.unwrap_or_default()) {
                *out += bias;
            }
        }
    }
}
