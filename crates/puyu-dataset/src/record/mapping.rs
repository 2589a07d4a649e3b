//! Rows of any layout, mapped by configuration instead of code.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::engine::{describe, row_value};
use crate::fault::{Fault, FaultKind};
use crate::row::RawRow;

/// Says which fields of unknown rows are the id, the text, the title.
///
/// A path is field names and list indices with dots between: `meta.source`, `messages.0.content`.
/// A field name that itself has dots is found too, where the whole rest of the path is a key.
///
/// # Examples
///
/// ```
/// use puyu_dataset::RawRow;
/// use puyu_dataset::record::Mapping;
///
/// let mapping: Mapping = serde_json::from_str(
///     r#"{"id": "meta.url", "text": "正文", "fields": {"score": "quality.0"}}"#,
/// )
/// .expect("the mapping is JSON with known fields");
/// let row = r#"{"正文": "山高水长", "meta": {"url": "https://a.cn"}, "quality": [0.9]}"#;
/// let record = mapping.decode(RawRow::Json(row.as_bytes()))?;
/// assert_eq!(record.text, "山高水长");
/// assert_eq!(record.id.as_deref(), Some("https://a.cn"));
/// assert_eq!(record.fields["score"], 0.9);
/// # Ok::<(), puyu_dataset::Fault>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Mapping {
    /// Where the id is: a string or a whole number. `None` if rows have none.
    pub id: Option<String>,
    /// Where the text is: a string, or a list of strings that become paragraphs.
    pub text: String,
    /// Where the title is.
    pub title: Option<String>,
    /// Further fields: their name in [`MappedRecord::fields`] and where they are. Rows without
    /// them lack them in the record too.
    pub fields: std::collections::BTreeMap<String, String>,
}

impl Default for Mapping {
    /// `text`, the name most sets use, and nothing else.
    fn default() -> Self {
        Self { id: None, text: "text".to_owned(), title: None, fields: Default::default() }
    }
}

/// A row read through a [`Mapping`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MappedRecord {
    /// The id, numbers as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The text.
    pub text: String,
    /// The title.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The further fields that the row has.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub fields: Map<String, Value>,
}

impl Mapping {
    /// Reads one row.
    ///
    /// # Errors
    ///
    /// The first [`Fault`]: not JSON, a mapped id, text or title that is missing, null or of
    /// another type.
    pub fn decode(&self, row: RawRow<'_>) -> Result<MappedRecord, Fault> {
        let value = row_value(row)?;
        let id = self.id.as_deref().map(|path| id(&value, path)).transpose()?;
        let text = text(&value, &self.text)?;
        let title = self.title.as_deref().map(|path| self::text(&value, path)).transpose()?;
        let found =
            |(name, path): (&String, &String)| Some((name.clone(), look_up(&value, path)?.clone()));
        Ok(MappedRecord { id, text, title, fields: self.fields.iter().filter_map(found).collect() })
    }
}

fn look_up<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    if let Some(found) = step(value, path) {
        return Some(found);
    }
    let (first, rest) = path.split_once('.')?;
    look_up(step(value, first)?, rest)
}

fn step<'a>(value: &'a Value, key: &str) -> Option<&'a Value> {
    match value {
        Value::Object(map) => map.get(key),
        Value::Array(list) => list.get(key.parse::<usize>().ok()?),
        _ => None,
    }
}

fn fault(path: &str, expected: &str, found: Option<&Value>) -> Fault {
    match found {
        None => Fault::field(FaultKind::Missing, path, expected, "no such field"),
        Some(Value::Null) => Fault::field(FaultKind::Null, path, expected, "null"),
        Some(value) => Fault::field(FaultKind::Type, path, expected, describe(value)),
    }
}

fn id(value: &Value, path: &str) -> Result<String, Fault> {
    match look_up(value, path) {
        Some(Value::String(id)) => Ok(id.clone()),
        Some(Value::Number(id)) if !id.is_f64() => Ok(id.to_string()),
        other => Err(fault(path, "a string or a whole number", other)),
    }
}

fn text(value: &Value, path: &str) -> Result<String, Fault> {
    let found = look_up(value, path);
    let paragraphs = match found {
        Some(Value::String(text)) => return Ok(text.clone()),
        Some(Value::Array(list)) => list.iter().map(Value::as_str).collect::<Option<Vec<_>>>(),
        _ => None,
    };
    match paragraphs {
        Some(paragraphs) => Ok(paragraphs.join("\n")),
        None => Err(fault(path, "a string or a list of strings", found)),
    }
}
