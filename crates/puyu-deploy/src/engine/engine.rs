//! The engine: requests in, tokens out, one step at a time.

use std::collections::BTreeMap;

use puyu_core::{FinishReason, GenerateOptions, OptionsError, Sampler};

use super::cache::BlockCache;
use super::error::{EngineError, RequestError, SubmitError};
use super::event::{EngineEvent, EngineStatistics};
use super::options::EngineOptions;
use super::plan::Line;
use super::request::{LogitsProcessor, Request, RequestId, Task, Unwatched, Watcher};
use super::runner::{Limits, Runner};
use super::sequence::{Drawing, Goal, Sequence, SequenceKey};
use super::speculate::Draft;
use super::state::{Findings, RequestState};

/// Most probable tokens told at each position of a score at most, as many as of a prompt.
const MAX_TOP: usize = 128;

/// Serves many requests at a time on one model.
///
/// It does no I/O, has no thread and reads no clock: whoever drives it calls [`step`](Self::step)
/// until it [`is_idle`](Self::is_idle). What comes out for a request depends on the model, the
/// request and its seed, as far as the runner's rows do not depend on their neighbours: not on
/// other requests, the order of calls, the size of blocks and batches, prefixes found in the
/// cache, sequences sent back in line, or guesses.
///
/// # Examples
///
/// ```
/// # use puyu_deploy::engine::*;
/// # /// Says one more than the last token, and needs no cache for that.
/// # struct Counter;
/// # impl Runner for Counter {
/// #     fn limits(&self) -> Limits {
/// #         let (n_blocks, block_tokens, context_tokens) = (8, 16, 64);
/// #         Limits { n_blocks, block_tokens, vocab_size: 10, hidden_size: 1, context_tokens }
/// #     }
/// #     fn run(&mut self, batch: &Batch) -> Result<Output, RunError> {
/// #         let mut output = Output::default();
/// #         for segment in &batch.segments {
/// #             let first = segment.tokens.len() - segment.n_logit_rows();
/// #             for &token in &segment.tokens[first..] {
/// #                 let row = (0..10).map(|id| if id == token + 1 { 1.0 } else { 0.0 });
/// #                 output.logits.extend(row);
/// #             }
/// #         }
/// #         Ok(output)
/// #     }
/// #     fn copy_block(&mut self, _: BlockId, _: BlockId) -> Result<(), RunError> { Ok(()) }
/// # }
/// # let runner = Counter;
/// use puyu_core::GenerateOptions;
///
/// let mut engine = Engine::new(runner, EngineOptions::default())?;
/// let options = GenerateOptions::greedy().with_max_new_tokens(3);
/// engine.submit(Request::generate([4], options))?;
/// let mut answer = Vec::new();
/// while !engine.is_idle() {
///     for event in engine.step() {
///         if let EngineEvent::Token { token, .. } = event {
///             answer.push(token.id);
///         }
///     }
/// }
/// assert_eq!(answer, [5, 6, 7]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Engine<R> {
    pub(super) runner: R,
    pub(super) limits: Limits,
    pub(super) options: EngineOptions,
    pub(super) draft: Option<Box<dyn Draft>>,
    pub(super) cache: BlockCache,
    pub(super) running: Line,
    pub(super) waiting: Line,
    pub(super) requests: BTreeMap<RequestId, RequestState>,
    /// What happened since the last step returned.
    pub(super) events: Vec<EngineEvent>,
    pub(super) counters: EngineStatistics,
    next_id: u64,
}

impl<R: Runner> Engine<R> {
    /// Makes an engine with nothing to do.
    ///
    /// # Errors
    ///
    /// [`EngineError`] if a number of the options or of the runner's limits is too small.
    pub fn new(runner: R, options: EngineOptions) -> Result<Self, EngineError> {
        let limits = runner.limits();
        limits.validate()?;
        options.validate()?;
        Ok(Self {
            runner,
            limits,
            options,
            draft: None,
            cache: BlockCache::new(limits.n_blocks, limits.block_tokens),
            running: Line::new(),
            waiting: Line::new(),
            requests: BTreeMap::new(),
            events: Vec::new(),
            counters: EngineStatistics::default(),
            next_id: 0,
        })
    }

