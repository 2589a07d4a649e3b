//! Conversations to learn from: one type, and the forms it is read from.

use puyu_core::{Message, Role, ToolCall, ToolDefinition};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::engine::{Field, Shape};
use crate::fault::{Fault, FaultKind};

mod alpaca;
mod messages;
mod moss;
mod preference;
mod sharegpt;
mod thread;
mod tools;
mod xtuner;

pub use alpaca::Alpaca;
pub use messages::{ChatMessage, Messages, RewardPrompt};
pub use moss::{Moss, MossTurn};
pub use preference::{Preference, PreferencePair};
pub use sharegpt::{ShareGpt, ShareTurn};
pub use xtuner::{XTuner, XTunerTurn};

use thread::Thread;

/// The `id` of a fine-tuning row: some sets count, some name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum RowId {
    /// A name.
    Text(String),
    /// A number.
    Number(i64),
}

impl std::fmt::Display for RowId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Number(number) => number.fmt(f),
        }
    }
}

const ID: Shape = Shape::Either(&[Shape::Text, Shape::Integer]);
const ID_FIELD: Field = Field::optional("id", ID);

/// What a set says about a message beside its words.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Note {
    /// How much the message counts in the loss; `None` where the set does not say.
    pub loss_weight: Option<f32>,
    /// What the assistant thought before it spoke.
    pub reasoning: Option<String>,
}

/// A conversation in the words of [`puyu_core`], whatever form it was read from.
///
/// It is written as OpenAI messages ([`Messages`]) and read back from them unchanged.
///
/// # Examples
///
/// ```
/// use puyu_core::Role;
/// use puyu_dataset::record::{Alpaca, Conversation};
/// use puyu_dataset::{RawRow, Record};
///
/// let row = r#"{"instruction": "翻译成英语", "input": "你好", "output": "Hello"}"#;
/// let conversation: Conversation = Alpaca::decode(RawRow::Json(row.as_bytes()))?.try_into()?;
/// assert_eq!(conversation.messages()[0].text(), "翻译成英语\n你好");
/// assert_eq!(conversation.messages()[1].role, Role::Assistant);
/// assert_eq!(conversation.loss_weight(1), 1.0);
/// # Ok::<(), puyu_dataset::Fault>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Conversation {
    /// The row's id, numbers as text.
    pub id: Option<String>,
    /// The functions that the assistant may call.
    pub tools: Vec<ToolDefinition>,
    /// All that the row says beside the conversation.
    pub meta: Map<String, Value>,
    messages: Vec<Message>,
    notes: Vec<Note>,
}

impl Conversation {
    /// The messages, in order.
    pub fn messages(&self) -> &[Message] {
        &self.messages
    }

    /// The notes, one per message.
    pub fn notes(&self) -> &[Note] {
        &self.notes
    }

    /// Adds a message.
    pub fn push(&mut self, message: Message, note: Note) {
        self.messages.push(message);
        self.notes.push(note);
    }

    /// How much message `index` counts in the loss: what the set says, else 1 for the assistant
    /// and 0 for all others.
    ///
    /// # Panics
    ///
    /// If there is no such message.
    pub fn loss_weight(&self, index: usize) -> f32 {
        let is_assistant = self.messages[index].role == Role::Assistant;
        self.notes[index].loss_weight.unwrap_or(if is_assistant { 1.0 } else { 0.0 })
    }
}

impl Serialize for Conversation {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        Messages::from(self).serialize(to)
    }
}

impl crate::row::Record for Conversation {
    const FORM: &'static str = "conversation";

    /// Reads any of the fine-tuning forms, whichever the row is in.
    fn decode(row: crate::row::RawRow<'_>) -> Result<Self, Fault> {
        super::AnyRecord::decode(row)?.into_conversation()
    }
}

/// A call without a name of its own gets one by its place, so that answers can refer to it.
fn call(number: usize, name: impl Into<String>, arguments: impl Into<String>) -> ToolCall {
    ToolCall::new(format!("call_{number}"), name, arguments)
}

fn value_fault(field: impl Into<String>, expected: &str, found: impl Into<String>) -> Fault {
    Fault::field(FaultKind::Value, field, expected, found)
}
