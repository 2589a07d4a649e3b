//! What files are: container, columns, rows, the form of their rows.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;
use indicatif::ProgressBar;
use puyu_dataset::container::{self, Compression, Container, ReadOptions};
use puyu_dataset::record::{detect_form, row_value};
use puyu_dataset::report::{Align, Table};
use puyu_dataset::stream::Discovery;
use puyu_dataset::{Chunk, DatasetError, RawRow, Rows};
use rayon::prelude::*;
use serde::Serialize;

use super::output::Output;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Files, folders or patterns such as 'nlp/**/part-*.jsonl.gz'.
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// Characters of the first row that are shown.
    #[arg(long, default_value_t = 100)]
    characters: usize,
}

#[derive(Serialize)]
struct Answer {
    files: Vec<Inspected>,
    skipped: Vec<Skipped>,
}

#[derive(Serialize)]
struct Skipped {
    file: PathBuf,
    reason: &'static str,
}

#[derive(Default, Serialize)]
struct Inspected {
    file: PathBuf,
    bytes: u64,
    container: Option<Container>,
    compression: Option<Compression>,
    rows: u64,
    /// Rows that the container cannot give whole; what is inside of rows is for `lint`.
    rows_bad: u64,
    columns: Vec<Column>,
    form: Option<&'static str>,
    example: Option<String>,
    error: Option<String>,
}

#[derive(Serialize)]
struct Column {
    name: String,
    /// Columnar files only.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<String>,
}

pub(crate) fn run(arguments: &Arguments, output: &Output) -> Result<ExitCode> {
    let Discovery { files, skipped } = Discovery::of(&arguments.paths)?;
    let skipped = skipped.into_iter().map(|(file, reason)| Skipped { file, reason }).collect();
    let bar = output.count_bar(files.len() as u64, "files");
    let pool = rayon::ThreadPoolBuilder::new().num_threads(output.threads()).build()?;
    let inspected = pool.install(|| {
        files.par_iter().map(|file| inspect(file, arguments.characters, &bar)).collect()
    });
    bar.finish_and_clear();
    let answer = Answer { files: inspected, skipped };
    output.answer(&answer, text)?;
    let is_bad = |file: &Inspected| file.error.is_some() || file.rows_bad > 0;
    let any_bad = answer.files.iter().any(is_bad);
    Ok(if any_bad { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn inspect(file: &Path, characters: usize, bar: &ProgressBar) -> Inspected {
    let mut found = Inspected { file: file.to_owned(), ..Default::default() };
    if let Err(error) = found.fill(characters) {
        found.error = Some(format!("{:#}", anyhow::Error::from(error)));
    }
    bar.inc(1);
    found
}

impl Inspected {
    fn fill(&mut self, characters: usize) -> Result<(), DatasetError> {
        let metadata = std::fs::metadata(&self.file);
        self.bytes = metadata.map_err(DatasetError::io("open", &self.file))?.len();
        let detected = container::detect(&self.file)?;
        self.container = Some(detected.container);
        self.compression = Some(detected.compression);
        let mut reader = container::open(&self.file, &ReadOptions::default())?;
        while let Some(chunk) = reader.next_chunk() {
            match chunk {
                Ok(chunk) => {
                    if self.rows == 0 {
                        self.look_at(&chunk, characters);
                    }
                    self.rows += chunk.len() as u64;
                }
                Err(DatasetError::BadRow(_)) => self.rows_bad += 1,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn look_at(&mut self, chunk: &Chunk, characters: usize) {
        let row = chunk.row(0);
        let value = row_value(row).ok();
        self.form = detect_form(row).map(|form| form.as_str());
        self.columns = match (&chunk.rows, &value) {
            (Rows::Batch { batch, .. }, _) => {
                let schema = batch.schema();
                let column = |field: &arrow::datatypes::FieldRef| Column {
                    name: field.name().clone(),
                    kind: Some(field.data_type().to_string()),
                };
                schema.fields().iter().map(column).collect()
            }
            (Rows::Samples { samples, .. }, _) => {
                samples[0].members.iter().map(|member| plain(&member.extension)).collect()
            }
            (Rows::Lines { .. }, Some(serde_json::Value::Object(fields))) => {
                fields.keys().map(|name| plain(name)).collect()
            }
            _ => Vec::new(),
        };
        let example = match (row, value) {
            (RawRow::Members(sample), _) => Some(sample.key.clone()),
            (RawRow::Json(bytes), _) => Some(String::from_utf8_lossy(bytes).into_owned()),
            (RawRow::Columns(..), value) => value.map(|value| value.to_string()),
        };
        self.example = example.map(|text| shorten(&text, characters));
    }
}

fn plain(name: &str) -> Column {
    Column { name: name.to_owned(), kind: None }
}

/// At most so many characters on one line, with an ellipsis where something is left out.
pub(crate) fn shorten(text: &str, characters: usize) -> String {
    match text.char_indices().nth(characters) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

/// A name as it stands in JSON.
pub(crate) fn json_name<T: Serialize>(value: T) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(name)) => name,
        _ => String::new(),
    }
}

fn text(answer: &Answer) -> String {
    let head = ["file", "container", "compression", "bytes", "rows", "bad", "form"];
    let right = Align::Right;
    let mut table = Table::new(head).with_alignment([
        Align::Left,
        Align::Left,
        Align::Left,
        right,
        right,
        right,
        Align::Left,
    ]);
    let mut details = String::new();
    for file in &answer.files {
        table.push([
            file.file.display().to_string(),
            file.container.map(json_name).unwrap_or_else(|| "-".to_owned()),
            file.compression.map(json_name).unwrap_or_else(|| "-".to_owned()),
            file.bytes.to_string(),
            file.rows.to_string(),
            file.rows_bad.to_string(),
            file.form.unwrap_or("-").to_owned(),
        ]);
        details.push_str(&format!("\n{}\n", file.file.display()));
        if let Some(error) = &file.error {
            details.push_str(&format!("  error    {error}\n"));
        }
        if !file.columns.is_empty() {
            let column = |column: &Column| match &column.kind {
                Some(kind) => format!("{}: {}", column.name, shorten(kind, 60)),
                None => column.name.clone(),
            };
            let columns: Vec<_> = file.columns.iter().map(column).collect();
            details.push_str(&format!("  columns  {}\n", columns.join(", ")));
        }
        if let Some(example) = &file.example {
            details.push_str(&format!("  example  {example}\n"));
        }
    }
    for Skipped { file, reason } in &answer.skipped {
        details.push_str(&format!("\nleft out: {} ({reason})", file.display()));
    }
    format!("{table}{details}")
}
