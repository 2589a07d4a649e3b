//! A [`LanguageModel`] that answers from a script.
//!
//! It keeps every promise of the trait that needs no weights: streaming whole characters, stops,
//! limits, several samples, cancelling, usage, log-probabilities that add up. So tests of servers,
//! agents and evaluation run against it in microseconds.

use std::ops::ControlFlow;
use std::sync::{Mutex, PoisonError};

use puyu_core::{
    Capability, Completion, Continuation, Event, GenerateRequest, Generation, LanguageModel,
    ModelError, ModelInfo, Prompt, Score, ScoreRequest, ToolCall, Usage,
};

mod bytes;
mod play;
#[cfg(test)]
mod tests;

pub use bytes::{BEGIN, END, VOCAB_SIZE};

/// Number of values of [`LanguageModel::embed`]'s vectors.
const EMBEDDING_WIDTH: usize = 16;

/// One answer of a script.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Reply {
    /// The text.
    pub text: String,
    /// The functions to call.
    pub tool_calls: Vec<ToolCall>,
}

impl Reply {
    /// An answer that calls functions.
    pub fn tool_calls(tool_calls: impl Into<Vec<ToolCall>>) -> Self {
        Self { text: String::new(), tool_calls: tool_calls.into() }
    }
}

impl From<&str> for Reply {
    fn from(text: &str) -> Self {
        Self { text: text.to_owned(), tool_calls: Vec::new() }
    }
}

impl From<String> for Reply {
    fn from(text: String) -> Self {
        Self { text, tool_calls: Vec::new() }
    }
}

/// A model that answers from a script.
///
/// Tokens are the bytes of UTF-8, and a few more: [`BEGIN`], [`END`] and one per role. The
/// probability of a token depends on the token before it by a fixed rule.
///
/// # Examples
///
/// ```
/// use puyu_core::{GenerateOptions, GenerateRequest, LanguageModel};
/// use puyu_testkit::ScriptedModel;
///
/// let model = ScriptedModel::new().answer("天气", "晴").answers("dice", ["six", "one"]);
/// let ask = |text: &str| {
///     let request = GenerateRequest::new(text, GenerateOptions::greedy());
///     model.complete(&request).map(|generation| generation.text().to_owned())
/// };
/// assert_eq!(ask("今天天气如何？")?, "晴");
/// assert_eq!((ask("dice")?, ask("dice")?, ask("dice")?), ("six".into(), "one".into(), "one".into()));
/// assert!(ask("something else").is_err());
/// # Ok::<(), puyu_core::ModelError>(())
/// ```
#[derive(Debug)]
pub struct ScriptedModel {
    info: ModelInfo,
    rules: Vec<Rule>,
    /// Requests seen so far.
    requests: Mutex<Vec<GenerateRequest>>,
}

#[derive(Debug)]
struct Rule {
    pattern: String,
    replies: Vec<Reply>,
    n_used: Mutex<usize>,
}

impl Default for ScriptedModel {
    fn default() -> Self {
        Self::new()
    }
}

impl ScriptedModel {
    /// A model without answers, with a context of 4,096 tokens.
    pub fn new() -> Self {
        let capabilities = [
            Capability::Encode,
            Capability::Decode,
            Capability::TokenPrompts,
            Capability::Score,
            Capability::Embed,
            Capability::Logprobs,
            Capability::PromptLogprobs,
            Capability::Tools,
        ];
        let info = ModelInfo::new("scripted", "scripted:1", 4_096, VOCAB_SIZE)
            .with_end_tokens([END])
            .with_capabilities(capabilities);
        Self { info, rules: Vec::new(), requests: Mutex::default() }
    }

    /// Sets the size of the context.
    #[must_use]
    pub fn with_context_tokens(mut self, context_tokens: usize) -> Self {
        self.info.context_tokens = context_tokens;
        self
    }

    /// Sets name and fingerprint.
    #[must_use]
    pub fn with_name(mut self, name: &str, fingerprint: &str) -> Self {
        self.info.name = name.to_owned();
        self.info.fingerprint = fingerprint.to_owned();
        self
    }

    /// Answers prompts that contain `pattern`. Earlier rules come first; of a chat, the last
    /// message counts. An empty pattern answers everything.
    #[must_use]
    pub fn answer(self, pattern: &str, reply: impl Into<Reply>) -> Self {
        self.answers(pattern, [reply])
    }

    /// As [`answer`](Self::answer), with one reply after the other; the last stays. Each sample
    /// takes one.
    ///
    /// # Panics
    ///
    /// If there are no replies.
    #[must_use]
    pub fn answers<R: Into<Reply>>(
        mut self,
        pattern: &str,
        replies: impl IntoIterator<Item = R>,
    ) -> Self {
        let replies: Vec<Reply> = replies.into_iter().map(Into::into).collect();
        assert!(!replies.is_empty(), "a rule must have at least one reply");
        self.rules.push(Rule { pattern: pattern.to_owned(), replies, n_used: Mutex::new(0) });
        self
    }

