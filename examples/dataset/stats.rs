//! Documents, bytes, characters, tokens, languages, lengths, duplicates, by form and folder.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::ValueEnum;
use puyu_dataset::clean::detect_language;
use puyu_dataset::dedup::{ExactDedup, ExactOptions};
use puyu_dataset::record::AnyRecord;
use puyu_dataset::report::{Align, Table, bars};
use puyu_dataset::stream::{Policy, ReadReport, RecordStream, StreamOptions};
use puyu_text::Tokenizer;
use rayon::prelude::*;
use serde::Serialize;

use super::output::Output;
use super::preview::Content;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Files, folders or patterns such as 'nlp/**/part-*.jsonl.gz'.
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// Folder of a tokenizer; without it tokens are not counted.
    #[arg(long, value_name = "FOLDER")]
    tokenizer: Option<PathBuf>,
    /// Draws the lengths of the documents here.
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Which duplicates are counted.
    #[arg(long, value_enum, default_value_t = Duplicates::Exact)]
    duplicates: Duplicates,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Duplicates {
    /// Documents with the same text, byte for byte.
    Exact,
    /// None.
    None,
}

/// Text that is measured at a time, in bytes.
const BATCH_BYTES: usize = 8 << 20;

#[derive(Clone, Copy, Default, Serialize)]
struct Sums {
    documents: u64,
    bytes: u64,
    characters: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    tokens: Option<u64>,
    images: u64,
}

impl Sums {
    fn add(&mut self, other: Self) {
        self.documents += other.documents;
        self.bytes += other.bytes;
        self.characters += other.characters;
        self.images += other.images;
        if let Some(tokens) = other.tokens {
            *self.tokens.get_or_insert(0) += tokens;
        }
    }
}

#[derive(Serialize)]
struct Part {
    name: String,
    #[serde(flatten)]
    sums: Sums,
    share_documents: f64,
    share_bytes: f64,
}

/// Documents with at least `from` and fewer than `to` characters.
#[derive(Serialize)]
struct Bin {
    from: u64,
    to: u64,
    documents: u64,
}

#[derive(Serialize)]
struct Repeats {
    /// Documents that equal an earlier one.
    documents: u64,
    share: f64,
    /// Texts that occur more than once.
    clusters: u64,
}

#[derive(Serialize)]
struct Answer {
    #[serde(flatten)]
    sums: Sums,
    files: usize,
    languages: Vec<Part>,
    forms: Vec<Part>,
    folders: Vec<Part>,
    lengths: Vec<Bin>,
    duplicates: Option<Repeats>,
    #[serde(flatten)]
    reading: Reading,
}

/// What could not be read.
#[derive(Serialize)]
pub(crate) struct Reading {
    pub(crate) rows_bad: u64,
    pub(crate) bad_by_kind: BTreeMap<&'static str, u64>,
    pub(crate) files_failed: Vec<Failed>,
}

/// A file that was not read to its end.
#[derive(Serialize)]
pub(crate) struct Failed {
    pub(crate) file: PathBuf,
    pub(crate) reason: String,
}

impl From<&ReadReport> for Reading {
    fn from(report: &ReadReport) -> Self {
        let failed = report.by_file.iter().filter_map(|file| {
            Some(Failed { file: file.path.clone(), reason: file.failed.clone()? })
        });
        Self {
            rows_bad: report.rows_bad,
            bad_by_kind: report.by_kind.iter().map(|(kind, n)| (kind.as_str(), *n)).collect(),
            files_failed: failed.collect(),
        }
    }
}

pub(crate) fn run(arguments: &Arguments, output: &Output) -> Result<ExitCode> {
    let open = |folder: &PathBuf| {
        Tokenizer::open(folder).with_context(|| format!("no tokenizer in {}", folder.display()))
    };
    let tokenizer = arguments.tokenizer.as_ref().map(open).transpose()?;
    let options = StreamOptions::default().with_policy(Policy::Skip);
    let threads = output.threads().min(StreamOptions::MOST_THREADS);
    let mut stream = RecordStream::<AnyRecord>::builder(&arguments.paths)
        .options(options.with_threads(threads))
        .start()?;
    let root = common_folder(stream.files());
    let spill = tempfile::tempdir()?;
    let mut counter = Counter::new(tokenizer.as_ref(), root);
    if arguments.duplicates == Duplicates::Exact {
        counter.dedup = Some(ExactDedup::new(&ExactOptions::default(), spill.path())?);
    }
    let pool = rayon::ThreadPoolBuilder::new().num_threads(output.threads()).build()?;
    let bar = output.count_bar(0, "rows");
    loop {
        let batch = read_batch(&mut stream);
        if batch.is_empty() {
            break;
        }
        bar.inc(batch.len() as u64);
        pool.install(|| counter.add(&batch))?;
    }
    bar.finish_and_clear();
    let answer = counter.finish(stream.report())?;
    if let Some(path) = &arguments.svg {
        write_histogram(path, &answer.lengths)?;
    }
    output.answer(&answer, text)?;
    Ok(ExitCode::SUCCESS)
}

