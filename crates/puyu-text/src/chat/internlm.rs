//! The prompts of InternLM's three generations.
//!
//! Source: `InternLMChat7B` and `InternLM2Chat7B` in LMDeploy, `lmdeploy/model.py` of April 2025, and
//! `chat/chat_format.md` of InternLM.

use puyu_core::{FunctionDefinition, Message, Role, ToolCall};
use serde_json::{Value, json};

use super::python_json::dump;
use super::{ChatOptions, Ending, SystemText};
use crate::error::ChatError;
use crate::tokenizer::{Origin, Segments};

/// The system text that introduces the model, used where a conversation brings none.
pub const DEFAULT_SYSTEM: &str = "You are an AI assistant whose name is InternLM (书生·浦语).
- InternLM (书生·浦语) is a conversational language model that is developed by Shanghai AI Laboratory \
(上海人工智能实验室). It is designed to be helpful, honest, and harmless.
- InternLM (书生·浦语) can understand and communicate fluently in the language chosen by the user such \
as English and 中文.
";

const FIRST: &str = "internlm";
const SECOND: &str = "internlm2";

/// Writes a prompt of the first generation.
///
/// The released code writes `<eoh>` after the user's text, LMDeploy a line break. This follows
/// LMDeploy, with which the models were served.
pub(super) fn render_first(
    messages: &[Message],
    options: &ChatOptions,
) -> Result<Segments, ChatError> {
    if !options.tools.is_empty() {
        let found = options.tools.len();
        return Err(ChatError::UnsupportedTools { template: FIRST, found });
    }
    let mut segments = Segments::default();
    if let Some((text, origin)) = leading_system(messages, options) {
        segments.template("<|System|>:");
        segments.push(text, origin);
        segments.template("\n");
    }
    let is_open = leaves_last_open(messages, options);
    for (index, message) in messages.iter().enumerate() {
        let (begin, end) = match message.role {
            Role::System => ("<|System|>:", "\n"),
            Role::User => ("<|User|>:", "\n"),
            Role::Assistant => ("<|Bot|>:", "<eoa>\n"),
            role => return Err(ChatError::UnsupportedRole { index, role, template: FIRST }),
        };
        if !message.tool_calls.is_empty() {
            let found = message.tool_calls.len();
            return Err(ChatError::UnsupportedTools { template: FIRST, found });
        }
        segments.template(begin);
        segments.push(&text_of(message, index, FIRST)?, Origin::Content);
        if !(is_open && index + 1 == messages.len()) {
            segments.template(end);
        }
    }
    if options.ending == Ending::Answer && !is_open {
        segments.template("<|Bot|>:");
    }
    Ok(segments)
}

/// Writes a prompt of the second or third generation.
pub(super) fn render_second(
    messages: &[Message],
    options: &ChatOptions,
) -> Result<Segments, ChatError> {
    let mut segments = Segments::default();
    if let Some((text, origin)) = leading_system(messages, options) {
        segments.template("<|im_start|>system\n");
        segments.push(text, origin);
        segments.template("<|im_end|>\n");
    }
    let is_open = leaves_last_open(messages, options);
    let tools_at = usize::from(starts_with_system(messages));
    for (index, message) in messages.iter().enumerate() {
        if index == tools_at {
            push_tools(&mut segments, options);
        }
        push_begin(&mut segments, message);
        segments.push(&text_of(message, index, SECOND)?, Origin::Content);
        for call in &message.tool_calls {
            push_call(&mut segments, call, index)?;
        }
        if !(is_open && index + 1 == messages.len()) {
            segments.template("<|im_end|>\n");
        }
    }
    if messages.len() <= tools_at {
        push_tools(&mut segments, options);
    }
    if options.ending == Ending::Answer && !is_open {
        segments.template("<|im_start|>assistant\n");
    }
    Ok(segments)
}

fn starts_with_system(messages: &[Message]) -> bool {
    messages.first().is_some_and(|first| first.role == Role::System)
}

fn leading_system<'a>(messages: &[Message], options: &'a ChatOptions) -> Option<(&'a str, Origin)> {
    if messages.is_empty() || starts_with_system(messages) {
        return None;
    }
    match &options.system {
        SystemText::Default => Some((DEFAULT_SYSTEM, Origin::Template)),
        SystemText::Absent => None,
        SystemText::Text(text) => Some((text, Origin::Content)),
    }
}

fn leaves_last_open(messages: &[Message], options: &ChatOptions) -> bool {
    let last_is_assistant = messages.last().is_some_and(|last| last.role == Role::Assistant);
    options.ending == Ending::Answer && last_is_assistant
}

fn text_of(message: &Message, index: usize, template: &'static str) -> Result<String, ChatError> {
    if !message.is_text_only() {
        return Err(ChatError::UnsupportedContent { index, template });
    }
    Ok(message.text())
}

fn push_begin(segments: &mut Segments, message: &Message) {
    segments.template("<|im_start|>");
    segments.template(match message.role {
        // The answer of a tool comes from the model's environment.
        Role::Tool => Role::Environment.as_str(),
        role => role.as_str(),
    });
    // Only these two names have tokens; a person's name is not part of the format.
    match message.name.as_deref() {
        Some("plugin") => segments.template(" name=<|plugin|>"),
        Some("interpreter") => segments.template(" name=<|interpreter|>"),
        _ => {}
    }
    segments.template("\n");
}

fn push_tools(segments: &mut Segments, options: &ChatOptions) {
    if options.tools.is_empty() {
        return;
    }
    let functions = options.tools.iter().map(|tool| function_value(&tool.function)).collect();
    segments.template("<|im_start|>system name=<|plugin|>\n");
    segments.push(&dump(&Value::Array(functions)), Origin::Content);
    segments.template("<|im_end|>\n");
}

fn function_value(function: &FunctionDefinition) -> Value {
    let FunctionDefinition { name, description, parameters } = function;
    match description {
        Some(description) => {
            json!({ "name": name, "description": description, "parameters": parameters })
        }
        None => json!({ "name": name, "parameters": parameters }),
    }
}

fn push_call(segments: &mut Segments, call: &ToolCall, index: usize) -> Result<(), ChatError> {
    let parameters =
        call.function.parse_arguments().map_err(|source| ChatError::ToolCall { index, source })?;
    let call = json!({ "name": call.function.name, "parameters": parameters });
    segments.template("<|action_start|><|plugin|>\n");
    segments.push(&dump(&call), Origin::Content);
    segments.template("<|action_end|>");
    Ok(())
}
