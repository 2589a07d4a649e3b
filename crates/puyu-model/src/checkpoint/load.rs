//! From stored tensors to a decoder.

use std::collections::HashMap;
use std::path::PathBuf;

use burn::module::Param;
use burn::tensor::{AllocationProperty, Bytes, DType, Device, Tensor, TensorData};
use puyu_kernels::{QuantFormat, QuantShape};
use safetensors::Dtype;

use super::files::{self, StoredTensor};
use super::names::{self, QkvNames};
use super::{Checkpoint, LoadOptions, WeightDtype, awq, packed};
use crate::config::{DecoderConfig, Head};
use crate::decoder::{
    Decoder, DecoderLayer, Linear, LinearWeight, Mlp, QkvProjection, QuantizedWeight, RmsNorm,
    SelfAttention, SeparateQkv,
};
use crate::error::CheckpointError;

pub(super) fn load(
    checkpoint: &Checkpoint,
    options: &LoadOptions,
    device: &Device,
) -> Result<Decoder, CheckpointError> {
    let quantization = checkpoint.quantization.as_ref();
    let awq = quantization
        .map(|found| awq::Awq::new(found, &checkpoint.folder.join(super::CONFIG)))
        .transpose()?;
    let tensors = files::stored_tensors(&checkpoint.folder)?;
    let packed = packed::open_or_write(checkpoint, &tensors, options)?;
    let mut loader = Loader::new(checkpoint.folder.clone(), tensors, options, device);
    loader.awq = awq;
    loader.packed = packed;
    let decoder = loader.load(&checkpoint.config, options)?;
    tracing::info!(
        folder = %checkpoint.folder.display(),
        parameters = checkpoint.config.n_parameters(),
        "loaded model"
    );
    Ok(decoder)
}

/// Hands out tensors by name; what remains at the end has no place in the model.
pub(super) struct Loader {
    folder: PathBuf,
    tensors: HashMap<String, StoredTensor>,
    weights: WeightDtype,
    awq: Option<awq::Awq>,
    /// Matrices that are quantised already.
    packed: packed::Matrices,
    device: Device,
}

impl Loader {
    pub(super) fn new(
        folder: PathBuf,
        tensors: HashMap<String, StoredTensor>,
        options: &LoadOptions,
        device: &Device,
    ) -> Self {
        let (weights, device) = (options.weights, device.clone());
        Self { folder, tensors, weights, awq: None, packed: packed::Matrices::new(), device }
    }

    /// Makes the model of all tensors.
    pub(super) fn load(
        mut self,
        config: &DecoderConfig,
        options: &LoadOptions,
    ) -> Result<Decoder, CheckpointError> {
        let decoder = self.decoder(config, options)?;
        self.finish(config)?;
        Ok(decoder)
    }

    fn decoder(
        &mut self,
        config: &DecoderConfig,
        options: &LoadOptions,
    ) -> Result<Decoder, CheckpointError> {
        let root = names::root(config);
        let d = config.hidden_size;
        let embedding = self.tensor(root.embedding, [config.vocab_size, d])?;
        // Before the layers, since it is the largest: where it is quantised, the little of the model that is
        // in memory by then makes room for its floats.
        let head = match config.head {
            Head::LanguageModel => Some(self.linear(root.head, [config.vocab_size, d], false)?),
            Head::Reward => Some(self.linear(root.head, [1, d], false)?),
            Head::TiedLanguageModel => None,
        };
        let layers: Result<Vec<_>, _> =
            (0..config.n_layers).map(|index| self.layer(config, index)).collect();
        Ok(Decoder {
            embedding: Param::from_tensor(embedding),
            layers: layers?,
            norm: self.norm(root.norm, config)?,
            head,
            config: config.clone(),
            compute: options.compute.dtype(),
        })
    }

