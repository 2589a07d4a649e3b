//! Messages with roles, as OpenAI, XTuner and LLaMA-Factory write them.

use puyu_core::{ContentPart, Message, Role, ToolCall};
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value, json};

use super::{Conversation, ID, ID_FIELD, Note, RowId, Thread, tools, value_fault};
use crate::fault::{Fault, excerpt};
use crate::record::engine::{Field, JsonForm, Shape, describe, objects};

/// A row of OpenAI messages: an object with `messages`, or the bare list.
#[derive(Debug, Clone, PartialEq)]
pub struct Messages {
    /// The messages.
    pub messages: Vec<ChatMessage>,
    /// The functions: a list, or a string that holds one in JSON.
    pub tools: Value,
    /// Names the row.
    pub id: Option<RowId>,
    /// All other fields.
    pub extra: Map<String, Value>,
    /// Whether the row is the bare list.
    pub is_bare: bool,
}

#[derive(Serialize, Deserialize)]
struct WireRow {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    id: Option<RowId>,
    #[serde(deserialize_with = "objects")]
    messages: Vec<ChatMessage>,
    #[serde(default, skip_serializing_if = "Value::is_null")]
    tools: Value,
    #[serde(flatten)]
    extra: Map<String, Value>,
}

/// One message as it stands on the wire.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ChatMessage {
    /// Who speaks: a role of [`Role`], `function`, or XTuner's `pretrain`.
    pub role: String,
    /// A string, null, or a list of parts: OpenAI's, or `{type, value}` with type `text`,
    /// `reasoning` or `tool_call`.
    #[serde(default)]
    pub content: Value,
    /// The speaker's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Calls of functions.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub tool_calls: Value,
    /// The call that a tool answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_call_id: Option<String>,
    /// What the assistant thought.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning_content: Option<String>,
    /// Whether the message counts in the loss (XTuner).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss: Option<bool>,
    /// How much the message counts in the loss (LLaMA-Factory).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss_weight: Option<f32>,
    /// All other fields.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

pub(super) const MESSAGE: Shape = Shape::Object(&[
    Field::required("role", Shape::Text),
    Field::optional(
        "content",
        Shape::Either(&[Shape::Text, Shape::List(&Shape::Map(&Shape::Any))]),
    ),
    Field::optional("name", Shape::Text),
    Field::optional("tool_calls", Shape::List(&Shape::Map(&Shape::Any))),
    Field::optional("tool_call_id", Shape::Text),
    Field::optional("reasoning_content", Shape::Text),
    Field::optional("loss", Shape::Boolean),
    Field::optional("loss_weight", Shape::Number),
]);

impl<'de> Deserialize<'de> for Messages {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Row)
    }
}

struct Row;

impl<'de> Visitor<'de> for Row {
    type Value = Messages;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object with messages or a list of messages")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Messages, A::Error> {
        let messages = objects(SeqAccessDeserializer::new(list))?;
        let (tools, extra) = (Value::Null, Map::new());
        Ok(Messages { messages, tools, id: None, extra, is_bare: true })
    }

    fn visit_map<A: MapAccess<'de>>(self, row: A) -> Result<Messages, A::Error> {
        let row = WireRow::deserialize(MapAccessDeserializer::new(row))?;
        let WireRow { id, messages, tools, extra } = row;
        Ok(Messages { messages, tools, id, extra, is_bare: false })
    }
}

impl Serialize for Messages {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        if self.is_bare {
            return self.messages.serialize(to);
        }
        let Self { messages, tools, id, extra, .. } = self.clone();
        WireRow { id, messages, tools, extra }.serialize(to)
    }
}

impl JsonForm for Messages {
    const NAME: &'static str = "messages";
    const SHAPE: Shape = Shape::Either(&[
        Shape::Object(&[ID_FIELD, Field::required("messages", Shape::List(&MESSAGE))]),
        Shape::List(&MESSAGE),
    ]);
}

impl TryFrom<Messages> for Conversation {
    type Error = Fault;

    fn try_from(row: Messages) -> Result<Self, Fault> {
        let mut thread = Thread::default();
        thread.conversation.id = row.id.map(|id| id.to_string());
        thread.conversation.tools = tools::definitions(&row.tools, "tools")?;
        thread.conversation.meta = row.extra;
        let place = if row.is_bare { "" } else { "messages" };
        add_messages(&mut thread, &row.messages, place)?;
        thread.finish_anywhere("messages")
    }
}

/// Adds messages. OpenAI lets roles follow each other freely, so only calls and answers are held
/// together.
pub(super) fn add_messages(
    thread: &mut Thread,
    messages: &[ChatMessage],
    place: &str,
) -> Result<(), Fault> {
    for (index, message) in messages.iter().enumerate() {
        add_message(thread, message, &format!("{place}[{index}]"))?;
    }
    Ok(())
}

