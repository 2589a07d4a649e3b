//! One layer: attention and feed-forward, each on a normalised copy of the residual stream.

use burn::module::Module;
use burn::tensor::Tensor;

use super::attention::{Past, SelfAttention};
use super::mlp::Mlp;
use super::norm::RmsNorm;
use super::step::Step;
use crate::error::ForwardError;
use crate::tap::{Observer, Tap};

/// One decoder layer.
#[derive(Module, Debug)]
pub struct DecoderLayer {
    /// InternLM2's `attention_norm`, Llama's `input_layernorm`.
    pub attention_norm: RmsNorm,
    /// Self-attention.
    pub attention: SelfAttention,
    /// InternLM2's `ffn_norm`, Llama's `post_attention_layernorm`.
    pub mlp_norm: RmsNorm,
    /// Feed-forward part.
    pub mlp: Mlp,
}

impl DecoderLayer {
    /// # Shapes
    ///
    /// - `x_btd`: `[B, T, D]`
    /// - returns: `[B, T, D]`
    ///
    /// # Errors
    ///
    /// [`ForwardError::Device`] if the device fails.
    pub(crate) fn forward(
        &self,
        x_btd: Tensor<3>,
        layer: usize,
        step: &Step,
        past: Past<'_>,
        observer: &mut dyn Observer,
    ) -> Result<Tensor<3>, ForwardError> {
        let normal = self.attention_norm.forward(x_btd.clone());
        observer.observe(Tap::AttentionInput { layer }, &normal);
        let attended = self.attention.forward(normal, step, past)?;
        observer.observe(Tap::AttentionOutput { layer }, &attended);
        let x_btd = x_btd + attended;

        let normal = self.mlp_norm.forward(x_btd.clone());
        observer.observe(Tap::MlpInput { layer }, &normal);
        let transformed = self.mlp.forward(normal);
        observer.observe(Tap::MlpOutput { layer }, &transformed);
        let x_btd = x_btd + transformed;
        observer.observe(Tap::LayerOutput { layer }, &x_btd);
        Ok(x_btd)
    }
}
