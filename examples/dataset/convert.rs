//! The same rows in another container or form.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use clap::ValueEnum;
use puyu_dataset::container::{
    ArrowOptions, ArrowWriter, Compression, JsonLinesWriter, ParquetOptions, ParquetWriter,
};
use puyu_dataset::record::*;
use puyu_dataset::report::{Align, Table};
use puyu_dataset::stream::{Policy, RecordStream, StreamOptions, discover};
use puyu_dataset::{DatasetError, Fault, FaultKind, RawRow, Record};
use serde::Serialize;

use super::output::Output;
use super::stats::Reading;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Files, folders or patterns such as 'nlp/**/part-*.jsonl.gz'.
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// The new file: .jsonl, .jsonl.gz, .jsonl.zst, .parquet or .arrow. It appears once whole.
    #[arg(long, value_name = "FILE")]
    to: PathBuf,
    /// The form that the rows are in, such as wanjuan-text; by their fields where not given.
    #[arg(long, conflicts_with = "into")]
    form: Option<Form>,
    /// The form that the rows get; their own where not given.
    #[arg(long = "as", value_enum, value_name = "FORM")]
    into: Option<Target>,
    /// What happens to bad rows: fail, skip or quarantine=FILE.
    #[arg(long, default_value = "fail", value_parser = policy)]
    bad: Policy,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Target {
    /// OpenAI messages, from any form for fine-tuning.
    Conversation,
    /// Texts and pictures in reading order, from image-text, MMC4, OBELICS, MinerU and LLaVA.
    Interleaved,
    /// `id` and `content`, from any form that is one text and has an id.
    Document,
}

fn policy(text: &str) -> Result<Policy, String> {
    match text.split_once('=') {
        None if text == "fail" => Ok(Policy::Fail),
        None if text == "skip" => Ok(Policy::Skip),
        Some(("quarantine", file)) if !file.is_empty() => Ok(Policy::Quarantine(file.into())),
        _ => Err(format!("expected fail, skip or quarantine=FILE, found {text}")),
    }
}

#[derive(Serialize)]
struct Answer {
    file: PathBuf,
    form: &'static str,
    rows: u64,
    bytes: u64,
    #[serde(flatten)]
    reading: Reading,
}