struct Row {
    file: std::sync::Arc<Path>,
    form: &'static str,
    content: Content,
}

/// The next rows. Files that cannot be read stand in the stream's report.
fn read_batch(stream: &mut RecordStream<AnyRecord>) -> Vec<Row> {
    let (mut batch, mut bytes) = (Vec::new(), 0);
    for (location, record) in stream.filter_map(Result::ok) {
        let form = record.form().as_str();
        let content = Content::of(record);
        bytes += content.text.len() + size_of::<Row>();
        batch.push(Row { file: location.file, form, content });
        if bytes >= BATCH_BYTES {
            break;
        }
    }
    batch
}

struct Counter<'a> {
    tokenizer: Option<&'a Tokenizer>,
    root: PathBuf,
    dedup: Option<ExactDedup>,
    sums: Sums,
    languages: BTreeMap<String, Sums>,
    forms: BTreeMap<String, Sums>,
    folders: BTreeMap<String, Sums>,
    /// By the number of bits of the length.
    lengths: BTreeMap<u32, u64>,
}

impl<'a> Counter<'a> {
    fn new(tokenizer: Option<&'a Tokenizer>, root: PathBuf) -> Self {
        let sums = Sums { tokens: tokenizer.map(|_| 0), ..Default::default() };
        let (languages, forms, folders, lengths) = Default::default();
        Self { tokenizer, root, dedup: None, sums, languages, forms, folders, lengths }
    }

    fn add(&mut self, batch: &[Row]) -> Result<()> {
        let tokenizer = self.tokenizer;
        let measured = batch.par_iter().map(|row| measure(&row.content, tokenizer));
        let measured: Vec<(Sums, String)> = measured.collect::<Result<_>>()?;
        for (row, (sums, language)) in batch.iter().zip(measured) {
            self.sums.add(sums);
            self.languages.entry(language).or_default().add(sums);
            self.forms.entry(row.form.to_owned()).or_default().add(sums);
            let folder = folder_of(&row.file, &self.root);
            self.folders.entry(folder).or_default().add(sums);
            *self.lengths.entry(u64::BITS - sums.characters.leading_zeros()).or_default() += 1;
            if let Some(dedup) = &mut self.dedup {
                dedup.push(&row.content.text)?;
            }
        }
        Ok(())
    }

    fn finish(self, report: &ReadReport) -> Result<Answer> {
        let sums = self.sums;
        let duplicates = match self.dedup {
            None => None,
            Some(dedup) => {
                let found = dedup.finish()?;
                let (documents, clusters) = (found.report().dropped, found.report().clusters);
                let share = share(documents, sums.documents);
                Some(Repeats { documents, share, clusters })
            }
        };
        let bin = |(bits, documents)| Bin {
            from: if bits == 0 { 0 } else { 1_u64 << (bits - 1) },
            to: 1_u64.checked_shl(bits).unwrap_or(u64::MAX),
            documents,
        };
        let mut languages = parts(self.languages, sums);
        languages.sort_by_key(|part| std::cmp::Reverse(part.sums.bytes));
        Ok(Answer {
            sums,
            files: report.by_file.len(),
            languages,
            forms: parts(self.forms, sums),
            folders: parts(self.folders, sums),
            lengths: self.lengths.into_iter().map(bin).collect(),
            duplicates,
            reading: report.into(),
        })
    }
}

/// The counts of one text, and its language with its script.
fn measure(content: &Content, tokenizer: Option<&Tokenizer>) -> Result<(Sums, String)> {
    let text = &content.text;
    let tokens = tokenizer.map(|tokenizer| tokenizer.encode_as_text(text)).transpose()?;
    let language = detect_language(text);
    let sums = Sums {
        documents: 1,
        bytes: text.len() as u64,
        characters: text.chars().count() as u64,
        tokens: tokens.map(|tokens| tokens.len() as u64),
        images: content.images,
    };
    Ok((sums, format!("{}-{}", language.code, language.script)))
}

fn share(part: u64, all: u64) -> f64 {
    if all == 0 { 0.0 } else { part as f64 / all as f64 }
}

fn parts(parts: BTreeMap<String, Sums>, all: Sums) -> Vec<Part> {
    let part = |(name, sums): (String, Sums)| {
        let share_documents = share(sums.documents, all.documents);
        Part { name, sums, share_documents, share_bytes: share(sums.bytes, all.bytes) }
    };
    parts.into_iter().map(part).collect()
}

