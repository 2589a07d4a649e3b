//! Single requests: what is refused, what comes out, what fails.

use std::ops::ControlFlow;

use puyu_core::{Constraint, FinishReason, GenerateOptions, OptionsError};

use super::toy::{Generate, ToyRunner, embed_plainly, score_plainly};
use super::{Bench, length};
use crate::engine::*;

fn bench(n_blocks: u32, block_tokens: usize) -> Bench {
    Bench::new(ToyRunner::new(n_blocks, block_tokens), EngineOptions::default())
}

fn sampled(n_new: usize, seed: u64) -> GenerateOptions {
    GenerateOptions::plain_sampling().with_max_new_tokens(n_new).with_seed(seed)
}

/// A lone request comes out as the plain loop has it.
#[track_caller]
fn check(generate: &Generate) {
    let mut bench = bench(24, 4);
    let id = bench.generate(generate);
    bench.drain();
    assert_eq!(bench.outcomes[&id], generate.plainly(bench.engine.limits()));
}

#[test]
fn a_lone_request_is_answered_as_by_the_plain_loop() {
    check(&Generate::new([1, 2, 3], GenerateOptions::greedy().with_max_new_tokens(9)));
    check(&Generate::new([7; 13], sampled(20, 5)));
    check(&Generate::new([7; 12], GenerateOptions { repetition_penalty: 1.5, ..sampled(9, 5) }));
}

#[test]
fn log_probabilities_are_told_for_prompt_and_answer() {
    let options = GenerateOptions { logprobs: Some(2), prompt_logprobs: Some(3), ..sampled(5, 1) };
    check(&Generate::new([1, 2, 3, 4, 5, 6], options.clone()));
    check(&Generate::new([1], options.clone()));
    let processed = Generate { has_processor: true, ..Generate::new([1, 2], options.clone()) };
    check(&processed);
    // A prompt that is only read.
    check(&Generate::new(
        [1, 2, 3, 4, 5],
        GenerateOptions { max_new_tokens: 0, ..options.clone() },
    ));
    check(&Generate::new([1], GenerateOptions { max_new_tokens: 0, ..options }));
}

#[test]
fn prompt_log_probabilities_do_not_come_from_the_cache() {
    let mut bench = bench(24, 4);
    let plain = Generate::new([1, 2, 3, 4, 5, 6, 7, 8, 9], sampled(3, 1));
    bench.generate(&plain);
    bench.drain();
    let options = GenerateOptions { prompt_logprobs: Some(1), ..sampled(3, 1) };
    let asked = Generate { options, ..plain };
    let id = bench.generate(&asked);
    bench.drain();
    assert_eq!(bench.outcomes[&id], asked.plainly(bench.engine.limits()));
}

#[test]
fn end_tokens_stop_tokens_and_watchers_end_samples() {
    for token in 0..11 {
        let plain = Generate::new([3, 1, 4], sampled(20, u64::from(token)));
        check(&Generate { end_tokens: vec![token], ..plain.clone() });
        check(&Generate { watched: Some(token), ..plain.clone() });
        let options = GenerateOptions { stop_token_ids: vec![token], ..plain.options.clone() };
        check(&Generate { options, watched: Some(token), ..plain.clone() });
        let options = GenerateOptions { ignore_eos: true, ..plain.options.clone() };
        check(&Generate { options, end_tokens: vec![token], ..plain.clone() });
        let options = GenerateOptions { min_new_tokens: 7, ..plain.options.clone() };
        check(&Generate { options, end_tokens: vec![token], ..plain });
    }
}

#[test]
fn nothing_is_computed_after_a_watcher_has_ended_a_sample() {
    let mut engine = Engine::new(ToyRunner::new(8, 4), EngineOptions::default()).unwrap();
    engine.submit(Request::generate([1, 2], sampled(50, 1))).unwrap();
    let mut n_heard = 0;
    let mut watcher = |_: RequestId, _: usize, _: &puyu_core::SampledToken| {
        n_heard += 1;
        if n_heard == 3 {
            ControlFlow::Break(FinishReason::Cancelled)
        } else {
            ControlFlow::Continue(())
        }
    };
    let mut events = Vec::new();
    while !engine.is_idle() {
        events.extend(engine.step_watched(&mut watcher));
    }
    assert_eq!(engine.runner().batches.len(), 3);
    assert!(matches!(
        events[events.len() - 2],
        EngineEvent::SampleFinished { reason: FinishReason::Cancelled, .. }
    ));
}

