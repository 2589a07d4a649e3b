//! The definition. Too slow to run for users, so only the tests have it: [`super::portable`] runs
//! where there is nothing better.

use super::element::Widen;
use super::{Product, Shape};

/// Sums every output in `f64`, rounding once at the end.
pub(super) fn linear<T: Widen>(product: Product<'_, T>, out: &mut [f32]) {
    let Product { x, weight, bias, shape: Shape { n, m, k } } = product;
    for row in 0..n {
        for column in 0..m {
            let mut sum = 0.0;
            for i in 0..k {
                sum += f64::from(x[row * k + i]) * f64::from(weight[column * k + i].widen());
            }
            let bias = bias.map_or(0.0, |bias| bias[column]);
            out[row * m + column] = (sum + f64::from(bias)) as f32;
        }
    }
}
