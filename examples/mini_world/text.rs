//! Text of the world: languages, templates, careless spelling, and InternLM2's chat form.

use puyu_core::Role;

use super::random::Rng;

/// Opens a document.
pub const BEGIN_OF_TEXT: &str = "<s>";
/// Opens a turn; the role and a line break follow.
pub const TURN_START: &str = "<|im_start|>";
/// Closes a turn. The model stops here.
pub const TURN_END: &str = "<|im_end|>";
/// Opens a tool call inside an assistant turn.
pub const ACTION_START: &str = "<|action_start|>";
/// Closes a tool call.
pub const ACTION_END: &str = "<|action_end|>";
/// Names the plugin channel: tools described as JSON.
pub const PLUGIN: &str = "<|plugin|>";
/// Names the interpreter channel. Reserved: this world writes no code.
pub const INTERPRETER: &str = "<|interpreter|>";

/// A language of the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Language {
    /// English.
    English,
    /// Simplified Chinese.
    Chinese,
}

impl Language {
    /// Both languages, in the order of every bilingual pair of this world.
    pub const ALL: [Self; 2] = [Self::English, Self::Chinese];

    /// The other language.
    pub fn other(self) -> Self {
        match self {
            Self::English => Self::Chinese,
            Self::Chinese => Self::English,
        }
    }

    /// The half of a bilingual pair, English first, that is in this language.
    pub(super) fn of<T>(self, english: T, chinese: T) -> T {
        match self {
            Self::English => english,
            Self::Chinese => chinese,
        }
    }
}

/// One message of a conversation.
///
/// The text of an assistant turn may hold the tool-call tokens literally; no other text may.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turn {
    /// Who speaks.
    pub role: Role,
    /// The channel, such as [`PLUGIN`], on system and environment turns about tools.
    pub name: Option<&'static str>,
    /// What is said.
    pub text: String,
}

impl Turn {
    /// A turn of the system, the user or the assistant.
    pub fn new(role: Role, text: impl Into<String>) -> Self {
        Self { role, name: None, text: text.into() }
    }

    /// A turn on the plugin channel: the list of tools, or the result of one.
    pub fn plugin(role: Role, text: impl Into<String>) -> Self {
        Self { role, name: Some(PLUGIN), text: text.into() }
    }
}

/// A stretch of a rendered conversation that is learned as a whole or not at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// The text, with its special tokens. Encoding it alone or in its place gives the same ids.
    pub text: String,
    /// Whether the model is trained to produce it: what the assistant says, with [`TURN_END`].
    pub is_learned: bool,
}

/// Cuts a conversation into what is read and what is learned. Their concatenation is [`render`].
pub fn segments(turns: &[Turn]) -> Vec<Segment> {
    let mut segments = Vec::new();
    let mut read = String::from(BEGIN_OF_TEXT);
    for turn in turns {
        read.push_str(&header(turn.role, turn.name));
        if turn.role == Role::Assistant {
            let text = std::mem::take(&mut read);
            segments.push(Segment { text, is_learned: false });
            let text = format!("{}{TURN_END}", turn.text);
            segments.push(Segment { text, is_learned: true });
        } else {
            read.push_str(&turn.text);
            read.push_str(TURN_END);
        }
        read.push('\n');
    }
    segments.push(Segment { text: read, is_learned: false });
    segments
}

/// Writes a conversation as InternLM2 reads it, from `<s>` to the line break after the last turn.
///
/// # Source
///
/// InternLM, `chat/chat_format.md`.
pub fn render(turns: &[Turn]) -> String {
    segments(turns).into_iter().map(|segment| segment.text).collect()
}

/// Writes a conversation and opens the assistant's turn, so that the model answers.
pub fn render_prompt(turns: &[Turn]) -> String {
    render(turns) + &header(Role::Assistant, None)
}

/// Opens a turn. InternLM2 has no role of its own for tools: their results come from the
/// environment.
fn header(role: Role, name: Option<&str>) -> String {
    let role = match role {
        Role::System => "system",
        Role::User => "user",
        Role::Assistant => "assistant",
        Role::Tool | Role::Environment => "environment",
    };
    match name {
        Some(name) => format!("{TURN_START}{role} name={name}\n"),
        None => format!("{TURN_START}{role}\n"),
    }
}

/// Replaces every `{key}` of a template by its value.
pub(super) fn fill(template: &str, values: &[(&str, &str)]) -> String {
    let mut text = String::with_capacity(template.len() + 16);
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let (key, after) = after.split_once('}').expect("templates close their braces");
        let value = values.iter().find(|(name, _)| *name == key).map(|(_, value)| *value);
        text.push_str(before);
        text.push_str(value.expect("templates name only the values they are given"));
        rest = after;
    }
    text.push_str(rest);
    text
}

/// Makes the first letter a capital where the script has capitals.
pub(super) fn capitalize(mut text: String) -> String {
    if let Some(first) = text.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    text
}

/// Opens a question with a word of greeting, now and then.
pub(super) fn polite(question: String, language: Language, rng: &mut Rng) -> String {
    if !rng.chance(10) {
        return question;
    }
    format!("{}{question}", rng.phrase(language.of(ENGLISH_OPENINGS, CHINESE_OPENINGS)))
}

/// Says a question the way hurried people type: no capitals, no full stop.
pub(super) fn casual(mut question: String, rng: &mut Rng) -> String {
    if rng.chance(12) {
        question.make_ascii_lowercase();
    }
    match rng.below(100) {
        0..15 => unpunctuated(question),
        15..22 => question.replace('？', "?"),
        _ => question,
    }
}

/// Drops the mark at the end.
pub(super) fn unpunctuated(mut question: String) -> String {
    question.truncate(question.trim_end_matches(['?', '.', '!', '？', '。', '！', ' ']).len());
    question
}

const ENGLISH_OPENINGS: &[&str] = &[
    "Hi! ",
    "Hey, ",
    "Hello! ",
    "Question: ",
    "Please tell me: ",
    "I want to know: ",
    "Please answer: ",
    "One more question: ",
];
const CHINESE_OPENINGS: &[&str] = &[
    "请问，",
    "你好，",
    "问题：",
    "请告诉我，",
    "我想知道，",
    "请回答：",
    "再问一下，",
    "你知道吗，",
];
