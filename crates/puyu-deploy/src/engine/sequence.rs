//! One sequence: its tokens, the blocks that hold them, and how far it is computed.
//!
//! Three counts say where a sequence is: `n_known` tokens are given or drawn, `n_computed` of them
//! have their keys and values in the blocks, and rows up to `next_row` have been read. While a
//! sample is generated, `n_computed` is `n_known - 1`: only the last token is still to compute.

use puyu_core::{FinishReason, GenerateOptions, History, SampledToken, Sampler, sampler};

use super::blocks::BlockId;
use super::cache::{BlockCache, Match};
use super::error::RequestError;
use super::prefix::Parent;
use super::request::{LogitsProcessor, RequestId};
use super::runner::{Rows, Segment};

/// The place of a sequence in every line: by request, then by sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct SequenceKey {
    pub(super) id: RequestId,
    pub(super) sample: u32,
}

/// What the rows of a sequence are read for.
pub(super) enum Goal {
    /// Rows of the given tokens only; nothing is drawn.
    ReadLogits,
    /// Hidden states of the given tokens.
    ReadHidden,
    /// Tokens are drawn, after rows of the prompt were read where they are asked for.
    Generate(Box<Drawing>),
}

/// How the tokens of one sample are drawn.
pub(super) struct Drawing {
    sampler: Sampler,
    options: GenerateOptions,
    end_token_ids: Vec<u32>,
    processor: Option<Box<dyn LogitsProcessor>>,
    /// The row as the model gave it, kept where a processor would spoil its log-probabilities.
    original: Vec<f32>,
}

pub(super) struct Sequence {
    pub(super) key: SequenceKey,
    pub(super) goal: Goal,
    /// Tokens given, then tokens drawn.
    pub(super) tokens: Vec<u32>,
    pub(super) n_prompt: usize,
    /// Tokens to compute; grows with each token drawn.
    pub(super) n_target: usize,
    /// Most tokens that the sequence will have, by its options and by the room there is.
    pub(super) n_most: usize,
    pub(super) n_computed: usize,
    /// First position whose row is still wanted.
    pub(super) next_row: usize,
    pub(super) table: Vec<BlockId>,
    /// Whose cached starts it shares, if anybody's.
    pub(super) salt: Option<u64>,
    n_published: usize,
    parent: Parent,
}

impl Sequence {
    /// A sequence of given tokens that holds no block yet. All of them are computed, and rows are
    /// wanted from `next_row` on.
    pub(super) fn new(key: SequenceKey, tokens: Vec<u32>, goal: Goal, next_row: usize) -> Self {
        let n_prompt = tokens.len();
        Self {
            key,
            goal,
            tokens,
            n_prompt,
            n_target: n_prompt,
            n_most: n_prompt,
            n_computed: 0,
            next_row,
            table: Vec::new(),
            salt: None,
            n_published: 0,
            parent: Parent::Root { salt: 0 },
        }
    }

    pub(super) fn generated(&self) -> &[u32] {
        &self.tokens[self.n_prompt..]
    }

    /// Tokens that must be computed before anything else can happen.
    pub(super) fn n_pending(&self) -> usize {
        self.n_target - self.n_computed
    }

    /// The tokens of which nothing but keys and values is wanted, so that they may come from the
    /// cache.
    pub(super) fn reusable(&self) -> &[u32] {
        &self.tokens[..self.next_row.min(self.n_target)]
    }

    /// Tokens that may be guessed ahead at most: the last token of the sequence needs no guess,
    /// because nothing is computed after it.
    pub(super) fn n_draftable(&self) -> usize {
        match self.goal {
            Goal::Generate(_) => self.n_most.saturating_sub(self.tokens.len() + 1),
            Goal::ReadLogits | Goal::ReadHidden => 0,
        }
    }

    /// The next tokens to compute, followed by guesses.
    pub(super) fn segment(&self, n_tokens: usize, drafted: &[u32]) -> Segment {
        let (start, end) = (self.n_computed, self.n_computed + n_tokens);
        let tokens = [&self.tokens[start..end], drafted].concat();
        let first = self.next_row.max(start) - start;
        let rows = match self.goal {
            _ if first >= tokens.len() => Rows::None,
            Goal::ReadHidden => Rows::HiddenFrom(first),
            Goal::ReadLogits | Goal::Generate(_) => Rows::LogitsFrom(first),
        };
        let prompt_tokens = self.n_prompt;
        Segment { tokens, start, blocks: self.table.clone(), rows, prompt_tokens }
    }

    /// Sets whose cached starts it shares, if anybody's.
    pub(super) fn share_with(&mut self, salt: Option<u64>) {
        self.salt = salt;
        self.parent = Parent::Root { salt: salt.unwrap_or(0) };
    }

    /// Takes over blocks that are computed already and held for it.
    pub(super) fn adopt(&mut self, found: Match, cache: &BlockCache) {
        debug_assert!(self.table.is_empty(), "a sequence is admitted without blocks");
        self.n_computed = found.blocks.len() * cache.block_tokens();
        self.n_published = found.blocks.len();
        self.table = found.blocks;
        if self.salt.is_some() {
            self.parent = found.parent;
        }
    }

    /// Adds blocks, which were counted before.
    pub(super) fn grow(&mut self, n_blocks: usize, cache: &mut BlockCache) {
        for _ in 0..n_blocks {
            let block = cache.allocate().expect("the plan counted free and cached blocks");
            self.table.push(block);
        }
    }

