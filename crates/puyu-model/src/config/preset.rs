//! The released models by name.

use std::fmt;
use std::str::FromStr;

use super::{DecoderConfig, Family, Head, RopeConfig, RopeScaling};
use crate::error::ConfigError;

/// A released size of the family, or a tiny one for tests.
///
/// # Examples
///
/// ```
/// use puyu_model::Preset;
///
/// let preset: Preset = "internlm2-7b".parse()?;
/// assert_eq!(preset.config().n_kv_heads, 8);
/// # Ok::<(), puyu_model::ConfigError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[allow(
    non_camel_case_types,
    reason = "the digits of a size need a separator: 1_8B is 1.8 billion, 2_5 is version 2.5"
)]
pub enum Preset {
    /// Three small layers of the InternLM2 layout, for tests.
    Tiny,
    /// InternLM-7B and chat-7b.
    InternLm7B,
    /// InternLM-20B and chat-20b.
    InternLm20B,
    /// InternLM2-1.8B.
    InternLm2_1_8B,
    /// InternLM2-7B.
    InternLm2_7B,
    /// InternLM2-20B.
    InternLm2_20B,
    /// InternLM2.5-1.8B.
    InternLm2_5_1_8B,
    /// InternLM2.5-7B.
    InternLm2_5_7B,
    /// InternLM2.5-20B.
    InternLm2_5_20B,
    /// InternLM2-1.8B-reward.
    InternLm2_1_8BReward,
    /// InternLM2-7B-reward.
    InternLm2_7BReward,
    /// InternLM2-20B-reward.
    InternLm2_20BReward,
    /// InternLM3-8B-instruct.
    InternLm3_8B,
    /// Llama-2-7B.
    Llama2_7B,
    /// Llama-3-8B.
    Llama3_8B,
}

/// Sizes that tell the members of one generation apart.
struct Sizes {
    vocab_size: usize,
    hidden_size: usize,
    n_layers: usize,
    n_heads: usize,
    n_kv_heads: usize,
    intermediate_size: usize,
}

/// [`Sizes`] from the columns of the family table.
const fn sizes(vocab_size: usize, columns: [usize; 5]) -> Sizes {
    let [hidden_size, n_layers, n_heads, n_kv_heads, intermediate_size] = columns;
    Sizes { vocab_size, hidden_size, n_layers, n_heads, n_kv_heads, intermediate_size }
}

const INTERNLM2_1_8B: Sizes = sizes(92_544, [2048, 24, 16, 8, 8192]);
const INTERNLM2_7B: Sizes = sizes(92_544, [4096, 32, 32, 8, 14_336]);
const INTERNLM2_20B: Sizes = sizes(92_544, [6144, 48, 48, 8, 16_384]);

/// `reward_token_id` of the released reward models, `[UNUSED_TOKEN_130]`.
const REWARD_TOKEN_ID: u32 = 92_527;

impl Preset {
    /// Every preset, smallest generation first.
    pub const ALL: [Self; 15] = [
        Self::Tiny,
        Self::InternLm7B,
        Self::InternLm20B,
        Self::InternLm2_1_8B,
        Self::InternLm2_7B,
        Self::InternLm2_20B,
        Self::InternLm2_5_1_8B,
        Self::InternLm2_5_7B,
        Self::InternLm2_5_20B,
        Self::InternLm2_1_8BReward,
        Self::InternLm2_7BReward,
        Self::InternLm2_20BReward,
        Self::InternLm3_8B,
        Self::Llama2_7B,
        Self::Llama3_8B,
    ];

