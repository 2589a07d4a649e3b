//! The definition. Too slow to run for users, so only the tests have it: [`super::portable`] runs
//! where there is nothing better.

use super::format::{BLOCK, PANEL, QuantShape, QuantWeight};
use super::pack::read_group;
use super::rows::QuantizedRows;

/// Sums every output in the order that [`super`] promises.
pub(super) fn quant_linear(
    x: &QuantizedRows,
    weight: QuantWeight<'_>,
    bias: Option<&[f32]>,
    out: &mut [f32],
) {
    let QuantShape { m, format, .. } = weight.shape();
    for (i, out) in out.iter_mut().enumerate() {
        let (row, output) = (i / m, i % m);
        let groups = weight.panel(output / PANEL).chunks_exact(format.group_bytes());
        let blocks = x.row(row).chunks(format.group().n_blocks());
        let mut total = 0.0_f32;
        for (bytes, blocks) in groups.zip(blocks) {
            let group = read_group(format, output % PANEL, bytes);
            let mut value = 0.0_f32;
            for (i, block) in blocks.iter().enumerate() {
                let products =
                    block.values.iter().enumerate().map(|(input, &x)| {
                        i32::from(group.value(i * BLOCK + input)) * i32::from(x)
                    });
                let dot = products.sum::<i32>() as f32;
                value = if i == 0 { dot * block.scale } else { dot.mul_add(block.scale, value) };
            }
            total = value.mul_add(group.scale, total);
        }
        *out = bias.map_or(total, |bias| total + bias[output]);
    }
}