#[test]
fn a_full_context_ends_the_answer_whether_the_limit_is_the_model_or_the_blocks() {
    check(&Generate::new([1; 60], sampled(100, 3)));
    let mut bench = bench(2, 4);
    let generate = Generate::new([1, 2, 3], sampled(100, 3));
    let id = bench.generate(&generate);
    bench.drain();
    assert_eq!(bench.outcomes[&id], generate.plainly(bench.engine.limits()));
    assert_eq!(bench.outcomes[&id].reasons, [Some(FinishReason::ContextFull)]);
    assert_eq!(bench.outcomes[&id].ids(0).len(), 5);
}

#[test]
fn samples_share_full_blocks_and_copy_the_last_one() {
    let options = GenerateOptions { n_samples: 4, ..sampled(6, 9) };
    let generate = Generate::new([1, 2, 3, 4, 5, 6, 7, 8, 9, 10], options);
    let mut bench = bench(24, 4);
    let id = bench.generate(&generate);
    bench.step();
    assert_eq!(bench.engine.runner().copies.len(), 3);
    // Two shared blocks and one of its own for each.
    assert_eq!(bench.engine.statistics().blocks.held, 2 + 4);
    bench.drain();
    let plain = generate.plainly(bench.engine.limits());
    assert_eq!(bench.outcomes[&id], plain);
    assert_ne!(plain.ids(0), plain.ids(1));
    assert_eq!(bench.engine.statistics().computed_tokens, 10 + 4 * 5);
}

#[test]
fn samples_without_room_wait_and_are_computed_again() {
    let options = GenerateOptions { n_samples: 6, ..sampled(8, 2) };
    for reuse in [EngineOptions::default(), EngineOptions::default().without_prefix_reuse()] {
        let generate = Generate::new([1, 2, 3, 4, 5, 6], options.clone());
        let mut bench = Bench::new(ToyRunner::new(4, 4), reuse);
        let id = bench.generate(&generate);
        bench.drain();
        assert_eq!(bench.outcomes[&id], generate.plainly(bench.engine.limits()));
    }
}

#[test]
fn a_copy_that_fails_fails_its_request_only() {
    let mut runner = ToyRunner::new(24, 4);
    runner.fails_to_copy = true;
    let mut bench = Bench::new(runner, EngineOptions::default());
    let options = GenerateOptions { n_samples: 3, ..sampled(4, 9) };
    let bad = bench.generate(&Generate::new([1, 2, 3], options));
    let good = Generate::new([4, 5, 6], sampled(4, 9));
    let id = bench.generate(&good);
    bench.drain();
    assert_eq!(bench.outcomes[&bad].end, Some(Err("cannot copy".to_owned())));
    assert_eq!(bench.outcomes[&id], good.plainly(bench.engine.limits()));
}

#[test]
fn scores_equal_those_computed_directly() {
    let mut bench = bench(24, 4);
    let (context, continuation) = ([1, 2, 3, 4, 5, 6], [7, 8, 9, 0]);
    let ids = [
        bench.submit(Request::score(&context, &continuation).with_top(3)),
        bench.submit(Request::score(&context, &continuation[..1])),
        bench.submit(Request::score(&context, &[])),
        bench.submit(Request::score(&context[..1], &continuation)),
    ];
    bench.drain();
    // Again, from the cache.
    let again = bench.submit(Request::score(&context, &continuation).with_top(3));
    bench.drain();
    let score = |id: &RequestId| bench.outcomes[id].score.clone().unwrap();
    assert_eq!(score(&ids[0]), score_plainly(&context, &continuation, 3));
    assert_eq!(score(&ids[1]), score_plainly(&context, &continuation[..1], 0));
    assert_eq!(score(&ids[2]), score_plainly(&context, &[], 0));
    assert_eq!(score(&ids[3]), score_plainly(&context[..1], &continuation, 0));
    assert_eq!(score(&again), score(&ids[0]));
    assert!(bench.engine.statistics().prefix_hit_tokens > 0);
}

#[test]
fn a_greedy_continuation_is_told_as_such() {
    let greedy = Generate::new([1, 2, 3], GenerateOptions::greedy().with_max_new_tokens(4));
    let mut bench = bench(24, 4);
    let ids = greedy.plainly(bench.engine.limits()).ids(0);
    let yes = bench.submit(Request::score(&[1, 2, 3], &ids));
    let no = bench.submit(Request::score(&[1, 2, 3], &[ids[0], (ids[1] + 1) % 11]));
    bench.drain();
    assert!(bench.outcomes[&yes].score.as_ref().unwrap().is_greedy);
    assert!(!bench.outcomes[&no].score.as_ref().unwrap().is_greedy);
}

