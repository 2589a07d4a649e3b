//! Sums of panels: which rows and outputs a task takes, and how it goes over them.
//!
//! A tile is two panels, so that its outputs are whole blocks for whoever quantises them again. Few
//! rows take the weight as it streams by. More rows unpack a span of a panel first, which then
//! stays in the first-level cache for all rows of the task, whose activations stay in the second.

use std::array;
use std::ops::Range;

use super::format::{BLOCK, BLOCK_BYTES_4, BLOCK_BYTES_8, PANEL, QuantFormat, QuantWeight};
use super::kernel::{
    Kernel, Packed4, Packed8, Source, Span, Sums, TILE_ROWS, Unpacked4, Unpacked8,
};
use super::rows::{Block, QuantizedRows};
use crate::{Isa, pool};

/// Rows up to which unpacking 4-bit values costs more than it saves; measured.
const STREAM_ROWS_4: usize = 16;

/// The same for 8-bit values, whose two halves leave fewer registers for rows.
const STREAM_ROWS_8: usize = 4;

/// Panels of a tile.
const TILE_PANELS: usize = BLOCK / PANEL;

/// Outputs of a tile.
pub(super) const TILE_OUTPUTS: usize = TILE_PANELS * PANEL;

/// Blocks of a panel that are unpacked at once: 8 KiB in a byte each, 16 KiB in two.
const SPAN_BLOCKS: usize = 16;

/// Most rows of a task.
const MAX_TASK_ROWS: usize = 96;

/// Bytes of activations of a task: half of a usual second-level cache.
const TASK_BYTES: usize = 512 << 10;

/// Tasks for each thread, so that a late thread can be helped.
const TASKS_PER_THREAD: usize = 4;

/// Products from which several threads are used: some 30 microseconds of one thread.
const PARALLEL_PRODUCTS: usize = 1 << 20;

/// Bytes of a cache line.
const LINE: usize = 64;

/// Rows with `W` weights of one shape.
#[derive(Debug, Clone, Copy)]
pub(super) struct Product<'a, const W: usize> {
    pub(super) x: &'a QuantizedRows,
    pub(super) weights: [QuantWeight<'a>; W],
}

/// The finished sums of some rows and up to [`TILE_OUTPUTS`] outputs of each weight.
pub(super) struct Tile<'a, const W: usize> {
    pub(super) rows: Range<usize>,
    pub(super) first_output: usize,
    pub(super) n_outputs: usize,
    /// Weight by weight, panel by panel, row by row.
    sums: &'a [Sums],
}

impl<const W: usize> Tile<'_, W> {
    /// The sums of a row with each weight; beyond the last output they are 0, or NaN in a row that
    /// is.
    pub(super) fn row(&self, row: usize) -> [[f32; TILE_OUTPUTS]; W] {
        let (n_rows, row) = (self.rows.len(), row - self.rows.start);
        array::from_fn(|weight| {
            let mut out = [0.0; TILE_OUTPUTS];
            for (panel, out) in out.as_chunks_mut::<PANEL>().0.iter_mut().enumerate() {
                *out = self.sums[(weight * TILE_PANELS + panel) * n_rows + row];
            }
            out
        })
    }
}