pub(crate) fn run(arguments: &Arguments, output: &Output) -> Result<ExitCode> {
    let kind = Kind::of(&arguments.to)?;
    let files = discover(&arguments.paths)?;
    if files.contains(&arguments.to) {
        bail!("{} is one of the files to read; choose another --to", arguments.to.display());
    }
    let job = Job { files, to: &arguments.to, kind, policy: &arguments.bad, output };
    let answer = match kind {
        Kind::Lines(_) => job.lines(arguments.form, arguments.into)?,
        Kind::Parquet | Kind::Arrow => job.columns(arguments.form, arguments.into)?,
    };
    output.answer(&answer, text)?;
    let all_read = answer.reading.files_failed.is_empty();
    Ok(if all_read { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

#[derive(Clone, Copy)]
enum Kind {
    Lines(Compression),
    Parquet,
    Arrow,
}

impl Kind {
    fn of(path: &Path) -> Result<Self> {
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
        let ends = [
            (".jsonl", Self::Lines(Compression::None)),
            (".jsonl.gz", Self::Lines(Compression::Gzip)),
            (".jsonl.zst", Self::Lines(Compression::Zstd)),
            (".parquet", Self::Parquet),
            (".arrow", Self::Arrow),
        ];
        let Some((_, kind)) = ends.into_iter().find(|(end, _)| name.ends_with(end)) else {
            let expected = ends.map(|(end, _)| end).join(", ");
            bail!("cannot write {}: its name must end in one of {expected}", path.display());
        };
        Ok(kind)
    }
}

/// A row that becomes an interleaved sample while it is read, so that the policy holds for it too.
#[derive(Serialize)]
#[serde(transparent)]
struct AsInterleaved(Interleaved);

impl Record for AsInterleaved {
    const FORM: &'static str = "interleaved";

    fn decode(row: RawRow<'_>) -> Result<Self, Fault> {
        AnyRecord::decode(row)?.into_interleaved().map(Self)
    }
}

/// A row that becomes a document.
#[derive(Serialize)]
#[serde(transparent)]
struct AsDocument(Document);

impl Record for AsDocument {
    const FORM: &'static str = "wanjuan-text";

    fn decode(row: RawRow<'_>) -> Result<Self, Fault> {
        let record = AnyRecord::decode(row)?;
        let form = format!("form {}", record.form());
        let missing =
            |field| Fault::field(FaultKind::Missing, field, "a form that has it", form.clone());
        let content = record.text().ok_or_else(|| missing("content"))?.into_owned();
        let id = record.id().ok_or_else(|| missing("id"))?.to_owned();
        Ok(Self(Document { id, content }))
    }
}

impl From<AsDocument> for Document {
    fn from(row: AsDocument) -> Self {
        row.0
    }
}

struct Job<'a> {
    files: Vec<PathBuf>,
    to: &'a Path,
    kind: Kind,
    policy: &'a Policy,
    output: &'a Output,
}

/// Calls a method of the job for the type of a form.
macro_rules! for_form {
    ($job:ident.$method:ident, $form:expr; $($name:ident),+ $(,)?) => {
        match $form {
            $(Form::$name => $job.$method::<$name>(),)+
            other => bail!("rows in form {other} cannot be written there"),
        }
    };
}

impl Job<'_> {
    fn lines(&self, form: Option<Form>, into: Option<Target>) -> Result<Answer> {
        match (into, form) {
            (Some(Target::Conversation), _) => self.write_lines::<Conversation>(),
            (Some(Target::Interleaved), _) => self.write_lines::<AsInterleaved>(),
            (Some(Target::Document), _) => self.write_lines::<AsDocument>(),
            (None, None) => self.write_lines::<AnyRecord>(),
            (None, Some(form)) => for_form!(
                self.write_lines, form;
                Document, ImageText, CcDocument, Exam, VideoDescription, PlainText, Interleaved,
                Mmc4, Obelics, ContentList, ImageCaptions, Captioned, Alpaca, ShareGpt, Messages,
                Moss, XTuner, Preference, RewardPrompt,
            ),
        }
    }

    fn columns(&self, form: Option<Form>, into: Option<Target>) -> Result<Answer> {
        match into {
            Some(Target::Document) => return self.write_columns::<AsDocument, Document>(),
            Some(_) => bail!("conversations and interleaved samples are written as JSON lines"),
            None => {}
        }
        let form = match form {
            Some(form) => form,
            None => self.first_form()?,
        };
        match form {
            Form::Document => self.write_columns::<Document, Document>(),
            Form::CcDocument => self.write_columns::<CcDocument, CcDocument>(),
            Form::Exam => self.write_columns::<Exam, Exam>(),
            Form::ImageText => self.write_columns::<ImageText, ImageText>(),
            other => bail!("rows in form {other} are written as JSON lines, or with --as document"),
        }
    }

    /// The form of the first good row; all others must be in it.
    fn first_form(&self) -> Result<Form> {
        let options = StreamOptions::default().with_policy(Policy::Skip).with_threads(1);
        let stream = RecordStream::<AnyRecord>::builder(&self.files).options(options).start()?;
        let first = stream.filter_map(Result::ok).next();
        Ok(first.context("no row is in a known form; name it with --form")?.1.form())
    }

    fn write_lines<R: Record + Serialize>(&self) -> Result<Answer> {
        let Kind::Lines(compression) = self.kind else { bail!("not JSON lines") };
        let mut writer = JsonLinesWriter::create(self.to, compression)?;
        let (rows, reading) = self.each::<R>(|row| writer.write(&row))?;
        writer.finish()?;
        self.answer(R::FORM, rows, reading)
    }

    fn write_columns<R: Record, T: ToBatch + From<R>>(&self) -> Result<Answer> {
        const BATCH_ROWS: usize = 1024;
        let schema = T::to_batch(&[]).schema();
        let mut writer = match self.kind {
            Kind::Arrow => Columns::Arrow(Box::new(ArrowWriter::create(
                self.to,
                schema,
                &ArrowOptions::default(),
            )?)),
            _ => {
                let options = ParquetOptions::default();
                Columns::Parquet(Box::new(ParquetWriter::create(self.to, schema, &options)?))
            }
        };
        let mut batch = Vec::new();
        let (rows, reading) = self.each::<R>(|row| {
            batch.push(T::from(row));
            if batch.len() == BATCH_ROWS {
                writer.write(&T::to_batch(&batch))?;
                batch.clear();
            }
            Ok(())
        })?;
        if !batch.is_empty() {
            writer.write(&T::to_batch(&batch))?;
        }
        writer.finish()?;
        self.answer(R::FORM, rows, reading)
    }

    /// Gives every good row to `write`.
    fn each<R: Record>(
        &self,
        mut write: impl FnMut(R) -> Result<(), DatasetError>,
    ) -> Result<(u64, Reading)> {
        let options = StreamOptions::default()
            .with_policy(self.policy.clone())
            .with_threads(self.output.threads().min(StreamOptions::MOST_THREADS));
        let mut stream = RecordStream::<R>::builder(&self.files).options(options).start()?;
        let bar = self.output.count_bar(0, "rows");
        for row in stream.by_ref() {
            match row {
                Ok((_, row)) => write(row)?,
                Err(error) if *self.policy == Policy::Fail => return Err(error.into()),
                // The report names the file.
                Err(_) => {}
            }
            bar.inc(1);
        }
        bar.finish_and_clear();
        Ok((stream.report().rows_good, stream.report().into()))
    }

    fn answer(&self, form: &'static str, rows: u64, reading: Reading) -> Result<Answer> {
        let bytes = std::fs::metadata(self.to)?.len();
        Ok(Answer { file: self.to.to_owned(), form, rows, bytes, reading })
    }
}

enum Columns {
    Arrow(Box<ArrowWriter>),
    Parquet(Box<ParquetWriter>),
}

impl Columns {
    fn write(&mut self, batch: &arrow::record_batch::RecordBatch) -> Result<(), DatasetError> {
        match self {
            Self::Arrow(writer) => writer.write(batch),
            Self::Parquet(writer) => writer.write(batch),
        }
    }

    fn finish(self) -> Result<(), DatasetError> {
        match self {
            Self::Arrow(writer) => writer.finish(),
            Self::Parquet(writer) => writer.finish(),
        }
    }
}

fn text(answer: &Answer) -> String {
    let mut table = Table::new(["", ""]).with_alignment([Align::Left, Align::Right]);
    table.push(["file".to_owned(), answer.file.display().to_string()]);
    table.push(["form", answer.form]);
    table.push(["rows".to_owned(), answer.rows.to_string()]);
    table.push(["bytes".to_owned(), answer.bytes.to_string()]);
    table.push(["bad rows".to_owned(), answer.reading.rows_bad.to_string()]);
    for (kind, n) in &answer.reading.bad_by_kind {
        table.push([format!("  {kind}"), n.to_string()]);
    }
    let mut text = table.to_string();
    for failed in &answer.reading.files_failed {
        text.push_str(&format!("not read to its end: {}\n", failed.reason));
    }
    text
}