    /// Lets go of all blocks. What was drawn and read stays, the rest must be computed again.
    pub(super) fn release(&mut self, cache: &mut BlockCache) {
        cache.let_go_all(&self.table);
        self.table.clear();
        self.n_computed = 0;
        self.n_published = 0;
        self.parent = Parent::Root { salt: self.salt.unwrap_or(0) };
    }

    /// Lets go of blocks that were taken for guesses which turned out wrong.
    pub(super) fn trim(&mut self, cache: &mut BlockCache) {
        let n_needed = cache.blocks_for(self.n_target);
        if n_needed < self.table.len() {
            cache.let_go_all(&self.table.split_off(n_needed));
        }
    }

    /// Offers the blocks that are full and computed to other sequences.
    pub(super) fn publish(&mut self, cache: &mut BlockCache) {
        if self.salt.is_none() {
            return;
        }
        let width = cache.block_tokens();
        while (self.n_published + 1) * width <= self.n_computed {
            let first = self.n_published * width;
            let tokens = &self.tokens[first..first + width];
            let block = &mut self.table[self.n_published];
            (*block, self.parent) = cache.publish(self.parent, tokens, *block);
            self.n_published += 1;
        }
    }

    /// Another sample of the same prompt, before the first token is drawn. It holds no block.
    pub(super) fn fork(&self, sample: u32) -> Option<Self> {
        let Goal::Generate(drawing) = &self.goal else { return None };
        debug_assert!(self.generated().is_empty(), "samples share their prompt only");
        let mut fork = Self::new(
            SequenceKey { sample, ..self.key },
            self.tokens.clone(),
            Goal::Generate(Box::new(drawing.fork(sample))),
            self.next_row,
        );
        fork.n_most = self.n_most;
        fork.share_with(self.salt);
        Some(fork)
    }

    /// Blocks of a fork's prompt that are shared with `self`, as if it had computed them.
    pub(super) fn share_prompt(&self, fork: &mut Self, cache: &mut BlockCache) {
        let n_full = self.n_prompt / cache.block_tokens();
        fork.table = self.table[..n_full].to_vec();
        for &block in &fork.table {
            cache.hold(block);
        }
        fork.n_computed = self.n_prompt;
        (fork.n_published, fork.parent) = (self.n_published, self.parent);
    }

    /// Draws a token, which is the next to be computed. Leaves the row changed. Nothing is drawn
    /// where tokens are only read.
    pub(super) fn draw(&mut self, row: &mut [f32]) -> Result<Option<SampledToken>, RequestError> {
        let Goal::Generate(drawing) = &mut self.goal else { return Ok(None) };
        let (prompt, generated) = self.tokens.split_at(self.n_prompt);
        let token = drawing.draw(row, History { prompt, generated })?;
        self.next_row = self.tokens.len();
        self.tokens.push(token.id);
        self.n_target = self.tokens.len();
        Ok(Some(token))
    }

    /// Why the sequence ends with its last token, if it does: by a token that ends it, by what the
    /// watcher `said`, or because there is no more room.
    pub(super) fn end(
        &self,
        said: Option<FinishReason>,
        sequence_tokens: usize,
    ) -> Option<FinishReason> {
        let Goal::Generate(drawing) = &self.goal else { return None };
        let token = self.generated().last()?;
        let is_full = self.tokens.len() >= sequence_tokens;
        let limit = || drawing.limit(self.generated().len(), is_full);
        drawing.ended_by(*token).or(said).or_else(limit)
    }
}

impl Drawing {
    pub(super) fn new(
        sampler: Sampler,
        options: GenerateOptions,
        end_token_ids: Vec<u32>,
        processor: Option<Box<dyn LogitsProcessor>>,
    ) -> Self {
        Self { sampler, options, end_token_ids, processor, original: Vec::new() }
    }

    fn fork(&self, sample: u32) -> Self {
        Self {
            sampler: self.sampler.clone().with_sample(sample),
            options: self.options.clone(),
            end_token_ids: self.end_token_ids.clone(),
            processor: self.processor.as_ref().map(|processor| processor.fork()),
            original: Vec::new(),
        }
    }

    /// Samples that the request wants.
    pub(super) fn n_samples(&self) -> u32 {
        // Options are checked: there are 256 at most.
        self.options.n_samples as u32
    }

    /// Draws the token after `history`. Leaves the row changed.
    fn draw(
        &mut self,
        row: &mut [f32],
        history: History<'_>,
    ) -> Result<SampledToken, RequestError> {
        let Some(processor) = &mut self.processor else {
            return Ok(self.sampler.sample(row, history)?);
        };
        if self.options.logprobs.is_some() {
            self.original.clear();
            self.original.extend_from_slice(row);
        }
        processor.process(history, row);
        let mut token = self.sampler.sample(row, history)?;
        if let Some(n_top) = self.options.logprobs {
            let (logprob, top) = sampler::token_logprob(&self.original, token.id, n_top)?;
            (token.logprob, token.top) = (Some(logprob), top);
        }
        Ok(token)
    }

    /// Why the sample ends with this token, whatever its text is.
    fn ended_by(&self, token: u32) -> Option<FinishReason> {
        if !self.options.ignore_eos && self.end_token_ids.contains(&token) {
            return Some(FinishReason::Stop);
        }
        self.options.stop_token_ids.contains(&token).then_some(FinishReason::StopToken(token))
    }

    /// Why there is no room for another token, if there is none.
    fn limit(&self, n_generated: usize, is_full: bool) -> Option<FinishReason> {
        if n_generated >= self.options.max_new_tokens {
            return Some(FinishReason::Length);
        }
        is_full.then_some(FinishReason::ContextFull)
    }
}
