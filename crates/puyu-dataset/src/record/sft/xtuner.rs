//! XTuner's `conversation`: pairs of input and output.

use puyu_core::Message;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Conversation, ID_FIELD, Note, RowId, Thread};
use crate::fault::Fault;
use crate::record::engine::{Field, JsonForm, Shape, objects};

/// A row of XTuner's form.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct XTuner {
    /// Names the row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<RowId>,
    /// The turns, each a question and an answer.
    #[serde(deserialize_with = "objects")]
    pub conversation: Vec<XTunerTurn>,
    /// All other fields.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// A question and an answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct XTunerTurn {
    /// The system message, in the first turn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system: Option<String>,
    /// The question; empty in rows for pretraining.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<String>,
    /// The answer, or the text to pretrain on.
    pub output: String,
    /// Whether the answer counts in the loss; it does where this is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_with_loss: Option<bool>,
    /// All other fields, such as `need_eos_token`.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

const TURN: Shape = Shape::Object(&[
    Field::optional("system", Shape::Text),
    Field::optional("input", Shape::Text),
    Field::required("output", Shape::Text),
    Field::optional("output_with_loss", Shape::Boolean),
]);

impl JsonForm for XTuner {
    const NAME: &'static str = "xtuner";
    const SHAPE: Shape =
        Shape::Object(&[ID_FIELD, Field::required("conversation", Shape::List(&TURN))]);
}

impl TryFrom<XTuner> for Conversation {
    type Error = Fault;

    fn try_from(row: XTuner) -> Result<Self, Fault> {
        let mut thread = Thread::default();
        thread.conversation.id = row.id.map(|id| id.to_string());
        thread.conversation.meta = row.extra;
        let is_pretraining = row.conversation.len() == 1;
        for (index, turn) in row.conversation.into_iter().enumerate() {
            let field = |name| format!("conversation[{index}].{name}");
            let loss_weight = turn.output_with_loss.map(|counts| if counts { 1.0 } else { 0.0 });
            let note = Note { loss_weight, reasoning: None };
            thread.system(&turn.system.unwrap_or_default());
            let answer = Message::assistant(turn.output);
            match turn.input.filter(|input| !input.is_empty()) {
                None if is_pretraining => thread.add(answer, note)?,
                input => {
                    let question = Message::user(input.unwrap_or_default());
                    thread.user(question, Note::default(), &field("input"))?;
                    thread.assistant(answer, note, &field("output"))?;
                }
            }
        }
        thread.finish("conversation")
    }
}
