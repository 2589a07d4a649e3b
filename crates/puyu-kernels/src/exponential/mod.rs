//! `exp(x)` for `x <= 0` in `f32`, for the fast versions of several operations.
//!
//! `exp(x) = 2^n * exp(r)` with `n = round(x / ln 2)` and `|r| <= ln 2 / 2`. The polynomial is
//! `exp(r) = 1 + r + r² * p(r)`. The result lies within 2 units in the last place of the exact
//! value, which a test checks.
//!
//! Source: `expf` of the Cephes library, for the split of ln 2 and the coefficients.

pub(crate) mod avx2;
pub(crate) mod avx512;

#[cfg(test)]
mod tests;

/// Below this, `exp` rounds to 0: it is under half of the smallest denormal, 2^-149.
pub(crate) const LOWEST: f32 = -104.0;

/// The upper bits of ln 2; few enough that their product with `n` is exact.
const LN_2_HIGH: f32 = 355.0 / 512.0;

/// The rest of ln 2.
const LN_2_LOW: f32 = -2.121_944_4e-4;

/// The coefficients of `p`, highest power first.
const COEFFICIENTS: [f32; 6] =
    [1.987_569_1e-4, 1.398_2e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 5.0e-1];
