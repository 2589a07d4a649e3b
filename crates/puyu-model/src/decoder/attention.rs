//! Causal self-attention with grouped heads.
//!
//! Axis letters, used as suffixes of tensor names in this file:
//! `B` batch, `T` new tokens, `S` cached and new tokens, `D` model width, `E` head width,
//! `H` query heads, `K` key/value heads, `G = H / K` query heads that share one key/value head.
//!
//! Source: `InternLM2Attention` in `modeling_internlm2.py` of `internlm/internlm2-7b`,
//! `InternLMAttention` in `modeling_internlm.py` of `internlm/internlm-7b`.

use burn::module::Module;
use burn::tensor::activation::softmax;
use burn::tensor::{Bool, DType, Tensor};

use super::linear::Linear;
use super::step::Step;
use crate::error::ForwardError;
use crate::kv_cache::LayerCache;
use crate::paged::PagedLayer;

/// How query, key and value are projected.
#[derive(Module, Debug)]
#[allow(
    clippy::large_enum_variant,
    reason = "one per layer; a box would cost a jump in every layer to save a few hundred bytes"
)]
pub enum QkvProjection {
    /// One matrix, InternLM2's `wqkv`.
    ///
    /// `[K * (G + 2) * E, D]`: for each key/value head its `G` queries, its key, its value.
    Packed(Linear),
    /// Three matrices.
    Separate(SeparateQkv),
}

/// The three projections of InternLM 1, InternLM3 and Llama.
#[derive(Module, Debug)]
pub struct SeparateQkv {
    /// `[H * E, D]`.
    pub query: Linear,
    /// `[K * E, D]`.
    pub key: Linear,
    /// `[K * E, D]`.
    pub value: Linear,
}

/// Self-attention of one layer.
#[derive(Module, Debug)]
pub struct SelfAttention {
    /// Into heads.
    pub qkv: QkvProjection,
    /// `[D, H * E]`, out of heads.
    pub output: Linear,
    pub(crate) n_heads: usize,
    pub(crate) n_kv_heads: usize,
    pub(crate) head_dim: usize,
}

/// What the new tokens may attend to besides each other.
pub(crate) enum Past<'a> {
    /// Nothing.
    None,
    /// Rows of one length, behind each other.
    Rows(&'a mut LayerCache),
    /// Sequences in blocks; the new tokens of all stand in one row.
    Paged(PagedLayer<'a>),
}

impl SelfAttention {
    /// Lets the new tokens attend to the past and to each other, and makes them part of it.
    ///
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
        step: &Step,
        past: Past<'_>,
    ) -> Result<Tensor<3>, ForwardError> {
        let (q_bthe, k_btke, v_btke) = self.project(x_btd);
        let q_bthe = step.rotate_new(q_bthe);
        let k_btke = if step.rotates_all_keys() { k_btke } else { step.rotate_new(k_btke) };

        let out_bthe = match past {
            Past::None => attend_to_rows(q_bthe, k_btke, v_btke, step, None),
            Past::Rows(cache) => attend_to_rows(q_bthe, k_btke, v_btke, step, Some(cache)),
            Past::Paged(mut layer) => layer.attend(q_bthe, k_btke, v_btke)?,
        };
        let [b, t, h, e] = out_bthe.dims();
        Ok(self.output.forward(out_bthe.reshape([b, t, h * e])))
    }

    /// Queries `[B, T, H, E]`, keys and values `[B, T, K, E]` of the new tokens.
    fn project(&self, x_btd: Tensor<3>) -> (Tensor<4>, Tensor<4>, Tensor<4>) {
        let [b, t, _d] = x_btd.dims();
        let (h, k, e) = (self.n_heads, self.n_kv_heads, self.head_dim);
        match &self.qkv {
            QkvProjection::Packed(wqkv) => {
                let g = h / k;
                let qkv: Tensor<5> = wqkv.forward(x_btd).reshape([b, t, k, g + 2, e]);
                let q_bthe = qkv.clone().slice_dim(3, 0..g).reshape([b, t, h, e]);
                let k_btke: Tensor<4> = qkv.clone().select_dim(3, g);
                let v_btke: Tensor<4> = qkv.select_dim(3, g + 1);
                (q_bthe, k_btke, v_btke)
            }
            QkvProjection::Separate(separate) => {
                let q_bthe = separate.query.forward(x_btd.clone()).reshape([b, t, h, e]);
                let k_btke = separate.key.forward(x_btd.clone()).reshape([b, t, k, e]);
                let v_btke = separate.value.forward(x_btd).reshape([b, t, k, e]);
                (q_bthe, k_btke, v_btke)
            }
        }
    }
}

/// `q_bthe` `[B, T, H, E]`, `k_btke` and `v_btke` `[B, T, K, E]` to `[B, T, H, E]`.
fn attend_to_rows(
    q_bthe: Tensor<4>,
    k_btke: Tensor<4>,
    v_btke: Tensor<4>,
    step: &Step,
    cache: Option<&mut LayerCache>,
) -> Tensor<4> {
    let (k_bkte, v_bkte) = (k_btke.swap_dims(1, 2), v_btke.swap_dims(1, 2));
    let (k_bkse, v_bkse) = match cache {
        Some(cache) => cache.append(k_bkte, v_bkte),
        None => (k_bkte, v_bkte),
    };
    let k_bkse = step.rotate_all(k_bkse);
    let out_bhte = grouped_attention(q_bthe.swap_dims(1, 2), k_bkse, v_bkse, step.hidden());
    out_bhte.swap_dims(1, 2)
}

/// Softmax attention in which `G` consecutive query heads share a key/value head.
///
/// Scores and softmax are `f32` whatever the type of the inputs; the result has that type again.
///
/// # Shapes
///
/// - `q_bhte`: `[B, H, T, E]`
/// - `k_bkse`, `v_bkse`: `[B, K, S, E]`
/// - `hidden_b1ts`: `[B or 1, 1, T, S]`, true where a query may not look
/// - returns: `[B, H, T, E]`
pub(crate) fn grouped_attention(
    q_bhte: Tensor<4>,
    k_bkse: Tensor<4>,
    v_bkse: Tensor<4>,
    hidden_b1ts: Option<&Tensor<4, Bool>>,
) -> Tensor<4> {
    let [b, h, t, e] = q_bhte.dims();
    let [_b, k, s, _e] = k_bkse.dims();
    let g = h / k;
    let dtype = q_bhte.dtype();

    // The queries of a group stand under each other, so that keys are never repeated.
    let q_bkne: Tensor<4> = q_bhte.cast(DType::F32).reshape([b, k, g * t, e]);
    let k_bkes = k_bkse.cast(DType::F32).swap_dims(2, 3);
    let scores_bkns = q_bkne.matmul(k_bkes) / (e as f64).sqrt();
    let scores_bkns = match hidden_b1ts {
        Some(hidden_b1ts) => {
            let [mask_rows, ..] = hidden_b1ts.dims();
            let hidden: Tensor<5, Bool> = hidden_b1ts.clone().reshape([mask_rows, 1, 1, t, s]);
            let scores: Tensor<5> = scores_bkns.reshape([b, k, g, t, s]);
            // A finite minimum, as in the original: a row of padding stays free of NaN.
            let scores = scores.mask_fill(hidden.expand([b, k, g, t, s]), f32::MIN);
            scores.reshape([b, k, g * t, s])
        }
        None => scores_bkns,
    };
    let weights_bkns = softmax(scores_bkns, 3);
    let out_bkne = weights_bkns.matmul(v_bkse.cast(DType::F32));
    out_bkne.reshape([b, h, t, e]).cast(dtype)
}
