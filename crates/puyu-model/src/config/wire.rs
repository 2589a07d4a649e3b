//! `config.json` as Hugging Face repositories write it.

use serde::{Deserialize, Serialize};

use super::{DecoderConfig, Family, Head, RopeConfig, RopeScaling};
use crate::error::ConfigError;

/// The fields of `config.json` that decide shape and arithmetic. Others are ignored.
///
/// Every field is optional here, so that the error for a missing one can say which and for whom.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct HfConfig {
    /// `internlm`, `internlm2`, `internlm3` or `llama`.
    pub model_type: Option<String>,
    /// Class names, of which `InternLM2ForRewardModel` decides the head.
    pub architectures: Option<Vec<String>>,
    /// Rows of the embedding.
    pub vocab_size: Option<usize>,
    /// Width of the residual stream.
    pub hidden_size: Option<usize>,
    /// Width of the feed-forward part.
    pub intermediate_size: Option<usize>,
    /// Decoder layers.
    pub num_hidden_layers: Option<usize>,
    /// Query heads.
    pub num_attention_heads: Option<usize>,
    /// Key/value heads; as many as query heads where absent.
    pub num_key_value_heads: Option<usize>,
    /// Head width; `hidden_size / num_attention_heads` where absent.
    pub head_dim: Option<usize>,
    /// Trained length, in tokens.
    pub max_position_embeddings: Option<usize>,
    /// Term inside the root of RMSNorm.
    pub rms_norm_eps: Option<f64>,
    /// Base of the rotation frequencies.
    pub rope_theta: Option<f64>,
    /// Stretching of the frequencies.
    pub rope_scaling: Option<HfRopeScaling>,
    /// InternLM 1's name for base and scaling.
    pub rotary: Option<HfRotary>,
    /// Biases of attention in InternLM 1; of the output and the feed-forward part in InternLM3.
    pub bias: Option<bool>,
    /// Biases of query, key and value in InternLM3.
    pub qkv_bias: Option<bool>,
    /// Biases of attention in Llama.
    pub attention_bias: Option<bool>,
    /// Biases of the feed-forward part in Llama.
    pub mlp_bias: Option<bool>,
    /// Whether the head is the embedding matrix.
    pub tie_word_embeddings: Option<bool>,
    /// Activation, of which only `silu` exists in the family.
    pub hidden_act: Option<String>,
    /// Token that a reward model scores.
    pub reward_token_id: Option<u32>,
    /// How the weights were quantized, if they were.
    pub quantization_config: Option<HfQuantization>,
}

/// `rope_scaling` of `config.json`, with the old and the new name of its kind.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct HfRopeScaling {
    /// Old name of the kind.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// New name of the kind.
    pub rope_type: Option<String>,
    /// See [`RopeScaling`].
    pub factor: Option<f64>,
    /// See [`RopeScaling::Llama3`].
    pub low_freq_factor: Option<f64>,
    /// See [`RopeScaling::Llama3`].
    pub high_freq_factor: Option<f64>,
    /// See [`RopeScaling::Llama3`] and [`RopeScaling::Yarn`].
    pub original_max_position_embeddings: Option<f64>,
    /// See [`RopeScaling::Yarn`].
    pub attention_factor: Option<f64>,
    /// See [`RopeScaling::Yarn`].
    pub beta_fast: Option<f64>,
    /// See [`RopeScaling::Yarn`].
    pub beta_slow: Option<f64>,
}

/// `rotary` of InternLM 1's `config.json`.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct HfRotary {
    /// Base of the frequencies.
    pub base: Option<f64>,
    /// `origin` or `dynamic`.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// Slope of dynamic scaling; 1 where absent.
    pub scaling_factor: Option<f64>,
}

/// `quantization_config` of `config.json`.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct HfQuantization {
    /// `awq`, `gptq`, …
    pub quant_method: Option<String>,
    /// Layout within the method; `gemm` for AWQ.
    pub version: Option<String>,
    /// Bits of a weight.
    pub bits: Option<usize>,
    /// Input weights that share a scale; -1 where all do.
    pub group_size: Option<i64>,
    /// Whether groups carry a zero point.
    pub zero_point: Option<bool>,
}

impl HfConfig {
    fn family(&self) -> Result<Family, ConfigError> {
        let model_type = required("model_type", self.model_type.as_deref())?;
        match model_type {
            "internlm" => Ok(Family::InternLm),
            "internlm2" => Ok(Family::InternLm2),
            "internlm3" => Ok(Family::InternLm3),
            "llama" => Ok(Family::Llama),
            found => Err(ConfigError::UnknownModelType { found: found.to_owned() }),
        }
    }

