//! 8 pairs at a time. Products are not fused with sums: the bits are those of the definition.

use std::arch::x86_64::*;

use super::{RopeShape, scalar};
use crate::cpu::avx2::{load, store};

#[target_feature(enable = "avx2")]
pub(super) fn rope(x: &[f32], cos: &[f32], sin: &[f32], shape: RopeShape, out: &mut [f32]) {
    let RopeShape { n_heads, head_dim } = shape;
    let (half, token_len) = (head_dim / 2, n_heads * head_dim);
    let angles = cos.chunks_exact(half).zip(sin.chunks_exact(half));
    let tokens = x.chunks_exact(token_len).zip(out.chunks_exact_mut(token_len));
    for ((x, out), (cos, sin)) in tokens.zip(angles) {
        for (x, out) in x.chunks_exact(head_dim).zip(out.chunks_exact_mut(head_dim)) {
            rotate(x, cos, sin, out);
        }
    }
}

/// Rotates one head.
#[inline]
#[target_feature(enable = "avx2")]
fn rotate(x: &[f32], cos: &[f32], sin: &[f32], out: &mut [f32]) {
    let half = x.len() / 2;
    let ((first, second), (out_first, out_second)) = (x.split_at(half), out.split_at_mut(half));
    let ((first, first_rest), (second, second_rest)) = (first.as_chunks(), second.as_chunks());
    let ((cos, cos_rest), (sin, sin_rest)) = (cos.as_chunks(), sin.as_chunks());
    let (out_first, out_first_rest) = out_first.as_chunks_mut();
    let (out_second, out_second_rest) = out_second.as_chunks_mut();

    let outputs = out_first.iter_mut().zip(out_second);
    for (i, (out_first, out_second)) in outputs.enumerate() {
        let (x1, x2) = (load(&first[i]), load(&second[i]));
        let (c, s) = (load(&cos[i]), load(&sin[i]));
        store(out_first, _mm256_sub_ps(_mm256_mul_ps(x1, c), _mm256_mul_ps(x2, s)));
        store(out_second, _mm256_add_ps(_mm256_mul_ps(x2, c), _mm256_mul_ps(x1, s)));
    }

    let outputs = out_first_rest.iter_mut().zip(out_second_rest);
    for (i, (out_first, out_second)) in outputs.enumerate() {
        let pair = [first_rest[i], second_rest[i]];
        [*out_first, *out_second] = scalar::rotate(pair, cos_rest[i], sin_rest[i]);
    }
}