/// Computes all tiles, in several threads if there are many products. No tile shares an output with
/// another.
///
/// `isa` comes from `Isa::detect` or `Isa::available`.
pub(super) fn for_each_tile<const W: usize>(
    isa: Isa,
    product: Product<'_, W>,
    emit: &(dyn Fn(Tile<'_, W>) + Sync),
) {
    match isa {
        // SAFETY: the processor has this instruction set, see above. One with AVX-512 has AVX2.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 | Isa::Avx512 => run(unsafe { super::avx2::Avx2::new() }, product, emit),
        _ => run(super::portable::Portable, product, emit),
    }
}

fn run<K: Kernel, const W: usize>(
    kernel: K,
    product: Product<'_, W>,
    emit: &(dyn Fn(Tile<'_, W>) + Sync),
) {
    let grid = Grid::new(&product);
    let scratch = || Scratch::new(&grid, W);
    let run = |scratch: &mut Scratch, i: usize| {
        let (rows, tiles) = grid.task(i);
        for tile in tiles {
            emit(Worker { kernel, product: &product, scratch }.tile(rows.clone(), tile));
        }
    };
    if grid.n_threads == 1 {
        let mut scratch = scratch();
        (0..grid.n_tasks()).for_each(|i| run(&mut scratch, i));
    } else {
        pool::for_each_init(grid.n_tasks(), scratch, run);
    }
}

/// Rows up to which a weight is not unpacked.
fn stream_rows(format: QuantFormat) -> usize {
    if let QuantFormat::Int8 { .. } = format { STREAM_ROWS_8 } else { STREAM_ROWS_4 }
}

/// The outputs, cut into tasks.
#[derive(Debug, Clone, Copy)]
struct Grid {
    n_threads: usize,
    n: usize,
    n_tiles: usize,
    /// Rows of a task.
    rows: usize,
    /// Tiles of a task.
    tiles: usize,
}

impl Grid {
    fn new<const W: usize>(product: &Product<'_, W>) -> Self {
        let shape = product.weights[0].shape();
        let n = product.x.n();
        let products = n.saturating_mul(W).saturating_mul(shape.m).saturating_mul(shape.k);
        let n_threads = if products < PARALLEL_PRODUCTS { 1 } else { pool::n_threads() };

        let fitting = TASK_BYTES / size_of::<Block>() / shape.n_blocks();
        let most = fitting.clamp(TILE_ROWS, MAX_TASK_ROWS);
        let n_row_tasks = n.div_ceil(most).max(1);
        let rows = n.div_ceil(n_row_tasks).next_multiple_of(TILE_ROWS);
        let n_tiles = shape.n_panels().div_ceil(TILE_PANELS);
        let n_tasks = if n_threads == 1 { 1 } else { n_threads * TASKS_PER_THREAD };
        let tiles = n_tiles.div_ceil(n_tasks.div_ceil(n_row_tasks));
        Self { n_threads, n, n_tiles, rows, tiles }
    }

    fn n_tasks(&self) -> usize {
        self.n.div_ceil(self.rows.max(1)) * self.n_tiles.div_ceil(self.tiles)
    }

    /// Rows and tiles. Tasks that share weights follow each other, so that these come from a cache.
    fn task(&self, i: usize) -> (Range<usize>, Range<usize>) {
        let n_row_tasks = self.n.div_ceil(self.rows);
        let (row, tile) = (i % n_row_tasks * self.rows, i / n_row_tasks * self.tiles);
        (row..self.n.min(row + self.rows), tile..self.n_tiles.min(tile + self.tiles))
    }
}

/// What a thread keeps between its tasks.
struct Scratch {
    sums: Vec<Sums>,
    /// A span of a panel and room to begin at a cache line; empty until it is needed.
    unpacked: Vec<u8>,
}

impl Scratch {
    fn new(grid: &Grid, n_weights: usize) -> Self {
        let rows = grid.rows.min(grid.n);
        Self { sums: vec![[0.0; PANEL]; n_weights * TILE_PANELS * rows], unpacked: Vec::new() }
    }
}

/// One task at work.
struct Worker<'a, K, const W: usize> {
    kernel: K,
    product: &'a Product<'a, W>,
    scratch: &'a mut Scratch,
}

impl<'a, K: Kernel, const W: usize> Worker<'a, K, W> {
    /// Computes a tile.
    fn tile(self, rows: Range<usize>, tile: usize) -> Tile<'a, W> {
        let Self { kernel, product, scratch } = self;
        let shape = product.weights[0].shape();
        let first_panel = tile * TILE_PANELS;
        let panels = first_panel..shape.n_panels().min(first_panel + TILE_PANELS);
        let sums = &mut scratch.sums[..W * TILE_PANELS * rows.len()];
        sums.fill([0.0; PANEL]);

        let n_rows = rows.len();
        for (weight, sums) in product.weights.iter().zip(sums.chunks_mut(TILE_PANELS * n_rows)) {
            for (panel, sums) in panels.clone().zip(sums.chunks_mut(n_rows)) {
                let panel =
                    Panel { kernel, x: product.x, rows: rows.clone(), bytes: weight.panel(panel) };
                panel.add(shape.format, &mut scratch.unpacked, sums);
            }
        }
        Tile {
            rows,
            first_output: first_panel * PANEL,
            n_outputs: TILE_OUTPUTS.min(shape.m - first_panel * PANEL),
            sums,
        }
    }
}

/// A panel with rows.
struct Panel<'a, K> {
    kernel: K,
    x: &'a QuantizedRows,
    rows: Range<usize>,
    bytes: &'a [u8],
}

impl<K: Kernel> Panel<'_, K> {
    /// Adds the products of the whole panel to the sums of the rows.
    fn add(&self, format: QuantFormat, unpacked: &mut Vec<u8>, sums: &mut [Sums]) {
        let is_8 = matches!(format, QuantFormat::Int8 { .. });
        if sums.len() <= stream_rows(format) {
            let span = Span { format, groups: self.bytes, unpacked: &[] };
            if is_8 {
                self.add_tiles::<Packed8>(span, 0, sums);
            } else {
                self.add_tiles::<Packed4>(span, 0, sums);
            }
            return;
        }
        unpacked.resize(SPAN_BLOCKS * K::UNPACKED_8.max(BLOCK_BYTES_8) + LINE, 0);
        let start = unpacked.as_ptr().align_offset(LINE).min(LINE);
        let unpacked = &mut unpacked[start..];
        let span_groups = SPAN_BLOCKS / format.group().n_blocks();
        for (i, groups) in self.bytes.chunks(span_groups * format.group_bytes()).enumerate() {
            let first_block = i * SPAN_BLOCKS;
            if is_8 {
                self.unpack_8(format, groups, unpacked);
                self.add_tiles::<Unpacked8>(Span { format, groups, unpacked }, first_block, sums);
            } else {
                self.unpack_4(format, groups, unpacked);
                self.add_tiles::<Unpacked4>(Span { format, groups, unpacked }, first_block, sums);
            }
        }
    }

    fn unpack_4(&self, format: QuantFormat, groups: &[u8], unpacked: &mut [u8]) {
        let mut out = unpacked.as_chunks_mut::<BLOCK_BYTES_8>().0.iter_mut();
        for group in groups.chunks_exact(format.group_bytes()) {
            let blocks = group[format.head_bytes()..].as_chunks::<BLOCK_BYTES_4>().0;
            for (block, out) in blocks.iter().zip(&mut out) {
                self.kernel.unpack_4(block, out);
            }
        }
    }

    fn unpack_8(&self, format: QuantFormat, groups: &[u8], unpacked: &mut [u8]) {
        let mut out = unpacked.chunks_exact_mut(K::UNPACKED_8);
        for group in groups.chunks_exact(format.group_bytes()) {
            let blocks = group[format.head_bytes()..].as_chunks::<BLOCK_BYTES_8>().0;
            for (block, out) in blocks.iter().zip(&mut out) {
                self.kernel.unpack_8(block, out);
            }
        }
    }

    /// Cuts the rows into tiles of about the same height.
    fn add_tiles<S: Source<K>>(&self, span: Span<'_>, first_block: usize, sums: &mut [Sums]) {
        let n_tiles = sums.len().div_ceil(TILE_ROWS);
        let height = sums.len().div_ceil(n_tiles);
        for (i, sums) in sums.chunks_mut(height).enumerate() {
            let rows = self.rows.start + i * height..self.rows.end;
            let panel = Panel { kernel: self.kernel, x: self.x, rows, bytes: self.bytes };
            panel.add_tile::<S>(span, first_block, sums);
        }
    }

    /// Adds the products of a span with the first rows, at most [`TILE_ROWS`].
    fn add_tile<S: Source<K>>(&self, span: Span<'_>, first_block: usize, sums: &mut [Sums]) {
        match sums.len() {
            1 => self.add_rows::<S, 1>(span, first_block, sums),
            2 => self.add_rows::<S, 2>(span, first_block, sums),
            3 => self.add_rows::<S, 3>(span, first_block, sums),
            4 => self.add_rows::<S, 4>(span, first_block, sums),
            5 => self.add_rows::<S, 5>(span, first_block, sums),
            _ => self.add_rows::<S, TILE_ROWS>(span, first_block, sums),
        }
    }

    fn add_rows<S: Source<K>, const R: usize>(
        &self,
        span: Span<'_>,
        first_block: usize,
        sums: &mut [Sums],
    ) {
        let sums = sums.try_into().expect("a tile has as many sums as rows");
        let n_groups = span.groups.len() / span.format.group_bytes();
        let n_blocks = n_groups * span.format.group().n_blocks();
        let x = array::from_fn(|row| {
            let blocks = &self.x.row(self.rows.start + row)[first_block..];
            &blocks[..n_blocks.min(blocks.len())]
        });
        self.kernel.add::<S, R>(span, x, sums);
    }
}