#[test]
fn vectors_are_means_of_hidden_states() {
    let options = EngineOptions::default().with_max_sequences(2).with_max_batch_tokens(3);
    let mut bench = Bench::new(ToyRunner::new(24, 4), options);
    let tokens = [1, 2, 3, 4, 5, 6, 7, 8, 9];
    let ids = [bench.submit(Request::embed(tokens)), bench.submit(Request::embed([4]))];
    bench.generate(&Generate::new([1, 2], sampled(9, 2)));
    bench.drain();
    assert_eq!(bench.outcomes[&ids[0]].mean, Some(embed_plainly(&tokens)));
    assert_eq!(bench.outcomes[&ids[1]].mean, Some(embed_plainly(&[4])));
}

#[test]
fn what_can_never_fit_is_refused_at_once() {
    let mut bench = bench(4, 4);
    let mut refuse = |request: Request| bench.engine.submit(request).unwrap_err();
    let too_long = |tokens| SubmitError::TooLong { tokens, limit: 16 };
    assert_eq!(refuse(Request::generate([1; 16], sampled(1, 0))), too_long(17));
    assert_eq!(refuse(Request::generate([1; 17], sampled(0, 0))), too_long(17));
    assert_eq!(refuse(Request::score(&[1; 9], &[1; 8])), too_long(17));
    assert_eq!(refuse(Request::embed([1; 17])), too_long(17));
    let fits = bench.generate(&Generate::new([1; 15], sampled(9, 0)));
    bench.drain();
    assert_eq!(bench.outcomes[&fits].reasons, [Some(FinishReason::ContextFull)]);
}

#[test]
fn requests_that_make_no_sense_are_refused() {
    let mut bench = bench(4, 4);
    let mut refuse = |request: Request| bench.engine.submit(request).unwrap_err();
    assert_eq!(refuse(Request::generate([], sampled(1, 0))), SubmitError::EmptyPrompt);
    assert_eq!(refuse(Request::score(&[], &[1])), SubmitError::EmptyPrompt);
    let unknown = SubmitError::UnknownToken { index: 1, vocab_size: 11, found: 11 };
    assert_eq!(refuse(Request::embed([10, 11])), unknown);
    let error = refuse(Request::generate([1], sampled(1, 0).with_temperature(f32::NAN)));
    assert!(matches!(error, SubmitError::InvalidOptions(OptionsError::OutOfRange { .. })));
    let error = refuse(Request::score(&[1], &[1]).with_top(129));
    assert!(matches!(error, SubmitError::InvalidOptions(OptionsError::Count { .. })));
    let constraint = Some(Constraint::Regex { pattern: "a+".to_owned() });
    let constrained = GenerateOptions { constraint, ..sampled(1, 0) };
    let error = refuse(Request::generate([1], constrained));
    assert_eq!(error, SubmitError::UnenforcedConstraint);
    assert!(bench.engine.is_idle(), "nothing of them is left");
}

#[test]
fn a_full_queue_refuses_and_a_later_try_succeeds() {
    let options = EngineOptions::default().with_max_waiting(1);
    let mut bench = Bench::new(ToyRunner::new(8, 4), options);
    bench.generate(&Generate::new([1], sampled(2, 0)));
    let error = bench.engine.submit(Request::embed([1])).unwrap_err();
    assert_eq!(error, SubmitError::Overloaded { waiting: 1, limit: 1 });
    bench.step();
    bench.submit(Request::embed([1]));
    bench.drain();
}

#[test]
fn an_engine_without_room_for_anything_is_not_made() {
    let options = EngineOptions::default().with_max_sequences(8).with_max_batch_tokens(7);
    let error = Engine::new(ToyRunner::new(4, 4), options).err();
    let expected = EngineError::TooSmall { field: "max_batch_tokens", least: 8, found: 7 };
    assert_eq!(error, Some(expected));
    let error = Engine::new(ToyRunner::new(0, 4), EngineOptions::default()).err();
    assert_eq!(error, Some(EngineError::TooSmall { field: "n_blocks", least: 1, found: 0 }));
}

#[test]
fn a_runner_that_fails_fails_its_batch_and_the_engine_goes_on() {
    let mut runner = ToyRunner::new(24, 4);
    runner.failing.insert(1);
    let options = EngineOptions::default().with_max_sequences(1);
    let mut bench = Bench::new(runner, options);
    let first = bench.generate(&Generate::new([1, 2, 3], sampled(4, 0)));
    let second = Generate::new([1, 2, 3], sampled(4, 1));
    let id = bench.generate(&second);
    bench.drain();
    assert_eq!(bench.outcomes[&first].end, Some(Err("the machine is on fire".to_owned())));
    assert_eq!(bench.outcomes[&id], second.plainly(bench.engine.limits()));
}