    /// Guesses tokens ahead. Guesses change the number of steps and no token.
    #[must_use]
    pub fn with_draft(mut self, draft: impl Draft + 'static) -> Self {
        self.draft = Some(Box::new(draft));
        self
    }

    /// Queues a request. What comes of it comes out of later calls to [`step`](Self::step).
    ///
    /// # Errors
    ///
    /// [`SubmitError`] if the request is not valid, could never fit, or too many wait. The engine
    /// is as it was before.
    pub fn submit(&mut self, request: Request) -> Result<RequestId, SubmitError> {
        self.check(&request)?;
        let id = RequestId(self.next_id);
        let (sequence, state) = self.accept(id, request)?;
        self.next_id += 1;
        if sequence.next_row < sequence.n_target {
            self.requests.insert(id, state);
            self.waiting.insert(sequence.key, sequence);
        } else {
            // Not one row is wanted, so there is nothing to compute.
            self.complete(id, state);
        }
        Ok(id)
    }

    /// Computes the next batch and returns what happened, in order. An idle engine does nothing.
    ///
    /// A failure of the runner is an event of the requests that it concerns; all others go on.
    pub fn step(&mut self) -> Vec<EngineEvent> {
        self.step_watched(&mut Unwatched)
    }

    /// As [`step`](Self::step); `watcher` hears each token as it is drawn and may end its sample.
    pub fn step_watched(&mut self, watcher: &mut dyn Watcher) -> Vec<EngineEvent> {
        self.advance(watcher);
        std::mem::take(&mut self.events)
    }

    /// Takes a request back. Its blocks are free or cached when this returns, and no event comes
    /// of it any more. Returns whether there was such a request.
    pub fn cancel(&mut self, id: RequestId) -> bool {
        self.drop_sequences(id);
        let n_events = self.events.len();
        self.events.retain(|event| event.id() != id);
        self.requests.remove(&id).is_some() || self.events.len() < n_events
    }

    /// Whether there is nothing to compute and nothing to tell.
    pub fn is_idle(&self) -> bool {
        self.requests.is_empty() && self.events.is_empty()
    }

    /// What the engine holds and has done.
    pub fn statistics(&self) -> EngineStatistics {
        EngineStatistics {
            blocks: self.cache.counts(),
            running: self.running.len(),
            waiting: self.waiting.len(),
            ..self.counters
        }
    }

    /// The runner.
    pub fn runner(&self) -> &R {
        &self.runner
    }

