//! The engine against a toy model that notices every mistake.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use puyu_core::{FinishReason, SampledToken};

use super::sequence::SequenceKey;
use super::*;
use toy::{Generate, Outcome, ToyRunner};

mod blocks;
mod contract;
mod requests;
mod schedules;
mod speculation;
mod toy;

/// An engine, and what came out of it so far.
struct Bench {
    engine: Engine<ToyRunner>,
    outcomes: BTreeMap<RequestId, Outcome>,
    watched: BTreeMap<RequestId, Generate>,
    cancelled: BTreeSet<RequestId>,
}

impl Bench {
    fn new(runner: ToyRunner, options: EngineOptions) -> Self {
        Self::of(Engine::new(runner, options).unwrap())
    }

    fn of(engine: Engine<ToyRunner>) -> Self {
        Self {
            engine,
            outcomes: BTreeMap::new(),
            watched: BTreeMap::new(),
            cancelled: BTreeSet::new(),
        }
    }

    fn submit(&mut self, request: Request) -> RequestId {
        let id = self.engine.submit(request).unwrap();
        self.outcomes.insert(id, Outcome::default());
        id
    }

    fn generate(&mut self, generate: &Generate) -> RequestId {
        let id = self.submit(generate.request());
        self.outcomes.insert(id, Outcome::with_samples(generate.options.n_samples));
        self.watched.insert(id, generate.clone());
        id
    }

    fn cancel(&mut self, id: RequestId) {
        let was_open = self.outcomes[&id].end.is_none();
        assert_eq!(self.engine.cancel(id), was_open, "whether there was such a request");
        self.cancelled.insert(id);
        self.check_accounts();
    }

    fn step(&mut self) {
        let watched = &self.watched;
        let mut watcher = |id: RequestId, _: usize, token: &SampledToken| {
            let Some(generate) = watched.get(&id) else { return ControlFlow::Continue(()) };
            generate.watch(token)
        };
        let running: BTreeSet<_> = self.engine.running.keys().copied().collect();
        let known: BTreeSet<_> = self.engine.waiting.keys().chain(&running).copied().collect();
        for event in self.engine.step_watched(&mut watcher) {
            self.take(event);
        }
        self.check_accounts();
        self.check_order(&running, &known);
    }

    /// Nobody began to run before an older one that was there already and waits.
    fn check_order(&self, ran_before: &BTreeSet<SequenceKey>, known: &BTreeSet<SequenceKey>) {
        let oldest = self.engine.waiting.keys().find(|key| known.contains(key));
        let youngest = self.engine.running.keys().rev().find(|key| !ran_before.contains(key));
        if let (Some(oldest), Some(youngest)) = (oldest, youngest) {
            assert!(youngest < oldest, "{youngest:?} has overtaken {oldest:?}");
        }
    }

    /// Steps until everything has ended, in a number of steps that is bounded by the work.
    fn drain(&mut self) {
        for _ in 0..5_000 {
            if self.engine.is_idle() {
                let blocks = self.engine.statistics().blocks;
                assert_eq!(blocks.held, 0, "an idle engine holds no block");
                return;
            }
            self.step();
        }
        panic!("somebody starves: {:?}", self.engine.statistics());
    }

    fn take(&mut self, event: EngineEvent) {
        let id = event.id();
        assert!(!self.cancelled.contains(&id), "an event after the request was cancelled");
        let outcome = self.outcomes.get_mut(&id).unwrap();
        assert_eq!(outcome.end, None, "an event after the last one");
        if event.is_last() {
            outcome.end = Some(Ok(()));
        }
        match event {
            EngineEvent::PromptScored { logprobs, .. } => outcome.prompt = Some(logprobs),
            EngineEvent::Token { sample, token, .. } => {
                assert_eq!(outcome.reasons[sample], None, "a token after the sample's end");
                outcome.tokens[sample].push(token);
            }
            EngineEvent::SampleFinished { sample, reason, .. } => {
                assert_eq!(outcome.reasons[sample].replace(reason), None, "ended twice");
            }
            EngineEvent::Finished { usage, .. } => {
                let n_tokens: usize = outcome.tokens.iter().map(Vec::len).sum();
                assert_eq!(usage.completion_tokens, n_tokens);
                assert!(outcome.reasons.iter().all(Option::is_some), "a sample has not ended");
            }
            EngineEvent::Scored { score, .. } => outcome.score = Some(score),
            EngineEvent::Embedded { mean, .. } => outcome.mean = Some(mean),
            EngineEvent::Failed { error, .. } => outcome.end = Some(Err(chain(&error))),
        }
    }

    /// Every block is free, held by a sequence that runs, or cached; the counts are exact.
    fn check_accounts(&self) {
        let engine = &self.engine;
        let blocks = engine.statistics().blocks;
        assert_eq!(blocks.total(), engine.limits().n_blocks as usize);
        let mut holders: BTreeMap<BlockId, u32> = BTreeMap::new();
        for sequence in engine.running.values() {
            for &block in &sequence.table {
                *holders.entry(block).or_default() += 1;
            }
        }
        for sequence in engine.running.values() {
            let n_needed = engine.cache.blocks_for(sequence.n_target);
            assert!(sequence.table.len() <= n_needed, "blocks of guesses are given back");
        }
        assert_eq!(blocks.held, holders.len(), "blocks that somebody holds");
        for (block, n_holders) in holders {
            assert_eq!(engine.cache.holders(block), n_holders, "holders of {block:?}");
        }
        assert!(engine.waiting.values().all(|sequence| sequence.table.is_empty()));
        assert!(engine.running.len() <= engine.options.max_sequences);
    }
}

/// The innermost error of a chain, which is where a sampler or a runner speaks.
fn chain(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), chain)
}

fn length(n_samples: usize) -> Vec<Option<FinishReason>> {
    vec![Some(FinishReason::Length); n_samples]
}
