//! Linear layer: activations in `f32` with weights in `f32`, `bf16` or `f16`.
//!
//! # The order of one output
//!
//! Every output is the sum of `k` products in one order, which depends on the instruction set
//! alone. The products are cut into blocks of [`BLOCK`]; within a block, element `i` belongs to
//! lane `i % LANES` of phase `i / LANES % 4`; each lane of each phase is a chain of multiply-adds;
//! the lanes of a phase are summed in a tree; the sums of the phases are added one after the
//! other, block by block; the bias comes last. What is missing at the end is filled with zeros.
//!
//! Four phases let one row of weights be read in one stream with enough independent chains to
//! hide the latency of the multiply-add ([`stream`]); a phase by itself is one accumulator, so
//! twelve outputs fit in the registers at once ([`prefill`]).

mod element;
mod output;
mod portable;
mod prefill;
mod stream;

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;

#[cfg(test)]
mod scalar;
#[cfg(test)]
mod tests;

use half::{bf16, f16};

use crate::{Isa, pool};
use element::Element;

/// Products that are summed before their sums are added up. A block of 2048 `f32` activations of
/// 64 rows takes 512 KiB, half of a usual second-level cache.
const BLOCK: usize = 2048;

/// Independent chains of multiply-adds in one row of weights.
const PHASES: usize = 4;

/// Rows of activations in a register tile.
const TILE_ROWS: usize = 4;

/// Outputs of a row in a register tile: 4 × 3 accumulators, 3 weights and 1 activation fill the
/// 16 registers of AVX2.
const TILE_COLUMNS: usize = 3;

/// Rows of activations up to which packing costs more than it saves; measured with `bf16` and `f32`.
const STREAM_ROWS: usize = 4;

/// How far ahead of use weights are prefetched when they stream by for several rows: about what the
/// memory delivers while a line is on its way. 512 to 8192 were tried; 2048 and 4096 do best.
#[cfg(target_arch = "x86_64")]
const PREFETCH_BYTES: usize = 2048;

/// Rows of activations that one pass over a row of weights serves: 3 × 4 accumulators, a weight and
/// an activation fit in the 16 registers of AVX2.
const STREAM_GROUP: usize = 3;

/// Sums of a register tile.
const TILE: usize = TILE_ROWS * TILE_COLUMNS;

/// Products from which several threads are used. On two cores of an AMD EPYC, two threads break even
/// at one row with 512 outputs of 2048 products, which takes one thread 80 microseconds.
const PARALLEL_PRODUCTS: usize = 1 << 20;

