//! What a decoder must do, on the checkpoints of the original and on fresh ones.

mod golden;
mod greedy;
pub(crate) mod invariance;

use std::path::{Path, PathBuf};

use burn::tensor::{Device, Tensor};
use puyu_core::DeviceSpec;
use puyu_testkit::{Golden, shared};

use crate::{Checkpoint, Decoder, KvCache, LoadOptions, SequencePlan, open_device, read};

/// The device of `PUYU_DEVICE`, the CPU where it is not set.
pub(crate) fn device() -> Device {
    let name = std::env::var("PUYU_DEVICE").unwrap_or_else(|_| "cpu".to_owned());
    let spec: DeviceSpec = name.parse().expect("PUYU_DEVICE names a device");
    open_device(spec).expect("the program was built with the backend of PUYU_DEVICE")
}

/// Every random-weight checkpoint that has a language model head.
const LANGUAGE_MODELS: [&str; 8] = [
    "internlm1-tiny",
    "internlm1-tiny-ntk",
    "internlm2-tiny",
    "internlm2-tiny-ntk",
    "internlm2-tiny-bf16",
    "internlm2-tiny-awq",
    "internlm3-tiny",
    "llama-tiny",
];

/// The folder of a golden checkpoint, if the shared data is there.
fn tiny(name: &str) -> Option<PathBuf> {
    shared(format!("fixtures/tiny/{name}"))
}

fn load(folder: &Path) -> Decoder {
    load_with(folder, &LoadOptions::default())
}

fn load_with(folder: &Path, options: &LoadOptions) -> Decoder {
    Checkpoint::open(folder).unwrap().load(options, &device()).unwrap()
}

/// Logits after every token of unpadded rows, computed in one call.
fn logits(model: &Decoder, rows: &[Vec<u32>]) -> Vec<f32> {
    read(logits_tensor(model, rows)).unwrap()
}

fn logits_tensor(model: &Decoder, rows: &[Vec<u32>]) -> Tensor<3> {
    let n_tokens = rows[0].len();
    let plan = SequencePlan::unpadded(vec![n_tokens; rows.len()]);
    let mut cache = KvCache::new(model.config(), plan, n_tokens);
    model.forward(rows, &mut cache).unwrap()
}

/// The rows of an `[B, T]` tensor of ids.
fn rows_of(golden: &Golden, name: &str) -> Vec<Vec<u32>> {
    let &[_rows, n_tokens] = golden.shape(name) else { panic!("{name} is not a matrix") };
    golden.u32(name).chunks_exact(n_tokens).map(<[u32]>::to_vec).collect()
}

pub(crate) fn ids_of(value: &serde_json::Value) -> Vec<u32> {
    value.as_array().unwrap().iter().map(|id| id.as_u64().unwrap() as u32).collect()
}

/// The index of the largest logit; the first of equals.
fn best(row: &[f32]) -> u32 {
    let mut best = 0;
    for (id, &logit) in row.iter().enumerate() {
        if logit > row[best] {
            best = id;
        }
    }
    best as u32
}

/// Greedy continuations of rows that stand in one batch, padded on the left.
fn greedy(
    model: &Decoder,
    prompts: &[Vec<u32>],
    n_new: usize,
    rule: Option<crate::NtkRule>,
) -> Vec<Vec<u32>> {
    let longest = prompts.iter().map(Vec::len).max().unwrap();
    let plan = SequencePlan::left_padded(prompts.iter().map(Vec::len).collect());
    let mut cache = KvCache::new(model.config(), plan, longest + n_new);
    if let Some(rule) = rule {
        cache = cache.with_ntk_rule(rule);
    }
    let mut step: Vec<Vec<u32>> = prompts
        .iter()
        .map(|prompt| {
            let mut row = vec![2; longest - prompt.len()];
            row.extend(prompt);
            row
        })
        .collect();
    let mut new = vec![Vec::new(); prompts.len()];
    for _ in 0..n_new {
        let flat = read(model.forward_last(&step, &mut cache).unwrap()).unwrap();
        let next: Vec<u32> = flat.chunks_exact(model.config().vocab_size).map(best).collect();
        for (row, &id) in new.iter_mut().zip(&next) {
            row.push(id);
        }
        step = next.into_iter().map(|id| vec![id]).collect();
    }
    new
}

/// The negative log-likelihood of `ids` but the first, summed; `logits` follow each of them.
pub(crate) fn nll(logits: &[f32], ids: &[u32]) -> f64 {
    let rows = logits.chunks_exact(logits.len() / ids.len()).zip(&ids[1..]);
    rows.map(|(row, &next)| {
        let largest = row.iter().copied().fold(f32::MIN, f32::max);
        let sum: f64 = row.iter().map(|&logit| f64::from(logit - largest).exp()).sum();
        sum.ln() - f64::from(row[next as usize] - largest)
    })
    .sum()
}
