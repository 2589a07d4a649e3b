use puyu_testkit::random_normal;

use super::*;
use crate::options::DryOptions;

mod dry;
mod filters;
mod golden;
mod penalties;
mod random;
mod row;

/// Logits of a spread that makes filters bite, some of them equal.
fn random_logits(len: usize, seed: u64) -> Vec<f32> {
    random_normal(len, seed).into_iter().map(|x| (x * 30.0).round() / 10.0).collect()
}

fn history<'a>(prompt: &'a [u32], generated: &'a [u32]) -> History<'a> {
    History { prompt, generated }
}

/// Draws `n` tokens; the logits of each step depend on the token before.
fn generate(sampler: &mut Sampler, n: usize, generated: &mut Vec<u32>) {
    for _ in 0..n {
        let seed = generated.last().copied().unwrap_or(0);
        let mut logits = random_logits(200, u64::from(seed));
        let token = sampler.sample(&mut logits, history(&[5, 6], generated)).unwrap();
        generated.push(token.id);
    }
}

fn every_stage() -> GenerateOptions {
    GenerateOptions {
        repetition_penalty: 1.1,
        frequency_penalty: 0.2,
        min_p: 0.01,
        typical_p: 0.95,
        logit_bias: [(3, 1.0)].into(),
        forbidden_token_ids: vec![9],
        min_new_tokens: 3,
        stop_token_ids: vec![11],
        ..GenerateOptions::default().with_dry(DryOptions::default()).with_seed(42)
    }
}

#[test]
fn the_same_seed_gives_the_same_tokens_and_another_seed_others() {
    let tokens = |options: &GenerateOptions, sample| {
        let mut generated = Vec::new();
        let mut sampler = Sampler::new(options).unwrap().with_sample(sample);
        generate(&mut sampler, 40, &mut generated);
        generated
    };
    let options = every_stage();
    assert_eq!(tokens(&options, 0), tokens(&options, 0));
    assert_ne!(tokens(&options, 0), tokens(&options, 1));
    assert_ne!(tokens(&options, 0), tokens(&options.clone().with_seed(43), 0));
    assert_eq!(tokens(&options.clone().with_seed(None), 0), tokens(&options.with_seed(0), 0));
}

#[test]
fn tokens_do_not_depend_on_resuming_or_on_neighbours() {
    let options = every_stage();
    let mut whole = Vec::new();
    generate(&mut Sampler::new(&options).unwrap(), 30, &mut whole);

    let (mut resumed, mut neighbour) = (Vec::new(), Vec::new());
    // One sampler serves another sequence in between, then a new one takes over.
    let mut shared = Sampler::new(&options).unwrap();
    for _ in 0..10 {
        generate(&mut shared, 1, &mut resumed);
        let mut logits = random_logits(300, 1);
        let token = shared.sample(&mut logits, history(&[], &neighbour)).unwrap();
        neighbour.push(token.id);
    }
    generate(&mut Sampler::new(&options).unwrap(), 20, &mut resumed);
    assert_eq!(resumed, whole);
}

#[test]
fn greedy_takes_the_lowest_of_equal_ids() {
    let mut sampler = Sampler::new(&GenerateOptions::greedy()).unwrap();
    let mut logits = vec![0.0; 100];
    logits[70] = 1.0;
    logits[71] = 1.0;
    let token = sampler.sample(&mut logits, History::default()).unwrap();
    assert_eq!(token, SampledToken { id: 70, logprob: None, top: vec![] });
}

