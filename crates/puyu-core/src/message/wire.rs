//! Serde of the wire form: what other programs may send, and what is written.

use serde::{Deserialize, Deserializer, Serializer};
use serde_json::Value;

use super::{ContentPart, FunctionCall, FunctionDefinition, ToolCall, ToolDefinition};
use crate::error::MessageError;

#[derive(Deserialize)]
pub(super) struct WireToolCall {
    #[serde(default, rename = "type")]
    kind: Option<String>,
    #[serde(default, deserialize_with = "read_null_as_default")]
    id: String,
    function: FunctionCall,
}

#[derive(Deserialize)]
pub(super) struct WireToolDefinition {
    #[serde(default, rename = "type")]
    kind: Option<String>,
    function: FunctionDefinition,
}

impl TryFrom<WireToolCall> for ToolCall {
    type Error = MessageError;

    fn try_from(wire: WireToolCall) -> Result<Self, MessageError> {
        require_function(wire.kind)?;
        Ok(Self { id: wire.id, function: wire.function })
    }
}

impl TryFrom<WireToolDefinition> for ToolDefinition {
    type Error = MessageError;

    fn try_from(wire: WireToolDefinition) -> Result<Self, MessageError> {
        require_function(wire.kind)?;
        Ok(Self { function: wire.function })
    }
}

fn require_function(kind: Option<String>) -> Result<(), MessageError> {
    match kind {
        Some(kind) if kind != "function" => Err(MessageError::UnknownToolType { found: kind }),
        _ => Ok(()),
    }
}

pub(super) fn write_content<S: Serializer>(
    parts: &[ContentPart],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match parts {
        [] => serializer.serialize_none(),
        [ContentPart::Text { text }] => serializer.serialize_str(text),
        parts => serializer.collect_seq(parts),
    }
}

pub(super) fn read_content<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<ContentPart>, D::Error> {
    // An untagged enum would say only that no variant matched, so the kind is looked at first.
    let value = Value::deserialize(deserializer)?;
    match value {
        Value::Null => Ok(Vec::new()),
        Value::String(text) => Ok(vec![ContentPart::Text { text }]),
        Value::Array(parts) => parts
            .into_iter()
            .map(|part| serde_json::from_value(part).map_err(serde::de::Error::custom))
            .collect(),
        other => Err(serde::de::Error::custom(format_args!(
            "content must be a string, null or a list of parts, found {}",
            json_kind(&other)
        ))),
    }
}

pub(super) fn read_arguments<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<String, D::Error> {
    match Value::deserialize(deserializer)? {
        Value::Null => Ok(no_arguments()),
        Value::String(text) => Ok(text),
        object @ Value::Object(_) => Ok(object.to_string()),
        other => Err(serde::de::Error::custom(format_args!(
            "arguments must be JSON text or an object, found {}",
            json_kind(&other)
        ))),
    }
}

pub(super) fn read_null_as_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

pub(super) fn no_arguments() -> String {
    "{}".to_owned()
}

pub(super) fn no_parameters() -> Value {
    Value::Object(serde_json::Map::new())
}

/// The kind of a JSON value in words, for error messages.
pub(super) fn json_kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