    fn head(&self) -> Head {
        let is_reward = self
            .architectures
            .iter()
            .flatten()
            .any(|architecture| architecture.ends_with("ForRewardModel"));
        match (is_reward, self.tie_word_embeddings.unwrap_or(false)) {
            (true, _) => Head::Reward,
            (false, true) => Head::TiedLanguageModel,
            (false, false) => Head::LanguageModel,
        }
    }

    fn rope(
        &self,
        head_dim: usize,
        max_position_embeddings: usize,
    ) -> Result<RopeConfig, ConfigError> {
        let rotary = self.rotary.clone().unwrap_or_default();
        let theta = self.rope_theta.or(rotary.base).unwrap_or(10_000.0);
        let scaling = match (&self.rope_scaling, rotary.kind.as_deref()) {
            (Some(scaling), _) => scaling.to_scaling(max_position_embeddings)?,
            (None, Some("dynamic")) => {
                RopeScaling::DynamicNtk { factor: rotary.scaling_factor.unwrap_or(1.0) }
            }
            (None, None | Some("origin")) => RopeScaling::None,
            (None, Some(found)) => {
                return Err(ConfigError::Value {
                    field: "rotary.type".to_owned(),
                    expected: "`origin` or `dynamic`".to_owned(),
                    found: found.to_owned(),
                });
            }
        };
        Ok(RopeConfig { theta, head_dim, max_position_embeddings, scaling })
    }
}

impl HfRopeScaling {
    fn to_scaling(&self, max_position_embeddings: usize) -> Result<RopeScaling, ConfigError> {
        let kind = self.rope_type.as_deref().or(self.kind.as_deref()).unwrap_or("default");
        let factor = || required("rope_scaling.factor", self.factor);
        let original =
            self.original_max_position_embeddings.unwrap_or(max_position_embeddings as f64);
        match kind {
            "default" => Ok(RopeScaling::None),
            "linear" => Ok(RopeScaling::Linear { factor: factor()? }),
            "dynamic" => Ok(RopeScaling::DynamicNtk { factor: factor()? }),
            "llama3" => Ok(RopeScaling::Llama3 {
                factor: factor()?,
                low_freq_factor: required("rope_scaling.low_freq_factor", self.low_freq_factor)?,
                high_freq_factor: required("rope_scaling.high_freq_factor", self.high_freq_factor)?,
                original_max_position_embeddings: required(
                    "rope_scaling.original_max_position_embeddings",
                    self.original_max_position_embeddings,
                )?,
            }),
            "yarn" => {
                let factor = factor()?;
                Ok(RopeScaling::Yarn {
                    factor,
                    original_max_position_embeddings: original,
                    attention_factor: self.attention_factor.unwrap_or(0.1 * factor.ln() + 1.0),
                    beta_fast: self.beta_fast.unwrap_or(32.0),
                    beta_slow: self.beta_slow.unwrap_or(1.0),
                })
            }
            found => Err(ConfigError::Value {
                field: "rope_scaling.rope_type".to_owned(),
                expected: "`default`, `linear`, `dynamic`, `llama3` or `yarn`".to_owned(),
                found: found.to_owned(),
            }),
        }
    }
}

impl TryFrom<&HfConfig> for DecoderConfig {
    type Error = ConfigError;

    fn try_from(wire: &HfConfig) -> Result<Self, ConfigError> {
        let family = wire.family()?;
        if let Some(found) = wire.hidden_act.as_deref().filter(|act| *act != "silu") {
            return Err(ConfigError::Value {
                field: "hidden_act".to_owned(),
                expected: "`silu`".to_owned(),
                found: found.to_owned(),
            });
        }
        let hidden_size = required("hidden_size", wire.hidden_size)?;
        let n_heads = required("num_attention_heads", wire.num_attention_heads)?;
        let head_dim = match wire.head_dim {
            Some(head_dim) => head_dim,
            None if n_heads > 0 && hidden_size.is_multiple_of(n_heads) => hidden_size / n_heads,
            None => {
                return Err(ConfigError::Value {
                    field: "hidden_size".to_owned(),
                    expected: format!("a multiple of num_attention_heads {n_heads}"),
                    found: hidden_size.to_string(),
                });
            }
        };
        let max_position_embeddings =
            required("max_position_embeddings", wire.max_position_embeddings)?;
        let bias = wire.bias.unwrap_or(family == Family::InternLm);
        let (qkv_bias, output_bias, mlp_bias) = match family {
            Family::InternLm => (bias, bias, false),
            Family::InternLm2 => (bias, bias, false),
            Family::InternLm3 => (wire.qkv_bias.unwrap_or(false), bias, bias),
            Family::Llama => {
                let attention = wire.attention_bias.unwrap_or(false);
                (attention, attention, wire.mlp_bias.unwrap_or(false))
            }
        };
        let config = Self {
            family,
            vocab_size: required("vocab_size", wire.vocab_size)?,
            hidden_size,
            n_layers: required("num_hidden_layers", wire.num_hidden_layers)?,
            n_heads,
            n_kv_heads: wire.num_key_value_heads.unwrap_or(n_heads),
            head_dim,
            intermediate_size: required("intermediate_size", wire.intermediate_size)?,
            max_position_embeddings,
            rms_norm_eps: required("rms_norm_eps", wire.rms_norm_eps)?,
            rope: wire.rope(head_dim, max_position_embeddings)?,
            qkv_bias,
            output_bias,
            mlp_bias,
            head: wire.head(),
            reward_token_id: wire.reward_token_id,
        };
        config.validate()?;
        Ok(config)
    }
}