#[test]
fn greedy_respects_penalties_and_masks() {
    let pick = |options: GenerateOptions, generated: &[u32]| {
        let mut sampler = Sampler::new(&options).unwrap().with_end_tokens(&[3]);
        sampler.sample(&mut [1.0, 2.0, 3.0, 4.0], history(&[], generated)).unwrap().id
    };
    let base = GenerateOptions::greedy;
    assert_eq!(pick(base(), &[]), 3);
    assert_eq!(pick(GenerateOptions { min_new_tokens: 1, ..base() }, &[]), 2);
    assert_eq!(pick(GenerateOptions { min_new_tokens: 1, ..base() }, &[0]), 3);
    assert_eq!(pick(GenerateOptions { forbidden_token_ids: vec![3, 99], ..base() }, &[]), 2);
    assert_eq!(pick(GenerateOptions { allowed_token_ids: vec![0, 1, 99], ..base() }, &[]), 1);
    assert_eq!(
        pick(GenerateOptions { logit_bias: [(0, 9.0), (99, 1.0)].into(), ..base() }, &[]),
        0
    );
    assert_eq!(pick(base().with_repetition_penalty(2.0), &[3, 99]), 2);
    assert_eq!(pick(GenerateOptions { presence_penalty: 2.0, ..base() }, &[3]), 2);
    assert_eq!(pick(GenerateOptions { frequency_penalty: 1.0, ..base() }, &[3, 3, 2]), 1);
}

#[test]
fn log_probabilities_are_those_of_the_row_as_given() {
    let logits = [1.0_f32, 3.0, f32::NEG_INFINITY, 3.0, 2.0];
    let total: f64 = logits.iter().map(|&x| f64::from(x).exp()).sum();
    let expected = |id: usize| (f64::from(logits[id]) - total.ln()) as f32;

    let options = GenerateOptions { forbidden_token_ids: vec![1, 3], ..every_stage() };
    for options in [options.clone(), GenerateOptions { temperature: 0.0, ..options }] {
        let mut sampler = Sampler::new(&options.with_logprobs(3)).unwrap();
        let token = sampler.sample(&mut logits.clone(), history(&[4], &[4])).unwrap();
        assert!((token.logprob.unwrap() - expected(token.id as usize)).abs() < 1e-6);
        let ids: Vec<u32> = token.top.iter().map(|&(id, _)| id).collect();
        assert_eq!(ids, [1, 3, 4]);
        for &(id, logprob) in &token.top {
            assert!((logprob - expected(id as usize)).abs() < 1e-6);
            assert_eq!(token_logprob(&logits, id, 3).unwrap(), (logprob, token.top.clone()));
        }
    }
    let mut sampler = Sampler::new(&GenerateOptions::default().with_logprobs(128)).unwrap();
    let token = sampler.sample(&mut logits.clone(), History::default()).unwrap();
    assert_eq!(token.top.len(), 4, "impossible tokens are not listed");
}

#[test]
fn rows_without_a_choice_are_errors() {
    for options in [GenerateOptions::greedy(), every_stage()] {
        let mut sampler = Sampler::new(&options).unwrap();
        let mut sample = |mut logits: Vec<f32>| sampler.sample(&mut logits, History::default());
        assert_eq!(sample(vec![]), Err(SampleError::Empty));
        assert_eq!(sample(vec![f32::NEG_INFINITY; 70]), Err(SampleError::NothingAllowed));
        let mut row = vec![f32::INFINITY; 100];
        assert_eq!(sample(row.clone()), Err(SampleError::Infinite { index: 0 }));
        row[80] = f32::NAN;
        row[90] = f32::NAN;
        assert_eq!(sample(row), Err(SampleError::NotANumber { index: 80 }));
        let mut only = vec![f32::NEG_INFINITY; 100];
        only[77] = -1e30;
        assert_eq!(sample(only).unwrap().id, 77);
    }
    let nothing = GenerateOptions { forbidden_token_ids: vec![0, 1], ..GenerateOptions::default() };
    let outcome = Sampler::new(&nothing).unwrap().sample(&mut [1.0, 2.0], History::default());
    assert_eq!(outcome, Err(SampleError::NothingAllowed));
}

#[test]
fn extreme_logits_and_temperatures_do_not_break_the_draw() {
    for temperature in [1e-30, 1e-3, 100.0] {
        let options = GenerateOptions::plain_sampling().with_temperature(temperature);
        let mut sampler = Sampler::new(&options).unwrap();
        let mut logits = [f32::MIN, -1.0, f32::NEG_INFINITY, 1e30, f32::MIN];
        assert_eq!(sampler.sample(&mut logits, History::default()).unwrap().id, 3);
    }
}

#[test]
fn invalid_options_make_no_sampler() {
    assert!(Sampler::new(&GenerateOptions::default().with_top_p(f32::NAN)).is_err());
}
