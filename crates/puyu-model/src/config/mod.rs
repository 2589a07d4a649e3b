//! What a decoder is made of: sizes, biases, positions, head.
//!
//! Three kinds of configuration are kept apart. [`HfConfig`] mirrors `config.json` as others write
//! it; [`DecoderConfig`] is what the model is built from, checked; [`Preset`] names the released
//! sizes.

mod generation;
mod preset;
mod rope;
#[cfg(test)]
mod tests;
mod wire;

use crate::error::ConfigError;

pub use generation::GenerationConfig;
pub use preset::Preset;
pub use rope::{NtkRule, RopeConfig, RopeScaling};
pub use wire::{HfConfig, HfQuantization};

/// Largest accepted value of any size in a configuration.
///
/// InternLM3's vocabulary of 128 512 and the million-token context of InternLM2.5 fit with room;
/// sizes beyond it come from damaged or hostile files and would overflow later arithmetic.
const SIZE_LIMIT: usize = 1 << 24;

/// Largest accepted number of layers. The deepest released model of the family has 60.
const LAYERS_LIMIT: usize = 1 << 12;

/// The naming scheme and layout that a checkpoint follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Family {
    /// InternLM (the first generation): Llama's names, a `bias` switch, keys cached unrotated.
    InternLm,
    /// InternLM2 and 2.5: query, key and value packed in `wqkv`, own names.
    InternLm2,
    /// InternLM3: Llama's names, explicit head width.
    InternLm3,
    /// Llama 2 and 3.
    Llama,
}

impl Family {
    /// The `model_type` that `config.json` carries.
    pub fn model_type(self) -> &'static str {
        match self {
            Self::InternLm => "internlm",
            Self::InternLm2 => "internlm2",
            Self::InternLm3 => "internlm3",
            Self::Llama => "llama",
        }
    }

    /// Whether query, key and value share one projection.
    pub fn has_packed_qkv(self) -> bool {
        self == Self::InternLm2
    }

    /// The rule by which the published code rotates keys beyond the trained length.
    pub fn ntk_rule(self) -> NtkRule {
        match self {
            Self::InternLm => NtkRule::RotateAllKeys,
            _ => NtkRule::PerStep,
        }
    }
}

/// What stands on top of the last hidden state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Head {
    /// A row of logits over the vocabulary, from its own matrix.
    LanguageModel,
    /// A row of logits over the vocabulary, from the embedding matrix.
    TiedLanguageModel,
    /// One number: how good the text is.
    Reward,
}

/// Everything that decides the shape and the arithmetic of a decoder.
///
/// # Examples
///
/// ```
/// use puyu_model::{DecoderConfig, Preset};
///
/// let config: DecoderConfig = Preset::InternLm2_1_8B.config();
/// assert_eq!(config.n_query_groups(), 2);
/// assert_eq!(config.n_parameters(), 1_889_110_016);
/// config.validate()?;
/// # Ok::<(), puyu_model::ConfigError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct DecoderConfig {
    /// Naming scheme and layout.
    pub family: Family,
    /// Number of token ids, also rows of the embedding.
    pub vocab_size: usize,
    /// Width of the residual stream.
    pub hidden_size: usize,
    /// Number of decoder layers.
    pub n_layers: usize,
    /// Number of query heads.
    pub n_heads: usize,
    /// Number of key/value heads; divides [`n_heads`](Self::n_heads).
    pub n_kv_heads: usize,
    /// Width of one head; even. `n_heads * head_dim` need not equal the hidden size.
    pub head_dim: usize,
    /// Width between the gate/up and the down projection.
    pub intermediate_size: usize,
    /// Longest sequence, in tokens, that the model was trained on.
    pub max_position_embeddings: usize,
    /// Term inside the root of RMSNorm.
    pub rms_norm_eps: f64,
    /// Rotary position embedding.
    pub rope: RopeConfig,
    /// Whether the query, key and value projections add a bias.
    pub qkv_bias: bool,
    /// Whether the output projection of attention adds a bias.
    pub output_bias: bool,
    /// Whether the projections of the feed-forward part add a bias.
    pub mlp_bias: bool,
    /// What stands on top.
    pub head: Head,
    /// Token whose hidden state a reward model scores, appended where a prompt lacks it.
    pub reward_token_id: Option<u32>,
}

