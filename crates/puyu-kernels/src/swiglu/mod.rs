//! Gated linear unit with SiLU, between the two halves of a feed-forward layer.

mod scalar;

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;

#[cfg(test)]
mod tests;

use crate::{Isa, pool};

/// Values from which several threads are used: some 45 microseconds of one thread, several times
/// what it takes to wake another.
const PARALLEL_LEN: usize = 1 << 16;

/// Values in a task: three slices of 64 KiB.
const TASK_LEN: usize = 1 << 14;

/// Computes `silu(gate) * up` value by value, with `silu(x) = x / (1 + exp(-x))`.
///
/// Lies within 4 units in the last place of the exact value, and within 1e-43 of it (times `up`)
/// where `silu(gate)` is denormal. The limits hold: `silu` of positive infinity is infinite, of
/// negative infinity it is -0, and NaN stays NaN; where `silu` rounds to 0, its product with an
/// infinite `up` is NaN. The bits of a value do not depend on its place.
///
/// # Panics
///
/// If the lengths differ.
///
/// # Examples
///
/// ```
/// let mut out = [0.0; 2];
/// puyu_kernels::swiglu(&[0.0, f32::INFINITY], &[3.0, 1.0], &mut out);
/// assert_eq!(out, [0.0, f32::INFINITY]);
/// ```
///
/// # Source
///
/// Shazeer, *GLU Variants Improve Transformer*; `InternLM2MLP` in `modeling_internlm2.py`.
pub fn swiglu(gate: &[f32], up: &[f32], out: &mut [f32]) {
    assert_eq!(gate.len(), up.len(), "gate and up must have the same length");
    assert_eq!(gate.len(), out.len(), "gate and output must have the same length");

    let isa = Isa::detect();
    if gate.len() < PARALLEL_LEN {
        return swiglu_on(isa, gate, up, out);
    }
    pool::for_each_chunk(out, TASK_LEN, |i, out| {
        let values = i * TASK_LEN..i * TASK_LEN + out.len();
        swiglu_on(isa, &gate[values.clone()], &up[values], out);
    });
}

/// `isa` comes from `Isa::detect` or `Isa::available`, which name only what the processor has.
pub(crate) fn swiglu_on(isa: Isa, gate: &[f32], up: &[f32], out: &mut [f32]) {
    match isa {
        // SAFETY: the processor has this instruction set, see above.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => unsafe { avx2::swiglu(gate, up, out) },
        // SAFETY: the processor has this instruction set, see above.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => unsafe { avx512::swiglu(gate, up, out) },
        _ => scalar::swiglu(gate, up, out),
    }
}
