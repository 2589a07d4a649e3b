//! Every defect, with file, row, byte and field.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use puyu_dataset::container::{BlankLines, ReadOptions};
use puyu_dataset::record::{AnyRecord, Conversation, PreferencePair};
use puyu_dataset::report::{Align, Table};
use puyu_dataset::stream::{Policy, RecordStream, StreamOptions};
use puyu_dataset::{Fault, RawRow, Record};
use serde::{Deserialize, Serialize};

use super::output::Output;
use super::stats::Reading;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Files, folders or patterns such as 'nlp/**/part-*.jsonl.gz'.
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// Blank lines are defects too, and rows that make no conversation or no sample with pictures.
    #[arg(long)]
    strict: bool,
    /// Writes the bad rows with their raw bytes here, one JSON object per line.
    #[arg(long, value_name = "FILE")]
    quarantine: Option<PathBuf>,
    /// Defects that are listed; all are counted.
    #[arg(long, default_value_t = 1000)]
    max: usize,
    /// Larger rows are defects.
    #[arg(long, default_value_t = ReadOptions::default().max_row_bytes, value_name = "BYTES")]
    max_row_bytes: usize,
}

#[derive(Serialize)]
struct Answer {
    rows_good: u64,
    #[serde(flatten)]
    reading: Reading,
    defects: Vec<Defect>,
    /// Defects that were counted and not listed.
    not_listed: u64,
}

/// A line of a quarantine file, without the row itself.
#[derive(Serialize, Deserialize)]
struct Defect {
    file: String,
    row: u64,
    offset: Option<u64>,
    kind: String,
    field: Option<String>,
    expected: String,
    found: String,
}

/// A row whose conversion is tried too.
struct Checked(AnyRecord);

impl Record for Checked {
    const FORM: &'static str = "any";

    fn decode(row: RawRow<'_>) -> Result<Self, Fault> {
        let record = AnyRecord::decode(row)?;
        match &record {
            AnyRecord::Alpaca(_)
            | AnyRecord::ShareGpt(_)
            | AnyRecord::Messages(_)
            | AnyRecord::Moss(_)
            | AnyRecord::XTuner(_)
            | AnyRecord::RewardPrompt(_) => {
                let _: Conversation = record.clone().into_conversation()?;
            }
            AnyRecord::Preference(row) => {
                PreferencePair::try_from(row.clone())?;
            }
            AnyRecord::Obelics(_) => {
                record.clone().into_interleaved()?;
            }
            _ => {}
        }
        Ok(Self(record))
    }
}

pub(crate) fn run(arguments: &Arguments, output: &Output) -> Result<ExitCode> {
    let scratch = tempfile::tempdir()?;
    let quarantine =
        arguments.quarantine.clone().unwrap_or_else(|| scratch.path().join("defects.jsonl"));
    let answer = match arguments.strict {
        true => lint::<Checked>(arguments, output, &quarantine, |row| row.0.id())?,
        false => lint::<AnyRecord>(arguments, output, &quarantine, AnyRecord::id)?,
    };
    output.answer(&answer, text)?;
    let is_clean = answer.reading.rows_bad == 0 && answer.reading.files_failed.is_empty();
    Ok(if is_clean { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn lint<R: Record>(
    arguments: &Arguments,
    output: &Output,
    quarantine: &Path,
    id_of: fn(&R) -> Option<&str>,
) -> Result<Answer> {
    let blank_lines = if arguments.strict { BlankLines::Fault } else { BlankLines::Skip };
    let max_row_bytes = arguments.max_row_bytes;
    let options = StreamOptions::default()
        .with_policy(Policy::Quarantine(quarantine.to_owned()))
        .with_threads(output.threads().min(StreamOptions::MOST_THREADS))
        .with_read(ReadOptions { blank_lines, max_row_bytes, ..Default::default() });
    let mut stream = RecordStream::<R>::builder(&arguments.paths)
        .options(options)
        .check_duplicate_ids(id_of)
        .start()?;
    let bar = output.count_bar(0, "rows");
    for row in stream.by_ref() {
        // Errors of whole files stand in the report; one of the quarantine file ends the stream.
        if let Err(error) = row
            && !is_of_input(&error, quarantine)
        {
            return Err(error.into());
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    let report = stream.report();
    let defects = read_defects(quarantine, arguments.max)?;
    let not_listed = report.rows_bad - defects.len() as u64;
    Ok(Answer { rows_good: report.rows_good, reading: report.into(), defects, not_listed })
}

/// Whether an error is not of the quarantine file (or its `.partial`).
fn is_of_input(error: &puyu_dataset::DatasetError, quarantine: &Path) -> bool {
    !error.to_string().contains(&*quarantine.to_string_lossy())
}

fn read_defects(path: &Path, most: usize) -> Result<Vec<Defect>> {
    let cannot = || format!("cannot read {}", path.display());
    let lines = BufReader::new(File::open(path).with_context(cannot)?).lines().take(most);
    lines.map(|line| Ok(serde_json::from_str(&line?)?)).collect::<Result<_>>().with_context(cannot)
}

fn text(answer: &Answer) -> String {
    let mut text = String::new();
    for defect in &answer.defects {
        let byte = defect.offset.map(|offset| format!(", byte {offset}")).unwrap_or_default();
        let field = defect.field.as_ref().map(|field| format!("`{field}`: ")).unwrap_or_default();
        let Defect { file, row, kind, expected, found, .. } = defect;
        let line = format!("{file}, row {row}{byte}: {kind}: {field}expected {expected}");
        text.push_str(&format!("{line}, found {found}\n"));
    }
    if answer.not_listed > 0 {
        text.push_str(&format!("… and {} more (raise --max)\n", answer.not_listed));
    }
    for failed in &answer.reading.files_failed {
        text.push_str(&format!("{}\n", failed.reason));
    }
    let mut table = Table::new(["", "rows"]).with_alignment([Align::Left, Align::Right]);
    table.push(["good".to_owned(), answer.rows_good.to_string()]);
    table.push(["bad".to_owned(), answer.reading.rows_bad.to_string()]);
    for (kind, n) in &answer.reading.bad_by_kind {
        table.push([format!("  {kind}"), n.to_string()]);
    }
    if !text.is_empty() {
        text.push('\n');
    }
    format!("{text}{table}")
}
