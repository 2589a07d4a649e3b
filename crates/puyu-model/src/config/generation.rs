//! `generation_config.json`: the defaults that a checkpoint's authors chose for sampling.

use serde::{Deserialize, Serialize};

/// The fields of `generation_config.json` that the sampler knows. Others are ignored.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default)]
pub struct GenerationConfig {
    /// First token of a text.
    pub bos_token_id: Option<u32>,
    /// Tokens that end a text.
    pub eos_token_id: EosTokenIds,
    /// Padding.
    pub pad_token_id: Option<u32>,
    /// Whether to sample at all; greedy where absent or false.
    pub do_sample: Option<bool>,
    /// Softmax temperature, above 0.
    pub temperature: Option<f32>,
    /// Most likely tokens kept.
    pub top_k: Option<u32>,
    /// Probability mass kept, in (0, 1].
    pub top_p: Option<f32>,
    /// Divisor of the logits of tokens already present, above 0.
    pub repetition_penalty: Option<f32>,
    /// New tokens at most.
    pub max_new_tokens: Option<usize>,
}

/// One id or several: both forms occur in released files.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(untagged)]
pub enum EosTokenIds {
    /// The field is absent or null.
    #[default]
    None,
    /// One token.
    One(u32),
    /// Several tokens.
    Many(Vec<u32>),
}

impl EosTokenIds {
    /// The ids as a slice.
    pub fn as_slice(&self) -> &[u32] {
        match self {
            Self::None => &[],
            Self::One(id) => std::slice::from_ref(id),
            Self::Many(ids) => ids,
        }
    }
}
