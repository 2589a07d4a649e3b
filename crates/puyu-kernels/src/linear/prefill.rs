//! Several rows of activations: register tiles over blocks that stay in the caches.
//!
//! The outputs are cut into rectangles, one for each task. A task goes over `k` block by block. It
//! packs its rows of activations (they stay in the second-level cache), then for every three rows
//! of weights packs those too (they stay in the first level) and runs the tiles over all rows of
//! activations. Meanwhile the next three rows of weights are prefetched.
//!
//! A block of several rows is packed as `[PHASES, steps, rows, LANES]`: what a tile reads is one
//! stream, and widened once for all its uses. Powers of two between rows, which would fall on the
//! same cache sets, disappear too.

use super::output::{Output, Task};
use super::{BLOCK, Element, Kernel, PHASES, Product, Shape, Slot, TILE, TILE_COLUMNS, TILE_ROWS};
use crate::cpu::prefetch;
use crate::pool;

/// Rows of activations in a task, see [`BLOCK`].
const TASK_ROWS: usize = 64;

/// Most columns in a task. Their sums for 64 rows take 64 KiB; packing the activations costs less
/// than a hundredth of the tiles.
const MAX_TASK_COLUMNS: usize = 255;

/// Fewest columns in a task, lest packing the activations costs more than a tenth.
const MIN_TASK_COLUMNS: usize = 48;

/// Tasks for each thread, so that a late thread can be helped.
const TASKS_PER_THREAD: usize = 4;

/// Computes the outputs of several rows of activations.
pub(super) fn compute<K: Kernel, T: Element>(kernel: K, product: Product<'_, T>, out: &mut [f32]) {
    let n_threads = product.shape.n_threads();
    let grid = Grid::new(product.shape, n_threads);
    let output = Output::new(out, product.shape.m);
    let run = |scratch: &mut Scratch, i| {
        let task = grid.task(i);
        Worker { kernel, product, task, scratch }.sum();
        // SAFETY: the tasks of a grid are disjoint and lie within its shape, which is that of `out`.
        unsafe { output.write(task, product.bias, |row, column| scratch.sum(task, row, column)) };
    };

    let new_scratch = || Scratch::new::<K>(&grid, product.shape.k);
    if n_threads == 1 {
        let mut scratch = new_scratch();
        (0..grid.n_tasks()).for_each(|i| run(&mut scratch, i));
    } else {
        pool::for_each_init(grid.n_tasks(), new_scratch, run);
    }
}

impl Task {
    /// Tiles above each other.
    fn n_groups(self) -> usize {
        self.n_rows.div_ceil(TILE_ROWS)
    }

    /// Tiles beside each other.
    fn n_panels(self) -> usize {
        self.n_columns.div_ceil(TILE_COLUMNS)
    }

    /// Rows of tile `group`: all but the last have [`TILE_ROWS`].
    fn group_rows(self, group: usize) -> usize {
        TILE_ROWS.min(self.n_rows - group * TILE_ROWS)
    }
}

/// The outputs, cut into tasks.
#[derive(Debug, Clone, Copy)]
struct Grid {
    shape: Shape,
    /// Rows of a task; a multiple of [`TILE_ROWS`].
    rows: usize,
    /// Columns of a task; a multiple of [`TILE_COLUMNS`].
    columns: usize,
}

impl Grid {
    fn new(shape: Shape, n_threads: usize) -> Self {
        let n_row_tasks = shape.n.div_ceil(TASK_ROWS);
        let rows = shape.n.div_ceil(n_row_tasks).next_multiple_of(TILE_ROWS);
        let n_column_tasks = (n_threads * TASKS_PER_THREAD).div_ceil(n_row_tasks);
        let columns = shape.m.div_ceil(n_column_tasks).clamp(MIN_TASK_COLUMNS, MAX_TASK_COLUMNS);
        Self { shape, rows, columns: columns.next_multiple_of(TILE_COLUMNS) }
    }

    fn n_tasks(&self) -> usize {
        self.shape.n.div_ceil(self.rows) * self.shape.m.div_ceil(self.columns)
    }

    /// Tasks that share weights follow each other, so that these come from a cache.
    fn task(&self, i: usize) -> Task {
        let n_row_tasks = self.shape.n.div_ceil(self.rows);
        let first_row = i % n_row_tasks * self.rows;
        let first_column = i / n_row_tasks * self.columns;
        Task {
            first_row,
            n_rows: self.rows.min(self.shape.n - first_row),
            first_column,
            n_columns: self.columns.min(self.shape.m - first_column),
        }
    }
}

/// What a thread keeps between its tasks.
struct Scratch {
    /// A block of activations: groups of rows, each packed.
    x: Vec<f32>,
    /// A block of [`TILE_COLUMNS`] rows of weights, packed.
    weight: Vec<f32>,
    /// Sums of all tiles: panel by panel, group by group.
    sums: Vec<[f32; TILE]>,
}