    /// What the runner can hold.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    fn check(&self, request: &Request) -> Result<(), SubmitError> {
        let (tokens, vocab_size) = (&request.tokens, self.limits.vocab_size);
        let is_empty = match request.task {
            Task::Score { n_context, .. } => n_context == 0,
            Task::Generate { .. } | Task::Embed => tokens.is_empty(),
        };
        if is_empty {
            return Err(SubmitError::EmptyPrompt);
        }
        if let Some(index) = tokens.iter().position(|&id| id as usize >= vocab_size) {
            return Err(SubmitError::UnknownToken { index, vocab_size, found: tokens[index] });
        }
        let n_more = match &request.task {
            Task::Generate { options, .. } => options.max_new_tokens.min(1),
            Task::Score { .. } | Task::Embed => 0,
        };
        let (needed, limit) = (tokens.len() + n_more, self.limits.sequence_tokens());
        if needed > limit {
            return Err(SubmitError::TooLong { tokens: needed, limit });
        }
        let (waiting, limit) = (self.waiting.len(), self.options.max_waiting);
        if waiting >= limit {
            return Err(SubmitError::Overloaded { waiting, limit });
        }
        Ok(())
    }

    /// Makes the first sequence of a request.
    fn accept(
        &self,
        id: RequestId,
        request: Request,
    ) -> Result<(Sequence, RequestState), SubmitError> {
        let (key, n_tokens) = (SequenceKey { id, sample: 0 }, request.tokens.len());
        let Request { tokens, task, salt, processor } = request;
        let (mut sequence, state) = match task {
            Task::Generate { options, end_token_ids } => {
                let drawing = self.drawing(&options, end_token_ids, processor)?;
                let state = prompt_state(n_tokens, &options);
                (self.generation(key, tokens, &options, drawing), state)
            }
            Task::Score { n_context, n_top } => {
                check_top(n_top)?;
                let mut sequence = Sequence::new(key, tokens, Goal::ReadLogits, n_context - 1);
                // The last token predicts nothing that is asked for.
                sequence.n_target = n_tokens - 1;
                let (logprobs, is_greedy) = (Vec::new(), true);
                let findings = Findings::Score { n_context, n_top, logprobs, is_greedy };
                (sequence, RequestState::new(n_tokens, 1, findings))
            }
            Task::Embed => {
                let findings = Findings::Hidden { sum: vec![0.0; self.limits.hidden_size] };
                let sequence = Sequence::new(key, tokens, Goal::ReadHidden, 0);
                (sequence, RequestState::new(n_tokens, 1, findings))
            }
        };
        sequence.share_with(salt.filter(|_| self.options.reuses_prefixes));
        Ok((sequence, state))
    }

    fn drawing(
        &self,
        options: &GenerateOptions,
        end_token_ids: Vec<u32>,
        processor: Option<Box<dyn LogitsProcessor>>,
    ) -> Result<Drawing, SubmitError> {
        options.validate(Some(self.limits.vocab_size))?;
        if options.constraint.is_some() && processor.is_none() {
            return Err(SubmitError::UnenforcedConstraint);
        }
        let mut sampler = Sampler::new(options)?;
        if !options.ignore_eos {
            sampler = sampler.with_end_tokens(&end_token_ids);
        }
        Ok(Drawing::new(sampler, options.clone(), end_token_ids, processor))
    }

    fn generation(
        &self,
        key: SequenceKey,
        prompt: Vec<u32>,
        options: &GenerateOptions,
        drawing: Drawing,
    ) -> Sequence {
        let n_prompt = prompt.len();
        let next_row = if options.prompt_logprobs.is_some() { 0 } else { n_prompt - 1 };
        if options.max_new_tokens == 0 {
            let mut sequence = Sequence::new(key, prompt, Goal::ReadLogits, next_row);
            // Nothing is drawn from the last row.
            sequence.n_target = n_prompt - 1;
            return sequence;
        }
        let mut sequence = Sequence::new(key, prompt, Goal::Generate(Box::new(drawing)), next_row);
        let n_most = n_prompt.saturating_add(options.max_new_tokens);
        sequence.n_most = n_most.min(self.limits.sequence_tokens());
        sequence
    }

    /// Ends a request that draws nothing.
    pub(super) fn complete(&mut self, id: RequestId, mut state: RequestState) {
        self.events.extend(state.prompt_scored(id));
        if let Findings::Prompt { .. } = state.findings {
            for sample in 0..state.n_open {
                let reason = FinishReason::Length;
                self.events.push(EngineEvent::SampleFinished { id, sample, reason });
            }
        }
        self.events.push(state.finished(id));
    }

    /// Ends a request with an error, if it has not ended.
    pub(super) fn fail(&mut self, id: RequestId, error: RequestError) {
        self.drop_sequences(id);
        if self.requests.remove(&id).is_some() {
            tracing::debug!(%id, %error, "a request failed");
            self.events.push(EngineEvent::Failed { id, error });
        }
    }

    fn drop_sequences(&mut self, id: RequestId) {
        let all = SequenceKey { id, sample: 0 }..=SequenceKey { id, sample: u32::MAX };
        for line in [&mut self.running, &mut self.waiting] {
            for (_, mut sequence) in line.extract_if(all.clone(), |_, _| true) {
                sequence.release(&mut self.cache);
            }
        }
    }
}

fn prompt_state(n_prompt: usize, options: &GenerateOptions) -> RequestState {
    let findings = Findings::Prompt { n_top: options.prompt_logprobs, logprobs: Vec::new() };
    RequestState::new(n_prompt, options.n_samples, findings)
}

fn check_top(n_top: usize) -> Result<(), OptionsError> {
    if n_top <= MAX_TOP {
        return Ok(());
    }
    Err(OptionsError::Count { field: "n_top", from: 0, to: MAX_TOP, found: n_top })
}
