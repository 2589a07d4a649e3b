//! What the tests of all operations share.

use std::io::Write;
use std::sync::Once;

use crate::Isa;

/// Around blocks of 8, 16, 32 and 64: empty, rest only, whole blocks, blocks and rest.
pub(crate) const LENGTHS: [usize; 18] =
    [0, 1, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 129, 1000];

/// Zeros, ones, large, small, denormal and infinite values, and NaN.
pub(crate) const EXTREMES: [f32; 18] = [
    0.0,
    -0.0,
    1.0,
    -1.0,
    88.8,
    -88.8,
    -103.9,
    -104.1,
    1e30,
    -1e30,
    1e-30,
    f32::MIN_POSITIVE,
    -1e-40,
    f32::MAX,
    f32::MIN,
    f32::INFINITY,
    f32::NEG_INFINITY,
    f32::NAN,
];

/// Every version this processor can run. Says once which it cannot.
pub(crate) fn versions() -> Vec<Isa> {
    static REPORT: Once = Once::new();
    REPORT.call_once(|| {
        for isa in [Isa::Avx2, Isa::Avx512] {
            if isa > Isa::detect() {
                // Past the capture of the test harness, so that a skipped version is visible.
                let _ = writeln!(std::io::stderr(), "skipped: this processor lacks {isa:?}");
            }
        }
    });
    Isa::available()
}

/// Distance in units of the last place of `expected`; NaN equals NaN, and infinity itself.
pub(crate) fn ulps(actual: f32, expected: f64) -> f64 {
    let rounded = expected as f32;
    if actual.is_nan() && rounded.is_nan() || actual == rounded {
        return 0.0;
    }
    if !actual.is_finite() || !rounded.is_finite() {
        return f64::INFINITY;
    }
    let exponent = expected.abs().max(f64::from(f32::MIN_POSITIVE)).log2().floor() as i32;
    (f64::from(actual) - expected).abs() / 2_f64.powi(exponent - 23)
}

/// The bits of values, to compare NaN and the sign of zero too.
pub(crate) fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}
