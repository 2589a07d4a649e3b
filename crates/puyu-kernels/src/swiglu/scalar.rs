//! The definition.

/// Computes `silu(gate) * up` in `f64`, rounding once at the end.
pub(super) fn swiglu(gate: &[f32], up: &[f32], out: &mut [f32]) {
    for ((&gate, &up), out) in gate.iter().zip(up).zip(out) {
        *out = (silu(f64::from(gate)) * f64::from(up)) as f32;
    }
}

/// `x / (1 + exp(-x))`, with its limit where that is infinite over infinite.
pub(super) fn silu(x: f64) -> f64 {
    if x == f64::NEG_INFINITY { -0.0 } else { x / (1.0 + (-x).exp()) }
}
