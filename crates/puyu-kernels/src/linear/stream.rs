//! Few rows of activations: the weight streams by once, one contiguous part for each thread.
//!
//! Measured on an AMD EPYC with AVX2, one row, 2048 products, `bf16`: rows of weights one by one,
//! each in one stream, 29 GB/s; four rows at a time 17 GB/s; four quarters of a row at a time
//! 8 GB/s, with prefetching 20 to 25 GB/s; the roof is 27 GB/s. Hence the phases of [`super`].
//! Prefetching a single stream costs it a quarter; several rows of activations gain as much.

use std::array;

use super::output::{Output, Task};
use super::{BLOCK, Element, Kernel, Product, Rows, STREAM_GROUP, STREAM_ROWS};
use crate::pool;

/// Parts of the weight for each thread, so that a late thread can be helped.
const TASKS_PER_THREAD: usize = 4;

/// Rows of weights that stay in the second-level cache for all rows of activations: 16 blocks of
/// `f32` take 128 KiB.
const CHUNK: usize = 16;

/// Sums of a chunk, in groups of rows, then rows of weights.
type Sums = [[[f32; STREAM_GROUP]; CHUNK]; STREAM_ROWS.div_ceil(STREAM_GROUP)];

/// Computes the outputs of at most [`STREAM_ROWS`] rows of activations.
pub(super) fn compute<K: Kernel, T: Element>(kernel: K, product: Product<'_, T>, out: &mut [f32]) {
    let shape = product.shape;
    let output = Output::new(out, shape.m);
    let n_threads = shape.n_threads();
    let n_tasks = if n_threads == 1 { 1 } else { n_threads * TASKS_PER_THREAD };
    // Whole chunks, so that only the last task has a broken one.
    let columns = shape.m.div_ceil(n_tasks).next_multiple_of(CHUNK);

    let run = |first: usize| {
        for first_column in (first..shape.m.min(first + columns)).step_by(CHUNK) {
            let n_columns = CHUNK.min(shape.m - first_column);
            let task = Task { first_row: 0, n_rows: shape.n, first_column, n_columns };
            let sums = sum(kernel, product, task);
            let sum =
                |row: usize, column: usize| sums[row / STREAM_GROUP][column][row % STREAM_GROUP];
            // SAFETY: the chunks of columns are disjoint and lie within the shape, which is that
            // of `out`.
            unsafe { output.write(task, product.bias, sum) };
        }
    };
    if n_threads == 1 {
        run(0);
    } else {
        pool::for_each(shape.m.div_ceil(columns), |i| run(i * columns));
    }
}

/// The sums of a chunk.
fn sum<K: Kernel, T: Element>(kernel: K, product: Product<'_, T>, task: Task) -> Sums {
    let k = product.shape.k;
    let mut sums = Sums::default();
    // One row of activations needs no row of weights twice: then each is read from end to end.
    let step = if task.n_rows == 1 { 1 } else { CHUNK };
    for first in (0..task.n_columns).step_by(step) {
        let rows = first..task.n_columns.min(first + step);
        for start in (0..k).step_by(BLOCK) {
            let len = BLOCK.min(k - start);
            let values =
                (task.first_column + rows.start) * k + start..(task.first_column + rows.end) * k;
            let weight = Rows { values: &product.weight[values], stride: k, len };
            for (x, sums) in product.x.chunks(STREAM_GROUP * k).zip(&mut sums) {
                let (x, sums) = (&x[start..], &mut sums[rows.clone()]);
                match x.len().div_ceil(k) {
                    1 => add::<K, T, 1>(kernel, x, weight, sums),
                    2 => add::<K, T, 2>(kernel, x, weight, sums),
                    _ => add::<K, T, STREAM_GROUP>(kernel, x, weight, sums),
                }
            }
        }
    }
    sums
}

/// Adds the products of a block with `R` rows of activations, which `x` holds from the block on.
fn add<K: Kernel, T: Element, const R: usize>(
    kernel: K,
    x: &[f32],
    weight: Rows<'_, T>,
    sums: &mut [[f32; STREAM_GROUP]],
) {
    let x = array::from_fn(|row| &x[row * weight.stride..][..weight.len]);
    let mut parts = [[0.0; R]; CHUNK];
    let parts = &mut parts[..sums.len()];
    for (part, sum) in parts.iter_mut().zip(&*sums) {
        part.copy_from_slice(&sum[..R]);
    }
    kernel.dots(x, weight, parts);
    for (part, sum) in parts.iter().zip(sums) {
        sum[..R].copy_from_slice(part);
    }
}