    fn layer(
        &mut self,
        config: &DecoderConfig,
        index: usize,
    ) -> Result<DecoderLayer, CheckpointError> {
        let names = names::layer(config.family, index);
        let (d, f) = (config.hidden_size, config.intermediate_size);
        let (q, kv) = (config.query_width(), config.kv_width());
        let qkv_bias = config.qkv_bias;
        let qkv = match &names.qkv {
            QkvNames::Packed(name) => {
                QkvProjection::Packed(self.linear(name, [q + 2 * kv, d], qkv_bias)?)
            }
            QkvNames::Separate { query, key, value } => QkvProjection::Separate(SeparateQkv {
                query: self.linear(query, [q, d], qkv_bias)?,
                key: self.linear(key, [kv, d], qkv_bias)?,
                value: self.linear(value, [kv, d], qkv_bias)?,
            }),
        };
        Ok(DecoderLayer {
            attention_norm: self.norm(&names.attention_norm, config)?,
            attention: SelfAttention {
                qkv,
                output: self.linear(&names.output, [d, q], config.output_bias)?,
                n_heads: config.n_heads,
                n_kv_heads: config.n_kv_heads,
                head_dim: config.head_dim,
            },
            mlp_norm: self.norm(&names.mlp_norm, config)?,
            mlp: Mlp {
                gate: self.linear(&names.gate, [f, d], config.mlp_bias)?,
                up: self.linear(&names.up, [f, d], config.mlp_bias)?,
                down: self.linear(&names.down, [d, f], config.mlp_bias)?,
            },
        })
    }

    fn norm(&mut self, name: &str, config: &DecoderConfig) -> Result<RmsNorm, CheckpointError> {
        let weight = self.tensor(name, [config.hidden_size])?;
        Ok(RmsNorm::new(weight, config.rms_norm_eps))
    }

    fn linear(
        &mut self,
        name: &str,
        shape: [usize; 2],
        has_bias: bool,
    ) -> Result<Linear, CheckpointError> {
        let bias = if has_bias {
            Some(Param::from_tensor(self.tensor(&format!("{name}.bias"), [shape[0]])?))
        } else {
            None
        };
        let is_packed = self.tensors.contains_key(&format!("{name}.qweight"));
        let weight = match (self.awq, is_packed, self.weights.format()) {
            (Some(awq), true, _) => float(self.dequantized(name, shape, awq)?),
            (_, _, None) => float(self.tensor(&format!("{name}.weight"), shape)?),
            (_, _, Some(format)) => {
                LinearWeight::Quantized(self.quantized(&format!("{name}.weight"), shape, format)?)
            }
        };
        Ok(Linear { weight, bias })
    }

    /// Takes a matrix and quantises it. Besides the file's own memory, which the system may drop,
    /// only the result takes memory.
    fn quantized(
        &mut self,
        name: &str,
        [out, input]: [usize; 2],
        format: QuantFormat,
    ) -> Result<QuantizedWeight, CheckpointError> {
        let stored = self.take(name, &[out, input], FLOATS_EXPECTED, &FLOATS)?;
        let shape = QuantShape { m: out, k: input, format };
        let Some(n_bytes) = shape.n_bytes().filter(|_| out > 0 && input > 0) else {
            return Err(CheckpointError::Shape {
                path: stored.path,
                name: name.to_owned(),
                expected: vec![1, 1],
                found: stored.shape,
            });
        };
        let packed = match self.packed.remove(name) {
            Some(mapped) => Bytes::from_shared(mapped, AllocationProperty::File),
            None => Bytes::from_bytes_vec(packed::quantize(&stored, shape, n_bytes)),
        };
        Ok(QuantizedWeight::new(packed, shape, &self.device))
    }

    fn dequantized(
        &mut self,
        name: &str,
        [out, input]: [usize; 2],
        awq: awq::Awq,
    ) -> Result<Tensor<2>, CheckpointError> {
        let [qweight, qzeros, scales] = awq.shapes((&self.folder, name), [out, input])?;
        let qweight = self.take(&format!("{name}.qweight"), &qweight, "I32", &[Dtype::I32])?;
        let qzeros = self.take(&format!("{name}.qzeros"), &qzeros, "I32", &[Dtype::I32])?;
        let scales = self.take(&format!("{name}.scales"), &scales, "F16", &[Dtype::F16])?;
        let values =
            awq.dequantize([&qweight.bytes(), &qzeros.bytes(), &scales.bytes()], [out, input]);
        let data = TensorData::new(values, [out, input]);
        Ok(Tensor::from_data(data, (&self.device, self.target(DType::F32))))
    }

