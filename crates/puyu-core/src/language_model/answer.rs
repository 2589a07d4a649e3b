//! What comes back from a model: events, answers, scores.

use serde::{Deserialize, Serialize};

use crate::message::{ContentPart, Message, Role, ToolCall};

/// Something that happens while a request is served.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// The prompt was accepted and encoded. Comes once, first.
    Started {
        /// Tokens of the prompt.
        prompt_tokens: usize,
    },
    /// A sample got a token, the ending one included.
    Token {
        /// Which sample, from 0.
        sample: usize,
        /// The token.
        id: u32,
        /// The text that this token completes. Empty while the bytes of a character or a possible
        /// stop string are incomplete, and for tokens without text. Joined, the texts of a sample
        /// are its [`Completion::text`], unless it was cancelled.
        text: String,
        /// Its log-probability, if asked for.
        logprob: Option<TokenLogprob>,
    },
    /// A sample ended. Comes once for each sample.
    Finished {
        /// Which sample, from 0.
        sample: usize,
        /// Why it ended.
        reason: FinishReason,
    },
}

/// Why a sample ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FinishReason {
    /// The model ended its turn.
    Stop,
    /// A token of [`stop_token_ids`](crate::GenerateOptions::stop_token_ids) came.
    StopToken(u32),
    /// A text of [`stop_strings`](crate::GenerateOptions::stop_strings) came.
    StopString(String),
    /// There are [`max_new_tokens`](crate::GenerateOptions::max_new_tokens) tokens.
    Length,
    /// The context is full.
    ContextFull,
    /// The model ended its turn with tool calls.
    ToolCalls,
    /// The caller took the request back.
    Cancelled,
}

impl FinishReason {
    /// The word of OpenAI's protocol, which has fewer of them.
    pub fn wire_name(&self) -> &'static str {
        match self {
            FinishReason::Length | FinishReason::ContextFull => "length",
            FinishReason::ToolCalls => "tool_calls",
            FinishReason::Stop
            | FinishReason::StopToken(_)
            | FinishReason::StopString(_)
            | FinishReason::Cancelled => "stop",
        }
    }
}

/// A token and how probable it was, in natural logarithms.
///
/// The numbers are the model's own, before bias, penalties, temperature and filters, and equal to
/// what training computes for the same tokens.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TokenLogprob {
    /// The token.
    pub id: u32,
    /// Its log-probability. The number in [`top`](Self::top) is the same, if it is there.
    pub logprob: f32,
    /// The most probable tokens in its place, best first, equal ones by id.
    #[serde(default)]
    pub top: Vec<(u32, f32)>,
}

/// Numbers of tokens that a request took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Tokens of the prompt, counted once whatever the number of samples.
    pub prompt_tokens: usize,
    /// Of these, tokens whose keys and values were there already.
    #[serde(default)]
    pub cached_tokens: usize,
    /// Tokens generated in all samples, the ending ones included.
    pub completion_tokens: usize,
}

impl Usage {
    /// Tokens of prompt and answers together.
    pub fn total_tokens(self) -> usize {
        self.prompt_tokens + self.completion_tokens
    }
}

impl std::ops::AddAssign for Usage {
    fn add_assign(&mut self, other: Self) {
        self.prompt_tokens += other.prompt_tokens;
        self.cached_tokens += other.cached_tokens;
        self.completion_tokens += other.completion_tokens;
    }
}

/// The answer to a request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Generation {
    /// The samples in order, [`n_samples`](crate::GenerateOptions::n_samples) of them.
    pub completions: Vec<Completion>,
    /// Log-probabilities of the prompt's tokens, if asked for; `None` for the first of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub prompt_logprobs: Vec<Option<TokenLogprob>>,
    /// What it took.
    pub usage: Usage,
}

impl Generation {
    /// The text of the first sample, or nothing if there is none.
    pub fn text(&self) -> &str {
        self.completions.first().map_or("", |completion| &completion.text)
    }
}

/// One sample of an answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Completion {
    /// The text, without stop string and end token.
    pub text: String,
    /// The tokens as drawn, the ending one included. Empty from models that show none.
    #[serde(default)]
    pub tokens: Vec<u32>,
    /// One entry per token, if asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub logprobs: Vec<TokenLogprob>,
    /// The functions that the model wants called, where the engine reads its protocol.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tool_calls: Vec<ToolCall>,
    /// Why it ended.
    pub reason: FinishReason,
}

impl Completion {
    /// The completion as the next message of the conversation.
    pub fn to_message(&self) -> Message {
        let is_silent = self.text.is_empty() && !self.tool_calls.is_empty();
        let content = if is_silent { Vec::new() } else { vec![ContentPart::text(&*self.text)] };
        Message::from_parts(Role::Assistant, content).with_tool_calls(self.tool_calls.clone())
    }
}

/// How probable a continuation is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// One entry per token of the continuation.
    pub tokens: Vec<TokenLogprob>,
    /// Whether each token is the most probable one in its place, the lowest id of equal ones.
    pub is_greedy: bool,
    /// Tokens of the context.
    pub context_tokens: usize,
}

impl Score {
    /// The log-probability of the whole continuation, in nats.
    pub fn logprob(&self) -> f64 {
        self.tokens.iter().map(|token| f64::from(token.logprob)).sum()
    }
}
