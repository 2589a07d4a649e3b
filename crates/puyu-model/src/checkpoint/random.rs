//! Checkpoints of random weights: for measurements of speed and memory without a download.

use std::path::Path;

use burn::tensor::{TensorData, bf16};
use safetensors::Dtype;

use super::save::{SaveOptions, Stored, write_atomically, write_weights};
use super::{CONFIG, names};
use crate::config::{DecoderConfig, HfConfig};
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
    let tensors: Vec<Stored<'_>> = names::all(config)
        .into_iter()
        .enumerate()
        .map(|(index, (name, shape))| {
            // Seeds far apart: neighbouring streams of the generator would overlap.
            let seed = seed ^ ((index as u64) << 32);
            let is_norm = name.ends_with("norm.weight");
            let dims = shape.clone();
            let read = Box::new(move || Ok(random(&dims, is_norm, seed)));
            Stored { name, dtype: Dtype::BF16, shape, read }
        })
        .collect();
    write_weights(folder, &tensors, SaveOptions::default().max_shard_bytes)?;
    let text = serde_json::to_string_pretty(&HfConfig::from(config))
        .map_err(|source| CheckpointError::Json { path: path.clone(), source })?;
    write_atomically(&path, (text + "\n").as_bytes())
}

fn random(shape: &[usize], is_norm: bool, seed: u64) -> TensorData {
    let n: usize = shape.iter().product();
    let values: Vec<bf16> = if is_norm {
        vec![bf16::ONE; n]
    } else {
        let mut rng = Rng::new(seed);
        (0..n).map(|_| bf16::from_f32(rng.uniform() * HALF_WIDTH)).collect()
    };
    TensorData::new(values, shape.to_vec())
}
