//! One bad row: where it is and what is wrong with it.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use serde::{Serialize, Serializer};

/// Where a row is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Location {
    /// The file, shared by all rows of it.
    #[serde(serialize_with = "as_text")]
    pub file: Arc<Path>,
    /// The row, counted from 1. In text files this is the line number an editor shows.
    pub row: u64,
    /// Where the row begins, in bytes of the (uncompressed) file; absent in columnar files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offset: Option<u64>,
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, row {}", self.file.display(), self.row)?;
        match self.offset {
            Some(offset) => write!(f, ", byte {offset}"),
            None => Ok(()),
        }
    }
}

/// The kinds of faults that a row can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FaultKind {
    /// Not JSON: cut off, two values, NaN, …
    Json,
    /// Bytes that are not UTF-8.
    Utf8,
    /// An escaped surrogate without its partner.
    Unicode,
    /// A value of another type than the form has.
    Type,
    /// A field that must be there is absent.
    Missing,
    /// A field that must have a value is null.
    Null,
    /// A value outside what the field may hold.
    Value,
    /// The same key twice in one object.
    DuplicateKey,
    /// An `id` that an earlier row has.
    DuplicateId,
    /// A blank line where blank lines count as faults.
    Empty,
    /// Values nested deeper than the limit.
    Depth,
    /// A row larger than the limit.
    Size,
    /// The file ends inside this row.
    Truncated,
    /// The container's own structure is damaged here: a page, a block, a tar header.
    Container,
    /// A picture, film or sound that cannot be decoded.
    Media,
}

impl FaultKind {
    /// The name used in reports and quarantine files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Utf8 => "utf8",
            Self::Unicode => "unicode",
            Self::Type => "type",
            Self::Missing => "missing",
            Self::Null => "null",
            Self::Value => "value",
            Self::DuplicateKey => "duplicate_key",
            Self::DuplicateId => "duplicate_id",
            Self::Empty => "empty",
            Self::Depth => "depth",
            Self::Size => "size",
            Self::Truncated => "truncated",
            Self::Container => "container",
            Self::Media => "media",
        }
    }
}

/// What is wrong with a row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// The kind, for counting.
    pub kind: FaultKind,
    /// The field, as a path: `content`, `img_list[0].width`. Absent if the whole row is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// What the form asks for.
    pub expected: String,
    /// What is there, shortened.
    pub found: String,
}

impl Fault {
    /// A fault of the whole row.
    pub fn row(kind: FaultKind, expected: impl Into<String>, found: impl Into<String>) -> Self {
        Self { kind, field: None, expected: expected.into(), found: found.into() }
    }

    /// A fault of one field.
    pub fn field(
        kind: FaultKind,
        field: impl Into<String>,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) -> Self {
        Self { field: Some(field.into()), ..Self::row(kind, expected, found) }
    }

    /// Says where this fault is.
    pub fn at(self, location: Location) -> BadRow {
        BadRow { location, fault: self }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(field) = &self.field {
            write!(f, "`{field}`: ")?;
        }
        write!(f, "expected {}, found {}", self.expected, self.found)
    }
}

impl std::error::Error for Fault {}

/// A row that cannot be read.
///
/// ```
/// use puyu_dataset::{Fault, FaultKind, Location};
/// use std::path::Path;
///
/// let location = Location { file: Path::new("诗.jsonl").into(), row: 5, offset: Some(812) };
/// let bad = Fault::field(FaultKind::Type, "content", "a string", "the number 7").at(location);
/// assert_eq!(
///     bad.to_string(),
///     "诗.jsonl, row 5, byte 812: `content`: expected a string, found the number 7"
/// );
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{location}: {fault}")]
pub struct BadRow {
    /// Where it is.
    #[serde(flatten)]
    pub location: Location,
    /// What is wrong.
    #[serde(flatten)]
    pub fault: Fault,
}

fn as_text<S: Serializer>(path: &Arc<Path>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&path.display())
}

/// Shortens text for a message: at most 60 characters, the rest counted.
pub fn excerpt(text: &str) -> String {
    const CHARS: usize = 60;
    match text.char_indices().nth(CHARS) {
        None => text.to_owned(),
        Some((end, _)) => {
            format!("{}… ({} characters)", &text[..end], text.chars().count())
        }
    }
}
