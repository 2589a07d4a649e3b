//! What values the options may have.

use super::{DryOptions, GenerateOptions};
use crate::error::OptionsError;

/// OpenAI's limit is 20; 128 rows of 8 bytes keep a prompt of 32k tokens within 32 MiB.
const MAX_TOP_LOGPROBS: usize = 128;
/// Samples share the prompt but not their caches; more come from further requests.
const MAX_SAMPLES: usize = 256;
const MAX_STOP_STRINGS: usize = 64;
const MAX_STOP_BYTES: usize = 1_024;
/// More than any vocabulary of the family (92,544 and 128,512 tokens) would list.
const MAX_LISTED_TOKENS: usize = 1 << 18;
const MAX_BREAKERS: usize = 64;
const MAX_BREAKER_TOKENS: usize = 16;

impl GenerateOptions {
    /// Checks every field, and token ids against the size of the vocabulary where it is known.
    ///
    /// # Errors
    ///
    /// [`OptionsError`] naming the first field at fault, what is expected and what was found. Not
    /// a number is never in range.
    pub fn validate(&self, vocab_size: Option<usize>) -> Result<(), OptionsError> {
        self.validate_ranges()?;
        self.validate_counts()?;
        self.validate_stop_strings()?;
        if let Some(dry) = &self.dry {
            dry.validate()?;
        }
        self.validate_token_ids(vocab_size)
    }

    fn validate_ranges(&self) -> Result<(), OptionsError> {
        in_range("temperature", self.temperature, 0.0, 100.0)?;
        in_range("top_p", self.top_p, 0.0, 1.0)?;
        in_range("min_p", self.min_p, 0.0, 1.0)?;
        in_range_above("typical_p", self.typical_p, 1.0)?;
        in_range_above("repetition_penalty", self.repetition_penalty, 100.0)?;
        in_range("presence_penalty", self.presence_penalty, -2.0, 2.0)?;
        in_range("frequency_penalty", self.frequency_penalty, -2.0, 2.0)?;
        for &bias in self.logit_bias.values() {
            in_range("logit_bias", bias, f32::MIN, f32::MAX)?;
        }
        Ok(())
    }

    fn validate_counts(&self) -> Result<(), OptionsError> {
        count("min_new_tokens", self.min_new_tokens, 0, self.max_new_tokens)?;
        count("n_samples", self.n_samples, 1, MAX_SAMPLES)?;
        count("top_k", self.top_k.unwrap_or(1), 1, usize::MAX)?;
        count("penalty_window", self.penalty_window.unwrap_or(1), 1, usize::MAX)?;
        count("logprobs", self.logprobs.unwrap_or(0), 0, MAX_TOP_LOGPROBS)?;
        count("prompt_logprobs", self.prompt_logprobs.unwrap_or(0), 0, MAX_TOP_LOGPROBS)
    }

    fn validate_stop_strings(&self) -> Result<(), OptionsError> {
        length("stop_strings", self.stop_strings.len(), MAX_STOP_STRINGS)?;
        for stop in &self.stop_strings {
            // An empty stop would end every answer at once.
            count("length of a stop string in bytes", stop.len(), 1, MAX_STOP_BYTES)?;
        }
        Ok(())
    }

    fn validate_token_ids(&self, vocab_size: Option<usize>) -> Result<(), OptionsError> {
        let lists = [
            ("forbidden_token_ids", &self.forbidden_token_ids),
            ("allowed_token_ids", &self.allowed_token_ids),
            ("stop_token_ids", &self.stop_token_ids),
        ];
        for (field, ids) in lists {
            length(field, ids.len(), MAX_LISTED_TOKENS)?;
            known_tokens(field, ids, vocab_size)?;
        }
        length("logit_bias", self.logit_bias.len(), MAX_LISTED_TOKENS)?;
        known_tokens("logit_bias", self.logit_bias.keys(), vocab_size)?;
        let breakers = self.dry.iter().flat_map(|dry| dry.sequence_breakers.iter().flatten());
        known_tokens("dry.sequence_breakers", breakers, vocab_size)
    }
}

impl DryOptions {
    fn validate(&self) -> Result<(), OptionsError> {
        in_range("dry.multiplier", self.multiplier, 0.0, 100.0)?;
        in_range("dry.base", self.base, 1.0, 100.0)?;
        count("dry.allowed_length", self.allowed_length, 1, usize::MAX)?;
        count("dry.range", self.range.unwrap_or(1), 1, usize::MAX)?;
        length("dry.sequence_breakers", self.sequence_breakers.len(), MAX_BREAKERS)?;
        for breaker in &self.sequence_breakers {
            count("length of a dry sequence breaker", breaker.len(), 1, MAX_BREAKER_TOKENS)?;
        }
        Ok(())
    }
}

fn in_range(field: &'static str, found: f32, from: f32, to: f32) -> Result<(), OptionsError> {
    if (from..=to).contains(&found) {
        return Ok(());
    }
    Err(OptionsError::OutOfRange { field, from, to, found })
}

/// As [`in_range`], from 0 but without 0.
fn in_range_above(field: &'static str, found: f32, to: f32) -> Result<(), OptionsError> {
    if found > 0.0 && found <= to {
        return Ok(());
    }
    Err(OptionsError::NotAboveZero { field, to, found })
}

fn count(field: &'static str, found: usize, from: usize, to: usize) -> Result<(), OptionsError> {
    if (from..=to).contains(&found) {
        return Ok(());
    }
    Err(OptionsError::Count { field, from, to, found })
}

fn length(field: &'static str, found: usize, limit: usize) -> Result<(), OptionsError> {
    if found <= limit {
        return Ok(());
    }
    Err(OptionsError::TooMany { field, limit, found })
}

fn known_tokens<'a>(
    field: &'static str,
    ids: impl IntoIterator<Item = &'a u32>,
    vocab_size: Option<usize>,
) -> Result<(), OptionsError> {
    let Some(vocab_size) = vocab_size else { return Ok(()) };
    match ids.into_iter().find(|&&id| id as usize >= vocab_size) {
        Some(&found) => Err(OptionsError::UnknownToken { field, vocab_size, found }),
        None => Ok(()),
    }
}
