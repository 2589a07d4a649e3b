//! Checkpoints of random weights: for measurements of speed and memory without a download.

use std::path::{Path, PathBuf};

use burn::tensor::{Device, TensorData, bf16};
use bytes::Bytes;
use safetensors::Dtype;

use super::files::{Content, StoredTensor};
use super::save::{SaveOptions, Stored, write_atomically, write_weights};
use super::{CONFIG, LoadOptions, load, names};
use crate::config::{DecoderConfig, HfConfig};
use crate::decoder::Decoder;
use crate::error::CheckpointError;
use crate::rng::Rng;

/// A uniform number on (-a, a) has the deviation a / sqrt(3).
const HALF_WIDTH: f32 = 0.02 * 1.732_050_8;

/// Writes a bf16 checkpoint of this shape with random weights, one tensor in memory at a time.
///
/// Norms are 1 and other weights uniform with a deviation of 0.02, so that activations stay in the
/// range of a trained model. The same seed gives the same bytes.
///
/// # Errors
///
/// [`CheckpointError`] if the configuration does not fit together or the folder cannot be written.
pub fn write_random(
    folder: impl AsRef<Path>,
    config: &DecoderConfig,
    seed: u64,
) -> Result<(), CheckpointError> {
    let folder = folder.as_ref();
    let path = folder.join(CONFIG);
    config.validate().map_err(|source| CheckpointError::Config { path: path.clone(), source })?;
    std::fs::create_dir_all(folder).map_err(|source| CheckpointError::Io {
        action: "create",
        path: folder.to_owned(),
        source,
    })?;
    let tensors: Vec<Stored<'_>> = draws(config, seed)
        .map(|(name, shape, draw)| {
            let dims = shape.clone();
            let read = Box::new(move || Ok(TensorData::new(draw.values(&dims), dims.clone())));
            Stored { name, dtype: Dtype::BF16, shape, read }
        })
        .collect();
    write_weights(folder, &tensors, SaveOptions::default().max_shard_bytes)?;
    let text = serde_json::to_string_pretty(&HfConfig::from(config))
        .map_err(|source| CheckpointError::Json { path: path.clone(), source })?;
    write_atomically(&path, (text + "\n").as_bytes())
}

impl Decoder {
    /// A model with the weights that [`write_random`] writes, made in memory: one tensor at a time
    /// beside those that are kept.
    ///
    /// # Errors
    ///
    /// [`CheckpointError`] if the configuration does not fit together.
    pub fn random(
        config: &DecoderConfig,
        seed: u64,
        options: &LoadOptions,
        device: &Device,
    ) -> Result<Self, CheckpointError> {
        let path = PathBuf::from("random weights");
        config
            .validate()
            .map_err(|source| CheckpointError::Config { path: path.clone(), source })?;
        let stored = |(name, shape, draw)| {
            let (path, content) = (path.clone(), Content::Random(draw));
            (name, StoredTensor { path, dtype: Dtype::BF16, shape, content })
        };
        let tensors = draws(config, seed).map(stored).collect();
        load::Loader::new(path.clone(), tensors, options, device).load(config, options)
    }
}

/// Name, shape and random numbers of every tensor.
fn draws(config: &DecoderConfig, seed: u64) -> impl Iterator<Item = (String, Vec<usize>, Draw)> {
    names::all(config).into_iter().enumerate().map(move |(index, (name, shape))| {
        // Seeds far apart: neighbouring streams of the generator would overlap.
        let seed = seed ^ ((index as u64) << 32);
        let is_norm = name.ends_with("norm.weight");
        (name, shape, Draw { is_norm, seed })
    })
}

/// Random numbers of one tensor.
#[derive(Clone, Copy)]
pub(super) struct Draw {
    is_norm: bool,
    seed: u64,
}

impl Draw {
    fn values(self, shape: &[usize]) -> Vec<bf16> {
        let n: usize = shape.iter().product();
        if self.is_norm {
            return vec![bf16::ONE; n];
        }
        let mut rng = Rng::new(self.seed);
        (0..n).map(|_| bf16::from_f32(rng.uniform() * HALF_WIDTH)).collect()
    }

    /// The values as a file would have them.
    pub(super) fn bytes(self, shape: &[usize]) -> Bytes {
        bytemuck::cast_slice(&self.values(shape)).to_vec().into()
    }
}
