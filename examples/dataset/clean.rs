//! `clean`: documents through the cleaning steps.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use puyu_dataset::DatasetError;
use puyu_dataset::clean::{
    CleanDocument, CutLines, HtmlOptions, LanguageFilter, LineOptions, Pipeline, PipelineOptions,
    Retention, StepOptions, StepRetention,
};
use puyu_dataset::container::JsonLinesWriter;
use puyu_dataset::dedup::{DecontaminateOptions, Decontaminator};
use serde::Serialize;
use serde_json::{Value, json};

use crate::output::Output;
use crate::rows::{self, Broken, Document, LeftOut, Source};

mod losses;

use losses::{Contaminated, Loss, Losses, Watched};

/// Web pages and documents through the cleaning steps.
///
/// Without --config these are the steps of WanJuan-CC: (main content of pages,) language, lines
/// that are no sentences, rules, duplicate lines, personal data.
#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    source: Source,
    /// The rows that stay, with clean text, in order; also .jsonl.zst and .jsonl.gz
    #[arg(long, value_name = "FILE.jsonl")]
    out: PathBuf,
    /// The steps and their options, as {"steps": [{"step": "language", "keep": ["cmn"]}, …]}
    #[arg(long, value_name = "FILE.json")]
    config: Option<PathBuf>,
    /// The field that holds raw HTML; the text goes to `content`.
    #[arg(long, value_name = "NAME", conflicts_with = "field")]
    html_field: Option<String>,
    /// Benchmarks whose items must not be in the text, as files of rows.
    #[arg(long, value_name = "FILE", num_args = 1..)]
    contamination: Vec<PathBuf>,
    /// The field of a benchmark's rows that is looked for [default: content, else text]
    #[arg(long, value_name = "NAME", requires = "contamination")]
    contamination_field: Option<String>,
    /// Also draw the share of documents left after each step.
    #[arg(long, value_name = "FILE.svg")]
    svg: Option<PathBuf>,
    /// Also write the rows that left, with step, rule, value and threshold.
    #[arg(long, value_name = "FILE.jsonl")]
    dropped: Option<PathBuf>,
}

#[derive(Serialize)]
struct Answer {
    out: String,
    documents: u64,
    documents_out: u64,
    steps: Vec<StepRetention>,
    #[serde(flatten)]
    left_out: LeftOut,
    #[serde(skip)]
    retention: Retention,
}

pub fn run(arguments: &Arguments, output: &Output) -> anyhow::Result<ExitCode> {
    rows::set_threads(output)?;
    let losses = Losses::default();
    let mut pipeline = arguments.pipeline(&losses, output)?;
    let answer = clean(arguments, &mut pipeline, &losses, output)?;
    if let Some(path) = &arguments.svg {
        let svg = answer.retention.svg("documents left after each step");
        std::fs::write(path, svg).with_context(|| format!("cannot write {}", path.display()))?;
    }
    output.answer(&answer, |answer| {
        let summary = format!("{} of {} documents kept", answer.documents_out, answer.documents);
        let (table, bad) = (answer.retention.table(), answer.left_out.line());
        format!("{table}\n{summary}\n{bad}written: {}\n", answer.out)
    })?;
    Ok(ExitCode::SUCCESS)
}

impl Arguments {
    fn options(&self) -> anyhow::Result<PipelineOptions> {
        let Some(path) = &self.config else {
            let usual = [
                StepOptions::Language(LanguageFilter::default()),
                StepOptions::CutLines(CutLines::default()),
                StepOptions::Rules(Box::default()),
                StepOptions::Lines(LineOptions::default()),
                StepOptions::Pii(Default::default()),
            ];
            let html = self.html_field.iter().map(|_| StepOptions::Html(HtmlOptions::default()));
            return Ok(PipelineOptions { steps: html.chain(usual).collect() });
        };
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read {}", path.display()))?;
        serde_json::from_str(&text)
            .with_context(|| format!("{} does not describe cleaning steps", path.display()))
    }

    fn pipeline(&self, losses: &Losses, output: &Output) -> anyhow::Result<Pipeline> {
        let options = self.options()?;
        let mut pipeline = match self.dropped {
            None => Pipeline::new(&options)?,
            Some(_) => {
                let mut pipeline = Pipeline::new(&PipelineOptions { steps: Vec::new() })?;
                for step in options.steps {
                    pipeline = pipeline.with_step(Watched::new(step, losses.clone())?);
                }
                pipeline
            }
        };
        if !self.contamination.is_empty() {
            let benchmarks = self.benchmarks(output).context("--contamination")?;
            pipeline = pipeline.with_step(Contaminated::new(benchmarks, losses.clone()));
        }
        Ok(pipeline)
    }

