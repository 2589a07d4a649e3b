//! Many requests through the engine: how much comes out, and how long each waits.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use puyu::deploy::ModelRunner;
use puyu::deploy::engine::{
    Engine, EngineEvent, EngineOptions, EngineStatistics, PromptLookup, Request, RequestId,
};
use puyu_core::GenerateOptions;
use serde::Serialize;

use super::workload::{Ask, Serving};

/// What serving gave.
#[derive(Serialize)]
pub(crate) struct Served {
    requests: usize,
    seconds: f64,
    prompt_tokens: usize,
    answer_tokens: usize,
    /// Tokens of answers in a second.
    answer_tokens_per_s: f64,
    /// Seconds from arrival to the first token.
    first_token_s: Quantiles,
    /// Seconds to the first token of the request that came first, which found nothing computed.
    coldest_first_token_s: f64,
    /// Seconds between tokens of an answer, the mean of each request.
    between_tokens_s: Quantiles,
    steps: u64,
    computed_tokens: u64,
    prefix_hit_tokens: u64,
    drafted_tokens: u64,
    accepted_tokens: u64,
}

#[derive(Serialize)]
struct Quantiles {
    p50: f64,
    p90: f64,
    p99: f64,
}

/// A request's times, from the start of the run.
struct Times {
    arrival: Duration,
    first: Option<Duration>,
    last: Duration,
    tokens: usize,
    /// Tokens that count; those after them fill up a group.
    wanted: usize,
}

/// Serves all requests.
pub(crate) fn measure(serving: &Serving, runner: ModelRunner) -> anyhow::Result<Served> {
    let options = EngineOptions::default()
        .with_max_sequences(serving.concurrency.min(EngineOptions::default().max_batch_tokens))
        .with_max_draft_tokens(serving.lookup);
    let mut engine = Engine::new(runner, options)?;
    if serving.lookup > 0 {
        engine = engine.with_draft(PromptLookup::default());
    }
    let asks = serving.asks(engine.limits().vocab_size);
    let prompt_tokens = asks.iter().map(|ask| ask.prompt.len()).sum();
    let start = Instant::now();
    let times = drive(&mut engine, serving, asks.into(), start)?;
    Ok(Served::new(&times, (start.elapsed(), prompt_tokens), engine.statistics()))
}

/// Submits requests as they arrive and steps until all have their answers.
fn drive(
    engine: &mut Engine<ModelRunner>,
    serving: &Serving,
    mut asks: VecDeque<Ask>,
    start: Instant,
) -> anyhow::Result<Vec<Times>> {
    let mut running: HashMap<RequestId, Times> = HashMap::new();
    let mut done = Vec::new();
    while !(asks.is_empty() && running.is_empty()) {
        let may_start = !serving.static_batches || running.is_empty();
        while may_start && running.len() < serving.concurrency {
            let Some(ask) = asks.pop_front_if(|ask| ask.arrival <= start.elapsed()) else { break };
            let options = GenerateOptions::greedy().with_max_new_tokens(ask.computed);
            let id = engine.submit(Request::generate(ask.prompt, options))?;
            let (arrival, wanted) = (ask.arrival, ask.answer);
            running.insert(id, Times { arrival, first: None, last: arrival, tokens: 0, wanted });
        }
        if let (true, Some(next)) = (running.is_empty(), asks.front()) {
            std::thread::sleep(next.arrival.saturating_sub(start.elapsed()));
            continue;
        }
        for event in engine.step() {
            let id = event.id();
            match event {
                EngineEvent::Token { .. } => {
                    running.get_mut(&id).context("a token of nobody")?.note(start.elapsed());
                }
                EngineEvent::Finished { .. } => done.extend(running.remove(&id)),
                EngineEvent::Failed { error, .. } => bail!(error),
                _ => {}
            }
        }
    }
    Ok(done)
}

impl Times {
    fn note(&mut self, now: Duration) {
        if self.tokens < self.wanted {
            self.first.get_or_insert(now);
            self.last = now;
            self.tokens += 1;
        }
    }

    fn first_token_s(&self) -> f64 {
        self.first.unwrap_or(self.last).saturating_sub(self.arrival).as_secs_f64()
    }

    fn between_tokens_s(&self) -> Option<f64> {
        let span = self.last.checked_sub(self.first?)?.as_secs_f64();
        (self.tokens > 1).then(|| span / (self.tokens - 1) as f64)
    }
}

impl Served {
    fn new(
        times: &[Times],
        (elapsed, prompt_tokens): (Duration, usize),
        statistics: EngineStatistics,
    ) -> Self {
        let answer_tokens = times.iter().map(|times| times.tokens).sum();
        let seconds = elapsed.as_secs_f64();
        let coldest = times.iter().min_by_key(|times| (times.arrival, times.first));
        Self {
            requests: times.len(),
            seconds,
            prompt_tokens,
            answer_tokens,
            answer_tokens_per_s: answer_tokens as f64 / seconds,
            first_token_s: Quantiles::of(times.iter().map(Times::first_token_s)),
            coldest_first_token_s: coldest.map_or(0.0, Times::first_token_s),
            between_tokens_s: Quantiles::of(times.iter().filter_map(Times::between_tokens_s)),
            steps: statistics.steps,
            computed_tokens: statistics.computed_tokens,
            prefix_hit_tokens: statistics.prefix_hit_tokens,
            drafted_tokens: statistics.drafted_tokens,
            accepted_tokens: statistics.accepted_tokens,
        }
    }
}

impl Quantiles {
    /// The smallest values that this share of the values does not exceed.
    fn of(values: impl Iterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.collect();
        values.sort_by(f64::total_cmp);
        let at = |share: f64| {
            let rank = (values.len() as f64 * share).ceil() as usize;
            values.get(rank.saturating_sub(1)).copied().unwrap_or(0.0)
        };
        Self { p50: at(0.5), p90: at(0.9), p99: at(0.99) }
    }
}

impl fmt::Display for Served {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { requests, seconds, prompt_tokens, answer_tokens, .. } = self;
        writeln!(
            f,
            "{requests} requests in {seconds:.2} s: {prompt_tokens} tokens of prompts, \
             {answer_tokens} of answers, {:.2} of these a second",
            self.answer_tokens_per_s
        )?;
        writeln!(
            f,
            "{} steps, {} tokens computed, {} found in the cache, {} of {} guesses right\n",
            self.steps,
            self.computed_tokens,
            self.prefix_hit_tokens,
            self.accepted_tokens,
            self.drafted_tokens
        )?;
        writeln!(f, "milliseconds          half    90 %    99 %   of the requests wait at most")?;
        for (what, Quantiles { p50, p90, p99 }) in
            [("first token", &self.first_token_s), ("between tokens", &self.between_tokens_s)]
        {
            let [p50, p90, p99] = [p50, p90, p99].map(|seconds| seconds * 1e3);
            writeln!(f, "{what:16} {p50:9.1} {p90:7.1} {p99:7.1}")?;
        }
        writeln!(f, "first token of the first request: {:.1}", self.coldest_first_token_s * 1e3)
    }
}
