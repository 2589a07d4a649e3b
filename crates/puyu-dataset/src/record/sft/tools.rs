//! Function definitions and calls as fine-tuning sets write them: often JSON inside a string.

use puyu_core::{ToolCall, ToolDefinition};
use serde_json::Value;

use super::{call, value_fault};
use crate::fault::{Fault, excerpt};
use crate::record::engine::describe;

/// Reads `tools`: a list, or a string that holds one; with or without the `function` wrapper.
pub(super) fn definitions(tools: &Value, field: &str) -> Result<Vec<ToolDefinition>, Fault> {
    let list = match tools {
        Value::Null => return Ok(Vec::new()),
        Value::String(text) if text.trim().is_empty() => return Ok(Vec::new()),
        Value::String(text) => inner(text, field, "a list of functions in JSON")?,
        other => other.clone(),
    };
    let Value::Array(list) = list else {
        return Err(value_fault(field, "a list of functions", describe(&list)));
    };
    let one = |(index, tool): (usize, Value)| definition(tool, &format!("{field}[{index}]"));
    list.into_iter().enumerate().map(one).collect()
}

fn definition(tool: Value, field: &str) -> Result<ToolDefinition, Fault> {
    let is_wrapped = tool.get("function").is_some();
    let tool = if is_wrapped { tool } else { serde_json::json!({ "function": tool }) };
    serde_json::from_value(tool)
        .map_err(|error| value_fault(field, "a function definition", error.to_string()))
}

/// Reads the calls in a `function_call` turn: `{"name", "arguments"}` or a list of these.
/// `first` is the number of the first call in its conversation.
pub(super) fn calls(text: &str, first: usize, field: &str) -> Result<Vec<ToolCall>, Fault> {
    let list = match inner(text, field, "a function call in JSON")? {
        Value::Array(list) => list,
        one => vec![one],
    };
    let one = |(index, value): (usize, Value)| {
        let name = value.get("name").and_then(Value::as_str);
        let arguments = value.get("arguments").or_else(|| value.get("parameters"));
        match (name, arguments) {
            (Some(name), Some(Value::String(text))) => Ok(call(first + index, name, text.clone())),
            (Some(name), Some(value)) => Ok(call(first + index, name, value.to_string())),
            (Some(name), None) => Ok(call(first + index, name, "{}")),
            (None, _) => Err(value_fault(field, "an object with `name`", describe(&value))),
        }
    };
    list.into_iter().enumerate().map(one).collect()
}

fn inner(text: &str, field: &str, expected: &str) -> Result<Value, Fault> {
    serde_json::from_str(text)
        .map_err(|_| value_fault(field, expected, format!("the string \"{}\"", excerpt(text))))
}
