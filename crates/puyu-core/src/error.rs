//! Errors of the contracts. Each variant carries what was found and what was expected.

use crate::device::DeviceSpec;
use crate::language_model::Capability;
use crate::message::Role;

/// What can be wrong with a device's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DeviceError {
    /// No such kind of device.
    #[error("unknown device `{found}`, expected {}", DeviceSpec::ACCEPTED)]
    Unknown {
        /// The name as given.
        found: String,
    },
    /// What follows the colon is not a device number.
    #[error("device `{found}` must end in a whole number from 0 after the colon")]
    Index {
        /// The name as given.
        found: String,
    },
    /// There is one processor only.
    #[error("device `{found}` has a number, but the processor is just `cpu`")]
    IndexOnCpu {
        /// The name as given.
        found: String,
    },
}

/// What can be wrong with messages and tools.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MessageError {
    /// There is nothing to answer.
    #[error("the conversation has no messages, expected at least one")]
    EmptyConversation,
    /// A message says nothing.
    #[error("message {index} of role {role} has neither content nor tool calls")]
    EmptyMessage {
        /// Which message, from 0.
        index: usize,
        /// Its role.
        role: Role,
    },
    /// Only the assistant calls tools.
    #[error("message {index} of role {role} calls tools, which only the assistant may")]
    ToolCallsFromRole {
        /// Which message, from 0.
        index: usize,
        /// Its role.
        role: Role,
    },
    /// A tool's answer must say what it answers.
    #[error("message {index} of role tool has no `tool_call_id`")]
    MissingToolCallId {
        /// Which message, from 0.
        index: usize,
    },
    /// Only a tool's answer may have a tool call id.
    #[error("message {index} of role {role} has a `tool_call_id`, which only role tool may")]
    ToolCallIdOnRole {
        /// Which message, from 0.
        index: usize,
        /// Its role.
        role: Role,
    },
    /// No earlier message made that call.
    #[error("message {index} answers tool call `{tool_call_id}`, which no message before it makes")]
    UnknownToolCall {
        /// Which message, from 0.
        index: usize,
        /// The id without a call.
        tool_call_id: String,
    },
    /// Tools of other types are not known.
    #[error("tool type must be `function`, found `{found}`")]
    UnknownToolType {
        /// The type as given.
        found: String,
    },
    /// A function's name is empty, too long or has characters that break protocols.
    #[error(
        "function name must have 1 to 64 characters without white space, control characters and \
         quotation marks, found {found:?}"
    )]
    FunctionName {
        /// The name as given.
        found: String,
    },
    /// A function's parameters are not a schema.
    #[error("parameters of function `{function}` must be a JSON schema object, found {found}")]
    ParametersNotObject {
        /// The function's name.
        function: String,
        /// The kind of JSON value found.
        found: &'static str,
    },
    /// A call's arguments are JSON but not an object.
    #[error("arguments of function `{function}` must be a JSON object, found {found}")]
    ArgumentsNotObject {
        /// The function's name.
        function: String,
        /// The kind of JSON value found.
        found: &'static str,
    },
    /// A call's arguments are not JSON.
    #[error("arguments of function `{function}` are not JSON")]
    DamagedArguments {
        /// The function's name.
        function: String,
        /// Where the parser stopped.
        source: serde_json::Error,
    },
}

