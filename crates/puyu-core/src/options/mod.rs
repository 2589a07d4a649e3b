//! What a user may ask of a generation: lengths, sampling, penalties, stops, log-probabilities.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

mod validate;

#[cfg(test)]
mod tests;

/// How to generate. Every field may be left out; unknown fields are refused.
///
/// An engine that cannot honour a field set away from its default refuses the request with
/// [`ModelError::Unsupported`](crate::ModelError::Unsupported); it never ignores the field.
///
/// # Examples
///
/// ```
/// use puyu_core::GenerateOptions;
///
/// let options = GenerateOptions::default().with_temperature(0.6).with_top_k(20).with_seed(7);
/// options.validate(None)?;
///
/// let options: GenerateOptions = serde_json::from_str(r#"{"max_new_tokens": 64}"#)?;
/// assert_eq!(options, GenerateOptions::default().with_max_new_tokens(64));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GenerateOptions {
    /// Most tokens to generate per sample. Any number; 0 only reads the prompt, as for its
    /// log-probabilities. Default 512, which is LMDeploy's.
    pub max_new_tokens: usize,
    /// Tokens to generate before an end or stop token may be drawn, at most
    /// [`max_new_tokens`](Self::max_new_tokens). Default 0.
    pub min_new_tokens: usize,
    /// Divides the logits; from 0 to 100. 0 takes the most probable token (the lowest id of equal
    /// ones). Default 0.8, with which InternLM's own `chat` samples.
    pub temperature: f32,
    /// Keeps the `k` largest logits, and those equal to the last of them; from 1. `None` keeps
    /// all. Default 50, which is that of Hugging Face and LMDeploy.
    pub top_k: Option<usize>,
    /// Keeps the fewest most probable tokens whose sum reaches this share; from 0 to 1. 1 keeps
    /// all. Default 0.8, with which InternLM's own `chat` samples.
    pub top_p: f32,
    /// Keeps tokens at least this fraction as probable as the most probable one; from 0 to 1.
    /// 0 keeps all. Default 0.
    pub min_p: f32,
    /// Keeps the tokens whose surprise is nearest to the expected surprise, up to this share of
    /// the probability; above 0, up to 1. 1 keeps all. Default 1.
    pub typical_p: f32,
    /// Divides positive and multiplies negative logits of tokens that occur in the prompt or in
    /// the answer so far; above 0, up to 100. 1 changes nothing. Default 1.
    pub repetition_penalty: f32,
    /// Subtracted from the logits of tokens that occur in the answer so far; from -2 to 2.
    /// Default 0.
    pub presence_penalty: f32,
    /// Subtracted from a token's logit once per occurrence in the answer so far; from -2 to 2.
    /// Default 0.
    pub frequency_penalty: f32,
    /// The three penalties above look at the last so many tokens of prompt and answer; from 1.
    /// `None`, the default, looks at all.
    pub penalty_window: Option<usize>,
    /// Penalty against repeating whole sequences. `None`, the default, is none.
    pub dry: Option<DryOptions>,
    /// Added to the logits of tokens, before any penalty; finite. Default empty.
    pub logit_bias: BTreeMap<u32, f32>,
    /// Tokens that must never be generated. Default empty.
    pub forbidden_token_ids: Vec<u32>,
    /// The only tokens that may be generated. Empty, the default, allows all.
    pub allowed_token_ids: Vec<u32>,
    /// Start of the random numbers; any number. The same seed gives the same tokens whatever the
    /// batch. `None`, the default, lets the front end draw one; the sampler itself then takes 0.
    pub seed: Option<u64>,
    /// Texts that end the answer and are not part of it. None may be empty; at most 64 of at most
    /// 1,024 bytes. Default empty.
    pub stop_strings: Vec<String>,
    /// Tokens that end the answer, beside the model's own end tokens. Default empty.
    pub stop_token_ids: Vec<u32>,
    /// Whether the model's own end tokens are ordinary tokens. Default false; true is for
    /// measuring speed over a fixed number of tokens.
    pub ignore_eos: bool,
    /// Whether special tokens have no text in the answer; their ids are always told. Default true.
    pub skip_special_tokens: bool,
    /// Gives the log-probability of each generated token, and of the so many most probable ones,
    /// from 0 to 128. They are the model's own: natural logarithm, before bias, penalties,
    /// temperature and filters. `None`, the default, gives none and saves the work.
    pub logprobs: Option<usize>,
    /// The same for each token of the prompt but the first. Default `None`.
    pub prompt_logprobs: Option<usize>,
    /// Number of answers to one prompt, from 1 to 256. Default 1.
    pub n_samples: usize,
    /// A form that the answer must have. Default `None`.
    pub constraint: Option<Constraint>,
}

impl Default for GenerateOptions {
    /// Samples as InternLM's own `chat` does. Each field gives the reason for its value.
    fn default() -> Self {
        Self {
            max_new_tokens: 512,
            min_new_tokens: 0,
            temperature: 0.8,
            top_k: Some(50),
            top_p: 0.8,
            min_p: 0.0,
            typical_p: 1.0,
            repetition_penalty: 1.0,
            presence_penalty: 0.0,
            frequency_penalty: 0.0,
            penalty_window: None,
            dry: None,
            logit_bias: BTreeMap::new(),
            forbidden_token_ids: Vec::new(),
            allowed_token_ids: Vec::new(),
            seed: None,
            stop_strings: Vec::new(),
            stop_token_ids: Vec::new(),
            ignore_eos: false,
            skip_special_tokens: true,
            logprobs: None,
            prompt_logprobs: None,
            n_samples: 1,
            constraint: None,
        }
    }
}

