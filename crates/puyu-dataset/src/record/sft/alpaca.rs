//! Alpaca: one instruction with its answer.

use puyu_core::Message;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Conversation, ID_FIELD, Note, RowId, Thread, value_fault};
use crate::fault::Fault;
use crate::record::engine::{Field, JsonForm, Shape};

/// A row of the Alpaca form, with the additions of LLaMA-Factory.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Alpaca {
    /// Names the row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<RowId>,
    /// What to do.
    pub instruction: String,
    /// What to do it with; put below the instruction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<String>,
    /// The answer.
    pub output: String,
    /// The system message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system: Option<String>,
    /// Earlier questions and answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history: Option<Vec<Vec<String>>>,
    /// All other fields.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

impl JsonForm for Alpaca {
    const NAME: &'static str = "alpaca";
    const SHAPE: Shape = Shape::Object(&[
        ID_FIELD,
        Field::required("instruction", Shape::Text),
        Field::optional("input", Shape::Text),
        Field::required("output", Shape::Text),
        Field::optional("system", Shape::Text),
        Field::optional("history", Shape::List(&Shape::List(&Shape::Text))),
    ]);
}

impl TryFrom<Alpaca> for Conversation {
    type Error = Fault;

    fn try_from(row: Alpaca) -> Result<Self, Fault> {
        let mut thread = Thread::default();
        thread.conversation.id = row.id.map(|id| id.to_string());
        thread.conversation.meta = row.extra;
        thread.system(&row.system.unwrap_or_default());
        add_history(&mut thread, row.history.unwrap_or_default())?;
        let question = match row.input {
            Some(input) if !input.is_empty() => format!("{}\n{input}", row.instruction),
            _ => row.instruction,
        };
        thread.user(Message::user(question), Note::default(), "instruction")?;
        thread.assistant(Message::assistant(row.output), Note::default(), "output")?;
        thread.finish("output")
    }
}

/// Adds pairs of question and answer.
pub(super) fn add_history(thread: &mut Thread, history: Vec<Vec<String>>) -> Result<(), Fault> {
    for (index, pair) in history.into_iter().enumerate() {
        let field = format!("history[{index}]");
        let [question, answer] = <[String; 2]>::try_from(pair).map_err(|pair| {
            value_fault(&field, "a question and an answer", format!("{} texts", pair.len()))
        })?;
        thread.user(Message::user(question), Note::default(), &field)?;
        thread.assistant(Message::assistant(answer), Note::default(), &field)?;
    }
    Ok(())
}
