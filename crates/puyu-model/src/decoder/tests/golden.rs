//! Numbers of the original, computed in Python.
//!
//! The originals' own f32 runs differ from f64 by up to 5.4e-6 at a logit deviation of 1.5; ten
//! times that is accepted.

use puyu_testkit::{Golden, Tolerance, assert_close, golden_json, shared};

use super::*;
use crate::{ComputeDtype, LoadOptions, Tap, Unobserved};

const LOGITS: Tolerance = Tolerance::within(5e-5);

/// The original's bf16 run differs from its own f32 run by up to 0.08 here.
const BF16_MAX: f32 = 0.15;
const BF16_RMS: f64 = 0.03;

#[track_caller]
fn check_lengths(name: &str) {
    let Some(folder) = tiny(name) else { return };
    let model = load(&folder);
    let golden = Golden::open(folder.join("golden.safetensors"));
    let mut n_lengths = 0;
    for ids in golden.names().into_iter().filter(|name| name.starts_with("len")) {
        let Some(case) = ids.strip_suffix(".ids") else { continue };
        let found = logits(&model, &rows_of(&golden, ids));
        assert_close(&found, &golden.f32(&format!("{case}.logits")), LOGITS);
        n_lengths += 1;
    }
    assert!(n_lengths >= 2, "{name} has {n_lengths} lengths");
}

#[test]
fn logits_equal_the_original_at_every_length() {
    for name in LANGUAGE_MODELS {
        check_lengths(name);
    }
}

#[test]
fn logits_of_a_left_padded_batch_equal_the_original() {
    for name in LANGUAGE_MODELS {
        let Some(folder) = tiny(name) else { return };
        let golden = Golden::open(folder.join("golden.safetensors"));
        if !golden.contains("leftpad.ids") {
            assert_eq!(name, "internlm2-tiny-awq", "the others have a padded batch");
            continue;
        }
        let model = load(&folder);
        let rows = rows_of(&golden, "leftpad.ids");
        let lengths = rows_of(&golden, "leftpad.mask")
            .iter()
            .map(|mask| mask.iter().sum::<u32>() as usize)
            .collect();
        let plan = SequencePlan::left_padded(lengths);
        let paddings = plan.left_padding.clone();
        let mut cache = KvCache::new(model.config(), plan, rows[0].len());
        let found = read(model.forward(&rows, &mut cache).unwrap()).unwrap();
        let expected = golden.f32("leftpad.logits");
        let (n_tokens, vocab) = (rows[0].len(), model.config().vocab_size);
        assert!(paddings.iter().any(|&padding| padding > 0));
        for (row, padding) in paddings.into_iter().enumerate() {
            let real = (row * n_tokens + padding) * vocab..(row + 1) * n_tokens * vocab;
            assert_close(&found[real.clone()], &expected[real], LOGITS);
        }
    }
}

#[test]
fn hidden_states_equal_the_original_layer_by_layer() {
    for name in LANGUAGE_MODELS {
        let Some(folder) = tiny(name) else { return };
        let golden = Golden::open(folder.join("golden.safetensors"));
        if !golden.contains("hidden.ids") {
            assert_eq!(name, "internlm2-tiny-awq", "the others have hidden states");
            continue;
        }
        let model = load(&folder);
        let rows = rows_of(&golden, "hidden.ids");
        let last = model.config().n_layers - 1;
        let (mut states, mut before_norm) = (Vec::new(), Vec::new());
        let mut observer = |tap: Tap, x: &Tensor<3>| match tap {
            Tap::LayerOutput { layer } if layer == last => before_norm = read(x.clone()).unwrap(),
            Tap::Embedding | Tap::LayerOutput { .. } | Tap::FinalNorm => {
                states.extend(read(x.clone()).unwrap());
            }
            _ => {}
        };
        let plan = SequencePlan::unpadded(vec![rows[0].len()]);
        let mut cache = KvCache::new(model.config(), plan, rows[0].len());
        model.hidden(&rows, &mut cache, &mut observer).unwrap();
        assert_close(&states, &golden.f32("hidden.states"), LOGITS);
        assert_close(&before_norm, &golden.f32("hidden.last_layer_prenorm"), LOGITS);
    }
}

