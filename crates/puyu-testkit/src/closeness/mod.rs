//! Comparing floats with a named tolerance.

#[cfg(test)]
mod tests;

/// How far a float may lie from the expected one: `absolute + relative * |expected|`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tolerance {
    /// Allowed for any value.
    pub absolute: f32,
    /// Allowed in proportion to the expected value.
    pub relative: f32,
}

impl Tolerance {
    /// The same bits, apart from the sign of zero.
    pub const EXACT: Self = Self { absolute: 0.0, relative: 0.0 };
    /// Sums of some hundred `f32` products: about a hundred units in the last place (2^-24 each).
    pub const F32: Self = Self { absolute: 1e-5, relative: 1e-5 };
    /// One rounding to `f16` (2^-11) and some carried error.
    pub const F16: Self = Self { absolute: 2e-3, relative: 2e-3 };
    /// Two roundings to `bf16` (2^-9 each) and some carried error.
    pub const BF16: Self = Self { absolute: 1.6e-2, relative: 1.6e-2 };
    /// One step of an `int8` scale (1/127) for weights and one for activations.
    pub const INT8: Self = Self { absolute: 2e-2, relative: 2e-2 };
    /// One step of an `int4` scale with groups (1/15), halved by rounding.
    pub const INT4: Self = Self { absolute: 4e-2, relative: 4e-2 };

    /// Sets both parts.
    pub const fn new(absolute: f32, relative: f32) -> Self {
        Self { absolute, relative }
    }

    /// Allows the same distance for every value.
    pub const fn within(absolute: f32) -> Self {
        Self { absolute, relative: 0.0 }
    }

    /// Whether `actual` is close enough to `expected`. NaN never is; an infinity only to itself.
    pub fn admits(self, actual: f32, expected: f32) -> bool {
        if actual == expected {
            return true;
        }
        let (actual, expected) = (f64::from(actual), f64::from(expected));
        let limit = f64::from(self.absolute) + f64::from(self.relative) * expected.abs();
        // Written so that NaN fails, and that an infinite limit admits nothing.
        limit.is_finite() && (actual - expected).abs() <= limit
    }
}

/// Asserts that two slices agree value by value.
///
/// # Panics
///
/// If the lengths differ, or any pair is not admitted, NaN included. The message names the worst
/// index, its values, and how many differ.
///
/// # Examples
///
/// ```
/// use puyu_testkit::{Tolerance, assert_close};
///
/// assert_close(&[1.0, 2.0], &[1.0, 2.000_001], Tolerance::F32);
/// ```
#[track_caller]
pub fn assert_close(actual: &[f32], expected: &[f32], tolerance: Tolerance) {
    let (n_actual, n_expected) = (actual.len(), expected.len());
    assert_eq!(n_actual, n_expected, "actual has {n_actual} values, expected {n_expected}");

    let mut worst: Option<(usize, f64)> = None;
    let mut n_different = 0_usize;
    for (index, (&a, &e)) in actual.iter().zip(expected).enumerate() {
        if tolerance.admits(a, e) {
            continue;
        }
        n_different += 1;
        let limit = f64::from(tolerance.absolute) + f64::from(tolerance.relative * e.abs());
        let excess = (f64::from(a) - f64::from(e)).abs() - limit;
        let excess = if excess.is_nan() { f64::INFINITY } else { excess };
        if worst.is_none_or(|(_, most)| excess > most) {
            worst = Some((index, excess));
        }
    }
    if let Some((index, _)) = worst {
        let (a, e) = (actual[index], expected[index]);
        panic!(
            "{n_different} of {n_actual} values differ by more than {tolerance:?}; \
             worst at {index}: actual {a:e}, expected {e:e}, difference {:e}",
            (f64::from(a) - f64::from(e)).abs()
        );
    }
}
