//! A projection: weight as stored in the file, `[out, in]`, and perhaps a bias.

use burn::module::{Module, Param};
use burn::tensor::Tensor;

use crate::ops;

/// A named linear map of the model.
#[derive(Module, Debug)]
pub struct Linear {
    /// `[out, in]`, as checkpoints store it.
    pub weight: Param<Tensor<2>>,
    /// `[out]`.
    pub bias: Option<Param<Tensor<1>>>,
}

impl Linear {
    /// Multiplies by the weight and adds the bias.
    ///
    /// # Shapes
    ///
    /// - `x_bti`: `[B, T, in]`
    /// - returns: `[B, T, out]`
    pub fn forward(&self, x_bti: Tensor<3>) -> Tensor<3> {
        let out = ops::linear(x_bti, self.weight.val());
        match &self.bias {
            Some(bias) => {
                let bias = bias.val().cast(out.dtype());
                out + bias.unsqueeze()
            }
            None => out,
        }
    }
}
