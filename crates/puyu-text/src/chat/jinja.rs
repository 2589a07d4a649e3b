//! Chat templates in the language of Hugging Face, run within limits: they come from files that
//! somebody else wrote.
//!
//! Source: `apply_chat_template` in Transformers, `utils/chat_template_utils.py`.

mod environment;

use std::io;
use std::path::Path;
use std::sync::Arc;

use minijinja::value::Serde;
use minijinja::{Environment, ErrorKind};
use puyu_core::{Message, Role};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::guard::Guard;
use super::{ChatOptions, Ending, SystemText};
use crate::error::{ChatError, TextError};
use crate::read::{read_if_exists, read_json};
use crate::tokenizer::{Segments, Tokenizer};
use environment::{FUEL, NoTime, Refusal, strftime_now};

/// The longest released templates have 30 thousand bytes.
const MAX_TEMPLATE_BYTES: usize = 256 << 10;

/// As much as a tokenizer accepts in one call.
const MAX_OUTPUT_BYTES: usize = 64 << 20;

/// Marks at which answers end in templates of the wider family.
const END_MARKS: [&str; 6] =
    ["<|im_end|>", "<|action_end|>", "<eoa>", "<|eot_id|>", "<|end|>", "<end_of_turn>"];

/// A compiled chat template. Cheap to clone.
///
/// # Examples
///
/// ```
/// use puyu_core::Message;
/// use puyu_text::{ChatOptions, JinjaTemplate};
///
/// let template = JinjaTemplate::new("{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}")?;
/// let prompt = template.render(&[Message::user("你好")], &ChatOptions::default())?;
/// assert_eq!(prompt, "user: 你好\n");
/// # Ok::<(), puyu_text::ChatError>(())
/// ```
#[derive(Debug, Clone)]
pub struct JinjaTemplate {
    environment: Arc<Environment<'static>>,
    /// The sources, one after the other.
    source: Arc<str>,
    has_tool_use: bool,
    tokens: RoleTexts,
}

/// The special tokens that templates name.
#[derive(Debug, Clone, Default)]
struct RoleTexts {
    bos: Option<String>,
    eos: Option<String>,
    unk: Option<String>,
    pad: Option<String>,
}

/// The one field of `tokenizer_config.json` that matters here.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct WireTemplates {
    chat_template: Option<WireTemplate>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum WireTemplate {
    One(String),
    Named(Vec<WireNamedTemplate>),
}

#[derive(Debug, Deserialize)]
struct WireNamedTemplate {
    name: String,
    template: String,
}

impl JinjaTemplate {
    /// Compiles a template.
    ///
    /// # Errors
    ///
    /// [`ChatError::TemplateTooLarge`] above 256 KiB, [`ChatError::Compile`].
    pub fn new(source: &str) -> Result<Self, ChatError> {
        Self::compile(source, None)
    }

    /// Compiles the template of a model folder: `chat_template.jinja`, or else what
    /// `tokenizer_config.json` holds. Nothing if the folder has neither.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new), and [`ChatError::Text`] for files that cannot be read.
    pub fn from_folder(
        folder: impl AsRef<Path>,
        tokenizer: &Tokenizer,
    ) -> Result<Option<Self>, ChatError> {
        let folder = folder.as_ref();
        let file = folder.join("chat_template.jinja");
        if let Some(bytes) = read_if_exists(&file, MAX_TEMPLATE_BYTES as u64)? {
            let source = String::from_utf8(bytes).map_err(|error| TextError::Read {
                path: file,
                source: io::Error::new(io::ErrorKind::InvalidData, error),
            })?;
            return Ok(Some(Self::new(&source)?.with_tokens_of(tokenizer)));
        }
        let config: Option<WireTemplates> = read_json(&folder.join("tokenizer_config.json"))?;
        let template = match config.unwrap_or_default().chat_template {
            None => return Ok(None),
            Some(WireTemplate::One(source)) => Self::new(&source)?,
            Some(WireTemplate::Named(templates)) => {
                let named = |name: &str| {
                    let found = templates.iter().find(|template| template.name == name);
                    found.map(|template| template.template.as_str())
                };
                let Some(default) = named("default") else { return Ok(None) };
                Self::compile(default, named("tool_use"))?
            }
        };
        Ok(Some(template.with_tokens_of(tokenizer)))
    }

    /// Gives the template the texts of `bos_token`, `eos_token`, `unk_token` and `pad_token`.
    #[must_use]
    pub fn with_tokens_of(mut self, tokenizer: &Tokenizer) -> Self {
        let text = |id: Option<u32>| {
            let id = id?;
            tokenizer.special_name(id).map(str::to_owned).or_else(|| tokenizer.id_to_piece(id))
        };
        self.tokens = RoleTexts {
            bos: text(tokenizer.bos_id()),
            eos: text(tokenizer.eos_id()),
            unk: text(tokenizer.unk_id()),
            pad: text(tokenizer.pad_id()),
        };
        self
    }

    fn compile(default: &str, tool_use: Option<&str>) -> Result<Self, ChatError> {
        let mut environment = environment::new();
        let named = [("default", Some(default)), ("tool_use", tool_use)];
        for (name, source) in named {
            let Some(source) = source else { continue };
            if source.len() > MAX_TEMPLATE_BYTES {
                let (bytes, limit) = (source.len(), MAX_TEMPLATE_BYTES);
                return Err(ChatError::TemplateTooLarge { bytes, limit });
            }
            environment
                .add_template_owned(name, environment::without_generation_blocks(source))
                .map_err(|error| ChatError::Compile(Box::new(error)))?;
        }
        Ok(Self {
            environment: Arc::new(environment),
            source: [default, tool_use.unwrap_or_default()].concat().into(),
            has_tool_use: tool_use.is_some(),
            tokens: RoleTexts::default(),
        })
    }