impl Scratch {
    fn new<K: Kernel>(grid: &Grid, k: usize) -> Self {
        let block = padded_len::<K>(k.min(BLOCK));
        let (n_groups, n_panels) = (grid.rows / TILE_ROWS, grid.columns / TILE_COLUMNS);
        Self {
            x: vec![0.0; grid.rows * block],
            weight: vec![0.0; TILE_COLUMNS * block],
            sums: vec![[0.0; TILE]; n_groups * n_panels],
        }
    }

    /// A sum of a finished task.
    fn sum(&self, task: Task, row: usize, column: usize) -> f32 {
        let tile = column / TILE_COLUMNS * task.n_groups() + row / TILE_ROWS;
        self.sums[tile][column % TILE_COLUMNS * TILE_ROWS + row % TILE_ROWS]
    }
}

/// Length of a packed row of `len` values.
fn padded_len<K: Kernel>(len: usize) -> usize {
    len.next_multiple_of(PHASES * K::LANES)
}

/// One task at work.
struct Worker<'a, K, T> {
    kernel: K,
    product: Product<'a, T>,
    task: Task,
    scratch: &'a mut Scratch,
}

/// A cut through `k`.
#[derive(Debug, Clone, Copy)]
struct Block {
    start: usize,
    len: usize,
    /// Length of a packed row.
    padded: usize,
}

impl<K: Kernel, T: Element> Worker<'_, K, T> {
    /// Leaves the sums of the task in the scratch.
    fn sum(mut self) {
        self.scratch.sums.fill([0.0; TILE]);
        let k = self.product.shape.k;
        for start in (0..k).step_by(BLOCK) {
            let len = BLOCK.min(k - start);
            let block = Block { start, len, padded: padded_len::<K>(len) };
            self.pack_activations(block);
            for panel in 0..self.task.n_panels() {
                self.pack_weights(block, panel);
                self.run_tiles(block, panel);
            }
        }
    }

    fn pack_activations(&mut self, block: Block) {
        let k = self.product.shape.k;
        for group in 0..self.task.n_groups() {
            let count = self.task.group_rows(group);
            let first = group * TILE_ROWS;
            let packed = &mut self.scratch.x[first * block.padded..][..count * block.padded];
            for index in 0..count {
                let row = self.task.first_row + first + index;
                let row = &self.product.x[row * k + block.start..][..block.len];
                self.kernel.pack(row, Slot { index, count }, packed);
            }
        }
    }

    /// Columns beyond the last keep older weights; their sums are not written.
    fn pack_weights(&mut self, block: Block, panel: usize) {
        let packed = &mut self.scratch.weight[..TILE_COLUMNS * block.padded];
        let rows = weight_rows(&self.product, self.task, block, panel);
        for (index, row) in rows.enumerate() {
            self.kernel.pack(row, Slot { index, count: TILE_COLUMNS }, packed);
        }
    }

    fn run_tiles(&mut self, block: Block, panel: usize) {
        let n_groups = self.task.n_groups();
        let phase_len = block.padded / PHASES;
        let Scratch { x, weight, sums } = &mut *self.scratch;
        let sums = &mut sums[panel * n_groups..][..n_groups];

        for phase in 0..PHASES {
            // A quarter of the next weights with each phase, so that reading them overlaps with
            // computing.
            for row in weight_rows(&self.product, self.task, block, panel + 1) {
                let quarter = block.len.div_ceil(PHASES);
                prefetch(row.chunks(quarter).nth(phase).unwrap_or_default(), 0);
            }
            let weight = &weight[phase * phase_len * TILE_COLUMNS..][..phase_len * TILE_COLUMNS];
            for (group, sums) in sums.iter_mut().enumerate() {
                let count = self.task.group_rows(group);
                let x = &x[group * TILE_ROWS * block.padded..][..count * block.padded];
                let x = &x[phase * phase_len * count..][..phase_len * count];
                match count {
                    1 => self.kernel.tile::<1>(x, weight, sums),
                    2 => self.kernel.tile::<2>(x, weight, sums),
                    3 => self.kernel.tile::<3>(x, weight, sums),
                    _ => self.kernel.tile::<TILE_ROWS>(x, weight, sums),
                }
            }
        }
    }
}

/// The rows of weights of a panel, cut to a block; none beyond the last panel.
fn weight_rows<'a, T>(
    product: &Product<'a, T>,
    task: Task,
    block: Block,
    panel: usize,
) -> impl Iterator<Item = &'a [T]> + use<'a, T> {
    let Product { weight, shape, .. } = *product;
    let end = task.first_column + task.n_columns;
    let first = (task.first_column + panel * TILE_COLUMNS).min(end);
    let last = (first + TILE_COLUMNS).min(end);
    (first..last).map(move |column| &weight[column * shape.k + block.start..][..block.len])
}
