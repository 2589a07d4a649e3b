//! Root-mean-square normalisation with a learned scale.

use burn::module::{Module, Param};
use burn::tensor::Tensor;

use crate::ops;

/// RMSNorm of the residual stream.
#[derive(Module, Debug)]
pub struct RmsNorm {
    /// `[D]`.
    pub weight: Param<Tensor<1>>,
    eps: f64,
}

impl RmsNorm {
    pub(crate) fn new(weight: Tensor<1>, eps: f64) -> Self {
        Self { weight: Param::from_tensor(weight), eps }
    }

    /// Normalises each token.
    ///
    /// # Shapes
    ///
    /// - `x_btd`: `[B, T, D]`
    /// - returns: `[B, T, D]`
    pub fn forward(&self, x_btd: Tensor<3>) -> Tensor<3> {
        ops::rms_norm(x_btd, self.weight.val(), self.eps)
    }
}
