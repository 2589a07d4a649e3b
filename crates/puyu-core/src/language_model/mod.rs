//! The one trait between those who have a model and those who use one.
//!
//! Engines, servers, remote endpoints and scripts for tests implement [`LanguageModel`];
//! evaluation, agents, reinforcement learning and front ends use it.

use std::ops::ControlFlow;

use crate::error::ModelError;

mod answer;
mod info;
mod prompt;
mod request;

#[cfg(test)]
mod tests;

pub use answer::{Completion, Event, FinishReason, Generation, Score, TokenLogprob, Usage};
pub use info::{Capability, Modality, ModelInfo};
pub use prompt::Prompt;
pub use request::{CancelToken, Continuation, GenerateRequest, ScoreRequest};

/// A model of language: continues prompts, tells how probable a continuation is, embeds texts.
///
/// Only [`info`](Self::info) and [`generate`](Self::generate) must be written. The other methods
/// work through these or refuse with [`ModelError::Unsupported`], in step with
/// [`ModelInfo::capabilities`].
///
/// Calls may come from several threads at once. The result of a request depends on the model, the
/// request and its seed only, never on what else is running.
///
/// # Examples
///
/// ```
/// use std::ops::ControlFlow;
///
/// use puyu_core::{Event, GenerateOptions, GenerateRequest, LanguageModel, Message, Prompt};
/// use puyu_testkit::ScriptedModel;
///
/// let model = ScriptedModel::new().answer("你好", "你好，我是浦语。");
/// let model: &dyn LanguageModel = &model;
///
/// let prompt = Prompt::chat([Message::user("你好")]);
/// let request = GenerateRequest::new(prompt, GenerateOptions::greedy());
/// let mut streamed = String::new();
/// let generation = model.generate(&request, &mut |event| {
///     if let Event::Token { text, .. } = event {
///         streamed.push_str(&text);
///     }
///     ControlFlow::Continue(())
/// })?;
/// assert_eq!(streamed, "你好，我是浦语。");
/// assert_eq!(generation.text(), streamed);
/// # Ok::<(), puyu_core::ModelError>(())
/// ```
pub trait LanguageModel: Send + Sync {
    /// What the model is and what it can do.
    fn info(&self) -> &ModelInfo;

    /// The tokens of a prompt, with chat template and begin token, as the model would read them.
    ///
    /// # Errors
    ///
    /// [`ModelError::InvalidMessages`] or [`ModelError::InvalidPrompt`] if it cannot be rendered,
    /// [`ModelError::UnknownToken`] for a token beyond the vocabulary, and by default
    /// [`ModelError::Unsupported`]: a remote model does not show its tokens.
    fn encode(&self, prompt: &Prompt) -> Result<Vec<u32>, ModelError> {
        let _ = prompt;
        Err(ModelError::Unsupported { capability: Capability::Encode })
    }

    /// The text of tokens, special ones included.
    ///
    /// # Errors
    ///
    /// [`ModelError::UnknownToken`] for a token beyond the vocabulary, and by default
    /// [`ModelError::Unsupported`].
    fn decode(&self, tokens: &[u32]) -> Result<String, ModelError> {
        let _ = tokens;
        Err(ModelError::Unsupported { capability: Capability::Decode })
    }

    /// Number of tokens of a prompt, for budgets.
    ///
    /// # Errors
    ///
    /// Those of [`encode`](Self::encode).
    fn count_tokens(&self, prompt: &Prompt) -> Result<usize, ModelError> {
        Ok(self.encode(prompt)?.len())
    }

    /// Continues a prompt, and tells each token as it comes.
    ///
    /// Events of several samples may be mixed, those of one sample come in order. `on_event` runs
    /// on the caller's thread. If it breaks, or the request's token is cancelled, what was
    /// generated so far is returned, finished as [`FinishReason::Cancelled`]; that is no error.
    ///
    /// # Errors
    ///
    /// [`ModelError`]. Nothing of the request is left behind in the model then.
    fn generate(
        &self,
        request: &GenerateRequest,
        on_event: &mut dyn FnMut(Event) -> ControlFlow<()>,
    ) -> Result<Generation, ModelError>;

    /// Continues a prompt and returns the whole answer.
    ///
    /// # Errors
    ///
    /// Those of [`generate`](Self::generate).
    fn complete(&self, request: &GenerateRequest) -> Result<Generation, ModelError> {
        self.generate(request, &mut |_| ControlFlow::Continue(()))
    }

    /// Continues several prompts. The answers are in the order of the requests, and equal to those
    /// of [`complete`](Self::complete); one that fails does not spoil the others.
    ///
    /// By default one after the other; engines batch.
    fn generate_batch(&self, requests: &[GenerateRequest]) -> Vec<Result<Generation, ModelError>> {
        requests.iter().map(|request| self.complete(request)).collect()
    }

    /// Tells how probable continuations are. The scores are in the order of the requests.
    ///
    /// Engines compute a start shared by several contexts once; the numbers do not depend on that.
    ///
    /// # Errors
    ///
    /// [`ModelError`] of the first request at fault, and by default [`ModelError::Unsupported`].
    fn score(&self, requests: &[ScoreRequest]) -> Result<Vec<Score>, ModelError> {
        let _ = requests;
        Err(ModelError::Unsupported { capability: Capability::Score })
    }

    /// Turns prompts into vectors of one length, in the order of the prompts.
    ///
    /// # Errors
    ///
    /// [`ModelError`] of the first prompt at fault, and by default [`ModelError::Unsupported`].
    fn embed(&self, prompts: &[Prompt]) -> Result<Vec<Vec<f32>>, ModelError> {
        let _ = prompts;
        Err(ModelError::Unsupported { capability: Capability::Embed })
    }
}
