//! What a conversation must satisfy before a chat template may render it.

use std::collections::HashSet;

use super::wire::json_kind;
use super::{FunctionDefinition, Message, Role, ToolDefinition};
use crate::error::MessageError;

/// OpenAI's limit is 64 ASCII letters; names in Chinese are common here, so characters count.
const MAX_FUNCTION_NAME_CHARS: usize = 64;

/// Checks messages one by one and the threads between tool calls and their answers.
///
/// Arguments of tool calls are not parsed: a model may have damaged them, and its own words must
/// still fit into the history.
///
/// # Errors
///
/// [`MessageError`] naming the first message at fault, counted from 0.
///
/// # Examples
///
/// ```
/// use puyu_core::{Message, ToolCall, validate_conversation};
///
/// let calls = vec![ToolCall::new("call_0", "天气", r#"{"城市": "上海"}"#)];
/// let mut messages = vec![
///     Message::user("上海天气如何？"),
///     Message::assistant("").with_tool_calls(calls),
///     Message::tool("call_0", "晴，24 度"),
/// ];
/// assert!(validate_conversation(&messages).is_ok());
/// messages.remove(1);
/// assert!(validate_conversation(&messages).is_err());
/// ```
pub fn validate_conversation(messages: &[Message]) -> Result<(), MessageError> {
    if messages.is_empty() {
        return Err(MessageError::EmptyConversation);
    }
    let mut open_calls = HashSet::new();
    for (index, message) in messages.iter().enumerate() {
        validate_message(index, message)?;
        for call in &message.tool_calls {
            open_calls.insert(call.id.as_str());
        }
        if let (Role::Tool, Some(id)) = (message.role, &message.tool_call_id)
            && !open_calls.contains(id.as_str())
        {
            return Err(MessageError::UnknownToolCall { index, tool_call_id: id.clone() });
        }
    }
    Ok(())
}

fn validate_message(index: usize, message: &Message) -> Result<(), MessageError> {
    let role = message.role;
    if role != Role::Assistant && !message.tool_calls.is_empty() {
        return Err(MessageError::ToolCallsFromRole { index, role });
    }
    if role == Role::Tool && message.tool_call_id.is_none() {
        return Err(MessageError::MissingToolCallId { index });
    }
    if role != Role::Tool && message.tool_call_id.is_some() {
        return Err(MessageError::ToolCallIdOnRole { index, role });
    }
    if message.content.is_empty() && message.tool_calls.is_empty() {
        return Err(MessageError::EmptyMessage { index, role });
    }
    Ok(())
}

impl ToolDefinition {
    /// Checks the function's name and that its parameters are a JSON schema object.
    ///
    /// # Errors
    ///
    /// [`MessageError::FunctionName`] unless the name has 1 to 64 characters without white space,
    /// control characters and quotation marks; [`MessageError::ParametersNotObject`].
    pub fn validate(&self) -> Result<(), MessageError> {
        let FunctionDefinition { name, parameters, .. } = &self.function;
        let is_plain = |c: char| !c.is_whitespace() && !c.is_control() && c != '"' && c != '\'';
        let n_chars = name.chars().take(MAX_FUNCTION_NAME_CHARS + 1).count();
        if !(1..=MAX_FUNCTION_NAME_CHARS).contains(&n_chars) || !name.chars().all(is_plain) {
            return Err(MessageError::FunctionName { found: name.clone() });
        }
        if !parameters.is_object() {
            return Err(MessageError::ParametersNotObject {
                function: name.clone(),
                found: json_kind(parameters),
            });
        }
        Ok(())
    }
}
