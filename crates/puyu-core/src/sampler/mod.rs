//! Draws the next token from one row of logits.
//!
//! The stages, in the order of Hugging Face's processors and warpers:
//!
//! 1. bias, then penalties: repetition, presence and frequency, DRY ([`penalties`], [`dry`])
//! 2. masks: allowed and forbidden tokens, and end tokens before the least number of tokens
//! 3. temperature; 0 takes the greatest logit and ends here
//! 4. filters: top-k, top-p, min-p, typical-p ([`filters`])
//! 5. one draw with one random number ([`random`])
//!
//! The random number is a function of seed, sample and step, and the token a function of it and
//! the row. So the tokens do not depend on the batch, on scheduling, or on a resume in between.

use crate::error::{OptionsError, SampleError};
use crate::options::GenerateOptions;

pub mod dry;
pub mod filters;
pub mod penalties;
pub mod random;
mod row;

#[cfg(test)]
mod tests;

pub use row::argmax;

use filters::Candidates;

/// The tokens of a sequence so far.
#[derive(Debug, Clone, Copy, Default)]
pub struct History<'a> {
    /// What the sequence was started with.
    pub prompt: &'a [u32],
    /// What was drawn since. Its length is the step of the random number.
    pub generated: &'a [u32],
}

/// A token drawn, and how probable it was.
#[derive(Debug, Clone, PartialEq)]
pub struct SampledToken {
    /// The token.
    pub id: u32,
    /// Natural logarithm of its probability under the row as given: before bias, penalties,
    /// temperature and filters. Present if the options ask for log-probabilities.
    pub logprob: Option<f32>,
    /// The most probable tokens under the row as given, best first, equal ones by id. As many as
    /// the options ask for.
    pub top: Vec<(u32, f32)>,
}

/// Draws tokens for one sequence. Keeps only scratch memory between calls.
///
/// # Examples
///
/// ```
/// use puyu_core::{GenerateOptions, History, Sampler};
///
/// let mut sampler = Sampler::new(&GenerateOptions::default().with_seed(7))?;
/// let history = History { prompt: &[1, 2], generated: &[] };
/// let token = sampler.sample(&mut [0.1, 3.0, f32::NEG_INFINITY], history)?;
/// assert_eq!(token.id, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Sampler {
    options: GenerateOptions,
    sample: u32,
    end_token_ids: Vec<u32>,
    /// The row as given, kept while the stages change it. Empty unless log-probabilities are
    /// asked for.
    original: Vec<f32>,
    occurrences: penalties::Occurrences,
    dry: dry::Scratch,
    candidates: Candidates,
}

impl Sampler {
    /// Makes a sampler for the first sample of a request.
    ///
    /// # Errors
    ///
    /// [`OptionsError`] if the options are not valid.
    pub fn new(options: &GenerateOptions) -> Result<Self, OptionsError> {
        options.validate(None)?;
        Ok(Self {
            options: options.clone(),
            sample: 0,
            end_token_ids: options.stop_token_ids.clone(),
            original: Vec::new(),
            occurrences: penalties::Occurrences::default(),
            dry: dry::Scratch::default(),
            candidates: Candidates::default(),
        })
    }

    /// Sets the number of the sample, from 0, where a request has several.
    #[must_use]
    pub fn with_sample(mut self, sample: u32) -> Self {
        self.sample = sample;
        self
    }

    /// Adds the model's own end tokens to those held back until
    /// [`min_new_tokens`](GenerateOptions::min_new_tokens).
    #[must_use]
    pub fn with_end_tokens(mut self, end_token_ids: &[u32]) -> Self {
        self.end_token_ids.extend_from_slice(end_token_ids);
        self
    }

    /// Draws the token after `history`. Leaves `logits` changed.
    ///
    /// Minus infinity forbids a token, so an engine may mask the row beforehand. Ids in options
    /// and history beyond the row are passed over.
    ///
    /// # Shapes
    ///
    /// - `logits`: `[V]`, the vocabulary
    ///
    /// # Errors
    ///
    /// [`SampleError`] if the row is empty, has a NaN or a positive infinity, or nothing is left.
    pub fn sample(
        &mut self,
        logits: &mut [f32],
        history: History<'_>,
    ) -> Result<SampledToken, SampleError> {
        let mut best = argmax(logits)?;
        if self.options.logprobs.is_some() {
            self.original.clear();
            self.original.extend_from_slice(logits);
        }
        if self.alters_logits(history) {
            self.alter(logits, history);
            best = argmax(logits)?;
        }
        let id = if self.options.is_greedy() { best } else { self.draw(logits, history.generated) };
        Ok(self.describe(id))
    }

    fn alters_logits(&self, history: History<'_>) -> bool {
        let o = &self.options;
        !o.logit_bias.is_empty()
            || penalties::Penalties::of(o).is_some()
            || o.dry.is_some()
            || !o.forbidden_token_ids.is_empty()
            || !o.allowed_token_ids.is_empty()
            || history.generated.len() < o.min_new_tokens
    }

    /// Stages 1 and 2.
    fn alter(&mut self, logits: &mut [f32], history: History<'_>) {
        let options = &self.options;
        penalties::add_bias(logits, &options.logit_bias);
        if let Some(penalties) = penalties::Penalties::of(options) {
            penalties.apply(logits, history, &mut self.occurrences);
        }
        if let Some(dry) = &options.dry {
            dry::penalize(logits, history, dry, &mut self.dry);
        }
        if !options.allowed_token_ids.is_empty() {
            penalties::allow_only(logits, &options.allowed_token_ids);
        }
        penalties::forbid(logits, &options.forbidden_token_ids);
        if history.generated.len() < options.min_new_tokens {
            penalties::forbid(logits, &self.end_token_ids);
        }
    }

    /// Stages 3 to 5.
    fn draw(&mut self, logits: &mut [f32], generated: &[u32]) -> u32 {
        self.narrow(logits);
        let seed = self.options.seed.unwrap_or(0);
        self.candidates.draw(random::uniform(seed, self.sample, generated.len() as u64))
    }

    /// Stages 3 and 4.
    fn narrow(&mut self, logits: &mut [f32]) {
        let options = &self.options;
        filters::scale(logits, options.temperature);
        match options.top_k {
            Some(k) => self.candidates.fill_top_k(logits, k),
            None => self.candidates.fill(logits),
        }
        self.candidates.keep_top_p(options.top_p);
        self.candidates.keep_min_p(options.min_p);
        self.candidates.keep_typical_p(options.typical_p);
    }

    fn describe(&mut self, id: u32) -> SampledToken {
        let Some(n_top) = self.options.logprobs else {
            return SampledToken { id, logprob: None, top: Vec::new() };
        };
        let (logprob, top) = self.candidates.logprobs(&self.original, id, n_top);
        SampledToken { id, logprob: Some(logprob), top }
    }
}

/// Log-probabilities of given tokens, one per row, as [`Sampler`] would tell them; for scoring
/// and for prompts.
///
/// Returns the token's log-probability and the `n_top` most probable tokens with theirs.
///
/// # Shapes
///
/// - `logits`: `[V]`, the vocabulary
///
/// # Errors
///
/// [`SampleError`] if the row is empty, has a NaN or a positive infinity, or no finite logit.
///
/// # Panics
///
/// If `id` is beyond the row.
pub fn token_logprob(
    logits: &[f32],
    id: u32,
    n_top: usize,
) -> Result<(f32, Vec<(u32, f32)>), SampleError> {
    argmax(logits)?;
    Ok(Candidates::default().logprobs(logits, id, n_top))
}
