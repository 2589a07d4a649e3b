//! Passes over a whole row of logits, written so that the compiler vectorises them.

use crate::error::SampleError;

/// Values that are looked at together. 64 floats are four cache lines.
pub(super) const CHUNK: usize = 64;
/// Lanes of the widest vector registers (16 floats), so that each lane keeps its own maximum.
const LANES: usize = 16;

/// The id of the greatest logit, the lowest of equal ones. One pass.
///
/// # Shapes
///
/// - `logits`: `[V]`
///
/// # Errors
///
/// [`SampleError`] if the row is empty, has a NaN or a positive infinity, or no finite logit.
pub fn argmax(logits: &[f32]) -> Result<u32, SampleError> {
    if logits.is_empty() {
        return Err(SampleError::Empty);
    }
    let mut best = (0_usize, f32::NEG_INFINITY);
    for (number, chunk) in logits.chunks(CHUNK).enumerate() {
        let (greatest, has_nan) = greatest(chunk);
        if has_nan {
            let index = chunk.iter().position(|x| x.is_nan()).unwrap_or(0);
            return Err(SampleError::NotANumber { index: number * CHUNK + index });
        }
        if greatest > best.1 {
            let index = chunk.iter().position(|&x| x == greatest).unwrap_or(0);
            best = (number * CHUNK + index, greatest);
        }
    }
    match best {
        (_, f32::NEG_INFINITY) => Err(SampleError::NothingAllowed),
        (index, f32::INFINITY) => Err(SampleError::Infinite { index }),
        (index, _) => Ok(index as u32),
    }
}

/// The greatest value that is a number, and whether any is not.
pub(super) fn greatest(chunk: &[f32]) -> (f32, bool) {
    let (blocks, tail) = chunk.as_chunks::<LANES>();
    let mut lanes = [f32::NEG_INFINITY; LANES];
    // Adding up x - x would be shorter, but it is NaN for infinities too.
    let mut nans = [0_u32; LANES];
    for block in blocks {
        for lane in 0..LANES {
            let x = block[lane];
            lanes[lane] = if x > lanes[lane] { x } else { lanes[lane] };
            nans[lane] |= u32::from(x.is_nan());
        }
    }
    let mut greatest = lanes.into_iter().fold(f32::NEG_INFINITY, f32::max);
    let mut has_nan = nans.into_iter().any(|nan| nan != 0);
    for &x in tail {
        greatest = greatest.max(x);
        has_nan |= x.is_nan();
    }
    (greatest, has_nan)
}

/// The logarithm of the sum of exponentials. The sum is in `f64`: 100,000 terms in `f32` would
/// lose three digits.
///
/// Expects a row that [`argmax`] accepts.
pub(super) fn log_sum_exp(logits: &[f32]) -> f64 {
    let greatest = logits.chunks(CHUNK).map(|chunk| greatest(chunk).0);
    let greatest = greatest.fold(f32::NEG_INFINITY, f32::max);
    let (blocks, tail) = logits.as_chunks::<LANES>();
    let mut lanes = [0.0_f64; LANES];
    for block in blocks {
        let exps = block.map(|x| exp(x - greatest));
        for lane in 0..LANES {
            lanes[lane] += f64::from(exps[lane]);
        }
    }
    let tail = tail.iter().map(|&x| f64::from(exp(x - greatest)));
    let total = lanes.into_iter().chain(tail).sum::<f64>();
    f64::from(greatest) + total.ln()
}

/// Below this the exponential is taken as 0; it would be less than 2^-125.
const LEAST_EXPONENT: f32 = -87.0;
/// 1.5 * 2^23: a float of this size has no fraction, so that adding it rounds.
const ROUNDER: f32 = 12_582_912.0;
/// The logarithm of 2 in two parts; products of the first with small whole numbers are exact.
const LN_2_HIGH: f32 = 355.0 / 512.0;
const LN_2_LOW: f32 = -2.121_944_4e-4;

/// The exponential of a number up to 0, within 3e-7 of its value.
///
/// `f32::exp` calls the system's library, one number at a time, and its last bits differ between
/// systems. This vectorises, and is the same everywhere, and so are the tokens drawn.
///
/// # Source
///
/// Moshier, Cephes, `expf.c`: the exponent is split off and the rest is a polynomial.
pub(super) fn exp(x: f32) -> f32 {
    let is_positive = x > LEAST_EXPONENT;
    let x = if is_positive { x } else { LEAST_EXPONENT };
    let rounded = x * std::f32::consts::LOG2_E + ROUNDER;
    let n = rounded - ROUNDER;
    let r = (x - n * LN_2_HIGH) - n * LN_2_LOW;
    let mut p = 1.987_569_1e-4;
    for coefficient in [1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5] {
        p = p * r + coefficient;
    }
    // The last bits of `rounded` are n; a cast from float to integer would not vectorise.
    let exponent = rounded.to_bits().wrapping_sub(ROUNDER.to_bits()).wrapping_add(127);
    let scale = f32::from_bits(exponent << 23);
    let result = ((p * r) * r + r + 1.0) * scale;
    if is_positive { result } else { 0.0 }
}
