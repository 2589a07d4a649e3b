//! A decoder behind the engine: the original's answers, whatever the schedule.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::Path;

use puyu_core::{DeviceSpec, SampledToken};
use puyu_kernels::{KvType, Pool};
use puyu_model::{Checkpoint, Decoder, LoadOptions, WeightDtype, open_device};
use puyu_testkit::{golden_json, shared};

use super::*;
use crate::engine::{Engine, EngineEvent, EngineOptions, PromptLookup, Request, RequestId};
use crate::{ModelRunner, RunnerOptions};

/// Tokens of each sample of each request.
type Answers = BTreeMap<(RequestId, usize), Vec<SampledToken>>;

/// Runs until nothing is left to do.
fn serve(engine: &mut Engine<ModelRunner>, requests: Vec<Request>) -> Answers {
    let mut answers = Answers::new();
    for request in requests {
        engine.submit(request).unwrap();
    }
    while !engine.is_idle() {
        for event in engine.step() {
            match event {
                EngineEvent::Token { id, sample, token } => {
                    answers.entry((id, sample)).or_default().push(token);
                }
                EngineEvent::Failed { id, error } => panic!("request {id}: {error}"),
                _ => {}
            }
        }
    }
    answers
}

fn load(folder: &Path, weights: WeightDtype) -> Decoder {
    let device = open_device(DeviceSpec::default()).unwrap();
    let options = LoadOptions { weights, ..LoadOptions::default() };
    Checkpoint::open(folder).unwrap().load(&options, &device).unwrap()
}

fn random_model(weights: WeightDtype) -> Decoder {
    let device = open_device(DeviceSpec::default()).unwrap();
    let options = LoadOptions { weights, ..LoadOptions::default() };
    Decoder::random(&Preset::Tiny.config(), 7, &options, &device).unwrap()
}

#[test]
fn greedy_stories_are_those_of_the_original() {
    let Some(folder) = shared("fixtures/stories260k") else { return };
    let golden = golden_json(folder.join("golden.json"));
    let ids = |value: &Value| -> Vec<u32> {
        value.as_array().unwrap().iter().map(|id| id.as_u64().unwrap() as u32).collect()
    };
    let stories: Vec<_> = golden["generation"]
        .as_array()
        .unwrap()
        .iter()
        .map(|story| (ids(&story["prompt_ids"]), ids(&story["new_ids"])))
        .collect();
    assert!(!stories.is_empty());
    for kv_type in [KvType::F32, KvType::F16] {
        let options = RunnerOptions::default().with_kv_type(kv_type).with_block_tokens(16);
        let runner = ModelRunner::new(load(&folder, WeightDtype::Stored), &options).unwrap();
        let mut engine = Engine::new(runner, EngineOptions::default()).unwrap();
        let request = |(prompt, new): &(Vec<u32>, Vec<u32>)| {
            let options = GenerateOptions::greedy().with_max_new_tokens(new.len());
            let options = GenerateOptions { ignore_eos: true, ..options };
            Request::generate(prompt.clone(), options)
        };
        // All stories at once.
        let answers = serve(&mut engine, stories.iter().map(request).collect());
        for (tokens, (_, expected)) in answers.values().zip(&stories) {
            let found: Vec<u32> = tokens.iter().map(|token| token.id).collect();
            assert_eq!(&found, expected, "{kv_type:?}");
        }
    }
}

/// Prompts with common starts, and sampling of every kind.
fn requests() -> Vec<Request> {
    let prompt = |n: u32, seed: u32| -> Vec<u32> {
        (0..n).map(|i| if i < 20 { i + 5 } else { (i * 37 + seed * 11) % 384 }).collect()
    };
    let sampled = GenerateOptions::plain_sampling().with_logprobs(2);
    let with = |seed: u64, n: usize| sampled.clone().with_seed(seed).with_max_new_tokens(n);
    vec![
        Request::generate(prompt(3, 1), GenerateOptions::greedy().with_max_new_tokens(9)),
        Request::generate(prompt(50, 2), with(1, 30)),
        Request::generate(prompt(50, 2), with(1, 30)),
        Request::generate(prompt(70, 3), with(2, 12).with_n_samples(3)),
        Request::generate(prompt(33, 4), with(3, 25).with_top_k(5).with_repetition_penalty(1.2)),
        Request::generate(prompt(64, 5), with(4, 1)),
        Request::generate(prompt(21, 6), with(5, 40).with_temperature(0.5)),
    ]
}

