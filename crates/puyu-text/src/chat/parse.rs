//! What the model wrote: text, tool calls and code, in the protocol of InternLM2.
//!
//! Source: `Internlm2ToolParser` of LMDeploy and `chat/chat_format.md` of InternLM.

use puyu_core::ToolCall;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::python_json::dump;
use crate::error::ChatError;

const START: &str = "<|action_start|>";
const END: &str = "<|action_end|>";
const CLOSE: &str = "<|im_end|>";
const PLUGIN: &str = "<|plugin|>";
const INTERPRETER: &str = "<|interpreter|>";

/// How much of a damaged call an error quotes, in characters.
const QUOTED_CHARACTERS: usize = 200;

/// An answer of the model, taken apart.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AssistantOutput {
    /// What it says to the user.
    pub content: String,
    /// The functions that it wants called, in order. The protocol has no names for calls, so
    /// [`ToolCall::id`] is empty.
    pub tool_calls: Vec<ToolCall>,
    /// The programs that it wants run by the interpreter, in order, without fences.
    pub code: Vec<String>,
}

/// A call as the model writes it. Models trained on other protocols say `arguments`.
#[derive(Debug, Deserialize)]
struct WireCall {
    name: Option<String>,
    #[serde(alias = "arguments")]
    parameters: Option<Value>,
}

/// Takes an answer of InternLM2 apart.
///
/// The answer must have been decoded with special tokens written out. Line breaks after
/// `<|plugin|>` and `<|interpreter|>`, the end of the last action and of the turn may be missing:
/// the answer may have been stopped there.
///
/// # Errors
///
/// [`ChatError::DamagedToolCall`] if a call is not JSON, [`ChatError::NamelessToolCall`]. Both quote
/// the call, so that the model can be told.
///
/// # Examples
///
/// ```
/// let text = "我来查一下。<|action_start|><|plugin|>\n{\"name\": \"weather\", \"parameters\": \
///             {\"city\": \"上海\"}}<|action_end|><|im_end|>";
/// let output = puyu_text::parse_assistant(text)?;
/// assert_eq!(output.content, "我来查一下。");
/// assert_eq!(output.tool_calls[0].function.name, "weather");
/// assert_eq!(output.tool_calls[0].function.arguments, r#"{"city": "上海"}"#);
/// # Ok::<(), puyu_text::ChatError>(())
/// ```
pub fn parse_assistant(text: &str) -> Result<AssistantOutput, ChatError> {
    // What comes after the end of the turn is not part of it.
    let turn = text.split_once(CLOSE).map_or(text, |(turn, _)| turn);
    let mut pieces = turn.split(START);
    let mut output = AssistantOutput::default();
    output.content.push_str(pieces.next().unwrap_or_default());
    for piece in pieces {
        let (action, after) = piece.split_once(END).unwrap_or((piece, ""));
        if let Some(call) = action.trim_start().strip_prefix(PLUGIN) {
            output.tool_calls.push(parse_call(call)?);
        } else if let Some(code) = action.trim_start().strip_prefix(INTERPRETER) {
            output.code.push(strip_fences(code).to_owned());
        } else {
            // An action of no known kind is something that the model said.
            output.content.push_str(START);
            output.content.push_str(piece);
            continue;
        }
        if !after.trim().is_empty() {
            output.content.push_str(after);
        }
    }
    Ok(output)
}

fn parse_call(text: &str) -> Result<ToolCall, ChatError> {
    let text = text.trim();
    let quoted = || text.chars().take(QUOTED_CHARACTERS).collect::<String>();
    // Some prompts teach the model to fence its JSON; LMDeploy too looks for the first brace.
    let json = text.find('{').map_or(text, |start| &text[start..]);
    let mut values = serde_json::Deserializer::from_str(json).into_iter::<WireCall>();
    let wire = match values.next() {
        Some(Ok(wire)) => wire,
        Some(Err(source)) => return Err(ChatError::DamagedToolCall { text: quoted(), source }),
        None => return Err(ChatError::NamelessToolCall { text: quoted() }),
    };
    let Some(name) = wire.name.filter(|name| !name.is_empty()) else {
        return Err(ChatError::NamelessToolCall { text: quoted() });
    };
    let arguments = match wire.parameters {
        // Arguments as JSON in a string, as OpenAI writes them.
        Some(Value::String(arguments)) => arguments,
        Some(arguments) => dump(&arguments),
        None => dump(&Value::Object(Map::new())),
    };
    Ok(ToolCall::new("", name, arguments))
}

/// The program inside of Markdown fences, which may be missing or incomplete.
fn strip_fences(code: &str) -> &str {
    let code = code.trim();
    let Some(fenced) = code.strip_prefix("```") else { return code };
    let fenced = fenced.split_once('\n').map_or("", |(_language, program)| program);
    fenced.strip_suffix("```").unwrap_or(fenced).trim_end_matches('\n')
}
