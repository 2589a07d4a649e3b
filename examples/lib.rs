//! What several examples share: the embedded model, the choice of a model, the way to fail.
#![forbid(unsafe_code)]

pub mod mini_world;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use puyu::deploy::{Pipeline, PipelineOptions};
use puyu::model::{ComputeDtype, LoadOptions, WeightDtype};
use puyu_core::DeviceSpec;

/// The folder of the small model that is part of the repository.
pub fn embedded_model() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/assets/puyu-mini"))
}

/// Prints one clear line about a failure, with its causes, and returns the code to exit with.
#[allow(clippy::print_stderr, reason = "a front end talks to its user")]
pub fn fail(error: &anyhow::Error) -> ExitCode {
    eprintln!("error: {error:#}");
    ExitCode::FAILURE
}

/// Which model, and where it computes.
#[derive(Args, Debug)]
pub struct ModelArguments {
    /// Hugging Face folder of the model. The small model of the repository by default.
    #[arg(long)]
    pub model: Option<PathBuf>,
    /// `cpu`, `cuda`, `cuda:N`, `wgpu` or `wgpu:N`.
    #[arg(long, default_value = "cpu")]
    pub device: DeviceSpec,
    /// Type of activations: `f32`, `bf16` or `f16`.
    #[arg(long, default_value = "f32", value_parser = compute_dtype)]
    pub compute: ComputeDtype,
    /// Type of the matrices: `stored`, `f32`, `bf16`, `f16`, `int8`, `int4` (groups of 32) or
    /// `int4-g128`.
    #[arg(long, default_value = "stored", value_parser = weight_dtype)]
    pub weights: WeightDtype,
    /// Folder that keeps quantised matrices, so that the next start maps them.
    #[arg(long)]
    pub packed: Option<PathBuf>,
}

impl ModelArguments {
    /// The folder asked for, or the embedded one.
    pub fn folder(&self) -> PathBuf {
        self.model.clone().unwrap_or_else(embedded_model)
    }

    /// How weights are placed.
    pub fn load_options(&self) -> LoadOptions {
        let Self { compute, weights, .. } = *self;
        LoadOptions { weights, compute, packed_folder: self.packed.clone() }
    }

    /// Opens the model.
    ///
    /// # Errors
    ///
    /// What [`Pipeline::open_with`] says.
    pub fn open(&self) -> anyhow::Result<Pipeline> {
        let options =
            PipelineOptions::default().with_device(self.device).with_load(self.load_options());
        Ok(Pipeline::open_with(self.folder(), &options)?)
    }
}

fn compute_dtype(name: &str) -> Result<ComputeDtype, String> {
    match name {
        "f32" => Ok(ComputeDtype::F32),
        "bf16" => Ok(ComputeDtype::Bf16),
        "f16" => Ok(ComputeDtype::F16),
        found => Err(format!("expected f32, bf16 or f16, found {found}")),
    }
}

/// Reads the type of matrices.
///
/// # Errors
///
/// A text naming the types that there are.
pub fn weight_dtype(name: &str) -> Result<WeightDtype, String> {
    Ok(match name {
        "stored" => WeightDtype::Stored,
        "f32" => WeightDtype::F32,
        "bf16" => WeightDtype::Bf16,
        "f16" => WeightDtype::F16,
        "int8" => WeightDtype::Int8,
        "int4" => WeightDtype::Int4,
        "int4-g128" => WeightDtype::Int4Group128,
        found => {
            return Err(format!(
                "expected stored, f32, bf16, f16, int8, int4 or int4-g128, found {found}"
            ));
        }
    })
}

/// Reads token ids separated by commas.
///
/// # Errors
///
/// A text naming the first that is no id.
pub fn parse_ids(text: &str) -> Result<Vec<u32>, String> {
    text.split(',')
        .map(|id| {
            let id = id.trim();
            id.parse().map_err(|_| format!("expected token ids such as 1,2,3, found `{id}`"))
        })
        .collect()
}
