//! Guesses change the number of steps and nothing else.

use puyu_core::GenerateOptions;

use super::Bench;
use super::toy::{Generate, Oracle, ToyRunner};
use crate::engine::*;

/// Runs a request with guesses; returns the steps that it took.
#[track_caller]
fn check(draft: impl Draft + 'static, generate: &Generate) -> EngineStatistics {
    let engine = Engine::new(ToyRunner::new(24, 4), EngineOptions::default()).unwrap();
    let mut bench = Bench::of(engine.with_draft(draft));
    let id = bench.generate(generate);
    bench.drain();
    assert_eq!(bench.outcomes[&id], generate.plainly(bench.engine.limits()));
    bench.engine.statistics()
}

fn greedy() -> Generate {
    Generate::new([1, 2, 3], GenerateOptions::greedy().with_max_new_tokens(21))
}

#[test]
fn right_guesses_save_steps_and_change_no_token() {
    let statistics = check(Oracle { wrong_every: u64::MAX }, &greedy());
    // One for the prompt, then five tokens in each.
    assert_eq!(statistics.steps, 1 + 20 / 5);
    assert_eq!(statistics.accepted_tokens, 16);
    assert_eq!(statistics.drafted_tokens, 16, "none beyond the last token");
}

#[test]
fn wrong_guesses_change_no_token_either() {
    for wrong_every in [1, 2, 3, 5] {
        check(Oracle { wrong_every }, &greedy());
    }
}

#[test]
fn sampled_tokens_are_those_without_guesses() {
    for seed in 0..20 {
        let options = GenerateOptions { logprobs: Some(1), n_samples: 3, ..greedy().options };
        let options = options.with_temperature(0.7).with_seed(seed);
        let generate = Generate { options, has_processor: seed % 2 == 0, ..greedy() };
        let statistics = check(Oracle { wrong_every: 7 }, &generate);
        assert!(statistics.accepted_tokens > 0);
    }
}

#[test]
fn nothing_is_told_after_a_stop_within_accepted_guesses() {
    for token in 0..11 {
        check(Oracle { wrong_every: u64::MAX }, &Generate { watched: Some(token), ..greedy() });
        check(Oracle { wrong_every: u64::MAX }, &Generate { end_tokens: vec![token], ..greedy() });
    }
}

#[test]
fn guesses_never_send_a_sequence_back_in_line() {
    let options = EngineOptions::default().with_max_sequences(2).with_max_batch_tokens(8);
    let engine = Engine::new(ToyRunner::new(8, 2), options).unwrap();
    let mut bench = Bench::of(engine.with_draft(Oracle { wrong_every: 2 }));
    let short = Generate { options: greedy().options.with_max_new_tokens(5), ..greedy() };
    bench.generate(&short);
    bench.generate(&short);
    bench.drain();
    assert_eq!(bench.engine.statistics().preemptions, 0);
}

#[test]
fn looking_up_takes_the_longest_match_and_of_these_the_latest() {
    let mut lookup = PromptLookup::default();
    assert_eq!(lookup.propose(&[1, 2, 3, 9, 2, 3, 8, 1, 2, 3], 2), [9, 2]);
    assert_eq!(lookup.propose(&[5, 2, 3, 9, 4, 2, 3, 8, 1, 2, 3], 1), [8]);
    assert_eq!(lookup.propose(&[6, 6, 6, 6, 6, 6], 4), [6]);
    assert!(lookup.propose(&[1, 2, 9, 2], 4).is_empty(), "one token is not enough");
    assert!(lookup.propose(&[], 4).is_empty());
    assert!(lookup.propose(&[1, 2, 1, 2], 0).is_empty());
}
