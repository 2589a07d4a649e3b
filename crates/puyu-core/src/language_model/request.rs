//! What is asked of a model, and how to take it back.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::Prompt;
use crate::options::GenerateOptions;

/// Asks for the continuation of a prompt.
///
/// # Examples
///
/// ```
/// use puyu_core::{GenerateOptions, GenerateRequest};
///
/// let request = GenerateRequest::new("从前有座山，", GenerateOptions::greedy());
/// let from_elsewhere = request.cancel.clone();
/// from_elsewhere.cancel();
/// assert!(request.cancel.is_cancelled());
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct GenerateRequest {
    /// What to continue.
    pub prompt: Prompt,
    /// How to continue it.
    pub options: GenerateOptions,
    /// The adapter to use, by the name under which it is attached. `None` is the base model.
    pub adapter: Option<String>,
    /// Takes the request back when cancelled.
    pub cancel: CancelToken,
}

impl GenerateRequest {
    /// Asks the base model.
    pub fn new(prompt: impl Into<Prompt>, options: GenerateOptions) -> Self {
        Self { prompt: prompt.into(), options, adapter: None, cancel: CancelToken::new() }
    }

    /// Sets the adapter.
    #[must_use]
    pub fn with_adapter(mut self, adapter: impl Into<Option<String>>) -> Self {
        self.adapter = adapter.into();
        self
    }

    /// Shares a cancel token with other requests.
    #[must_use]
    pub fn with_cancel(mut self, cancel: CancelToken) -> Self {
        self.cancel = cancel;
        self
    }
}

/// Takes work back from another thread. Clones share one state; once cancelled it stays so.
#[derive(Debug, Clone, Default)]
pub struct CancelToken {
    cancelled: Arc<AtomicBool>,
}

impl CancelToken {
    /// A token that is not cancelled.
    pub fn new() -> Self {
        Self::default()
    }

    /// Cancels. Engines look at each step, so up to one more token may come.
    pub fn cancel(&self) {
        // Nothing else is published through the flag, so no ordering is needed.
        self.cancelled.store(true, Ordering::Relaxed);
    }

    /// Whether this token or a clone of it was cancelled.
    pub fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }
}

/// Asks how probable a continuation is after a context.
///
/// # Examples
///
/// ```
/// use puyu_core::ScoreRequest;
///
/// let choices = ["上海", "北京"];
/// let requests = choices.map(|choice| ScoreRequest::new("中国的首都是", choice));
/// assert_eq!(requests[1].n_top, 0);
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ScoreRequest {
    /// What stands before. It must have at least one token: the first token of a text has no
    /// probability, except after a begin token.
    pub context: Prompt,
    /// What is scored.
    pub continuation: Continuation,
    /// How many of the most probable tokens to tell at each position, from 0 to 128.
    pub n_top: usize,
    /// The adapter to use. `None` is the base model.
    pub adapter: Option<String>,
}

impl ScoreRequest {
    /// Asks the base model, without the most probable tokens.
    pub fn new(context: impl Into<Prompt>, continuation: impl Into<Continuation>) -> Self {
        Self { context: context.into(), continuation: continuation.into(), n_top: 0, adapter: None }
    }

    /// Sets how many of the most probable tokens to tell at each position.
    #[must_use]
    pub fn with_top(mut self, n_top: usize) -> Self {
        self.n_top = n_top;
        self
    }

    /// Sets the adapter.
    #[must_use]
    pub fn with_adapter(mut self, adapter: impl Into<Option<String>>) -> Self {
        self.adapter = adapter.into();
        self
    }
}

/// What is scored.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Continuation {
    /// Text. After a context of text, both are encoded as one, and the tokens beyond the number
    /// that the context has alone are scored. After tokens or a chat it is encoded by itself.
    Text(String),
    /// Tokens, taken as they are.
    Tokens(Vec<u32>),
}

impl From<&str> for Continuation {
    fn from(text: &str) -> Self {
        Continuation::Text(text.to_owned())
    }
}

impl From<String> for Continuation {
    fn from(text: String) -> Self {
        Continuation::Text(text)
    }
}

impl From<Vec<u32>> for Continuation {
    fn from(tokens: Vec<u32>) -> Self {
        Continuation::Tokens(tokens)
    }
}