/// What can be wrong with [`GenerateOptions`](crate::GenerateOptions).
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum OptionsError {
    /// A number is outside its range, or not a number.
    #[error("`{field}` must be from {from} to {to}, found {found}")]
    OutOfRange {
        /// The field's name.
        field: &'static str,
        /// Least value allowed.
        from: f32,
        /// Greatest value allowed.
        to: f32,
        /// The value given.
        found: f32,
    },
    /// A number that must be positive is not, or is too large, or not a number.
    #[error("`{field}` must be above 0 and up to {to}, found {found}")]
    NotAboveZero {
        /// The field's name.
        field: &'static str,
        /// Greatest value allowed.
        to: f32,
        /// The value given.
        found: f32,
    },
    /// A whole number is outside its range.
    #[error("`{field}` must be from {from} to {to}, found {found}")]
    Count {
        /// The field's name.
        field: &'static str,
        /// Least value allowed.
        from: usize,
        /// Greatest value allowed.
        to: usize,
        /// The value given.
        found: usize,
    },
    /// A list is too long.
    #[error("`{field}` may list at most {limit} entries, found {found}")]
    TooMany {
        /// The field's name.
        field: &'static str,
        /// Most entries allowed.
        limit: usize,
        /// The entries given.
        found: usize,
    },
    /// A token id is outside the vocabulary.
    #[error("`{field}` names token {found}, but the vocabulary has {vocab_size} tokens")]
    UnknownToken {
        /// The field's name.
        field: &'static str,
        /// Number of tokens, so the greatest id is one less.
        vocab_size: usize,
        /// The id given.
        found: u32,
    },
}

/// Why no token can be drawn from a row of logits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SampleError {
    /// The row is empty.
    #[error("the row of logits is empty")]
    Empty,
    /// The model computed something that is not a number.
    #[error("the logit of token {index} is not a number")]
    NotANumber {
        /// The first such token.
        index: usize,
    },
    /// A logit is positive infinity, so that probabilities are undefined.
    #[error("the logit of token {index} is infinite")]
    Infinite {
        /// The first such token.
        index: usize,
    },
    /// Every logit is negative infinity.
    #[error("every token is forbidden, expected at least one finite logit")]
    NothingAllowed,
}

/// Why a model could not do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// The prompt leaves no room.
    #[error("the prompt has {tokens} tokens, but the context holds {context_tokens}")]
    PromptTooLong {
        /// Tokens of the prompt.
        tokens: usize,
        /// Tokens of the model's context, prompt and answer together.
        context_tokens: usize,
    },
    /// There is nothing to continue.
    #[error("the prompt has no tokens, expected at least one")]
    EmptyPrompt,
    /// A prompt in tokens has one that the model does not know.
    #[error("token {index} of the prompt is {found}, but the vocabulary has {vocab_size} tokens")]
    UnknownToken {
        /// Which token of the prompt, from 0.
        index: usize,
        /// The id given.
        found: u32,
        /// Number of tokens, so the greatest id is one less.
        vocab_size: usize,
    },
    /// The prompt cannot be turned into tokens, as by a template that refuses the roles.
    #[error("the prompt cannot be encoded")]
    InvalidPrompt {
        /// What stands against it.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The messages or tools are wrong.
    #[error("the messages are not valid")]
    InvalidMessages(#[from] MessageError),
    /// The options are wrong.
    #[error("the options are not valid")]
    InvalidOptions(#[from] OptionsError),
    /// The model cannot do this at all.
    #[error("this model does not support {capability}")]
    Unsupported {
        /// What was asked for.
        capability: Capability,
    },
    /// No such adapter is attached.
    #[error("no adapter is called `{name}`")]
    UnknownAdapter {
        /// The name given.
        name: String,
    },
    /// Too many requests wait; a later try may succeed.
    #[error("{waiting} requests wait already, at most {limit} may")]
    Overloaded {
        /// Requests in the queue.
        waiting: usize,
        /// Most requests allowed there.
        limit: usize,
    },
    /// No token could be drawn.
    #[error("no token could be sampled")]
    Sample(#[from] SampleError),
    /// The work was given up before there was a result.
    #[error("the request was cancelled")]
    Cancelled,
    /// The engine below failed.
    #[error("the backend failed")]
    Backend {
        /// What the engine says.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl ModelError {
    /// Wraps the error of an engine.
    pub fn backend(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        ModelError::Backend { source: source.into() }
    }

    /// Wraps the error of a tokenizer or a chat template.
    pub fn invalid_prompt(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        ModelError::InvalidPrompt { source: source.into() }
    }
}