#[test]
fn an_output_of_the_wrong_size_is_an_error_and_no_panic() {
    let mut runner = ToyRunner::new(24, 4);
    runner.n_missing = 1;
    let mut engine = Engine::new(runner, EngineOptions::default()).unwrap();
    engine.submit(Request::generate([1, 2], sampled(4, 0))).unwrap();
    let events = engine.step();
    let [EngineEvent::Failed { error, .. }] = &events[..] else { panic!("{events:?}") };
    let what = "the runner gave 10 values of logits, expected 11";
    assert_eq!(error.to_string(), what);
    assert!(engine.is_idle());
}

#[test]
fn a_sample_that_cannot_go_on_fails_its_request_only() {
    let forbidden = GenerateOptions {
        allowed_token_ids: vec![3],
        forbidden_token_ids: vec![3],
        n_samples: 2,
        ..sampled(4, 0)
    };
    let mut bench = bench(24, 4);
    let bad = bench.generate(&Generate::new([1, 2, 3], forbidden));
    // The processor forbids the only token that may follow itself.
    let only = GenerateOptions { allowed_token_ids: vec![3], ..sampled(4, 0) };
    let stuck = Generate { has_processor: true, ..Generate::new([1, 2], only) };
    let stuck = bench.generate(&stuck);
    let good = Generate::new([1, 2, 3], sampled(4, 0));
    let id = bench.generate(&good);
    bench.drain();
    let nothing = Some(Err("every token is forbidden, expected at least one finite logit".into()));
    assert_eq!(bench.outcomes[&bad].end, nothing);
    assert_eq!(bench.outcomes[&stuck].end, nothing);
    assert_eq!(bench.outcomes[&stuck].ids(0), [3]);
    assert_eq!(bench.outcomes[&id], good.plainly(bench.engine.limits()));
}

#[test]
fn cancelling_frees_every_block_within_the_call() {
    let mut bench = bench(24, 4);
    let options = GenerateOptions { n_samples: 3, ..sampled(9, 0) };
    let id = bench.generate(&Generate::new([1, 2, 3, 4, 5], options));
    bench.step();
    bench.step();
    bench.cancel(id);
    assert_eq!(bench.engine.statistics().blocks.held, 0);
    assert!(bench.engine.is_idle());
    assert!(!bench.engine.cancel(id), "it is gone");
}

#[test]
fn salts_keep_requests_from_sharing_and_so_does_asking_for_it() {
    let prompt: Vec<u32> = (0..9).collect();
    let request = || Request::generate(prompt.clone(), sampled(1, 0));
    let hits = |requests: [Request; 2]| {
        let mut engine = Engine::new(ToyRunner::new(24, 4), EngineOptions::default()).unwrap();
        for request in requests {
            engine.submit(request).unwrap();
            while !engine.is_idle() {
                engine.step();
            }
        }
        engine.statistics().prefix_hit_tokens
    };
    assert_eq!(hits([request(), request()]), 8);
    assert_eq!(hits([request().with_salt(1), request().with_salt(1)]), 8);
    assert_eq!(hits([request().with_salt(1), request().with_salt(2)]), 0);
    assert_eq!(hits([request(), request().without_prefix_reuse()]), 0);
    assert_eq!(hits([request().without_prefix_reuse(), request()]), 0);
}

#[test]
fn decoding_comes_before_prompts_and_prompts_are_cut_to_the_budget() {
    let options = EngineOptions::default().with_max_sequences(4).with_max_batch_tokens(5);
    let mut bench = Bench::new(ToyRunner::new(24, 4), options);
    bench.generate(&Generate::new([1, 2], sampled(9, 0)));
    bench.step();
    bench.generate(&Generate::new([3; 9], sampled(2, 0)));
    bench.drain();
    let lengths = |batch: &Batch| batch.segments.iter().map(|s| s.tokens.len()).collect::<Vec<_>>();
    let batches: Vec<_> = bench.engine.runner().batches.iter().map(lengths).collect();
    assert_eq!(batches[..5], [vec![2], vec![1, 4], vec![1, 4], vec![1, 1], vec![1, 1]]);
}

#[test]
fn an_idle_engine_does_nothing() {
    let mut bench = bench(4, 4);
    assert!(bench.engine.is_idle() && bench.engine.step().is_empty());
    assert_eq!(bench.engine.statistics().steps, 0);
    let id = bench.generate(&Generate::new([1], sampled(0, 0)));
    bench.drain();
    assert_eq!(bench.outcomes[&id].reasons, length(1));
    assert_eq!(bench.engine.statistics().steps, 0);
}
