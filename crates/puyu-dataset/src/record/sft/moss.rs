//! MOSS: turns with inner thoughts, commands to plugins and their results.

use puyu_core::{Message, Role, ToolCall, ToolDefinition};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{Conversation, Note, RowId, Thread, call, value_fault};
use crate::fault::Fault;
use crate::record::engine::{Field, JsonForm, Shape, describe};

/// A conversation as MOSS publishes it, with plugins or without.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Moss {
    /// Names the conversation: a number in some files, a string in others.
    pub conversation_id: RowId,
    /// The system message, which also says which plugins are on.
    pub meta_instruction: String,
    /// How many turns there are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub num_turns: Option<u64>,
    /// `turn_1`, `turn_2`, … each with five texts; see [`turns`](Self::turns).
    pub chat: Map<String, Value>,
    /// All other fields, such as `category`.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// The five texts of a turn, between their markers (`<|Human|>: …<eoh>`), without them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MossTurn {
    /// What the person says.
    pub human: String,
    /// What MOSS thinks; `None` where the set says `None`.
    pub thoughts: Option<String>,
    /// Calls of plugins, such as `Search("北京 GDP"), Calculate("1+1")`.
    pub commands: Option<String>,
    /// What the plugins gave.
    pub results: Option<String>,
    /// What MOSS says.
    pub moss: String,
}

impl JsonForm for Moss {
    const NAME: &'static str = "moss";
    const SHAPE: Shape = Shape::Object(&[
        Field::required("conversation_id", super::ID),
        Field::required("meta_instruction", Shape::Text),
        Field::optional("num_turns", Shape::Count),
        Field::required("chat", Shape::Map(&Shape::Map(&Shape::Text))),
    ]);

    fn check(&self) -> Result<(), Fault> {
        let n_turns = self.chat.len() as u64;
        match self.num_turns {
            Some(number) if number != n_turns => Err(value_fault(
                "num_turns",
                &format!("{n_turns}, the number of turns in `chat`"),
                format!("the number {number}"),
            )),
            _ => self.turns().map(|_| ()),
        }
    }
}

impl Moss {
    /// The turns, by their number.
    ///
    /// # Errors
    ///
    /// A [`Fault`] of kind value: a turn that is missing, or a text without its markers.
    pub fn turns(&self) -> Result<Vec<MossTurn>, Fault> {
        (1..=self.chat.len())
            .map(|number| {
                let field = format!("chat.turn_{number}");
                match self.chat.get(&format!("turn_{number}")) {
                    Some(turn) => read_turn(turn, &field),
                    None => Err(value_fault(field, "turns without a gap", "no such turn")),
                }
            })
            .collect()
    }

    /// The plugins that the meta instruction says are on, such as `API: Search(query)`.
    pub fn tools(&self) -> Vec<ToolDefinition> {
        self.meta_instruction.lines().filter_map(api).collect()
    }
}

/// Reads `- Calculator: enabled. API: Calculate(expression)`.
fn api(line: &str) -> Option<ToolDefinition> {
    let (about, signature) = line.split_once(" enabled. API: ")?;
    let (name, rest) = signature.split_once('(')?;
    let (parameters, _) = rest.split_once(')')?;
    let names: Vec<_> = parameters.split(',').map(str::trim).filter(|n| !n.is_empty()).collect();
    let properties: Map<String, Value> =
        names.iter().map(|name| ((*name).to_owned(), json!({ "type": "string" }))).collect();
    let schema = json!({ "type": "object", "properties": properties, "required": names });
    let about = about.trim_start_matches("- ").trim_end_matches(':');
    Some(ToolDefinition::new(name.trim(), about, schema))
}

