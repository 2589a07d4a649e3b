//! The slow second look at a JSON row that did not fit.

use serde_json::Value;

use super::shape::Shape;
use super::strict::{self, Strict};
use crate::fault::{Fault, FaultKind, excerpt};

const ONE_VALUE: &str = "one JSON value";

/// Says what is wrong with a row that could not be read as this form.
#[cold]
pub(super) fn json(bytes: &[u8], form: &str, shape: Shape) -> Fault {
    let value = match value(bytes) {
        Ok(value) => value,
        Err(fault) => return fault,
    };
    match shape.check(&value, form) {
        Err(fault) => fault,
        // A shape that is wider than its type; the type's own words are the best there are.
        Ok(()) => Fault::row(
            FaultKind::Type,
            format!("a {form} row"),
            excerpt(&String::from_utf8_lossy(bytes)),
        ),
    }
}

/// Reads a value, refusing duplicate keys.
pub(super) fn value(bytes: &[u8]) -> Result<Value, Fault> {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Err(Fault::row(FaultKind::Empty, "a JSON value", "a blank line"));
    }
    let text = std::str::from_utf8(bytes).map_err(|error| not_utf8(bytes, error))?;
    match strict::parse(text) {
        Ok(Strict { value, duplicate: None }) => Ok(value),
        Ok(Strict { duplicate: Some(path), .. }) => {
            Err(Fault::field(FaultKind::DuplicateKey, path, "each key once", "the key twice"))
        }
        Err(error) => Err(not_json(text, &error)),
    }
}

fn not_utf8(bytes: &[u8], error: std::str::Utf8Error) -> Fault {
    let at = error.valid_up_to();
    let len = error.error_len().unwrap_or(bytes.len() - at).min(4);
    let found: Vec<_> = bytes[at..][..len].iter().map(|byte| format!("{byte:02x}")).collect();
    Fault::row(FaultKind::Utf8, "UTF-8", format!("the bytes {} at byte {at}", found.join(" ")))
}

/// serde_json keeps its error codes to itself, so the kind is read from its words; the tests hold
/// one case of each.
fn not_json(text: &str, error: &serde_json::Error) -> Fault {
    let message = error.to_string();
    let (what, _) = message.rsplit_once(" at line ").unwrap_or((&message, ""));
    let at = byte_of(text, error);
    let found = match text.get(at.saturating_sub(1)..) {
        Some(rest) if !rest.is_empty() && !error.is_eof() => {
            format!("{what} at byte {at}: {}", excerpt(rest))
        }
        _ => format!("{what} at byte {at}"),
    };
    let has = |part| what.contains(part);
    if has("recursion limit") {
        return Fault::row(FaultKind::Depth, "at most 128 nested values", what);
    }
    if has("surrogate") || has("unexpected end of hex escape") {
        return Fault::row(FaultKind::Unicode, "escaped surrogates in pairs", found);
    }
    Fault::row(FaultKind::Json, ONE_VALUE, found)
}

/// serde_json counts lines and columns; a row rarely has more than one line.
fn byte_of(text: &str, error: &serde_json::Error) -> usize {
    let before: usize =
        text.split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len).sum();
    (before + error.column()).min(text.len())
}
