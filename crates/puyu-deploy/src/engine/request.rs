//! What is asked of an engine, and hooks into the answer.

use std::fmt;
use std::ops::ControlFlow;

use puyu_core::{FinishReason, GenerateOptions, History, SampledToken};

/// The number of a request. Later requests have greater ones; none is given out twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Tokens, and what to do with them.
///
/// # Examples
///
/// ```
/// use puyu_core::GenerateOptions;
/// use puyu_deploy::engine::Request;
///
/// let answer = Request::generate([1, 5, 9], GenerateOptions::greedy()).with_end_tokens([2]);
/// let score = Request::score(&[1, 5, 9], &[7, 2]).with_top(5);
/// let vector = Request::embed([1, 5, 9]).with_salt(17);
/// ```
pub struct Request {
    pub(super) tokens: Vec<u32>,
    pub(super) task: Task,
    pub(super) salt: Option<u64>,
    pub(super) processor: Option<Box<dyn LogitsProcessor>>,
}

/// What to do with the tokens of a request.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Task {
    Generate { options: Box<GenerateOptions>, end_token_ids: Vec<u32> },
    Score { n_context: usize, n_top: usize },
    Embed,
}

impl Request {
    /// Continues a prompt. Stop strings are text, of which the engine knows nothing: they are left
    /// to a [`Watcher`].
    pub fn generate(prompt: impl Into<Vec<u32>>, options: GenerateOptions) -> Self {
        let task = Task::Generate { options: Box::new(options), end_token_ids: Vec::new() };
        Self::new(prompt.into(), task)
    }

    /// Tells how probable each token of a continuation is after a context of at least one token.
    pub fn score(context: &[u32], continuation: &[u32]) -> Self {
        let task = Task::Score { n_context: context.len(), n_top: 0 };
        Self::new([context, continuation].concat(), task)
    }

    /// Gives the mean of the hidden states of all tokens.
    pub fn embed(tokens: impl Into<Vec<u32>>) -> Self {
        Self::new(tokens.into(), Task::Embed)
    }

    fn new(tokens: Vec<u32>, task: Task) -> Self {
        Self { tokens, task, salt: Some(0), processor: None }
    }

    /// Sets the tokens with which the model ends its turn. Only generation looks at them.
    #[must_use]
    pub fn with_end_tokens(mut self, ids: impl Into<Vec<u32>>) -> Self {
        if let Task::Generate { end_token_ids, .. } = &mut self.task {
            *end_token_ids = ids.into();
        }
        self
    }

    /// Sets how many of the most probable tokens a score tells at each position.
    #[must_use]
    pub fn with_top(mut self, n_most_probable: usize) -> Self {
        if let Task::Score { n_top, .. } = &mut self.task {
            *n_top = n_most_probable;
        }
        self
    }

    /// Shares cached starts with requests of the same salt only, so that nobody else can tell from
    /// the time of an answer what was asked before. Without a salt it is 0.
    #[must_use]
    pub fn with_salt(mut self, salt: u64) -> Self {
        self.salt = Some(salt);
        self
    }

    /// Neither reuses cached starts nor leaves any, as where positions are rotated by a base that
    /// depends on the length of the prompt.
    #[must_use]
    pub fn without_prefix_reuse(mut self) -> Self {
        self.salt = None;
        self
    }

    /// Looks at each row of logits before a token is drawn from it.
    #[must_use]
    pub fn with_processor(mut self, processor: impl LogitsProcessor + 'static) -> Self {
        self.processor = Some(Box::new(processor));
        self
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Request");
        out.field("tokens", &self.tokens).field("task", &self.task).field("salt", &self.salt);
        out.field("has_processor", &self.processor.is_some()).finish()
    }
}

/// Changes rows of logits before tokens are drawn, as to hold an answer to a grammar.
///
/// It is called exactly once for each token of a sample, in order, whatever the schedule, the
/// batch and speculation do; so it may advance its own state from the history. If it forbids every
/// token, the request fails with
/// [`SampleError::NothingAllowed`](puyu_core::SampleError::NothingAllowed).
pub trait LogitsProcessor: Send {
    /// Changes the row from which the token after `history` is drawn. Minus infinity forbids a
    /// token. Log-probabilities are those of the row before the change.
    fn process(&mut self, history: History<'_>, logits: &mut [f32]);

    /// A processor for another sample of the request. Called before any row was processed.
    fn fork(&self) -> Box<dyn LogitsProcessor>;
}

/// Hears each token as soon as it is drawn, and may end its sample there.
///
/// This is where text is made and stop strings are found: the engine computes nothing of a sample
/// after its end is known. Closures are watchers.
pub trait Watcher {
    /// Takes the next token of a sample, the ending one included, and says why the sample ends, if
    /// it does. End tokens and stop tokens, which the engine knows, come before that; lengths
    /// after.
    fn on_token(
        &mut self,
        id: RequestId,
        sample: usize,
        token: &SampledToken,
    ) -> ControlFlow<FinishReason>;
}

impl<F> Watcher for F
where
    F: FnMut(RequestId, usize, &SampledToken) -> ControlFlow<FinishReason>,
{
    fn on_token(
        &mut self,
        id: RequestId,
        sample: usize,
        token: &SampledToken,
    ) -> ControlFlow<FinishReason> {
        self(id, sample, token)
    }
}

/// Ends nothing.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Unwatched;

impl Watcher for Unwatched {
    fn on_token(&mut self, _: RequestId, _: usize, _: &SampledToken) -> ControlFlow<FinishReason> {
        ControlFlow::Continue(())
    }
}
