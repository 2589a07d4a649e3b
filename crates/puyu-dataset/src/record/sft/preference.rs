//! Pairs of a better and a worse answer.

use puyu_core::{Message, Role, ToolDefinition};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::alpaca::add_history;
use super::messages::{ChatMessage, MESSAGE, add_messages};
use super::sharegpt::{Pictures, ShareTurn, TURN, add_turns};
use super::{Conversation, ID_FIELD, Note, RowId, Thread, tools, value_fault};
use crate::fault::{Fault, FaultKind};
use crate::record::engine::{Field, JsonForm, Shape, describe, optional_objects};

/// A row with a chosen and a rejected answer, each a string, a ShareGPT turn, a message, or a
/// whole list of messages. The question is `conversations`, `prompt`, `question` or
/// `instruction` with `input`; with lists of messages it is what both begin with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Preference {
    /// Names the row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<RowId>,
    /// The turns before the answer.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "optional_objects"
    )]
    pub conversations: Option<Vec<ShareTurn>>,
    /// The question, or messages before the answer.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub prompt: Value,
    /// The question.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub question: Option<String>,
    /// The question.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instruction: Option<String>,
    /// What belongs to `instruction`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<String>,
    /// The system message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system: Option<String>,
    /// Earlier questions and answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history: Option<Vec<Vec<String>>>,
    /// The functions.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub tools: Value,
    /// The better answer.
    pub chosen: Value,
    /// The worse answer.
    pub rejected: Value,
    /// All other fields, such as `margin`.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

const ANSWER: Shape = Shape::Either(&[Shape::Text, Shape::Map(&Shape::Any), Shape::List(&MESSAGE)]);

impl JsonForm for Preference {
    const NAME: &'static str = "preference";
    const SHAPE: Shape = Shape::Object(&[
        ID_FIELD,
        Field::optional("conversations", Shape::List(&TURN)),
        Field::optional("prompt", Shape::Either(&[Shape::Text, Shape::List(&MESSAGE)])),
        Field::optional("question", Shape::Text),
        Field::optional("instruction", Shape::Text),
        Field::optional("input", Shape::Text),
        Field::optional("system", Shape::Text),
        Field::optional("history", Shape::List(&Shape::List(&Shape::Text))),
        Field::required("chosen", ANSWER),
        Field::required("rejected", ANSWER),
    ]);
}

/// A prompt with a better and a worse answer.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct PreferencePair {
    /// The row's id, numbers as text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// What comes before the answers.
    pub prompt: Vec<Message>,
    /// The better answer: one message or, with tools, several.
    pub chosen: Vec<Message>,
    /// The worse answer.
    pub rejected: Vec<Message>,
    /// The functions that the assistant may call.
    pub tools: Vec<ToolDefinition>,
    /// All that the row says beside.
    pub meta: Map<String, Value>,
}

impl TryFrom<Preference> for PreferencePair {
    type Error = Fault;

    fn try_from(row: Preference) -> Result<Self, Fault> {
        let tools = tools::definitions(&row.tools, "tools")?;
        let mut prompt = prompt(&row)?.messages;
        let mut chosen = answer(&row.chosen, "chosen")?;
        let mut rejected = answer(&row.rejected, "rejected")?;
        if prompt.is_empty() {
            let n_shared = chosen.iter().zip(&rejected).take_while(|(a, b)| a == b).count();
            // If the answers are equal to the end, the last message is still the answer.
            let n_shared = n_shared.min(chosen.len().min(rejected.len()).saturating_sub(1));
            prompt = chosen.drain(..n_shared).collect();
            rejected.drain(..n_shared);
        }
        if !prompt.iter().any(|message| message.role != Role::System) {
            let expected = "`conversations`, `prompt`, `question` or `instruction`";
            return Err(Fault::field(FaultKind::Missing, "prompt", expected, "none of them"));
        }
        for (answer, field) in [(&chosen, "chosen"), (&rejected, "rejected")] {
            if !matches!(answer.first(), Some(Message { role: Role::Assistant, .. })) {
                let found = answer.first().map_or("nothing", |message| message.role.as_str());
                return Err(value_fault(field, "an answer of the assistant", found));
            }
        }
        let id = row.id.map(|id| id.to_string());
        Ok(Self { id, prompt, chosen, rejected, tools, meta: row.extra })
    }
}

fn prompt(row: &Preference) -> Result<Conversation, Fault> {
    let mut thread = Thread::default();
    thread.system(row.system.as_deref().unwrap_or_default());
    add_history(&mut thread, row.history.clone().unwrap_or_default())?;
    if let Some(turns) = &row.conversations {
        add_turns(&mut thread, turns, &mut Pictures::new(Vec::new()))?;
    }
    match &row.prompt {
        Value::String(text) => thread.user(Message::user(text), Note::default(), "prompt")?,
        list @ Value::Array(_) => add_messages(&mut thread, &messages(list, "prompt")?, "prompt")?,
        _ => {}
    }
    if let Some(text) = &row.question {
        thread.user(Message::user(text), Note::default(), "question")?;
    }
    if let Some(text) = &row.instruction {
        let text = match row.input.as_deref() {
            None | Some("") => text.clone(),
            Some(input) => format!("{text}\n{input}"),
        };
        thread.user(Message::user(text), Note::default(), "instruction")?;
    }
    Ok(thread.conversation)
}

fn messages(value: &Value, field: &str) -> Result<Vec<ChatMessage>, Fault> {
    serde_json::from_value(value.clone())
        .map_err(|_| value_fault(field, "messages with `role` and `content`", describe(value)))
}

fn answer(value: &Value, field: &str) -> Result<Vec<Message>, Fault> {
    let messages = match value {
        Value::String(text) => return Ok(vec![Message::assistant(text)]),
        Value::Array(_) => messages(value, field)?,
        turn if turn.get("from").is_some() => {
            return match (turn["from"].as_str(), turn["value"].as_str()) {
                (Some("gpt" | "assistant"), Some(text)) => Ok(vec![Message::assistant(text)]),
                (Some("function_call"), Some(text)) => {
                    let calls = tools::calls(text, 0, &format!("{field}.value"))?;
                    let message = Message::from_parts(Role::Assistant, Vec::new());
                    Ok(vec![message.with_tool_calls(calls)])
                }
                _ => Err(value_fault(field, "a turn from gpt", describe(&turn["from"]))),
            };
        }
        one => messages(&Value::Array(vec![one.clone()]), field)?,
    };
    let mut thread = Thread::default();
    add_messages(&mut thread, &messages, field)?;
    Ok(thread.conversation.messages)
}
