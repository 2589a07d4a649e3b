//! Root-mean-square normalisation of rows.

mod scalar;

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;

#[cfg(test)]
mod tests;

use crate::{Isa, pool};

/// Values from which several threads are used: some 40 microseconds of one thread, several times
/// what it takes to wake another.
const PARALLEL_LEN: usize = 1 << 17;

/// Divides each row of `x` by its root mean square and multiplies it by `weight`.
///
/// `out = x / sqrt(mean(x²) + eps) * weight`, row by row. The squares are summed and the result is
/// computed in `f64` and rounded once, so that rows of 1e30 do not overflow, and every version
/// lies within one unit in the last place of the exact value. A row with a NaN becomes all NaN.
///
/// # Shapes
///
/// - `x`, `out`: `[n, d]`
/// - `weight`: `[d]`
///
/// # Panics
///
/// If `x` and `out` differ in length, or are not whole rows of `weight.len()`.
///
/// # Examples
///
/// ```
/// let mut out = [0.0; 2];
/// puyu_kernels::rms_norm(&[1.0, 7.0], &[1.0, 2.0], 0.0, &mut out);
/// assert_eq!(out, [0.2, 2.8]);
/// ```
///
/// # Source
///
/// Zhang and Sennrich, *Root Mean Square Layer Normalization*; `InternLM2RMSNorm` in
/// `modeling_internlm2.py`.
pub fn rms_norm(x: &[f32], weight: &[f32], eps: f32, out: &mut [f32]) {
    assert_eq!(x.len(), out.len(), "input and output must have the same length");
    let d = weight.len();
    assert!(x.len().is_multiple_of(d), "{} values are not whole rows of {d}", x.len());
    if x.is_empty() {
        return;
    }

    let isa = Isa::detect();
    if x.len() < PARALLEL_LEN || x.len() == d {
        return rms_norm_on(isa, x, weight, eps, out);
    }
    // At least 16 Ki values in a task, but whole rows.
    let task = (1_usize << 14).div_ceil(d) * d;
    pool::for_each_chunk(out, task, |i, out| {
        let x = &x[i * task..][..out.len()];
        rms_norm_on(isa, x, weight, eps, out);
    });
}

/// `isa` comes from `Isa::detect` or `Isa::available`, which name only what the processor has.
fn rms_norm_on(isa: Isa, x: &[f32], weight: &[f32], eps: f32, out: &mut [f32]) {
    match isa {
        // SAFETY: the processor has this instruction set, see above.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => unsafe { avx2::rms_norm(x, weight, eps, out) },
        // SAFETY: the processor has this instruction set, see above.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => unsafe { avx512::rms_norm(x, weight, eps, out) },
        _ => scalar::rms_norm(x, weight, eps, out),
    }
}