/// How an engine is set up.
struct Setting {
    n_blocks: usize,
    block_tokens: usize,
    batch_tokens: usize,
    sequences: usize,
    threads: usize,
}

fn answers_of(weights: WeightDtype, kv_type: KvType, setting: &Setting) -> Vec<Vec<SampledToken>> {
    let options = RunnerOptions::default()
        .with_kv_type(kv_type)
        .with_n_blocks(setting.n_blocks)
        .with_block_tokens(setting.block_tokens)
        .with_pool(Pool::new(NonZeroUsize::new(setting.threads).unwrap()).unwrap());
    let runner = ModelRunner::new(random_model(weights), &options).unwrap();
    let options = EngineOptions::default()
        .with_max_batch_tokens(setting.batch_tokens)
        .with_max_sequences(setting.sequences);
    let mut engine = Engine::new(runner, options).unwrap().with_draft(PromptLookup::default());
    serve(&mut engine, requests()).into_values().collect()
}

#[test]
fn no_schedule_changes_a_token_or_its_probability() {
    let calm =
        Setting { n_blocks: 64, block_tokens: 64, batch_tokens: 512, sequences: 1, threads: 1 };
    let settings = [
        Setting { n_blocks: 64, block_tokens: 16, batch_tokens: 16, sequences: 16, threads: 2 },
        // So few blocks that sequences must give theirs back.
        Setting { n_blocks: 14, block_tokens: 16, batch_tokens: 40, sequences: 6, threads: 3 },
        Setting { n_blocks: 5, block_tokens: 32, batch_tokens: 7, sequences: 4, threads: 1 },
    ];
    let types = [
        (WeightDtype::Stored, KvType::F32),
        (WeightDtype::Int8, KvType::Int8),
        (WeightDtype::Int4, KvType::Int4),
    ];
    for (weights, kv_type) in types {
        let expected = answers_of(weights, kv_type, &calm);
        for (index, setting) in settings.iter().enumerate() {
            let found = answers_of(weights, kv_type, setting);
            assert_eq!(found, expected, "{weights:?}, {kv_type:?}, setting {index}");
        }
    }
}

#[test]
fn a_prompt_that_came_before_is_not_computed_again_and_answers_the_same() {
    let options = RunnerOptions::default().with_block_tokens(16).with_kv_type(KvType::Int8);
    let runner = ModelRunner::new(random_model(WeightDtype::Stored), &options).unwrap();
    let mut engine = Engine::new(runner, EngineOptions::default()).unwrap();
    let request = || vec![requests().swap_remove(3)];
    let cold: Vec<_> = serve(&mut engine, request()).into_values().collect();
    let before = engine.statistics().computed_tokens;
    let warm: Vec<_> = serve(&mut engine, request()).into_values().collect();
    assert_eq!(warm, cold);
    assert_eq!(engine.statistics().prefix_hit_tokens, 64, "four whole blocks of 70 tokens");
    assert!(engine.statistics().computed_tokens < 2 * before - 60);
}

#[test]
fn blocks_that_cannot_be_had_are_an_error() {
    let model = random_model(WeightDtype::Stored);
    let refused = |options: RunnerOptions| {
        ModelRunner::new(model.clone(), &options).map(drop).unwrap_err().to_string()
    };
    let uneven = refused(RunnerOptions::default().with_block_tokens(10));
    assert!(uneven.contains("block_tokens"), "{uneven}");
    refused(RunnerOptions::default().with_n_blocks(usize::MAX));
}