    /// Takes a float tensor of exactly this shape.
    fn tensor<const D: usize>(
        &mut self,
        name: &str,
        shape: [usize; D],
    ) -> Result<Tensor<D>, CheckpointError> {
        let stored = self.take(name, &shape, FLOATS_EXPECTED, &FLOATS)?;
        let dtype = dtype_of(stored.dtype);
        let data = TensorData::from_bytes(shared_or_copied(stored.bytes(), dtype), shape, dtype);
        Ok(Tensor::from_data(data, (&self.device, self.target(dtype))))
    }

    fn take(
        &mut self,
        name: &str,
        shape: &[usize],
        expected: &'static str,
        accepted: &[Dtype],
    ) -> Result<StoredTensor, CheckpointError> {
        let Some(stored) = self.tensors.remove(name) else {
            return Err(CheckpointError::MissingTensor {
                folder: self.folder.clone(),
                name: name.to_owned(),
                expected: shape.to_vec(),
            });
        };
        if stored.shape != shape {
            return Err(CheckpointError::Shape {
                path: stored.path,
                name: name.to_owned(),
                expected: shape.to_vec(),
                found: stored.shape,
            });
        }
        if !accepted.contains(&stored.dtype) {
            return Err(CheckpointError::Dtype {
                path: stored.path,
                name: name.to_owned(),
                expected,
                found: stored.dtype,
            });
        }
        Ok(stored)
    }

    /// The type in memory of a tensor stored as `stored`.
    fn target(&self, stored: DType) -> DType {
        let wanted = match self.weights {
            WeightDtype::Stored
            | WeightDtype::Int8
            | WeightDtype::Int4
            | WeightDtype::Int4Group128 => stored,
            WeightDtype::F32 => DType::F32,
            WeightDtype::Bf16 => DType::BF16,
            WeightDtype::F16 => DType::F16,
        };
        if self.device.supports_dtype(wanted) { wanted } else { DType::F32 }
    }

    /// Refuses tensors that found no place: a bias or a head that the configuration denies would
    /// otherwise silently change every answer.
    fn finish(self, config: &DecoderConfig) -> Result<(), CheckpointError> {
        let tied_head = (config.head == Head::TiedLanguageModel)
            .then(|| format!("{}.weight", names::root(config).head));
        let mut left: Vec<(String, StoredTensor)> = self
            .tensors
            .into_iter()
            .filter(|(name, _)| !names::is_computed(name) && Some(name) != tied_head.as_ref())
            .collect();
        left.sort_by(|(a, _), (b, _)| a.cmp(b));
        match left.into_iter().next() {
            None => Ok(()),
            Some((name, StoredTensor { path, shape: found, .. })) => {
                Err(CheckpointError::UnexpectedTensor { path, name, found })
            }
        }
    }
}

/// Types of tensors that are floats.
pub(super) const FLOATS: [Dtype; 3] = [Dtype::F32, Dtype::BF16, Dtype::F16];

/// [`FLOATS`], in words.
const FLOATS_EXPECTED: &str = "F32, BF16 or F16";

/// The tensor library's name of one of [`FLOATS`].
pub(super) fn dtype_of(stored: Dtype) -> DType {
    match stored {
        Dtype::BF16 => DType::BF16,
        Dtype::F16 => DType::F16,
        _ => DType::F32,
    }
}

fn float(weight: Tensor<2>) -> LinearWeight {
    LinearWeight::Float(Param::from_tensor(weight))
}

/// The file's own memory where its elements are aligned, else a copy.
///
/// Writers align tensors to 8 bytes or more; a file that does not still loads.
pub(super) fn shared_or_copied(bytes: bytes::Bytes, dtype: DType) -> Bytes {
    if (bytes.as_ptr() as usize).is_multiple_of(dtype.size()) {
        Bytes::from_shared(bytes, AllocationProperty::File)
    } else {
        Bytes::from_bytes_vec(bytes.to_vec())
    }
}