fn read_turn(turn: &Value, field: &str) -> Result<MossTurn, Fault> {
    let text = |key: &str, open: &str, close: &str| {
        let field = format!("{field}.{key}");
        let wire = turn.get(key).and_then(Value::as_str);
        let Some(wire) = wire else {
            return Err(value_fault(field, "a string", describe(&turn[key])));
        };
        let inner = wire.trim().strip_prefix(open).and_then(|rest| rest.strip_suffix(close));
        let inner = inner.map(|inner| inner.strip_prefix(':').unwrap_or(inner).trim().to_owned());
        inner.ok_or_else(|| {
            let found = format!("the string \"{}\"", crate::fault::excerpt(wire));
            value_fault(field, &format!("a text between `{open}` and `{close}`"), found)
        })
    };
    let optional = |key: &str, open: &str, close: &str| match turn.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(_) => Ok(Some(text(key, open, close)?).filter(|t| !t.is_empty() && t != "None")),
    };
    Ok(MossTurn {
        human: text("Human", "<|Human|>", "<eoh>")?,
        thoughts: optional("Inner Thoughts", "<|Inner Thoughts|>", "<eot>")?,
        commands: optional("Commands", "<|Commands|>", "<eoc>")?,
        results: optional("Tool Responses", "<|Results|>", "<eor>")?,
        moss: text("MOSS", "<|MOSS|>", "<eom>")?,
    })
}

impl TryFrom<Moss> for Conversation {
    type Error = Fault;

    fn try_from(row: Moss) -> Result<Self, Fault> {
        let mut thread = Thread::default();
        thread.conversation.id = Some(row.conversation_id.to_string());
        thread.conversation.tools = row.tools();
        thread.system(&row.meta_instruction);
        for (index, turn) in row.turns()?.into_iter().enumerate() {
            add_turn(&mut thread, turn, &format!("chat.turn_{}", index + 1))?;
        }
        thread.conversation.meta = row.extra;
        thread.finish("chat")
    }
}

fn add_turn(thread: &mut Thread, turn: MossTurn, field: &str) -> Result<(), Fault> {
    thread.user(Message::user(turn.human), Note::default(), field)?;
    let mut thoughts = Note { loss_weight: None, reasoning: turn.thoughts };
    if let Some(commands) = &turn.commands {
        let calls = read_calls(commands, &thread.conversation.tools, thread.n_calls());
        let message = Message::from_parts(Role::Assistant, Vec::new()).with_tool_calls(calls);
        thread.assistant(message, std::mem::take(&mut thoughts), field)?;
        let results = turn.results.unwrap_or_default();
        thread.environment(Message::environment("plugin", results), Note::default())?;
    }
    thread.assistant(Message::assistant(turn.moss), thoughts, field)
}

/// Reads `Search("北京 GDP"), Calculate("1+1")`. What is in no quotes is taken as one argument.
fn read_calls(commands: &str, tools: &[ToolDefinition], first: usize) -> Vec<ToolCall> {
    let mut calls = Vec::new();
    let mut rest = commands.trim();
    while let Some((name, inner)) = rest.split_once('(') {
        let mut strings = serde_json::Deserializer::from_str(inner).into_iter::<String>();
        let quoted = strings.next().and_then(Result::ok);
        let end = strings.byte_offset();
        let (argument, after) = match quoted {
            Some(text) if inner[end..].trim_start().starts_with(')') => {
                (text, inner[end..].trim_start().strip_prefix(')').unwrap_or_default())
            }
            _ => {
                let end = inner.rfind(')').unwrap_or(inner.len());
                (inner[..end].trim_matches(['"', '\'', ' ']).to_owned(), "")
            }
        };
        let name = name.trim();
        let arguments = json!({ parameter(tools, name): argument }).to_string();
        calls.push(call(first + calls.len(), name, arguments));
        rest = after.trim_start_matches([',', ' ', '，', '\n']);
    }
    calls
}

fn parameter(tools: &[ToolDefinition], name: &str) -> String {
    let tool = tools.iter().find(|tool| tool.function.name == name);
    let names = tool.and_then(|tool| tool.function.parameters["required"].as_array());
    match names.and_then(|names| names.first()).and_then(Value::as_str) {
        Some(name) => name.to_owned(),
        None => "input".to_owned(),
    }
}
