//! `dedup`: duplicates found in one pass over the data, dropped in a second.

use std::iter::Peekable;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, ValueEnum};
use puyu_dataset::DatasetError;
use puyu_dataset::container::JsonLinesWriter;
use puyu_dataset::dedup::{
    Clusters, DedupReport, DocumentRepeats, ExactDedup, ExactOptions, LineDedup, LineOptions,
    MinHashOptions, SubstringDedup, SubstringOptions, Verification, dedup_documents,
};
use puyu_dataset::report::{Align, Table};
use serde::Serialize;
use serde_json::{Value, json};

use crate::output::Output;
use crate::rows::{self, Broken, Document, LeftOut, Source};

/// Duplicates found, and dropped.
#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    source: Source,
    /// The rows that stay, as they were, in order; also .jsonl.zst and .jsonl.gz
    #[arg(long, value_name = "FILE.jsonl")]
    out: PathBuf,
    /// What counts as a duplicate.
    #[arg(long, value_enum, default_value_t = Method::Near)]
    method: Method,
    /// near: the least estimated similarity of two documents, from 0 to 1 [default: 0.5]
    #[arg(long)]
    threshold: Option<f64>,
    /// near: how many bands of signatures [default: 32]
    #[arg(long)]
    bands: Option<u32>,
    /// near: numbers per band [default: 4]
    #[arg(long)]
    rows: Option<u32>,
    /// Seed of all hashes.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Memory for sorting, in MiB; the rest is sorted on the disk.
    #[arg(long, default_value_t = 256)]
    memory_mb: u64,
    /// The folder for what does not fit into memory [default: the folder of --out]
    #[arg(long, value_name = "FOLDER")]
    scratch: Option<PathBuf>,
    /// Also write the clusters, one JSON object per cluster (exact and near).
    #[arg(long, value_name = "FILE.jsonl")]
    clusters: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Method {
    /// Documents of the same letters and digits.
    Exact,
    /// Documents that share most of their text.
    Near,
    /// Lines that an earlier place has; documents lose them.
    Lines,
    /// Long passages that an earlier place has; documents lose them.
    Substring,
}

#[derive(Serialize)]
struct Answer {
    out: String,
    method: Method,
    documents: u64,
    documents_out: u64,
    text_bytes: u64,
    text_bytes_out: u64,
    /// exact and near.
    #[serde(skip_serializing_if = "Option::is_none")]
    clusters: Option<DedupReport>,
    /// lines and substring.
    #[serde(skip_serializing_if = "Option::is_none")]
    repeats: Option<RepeatReport>,
    #[serde(flatten)]
    left_out: LeftOut,
}

/// What documents lost.
#[derive(Default, Serialize)]
struct RepeatReport {
    documents_changed: u64,
    documents_emptied: u64,
    passages: u64,
}

pub fn run(arguments: &Arguments, output: &Output) -> anyhow::Result<ExitCode> {
    rows::set_threads(output)?;
    let by_document = matches!(arguments.method, Method::Exact | Method::Near);
    anyhow::ensure!(
        by_document || arguments.clusters.is_none(),
        "--clusters goes with --method exact and near only"
    );
    let answer = match arguments.method {
        Method::Exact | Method::Near => drop_documents(arguments, output)?,
        Method::Lines => {
            let options = LineOptions {
                seed: arguments.seed,
                memory_bytes: arguments.memory_bytes(),
                ..LineOptions::default()
            };
            let mut dedup = LineDedup::new(&options, arguments.scratch())?;
            arguments.for_each(output, |text| dedup.push(text))?;
            cut_passages(arguments, dedup.finish()?, output)?
        }
        Method::Substring => {
            let options = SubstringOptions {
                seed: arguments.seed,
                memory_bytes: arguments.memory_bytes(),
                ..SubstringOptions::default()
            };
            let mut dedup = SubstringDedup::new(&options, arguments.scratch())?;
            arguments.for_each(output, |text| dedup.push(text))?;
            cut_passages(arguments, dedup.finish()?, output)?
        }
    };
    output.answer(&answer, text)?;
    Ok(ExitCode::SUCCESS)
}

