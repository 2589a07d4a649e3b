//! Conversions between float formats.

mod scalar;

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;

#[cfg(test)]
mod tests;

use half::{bf16, f16};

use crate::Isa;

/// Widens brain floats, exactly.
///
/// # Panics
///
/// If the lengths differ.
///
/// # Examples
///
/// ```
/// use half::bf16;
///
/// let mut out = [0.0; 2];
/// puyu_kernels::bf16_to_f32(&[bf16::ONE, bf16::from_f32(-2.5)], &mut out);
/// assert_eq!(out, [1.0, -2.5]);
/// ```
pub fn bf16_to_f32(source: &[bf16], out: &mut [f32]) {
    assert_eq!(source.len(), out.len(), "source and output must have the same length");
    bf16_to_f32_on(Isa::detect(), source, out);
}

/// Widens half floats, exactly.
///
/// # Panics
///
/// If the lengths differ.
///
/// # Examples
///
/// ```
/// use half::f16;
///
/// let mut out = [0.0; 2];
/// puyu_kernels::f16_to_f32(&[f16::ONE, f16::MAX], &mut out);
/// assert_eq!(out, [1.0, 65_504.0]);
/// ```
pub fn f16_to_f32(source: &[f16], out: &mut [f32]) {
    assert_eq!(source.len(), out.len(), "source and output must have the same length");
    f16_to_f32_on(Isa::detect(), source, out);
}

/// Rounds to brain floats: to nearest, ties to even.
///
/// Values beyond the largest brain float become infinite; NaN stays NaN.
///
/// # Panics
///
/// If the lengths differ.
///
/// # Examples
///
/// ```
/// use half::bf16;
///
/// let mut out = [bf16::ZERO; 2];
/// // Brain floats near 1 are 2^-7 apart; the first value lies half-way and goes to the even one.
/// puyu_kernels::f32_to_bf16(&[1.0 + 1.0 / 256.0, f32::MAX], &mut out);
/// assert_eq!(out, [bf16::ONE, bf16::INFINITY]);
/// ```
pub fn f32_to_bf16(source: &[f32], out: &mut [bf16]) {
    assert_eq!(source.len(), out.len(), "source and output must have the same length");
    f32_to_bf16_on(Isa::detect(), source, out);
}

// In these three, `isa` comes from `Isa::detect` or `Isa::available`, which name only what the
// processor has.

fn bf16_to_f32_on(isa: Isa, source: &[bf16], out: &mut [f32]) {
    match isa {
        // SAFETY: the processor has this instruction set, see above.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => unsafe { avx2::widen(source, out, scalar::bf16_to_f32) },
        // SAFETY: the processor has this instruction set, see above.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => unsafe { avx512::widen(source, out, scalar::bf16_to_f32) },
        _ => scalar::bf16_to_f32(source, out),
    }
}

fn f16_to_f32_on(isa: Isa, source: &[f16], out: &mut [f32]) {
    match isa {
        // SAFETY: the processor has this instruction set, see above.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => unsafe { avx2::widen(source, out, scalar::f16_to_f32) },
        // SAFETY: the processor has this instruction set, see above.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => unsafe { avx512::widen(source, out, scalar::f16_to_f32) },
        _ => scalar::f16_to_f32(source, out),
    }
}

fn f32_to_bf16_on(isa: Isa, source: &[f32], out: &mut [bf16]) {
    match isa {
        // SAFETY: the processor has this instruction set, see above.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => unsafe { avx2::f32_to_bf16(source, out) },
        // SAFETY: the processor has this instruction set, see above.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => unsafe { avx512::f32_to_bf16(source, out) },
        _ => scalar::f32_to_bf16(source, out),
    }
}
