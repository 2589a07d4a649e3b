//! Sequences in blocks against rows in a row, and what may not change a single bit.

use burn::tensor::Tensor;
use puyu_kernels::KvType;
use puyu_testkit::{Golden, Tolerance, assert_close, golden_json, shared};

use super::*;
use crate::decoder::tests::invariance::{ROUNDING, fresh, fresh_ntk, ids};
use crate::decoder::tests::{device, ids_of, nll};
use crate::{Checkpoint, Decoder, KvCache, LoadOptions, Preset, SequencePlan};

/// The original's own f32 runs differ from f64 by up to 5.4e-6; ten times that is accepted.
const ORIGINAL: Tolerance = Tolerance::within(5e-5);

const KV_TYPES: [KvType; 5] = [KvType::F32, KvType::F16, KvType::Bf16, KvType::Int8, KvType::Int4];

/// Blocks for `n_tokens` tokens of sequence `number`, scattered over the cache.
fn blocks(number: usize, n_tokens: usize, block_tokens: usize, n_blocks: usize) -> Vec<u32> {
    let n = n_tokens.div_ceil(block_tokens);
    (0..n).map(|i| ((number * 29 + i) * 7 % n_blocks) as u32).collect()
}

/// Logits of sequences that share each call, cut into chunks of the given lengths.
fn paged_logits(
    model: &Decoder,
    rows: &[Vec<u32>],
    chunk: usize,
    (block_tokens, kv_type): (usize, KvType),
) -> Vec<Vec<f32>> {
    const N_BLOCKS: usize = 211;
    let mut cache = PagedCache::new(model.config(), N_BLOCKS, block_tokens, kv_type).unwrap();
    let tables: Vec<_> = (0..rows.len())
        .map(|number| blocks(number, rows[number].len(), block_tokens, N_BLOCKS))
        .collect();
    let mut logits = vec![Vec::new(); rows.len()];
    let longest = rows.iter().map(Vec::len).max().unwrap();
    for start in (0..longest).step_by(chunk) {
        let here: Vec<usize> = (0..rows.len()).filter(|&row| start < rows[row].len()).collect();
        let segment = |&row: &usize| {
            let (tokens, blocks) = (&rows[row], &tables[row]);
            let end = tokens.len().min(start + chunk);
            let prompt_tokens = tokens.len();
            PagedSegment { tokens: &tokens[start..end], start, blocks, prompt_tokens }
        };
        let segments: Vec<_> = here.iter().map(segment).collect();
        let hidden = model.hidden_paged(&segments, &mut cache).unwrap();
        let flat = read(model.project(hidden)).unwrap();
        let mut rest = &flat[..];
        for (segment, &row) in segments.iter().zip(&here) {
            let (mine, others) = rest.split_at(segment.tokens.len() * model.config().vocab_size);
            logits[row].extend_from_slice(mine);
            rest = others;
        }
    }
    logits
}

/// Logits of one sequence in a cache of rows.
fn row_logits(model: &Decoder, row: &[u32]) -> Vec<f32> {
    let plan = SequencePlan::unpadded(vec![row.len()]);
    let mut cache = KvCache::new(model.config(), plan, row.len());
    read(model.forward(&[row.to_vec()], &mut cache).unwrap()).unwrap()
}

#[test]
fn sequences_in_blocks_have_the_logits_of_rows() {
    for model in [fresh(), fresh_ntk()] {
        let rows = [ids(12, 1), ids(5, 2), ids(70, 3), ids(1, 4)];
        let found = paged_logits(&model, &rows, 100, (16, KvType::F32));
        for (row, found) in rows.iter().zip(&found) {
            assert_close(found, &row_logits(&model, row), ROUNDING);
        }
    }
}

#[test]
fn no_bit_depends_on_chunks_blocks_or_company() {
    for model in [fresh(), fresh_ntk()] {
        let rows = [ids(90, 1), ids(33, 2), ids(150, 3)];
        for kv_type in KV_TYPES {
            let expected = paged_logits(&model, &rows, 1000, (16, kv_type));
            for (chunk, block_tokens) in [(1, 16), (7, 64), (64, 32), (100, 128)] {
                let found = paged_logits(&model, &rows, chunk, (block_tokens, kv_type));
                assert!(found == expected, "{kv_type:?}, {chunk} tokens, blocks {block_tokens}");
            }
            for (row, expected) in rows.iter().zip(&expected) {
                let alone = paged_logits(&model, std::slice::from_ref(row), 11, (32, kv_type));
                assert!(&alone[0] == expected, "{kv_type:?}, {} tokens alone", row.len());
            }
        }
    }
}

#[test]
fn narrow_heads_lose_nothing() {
    let mut config = Preset::Tiny.config();
    config.head_dim = 8;
    config.rope.head_dim = 8;
    let model = Decoder::init(&config, 3, &device()).unwrap();
    let rows = [ids(40, 1)];
    let expected = row_logits(&model, &rows[0]);
    assert_close(&paged_logits(&model, &rows, 9, (16, KvType::F32))[0], &expected, ROUNDING);
}

