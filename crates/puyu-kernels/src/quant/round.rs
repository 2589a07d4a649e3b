//! Groups of weights to integers and a scale.

use half::f16;

use super::format::{OFFSET_4, OFFSET_8, QuantFormat};

/// Inputs of the largest group.
pub(super) const MAX_GROUP: usize = 128;

/// Added to a float of magnitude below 2^22, it rounds it to the nearest integer, ties to even:
/// 1.5 * 2^23, so that the last bit of the sum is worth 1.
pub(super) const ROUNDING: f32 = 12_582_912.0;

/// What the largest weight of a group of 4-bit values becomes with each scale that is tried. Twenty
/// more in between would take four times as long and lower the squared error by little, since each
/// scale is refined.
const CANDIDATES: [f32; 5] = [7.0, 7.5, 8.0, 8.5, 9.0];

/// A group of an output, as it is stored.
#[derive(Debug, Clone, Copy)]
pub(super) struct Codes {
    pub(super) scale: f16,
    /// Kept only in formats with zero points.
    pub(super) zero: u8,
    pub(super) values: [u8; MAX_GROUP],
}

impl Codes {
    /// Zeros.
    pub(super) fn zeros(format: QuantFormat) -> Self {
        let offset = format.offset();
        Self { scale: f16::ZERO, zero: offset, values: [offset; MAX_GROUP] }
    }
}

/// Weights of a group; what is missing is zero.
pub(super) type Weights = [f32; MAX_GROUP];

/// Rounds a group to the nearest integers.
#[inline(always)]
pub(super) fn round_group(weights: &Weights, format: QuantFormat, codes: &mut Codes) {
    if weights.iter().any(|weight| !weight.is_finite()) {
        codes.scale = f16::NAN;
        return;
    }
    // What is missing at the end of a short group takes no part.
    let weights = &weights[..format.group().len()];
    match format {
        QuantFormat::Int4 { .. } => round_4(weights, codes),
        QuantFormat::Int4Asymmetric { .. } => round_asymmetric(weights, codes),
        QuantFormat::Int8 { .. } => round_8(weights, codes),
    }
}

#[inline(always)]
fn round_8(weights: &[f32], codes: &mut Codes) {
    let largest = weights.iter().fold(0.0_f32, |max, weight| max.max(weight.abs()));
    codes.scale = scale_up(largest, 127.0, 0.49);
    let inverse = inverse(codes.scale);
    for (code, weight) in codes.values.iter_mut().zip(weights) {
        let rounded = round(weight * inverse, -127.0, 127.0);
        *code = (rounded + f32::from(OFFSET_8)) as u8;
    }
}

#[inline(always)]
fn round_asymmetric(weights: &[f32], codes: &mut Codes) {
    let (lowest, highest) = weights
        .iter()
        .fold((0.0_f32, 0.0_f32), |(low, high), &weight| (low.min(weight), high.max(weight)));
    // Halves, for the whole range may overflow. No slack: the zero point, which is rounded too,
    // takes up to half a step at either end.
    codes.scale = scale_up(0.5 * highest - 0.5 * lowest, 7.5, 0.0);
    let inverse = inverse(codes.scale);
    let zero = round(-lowest * inverse, 0.0, 15.0);
    codes.zero = zero as u8;
    for (code, weight) in codes.values.iter_mut().zip(weights) {
        *code = round(weight * inverse + zero, 0.0, 15.0) as u8;
    }
}

/// The scale with the least squared error among those that make the largest weight about -8, as it
/// is, or -7, where the opposite sign fits too; each also refined by least squares.
#[inline(always)]
fn round_4(weights: &[f32], codes: &mut Codes) {
    let extreme =
        weights.iter().fold(
            0.0_f32,
            |extreme, &weight| if weight.abs() > extreme.abs() { weight } else { extreme },
        );
    let mut best = clamp_scale(extreme / -8.0);
    let mut least = fit(weights, best).error;
    for steps in CANDIDATES {
        let scale = clamp_scale(extreme / -steps);
        let first = fit(weights, scale);
        let refined = clamp_scale(first.best_scale);
        for (scale, error) in [(scale, first.error), (refined, fit(weights, refined).error)] {
            if error < least {
                (best, least) = (scale, error);
            }
        }
    }
    codes.scale = best;
    let inverse = inverse(best);
    for (code, weight) in codes.values.iter_mut().zip(weights) {
        *code = (round(weight * inverse, -8.0, 7.0) + f32::from(OFFSET_4)) as u8;
    }
}

/// How a scale fits.
struct Fit {
    /// Sum of the squared errors.
    error: f32,
    /// The scale with the least error for these integers.
    best_scale: f32,
}

#[inline(always)]
fn fit(weights: &[f32], scale: f16) -> Fit {
    let (inverse, scale) = (inverse(scale), scale.to_f32());
    // 8 sums each, which compilers turn into vectors.
    let (mut errors, mut products, mut squares) = ([0.0; 8], [0.0; 8], [0.0; 8]);
    for weights in weights.as_chunks::<8>().0 {
        for (lane, &weight) in weights.iter().enumerate() {
            let rounded = round(weight * inverse, -8.0, 7.0);
            let error = weight - rounded * scale;
            errors[lane] += error * error;
            products[lane] += weight * rounded;
            squares[lane] += rounded * rounded;
        }
    }
    let sum = |lanes: [f32; 8]| lanes.iter().sum::<f32>();
    Fit { error: sum(errors), best_scale: sum(products) / sum(squares) }
}

/// Rounds to the nearest integer from `lowest` to `highest`, ties to even.
#[inline(always)]
fn round(x: f32, lowest: f32, highest: f32) -> f32 {
    // Clamped before, since huge values would not be rounded.
    (x.max(lowest).min(highest) + ROUNDING) - ROUNDING
}

/// `1 / scale`, or 0 for 0.
#[inline(always)]
fn inverse(scale: f16) -> f32 {
    if scale == f16::ZERO || scale == f16::NEG_ZERO { 0.0 } else { 1.0 / scale.to_f32() }
}

/// The nearest finite half float; NaN becomes 0.
#[inline(always)]
fn clamp_scale(scale: f32) -> f16 {
    f16::from_f32(scale.max(f16::MIN.to_f32()).min(f16::MAX.to_f32()))
}

/// `largest / steps`, rounded so that `largest` lies at most `slack` steps beyond the last integer.
/// Half floats are coarse near zero.
#[inline(always)]
fn scale_up(largest: f32, steps: f32, slack: f32) -> f16 {
    let scale = clamp_scale(largest / steps);
    if scale.to_f32() * (steps + slack) < largest && scale < f16::MAX {
        f16::from_bits(scale.to_bits() + 1)
    } else {
        scale
    }
}