    /// The requests to generate that came so far, refused ones included.
    pub fn requests(&self) -> Vec<GenerateRequest> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn next_reply(&self, prompt: &Prompt) -> Result<Reply, ModelError> {
        let subject = subject(prompt);
        let rule = self.rules.iter().find(|rule| subject.contains(&rule.pattern));
        let Some(rule) = rule else {
            return Err(ModelError::backend(format!("the script has no answer to `{subject}`")));
        };
        let mut n_used = rule.n_used.lock().unwrap_or_else(PoisonError::into_inner);
        let reply = rule.replies[(*n_used).min(rule.replies.len() - 1)].clone();
        *n_used += 1;
        Ok(reply)
    }

    /// Checks everything that can be refused before there is an answer; returns the tokens.
    fn admit(&self, request: &GenerateRequest) -> Result<Vec<u32>, ModelError> {
        request.options.validate(Some(VOCAB_SIZE))?;
        if request.options.constraint.is_some() {
            return Err(ModelError::Unsupported { capability: Capability::Constraints });
        }
        refuse_adapter(request.adapter.as_deref())?;
        let tokens = self.encode(&request.prompt)?;
        self.require_room(tokens.len())?;
        Ok(tokens)
    }

    fn require_room(&self, tokens: usize) -> Result<(), ModelError> {
        let context_tokens = self.info.context_tokens;
        if tokens > context_tokens {
            return Err(ModelError::PromptTooLong { tokens, context_tokens });
        }
        Ok(())
    }

    fn score_one(&self, request: &ScoreRequest) -> Result<Score, ModelError> {
        refuse_adapter(request.adapter.as_deref())?;
        let context = self.encode(&request.context)?;
        if context.is_empty() {
            return Err(ModelError::EmptyPrompt);
        }
        let continuation = match &request.continuation {
            // Bytes never merge across the seam, so the text is encoded the same by itself.
            Continuation::Text(text) => bytes::encode(text),
            Continuation::Tokens(tokens) => bytes::checked(tokens)?,
            _ => return Err(ModelError::Unsupported { capability: Capability::Score }),
        };
        self.require_room(context.len() + continuation.len())?;
        let mut previous = context[context.len() - 1];
        let mut score =
            Score { tokens: Vec::new(), is_greedy: true, context_tokens: context.len() };
        for id in continuation {
            score.is_greedy &= bytes::most_probable(previous) == id;
            score.tokens.push(bytes::logprob(previous, id, request.n_top));
            previous = id;
        }
        Ok(score)
    }
}

impl LanguageModel for ScriptedModel {
    fn info(&self) -> &ModelInfo {
        &self.info
    }

    fn encode(&self, prompt: &Prompt) -> Result<Vec<u32>, ModelError> {
        bytes::encode_prompt(prompt)
    }

    fn decode(&self, tokens: &[u32]) -> Result<String, ModelError> {
        bytes::decode(tokens)
    }

    fn generate(
        &self,
        request: &GenerateRequest,
        on_event: &mut dyn FnMut(Event) -> ControlFlow<()>,
    ) -> Result<Generation, ModelError> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).push(request.clone());
        let prompt = self.admit(request)?;
        let replies: Vec<Reply> = (0..request.options.n_samples)
            .map(|_| self.next_reply(&request.prompt))
            .collect::<Result<_, _>>()?;

        let mut stage = play::Stage::new(request, &prompt, self.info.context_tokens);
        stage.start(on_event);
        let completions: Vec<Completion> = replies
            .iter()
            .enumerate()
            .map(|(sample, reply)| stage.play(sample, reply, on_event))
            .collect();
        let completion_tokens = completions.iter().map(|c| c.tokens.len()).sum();
        let usage = Usage { prompt_tokens: prompt.len(), cached_tokens: 0, completion_tokens };
        let prompt_logprobs = match request.options.prompt_logprobs {
            Some(n_top) => bytes::prompt_logprobs(&prompt, n_top),
            None => Vec::new(),
        };
        Ok(Generation { completions, prompt_logprobs, usage })
    }

    fn score(&self, requests: &[ScoreRequest]) -> Result<Vec<Score>, ModelError> {
        requests.iter().map(|request| self.score_one(request)).collect()
    }

    /// Directions by the bytes that occur: texts that share bytes lie near each other.
    fn embed(&self, prompts: &[Prompt]) -> Result<Vec<Vec<f32>>, ModelError> {
        let embed_one = |prompt: &Prompt| {
            let mut vector = vec![0.0_f32; EMBEDDING_WIDTH];
            for id in self.encode(prompt)? {
                vector[id as usize % EMBEDDING_WIDTH] += 1.0;
            }
            let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
            if length == 0.0 {
                return Err(ModelError::EmptyPrompt);
            }
            Ok(vector.into_iter().map(|x| x / length).collect())
        };
        prompts.iter().map(embed_one).collect()
    }
}

fn refuse_adapter(adapter: Option<&str>) -> Result<(), ModelError> {
    match adapter {
        Some(name) => Err(ModelError::UnknownAdapter { name: name.to_owned() }),
        None => Ok(()),
    }
}

/// The text that rules look at.
fn subject(prompt: &Prompt) -> String {
    match prompt {
        Prompt::Text(text) => text.clone(),
        Prompt::Tokens(tokens) => bytes::decode(tokens).unwrap_or_default(),
        Prompt::Chat { messages, .. } => messages.last().map(|m| m.text()).unwrap_or_default(),
        _ => String::new(),
    }
}
