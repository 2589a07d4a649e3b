//! Fresh weights.

use burn::module::Param;
use burn::tensor::{DType, Device, Tensor, TensorData};

use super::attention::{QkvProjection, SelfAttention, SeparateQkv};
use super::{Decoder, DecoderLayer, Linear, LinearWeight, Mlp, RmsNorm};
use crate::config::{DecoderConfig, Head};
use crate::error::ConfigError;
use crate::rng::Rng;

/// Standard deviation of fresh weights, `initializer_range` of the released configurations.
const INITIALIZER_RANGE: f32 = 0.02;

impl Decoder {
    /// A model with fresh `f32` weights: normal with deviation 0.02, norms 1, biases 0.
    ///
    /// The same seed gives the same weights on every device.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if the configuration does not fit together.
    ///
    /// # Source
    ///
    /// `_init_weights` in `modeling_internlm2.py` of `internlm/internlm2-7b`.
    pub fn init(config: &DecoderConfig, seed: u64, device: &Device) -> Result<Self, ConfigError> {
        config.validate()?;
        let mut fresh = Fresh { device, rng: Rng::new(seed) };
        let (d, f) = (config.hidden_size, config.intermediate_size);
        let embedding = fresh.matrix([config.vocab_size, d]);
        let layer = |fresh: &mut Fresh<'_>| DecoderLayer {
            attention_norm: fresh.norm(d, config),
            attention: SelfAttention {
                qkv: fresh.qkv(config),
                output: fresh.linear([d, config.query_width()], config.output_bias),
                n_heads: config.n_heads,
                n_kv_heads: config.n_kv_heads,
                head_dim: config.head_dim,
            },
            mlp_norm: fresh.norm(d, config),
            mlp: Mlp {
                gate: fresh.linear([f, d], config.mlp_bias),
                up: fresh.linear([f, d], config.mlp_bias),
                down: fresh.linear([d, f], config.mlp_bias),
            },
        };
        Ok(Self {
            embedding,
            layers: (0..config.n_layers).map(|_index| layer(&mut fresh)).collect(),
            norm: fresh.norm(d, config),
            head: match config.head {
                Head::LanguageModel => Some(fresh.linear([config.vocab_size, d], false)),
                Head::Reward => Some(fresh.linear([1, d], false)),
                Head::TiedLanguageModel => None,
            },
            config: config.clone(),
            compute: DType::F32,
        })
    }
}

struct Fresh<'a> {
    device: &'a Device,
    rng: Rng,
}

impl Fresh<'_> {
    fn matrix(&mut self, [out, input]: [usize; 2]) -> Param<Tensor<2>> {
        let values: Vec<f32> =
            (0..out * input).map(|_| self.rng.normal() * INITIALIZER_RANGE).collect();
        let data = TensorData::new(values, [out, input]);
        Param::from_tensor(Tensor::from_data(data, (self.device, DType::F32)))
    }

    fn linear(&mut self, shape: [usize; 2], has_bias: bool) -> Linear {
        let weight = self.matrix(shape);
        let zeros = || Param::from_tensor(Tensor::zeros([shape[0]], (self.device, DType::F32)));
        Linear { weight: LinearWeight::Float(weight), bias: has_bias.then(zeros) }
    }

    fn norm(&self, width: usize, config: &DecoderConfig) -> RmsNorm {
        RmsNorm::new(Tensor::ones([width], (self.device, DType::F32)), config.rms_norm_eps)
    }

    fn qkv(&mut self, config: &DecoderConfig) -> QkvProjection {
        let (d, q, kv) = (config.hidden_size, config.query_width(), config.kv_width());
        if config.family.has_packed_qkv() {
            return QkvProjection::Packed(self.linear([q + 2 * kv, d], config.qkv_bias));
        }
        QkvProjection::Separate(SeparateQkv {
            query: self.linear([q, d], config.qkv_bias),
            key: self.linear([kv, d], config.qkv_bias),
            value: self.linear([kv, d], config.qkv_bias),
        })
    }
}
