//! Bias, masks, and penalties on tokens that occurred before.

use std::collections::BTreeMap;

use super::History;
use crate::options::GenerateOptions;

/// Adds to the logits of some tokens.
pub fn add_bias(logits: &mut [f32], bias: &BTreeMap<u32, f32>) {
    for (&id, &amount) in bias {
        if let Some(logit) = logits.get_mut(id as usize) {
            *logit += amount;
        }
    }
}

/// Makes tokens impossible.
pub fn forbid(logits: &mut [f32], ids: &[u32]) {
    for &id in ids {
        if let Some(logit) = logits.get_mut(id as usize) {
            *logit = f32::NEG_INFINITY;
        }
    }
}

/// Makes all tokens impossible but these.
pub fn allow_only(logits: &mut [f32], ids: &[u32]) {
    let allowed: BTreeMap<u32, f32> =
        ids.iter().filter_map(|&id| logits.get(id as usize).map(|&logit| (id, logit))).collect();
    logits.fill(f32::NEG_INFINITY);
    for (id, logit) in allowed {
        logits[id as usize] = logit;
    }
}

/// The penalties that look at how often a token occurred.
///
/// Repetition counts the prompt and the answer, as Hugging Face does; presence and frequency
/// count the answer only, as OpenAI does.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Penalties {
    repetition: f32,
    presence: f32,
    frequency: f32,
    window: Option<usize>,
}

impl Penalties {
    /// The penalties of the options, or `None` if they change nothing.
    pub fn of(options: &GenerateOptions) -> Option<Self> {
        let penalties = Self {
            repetition: options.repetition_penalty,
            presence: options.presence_penalty,
            frequency: options.frequency_penalty,
            window: options.penalty_window,
        };
        let changes =
            penalties.repetition != 1.0 || penalties.presence != 0.0 || penalties.frequency != 0.0;
        changes.then_some(penalties)
    }

    /// Changes the logits of the tokens in the window.
    pub fn apply(self, logits: &mut [f32], history: History<'_>, occurrences: &mut Occurrences) {
        let (prompt, generated) = last_tokens(history, self.window);
        occurrences.count(prompt, generated, logits.len());
        for &id in &occurrences.ids {
            let logit = &mut logits[id as usize];
            *logit = if *logit > 0.0 { *logit / self.repetition } else { *logit * self.repetition };
            let n_generated = occurrences.counts[id as usize] - SEEN;
            if n_generated > 0 {
                *logit -= self.presence + self.frequency * n_generated as f32;
            }
        }
        occurrences.clear();
    }
}

/// Cuts prompt and answer to the last `window` tokens of both together.
pub(super) fn last_tokens(history: History<'_>, window: Option<usize>) -> (&[u32], &[u32]) {
    let History { prompt, generated } = history;
    let Some(window) = window else { return (prompt, generated) };
    let generated = &generated[generated.len().saturating_sub(window)..];
    let rest = window - generated.len();
    (&prompt[prompt.len().saturating_sub(rest)..], generated)
}

/// Marks a token as seen; occurrences in the answer are added to it.
const SEEN: u32 = 1;

/// How often tokens occur; memory that is kept from call to call.
///
/// Counting anew at each step costs a walk over the window, and in return the sampler has no
/// state that could go astray when a sequence is cut, forked or resumed.
#[derive(Debug, Clone, Default)]
pub struct Occurrences {
    /// By token id: 0, or [`SEEN`] plus the number of occurrences in the answer.
    counts: Vec<u32>,
    /// The tokens with a count, each once.
    ids: Vec<u32>,
}

impl Occurrences {
    fn count(&mut self, prompt: &[u32], generated: &[u32], vocab_size: usize) {
        self.counts.resize(vocab_size, 0);
        for &id in prompt {
            self.see(id);
        }
        for &id in generated {
            self.see(id);
            if let Some(count) = self.counts.get_mut(id as usize) {
                *count = count.saturating_add(1);
            }
        }
    }

    fn see(&mut self, id: u32) {
        if let Some(count) = self.counts.get_mut(id as usize)
            && *count == 0
        {
            *count = SEEN;
            self.ids.push(id);
        }
    }

    fn clear(&mut self) {
        for id in self.ids.drain(..) {
            self.counts[id as usize] = 0;
        }
    }
}
