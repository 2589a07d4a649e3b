//! The definition.

use super::RopeShape;

/// Rotates the first half of every head with its second half.
pub(super) fn rope(x: &[f32], cos: &[f32], sin: &[f32], shape: RopeShape, out: &mut [f32]) {
    let RopeShape { n_heads, head_dim } = shape;
    let half = head_dim / 2;
    for head in 0..x.len() / head_dim {
        let (start, angles) = (head * head_dim, head / n_heads * half);
        for i in 0..half {
            let pair = [x[start + i], x[start + i + half]];
            [out[start + i], out[start + i + half]] =
                rotate(pair, cos[angles + i], sin[angles + i]);
        }
    }
}

/// Rotates one pair.
#[inline]
pub(super) fn rotate([first, second]: [f32; 2], cos: f32, sin: f32) -> [f32; 2] {
    [first * cos - second * sin, second * cos + first * sin]
}
