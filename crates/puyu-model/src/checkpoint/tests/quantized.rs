//! Matrices that are quantised while they are read.

use puyu_kernels::KvType;
use puyu_testkit::{golden_json, shared};

use super::*;
use crate::decoder::tests::{ids_of, nll};
use crate::{LinearWeight, PagedCache, PagedSegment};

const QUANTIZED: [WeightDtype; 3] =
    [WeightDtype::Int8, WeightDtype::Int4, WeightDtype::Int4Group128];

fn with_weights(weights: WeightDtype) -> LoadOptions {
    LoadOptions { weights, ..LoadOptions::default() }
}

/// Logits after each token of a sequence.
pub(super) fn logits(model: &Decoder, ids: &[u32], chunk: usize) -> Vec<f32> {
    let n_blocks = ids.len().div_ceil(16);
    let mut cache = PagedCache::new(model.config(), n_blocks, 16, KvType::F32).unwrap();
    let blocks: Vec<u32> = (0..n_blocks as u32).collect();
    let mut all = Vec::new();
    for (index, tokens) in ids.chunks(chunk).enumerate() {
        let (start, prompt_tokens) = (index * chunk, ids.len());
        let segment = PagedSegment { tokens, start, blocks: &blocks, prompt_tokens };
        let hidden = model.hidden_paged(&[segment], &mut cache).unwrap();
        all.extend(read(model.project(hidden)).unwrap());
    }
    all
}

#[test]
fn quantised_matrices_keep_the_perplexity_of_a_trained_model() {
    let Some(folder) = shared("fixtures/stories260k") else { return };
    let golden = golden_json(folder.join("golden.json"));
    let texts = golden["perplexity"].as_array().unwrap();
    let rows: Vec<Vec<u32>> = texts.iter().map(|text| ids_of(&text["ids"])).collect();
    let n_scored: usize = rows.iter().map(|row| row.len() - 1).sum();
    let mean_nll = |weights| {
        let checkpoint = Checkpoint::open(&folder).unwrap();
        let model = checkpoint.load(&with_weights(weights), &device()).unwrap();
        rows.iter().map(|row| nll(&logits(&model, row, 64), row)).sum::<f64>() / n_scored as f64
    };
    let exact = mean_nll(WeightDtype::Stored);
    let growth = |weights| (mean_nll(weights) - exact).exp() - 1.0;
    // What the engine promises.
    let of_int8 = growth(WeightDtype::Int8);
    assert!(of_int8.abs() <= 0.003, "perplexity grows by {:.4} %", of_int8 * 100.0);
    // 260 thousand weights have none to spare. What counts here is that the loss is that of the
    // rule: 11.96 % in f64 in another language, which leaves activations as they are.
    let of_int4 = growth(WeightDtype::Int4);
    assert!((of_int4 - 0.1196).abs() < 0.01, "perplexity grows by {:.4} %", of_int4 * 100.0);
}

#[test]
fn quantised_models_have_the_same_bits_however_tokens_are_cut() {
    for weights in QUANTIZED {
        let config = Preset::Tiny.config();
        let model = Decoder::random(&config, 7, &with_weights(weights), &device()).unwrap();
        let ids: Vec<u32> = (0..70).map(|i| i * 37 % 384).collect();
        let expected = logits(&model, &ids, 70);
        for chunk in [1, 5, 33] {
            assert!(logits(&model, &ids, chunk) == expected, "{weights:?}, chunks of {chunk}");
        }
    }
}

#[test]
fn random_weights_in_memory_are_those_of_a_random_checkpoint() {
    let config = Preset::Tiny.config();
    let folder = TempDir::new().unwrap();
    crate::write_random(folder.path(), &config, 11).unwrap();
    for weights in [WeightDtype::Stored, WeightDtype::Int8, WeightDtype::Int4] {
        let options = with_weights(weights);
        let written = Checkpoint::open(folder.path()).unwrap().load(&options, &device()).unwrap();
        let made = Decoder::random(&config, 11, &options, &device()).unwrap();
        let ids = [1, 5, 9, 300];
        assert_eq!(logits(&made, &ids, 4), logits(&written, &ids, 4), "{weights:?}");
    }
}

#[test]
fn only_matrices_of_layers_and_head_are_quantised() {
    let options = with_weights(WeightDtype::Int4);
    let model = Decoder::random(&Preset::Tiny.config(), 1, &options, &device()).unwrap();
    for layer in &model.layers {
        for linear in [&layer.attention.output, &layer.mlp.gate, &layer.mlp.up, &layer.mlp.down] {
            assert!(matches!(linear.weight, LinearWeight::Quantized(_)));
        }
    }
    assert!(matches!(model.head.unwrap().weight, LinearWeight::Quantized(_)));
}

#[test]
fn a_quantised_model_is_saved_as_the_floats_that_it_stands_for() {
    let options = with_weights(WeightDtype::Int8);
    let model = Decoder::random(&Preset::Tiny.config(), 3, &options, &device()).unwrap();
    let folder = TempDir::new().unwrap();
    model.save(folder.path(), &SaveOptions::default()).unwrap();
    let plain = Checkpoint::open(folder.path()).unwrap();
    let plain = plain.load(&LoadOptions::default(), &device()).unwrap();
    let (LinearWeight::Quantized(packed), LinearWeight::Float(floats)) =
        (&model.layers[0].mlp.down.weight, &plain.layers[0].mlp.down.weight)
    else {
        panic!("one is quantised, the other is not")
    };
    assert_eq!(read(floats.val()).unwrap(), packed.dequantize().unwrap());
}
