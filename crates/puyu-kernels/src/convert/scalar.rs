//! The definition.

use half::{bf16, f16};

/// Exact.
pub(super) fn bf16_to_f32(source: &[bf16], out: &mut [f32]) {
    for (source, out) in source.iter().zip(out) {
        *out = source.to_f32();
    }
}

/// Exact.
pub(super) fn f16_to_f32(source: &[f16], out: &mut [f32]) {
    for (source, out) in source.iter().zip(out) {
        *out = source.to_f32();
    }
}

/// Rounds to nearest, ties to even.
pub(super) fn f32_to_bf16(source: &[f32], out: &mut [bf16]) {
    for (source, out) in source.iter().zip(out) {
        *out = bf16::from_f32(*source);
    }
}
