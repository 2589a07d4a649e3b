//! Operations around linear layers whose results are never written in between.

use super::format::QuantWeight;
use super::linear::check_rows;
use super::panels::{Product, TILE_OUTPUTS, Tile, for_each_tile};
use super::rows::{Block, QuantizedRows, quantize_row};
use crate::Isa;
use crate::rms_norm::rms_norm_on;
use crate::shared::SharedSlice;
use crate::swiglu::swiglu_on;

/// Normalises rows as [`rms_norm`](crate::rms_norm) does, and quantises them as
/// [`QuantizedRows::quantize`] does, with the same bits.
///
/// # Shapes
///
/// - `x`: `[n, k]`
/// - `weight`: `[k]`
///
/// # Panics
///
/// If `weight` is empty, or `x` is not whole rows of its length.
///
/// # Examples
///
/// ```
/// use puyu_kernels::{QuantizedRows, rms_norm_quantized};
///
/// let mut rows = QuantizedRows::new();
/// rms_norm_quantized(&[3.0, -3.0], &[1.0, 2.0], 0.0, &mut rows);
/// assert_eq!(rows.to_f32()[1], -2.0);
/// ```
pub fn rms_norm_quantized(x: &[f32], weight: &[f32], eps: f32, rows: &mut QuantizedRows) {
    let k = weight.len();
    assert!(k > 0, "a product must have at least one term");
    assert!(x.len().is_multiple_of(k), "{} values are not whole rows of {k}", x.len());
    let isa = Isa::detect();
    let write = |normalised: &mut Vec<f32>, row: usize, blocks: &mut [Block]| {
        rms_norm_on(isa, &x[row * k..][..k], weight, eps, normalised);
        quantize_row(isa, normalised, blocks);
    };
    rows.fill(x.len() / k, k, || vec![0.0; k], write);
}

/// The first half of a gated feed-forward layer: `silu(x · Gᵀ) * (x · Uᵀ)`, in one pass over `x`.
///
/// The bits are those of [`quant_linear_rows`](super::quant_linear_rows) with either weight and
/// [`swiglu`](crate::swiglu) of the results.
///
/// # Shapes
///
/// - `x`: `[n, k]`
/// - `gate`, `up`: `[m, k]`, in one format
/// - `out`: `[n, m]`
///
/// # Panics
///
/// If the slices do not have these shapes.
pub fn gate_up_swiglu(
    x: &QuantizedRows,
    gate: QuantWeight<'_>,
    up: QuantWeight<'_>,
    out: &mut [f32],
) {
    gate_up_on(Isa::detect(), x, [gate, up], out);
}

/// `isa` comes from `Isa::detect` or `Isa::available`.
pub(super) fn gate_up_on(
    isa: Isa,
    x: &QuantizedRows,
    weights: [QuantWeight<'_>; 2],
    out: &mut [f32],
) {
    let m = check_pair(x, weights);
    assert_eq!(x.n().checked_mul(m), Some(out.len()), "{} rows of {m} outputs expected", x.n());
    if out.is_empty() {
        return;
    }
    let shared = SharedSlice::new(out);
    for_each_tile(isa, Product { x, weights }, &|tile| {
        let (first, n_outputs) = (tile.first_output, tile.n_outputs);
        for row in tile.rows.clone() {
            // SAFETY: no tile shares an output with another.
            let out = unsafe { shared.part(row * m + first, n_outputs) };
            out.copy_from_slice(&gated(isa, &tile, row)[..n_outputs]);
        }
    });
}

/// As [`gate_up_swiglu`], with a result that is ready for the next linear layer.
///
/// The bits are those of [`QuantizedRows::quantize`] of its result.
///
/// # Panics
///
/// As [`gate_up_swiglu`].
pub fn gate_up_swiglu_quantized(
    x: &QuantizedRows,
    gate: QuantWeight<'_>,
    up: QuantWeight<'_>,
    out: &mut QuantizedRows,
) {
    gate_up_quantized_on(Isa::detect(), x, [gate, up], out);
}

/// `isa` comes from `Isa::detect` or `Isa::available`.
pub(super) fn gate_up_quantized_on(
    isa: Isa,
    x: &QuantizedRows,
    weights: [QuantWeight<'_>; 2],
    out: &mut QuantizedRows,
) {
    let m = check_pair(x, weights);
    let shared = out.reset(x.n(), m);
    if x.n() == 0 {
        return;
    }
    let row_len = m.div_ceil(TILE_OUTPUTS);
    for_each_tile(isa, Product { x, weights }, &|tile| {
        for row in tile.rows.clone() {
            let place = row * row_len + tile.first_output / TILE_OUTPUTS;
            // SAFETY: the outputs of a tile are a block, and no tile shares an output with another.
            let block = unsafe { shared.part(place, 1) };
            // Beyond the last output both sums are 0, and so is the result; or the row is NaN.
            quantize_row(isa, &gated(isa, &tile, row), block);
        }
    });
}

/// The gated outputs of a row.
fn gated(isa: Isa, tile: &Tile<'_, 2>, row: usize) -> [f32; TILE_OUTPUTS] {
    let [gate, up] = tile.row(row);
    let mut out = [0.0; TILE_OUTPUTS];
    swiglu_on(isa, &gate, &up, &mut out);
    out
}

/// Checks both weights and returns their outputs.
#[track_caller]
fn check_pair(x: &QuantizedRows, [gate, up]: [QuantWeight<'_>; 2]) -> usize {
    assert_eq!(gate.shape(), up.shape(), "gate and up must have the same shape");
    check_rows(x, gate);
    gate.shape().m
}