    /// The name on the command line and in documents.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tiny => "tiny",
            Self::InternLm7B => "internlm-7b",
            Self::InternLm20B => "internlm-20b",
            Self::InternLm2_1_8B => "internlm2-1.8b",
            Self::InternLm2_7B => "internlm2-7b",
            Self::InternLm2_20B => "internlm2-20b",
            Self::InternLm2_5_1_8B => "internlm2.5-1.8b",
            Self::InternLm2_5_7B => "internlm2.5-7b",
            Self::InternLm2_5_20B => "internlm2.5-20b",
            Self::InternLm2_1_8BReward => "internlm2-1.8b-reward",
            Self::InternLm2_7BReward => "internlm2-7b-reward",
            Self::InternLm2_20BReward => "internlm2-20b-reward",
            Self::InternLm3_8B => "internlm3-8b",
            Self::Llama2_7B => "llama2-7b",
            Self::Llama3_8B => "llama3-8b",
        }
    }

    /// The configuration of the released checkpoint.
    ///
    /// # Source
    ///
    /// `config.json` of the released repositories and InternEvo's `configs/`.
    pub fn config(self) -> DecoderConfig {
        match self {
            Self::Tiny => internlm2(sizes(384, [96, 3, 6, 2, 224]), RopeScaling::None),
            Self::InternLm7B => internlm(sizes(103_168, [4096, 32, 32, 32, 11_008]), 2048, true),
            Self::InternLm20B => internlm(sizes(103_168, [5120, 60, 40, 40, 13_824]), 4096, false),
            Self::InternLm2_1_8B => internlm2(INTERNLM2_1_8B, RopeScaling::None),
            Self::InternLm2_7B => internlm2(INTERNLM2_7B, RopeScaling::None),
            Self::InternLm2_20B => internlm2(INTERNLM2_20B, RopeScaling::None),
            Self::InternLm2_5_1_8B => internlm2(INTERNLM2_1_8B, dynamic(2.0)),
            Self::InternLm2_5_7B => internlm2(INTERNLM2_7B, dynamic(2.0)),
            Self::InternLm2_5_20B => internlm2(INTERNLM2_20B, dynamic(2.0)),
            Self::InternLm2_1_8BReward => reward(INTERNLM2_1_8B),
            Self::InternLm2_7BReward => reward(INTERNLM2_7B),
            Self::InternLm2_20BReward => reward(INTERNLM2_20B),
            Self::InternLm3_8B => internlm3(),
            Self::Llama2_7B => llama(sizes(32_000, [4096, 32, 32, 32, 11_008]), 4096, 1e4),
            Self::Llama3_8B => llama(sizes(128_256, [4096, 32, 32, 8, 14_336]), 8192, 5e5),
        }
    }
}

const fn dynamic(factor: f64) -> RopeScaling {
    RopeScaling::DynamicNtk { factor }
}

/// A decoder without biases, whose heads fill the residual stream.
fn plain(family: Family, sizes: Sizes, rope: (usize, f64, RopeScaling)) -> DecoderConfig {
    let (max_position_embeddings, theta, scaling) = rope;
    let head_dim = sizes.hidden_size / sizes.n_heads;
    DecoderConfig {
        family,
        vocab_size: sizes.vocab_size,
        hidden_size: sizes.hidden_size,
        n_layers: sizes.n_layers,
        n_heads: sizes.n_heads,
        n_kv_heads: sizes.n_kv_heads,
        head_dim,
        intermediate_size: sizes.intermediate_size,
        max_position_embeddings,
        rms_norm_eps: 1e-5,
        rope: RopeConfig { theta, head_dim, max_position_embeddings, scaling },
        qkv_bias: false,
        output_bias: false,
        mlp_bias: false,
        head: Head::LanguageModel,
        reward_token_id: None,
    }
}

fn internlm(sizes: Sizes, max_position_embeddings: usize, bias: bool) -> DecoderConfig {
    DecoderConfig {
        rms_norm_eps: 1e-6,
        qkv_bias: bias,
        output_bias: bias,
        ..plain(Family::InternLm, sizes, (max_position_embeddings, 1e4, dynamic(1.0)))
    }
}

fn internlm2(sizes: Sizes, scaling: RopeScaling) -> DecoderConfig {
    plain(Family::InternLm2, sizes, (32_768, 1e6, scaling))
}

fn reward(sizes: Sizes) -> DecoderConfig {
    DecoderConfig {
        head: Head::Reward,
        reward_token_id: Some(REWARD_TOKEN_ID),
        ..internlm2(sizes, RopeScaling::None)
    }
}

fn internlm3() -> DecoderConfig {
    plain(Family::InternLm3, sizes(128_512, [4096, 48, 32, 2, 10_240]), (32_768, 5e7, dynamic(6.0)))
}

fn llama(sizes: Sizes, max_position_embeddings: usize, theta: f64) -> DecoderConfig {
    plain(Family::Llama, sizes, (max_position_embeddings, theta, RopeScaling::None))
}

impl fmt::Display for Preset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Preset {
    type Err = ConfigError;

    fn from_str(text: &str) -> Result<Self, ConfigError> {
        Self::ALL.into_iter().find(|preset| preset.name() == text).ok_or_else(|| {
            ConfigError::Value {
                field: "preset".to_owned(),
                expected: Self::ALL.map(Self::name).join(", "),
                found: text.to_owned(),
            }
        })
    }
}
