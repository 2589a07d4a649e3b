//! What a model is asked to continue.

use serde::{Deserialize, Serialize};

use crate::message::{Message, ToolDefinition};

/// What a model is asked to continue.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Prompt {
    /// Text, encoded with the begin token that the model was trained with. What looks like a
    /// special token is text.
    Text(String),
    /// Tokens, taken as they are: nothing is put before them.
    Tokens(Vec<u32>),
    /// A conversation, rendered by the model's chat template up to where the assistant begins.
    Chat {
        /// The messages so far.
        messages: Vec<Message>,
        /// The functions that the assistant may call.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        tools: Vec<ToolDefinition>,
    },
}

impl Prompt {
    /// A prompt of plain text.
    pub fn text(text: impl Into<String>) -> Self {
        Prompt::Text(text.into())
    }

    /// A conversation without tools.
    pub fn chat(messages: impl Into<Vec<Message>>) -> Self {
        Prompt::Chat { messages: messages.into(), tools: Vec::new() }
    }

    /// A conversation with tools.
    pub fn chat_with_tools(
        messages: impl Into<Vec<Message>>,
        tools: impl Into<Vec<ToolDefinition>>,
    ) -> Self {
        Prompt::Chat { messages: messages.into(), tools: tools.into() }
    }
}

impl From<&str> for Prompt {
    fn from(text: &str) -> Self {
        Prompt::Text(text.to_owned())
    }
}

impl From<String> for Prompt {
    fn from(text: String) -> Self {
        Prompt::Text(text)
    }
}

impl From<Vec<u32>> for Prompt {
    fn from(tokens: Vec<u32>) -> Self {
        Prompt::Tokens(tokens)
    }
}

impl From<Vec<Message>> for Prompt {
    fn from(messages: Vec<Message>) -> Self {
        Prompt::chat(messages)
    }
}
