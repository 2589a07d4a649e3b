//! Random schedules: whatever comes when, every request comes out as if it were alone.

use std::collections::BTreeSet;

use proptest::collection::{btree_set, vec};
use proptest::prelude::*;
use puyu_core::GenerateOptions;

use super::Bench;
use super::toy::{Generate, Oracle, Outcome, ToyRunner, embed_plainly, score_plainly};
use crate::engine::*;

/// What is submitted.
#[derive(Debug, Clone)]
enum Task {
    Generate(Box<Generate>),
    Score { context: Vec<u32>, continuation: Vec<u32>, n_top: usize },
    Embed(Vec<u32>),
}

/// A request, and when it comes and goes.
#[derive(Debug, Clone)]
struct Visit {
    task: Task,
    salt: Option<u64>,
    comes_at: usize,
    /// Steps after it came in which it is cancelled.
    leaves_after: Option<usize>,
}

#[derive(Debug, Clone)]
struct Schedule {
    limits: Limits,
    options: EngineOptions,
    draft: u64,
    failing: BTreeSet<usize>,
    visits: Vec<Visit>,
}

impl Task {
    fn request(&self) -> Request {
        match self {
            Task::Generate(generate) => generate.request(),
            Task::Score { context, continuation, n_top } => {
                Request::score(context, continuation).with_top(*n_top)
            }
            Task::Embed(tokens) => Request::embed(tokens.clone()),
        }
    }

    /// Tokens that it needs room for.
    fn n_least(&self) -> usize {
        match self {
            Task::Generate(g) => g.prompt.len() + g.options.max_new_tokens.min(1),
            Task::Score { context, continuation, .. } => context.len() + continuation.len(),
            Task::Embed(tokens) => tokens.len(),
        }
    }

    fn plainly(&self, limits: &Limits) -> Outcome {
        let done = Outcome { end: Some(Ok(())), ..Outcome::default() };
        match self {
            Task::Generate(generate) => generate.plainly(limits),
            Task::Score { context, continuation, n_top } => {
                Outcome { score: Some(score_plainly(context, continuation, *n_top)), ..done }
            }
            Task::Embed(tokens) => Outcome { mean: Some(embed_plainly(tokens)), ..done },
        }
    }
}

/// Prompts that often begin alike.
fn tokens() -> impl Strategy<Value = Vec<u32>> {
    let tail = vec(0..11_u32, 1..8);
    (0..4_usize, 0..20_usize, tail).prop_map(|(kind, n_shared, tail)| {
        let shared = (0..n_shared as u32).map(|at| (at * at + kind as u32 / 2) % 11);
        shared.chain(tail).collect()
    })
}

fn options() -> impl Strategy<Value = GenerateOptions> {
    let lengths = (0..30_usize, 1..4_usize, 0..40_u64);
    let kinds = (0..4_u32, proptest::option::of(0..3_usize), proptest::option::of(0..3_usize));
    (lengths, kinds).prop_map(|((n_new, n_samples, seed), (kind, logprobs, prompt_logprobs))| {
        let plain = GenerateOptions { max_new_tokens: n_new, ..GenerateOptions::plain_sampling() };
        let plain = GenerateOptions { logprobs, prompt_logprobs, ..plain }.with_seed(seed);
        let prompt_logprobs = prompt_logprobs.filter(|_| seed % 3 == 0);
        let n_samples = if seed % 2 == 0 { n_samples } else { 1 };
        let plain = GenerateOptions { prompt_logprobs, n_samples, ..plain };
        match kind {
            0 => GenerateOptions { temperature: 0.0, ..plain },
            1 => plain.with_temperature(0.5),
            2 => GenerateOptions { repetition_penalty: 1.3, frequency_penalty: 0.5, ..plain },
            _ => GenerateOptions { top_k: Some(3), stop_token_ids: vec![7], ..plain },
        }
    })
}

fn tasks() -> impl Strategy<Value = Task> {
    let ends = (vec(0..11_u32, 0..2), proptest::option::of(0..40_u32), any::<bool>());
    let generate = (tokens(), options(), ends).prop_map(|(prompt, options, ends)| {
        let (end_tokens, watched, has_processor) = ends;
        Task::Generate(Box::new(Generate { prompt, options, end_tokens, has_processor, watched }))
    });
    let score = (tokens(), vec(0..11_u32, 0..6), 0..3_usize)
        .prop_map(|(context, continuation, n_top)| Task::Score { context, continuation, n_top });
    prop_oneof![8 => generate, 1 => score, 1 => tokens().prop_map(Task::Embed)]
}

fn visits() -> impl Strategy<Value = Visit> {
    let leaves = proptest::option::weighted(0.15, 0..12_usize);
    let salt = prop_oneof![6 => Just(Some(0)), 1 => Just(Some(1)), 1 => Just(None)];
    (tasks(), salt, 0..16_usize, leaves).prop_map(|(task, salt, comes_at, leaves_after)| Visit {
        task,
        salt,
        comes_at,
        leaves_after,
    })
}

