//! The feed-forward part: gate, up, down.

use burn::module::Module;
use burn::tensor::Tensor;

use super::linear::Linear;
use crate::ops;

/// Gated feed-forward network. InternLM2 calls its parts `w1`, `w3` and `w2`.
#[derive(Module, Debug)]
pub struct Mlp {
    /// `[F, D]`, InternLM2's `w1`.
    pub gate: Linear,
    /// `[F, D]`, InternLM2's `w3`.
    pub up: Linear,
    /// `[D, F]`, InternLM2's `w2`.
    pub down: Linear,
}

impl Mlp {
    /// `down(silu(gate(x)) * up(x))`.
    ///
    /// # Shapes
    ///
    /// - `x_btd`: `[B, T, D]`
    /// - returns: `[B, T, D]`
    pub fn forward(&self, x_btd: Tensor<3>) -> Tensor<3> {
        let gate = self.gate.forward(x_btd.clone());
        let up = self.up.forward(x_btd);
        self.down.forward(ops::swiglu(gate, up))
    }
}