/// A weight matrix `[m, k]`, row-major: one row for each output.
#[derive(Debug, Clone, Copy)]
pub enum Weight<'a> {
    /// 32-bit floats.
    F32(&'a [f32]),
    /// Brain floats.
    Bf16(&'a [bf16]),
    /// Half floats.
    F16(&'a [f16]),
}

impl Weight<'_> {
    /// Number of values.
    pub fn len(&self) -> usize {
        match self {
            Self::F32(values) => values.len(),
            Self::Bf16(values) => values.len(),
            Self::F16(values) => values.len(),
        }
    }

    /// Whether there are no values.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Multiplies rows of `x` with the transposed weight and adds the bias: `out = x · Wᵀ + bias`.
///
/// Products are summed in `f32`. The error of an output is below `(k / 512 + 136) * 2^-24` times
/// the sum of the absolute values of its products, and mostly far smaller. An infinity or NaN in `x`
/// or in the weight makes those outputs infinite or NaN that it takes part in, as in the exact
/// sum, unless finite products overflow first.
///
/// On one machine the bits of an output depend on its row of `x`, its row of the weight and its
/// bias alone: not on `n`, on `m`, or on the number of threads. So decoding and prefill agree.
///
/// One row reads the weight once, as fast as the memory gives it. More rows are computed in
/// register tiles over blocks that stay in the caches. Large products are split over
/// [threads](crate#threads).
///
/// # Shapes
///
/// - `x`: `[n, k]`
/// - `weight`: `[m, k]`
/// - `bias`: `[m]`
/// - `out`: `[n, m]`
///
/// # Panics
///
/// If `k` is 0, or the slices do not have these shapes.
///
/// # Examples
///
/// ```
/// use puyu_kernels::{Weight, linear};
///
/// let (x, weight) = ([1.0, 2.0, 3.0, 4.0], [10.0, 1.0, 0.0, 5.0, 1.0, 1.0]);
/// let mut out = [0.0; 6];
/// linear(&x, Weight::F32(&weight), Some(&[0.0, 0.0, 0.5]), &mut out, 2);
/// assert_eq!(out, [12.0, 10.0, 3.5, 34.0, 20.0, 7.5]);
/// ```
pub fn linear(x: &[f32], weight: Weight<'_>, bias: Option<&[f32]>, out: &mut [f32], k: usize) {
    assert!(k > 0, "a product must have at least one term");
    assert!(x.len().is_multiple_of(k), "{} activations are not whole rows of {k}", x.len());
    assert!(weight.len().is_multiple_of(k), "{} weights are not whole rows of {k}", weight.len());
    let (n, m) = (x.len() / k, weight.len() / k);
    assert_eq!(n.checked_mul(m), Some(out.len()), "{n} rows of {m} outputs expected");
    if let Some(bias) = bias {
        assert_eq!(bias.len(), m, "there must be as many biases as outputs of a row");
    }
    if !out.is_empty() {
        linear_on(Isa::detect(), x, weight, bias, out, k);
    }
}

/// The axes of a product.
#[derive(Debug, Clone, Copy)]
struct Shape {
    /// Rows of activations.
    n: usize,
    /// Outputs of a row.
    m: usize,
    /// Products of an output.
    k: usize,
}

impl Shape {
    /// Threads that are worth their waking.
    fn n_threads(self) -> usize {
        let products = self.n.saturating_mul(self.m).saturating_mul(self.k);
        if products < PARALLEL_PRODUCTS { 1 } else { pool::n_threads() }
    }
}

/// The inputs of one call, with lengths that fit `shape`, no axis of which is 0.
#[derive(Debug, Clone, Copy)]
struct Product<'a, T> {
    x: &'a [f32],
    weight: &'a [T],
    bias: Option<&'a [f32]>,
    shape: Shape,
}

/// The inner loops that a version provides. [`stream`] and [`prefill`] are written once over them.
trait Kernel: Copy + Send + Sync {
    /// Values of a vector.
    const LANES: usize;

    /// Adds the products of a block of `R` rows of activations with rows of weights to their sums.
    fn dots<T: Element, const R: usize>(
        self,
        x: [&[f32]; R],
        weight: Rows<'_, T>,
        sums: &mut [[f32; R]],
    );

    /// Widens one row of a block into its slot of a tile, see [`prefill`] for the layout.
    fn pack<T: Element>(self, row: &[T], slot: Slot, packed: &mut [f32]);

    /// Adds the sums of one phase to those of a tile of `R` rows; both inputs are packed.
    /// The sums stand column by column, each of [`TILE_ROWS`].
    fn tile<const R: usize>(self, x: &[f32], weight: &[f32], sums: &mut [f32; TILE]);
}

/// Rows of weights, cut to a block.
#[derive(Debug, Clone, Copy)]
struct Rows<'a, T> {
    /// Whole rows, but the first begins at the block.
    values: &'a [T],
    /// Values from one row to the next.
    stride: usize,
    /// Values of the block.
    len: usize,
}

impl<'a, T> Rows<'a, T> {
    fn iter(self) -> impl Iterator<Item = &'a [T]> {
        self.values.chunks(self.stride).map(move |row| &row[..self.len])
    }
}

/// A row's place in a tile.
#[derive(Debug, Clone, Copy)]
struct Slot {
    index: usize,
    /// Rows of the tile.
    count: usize,
}

/// `isa` comes from `Isa::detect` or `Isa::available`, which name only what the processor has.
fn linear_on(
    isa: Isa,
    x: &[f32],
    weight: Weight<'_>,
    bias: Option<&[f32]>,
    out: &mut [f32],
    k: usize,
) {
    let shape = Shape { n: x.len() / k, m: weight.len() / k, k };
    match weight {
        Weight::F32(weight) => dispatch(isa, Product { x, weight, bias, shape }, out),
        Weight::Bf16(weight) => dispatch(isa, Product { x, weight, bias, shape }, out),
        Weight::F16(weight) => dispatch(isa, Product { x, weight, bias, shape }, out),
    }
}

fn dispatch<T: Element>(isa: Isa, product: Product<'_, T>, out: &mut [f32]) {
    match isa {
        // SAFETY: the processor has this instruction set, see `linear_on`.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => compute(unsafe { avx2::Avx2::new() }, product, out),
        // SAFETY: the processor has this instruction set, see `linear_on`.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => compute(unsafe { avx512::Avx512::new() }, product, out),
        _ => compute(portable::Portable, product, out),
    }
}

fn compute<K: Kernel, T: Element>(kernel: K, product: Product<'_, T>, out: &mut [f32]) {
    if product.shape.n <= STREAM_ROWS {
        stream::compute(kernel, product, out);
    } else {
        prefill::compute(kernel, product, out);
    }
}