/// The deepest folder that holds all files.
fn common_folder(files: &[PathBuf]) -> PathBuf {
    let mut folders = files.iter().filter_map(|file| file.parent());
    let first = folders.next().unwrap_or(Path::new(""));
    folders.fold(first.to_owned(), |common, folder| {
        let same = common.components().zip(folder.components()).take_while(|(a, b)| a == b);
        same.map(|(component, _)| component).collect()
    })
}

fn folder_of(file: &Path, root: &Path) -> String {
    let folder = file.parent().unwrap_or(Path::new(""));
    match folder.strip_prefix(root) {
        Ok(below) if below.as_os_str().is_empty() => ".".to_owned(),
        Ok(below) => below.display().to_string(),
        Err(_) => folder.display().to_string(),
    }
}

fn write_histogram(path: &Path, lengths: &[Bin]) -> Result<()> {
    let rows: Vec<(String, f64)> =
        lengths.iter().map(|bin| (range(bin), bin.documents as f64)).collect();
    let svg = bars("documents by length in characters", "", &rows);
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let cannot = || format!("cannot write {}", path.display());
    let mut file =
        tempfile::NamedTempFile::new_in(folder.unwrap_or(Path::new("."))).with_context(cannot)?;
    std::io::Write::write_all(&mut file, svg.as_bytes()).with_context(cannot)?;
    file.as_file().sync_all().with_context(cannot)?;
    file.persist(path).with_context(cannot)?;
    Ok(())
}

fn range(bin: &Bin) -> String {
    if bin.from == 0 { "0".to_owned() } else { format!("{} to {}", bin.from, bin.to - 1) }
}

fn text(answer: &Answer) -> String {
    let mut head = Table::new(["", ""]).with_alignment([Align::Left, Align::Right]);
    let sums = answer.sums;
    head.push(["files".to_owned(), answer.files.to_string()]);
    head.push(["documents".to_owned(), sums.documents.to_string()]);
    head.push(["bytes of text".to_owned(), sums.bytes.to_string()]);
    head.push(["characters".to_owned(), sums.characters.to_string()]);
    if let Some(tokens) = sums.tokens {
        head.push(["tokens".to_owned(), tokens.to_string()]);
        let each = format!("{:.2}", sums.bytes as f64 / tokens.max(1) as f64);
        head.push(["bytes per token".to_owned(), each]);
    }
    head.push(["images".to_owned(), sums.images.to_string()]);
    if let Some(Repeats { documents, share, .. }) = answer.duplicates {
        let text = format!("{documents} ({:.2} %)", share * 100.0);
        head.push(["exact duplicates".to_owned(), text]);
    }
    head.push(["bad rows".to_owned(), answer.reading.rows_bad.to_string()]);
    for (kind, n) in &answer.reading.bad_by_kind {
        head.push([format!("  {kind}"), n.to_string()]);
    }
    let mut text = head.to_string();
    let tables =
        [("language", &answer.languages), ("form", &answer.forms), ("folder", &answer.folders)];
    for (what, parts) in tables {
        text.push_str(&format!("\n{}", part_table(what, parts)));
    }
    text.push_str(&format!("\n{}", length_table(&answer.lengths)));
    for Failed { file, reason } in &answer.reading.files_failed {
        text.push_str(&format!("\nnot read to its end: {}: {reason}", file.display()));
    }
    text
}

fn part_table(what: &str, parts: &[Part]) -> Table {
    let has_tokens = parts.iter().any(|part| part.sums.tokens.is_some());
    let mut head = vec![what, "documents", "%", "bytes", "%", "characters", "images"];
    if has_tokens {
        head.push("tokens");
    }
    let alignment = (0..head.len()).map(|i| if i == 0 { Align::Left } else { Align::Right });
    let mut table = Table::new(head.clone()).with_alignment(alignment);
    for Part { name, sums, share_documents, share_bytes } in parts {
        let mut row = vec![
            name.clone(),
            sums.documents.to_string(),
            format!("{:.1}", share_documents * 100.0),
            sums.bytes.to_string(),
            format!("{:.1}", share_bytes * 100.0),
            sums.characters.to_string(),
            sums.images.to_string(),
        ];
        row.extend(sums.tokens.map(|tokens| tokens.to_string()));
        table.push(row);
    }
    table
}

fn length_table(lengths: &[Bin]) -> Table {
    const WIDEST: u64 = 40;
    let most = lengths.iter().map(|bin| bin.documents).max().unwrap_or(1);
    let mut table = Table::new(["characters", "documents", ""]).with_alignment([
        Align::Right,
        Align::Right,
        Align::Left,
    ]);
    for bin in lengths {
        let length = (bin.documents as f64 / most as f64 * WIDEST as f64).ceil() as usize;
        table.push([range(bin), bin.documents.to_string(), "█".repeat(length)]);
    }
    table
}
