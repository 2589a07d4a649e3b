//! Linear layers.

use super::format::QuantWeight;
use super::panels::{Product, for_each_tile};
use super::rows::QuantizedRows;
use crate::Isa;
use crate::shared::SharedSlice;

/// Multiplies rows of `x` with the transposed quantised weight and adds the bias, after quantising
/// the rows to 8 bits.
///
/// As [`quant_linear_rows`] with [`QuantizedRows::quantize`]; rows that meet several weights are
/// better quantised once.
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
/// If the slices do not have these shapes.
///
/// # Examples
///
/// ```
/// use puyu_kernels::{
///     Group, QuantFormat, QuantShape, QuantWeight, Weight, quant_linear, quantize,
/// };
///
/// let shape = QuantShape { m: 2, k: 3, format: QuantFormat::Int8 { group: Group::Of32 } };
/// let mut bytes = vec![0; shape.n_bytes().expect("a small weight fits in memory")];
/// quantize(Weight::F32(&[127.0, 1.0, -3.0, 0.0, 127.0, 2.0]), shape, &mut bytes);
///
/// let mut out = [0.0; 2];
/// let weight = QuantWeight::new(&bytes, shape);
/// quant_linear(&[127.0, 0.0, 1.0], weight, Some(&[0.0, 0.5]), &mut out);
/// assert_eq!(out, [127.0 * 127.0 - 3.0, 2.5]);
/// ```
pub fn quant_linear(x: &[f32], weight: QuantWeight<'_>, bias: Option<&[f32]>, out: &mut [f32]) {
    let mut rows = QuantizedRows::new();
    rows.quantize(x, weight.shape().k);
    quant_linear_rows(&rows, weight, bias, out);
}

/// Multiplies quantised rows with the transposed quantised weight and adds the bias.
///
/// The products of a block of 32 inputs are summed exactly, in integers. Block by block and group
/// by group these sums are scaled and added in `f32`, in one order: with the scales `a` of the
/// activations and `w` of the weight, `value = dot * a` for the first block of a group,
/// `value = fma(dot, a, value)` for the others, `total = fma(value, w, total)` for the group, and
/// the bias last. So the bits of an output depend on its row of `x`, its row of the weight and its
/// bias alone: not on `n`, `m`, the number of threads or the processor.
///
/// An infinity or NaN in a row of `x` makes all outputs of the row NaN, and one in a row of the
/// weight an output of all rows.
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
/// If the slices do not have these shapes.
pub fn quant_linear_rows(
    x: &QuantizedRows,
    weight: QuantWeight<'_>,
    bias: Option<&[f32]>,
    out: &mut [f32],
) {
    linear_on(Isa::detect(), x, weight, bias, out);
}

/// `isa` comes from `Isa::detect` or `Isa::available`.
pub(super) fn linear_on(
    isa: Isa,
    x: &QuantizedRows,
    weight: QuantWeight<'_>,
    bias: Option<&[f32]>,
    out: &mut [f32],
) {
    let m = weight.shape().m;
    check_rows(x, weight);
    assert_eq!(x.n().checked_mul(m), Some(out.len()), "{} rows of {m} outputs expected", x.n());
    if let Some(bias) = bias {
        assert_eq!(bias.len(), m, "there must be as many biases as outputs of a row");
    }
    if out.is_empty() {
        return;
    }
    let shared = SharedSlice::new(out);
    for_each_tile(isa, Product { x, weights: [weight] }, &|tile| {
        let (first, n_outputs) = (tile.first_output, tile.n_outputs);
        for row in tile.rows.clone() {
            // SAFETY: no tile shares an output with another.
            let out = unsafe { shared.part(row * m + first, n_outputs) };
            let [sums] = tile.row(row);
            out.copy_from_slice(&sums[..n_outputs]);
            if let Some(bias) = bias {
                for (out, bias) in out.iter_mut().zip(&bias[first..]) {
                    *out += bias;
                }
            }
        }
    });
}

#[track_caller]
pub(super) fn check_rows(x: &QuantizedRows, weight: QuantWeight<'_>) {
    let k = weight.shape().k;
    assert!(x.n() == 0 || x.k() == k, "rows of {k} activations expected, not of {}", x.k());
}
