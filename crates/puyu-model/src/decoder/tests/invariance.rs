//! What may not change the answer: how tokens are cut into calls, and who shares the batch.

use puyu_testkit::{Tolerance, assert_close};

use super::*;
use crate::{ForwardError, NtkRule, Preset, RopeScaling};

/// Attention sums in another order when more keys are at hand; everything else keeps its bits.
pub(crate) const ROUNDING: Tolerance = Tolerance::within(2e-5);

pub(crate) fn fresh() -> Decoder {
    Decoder::init(&Preset::Tiny.config(), 7, &device()).unwrap()
}

/// A model whose trained length is short, so that twelve tokens go beyond it.
pub(crate) fn fresh_ntk() -> Decoder {
    let mut config = Preset::Tiny.config();
    config.max_position_embeddings = 8;
    config.rope.max_position_embeddings = 8;
    config.rope.scaling = RopeScaling::DynamicNtk { factor: 2.0 };
    Decoder::init(&config, 7, &device()).unwrap()
}

pub(crate) fn ids(n: usize, seed: u32) -> Vec<u32> {
    (0..n as u32).map(|i| (i * 37 + seed * 101 + 5) % 384).collect()
}

/// However the tokens are cut into calls, the logits are those of one call.
#[track_caller]
fn check_chunks(model: &Decoder, rule: NtkRule, chunks: &[usize]) {
    let n_tokens = chunks.iter().sum();
    let rows = [ids(n_tokens, 1), ids(n_tokens, 2)];
    let plan = SequencePlan::unpadded(vec![n_tokens; 2]);
    let new_cache = || KvCache::new(model.config(), plan.clone(), n_tokens).with_ntk_rule(rule);
    let whole = model.forward(&rows, &mut new_cache()).unwrap();

    let mut cache = new_cache();
    let mut start = 0;
    for &len in chunks {
        let piece: Vec<Vec<u32>> =
            rows.iter().map(|row| row[start..start + len].to_vec()).collect();
        let found = read(model.forward(&piece, &mut cache).unwrap()).unwrap();
        let expected = read(whole.clone().slice_dim(1, start..start + len)).unwrap();
        assert_close(&found, &expected, ROUNDING);
        start += len;
    }
}

#[test]
fn prefill_then_decode_equals_one_prefill() {
    check_chunks(&fresh(), NtkRule::PerStep, &[9, 1, 1, 1]);
}

#[test]
fn decoding_one_by_one_equals_one_prefill() {
    check_chunks(&fresh(), NtkRule::PerStep, &[1; 12]);
}

#[test]
fn any_chunking_of_a_prompt_beyond_the_trained_length_equals_one_prefill() {
    for rule in [NtkRule::PerStep, NtkRule::RotateAllKeys, NtkRule::FixedAtPrompt] {
        check_chunks(&fresh_ntk(), rule, &[5, 4, 3]);
        check_chunks(&fresh_ntk(), rule, &[1; 12]);
    }
}

#[test]
fn a_cache_that_grows_equals_one_that_need_not() {
    // Slots start at 256 and double: 300 tokens make the cache grow once.
    check_chunks(&fresh(), NtkRule::PerStep, &[250, 5, 45]);
}

#[test]
fn batching_and_padding_do_not_change_the_tokens() {
    let model = fresh();
    let prompts = [ids(3, 1), ids(11, 2), ids(1, 3), ids(6, 4)];
    let alone: Vec<_> = prompts
        .iter()
        .flat_map(|prompt| greedy(&model, std::slice::from_ref(prompt), 24, None))
        .collect();
    assert_eq!(greedy(&model, &prompts, 24, None), alone);
    assert_ne!(alone[0], alone[1], "the rows differ, so that a mix-up would show");
}

#[test]
fn a_truncated_cache_continues_as_if_the_rest_had_never_been() {
    let model = fresh();
    let row = ids(8, 1);
    let plan = SequencePlan::unpadded(vec![8]);
    let mut cache = KvCache::new(model.config(), plan, 16);
    let whole = logits(&model, std::slice::from_ref(&row));
    model.forward(&[row[..5].to_vec()], &mut cache).unwrap();
    model.forward(&[ids(4, 9)], &mut cache).unwrap();
    cache.truncate(5);
    let found = read(model.forward(&[row[5..].to_vec()], &mut cache).unwrap()).unwrap();
    assert_close(&found, &whole[5 * 384..], ROUNDING);
}

#[test]
fn packing_equals_separate_documents() {
    let model = fresh();
    let (first, second) = (ids(7, 1), ids(4, 2));
    let row = [first.clone(), second.clone()].concat();
    let hidden = model.hidden_packed(&[row], &[vec![7, 4]], &mut crate::Unobserved).unwrap();
    let found = read(model.project(hidden)).unwrap();
    let expected = [logits(&model, &[first]), logits(&model, &[second])].concat();
    assert_close(&found, &expected, ROUNDING);
}

#[test]
fn what_cannot_be_computed_is_refused_and_leaves_the_cache_alone() {
    let model = fresh();
    let plan = SequencePlan::unpadded(vec![3]);
    let mut cache = KvCache::new(model.config(), plan, 4);
    let mut refused = |tokens: &[Vec<u32>]| model.forward(tokens, &mut cache).unwrap_err();
    assert!(matches!(refused(&[]), ForwardError::Empty));
    assert!(matches!(refused(&[vec![]]), ForwardError::Empty));
    assert!(matches!(refused(&[vec![1], vec![1]]), ForwardError::BatchSize { .. }));
    assert!(matches!(refused(&[vec![1, 2], vec![1]]), ForwardError::Ragged { row: 1, .. }));
    assert!(matches!(refused(&[vec![1; 5]]), ForwardError::CacheFull { needed: 5, capacity: 4 }));
    let error = refused(&[vec![1, 384]]);
    assert_eq!(error.to_string(), "row 0, token 1: id 384 is outside the vocabulary of 384");
    assert!(cache.is_empty());
}