fn add_message(thread: &mut Thread, wire: &ChatMessage, field: &str) -> Result<(), Fault> {
    let mut parts = Parts::read(wire, thread.n_calls(), &format!("{field}.content"))?;
    let loss_weight = wire.loss_weight.or(wire.loss.map(|counts| if counts { 1.0 } else { 0.0 }));
    let reasoning = wire.reasoning_content.clone().or(parts.reasoning.take());
    let note = Note { loss_weight, reasoning };
    let role = match wire.role.as_str() {
        "system" | "developer" => Role::System,
        "user" => Role::User,
        "assistant" | "pretrain" => Role::Assistant,
        "tool" | "function" => Role::Tool,
        "environment" => Role::Environment,
        other => {
            let found = format!("the string \"{}\"", excerpt(other));
            let expected = "system, user, assistant, tool, environment or pretrain";
            return Err(value_fault(format!("{field}.role"), expected, found));
        }
    };
    let mut calls = parts.calls;
    if let Value::Array(list) = &wire.tool_calls {
        for (index, call) in list.iter().enumerate() {
            let call: ToolCall = serde_json::from_value(call.clone()).map_err(|error| {
                let field = format!("{field}.tool_calls[{index}]");
                value_fault(field, "a function call", error.to_string())
            })?;
            calls.push(call);
        }
    }
    let mut message = Message::from_parts(role, parts.content).with_tool_calls(calls);
    message.name.clone_from(&wire.name);
    if role != Role::Assistant && !message.tool_calls.is_empty() {
        let field = format!("{field}.role");
        return Err(value_fault(field, "assistant, which calls functions", role.as_str()));
    }
    for call in &mut message.tool_calls {
        thread.open(call);
    }
    match role {
        Role::Tool => {
            message.tool_call_id.clone_from(&wire.tool_call_id);
            thread.tool(message, note, &format!("{field}.role"))
        }
        Role::Environment => thread.environment(message, note),
        _ => thread.add(message, note),
    }
}

/// What the content of one message holds.
#[derive(Default)]
struct Parts {
    content: Vec<ContentPart>,
    reasoning: Option<String>,
    calls: Vec<ToolCall>,
}

impl Parts {
    fn read(wire: &ChatMessage, first_call: usize, field: &str) -> Result<Self, Fault> {
        let mut parts = Self::default();
        match &wire.content {
            Value::String(text) => parts.content.push(ContentPart::text(text)),
            Value::Array(list) => {
                for (index, part) in list.iter().enumerate() {
                    let first = first_call + parts.calls.len();
                    parts.add(part, first, &format!("{field}[{index}]"))?;
                }
            }
            _ => {}
        }
        Ok(parts)
    }

    fn add(&mut self, part: &Value, first_call: usize, field: &str) -> Result<(), Fault> {
        let kind = part.get("type").and_then(Value::as_str).unwrap_or_default();
        match (kind, part.get("value")) {
            ("text", Some(Value::String(text))) => self.content.push(ContentPart::text(text)),
            ("reasoning", Some(Value::String(text))) => {
                self.reasoning.get_or_insert_default().push_str(text);
            }
            ("tool_call", Some(Value::String(text))) => {
                self.calls.extend(tools::calls(text, first_call, &format!("{field}.value"))?);
            }
            ("image" | "image_url", Some(Value::String(url))) => {
                self.content.push(ContentPart::image_url(url));
            }
            _ => {
                let read = serde_json::from_value(part.clone()).map_err(|error| {
                    let found = format!("{}: {error}", describe(part));
                    value_fault(field, "a text, picture, video, sound, reasoning or call", found)
                })?;
                self.content.push(read);
            }
        }
        Ok(())
    }
}

impl From<&Conversation> for Messages {
    fn from(conversation: &Conversation) -> Self {
        let wire = |(message, note): (&Message, &Note)| ChatMessage {
            role: message.role.to_string(),
            content: match message.content.as_slice() {
                [] => Value::Null,
                [ContentPart::Text { text }] => Value::from(text.clone()),
                parts => json!(parts),
            },
            name: message.name.clone(),
            tool_calls: match message.tool_calls.as_slice() {
                [] => Value::Null,
                calls => json!(calls),
            },
            tool_call_id: message.tool_call_id.clone(),
            reasoning_content: note.reasoning.clone(),
            loss: None,
            loss_weight: note.loss_weight,
            extra: Map::new(),
        };
        let tools = &conversation.tools;
        Self {
            messages: conversation.messages.iter().zip(&conversation.notes).map(wire).collect(),
            tools: if tools.is_empty() { Value::Null } else { json!(tools) },
            id: conversation.id.clone().map(RowId::Text),
            extra: conversation.meta.clone(),
            is_bare: false,
        }
    }
}

/// A row for reinforcement learning: a prompt, and how an answer is rewarded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RewardPrompt {
    /// Names the row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<RowId>,
    /// The prompt.
    #[serde(deserialize_with = "objects")]
    pub prompt: Vec<ChatMessage>,
    /// How an answer is judged, such as `ground_truth` and `style`.
    pub reward_model: Map<String, Value>,
    /// All other fields, such as `data_source`.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

impl JsonForm for RewardPrompt {
    const NAME: &'static str = "reward-prompt";
    const SHAPE: Shape = Shape::Object(&[
        Field::optional("id", ID),
        Field::required("prompt", Shape::List(&MESSAGE)),
        Field::required("reward_model", Shape::Map(&Shape::Any)),
    ]);
}

impl TryFrom<RewardPrompt> for Conversation {
    type Error = Fault;

    fn try_from(row: RewardPrompt) -> Result<Self, Fault> {
        let mut thread = Thread::default();
        thread.conversation.id = row.id.map(|id| id.to_string());
        thread.conversation.meta = row.extra;
        thread.conversation.meta.insert("reward_model".to_owned(), row.reward_model.into());
        add_messages(&mut thread, &row.prompt, "prompt")?;
        thread.finish_anywhere("prompt")
    }
}
