//! A model whose every row depends on every token before it, and a plain loop over it.
//!
//! The runner stores tokens where a real one stores keys and values, and reads them back through
//! the block tables. So a wrong block, a stale slot or a recomputation left out changes what comes
//! out.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use puyu_core::{
    FinishReason, GenerateOptions, History, SampledToken, Sampler, Score, TokenLogprob, sampler,
};

use super::super::*;

/// What no sequence has: marks slots that hold nothing.
const NOTHING: u32 = u32::MAX;
pub(super) const HIDDEN: usize = 3;

/// Well mixed bits of a number.
fn mix(x: u64) -> u64 {
    let x = (x ^ (x >> 31)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let x = (x ^ (x >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x ^ (x >> 32)
}

fn digest(tokens: &[u32]) -> u64 {
    tokens.iter().fold(17, |state, &token| mix(state.wrapping_add(u64::from(token) + 1)))
}

fn number(state: u64, index: usize) -> f32 {
    let bits = mix(state.wrapping_add(mix(index as u64 + 1)));
    (bits >> 40) as f32 / (1 << 24) as f32 * 8.0 - 4.0
}

/// The row after a sequence.
pub(super) fn logits(tokens: &[u32], vocab_size: usize) -> Vec<f32> {
    let state = digest(tokens);
    (0..vocab_size).map(|id| number(state, id)).collect()
}

/// The state of the last token of a sequence.
pub(super) fn hidden(tokens: &[u32]) -> Vec<f32> {
    let state = digest(tokens) ^ 0xABCD;
    (0..HIDDEN).map(|index| number(state, index)).collect()
}

/// The scripted runner. Checks what the engine promises a runner.
pub(super) struct ToyRunner {
    limits: Limits,
    slots: Vec<Vec<u32>>,
    /// Batches that fail, counted from 0.
    pub(super) failing: BTreeSet<usize>,
    pub(super) fails_to_copy: bool,
    /// Values left out of each output.
    pub(super) n_missing: usize,
    /// Every batch so far.
    pub(super) batches: Vec<Batch>,
    pub(super) copies: Vec<(BlockId, BlockId)>,
}

impl ToyRunner {
    pub(super) fn new(n_blocks: u32, block_tokens: usize) -> Self {
        let context_tokens = 64;
        let limits =
            Limits { n_blocks, block_tokens, vocab_size: 11, hidden_size: HIDDEN, context_tokens };
        Self::with_limits(limits)
    }

    pub(super) fn with_limits(limits: Limits) -> Self {
        Self {
            limits,
            slots: vec![vec![NOTHING; limits.block_tokens]; limits.n_blocks as usize],
            failing: BTreeSet::new(),
            fails_to_copy: false,
            n_missing: 0,
            batches: Vec::new(),
            copies: Vec::new(),
        }
    }

    fn slot(&mut self, segment: &Segment, position: usize) -> &mut u32 {
        let width = self.limits.block_tokens;
        &mut self.slots[segment.blocks[position / width].index()][position % width]
    }

    fn sequence(&mut self, segment: &Segment, end: usize) -> Vec<u32> {
        (0..end).map(|position| *self.slot(segment, position)).collect()
    }

    /// No block is written by one segment and touched by another.
    fn check_apart(&self, batch: &Batch) {
        let width = self.limits.block_tokens;
        let mut users: BTreeMap<BlockId, usize> = BTreeMap::new();
        let mut written = Vec::new();
        for segment in &batch.segments {
            assert!(!segment.tokens.is_empty(), "an empty segment");
            let last = segment.start + segment.tokens.len() - 1;
            assert!(last < self.limits.context_tokens, "beyond the context");
            for &block in &segment.blocks[..=last / width] {
                *users.entry(block).or_default() += 1;
            }
            written.extend(&segment.blocks[segment.start / width..=last / width]);
        }
        for block in written {
            assert_eq!(users[block], 1, "{block:?} is written while another sequence uses it");
        }
    }
}

impl Runner for ToyRunner {
    fn limits(&self) -> Limits {
        self.limits
    }

    fn run(&mut self, batch: &Batch) -> Result<Output, RunError> {
        self.check_apart(batch);
        let fails = self.failing.contains(&self.batches.len());
        self.batches.push(batch.clone());
        let mut output = Output::default();
        for segment in &batch.segments {
            for (position, &token) in (segment.start..).zip(&segment.tokens) {
                // A batch that fails may leave anything behind.
                *self.slot(segment, position) = if fails { NOTHING } else { token };
            }
            for index in 0..segment.tokens.len() {
                let tokens = self.sequence(segment, segment.start + index + 1);
                match segment.rows {
                    Rows::LogitsFrom(first) if index >= first => {
                        output.logits.extend(logits(&tokens, self.limits.vocab_size));
                    }
                    Rows::HiddenFrom(first) if index >= first => {
                        output.hidden.extend(hidden(&tokens));
                    }
                    _ => {}
                }
            }
        }
        output.logits.truncate(output.logits.len().saturating_sub(self.n_missing));
        if fails { Err(RunError::new("the machine is on fire")) } else { Ok(output) }
    }

    fn copy_block(&mut self, from: BlockId, to: BlockId) -> Result<(), RunError> {
        if self.fails_to_copy {
            return Err(RunError::new("cannot copy"));
        }
        self.copies.push((from, to));
        self.slots[to.index()] = self.slots[from.index()].clone();
        Ok(())
    }
}

/// All that came out for a request, or should come out.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Outcome {
    pub(super) tokens: Vec<Vec<SampledToken>>,
    pub(super) reasons: Vec<Option<FinishReason>>,
    pub(super) prompt: Option<Vec<Option<TokenLogprob>>>,
    pub(super) score: Option<Score>,
    pub(super) mean: Option<Vec<f32>>,
    /// What the last event was, and the error if it was one.
    pub(super) end: Option<Result<(), String>>,
}

impl Outcome {
    /// Token ids of a sample.
    pub(super) fn ids(&self, sample: usize) -> Vec<u32> {
        self.tokens[sample].iter().map(|token| token.id).collect()
    }

    pub(super) fn with_samples(n_samples: usize) -> Self {
        Self {
            tokens: vec![Vec::new(); n_samples],
            reasons: vec![None; n_samples],
            ..Self::default()
        }
    }
}

/// Forbids the token before, and insists on being called once for each token, in order.
#[derive(Default)]
pub(super) struct NoTwice {
    n_calls: usize,
}

impl LogitsProcessor for NoTwice {
    fn process(&mut self, history: History<'_>, logits: &mut [f32]) {
        assert_eq!(history.generated.len(), self.n_calls, "one call for each token, in order");
        self.n_calls += 1;
        let last = history.generated.last().or(history.prompt.last());
        if let Some(&last) = last {
            logits[last as usize] = f32::NEG_INFINITY;
        }
    }

    fn fork(&self) -> Box<dyn LogitsProcessor> {
        assert_eq!(self.n_calls, 0, "forks are made before the first token");
        Box::new(Self::default())
    }
}

/// A request to generate, in parts, so that both the engine and the plain loop can have it.
#[derive(Debug, Clone)]
pub(super) struct Generate {
    pub(super) prompt: Vec<u32>,
    pub(super) options: GenerateOptions,
    pub(super) end_tokens: Vec<u32>,
    pub(super) has_processor: bool,
    /// A token at which a watcher ends the sample, as a stop string would.
    pub(super) watched: Option<u32>,
}

impl Generate {
    pub(super) fn new(prompt: impl Into<Vec<u32>>, options: GenerateOptions) -> Self {
        let prompt = prompt.into();
        Self { prompt, options, end_tokens: Vec::new(), has_processor: false, watched: None }
    }

    pub(super) fn request(&self) -> Request {
        let request = Request::generate(self.prompt.clone(), self.options.clone())
            .with_end_tokens(self.end_tokens.clone());
        if self.has_processor { request.with_processor(NoTwice::default()) } else { request }
    }

    pub(super) fn watch(&self, token: &SampledToken) -> ControlFlow<FinishReason> {
        match self.watched {
            Some(watched) if watched == token.id => {
                ControlFlow::Break(FinishReason::StopString("stop".to_owned()))
            }
            _ => ControlFlow::Continue(()),
        }
    }

    /// One sequence at a time, without cache, blocks or guesses.
    pub(super) fn plainly(&self, limits: &Limits) -> Outcome {
        let options = &self.options;
        let mut outcome = Outcome::with_samples(options.n_samples);
        if let Some(n_top) = options.prompt_logprobs {
            let tokens = given_logprobs(&self.prompt, 1, n_top, limits.vocab_size);
            outcome.prompt = Some(std::iter::once(None).chain(tokens.map(Some)).collect());
        }
        outcome.end = Some(Ok(()));
        for sample in 0..options.n_samples {
            match self.sample(sample, limits, &mut outcome.tokens[sample]) {
                Ok(reason) => outcome.reasons[sample] = Some(reason),
                Err(error) => outcome.end = Some(Err(error)),
            }
        }
        outcome
    }

    fn sample(
        &self,
        sample: usize,
        limits: &Limits,
        tokens: &mut Vec<SampledToken>,
    ) -> Result<FinishReason, String> {
        let options = &self.options;
        let end_tokens = if options.ignore_eos { &[][..] } else { &self.end_tokens };
        let mut sampler = Sampler::new(options)
            .expect("the options are valid")
            .with_sample(sample as u32)
            .with_end_tokens(end_tokens);
        let mut processor = NoTwice::default();
        let mut generated = Vec::new();
        while generated.len() < options.max_new_tokens {
            let known = [&self.prompt[..], &generated].concat();
            if known.len() >= limits.sequence_tokens() {
                return Ok(FinishReason::ContextFull);
            }
            let mut row = logits(&known, limits.vocab_size);
            let original = row.clone();
            let history = History { prompt: &self.prompt, generated: &generated };
            if self.has_processor {
                processor.process(history, &mut row);
            }
            let mut token = sampler.sample(&mut row, history).map_err(|error| error.to_string())?;
            if let Some(n_top) = options.logprobs {
                let (logprob, top) = sampler::token_logprob(&original, token.id, n_top).unwrap();
                (token.logprob, token.top) = (Some(logprob), top);
            }
            generated.push(token.id);
            tokens.push(token.clone());
            if end_tokens.contains(&token.id) {
                return Ok(FinishReason::Stop);
            }
            if options.stop_token_ids.contains(&token.id) {
                return Ok(FinishReason::StopToken(token.id));
            }
            if let ControlFlow::Break(reason) = self.watch(&token) {
                return Ok(reason);
            }
        }
        Ok(FinishReason::Length)
    }
}

fn given_logprobs(
    tokens: &[u32],
    from: usize,
    n_top: usize,
    vocab_size: usize,
) -> impl Iterator<Item = TokenLogprob> {
    (from..tokens.len()).map(move |at| {
        let row = logits(&tokens[..at], vocab_size);
        let (logprob, top) = sampler::token_logprob(&row, tokens[at], n_top).unwrap();
        TokenLogprob { id: tokens[at], logprob, top }
    })
}

/// The score of a continuation, computed directly.
pub(super) fn score_plainly(context: &[u32], continuation: &[u32], n_top: usize) -> Score {
    let tokens = [context, continuation].concat();
    let is_best = |at: usize| sampler::argmax(&logits(&tokens[..at], 11)).unwrap() == tokens[at];
    Score {
        tokens: given_logprobs(&tokens, context.len(), n_top, 11).collect(),
        is_greedy: (context.len()..tokens.len()).all(is_best),
        context_tokens: context.len(),
    }
}

/// The mean of hidden states, computed directly.
pub(super) fn embed_plainly(tokens: &[u32]) -> Vec<f32> {
    let mut sum = [0.0_f64; HIDDEN];
    for end in 1..=tokens.len() {
        for (sum, value) in sum.iter_mut().zip(hidden(&tokens[..end])) {
            *sum += f64::from(value);
        }
    }
    sum.iter().map(|sum| (sum / tokens.len() as f64) as f32).collect()
}

/// Guesses the greedy continuation, rightly but for one guess in `wrong_every`.
pub(super) struct Oracle {
    pub(super) wrong_every: u64,
}

impl Draft for Oracle {
    fn propose(&mut self, tokens: &[u32], limit: usize) -> Vec<u32> {
        let mut known = tokens.to_vec();
        for _ in 0..limit {
            let best = sampler::argmax(&logits(&known, 11)).unwrap();
            let is_wrong = digest(&known).is_multiple_of(self.wrong_every);
            known.push(if is_wrong { (best + 1) % 13 } else { best });
        }
        known.split_off(tokens.len())
    }
}