impl Arguments {
    fn memory_bytes(&self) -> u64 {
        self.memory_mb.saturating_mul(1 << 20)
    }

    fn scratch(&self) -> &Path {
        let beside = || self.out.parent().filter(|folder| *folder != Path::new(""));
        self.scratch.as_deref().or_else(beside).unwrap_or(Path::new("."))
    }

    /// The first pass: shows every text to `look`.
    fn for_each(
        &self,
        output: &Output,
        mut look: impl FnMut(&str) -> Result<(), DatasetError>,
    ) -> anyhow::Result<()> {
        let bar = output.count_bar(0, "finding");
        for document in self.source.open(output)? {
            look(&document?.text)?;
            bar.inc(1);
        }
        bar.finish_and_clear();
        Ok(())
    }

    fn near_options(&self) -> MinHashOptions {
        let usual = MinHashOptions::default();
        MinHashOptions {
            bands: self.bands.unwrap_or(usual.bands),
            rows: self.rows.unwrap_or(usual.rows),
            verification: self.threshold.map_or(usual.verification, Verification::Estimated),
            seed: self.seed,
            memory_bytes: self.memory_bytes(),
            ..usual
        }
    }
}

fn find(arguments: &Arguments, output: &Output) -> anyhow::Result<(Clusters, DedupReport)> {
    if arguments.method == Method::Exact {
        let options = ExactOptions {
            seed: arguments.seed,
            memory_bytes: arguments.memory_bytes(),
            ..ExactOptions::default()
        };
        let mut dedup = ExactDedup::new(&options, arguments.scratch())?;
        arguments.for_each(output, |text| dedup.push(text))?;
        let duplicates = dedup.finish()?;
        let report = duplicates.report().clone();
        return Ok((duplicates.into_clusters()?, report));
    }
    let (bar, broken) = (output.count_bar(0, "finding"), Broken::default());
    let documents = arguments.source.open(output)?;
    let texts = documents.map_while(|document| broken.keep(document)).map(|document| {
        bar.inc(1);
        document.text
    });
    let found = dedup_documents(texts, &arguments.near_options(), arguments.scratch());
    broken.check()?;
    bar.finish_and_clear();
    Ok(found?)
}

