//! The model, loaded with a watch.

use std::time::Instant;

use anyhow::Context as _;
use puyu::deploy::{ModelRunner, Pool, RunnerOptions};
use puyu::model::{Checkpoint, Decoder, LoadOptions, PagedCache, WeightDtype, open_device};
use puyu_core::DeviceSpec;
use puyu_examples::embedded_model;

use super::arguments::Arguments;

/// Seed of random weights.
const SEED: u64 = 7;

/// A model ready to be measured.
pub(crate) struct Loaded {
    pub(crate) runner: ModelRunner,
    pub(crate) facts: Facts,
}

/// What is known of a model before it is measured.
pub(crate) struct Facts {
    pub(crate) name: String,
    /// Seconds from the call to a model that can compute.
    pub(crate) load_s: f64,
    /// Bytes of weights that a decoding step reads.
    pub(crate) step_bytes: f64,
    /// Bytes of keys and values of one token of a context.
    pub(crate) kv_bytes_per_token: f64,
    /// Blocks that each sequence has.
    pub(crate) blocks_per_sequence: u32,
    /// Multiply-adds of weights for a token, the head not counted.
    pub(crate) token_multiply_adds: f64,
}

/// Loads the model that is asked for, with room for all that is measured.
pub(crate) fn load(arguments: &Arguments, pool: &Pool) -> anyhow::Result<Loaded> {
    let device = open_device(DeviceSpec::default())?;
    let options = LoadOptions {
        weights: arguments.weights,
        packed_folder: arguments.packed.clone(),
        ..LoadOptions::default()
    };
    let start = Instant::now();
    let (name, model) = match (&arguments.model.model, arguments.model.shape) {
        (None, Some(preset)) => {
            let make = || Decoder::random(&preset.config(), SEED, &options, &device);
            (format!("{preset}, random weights"), pool.install(make)?)
        }
        (folder, _) => {
            let folder = folder.clone().unwrap_or_else(embedded_model);
            let open = || Checkpoint::open(&folder)?.load(&options, &device);
            (folder.display().to_string(), pool.install(open)?)
        }
    };
    let load_s = start.elapsed().as_secs_f64();
    let config = model.config();
    let embedding = (config.vocab_size * config.hidden_size) as f64;
    let in_layers = config.n_parameters() as f64
        - embedding
        - if model.head.is_some() { embedding } else { 0.0 };
    let step_bytes = (in_layers + embedding) * bytes_per_weight(arguments.weights, &model);
    let (blocks_per_sequence, n_blocks) = blocks(arguments)?;
    let block_tokens = RunnerOptions::default().block_tokens;
    let block_bytes = PagedCache::block_bytes(config, block_tokens, arguments.kv)?;
    let kv_bytes_per_token = block_bytes as f64 / block_tokens as f64;
    let runner_options = RunnerOptions::default()
        .with_kv_type(arguments.kv)
        .with_n_blocks(n_blocks)
        .with_context_tokens(usize::MAX)
        .with_pool(pool.clone());
    let runner = ModelRunner::new(model, &runner_options)?;
    let facts = Facts {
        name,
        load_s,
        step_bytes,
        kv_bytes_per_token,
        blocks_per_sequence,
        token_multiply_adds: in_layers,
    };
    Ok(Loaded { runner, facts })
}

/// Blocks for the deepest context, and for all sequences together.
fn blocks(arguments: &Arguments) -> anyhow::Result<(u32, usize)> {
    let serving = &arguments.serving;
    let (tokens, sequences) = if serving.serve.is_some() {
        let tokens = serving.asks(1).iter().map(|ask| ask.prompt.len() + ask.computed).max();
        (tokens.context("no request")?, serving.concurrency)
    } else {
        let deepest = arguments.depth.iter().copied().max().context("no depth")?;
        let largest = arguments.batch.iter().copied().max().context("no batch")?;
        (deepest.saturating_add(arguments.tg).max(arguments.pp), largest)
    };
    let n = tokens.div_ceil(RunnerOptions::default().block_tokens);
    let n_blocks = n.checked_mul(sequences).context("too many blocks")?;
    Ok((u32::try_from(n).context("the contexts are too long to be counted")?, n_blocks))
}

fn bytes_per_weight(weights: WeightDtype, model: &Decoder) -> f64 {
    match weights {
        WeightDtype::F32 => 4.0,
        WeightDtype::Bf16 | WeightDtype::F16 => 2.0,
        WeightDtype::Int8 => 34.0 / 32.0,
        WeightDtype::Int4 => 18.0 / 32.0,
        WeightDtype::Int4Group128 => 66.0 / 128.0,
        _ => model.embedding.val().dtype().size() as f64,
    }
}