impl GenerateOptions {
    /// Always takes the most probable token, with no filter to narrow the choice.
    pub fn greedy() -> Self {
        Self { temperature: 0.0, top_k: None, top_p: 1.0, ..Self::default() }
    }

    /// Draws from the model's own distribution: temperature 1, no filter. For roll-outs whose
    /// log-probabilities are trained on.
    pub fn plain_sampling() -> Self {
        Self { temperature: 1.0, top_k: None, top_p: 1.0, ..Self::default() }
    }

    /// Whether no chance is involved.
    pub fn is_greedy(&self) -> bool {
        self.temperature == 0.0
    }

    /// Sets [`max_new_tokens`](Self::max_new_tokens).
    #[must_use]
    pub fn with_max_new_tokens(mut self, max_new_tokens: usize) -> Self {
        self.max_new_tokens = max_new_tokens;
        self
    }

    /// Sets [`temperature`](Self::temperature).
    #[must_use]
    pub fn with_temperature(mut self, temperature: f32) -> Self {
        self.temperature = temperature;
        self
    }

    /// Sets [`top_k`](Self::top_k).
    #[must_use]
    pub fn with_top_k(mut self, top_k: impl Into<Option<usize>>) -> Self {
        self.top_k = top_k.into();
        self
    }

    /// Sets [`top_p`](Self::top_p).
    #[must_use]
    pub fn with_top_p(mut self, top_p: f32) -> Self {
        self.top_p = top_p;
        self
    }

    /// Sets [`min_p`](Self::min_p).
    #[must_use]
    pub fn with_min_p(mut self, min_p: f32) -> Self {
        self.min_p = min_p;
        self
    }

    /// Sets [`repetition_penalty`](Self::repetition_penalty).
    #[must_use]
    pub fn with_repetition_penalty(mut self, repetition_penalty: f32) -> Self {
        self.repetition_penalty = repetition_penalty;
        self
    }

    /// Sets [`dry`](Self::dry).
    #[must_use]
    pub fn with_dry(mut self, dry: impl Into<Option<DryOptions>>) -> Self {
        self.dry = dry.into();
        self
    }

    /// Sets [`seed`](Self::seed).
    #[must_use]
    pub fn with_seed(mut self, seed: impl Into<Option<u64>>) -> Self {
        self.seed = seed.into();
        self
    }

    /// Sets [`stop_strings`](Self::stop_strings).
    #[must_use]
    pub fn with_stop_strings<S: Into<String>>(
        mut self,
        stop_strings: impl IntoIterator<Item = S>,
    ) -> Self {
        self.stop_strings = stop_strings.into_iter().map(Into::into).collect();
        self
    }

    /// Sets [`stop_token_ids`](Self::stop_token_ids).
    #[must_use]
    pub fn with_stop_token_ids(mut self, stop_token_ids: impl Into<Vec<u32>>) -> Self {
        self.stop_token_ids = stop_token_ids.into();
        self
    }

    /// Sets [`logprobs`](Self::logprobs).
    #[must_use]
    pub fn with_logprobs(mut self, logprobs: impl Into<Option<usize>>) -> Self {
        self.logprobs = logprobs.into();
        self
    }

    /// Sets [`n_samples`](Self::n_samples).
    #[must_use]
    pub fn with_n_samples(mut self, n_samples: usize) -> Self {
        self.n_samples = n_samples;
        self
    }

    /// Sets [`constraint`](Self::constraint).
    #[must_use]
    pub fn with_constraint(mut self, constraint: impl Into<Option<Constraint>>) -> Self {
        self.constraint = constraint.into();
        self
    }
}

/// "Don't repeat yourself": a penalty that grows with the length of the sequence repeated.
///
/// A token that would extend a repetition of `l` tokens loses
/// `multiplier * base^(l - allowed_length)` from its logit, where `l >= allowed_length`.
///
/// # Source
///
/// p-e-w, pull request 5677 of text-generation-webui; breakers of several tokens as in llama.cpp.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DryOptions {
    /// Penalty at the allowed length, in logits; from 0 to 100. Default 0.8, its author's advice.
    pub multiplier: f32,
    /// Growth per further token; from 1 to 100. Default 1.75, its author's advice.
    pub base: f32,
    /// The shortest repetition that is penalised, in tokens; from 1. Default 2, its author's
    /// advice.
    pub allowed_length: usize,
    /// Looks at the last so many tokens of prompt and answer; from 1. `None`, the default, looks
    /// at all.
    pub range: Option<usize>,
    /// Token sequences across which nothing counts as repeated, such as line ends and quotation
    /// marks; at most 64 of 1 to 16 tokens. Default empty, since ids depend on the tokenizer.
    pub sequence_breakers: Vec<Vec<u32>>,
}

impl Default for DryOptions {
    fn default() -> Self {
        Self {
            multiplier: 0.8,
            base: 1.75,
            allowed_length: 2,
            range: None,
            sequence_breakers: Vec::new(),
        }
    }
}

/// A form that an answer must have. Carried here, enforced by engines that can.
///
/// An engine that cannot must refuse the request: an answer in free form to a request for JSON
/// would be taken for JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Constraint {
    /// JSON that satisfies a schema.
    JsonSchema {
        /// The schema.
        schema: serde_json::Value,
    },
    /// Text that a regular expression matches from start to end.
    Regex {
        /// The expression.
        pattern: String,
    },
    /// Text that a context-free grammar derives.
    Grammar {
        /// The grammar, in the notation that the engine documents.
        text: String,
    },
}
