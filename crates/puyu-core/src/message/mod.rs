//! Messages of a conversation, tool calls and tool definitions, in the wire form of OpenAI.
//!
//! InternLM adds one role to the usual four: [`Role::Environment`], in which an interpreter or a
//! plugin speaks to the model.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::MessageError;

mod content;
mod validate;
mod wire;

pub use content::{ContentPart, ImageUrl, InputAudio, VideoUrl};
pub use validate::validate_conversation;

#[cfg(test)]
mod tests;

/// Who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Who sets the task and the manners. The wire name `developer` is read as this role too.
    #[serde(alias = "developer")]
    System,
    /// The person who asks.
    User,
    /// The model.
    Assistant,
    /// The result of one call of a function.
    Tool,
    /// InternLM's role for what an interpreter, a plugin or a simulated world says.
    Environment,
}

impl Role {
    /// The name on the wire and in chat templates, in lower case.
    pub fn as_str(self) -> &'static str {
        match self {
            Role::System => "system",
            Role::User => "user",
            Role::Assistant => "assistant",
            Role::Tool => "tool",
            Role::Environment => "environment",
        }
    }
}

impl std::fmt::Display for Role {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One turn of a conversation.
///
/// On the wire the content is a string, `null` or a list of parts; here it is always a list. A
/// list of one text is written as a string and an empty list as `null`.
///
/// # Examples
///
/// ```
/// use puyu_core::{Message, Role};
///
/// let message: Message = serde_json::from_str(r#"{"role": "user", "content": "你好，浦语"}"#)?;
/// assert_eq!(message.role, Role::User);
/// assert_eq!(message, Message::user("你好，浦语"));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// Who speaks.
    pub role: Role,
    /// What is said, in order. Empty when the assistant only calls tools.
    #[serde(
        default,
        serialize_with = "wire::write_content",
        deserialize_with = "wire::read_content"
    )]
    pub content: Vec<ContentPart>,
    /// The speaker's name: a person, or for [`Role::Environment`] the plugin or interpreter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The functions that the assistant wants called.
    #[serde(
        default,
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "wire::read_null_as_default"
    )]
    pub tool_calls: Vec<ToolCall>,
    /// For [`Role::Tool`]: the [`ToolCall::id`] that this message answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_call_id: Option<String>,
}

impl Message {
    /// Makes a message of one text.
    pub fn new(role: Role, text: impl Into<String>) -> Self {
        Self::from_parts(role, vec![ContentPart::text(text)])
    }

    /// Makes a message of several parts, such as pictures and text.
    pub fn from_parts(role: Role, content: Vec<ContentPart>) -> Self {
        Self { role, content, name: None, tool_calls: Vec::new(), tool_call_id: None }
    }

    /// Makes a system message.
    pub fn system(text: impl Into<String>) -> Self {
        Self::new(Role::System, text)
    }

    /// Makes a user message.
    pub fn user(text: impl Into<String>) -> Self {
        Self::new(Role::User, text)
    }

    /// Makes an assistant message.
    pub fn assistant(text: impl Into<String>) -> Self {
        Self::new(Role::Assistant, text)
    }

    /// Makes a message of the environment `name`, such as InternLM2's `plugin` or `interpreter`.
    pub fn environment(name: impl Into<String>, text: impl Into<String>) -> Self {
        Self::new(Role::Environment, text).with_name(name)
    }

    /// Makes the answer to the tool call `tool_call_id`.
    pub fn tool(tool_call_id: impl Into<String>, text: impl Into<String>) -> Self {
        let mut message = Self::new(Role::Tool, text);
        message.tool_call_id = Some(tool_call_id.into());
        message
    }

    /// Sets the speaker's name.
    #[must_use]
    pub fn with_name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Sets the functions that the assistant wants called.
    #[must_use]
    pub fn with_tool_calls(mut self, tool_calls: Vec<ToolCall>) -> Self {
        self.tool_calls = tool_calls;
        self
    }

    /// The text parts, joined without a separator. Other parts are left out.
    pub fn text(&self) -> String {
        self.content.iter().filter_map(ContentPart::as_text).collect()
    }

    /// Whether every part is text, so that a model without eyes and ears can read it.
    pub fn is_text_only(&self) -> bool {
        self.content.iter().all(|part| part.as_text().is_some())
    }
}

/// The assistant's wish to have a function called.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename = "function", try_from = "wire::WireToolCall")]
pub struct ToolCall {
    /// Names the call, so that a [`Message::tool`] can answer it. Empty where the model's protocol
    /// has no such names.
    pub id: String,
    /// What to call.
    pub function: FunctionCall,
}

impl ToolCall {
    /// Makes a call of function `name` with arguments in JSON text.
    pub fn new(
        id: impl Into<String>,
        name: impl Into<String>,
        arguments: impl Into<String>,
    ) -> Self {
        let function = FunctionCall { name: name.into(), arguments: arguments.into() };
        Self { id: id.into(), function }
    }
}

/// Name and arguments of a function to call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FunctionCall {
    /// The function's name.
    pub name: String,
    /// The arguments as JSON text, as the model wrote them: they may be damaged. Reading also
    /// accepts a JSON object, which chat templates of Hugging Face carry, and writes it as text.
    #[serde(default = "wire::no_arguments", deserialize_with = "wire::read_arguments")]
    pub arguments: String,
}

impl FunctionCall {
    /// Parses the arguments.
    ///
    /// # Errors
    ///
    /// [`MessageError::DamagedArguments`] if they are not JSON,
    /// [`MessageError::ArgumentsNotObject`] if they are JSON but not an object.
    pub fn parse_arguments(&self) -> Result<serde_json::Map<String, Value>, MessageError> {
        let value = serde_json::from_str(&self.arguments).map_err(|source| {
            MessageError::DamagedArguments { function: self.name.clone(), source }
        })?;
        match value {
            Value::Object(map) => Ok(map),
            other => Err(MessageError::ArgumentsNotObject {
                function: self.name.clone(),
                found: wire::json_kind(&other),
            }),
        }
    }
}

/// A function that the model may call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename = "function", try_from = "wire::WireToolDefinition")]
pub struct ToolDefinition {
    /// The function.
    pub function: FunctionDefinition,
}

impl ToolDefinition {
    /// Describes function `name` whose arguments follow the JSON schema `parameters`.
    pub fn new(name: impl Into<String>, description: impl Into<String>, parameters: Value) -> Self {
        let description = Some(description.into());
        Self { function: FunctionDefinition { name: name.into(), description, parameters } }
    }
}

/// Name, purpose and arguments of a function.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FunctionDefinition {
    /// The function's name.
    pub name: String,
    /// What the function does, told to the model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// JSON schema of the arguments. An empty object where there are none.
    #[serde(default = "wire::no_parameters")]
    pub parameters: Value,
}