#[test]
fn packed_documents_equal_the_original_and_do_not_see_each_other() {
    for name in ["internlm2-tiny", "internlm2-tiny-bf16"] {
        let Some(folder) = tiny(name) else { return };
        let model = load(&folder);
        let golden = Golden::open(folder.join("golden.safetensors"));
        let json = golden_json(folder.join("golden.json"));
        let bounds = ids_of(&json["packed"]["cu_seqlens"]);
        let lengths = bounds.windows(2).map(|pair| (pair[1] - pair[0]) as usize).collect();
        let rows = rows_of(&golden, "packed.ids");
        let hidden = model.hidden_packed(&rows, &[lengths], &mut Unobserved).unwrap();
        let found = read(model.project(hidden)).unwrap();
        assert_close(&found, &golden.f32("packed.logits"), LOGITS);
    }
}

#[test]
fn a_bf16_run_stays_within_the_stated_bound_of_the_original() {
    let Some(folder) = tiny("internlm2-tiny-bf16") else { return };
    let options = LoadOptions { compute: ComputeDtype::Bf16, ..LoadOptions::default() };
    if !device().supports_dtype(burn::tensor::DType::BF16) {
        return;
    }
    let model = load_with(&folder, &options);
    let golden = Golden::open(folder.join("golden.safetensors"));
    for case in ["len7", "len33", "len64"] {
        let found = logits(&model, &rows_of(&golden, &format!("{case}.ids")));
        let expected = golden.f32(&format!("{case}.logits_bf16"));
        let differences = found.iter().zip(&expected).map(|(a, b)| (a - b).abs());
        let max = differences.clone().fold(0.0, f32::max);
        let squares: f64 = differences.map(|d| f64::from(d) * f64::from(d)).sum();
        let rms = (squares / found.len() as f64).sqrt();
        assert!(max <= BF16_MAX && rms <= BF16_RMS, "{case}: max {max}, rms {rms}");
        assert!(max > 0.0, "a bf16 run that equals another program's bit for bit was not run");
    }
}

#[test]
fn reward_scores_equal_the_original() {
    let Some(folder) = tiny("internlm2-tiny-reward") else { return };
    let model = load(&folder);
    let golden = Golden::open(folder.join("golden.safetensors"));
    let lengths = rows_of(&golden, "mask");
    let rows: Vec<Vec<u32>> = rows_of(&golden, "ids")
        .into_iter()
        .zip(lengths)
        .map(|(row, mask)| row[..mask.iter().sum::<u32>() as usize].to_vec())
        .collect();
    let tolerance = Tolerance::within(1e-5);
    assert_close(&model.rewards(&rows).unwrap(), &golden.f32("scores"), tolerance);
}

/// Negative log-likelihood of each next token, summed in f64.
fn next_token_nll(model: &Decoder, ids: &[u32]) -> Vec<f32> {
    let flat = logits(model, &[ids.to_vec()]);
    let rows = flat.chunks_exact(model.config().vocab_size);
    rows.zip(&ids[1..])
        .map(|(row, &next)| {
            let max = f64::from(row.iter().copied().fold(f32::MIN, f32::max));
            let sum: f64 = row.iter().map(|&logit| (f64::from(logit) - max).exp()).sum();
            (max + sum.ln() - f64::from(row[next as usize])) as f32
        })
        .collect()
}

#[test]
fn likelihoods_of_tokens_equal_the_original() {
    for name in LANGUAGE_MODELS {
        let Some(folder) = tiny(name) else { return };
        let golden = Golden::open(folder.join("golden.safetensors"));
        if !golden.contains("nll.ids") {
            continue;
        }
        let ids = rows_of(&golden, "nll.ids").remove(0);
        let found = next_token_nll(&load(&folder), &ids);
        let tolerance = Tolerance::within(1e-4);
        assert_close(&found, &golden.f32("nll.values"), tolerance);
        let json = golden_json(folder.join("golden.json"));
        let sum: f64 = found.iter().map(|&nll| f64::from(nll)).sum();
        let expected = json["nll_sum"].as_f64().unwrap();
        assert!((sum / expected - 1.0).abs() < 1e-5, "{name}: {sum}, expected {expected}");
    }
}

#[test]
fn perplexities_of_real_stories_equal_the_original() {
    let Some(folder) = shared("fixtures/stories260k") else { return };
    let model = load(&folder);
    let json = golden_json(folder.join("golden.json"));
    let cases = json["perplexity"].as_array().unwrap();
    assert!(!cases.is_empty());
    for case in cases {
        let nll = next_token_nll(&model, &ids_of(&case["ids"]));
        let mean = nll.iter().map(|&nll| f64::from(nll)).sum::<f64>() / nll.len() as f64;
        let (found, expected) = (mean.exp(), case["ppl"].as_f64().unwrap());
        assert!((found / expected - 1.0).abs() < 1e-5, "found {found}, expected {expected}");
    }
}