impl DecoderConfig {
    /// Number of query heads that share one key/value head.
    pub fn n_query_groups(&self) -> usize {
        self.n_heads / self.n_kv_heads
    }

    /// Width of all query heads together.
    pub fn query_width(&self) -> usize {
        self.n_heads * self.head_dim
    }

    /// Width of all key heads together, which is also that of the value heads.
    pub fn kv_width(&self) -> usize {
        self.n_kv_heads * self.head_dim
    }

    /// Number of weights, biases included, tied ones counted once.
    pub fn n_parameters(&self) -> u64 {
        let wide = |n: usize| n as u64;
        let (d, q, kv, f) = (
            wide(self.hidden_size),
            wide(self.query_width()),
            wide(self.kv_width()),
            wide(self.intermediate_size),
        );
        let bias = |present: bool, n: u64| if present { n } else { 0 };
        let attention =
            d * (q + 2 * kv) + q * d + bias(self.qkv_bias, q + 2 * kv) + bias(self.output_bias, d);
        let mlp = 3 * d * f + bias(self.mlp_bias, 2 * f + d);
        let head = match self.head {
            Head::LanguageModel => wide(self.vocab_size) * d,
            Head::TiedLanguageModel => 0,
            Head::Reward => d,
        };
        wide(self.vocab_size) * d + wide(self.n_layers) * (attention + mlp + 2 * d) + d + head
    }

    /// Checks that the sizes fit together.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Value`] naming the first field that cannot be right, with what was expected
    /// and found.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let sizes = [
            ("vocab_size", self.vocab_size),
            ("hidden_size", self.hidden_size),
            ("num_attention_heads", self.n_heads),
            ("num_key_value_heads", self.n_kv_heads),
            ("head_dim", self.head_dim),
            ("intermediate_size", self.intermediate_size),
            ("max_position_embeddings", self.max_position_embeddings),
        ];
        for (field, found) in sizes {
            check(field, (1..=SIZE_LIMIT).contains(&found), || expected(range(SIZE_LIMIT), found))?;
        }
        check("num_hidden_layers", (1..=LAYERS_LIMIT).contains(&self.n_layers), || {
            expected(range(LAYERS_LIMIT), self.n_layers)
        })?;
        check("num_key_value_heads", self.n_heads.is_multiple_of(self.n_kv_heads), || {
            expected(format!("a divisor of num_attention_heads {}", self.n_heads), self.n_kv_heads)
        })?;
        check("head_dim", self.head_dim.is_multiple_of(2), || {
            expected("an even number", self.head_dim)
        })?;
        for (field, width) in [
            ("num_attention_heads * head_dim", self.n_heads.saturating_mul(self.head_dim)),
            ("num_key_value_heads * head_dim", self.n_kv_heads.saturating_mul(self.head_dim)),
        ] {
            check(field, width <= SIZE_LIMIT, || expected(range(SIZE_LIMIT), width))?;
        }
        self.check_biases()?;
        let eps_is_right = self.rms_norm_eps > 0.0 && self.rms_norm_eps < 1.0;
        check("rms_norm_eps", eps_is_right, || expected("a number in (0, 1)", self.rms_norm_eps))?;
        self.rope.validate()
    }

    /// Refuses biases that the family's files have no words for: such a model could not be read
    /// back once saved.
    fn check_biases(&self) -> Result<(), ConfigError> {
        let (field, wanted, found) = match self.family {
            Family::InternLm3 => ("mlp_bias", self.output_bias, self.mlp_bias),
            Family::InternLm | Family::InternLm2 if self.mlp_bias => ("mlp_bias", false, true),
            _ => ("output_bias", self.qkv_bias, self.output_bias),
        };
        check(field, wanted == found, || expected(wanted.to_string(), found))
    }
}

/// `1 to limit`, in words.
fn range(limit: usize) -> String {
    format!("1 to {limit}")
}

/// What was expected and what was found, as the two texts of an error.
fn expected(what: impl Into<String>, found: impl ToString) -> (String, String) {
    (what.into(), found.to_string())
}

/// Returns an error about `field` unless `is_right`.
fn check(
    field: &'static str,
    is_right: bool,
    detail: impl FnOnce() -> (String, String),
) -> Result<(), ConfigError> {
    if is_right {
        return Ok(());
    }
    let (expected, found) = detail();
    Err(ConfigError::Value { field: field.to_owned(), expected, found })
}