fn required<T>(field: &'static str, value: Option<T>) -> Result<T, ConfigError> {
    value.ok_or(ConfigError::MissingField { field })
}

impl From<&DecoderConfig> for HfConfig {
    /// The fields that read back as the same [`DecoderConfig`].
    fn from(config: &DecoderConfig) -> Self {
        let architecture = match (config.family, config.head) {
            (_, Head::Reward) => "InternLM2ForRewardModel",
            (Family::InternLm, _) => "InternLMForCausalLM",
            (Family::InternLm2, _) => "InternLM2ForCausalLM",
            (Family::InternLm3, _) => "InternLM3ForCausalLM",
            (Family::Llama, _) => "LlamaForCausalLM",
        };
        Self {
            model_type: Some(config.family.model_type().to_owned()),
            architectures: Some(vec![architecture.to_owned()]),
            vocab_size: Some(config.vocab_size),
            hidden_size: Some(config.hidden_size),
            intermediate_size: Some(config.intermediate_size),
            num_hidden_layers: Some(config.n_layers),
            num_attention_heads: Some(config.n_heads),
            num_key_value_heads: Some(config.n_kv_heads),
            head_dim: Some(config.head_dim),
            max_position_embeddings: Some(config.max_position_embeddings),
            rms_norm_eps: Some(config.rms_norm_eps),
            rope_theta: Some(config.rope.theta),
            rope_scaling: HfRopeScaling::of(config.rope.scaling)
                .filter(|_| HfRotary::of(config).is_none()),
            rotary: HfRotary::of(config),
            bias: match config.family {
                Family::InternLm | Family::InternLm2 => Some(config.qkv_bias),
                Family::InternLm3 => Some(config.output_bias),
                Family::Llama => None,
            },
            qkv_bias: (config.family == Family::InternLm3).then_some(config.qkv_bias),
            attention_bias: (config.family == Family::Llama).then_some(config.qkv_bias),
            mlp_bias: (config.family == Family::Llama).then_some(config.mlp_bias),
            tie_word_embeddings: Some(config.head == Head::TiedLanguageModel),
            hidden_act: Some("silu".to_owned()),
            reward_token_id: config.reward_token_id,
            quantization_config: None,
        }
    }
}

impl HfRotary {
    /// Base and scaling in the words that the published code of InternLM 1 reads, where it has
    /// words for them.
    fn of(config: &DecoderConfig) -> Option<Self> {
        let (kind, scaling_factor) = match config.rope.scaling {
            _ if config.family != Family::InternLm => return None,
            RopeScaling::None => ("origin", None),
            RopeScaling::DynamicNtk { factor } => ("dynamic", Some(factor)),
            _ => return None,
        };
        Some(Self { base: Some(config.rope.theta), kind: Some(kind.to_owned()), scaling_factor })
    }
}

impl HfRopeScaling {
    fn of(scaling: RopeScaling) -> Option<Self> {
        let named = |name: &str, factor| Self {
            kind: Some(name.to_owned()),
            rope_type: Some(name.to_owned()),
            factor: Some(factor),
            ..Self::default()
        };
        match scaling {
            RopeScaling::None => None,
            RopeScaling::Linear { factor } => Some(named("linear", factor)),
            RopeScaling::DynamicNtk { factor } => Some(named("dynamic", factor)),
            RopeScaling::Llama3 {
                factor,
                low_freq_factor,
                high_freq_factor,
                original_max_position_embeddings,
            } => Some(Self {
                low_freq_factor: Some(low_freq_factor),
                high_freq_factor: Some(high_freq_factor),
                original_max_position_embeddings: Some(original_max_position_embeddings),
                ..named("llama3", factor)
            }),
            RopeScaling::Yarn {
                factor,
                original_max_position_embeddings,
                attention_factor,
                beta_fast,
                beta_slow,
            } => Some(Self {
                original_max_position_embeddings: Some(original_max_position_embeddings),
                attention_factor: Some(attention_factor),
                beta_fast: Some(beta_fast),
                beta_slow: Some(beta_slow),
                ..named("yarn", factor)
            }),
        }
    }
}
