//! Hugging Face model folders: opened, loaded, saved.

mod awq;
mod files;
mod load;
mod mmap;
mod names;
mod packed;
mod random;
mod save;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use burn::tensor::{DType, Device};
use puyu_kernels::{Group, QuantFormat};

use crate::config::{DecoderConfig, GenerationConfig, HfConfig, HfQuantization};
use crate::decoder::Decoder;
use crate::error::CheckpointError;

pub use random::write_random;
pub use save::SaveOptions;

const CONFIG: &str = "config.json";
const GENERATION_CONFIG: &str = "generation_config.json";

/// A model folder whose configuration has been read. Weights are read by [`load`](Self::load).
///
/// # Examples
///
/// ```no_run
/// use burn::tensor::Device;
/// use puyu_model::{Checkpoint, LoadOptions};
///
/// let checkpoint = Checkpoint::open("internlm2-chat-1_8b")?;
/// let model = checkpoint.load(&LoadOptions::default(), &Device::flex())?;
/// # Ok::<(), puyu_model::CheckpointError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Checkpoint {
    folder: PathBuf,
    config: DecoderConfig,
    quantization: Option<HfQuantization>,
    config_json: String,
    generation: Option<(GenerationConfig, String)>,
}

/// How weights are placed in memory.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct LoadOptions {
    /// The type of weights in memory. As stored by default: on the CPU such weights stay in the
    /// memory-mapped file and cost no copy.
    pub weights: WeightDtype,
    /// The type of activations. `f32` by default, which reproduces the original's `f32` run even
    /// on bf16 weights.
    pub compute: ComputeDtype,
    /// Folder that keeps quantised matrices from one start to the next: the first load writes them
    /// there, later ones map the file into memory, in well under a second. Made if absent; a file
    /// of other weights or another format is not used. `None` by default, which writes nothing.
    pub packed_folder: Option<PathBuf>,
}

/// The type of weights in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum WeightDtype {
    /// Each tensor as its file has it, if the device can hold that type, else `f32`.
    #[default]
    Stored,
    /// 32-bit floats.
    F32,
    /// Brain floats: 8 bits of exponent, 7 of fraction.
    Bf16,
    /// Half floats: 5 bits of exponent, 10 of fraction.
    F16,
    /// The matrices of layers and head as 8-bit integers, the rest as stored; quantised one by one
    /// while they are read. 8.5 bits a weight. Matrices that the file has in 4 bits (AWQ) are
    /// turned into floats, as they are with [`Stored`](Self::Stored).
    Int8,
    /// The same with 4-bit integers in groups of 32. 4.5 bits a weight.
    Int4,
    /// The same with 4-bit integers in groups of 128. 4.125 bits a weight, further from the
    /// original than [`Int4`](Self::Int4).
    Int4Group128,
}

impl WeightDtype {
    /// The format of matrices, if they are quantised.
    fn format(self) -> Option<QuantFormat> {
        match self {
            Self::Stored | Self::F32 | Self::Bf16 | Self::F16 => None,
            Self::Int8 => Some(QuantFormat::Int8 { group: Group::Of32 }),
            Self::Int4 => Some(QuantFormat::Int4 { group: Group::Of32 }),
            Self::Int4Group128 => Some(QuantFormat::Int4 { group: Group::Of128 }),
        }
    }
}

/// The type of activations between operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum ComputeDtype {
    /// 32-bit floats.
    #[default]
    F32,
    /// Brain floats; sums inside an operation are `f32` on the CPU.
    Bf16,
    /// Half floats; sums inside an operation are `f32` on the CPU.
    F16,
}

impl ComputeDtype {
    fn dtype(self) -> DType {
        match self {
            Self::F32 => DType::F32,
            Self::Bf16 => DType::BF16,
            Self::F16 => DType::F16,
        }
    }
}

impl Checkpoint {
    /// Reads `config.json` and, where present, `generation_config.json`.
    ///
    /// # Errors
    ///
    /// [`CheckpointError`] if a file is missing, too large, damaged, or describes no model that
    /// this crate knows.
    pub fn open(folder: impl AsRef<Path>) -> Result<Self, CheckpointError> {
        let folder = folder.as_ref();
        let path = folder.join(CONFIG);
        let config_json = files::read_text(&path, files::CONFIG_LIMIT_BYTES)?;
        let wire: HfConfig = files::parse(&path, &config_json)?;
        let config = DecoderConfig::try_from(&wire)
            .map_err(|source| CheckpointError::Config { path, source })?;
        Ok(Self {
            folder: folder.to_owned(),
            config,
            quantization: wire.quantization_config,
            config_json,
            generation: read_generation(folder)?,
        })
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Shape and arithmetic of the model.
    pub fn config(&self) -> &DecoderConfig {
        &self.config
    }

    /// The authors' sampling defaults, where the folder has them.
    pub fn generation(&self) -> Option<&GenerationConfig> {
        self.generation.as_ref().map(|(config, _text)| config)
    }

    /// Options that save a model with this folder's own configuration files, byte for byte.
    ///
    /// A model read from quantized weights is saved as the plain weights it was turned into, with
    /// a configuration of its own.
    pub fn save_options(&self) -> SaveOptions {
        SaveOptions {
            config_json: self.quantization.is_none().then(|| self.config_json.clone()),
            generation_config_json: self.generation.as_ref().map(|(_config, text)| text.clone()),
            ..SaveOptions::default()
        }
    }

    /// Reads the weights onto `device`.
    ///
    /// On the CPU, weights that keep their stored type stay in the memory-mapped files: loading
    /// reads headers only, and processes that open the same folder share the memory. The files
    /// must not be truncated meanwhile.
    ///
    /// # Errors
    ///
    /// [`CheckpointError`] naming the file and tensor that is missing, superfluous, or of another
    /// shape or type than the configuration says.
    pub fn load(&self, options: &LoadOptions, device: &Device) -> Result<Decoder, CheckpointError> {
        load::load(self, options, device)
    }
}

fn read_generation(folder: &Path) -> Result<Option<(GenerationConfig, String)>, CheckpointError> {
    let path = folder.join(GENERATION_CONFIG);
    if !path.exists() {
        return Ok(None);
    }
    let text = files::read_text(&path, files::CONFIG_LIMIT_BYTES)?;
    Ok(Some((files::parse(&path, &text)?, text)))
}
