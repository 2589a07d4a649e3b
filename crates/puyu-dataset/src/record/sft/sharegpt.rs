//! ShareGPT: turns with `from` and `value`, as FastChat, LLaVA and LLaMA-Factory use them.

use puyu_core::{ContentPart, Message, Role};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Conversation, ID_FIELD, Note, RowId, Thread, tools, value_fault};
use crate::fault::{Fault, excerpt};
use crate::record::engine::{Field, JsonForm, Shape, objects};

/// A row of the ShareGPT form.
///
/// In LLaVA's rows `image` (or `images`) names pictures, for which `<image>` stands in the turns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ShareGpt {
    /// Names the row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<RowId>,
    /// The turns.
    #[serde(deserialize_with = "objects")]
    pub conversations: Vec<ShareTurn>,
    /// The system message, if it is not a turn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system: Option<String>,
    /// The functions: a list, or a string that holds one in JSON.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub tools: Value,
    /// LLaVA's pictures: one path or a list.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub image: Value,
    /// LLaMA-Factory's pictures: a list of paths.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub images: Value,
    /// All other fields.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// One turn.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ShareTurn {
    /// Who speaks: `human`, `gpt`, `system`, `function_call`, `observation`, or a role's name.
    pub from: String,
    /// What is said.
    pub value: String,
    /// How much the turn counts in the loss.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<f32>,
}

pub(super) const TURN: Shape = Shape::Object(&[
    Field::required("from", Shape::Text),
    Field::required("value", Shape::Text),
    Field::optional("weight", Shape::Number),
]);

const PATHS: Shape = Shape::Either(&[Shape::Text, Shape::List(&Shape::Text)]);

impl JsonForm for ShareGpt {
    const NAME: &'static str = "sharegpt";
    const SHAPE: Shape = Shape::Object(&[
        ID_FIELD,
        Field::required("conversations", Shape::List(&TURN)),
        Field::optional("system", Shape::Text),
        Field::optional("image", PATHS),
        Field::optional("images", PATHS),
    ]);
}

impl ShareGpt {
    /// The paths of the pictures.
    pub fn pictures(&self) -> Vec<&str> {
        [&self.image, &self.images]
            .into_iter()
            .flat_map(|value| match value {
                Value::Array(list) => list.as_slice(),
                one => std::slice::from_ref(one),
            })
            .filter_map(Value::as_str)
            .collect()
    }
}

impl TryFrom<ShareGpt> for Conversation {
    type Error = Fault;

    fn try_from(row: ShareGpt) -> Result<Self, Fault> {
        let mut thread = Thread::default();
        thread.conversation.tools = tools::definitions(&row.tools, "tools")?;
        thread.system(row.system.as_deref().unwrap_or_default());
        add_turns(&mut thread, &row.conversations, &mut Pictures::new(row.pictures()))?;
        thread.conversation.id = row.id.map(|id| id.to_string());
        thread.conversation.meta = row.extra;
        thread.finish("conversations")
    }
}

/// The pictures of a row, handed out at each `<image>`.
pub(super) struct Pictures<'a> {
    paths: Vec<&'a str>,
    used: usize,
    n_marks: usize,
}

impl<'a> Pictures<'a> {
    pub(super) fn new(paths: Vec<&'a str>) -> Self {
        Self { paths, used: 0, n_marks: 0 }
    }

    /// Without pictures `<image>` is just text.
    fn parts(&mut self, text: &str) -> Vec<ContentPart> {
        if self.paths.is_empty() || !text.contains(MARK) {
            return vec![ContentPart::text(text)];
        }
        let mut parts = Vec::new();
        for (index, piece) in text.split(MARK).enumerate() {
            if index > 0 {
                self.n_marks += 1;
                if let Some(path) = self.paths.get(self.used) {
                    self.used += 1;
                    parts.push(ContentPart::image_url(*path));
                }
            }
            if !piece.is_empty() {
                parts.push(ContentPart::text(piece));
            }
        }
        parts
    }

    fn finish(&self) -> Result<(), Fault> {
        if self.paths.len() == self.n_marks {
            return Ok(());
        }
        let expected = format!("{} times `{MARK}`, one per picture", self.paths.len());
        Err(value_fault("conversations", &expected, format!("{} times", self.n_marks)))
    }
}

const MARK: &str = "<image>";

/// Adds turns, and checks that each picture has its place.
pub(super) fn add_turns(
    thread: &mut Thread,
    turns: &[ShareTurn],
    pictures: &mut Pictures<'_>,
) -> Result<(), Fault> {
    for (index, turn) in turns.iter().enumerate() {
        add_turn(thread, turn, pictures, &format!("conversations[{index}]"))?;
    }
    pictures.finish()
}

fn add_turn(
    thread: &mut Thread,
    turn: &ShareTurn,
    pictures: &mut Pictures<'_>,
    field: &str,
) -> Result<(), Fault> {
    let note = Note { loss_weight: turn.weight, reasoning: None };
    let from = format!("{field}.from");
    match turn.from.as_str() {
        "system" => {
            thread.system(&turn.value);
            Ok(())
        }
        "human" | "user" => {
            let message = Message::from_parts(Role::User, pictures.parts(&turn.value));
            thread.user(message, note, &from)
        }
        "gpt" | "assistant" | "chatgpt" | "bing" | "bard" | "model" => {
            let message = Message::from_parts(Role::Assistant, pictures.parts(&turn.value));
            thread.assistant(message, note, &from)
        }
        "function_call" | "function" => {
            let field = format!("{field}.value");
            let calls = tools::calls(&turn.value, thread.n_calls(), &field)?;
            let message = Message::from_parts(Role::Assistant, Vec::new()).with_tool_calls(calls);
            thread.assistant(message, note, &from)
        }
        "observation" | "tool" => thread.answer_all(&turn.value, note, &from),
        other => {
            let expected = "human, gpt, system, function_call or observation";
            Err(value_fault(from, expected, format!("the string \"{}\"", excerpt(other))))
        }
    }
}