fn schedules() -> impl Strategy<Value = Schedule> {
    // From pools that hold one sequence at most, to such that are never full.
    let limits = (12..70_u32, 1..7_usize, 20..50_usize).prop_map(|(n_slots, block_tokens, n)| {
        let (n_blocks, context_tokens) = (n_slots.div_ceil(block_tokens as u32), n);
        let (vocab_size, hidden_size) = (11, super::toy::HIDDEN);
        Limits { n_blocks, block_tokens, vocab_size, hidden_size, context_tokens }
    });
    let options = (1..9_usize, 0..24_usize, any::<bool>(), 0..5_usize);
    let options = options.prop_map(|(n_sequences, n_more, reuses_prefixes, n_draft)| {
        let options = EngineOptions::default()
            .with_max_sequences(n_sequences)
            .with_max_batch_tokens(n_sequences + n_more)
            .with_max_draft_tokens(n_draft);
        EngineOptions { reuses_prefixes, ..options }
    });
    let failing = prop_oneof![3 => Just(BTreeSet::new()), 1 => btree_set(0..40_usize, 1..4)];
    (limits, options, 0..5_u64, failing, vec(visits(), 1..13)).prop_map(
        |(limits, options, draft, failing, visits)| Schedule {
            limits,
            options,
            draft,
            failing,
            visits,
        },
    )
}

impl Schedule {
    fn bench(&self) -> Bench {
        let mut runner = ToyRunner::with_limits(self.limits);
        runner.failing = self.failing.clone();
        let engine = Engine::new(runner, self.options.clone()).unwrap();
        Bench::of(match self.draft {
            0 => engine,
            1 => engine.with_draft(PromptLookup { shortest: 1, longest: 3 }),
            wrong_every => engine.with_draft(Oracle { wrong_every }),
        })
    }

    /// Plays it to the end; returns what was submitted.
    fn play(&self, bench: &mut Bench) -> Vec<(RequestId, &Task)> {
        let mut submitted = Vec::new();
        let last = self.visits.iter().map(|v| v.comes_at + v.leaves_after.unwrap_or(0)).max();
        let mut leaving = Vec::new();
        for now in 0..=last.unwrap_or(0) {
            for visit in self.visits.iter().filter(|visit| visit.comes_at == now) {
                if let Some(id) = self.submit(bench, visit) {
                    submitted.push((id, &visit.task));
                    leaving.extend(visit.leaves_after.map(|after| (now + after, id)));
                }
            }
            for &(_, id) in leaving.iter().filter(|(at, _)| *at == now) {
                bench.cancel(id);
            }
            bench.step();
        }
        bench.drain();
        submitted
    }

    fn submit(&self, bench: &mut Bench, visit: &Visit) -> Option<RequestId> {
        let request = visit.task.request();
        let request = match visit.salt {
            Some(salt) => request.with_salt(salt),
            None => request.without_prefix_reuse(),
        };
        let (tokens, limit) = (visit.task.n_least(), self.limits.sequence_tokens());
        if tokens > limit {
            let refusal = bench.engine.submit(request).unwrap_err();
            assert_eq!(refusal, SubmitError::TooLong { tokens, limit });
            return None;
        }
        let id = bench.submit(request);
        if let Task::Generate(generate) = &visit.task {
            bench.outcomes.insert(id, Outcome::with_samples(generate.options.n_samples));
            bench.watched.insert(id, Generate::clone(generate));
        }
        Some(id)
    }
}

/// Whether what came out of a request that was cut off is a start of what should have come.
fn is_start(found: &Outcome, expected: &Outcome) -> bool {
    let mut samples = found.tokens.iter().zip(&expected.tokens);
    samples.all(|(found, expected)| expected.starts_with(found))
}

fn check(schedule: &Schedule) -> Result<EngineStatistics, TestCaseError> {
    let mut bench = schedule.bench();
    for (id, task) in schedule.play(&mut bench) {
        let (found, expected) = (&bench.outcomes[&id], task.plainly(&schedule.limits));
        let was_cut = bench.cancelled.contains(&id) && found.end.is_none();
        let has_failed = found.end == Some(Err("the machine is on fire".to_owned()));
        match (&expected.end, was_cut || has_failed) {
            (_, true) => prop_assert!(is_start(found, &expected), "{found:?} {expected:?}"),
            (Some(Err(_)), false) => {
                prop_assert_eq!(&found.end, &expected.end);
                prop_assert!(is_start(found, &expected), "{:?} {:?}", found, expected);
            }
            _ => prop_assert_eq!(found, &expected),
        }
        prop_assert!(!has_failed || !schedule.failing.is_empty());
    }
    let statistics = bench.engine.statistics();
    prop_assert_eq!(statistics.blocks.held, 0);
    prop_assert_eq!((statistics.running, statistics.waiting), (0, 0));
    Ok(statistics)
}

#[test]
fn in_1000_random_schedules_every_request_comes_out_as_if_alone() {
    use proptest::test_runner::{Config, TestRunner};

    let config = Config { cases: 1_000, failure_persistence: None, ..Config::default() };
    let totals = std::cell::RefCell::new(EngineStatistics::default());
    let result = TestRunner::new(config).run(&schedules(), |schedule| {
        let statistics = check(&schedule)?;
        let mut totals = totals.borrow_mut();
        totals.preemptions += statistics.preemptions;
        totals.prefix_hit_tokens += statistics.prefix_hit_tokens;
        totals.accepted_tokens += statistics.accepted_tokens;
        Ok(())
    });
    if let Err(error) = result {
        panic!("{error}");
    }
    // The schedules would prove nothing if these never happened.
    let totals = totals.into_inner();
    assert!(totals.preemptions > 200, "{totals:?}");
    assert!(totals.prefix_hit_tokens > 1_000, "{totals:?}");
    assert!(totals.accepted_tokens > 1_000, "{totals:?}");
}
