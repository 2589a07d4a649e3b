//! Rows of any form with their text, for the verbs that change or copy rows.

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use puyu_dataset::container::Compression;
use puyu_dataset::record::{AnyRecord, row_value};
use puyu_dataset::stream::{Policy, RecordStream, StreamOptions, discover};
use puyu_dataset::{BadRow, DatasetError, Fault, FaultKind, RawRow, Record};
use serde::Serialize;
use serde_json::Value;

use crate::output::Output;

/// The fields that hold the text where nobody names one: WanJuan's, and that of most other sets.
const TEXT_FIELDS: [&str; 2] = ["content", "text"];

/// Which rows, and where their text is.
#[derive(Args)]
pub struct Source {
    /// Data files, folders of them, or patterns such as `data/**/*.jsonl.gz`.
    #[arg(required = true)]
    pub paths: Vec<PathBuf>,
    /// The field that holds the text, with dots between levels [default: content, else text]
    #[arg(long, value_name = "NAME")]
    pub field: Option<String>,
}

impl Source {
    /// Opens the rows of all files, in order. Bad rows are left out and counted.
    pub fn open(&self, output: &Output) -> anyhow::Result<Documents> {
        let files = discover(&self.paths).context("no data to read")?;
        Ok(open_files(files, self.field.clone(), output)?)
    }
}

/// Opens the rows of some files.
pub fn open_files(
    files: Vec<PathBuf>,
    field: Option<String>,
    output: &Output,
) -> Result<Documents, DatasetError> {
    let options = StreamOptions::default().with_policy(Policy::Skip).with_threads(output.threads());
    let stream = RecordStream::builder(files).options(options).start()?;
    Ok(Documents { stream, field, misfits: 0, first_misfit: None })
}

/// Gives the parallel work of the library the threads that were asked for.
pub fn set_threads(output: &Output) -> anyhow::Result<()> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(output.threads());
    pool.build_global().context("no threads to work with")
}

/// A row with the bytes it was read from.
pub struct Row {
    /// One JSON value on one line. Columns and tar samples are turned into it.
    pub json: Vec<u8>,
    /// The same, read.
    pub value: Value,
}

impl Record for Row {
    const FORM: &'static str = "json";

    fn decode(row: RawRow<'_>) -> Result<Self, Fault> {
        let value = row_value(row)?;
        let json = match row {
            RawRow::Json(json) if !json.contains(&b'\n') => json.to_vec(),
            _ => value.to_string().into_bytes(),
        };
        Ok(Self { json, value })
    }
}

/// A row and its text.
pub struct Document {
    pub row: Row,
    pub text: String,
    /// The field that the text is from; `None` if it was put together from several.
    pub field: Option<String>,
}

impl Document {
    /// The row's name, if it has one.
    pub fn id(&self) -> Option<&str> {
        ["id", "track_id"].iter().find_map(|name| self.row.value.get(name)?.as_str())
    }
}

/// All documents, in order.
pub struct Documents {
    stream: RecordStream<Row>,
    field: Option<String>,
    misfits: u64,
    first_misfit: Option<BadRow>,
}

/// What reading left out.
#[derive(Debug, Default, Serialize)]
pub struct LeftOut {
    /// Rows that are damaged or have no text.
    pub rows_bad: u64,
    /// One of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_bad: Option<String>,
}

impl LeftOut {
    pub fn add(&mut self, other: Self) {
        self.rows_bad += other.rows_bad;
        self.first_bad = self.first_bad.take().or(other.first_bad);
    }

    /// A line for people; empty if there was nothing.
    pub fn line(&self) -> String {
        match &self.first_bad {
            Some(first) => format!("{} bad rows left out; one of them: {first}\n", self.rows_bad),
            None => String::new(),
        }
    }
}

impl Documents {
    pub fn left_out(&self) -> LeftOut {
        let report = self.stream.report();
        let first = report.first_examples.first().or(self.first_misfit.as_ref());
        LeftOut {
            rows_bad: report.rows_bad + self.misfits,
            first_bad: first.map(ToString::to_string),
        }
    }
}

impl Iterator for Documents {
    type Item = Result<Document, DatasetError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (location, row) = match self.stream.next()? {
                Ok(found) => found,
                Err(error) => return Some(Err(error)),
            };
            match text(&row, self.field.as_deref()) {
                Ok((text, field)) => return Some(Ok(Document { row, text, field })),
                Err(fault) => {
                    self.misfits += 1;
                    self.first_misfit.get_or_insert(BadRow { location, fault });
                }
            }
        }
    }
}

/// The text of a row and the field it is from.
fn text(row: &Row, field: Option<&str>) -> Result<(String, Option<String>), Fault> {
    let names = field.map_or(&TEXT_FIELDS[..], |_| &[]).iter().copied().chain(field);
    for name in names {
        if let Some(text) = row.value.pointer(&pointer(name)).and_then(Value::as_str) {
            return Ok((text.to_owned(), Some(name.to_owned())));
        }
    }
    if field.is_none()
        && let Ok(record) = AnyRecord::decode(RawRow::Json(&row.json))
        && let Some(text) = record.text()
    {
        return Ok((text.into_owned(), None));
    }
    let name = field.unwrap_or(TEXT_FIELDS[0]);
    Err(match row.value.pointer(&pointer(name)) {
        Some(found) => Fault::field(FaultKind::Type, name, "a string", kind(found)),
        None => Fault::field(FaultKind::Missing, name, "a string", "no such field"),
    })
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// Names with dots between as a JSON pointer.
pub fn pointer(field: &str) -> String {
    let escaped = field.replace('~', "~0").replace('/', "~1");
    format!("/{}", escaped.replace('.', "/"))
}

/// An error that an iterator met whose reader wants no errors.
#[derive(Default)]
pub struct Broken(std::sync::Mutex<Option<DatasetError>>);

impl Broken {
    /// The value, or the end and the error kept.
    pub fn keep<T>(&self, item: Result<T, DatasetError>) -> Option<T> {
        item.map_err(|error| {
            *self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(error);
        })
        .ok()
    }

    /// The error, if there was one.
    pub fn check(self) -> Result<(), DatasetError> {
        let kept = self.0.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
        kept.map_or(Ok(()), Err)
    }
}

/// What the name of a file to write asks for.
pub fn compression(path: &std::path::Path) -> Compression {
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("gz") => Compression::Gzip,
        Some("zst") => Compression::Zstd,
        _ => Compression::None,
    }
}
