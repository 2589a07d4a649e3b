//! A small record and readers in memory, for the tests of streams and manifests.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{Array, AsArray};
use bytes::Bytes;

use super::lane::Opener;
use crate::container::{ChunkReader, Mark};
use crate::error::DatasetError;
use crate::fault::{Fault, FaultKind, Location};
use crate::row::{Chunk, LineSpan, RawRow, Record, Rows};

/// `{"id", "content"}`, checked in a few ways.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Note {
    pub(crate) id: String,
    pub(crate) content: String,
}

impl Record for Note {
    const FORM: &'static str = "note";

    fn columns() -> Option<&'static [&'static str]> {
        Some(&["id", "content"])
    }

    fn decode(row: RawRow<'_>) -> Result<Self, Fault> {
        match row {
            RawRow::Json(b"\"panic\"") => panic!("a decoder that panics"),
            RawRow::Json(bytes) => from_json(bytes),
            RawRow::Members(sample) => from_json(sample.member("json").map_or(b"", |b| b)),
            RawRow::Columns(batch, row) => {
                let text = |name: &str| {
                    let column = batch.column_by_name(name)?;
                    let column = arrow::compute::cast(column, &arrow::datatypes::DataType::Utf8);
                    let column = column.ok()?;
                    let column = column.as_string::<i32>();
                    (!column.is_null(row)).then(|| column.value(row).to_owned())
                };
                let missing = |name| Fault::field(FaultKind::Missing, name, "text", "nothing");
                Ok(Self {
                    id: text("id").ok_or_else(|| missing("id"))?,
                    content: text("content").ok_or_else(|| missing("content"))?,
                })
            }
        }
    }
}

fn from_json(bytes: &[u8]) -> Result<Note, Fault> {
    let text = std::str::from_utf8(bytes)
        .map_err(|error| Fault::row(FaultKind::Utf8, "UTF-8", error.to_string()))?;
    let value: serde_json::Value = serde_json::from_str(text).map_err(|error| {
        let message = error.to_string();
        let kind = match () {
            () if message.contains("recursion") => FaultKind::Depth,
            () if message.contains("surrogate") => FaultKind::Unicode,
            () => FaultKind::Json,
        };
        Fault::row(kind, "JSON", message)
    })?;
    let field = |name: &str| match value.get(name) {
        _ if !value.is_object() => Err(Fault::row(FaultKind::Type, "an object", "another value")),
        None => Err(Fault::field(FaultKind::Missing, name, "a string", "nothing")),
        Some(serde_json::Value::Null) => {
            Err(Fault::field(FaultKind::Null, name, "a string", "null"))
        }
        Some(value) => value
            .as_str()
            .map(str::to_owned)
            .ok_or_else(|| Fault::field(FaultKind::Type, name, "a string", value.to_string())),
    };
    let note = Note { id: field("id")?, content: field("content")? };
    if note.id.is_empty() {
        return Err(Fault::field(FaultKind::Value, "id", "an id", "an empty string"));
    }
    Ok(note)
}

/// A line that holds a note.
pub(crate) fn line(id: &str, content: &str) -> String {
    serde_json::json!({"id": id, "content": content}).to_string()
}

/// What a file in memory gives.
#[derive(Debug, Clone)]
pub(super) enum Item {
    /// A chunk of lines.
    Lines(Vec<String>),
    /// A row that the container cannot read.
    Bad,
    /// The end, by an error.
    Failed,
    /// The end of the thread.
    Panic,
}

/// Files in memory, by path.
pub(super) type Files = Vec<(PathBuf, Vec<Item>)>;

pub(super) fn opener(files: &Files) -> (Vec<PathBuf>, Arc<Opener>) {
    let paths = files.iter().map(|(path, _)| path.clone()).collect();
    let by_path: BTreeMap<PathBuf, Vec<Item>> = files.iter().cloned().collect();
    let open = move |path: &Path, mark: Mark| -> Result<Box<dyn ChunkReader>, DatasetError> {
        let items = by_path[path].clone();
        let mut reader = Memory { file: path.into(), items: items.into(), mark: Mark::default() };
        while reader.mark.row < mark.row {
            let _ = reader.next_chunk();
        }
        Ok(Box::new(reader))
    };
    (paths, Arc::new(open))
}

struct Memory {
    file: Arc<Path>,
    items: std::collections::VecDeque<Item>,
    mark: Mark,
}

impl ChunkReader for Memory {
    fn next_chunk(&mut self) -> Option<Result<Chunk, DatasetError>> {
        let first = self.mark;
        match self.items.pop_front()? {
            Item::Lines(lines) => {
                self.mark.row += lines.len() as u64;
                self.mark.line += lines.len() as u64;
                let bytes = lines.join("\n") + "\n";
                self.mark.offset += bytes.len() as u64;
                let mut start = 0;
                let spans = lines.iter().zip(first.line + 1..).map(|(text, line)| {
                    let span = LineSpan { start, len: text.len() as u32, line };
                    start += text.len() as u32 + 1;
                    span
                });
                let spans = spans.collect();
                let rows = Rows::Lines { bytes: Bytes::from(bytes), offset: first.offset, spans };
                Some(Ok(Chunk { file: self.file.clone(), rows }))
            }
            Item::Bad => {
                self.mark.row += 1;
                self.mark.line += 1;
                let location =
                    Location { file: self.file.clone(), row: self.mark.line, offset: None };
                let fault = Fault::row(FaultKind::Truncated, "a whole row", "the end");
                Some(Err(fault.at(location).into()))
            }
            Item::Failed => {
                self.items.clear();
                Some(Err(DatasetError::io("read", &self.file)(std::io::Error::other("gone"))))
            }
            Item::Panic => panic!("a reader that panics"),
        }
    }

    fn mark(&self) -> Mark {
        self.mark
    }
}
