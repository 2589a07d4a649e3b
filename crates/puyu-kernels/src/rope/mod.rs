//! Rotary position embedding of heads whose halves are rotated with each other.

mod scalar;

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;

#[cfg(test)]
mod tests;

use crate::{Isa, pool};

/// Values from which several threads are used: some 35 microseconds of one thread, several times
/// what it takes to wake another.
const PARALLEL_LEN: usize = 1 << 18;

/// The heads of one token in the input of [`rope`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RopeShape {
    /// Heads of one token.
    pub n_heads: usize,
    /// Values of one head; even.
    pub head_dim: usize,
}

/// Rotates the first half of every head with its second half.
///
/// With `h = head_dim / 2`, for `i < h`: `out[i] = x[i] * cos[i] - x[i + h] * sin[i]` and
/// `out[i + h] = x[i + h] * cos[i] + x[i] * sin[i]`. Each product and sum is rounded to `f32`, so
/// the bits are the same on every processor.
///
/// # Shapes
///
/// - `x`, `out`: `[n_tokens, n_heads, head_dim]`
/// - `cos`, `sin`: `[n_tokens, head_dim / 2]`
///
/// # Panics
///
/// If the slices do not have these shapes, `head_dim` is odd, or `n_heads` or `head_dim` is 0.
///
/// # Examples
///
/// ```
/// use puyu_kernels::{RopeShape, rope};
///
/// let shape = RopeShape { n_heads: 1, head_dim: 2 };
/// let mut out = [0.0; 2];
/// // A quarter turn.
/// rope(&[3.0, 4.0], &[0.0], &[1.0], shape, &mut out);
/// assert_eq!(out, [-4.0, 3.0]);
/// ```
///
/// # Source
///
/// Su et al., *RoFormer*; `rotate_half` and `apply_rotary_pos_emb` in `modeling_internlm2.py`.
pub fn rope(x: &[f32], cos: &[f32], sin: &[f32], shape: RopeShape, out: &mut [f32]) {
    let RopeShape { n_heads, head_dim } = shape;
    assert!(n_heads > 0 && head_dim > 0, "a token must have heads, and a head values");
    assert!(head_dim.is_multiple_of(2), "the head dimension must be even, found {head_dim}");
    assert_eq!(x.len(), out.len(), "input and output must have the same length");
    assert_eq!(cos.len(), sin.len(), "cosines and sines must have the same length");
    let (half, token_len) = (head_dim / 2, n_heads.checked_mul(head_dim));
    let token_len = token_len.expect("one token must fit in memory");
    assert!(cos.len().is_multiple_of(half), "cosines must be whole rows of {half}");
    let n_tokens = cos.len() / half;
    assert!(
        x.len().is_multiple_of(token_len) && x.len() / token_len == n_tokens,
        "{n_tokens} tokens of {n_heads} heads of {head_dim} expected, found {} values",
        x.len(),
    );

    let isa = Isa::detect();
    if x.len() < PARALLEL_LEN || n_tokens < 2 {
        return rope_on(isa, x, [cos, sin], shape, out);
    }
    // At least 16 Ki values in a task, but whole tokens.
    let task = (1_usize << 14).div_ceil(token_len);
    pool::for_each_chunk(out, task * token_len, |i, out| {
        let x = &x[i * task * token_len..][..out.len()];
        let angles = i * task * half..(i * task + out.len() / token_len) * half;
        rope_on(isa, x, [&cos[angles.clone()], &sin[angles]], shape, out);
    });
}

/// `isa` comes from `Isa::detect` or `Isa::available`, which name only what the processor has.
fn rope_on(isa: Isa, x: &[f32], [cos, sin]: [&[f32]; 2], shape: RopeShape, out: &mut [f32]) {
    match isa {
        // SAFETY: the processor has this instruction set, see above.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => unsafe { avx2::rope(x, cos, sin, shape, out) },
        // SAFETY: the processor has this instruction set, see above.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => unsafe { avx512::rope(x, cos, sin, shape, out) },
        _ => scalar::rope(x, cos, sin, shape, out),
    }
}
