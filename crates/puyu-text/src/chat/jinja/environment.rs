//! The functions, filters and limits of chat templates.

use std::{io, thread};

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Kwargs, ValueKind};
use minijinja::{AutoEscape, Environment, Error, ErrorKind, Value};

use crate::chat::calendar::CalendarTime;
use crate::chat::python_json::{Layout, dump_with};

/// Work that one prompt may cost. A unit is an instruction or 64 bytes of new text, so this allows a
/// conversation of some hundred thousand messages, and some 256 MiB of memory.
pub(super) const FUEL: u64 = 4_000_000;

/// Nesting of macros and blocks; released templates nest fewer than ten.
const RECURSION: usize = 100;

/// Stack for one prompt. A list that a loop wraps in a list again and again is taken down by a
/// recursion as deep as it is; fuel bounds the depth, and this holds it. Only what is touched is
/// ever backed by memory.
const STACK_BYTES: usize = 256 << 20;

/// Lists within lists that `tojson` follows, as many as the reader of JSON does.
const MAX_JSON_DEPTH: usize = 128;

/// Widest indentation of `tojson`.
const MAX_INDENT: usize = 16;

/// What `raise_exception` said.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Refusal(pub(super) String);

/// `strftime_now` was called, but nobody gave the time.
#[derive(Debug, thiserror::Error)]
#[error("no time was given")]
pub(super) struct NoTime;

/// An environment as Transformers sets it up.
pub(super) fn new() -> Environment<'static> {
    let mut environment = Environment::new();
    let mut syntax = SyntaxConfig::builder();
    syntax.trim_blocks(true).lstrip_blocks(true);
    environment.set_syntax(syntax.build().expect("the default delimiters are valid"));
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    environment.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
    environment.set_fuel(Some(FUEL));
    environment.set_recursion_limit(RECURSION);
    // Errors would otherwise carry the template's variables away from the deep stack.
    environment.set_debug(false);
    environment.add_function("raise_exception", raise_exception);
    environment.add_filter("tojson", to_json);
    environment
}

/// Runs `work` on a thread of its own with a stack for deeply nested values.
///
/// # Errors
///
/// If the system grants no thread.
pub(super) fn with_deep_stack<T: Send>(work: impl FnOnce() -> T + Send) -> io::Result<T> {
    thread::scope(|scope| {
        let worker = thread::Builder::new()
            .name("chat-template".to_owned())
            .stack_size(STACK_BYTES)
            .spawn_scoped(scope, work)?;
        // A panic is a bug of ours or of the library: it goes on where it would have been.
        Ok(worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    })
}

fn raise_exception(message: String) -> Result<String, Error> {
    let refused = "the template refuses the messages";
    Err(Error::new(ErrorKind::InvalidOperation, refused).with_source(Refusal(message)))
}

/// The function `strftime_now` for a time that the caller gave.
pub(super) fn strftime_now(now: Option<CalendarTime>) -> Value {
    Value::from_function(move |pattern: String| match now {
        Some(now) => Ok(now.format(&pattern)),
        None => {
            let missing = "the template asks for the time";
            Err(Error::new(ErrorKind::InvalidOperation, missing).with_source(NoTime))
        }
    })
}

/// `json.dumps` with the arguments that Transformers gives it, HTML left alone.
fn to_json(value: &Value, kwargs: Kwargs) -> Result<String, Error> {
    let indent: Option<usize> = kwargs.get("indent")?;
    let separators: Option<Vec<String>> = kwargs.get("separators")?;
    let escapes_unicode: Option<bool> = kwargs.get("ensure_ascii")?;
    let sorts_keys: Option<bool> = kwargs.get("sort_keys")?;
    kwargs.assert_all_used()?;

    let mut layout =
        Layout { indent: indent.map(|indent| indent.min(MAX_INDENT)), ..Layout::default() };
    layout.escapes_unicode = escapes_unicode.unwrap_or(false);
    if layout.indent.is_some() {
        layout.item_separator = ",".to_owned();
    }
    if let Some([item, key]) = separators.as_deref() {
        layout.item_separator.clone_from(item);
        layout.key_separator.clone_from(key);
    }
    let mut json = json_value(value, MAX_JSON_DEPTH)?;
    if sorts_keys.unwrap_or(false) {
        json.sort_all_objects();
    }
    Ok(dump_with(&json, layout))
}

/// Turns a template's value into JSON without following it deeper than `depth`: the library's own
/// conversion would follow a list that holds itself many thousand times until the stack is full.
fn json_value(value: &Value, depth: usize) -> Result<serde_json::Value, Error> {
    let failed = |detail| Error::new(ErrorKind::BadSerialization, detail);
    let Some(depth) = depth.checked_sub(1) else {
        return Err(failed("value is nested too deeply for tojson"));
    };
    match value.kind() {
        ValueKind::Undefined | ValueKind::None => Ok(serde_json::Value::Null),
        ValueKind::Seq | ValueKind::Iterable => {
            value.try_iter()?.map(|item| json_value(&item, depth)).collect()
        }
        ValueKind::Map => {
            let mut map = serde_json::Map::new();
            for key in value.try_iter()? {
                let item = json_value(&value.get_item(&key)?, depth)?;
                let key = key.as_str().map_or_else(|| key.to_string(), str::to_owned);
                map.insert(key, item);
            }
            Ok(serde_json::Value::Object(map))
        }
        ValueKind::Bool | ValueKind::Number | ValueKind::String => serde_json::to_value(value)
            .map_err(|error| failed("value has no JSON form").with_source(error)),
        _ => Err(failed("value has no JSON form")),
    }
}

/// Replaces the blocks `{% generation %}`, with which Transformers marks what to train on and which
/// say nothing about the text, by blocks that are always taken.
pub(super) fn without_generation_blocks(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(start) = rest.find("{%") {
        let (before, tag) = rest.split_at(start + 2);
        out.push_str(before);
        let lead = tag.len() - tag.trim_start_matches(['-', '+']).trim_start().len();
        let name_len = tag[lead..].find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let (name, after) = tag[lead..].split_at(name_len.unwrap_or(tag.len() - lead));
        let replacement = match name {
            "generation" => "if true",
            "endgeneration" => "endif",
            other => other,
        };
        out.push_str(&tag[..lead]);
        out.push_str(replacement);
        rest = after;
    }
    out.push_str(rest);
    out
}
