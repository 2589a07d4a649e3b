//! How much an engine does at a time.

use super::error::EngineError;
use super::runner::Limits;

/// How much an engine does at a time. Nothing here changes any token.
///
/// # Examples
///
/// ```
/// use puyu_deploy::engine::EngineOptions;
///
/// let options = EngineOptions::default().with_max_sequences(8).with_max_batch_tokens(256);
/// assert!(options.reuses_prefixes);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineOptions {
    /// Most tokens computed in a step; at least [`max_sequences`](Self::max_sequences), so that
    /// every running sequence gets its token. Default 512: enough rows to keep the arithmetic of a
    /// processor busy; more only lets running sequences wait longer while a prompt is read.
    pub max_batch_tokens: usize,
    /// Most sequences that run at a time, from 1. Default 32.
    pub max_sequences: usize,
    /// Most requests that may wait; more are refused. Default 1,024.
    pub max_waiting: usize,
    /// Whether blocks of finished sequences are kept and starts that come again are not computed
    /// again. Default true.
    pub reuses_prefixes: bool,
    /// Most tokens guessed ahead per sequence and step, where the engine has a
    /// [`Draft`](super::Draft). Default 4.
    pub max_draft_tokens: usize,
}

impl Default for EngineOptions {
    /// Each field gives the reason for its value.
    fn default() -> Self {
        Self {
            max_batch_tokens: 512,
            max_sequences: 32,
            max_waiting: 1_024,
            reuses_prefixes: true,
            max_draft_tokens: 4,
        }
    }
}

impl EngineOptions {
    /// Sets [`max_batch_tokens`](Self::max_batch_tokens).
    #[must_use]
    pub fn with_max_batch_tokens(mut self, max_batch_tokens: usize) -> Self {
        self.max_batch_tokens = max_batch_tokens;
        self
    }

    /// Sets [`max_sequences`](Self::max_sequences).
    #[must_use]
    pub fn with_max_sequences(mut self, max_sequences: usize) -> Self {
        self.max_sequences = max_sequences;
        self
    }

    /// Sets [`max_waiting`](Self::max_waiting).
    #[must_use]
    pub fn with_max_waiting(mut self, max_waiting: usize) -> Self {
        self.max_waiting = max_waiting;
        self
    }

    /// Sets [`max_draft_tokens`](Self::max_draft_tokens).
    #[must_use]
    pub fn with_max_draft_tokens(mut self, max_draft_tokens: usize) -> Self {
        self.max_draft_tokens = max_draft_tokens;
        self
    }

    /// Forgets blocks as soon as their sequence ends.
    #[must_use]
    pub fn without_prefix_reuse(mut self) -> Self {
        self.reuses_prefixes = false;
        self
    }

    pub(super) fn validate(&self) -> Result<(), EngineError> {
        at_least("max_sequences", self.max_sequences, 1)?;
        at_least("max_batch_tokens", self.max_batch_tokens, self.max_sequences)
    }
}

impl Limits {
    pub(super) fn validate(&self) -> Result<(), EngineError> {
        at_least("n_blocks", self.n_blocks as usize, 1)?;
        at_least("block_tokens", self.block_tokens, 1)?;
        at_least("vocab_size", self.vocab_size, 1)?;
        at_least("hidden_size", self.hidden_size, 1)?;
        at_least("context_tokens", self.context_tokens, 1)
    }
}

fn at_least(field: &'static str, found: usize, least: usize) -> Result<(), EngineError> {
    if found >= least { Ok(()) } else { Err(EngineError::TooSmall { field, least, found }) }
}