fn drop_documents(arguments: &Arguments, output: &Output) -> anyhow::Result<Answer> {
    let (clusters, report) = find(arguments, output)?;
    let answer = write(arguments, output, |number, document| {
        anyhow::ensure!(number < clusters.len(), "the data grew while it was read");
        Ok(clusters.is_kept(number).then(|| Kept::as_it_was(document)))
    })?;
    if let Some(path) = &arguments.clusters {
        write_clusters(&clusters, path)
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(Answer { clusters: Some(report), ..answer })
}

/// One line per cluster: its documents, counted from 0 over all good rows.
fn write_clusters(clusters: &Clusters, path: &Path) -> Result<(), DatasetError> {
    let mut copies = std::collections::BTreeMap::<u32, Vec<usize>>::new();
    for document in (0..clusters.len()).filter(|&document| !clusters.is_kept(document)) {
        copies.entry(clusters.representative(document)).or_default().push(document);
    }
    let mut writer = JsonLinesWriter::create(path, rows::compression(path))?;
    for (kept, dropped) in copies {
        writer.write(&json!({"kept": kept, "dropped": dropped}))?;
    }
    writer.finish()
}

fn cut_passages(
    arguments: &Arguments,
    repeats: impl Iterator<Item = Result<DocumentRepeats, DatasetError>>,
    output: &Output,
) -> anyhow::Result<Answer> {
    let mut repeats = repeats.peekable();
    let mut report = RepeatReport::default();
    let answer = write(arguments, output, |number, document| {
        let Some(found) = of_document(&mut repeats, number)? else {
            return Ok(Some(Kept::as_it_was(document)));
        };
        report.documents_changed += 1;
        report.passages += found.spans.len() as u64;
        let text = found.remove_from(&document.text);
        if text.trim().is_empty() {
            report.documents_emptied += 1;
            return Ok(None);
        }
        Kept::with_text(document, text).map(Some)
    })?;
    Ok(Answer { repeats: Some(report), ..answer })
}

fn of_document(
    repeats: &mut Peekable<impl Iterator<Item = Result<DocumentRepeats, DatasetError>>>,
    number: usize,
) -> Result<Option<DocumentRepeats>, DatasetError> {
    let other = |next: &Result<DocumentRepeats, _>| {
        next.as_ref().is_ok_and(|found| found.document != number as u64)
    };
    if repeats.peek().is_none_or(other) {
        return Ok(None);
    }
    repeats.next().transpose()
}

/// A row to write.
struct Kept {
    json: Vec<u8>,
    text_bytes: u64,
}

impl Kept {
    fn as_it_was(document: Document) -> Self {
        Self { text_bytes: document.text.len() as u64, json: document.row.json }
    }

    fn with_text(mut document: Document, text: String) -> anyhow::Result<Self> {
        let text_bytes = text.len() as u64;
        let place = document.field.as_deref().context(
            "the text of a row is put together from several fields, so it cannot be cut; \
             use --method exact or near",
        )?;
        if let Some(found) = document.row.value.pointer_mut(&rows::pointer(place)) {
            *found = Value::String(text);
        }
        Ok(Self { json: serde_json::to_vec(&document.row.value)?, text_bytes })
    }
}

/// The second pass: writes what `keep` makes of each document.
fn write(
    arguments: &Arguments,
    output: &Output,
    mut keep: impl FnMut(usize, Document) -> anyhow::Result<Option<Kept>>,
) -> anyhow::Result<Answer> {
    let mut documents = arguments.source.open(output)?;
    let mut writer = JsonLinesWriter::create(&arguments.out, rows::compression(&arguments.out))?;
    let mut answer = Answer {
        out: arguments.out.display().to_string(),
        method: arguments.method,
        documents: 0,
        documents_out: 0,
        text_bytes: 0,
        text_bytes_out: 0,
        clusters: None,
        repeats: None,
        left_out: LeftOut::default(),
    };
    let bar = output.count_bar(0, "writing");
    for (number, document) in documents.by_ref().enumerate() {
        let document = document?;
        answer.documents += 1;
        answer.text_bytes += document.text.len() as u64;
        bar.inc(1);
        if let Some(kept) = keep(number, document)? {
            writer.write_raw(&kept.json)?;
            answer.documents_out += 1;
            answer.text_bytes_out += kept.text_bytes;
        }
    }
    writer.finish()?;
    bar.finish_and_clear();
    answer.left_out = documents.left_out();
    Ok(answer)
}

fn text(answer: &Answer) -> String {
    let head = ["", "read", "kept", "of all"];
    let right = [Align::Left, Align::Right, Align::Right, Align::Right];
    let mut table = Table::new(head).with_alignment(right);
    let mut line = |name: &str, all: u64, kept: u64| {
        let share = if all == 0 { 100.0 } else { 100.0 * kept as f64 / all as f64 };
        table.push([name.to_owned(), all.to_string(), kept.to_string(), format!("{share:.2} %")]);
    };
    line("documents", answer.documents, answer.documents_out);
    line("bytes of text", answer.text_bytes, answer.text_bytes_out);
    let mut text = table.to_string();
    if let Some(DedupReport { pairs, clusters, dropped, .. }) = &answer.clusters {
        text += &format!("\n{clusters} clusters, {dropped} copies dropped ({pairs} pairs)\n");
    }
    if let Some(RepeatReport { documents_changed, documents_emptied, passages }) = &answer.repeats {
        text += &format!(
            "\n{passages} passages cut from {documents_changed} documents, \
             {documents_emptied} of which were left empty and dropped\n"
        );
    }
    text + &answer.left_out.line() + &format!("written: {}\n", answer.out)
}