    /// Writes the prompt as text.
    ///
    /// # Errors
    ///
    /// [`ChatError::Render`], [`ChatError::Refused`], [`ChatError::OutOfFuel`],
    /// [`ChatError::OutputTooLarge`], [`ChatError::NoTime`].
    pub fn render(&self, messages: &[Message], options: &ChatOptions) -> Result<String, ChatError> {
        self.run(Values::new(messages, options)?, options)
    }

    /// Writes the prompt so that special tokens in messages can be told from its own.
    pub(super) fn segments(
        &self,
        tokenizer: &Tokenizer,
        messages: &[Message],
        options: &ChatOptions,
    ) -> Result<Segments, ChatError> {
        let mut values = Values::new(messages, options)?;
        let all = [&values.messages, &values.tools, &values.variables];
        let guard = Guard::new(tokenizer.added(), &self.source, &all)?;
        guard.protect(&mut values.messages);
        guard.protect(&mut values.tools);
        guard.protect(&mut values.variables);
        Ok(guard.segments(&self.run(values, options)?))
    }

    pub(super) fn stop_strings(&self) -> Vec<&str> {
        let marks = END_MARKS.into_iter().filter(|mark| self.source.contains(mark));
        marks.chain(self.tokens.eos.as_deref()).collect()
    }

    fn run(&self, values: Values, options: &ChatOptions) -> Result<String, ChatError> {
        let name = match &values.tools {
            Value::Array(_) if self.has_tool_use => "tool_use",
            _ => "default",
        };
        let mut variables = match values.variables {
            Value::Object(variables) => variables,
            _ => Map::new(),
        };
        variables.insert("messages".to_owned(), values.messages);
        variables.insert("tools".to_owned(), values.tools);
        let asks = options.ending == Ending::Answer;
        variables.insert("add_generation_prompt".to_owned(), asks.into());
        let RoleTexts { bos, eos, unk, pad } = &self.tokens;
        for (name, text) in
            [("bos_token", bos), ("eos_token", eos), ("unk_token", unk), ("pad_token", pad)]
        {
            if let Some(text) = text {
                variables.insert(name.to_owned(), text.as_str().into());
            }
        }
        let context = variables
            .into_iter()
            .map(|(name, value)| (name, minijinja::Value::from(Serde(value))))
            .chain([("strftime_now".to_owned(), strftime_now(options.now))]);
        let context = minijinja::Value::from_pairs(context);
        environment::with_deep_stack(|| self.write(name, context))
            .map_err(ChatError::NoThread)
            .flatten()
    }

    fn write(&self, name: &str, context: minijinja::Value) -> Result<String, ChatError> {
        let mut output = Output { bytes: Vec::new(), is_full: false };
        let result = self
            .environment
            .get_template(name)
            .and_then(|template| template.render_captured_to(context, &mut output).map(drop));
        match result {
            Ok(()) => Ok(String::from_utf8_lossy(&output.bytes).into_owned()),
            Err(_) if output.is_full => Err(ChatError::OutputTooLarge { limit: MAX_OUTPUT_BYTES }),
            Err(error) => Err(explain(error)),
        }
    }
}

/// What a template sees, as far as it was written by somebody else.
struct Values {
    messages: Value,
    tools: Value,
    variables: Value,
}

impl Values {
    fn new(messages: &[Message], options: &ChatOptions) -> Result<Self, ChatError> {
        let mut list = Vec::with_capacity(messages.len() + 1);
        let has_system = messages.first().is_some_and(|first| first.role == Role::System);
        if let SystemText::Text(text) = &options.system
            && !has_system
        {
            list.push(json!({ "role": "system", "content": text }));
        }
        for message in messages {
            list.push(message_value(message)?);
        }
        let tools = match options.tools.as_slice() {
            // Transformers gives templates `None`, not an empty list.
            [] => Value::Null,
            tools => serde_json::to_value(tools).map_err(ChatError::Values)?,
        };
        let variables = Value::Object(options.variables.clone());
        Ok(Self { messages: Value::Array(list), tools, variables })
    }
}

/// A message as templates expect it: text as one string, arguments as an object.
fn message_value(message: &Message) -> Result<Value, ChatError> {
    let mut value = serde_json::to_value(message).map_err(ChatError::Values)?;
    if message.is_text_only() {
        value["content"] = message.text().into();
    }
    let calls = value.get_mut("tool_calls").and_then(Value::as_array_mut);
    for call in calls.into_iter().flatten() {
        let Some(arguments) = call.pointer_mut("/function/arguments") else { continue };
        let parsed = arguments.as_str().and_then(|text| serde_json::from_str(text).ok());
        if let Some(parsed @ Value::Object(_)) = parsed {
            *arguments = parsed;
        }
    }
    Ok(value)
}

/// Collects the output up to the limit.
struct Output {
    bytes: Vec<u8>,
    is_full: bool,
}

impl io::Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + bytes.len() > MAX_OUTPUT_BYTES {
            self.is_full = true;
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn explain(error: minijinja::Error) -> ChatError {
    // An error inside of a macro or a loop is wrapped in others.
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(&error);
    while let Some(inner) = cause {
        if let Some(Refusal(message)) = inner.downcast_ref() {
            return ChatError::Refused { message: message.clone() };
        }
        if inner.is::<NoTime>() {
            return ChatError::NoTime;
        }
        let kind = inner.downcast_ref::<minijinja::Error>().map(minijinja::Error::kind);
        if kind == Some(ErrorKind::OutOfFuel) {
            return ChatError::OutOfFuel { fuel: FUEL };
        }
        cause = inner.source();
    }
    ChatError::Render(Box::new(error))
}