#[test]
fn a_copied_block_serves_another_sequence() {
    let model = fresh();
    let mut cache = PagedCache::new(model.config(), 4, 16, KvType::Int8).unwrap();
    let row = ids(20, 1);
    let segment = |tokens, start, blocks| PagedSegment { tokens, start, blocks, prompt_tokens: 20 };
    let whole = model.hidden_paged(&[segment(&row, 0, &[0, 1])], &mut cache).unwrap();
    cache.copy_block(0, 3);
    let rest = model.hidden_paged(&[segment(&row[16..], 16, &[3, 2])], &mut cache).unwrap();
    let expected: Tensor<3> = whole.slice_dim(1, 16..20);
    assert_eq!(read(rest).unwrap(), read(expected).unwrap());
}

#[test]
fn logits_of_every_model_equal_the_original() {
    let names = ["internlm1-tiny", "internlm2-tiny", "internlm3-tiny", "llama-tiny"];
    for name in names {
        let Some(folder) = shared(format!("fixtures/tiny/{name}")) else { return };
        let model =
            Checkpoint::open(&folder).unwrap().load(&LoadOptions::default(), &device()).unwrap();
        let golden = Golden::open(folder.join("golden.safetensors"));
        let mut n_cases = 0;
        for ids in golden.names().into_iter().filter(|name| name.starts_with("len")) {
            let Some(case) = ids.strip_suffix(".ids") else { continue };
            let rows = [golden.u32(ids)];
            let found = paged_logits(&model, &rows, 5, (16, KvType::F32));
            assert_close(&found[0], &golden.f32(&format!("{case}.logits")), ORIGINAL);
            n_cases += 1;
        }
        assert!(n_cases >= 2, "{name} has {n_cases} cases");
    }
}

/// Mean negative log-likelihood of each token after the first.
fn mean_nll(model: &Decoder, row: &[u32], kv_type: KvType) -> f64 {
    let logits = paged_logits(model, &[row.to_vec()], 64, (16, kv_type));
    nll(&logits[0], row) / (row.len() - 1) as f64
}

#[test]
fn integer_caches_keep_the_perplexity_of_a_trained_model() {
    let Some(folder) = shared("fixtures/stories260k") else { return };
    let model =
        Checkpoint::open(&folder).unwrap().load(&LoadOptions::default(), &device()).unwrap();
    let golden = golden_json(folder.join("golden.json"));
    let texts = golden["perplexity"].as_array().unwrap();
    let rows: Vec<Vec<u32>> = texts.iter().map(|text| ids_of(&text["ids"])).collect();
    assert!(rows.len() >= 2);
    let mean = |kv_type| {
        rows.iter().map(|row| mean_nll(&model, row, kv_type)).sum::<f64>() / rows.len() as f64
    };
    let exact = mean(KvType::F32);
    // What the engine promises for int8 is 0.5 %; 16-bit floats are closer than that.
    let most = [(KvType::F16, 0.001), (KvType::Bf16, 0.005), (KvType::Int8, 0.005)];
    for (kv_type, most) in most {
        let growth = (mean(kv_type) - exact).exp() - 1.0;
        assert!(growth.abs() <= most, "{kv_type:?}: perplexity grows by {:.4} %", growth * 100.0);
    }
    // Heads of 8 numbers and 260 thousand weights leave little room for 4-bit keys. What counts
    // here is that the loss is that of the rule: 34.694 % in f64 in another language.
    let growth = (mean(KvType::Int4) - exact).exp() - 1.0;
    assert!((growth - 0.34694).abs() < 0.002, "perplexity grows by {:.4} %", growth * 100.0);
}

#[test]
fn segments_that_do_not_fit_are_refused() {
    let model = fresh();
    let mut cache = PagedCache::new(model.config(), 2, 16, KvType::F32).unwrap();
    let mut refused = |tokens: &[u32], start, blocks: &[u32]| {
        let segment = PagedSegment { tokens, start, blocks, prompt_tokens: 1 };
        model.hidden_paged(&[segment], &mut cache).unwrap_err().to_string()
    };
    assert_eq!(refused(&[1, 2], 15, &[0]), "17 tokens do not fit the cache of 16");
    assert_eq!(
        refused(&[1], usize::MAX, &[0]),
        format!("{} tokens do not fit the cache of 16", usize::MAX)
    );
    assert_eq!(refused(&[1], 0, &[2]), "row 0: block 2 does not exist, the cache has 2");
    let outside = "row 0, token 1: id 384 is outside the vocabulary of 384";
    assert_eq!(refused(&[1, 384], 0, &[0]), outside);
    assert!(refused(&[], 0, &[0]).contains("the batch is empty"));
    assert!(model.hidden_paged(&[], &mut cache).is_err());
}