    fn benchmarks(&self, output: &Output) -> anyhow::Result<Decontaminator> {
        let mut items = Vec::new();
        for path in puyu_dataset::stream::discover(&self.contamination)? {
            let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
            let set = name.split('.').next().unwrap_or(&name).to_owned();
            let field = self.contamination_field.clone();
            let mut documents = rows::open_files(vec![path], field, output)?;
            for (number, document) in documents.by_ref().enumerate() {
                let document = document?;
                let id = document.id().map_or_else(|| number.to_string(), str::to_owned);
                items.push((set.clone(), id, document.text));
            }
            // A benchmark that is only half known would pass for clean.
            if let Some(bad) = documents.left_out().first_bad {
                anyhow::bail!("a benchmark row has no text: {bad}");
            }
        }
        Ok(Decontaminator::new(items, &DecontaminateOptions::default())?)
    }
}

/// Rows on their way through the steps, with their numbers, in order.
type Pending = VecDeque<(String, Document)>;

fn clean(
    arguments: &Arguments,
    pipeline: &mut Pipeline,
    losses: &Losses,
    output: &Output,
) -> anyhow::Result<Answer> {
    let source = Source {
        paths: arguments.source.paths.clone(),
        field: arguments.html_field.clone().or_else(|| arguments.source.field.clone()),
    };
    let mut documents = source.open(output)?;
    let mut sink = Sink::create(arguments, losses)?;
    let (pending, broken) = (RefCell::new(Pending::new()), Broken::default());
    let bar = output.count_bar(0, "cleaning");
    let mut n_documents = 0;
    let incoming = documents.by_ref().map_while(|document| broken.keep(document));
    let incoming = incoming.map(|mut document| {
        let content = std::mem::take(&mut document.text);
        let id = n_documents.to_string();
        n_documents += 1;
        bar.inc(1);
        pending.borrow_mut().push_back((id.clone(), document));
        CleanDocument::new(id, content)
    });
    let retention = pipeline.run(incoming, |clean| sink.keep(clean, &pending));
    broken.check()?;
    let retention = retention?;
    let documents_out = sink.finish(pending.into_inner())?;
    bar.finish_and_clear();
    Ok(Answer {
        out: arguments.out.display().to_string(),
        documents: n_documents,
        documents_out,
        steps: retention.steps.clone(),
        left_out: documents.left_out(),
        retention,
    })
}

/// Where rows go.
struct Sink<'a> {
    writer: JsonLinesWriter,
    dropped: Option<JsonLinesWriter>,
    losses: &'a Losses,
    /// Whether the rows are pages, which become rows of another form.
    is_html: bool,
    documents_out: u64,
}

impl<'a> Sink<'a> {
    fn create(arguments: &Arguments, losses: &'a Losses) -> Result<Self, DatasetError> {
        let create = |path: &Path| JsonLinesWriter::create(path, rows::compression(path));
        Ok(Self {
            writer: create(&arguments.out)?,
            dropped: arguments.dropped.as_deref().map(create).transpose()?,
            losses,
            is_html: arguments.html_field.is_some(),
            documents_out: 0,
        })
    }

    /// Writes a row that stays; the rows before it that are still pending have left.
    fn keep(
        &mut self,
        clean: CleanDocument,
        pending: &RefCell<Pending>,
    ) -> Result<(), DatasetError> {
        while let Some((id, document)) = pending.borrow_mut().pop_front() {
            if id == clean.id {
                self.documents_out += 1;
                return self.writer.write(&self.row(document, clean));
            }
            self.drop(&id, &document)?;
        }
        Ok(())
    }

    fn row(&self, document: Document, clean: CleanDocument) -> Value {
        let id = document.id().map(str::to_owned);
        match document.field {
            Some(field) if !self.is_html => {
                let mut row = document.row.value;
                if let Some(found) = row.pointer_mut(&rows::pointer(&field)) {
                    *found = Value::String(clean.content);
                }
                row
            }
            _ => {
                let mut row = json!({"id": id.unwrap_or(clean.id), "content": clean.content});
                if self.is_html {
                    row["title"] = clean.title.into();
                    row["url"] = document.row.value.get("url").cloned().unwrap_or_default();
                    row["language"] = clean.language.map(|language| language.code).into();
                }
                row
            }
        }
    }

    fn drop(&mut self, id: &str, document: &Document) -> Result<(), DatasetError> {
        let Some(writer) = &mut self.dropped else { return Ok(()) };
        let Loss { step, rule, value, threshold } = self.losses.take(id);
        writer.write(&json!({
            "step": step,
            "rule": rule,
            "value": value,
            "threshold": threshold,
            "row": document.row.value,
        }))
    }

    /// Writes what is left and gives the files their names. Returns how many rows stayed.
    fn finish(mut self, rest: Pending) -> Result<u64, DatasetError> {
        for (id, document) in rest {
            self.drop(&id, &document)?;
        }
        self.writer.finish()?;
        self.dropped.map_or(Ok(()), JsonLinesWriter::finish)?;
        Ok(self.documents_out)
    }
}
