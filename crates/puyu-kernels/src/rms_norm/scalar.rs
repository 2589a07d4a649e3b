//! The definition.

/// Normalises rows in `f64`, rounding once at the end.
pub(super) fn rms_norm(x: &[f32], weight: &[f32], eps: f32, out: &mut [f32]) {
    let d = weight.len();
    for (x, out) in x.chunks_exact(d).zip(out.chunks_exact_mut(d)) {
        let scale = scale(sum_of_squares(x), d, eps);
        multiply(x, weight, scale, out);
    }
}

/// The sum of the squares, in order.
pub(super) fn sum_of_squares(x: &[f32]) -> f64 {
    x.iter().map(|&x| f64::from(x) * f64::from(x)).sum()
}

/// What the values of a row are multiplied with, before the weight.
pub(super) fn scale(sum_of_squares: f64, d: usize, eps: f32) -> f64 {
    1.0 / (sum_of_squares / d as f64 + f64::from(eps)).sqrt()
}

/// `x * scale * weight`.
pub(super) fn multiply(x: &[f32], weight: &[f32], scale: f64, out: &mut [f32]) {
    for ((&x, &weight), out) in x.iter().zip(weight).zip(out) {
        *out = (f64::from(x) * scale * f64::from(weight)) as f32;
    }
}
