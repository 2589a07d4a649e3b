//! What is measured.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use anyhow::ensure;
use clap::{Args, Parser};
use puyu::model::{KvType, Preset, WeightDtype};
use puyu_examples::weight_dtype;

use super::workload::Serving;

/// Measures prefill, decoding and serving of a model.
#[derive(Parser)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) model: Model,
    /// Type of the matrices: f32, bf16, f16, int8, int4 (groups of 32) or int4-g128; as stored by
    /// default.
    #[arg(long, value_parser = weight_dtype, default_value = "stored")]
    pub(crate) weights: WeightDtype,
    /// Folder that keeps quantised matrices, so that the next start maps them.
    #[arg(long)]
    pub(crate) packed: Option<PathBuf>,
    /// Type of keys and values: f32, f16, bf16, int8 or int4.
    #[arg(long, value_parser = kv, default_value = "f16")]
    pub(crate) kv: KvType,
    /// Threads; as many as the machine has by default.
    #[arg(long)]
    pub(crate) threads: Option<NonZeroUsize>,
    /// Tokens of the prompt whose prefill is measured.
    #[arg(long, default_value_t = 512)]
    pub(crate) pp: usize,
    /// Tokens decoded for each measurement.
    #[arg(long, default_value_t = 128)]
    pub(crate) tg: usize,
    /// Tokens in the cache before decoding begins: one or several, such as 0,2048,4096.
    #[arg(long, value_delimiter = ',', default_value = "0")]
    pub(crate) depth: Vec<usize>,
    /// Sequences decoded together: one or several, such as 1,4,8,16.
    #[arg(long, value_delimiter = ',', default_value = "1")]
    pub(crate) batch: Vec<usize>,
    /// How often each measurement is made; the median is told.
    #[arg(long, default_value_t = 3)]
    pub(crate) repeat: usize,
    /// Prints one JSON object.
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) serving: Serving,
}

/// Where the model comes from.
#[derive(Args)]
#[group(multiple = false)]
pub(crate) struct Model {
    /// Hugging Face folder. The small model of the repository by default.
    #[arg(long)]
    pub(crate) model: Option<PathBuf>,
    /// Random weights of a released size instead: tiny, internlm2-1.8b, internlm2-7b, internlm-7b,
    /// internlm-20b, ..
    #[arg(long)]
    pub(crate) shape: Option<Preset>,
}

impl Arguments {
    /// Checks what the parser cannot.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        ensure!(self.repeat > 0, "--repeat: expected at least 1, found 0");
        ensure!(!self.batch.contains(&0), "--batch: expected at least 1 sequence, found 0");
        self.serving.check()
    }

    /// The number of threads.
    pub(crate) fn threads(&self) -> NonZeroUsize {
        let all = || std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        self.threads.unwrap_or_else(all)
    }
}

fn kv(name: &str) -> Result<KvType, String> {
    Ok(match name {
        "f32" => KvType::F32,
        "f16" => KvType::F16,
        "bf16" => KvType::Bf16,
        "int8" => KvType::Int8,
        "int4" => KvType::Int4,
        found => return Err(format!("expected f32, f16, bf16, int8 or int4, found {found}")),
    })
}
