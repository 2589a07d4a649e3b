//! Some rows, as a person would like to read them.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Result;
use puyu_core::Message;
use puyu_dataset::manifest::{self, FileRows, Manifest, ScanOptions};
use puyu_dataset::order::{self, Consumer, ShuffledRows};
use puyu_dataset::record::{AnyRecord, Image, Interleaved, Part, PreferencePair};
use puyu_dataset::stream::{Policy, RecordStream, StreamOptions};
use serde::Serialize;

use super::inspect::shorten;
use super::output::Output;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Files, folders or patterns such as 'nlp/**/part-*.jsonl.gz'.
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// How many rows.
    #[arg(long, default_value_t = 5)]
    rows: usize,
    /// Good rows that are passed over first.
    #[arg(long, default_value_t = 0, value_name = "ROW")]
    from: usize,
    /// Shows rows in the order of training with this seed; reads all files once to count them.
    #[arg(long, value_name = "SEED")]
    shuffled: Option<u64>,
    /// Characters of a text that are shown.
    #[arg(long, default_value_t = 300)]
    characters: usize,
}

#[derive(Serialize)]
struct Answer {
    rows: Vec<Shown>,
    /// Bad rows that lay between.
    rows_bad: u64,
    /// Files that could not be read to their end.
    errors: Vec<String>,
}

#[derive(Serialize)]
struct Shown {
    /// File, row and byte; of shuffled rows the file and the number of the row in all files.
    place: String,
    form: &'static str,
    id: Option<String>,
    /// Texts, turns and pictures, shortened.
    lines: Vec<String>,
}

pub(crate) fn run(arguments: &Arguments, output: &Output) -> Result<ExitCode> {
    let answer = match arguments.shuffled {
        None => in_order(arguments, output)?,
        Some(seed) => shuffled(arguments, seed, output)?,
    };
    output.answer(&answer, text)?;
    let all_read = answer.errors.is_empty();
    Ok(if all_read { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn in_order(arguments: &Arguments, output: &Output) -> Result<Answer> {
    let options = StreamOptions::default()
        .with_policy(Policy::Skip)
        .with_threads(output.threads().min(StreamOptions::MOST_THREADS));
    let mut stream =
        RecordStream::<AnyRecord>::builder(&arguments.paths).options(options).start()?;
    let mut rows = Vec::new();
    let mut errors = Vec::new();
    let mut passed = 0;
    while rows.len() < arguments.rows {
        match stream.next() {
            None => break,
            Some(Err(error)) => errors.push(format!("{:#}", anyhow::Error::from(error))),
            Some(Ok(_)) if passed < arguments.from => passed += 1,
            Some(Ok((location, record))) => {
                rows.push(shown(location.to_string(), record, arguments.characters));
            }
        }
    }
    Ok(Answer { rows, rows_bad: stream.report().rows_bad, errors })
}

fn shuffled(arguments: &Arguments, seed: u64, output: &Output) -> Result<Answer> {
    let bar = output.bytes_bar(0, "scanning");
    let manifest = Manifest::scan(&arguments.paths, &ScanOptions::default(), &|progress| {
        bar.set_length(progress.bytes_total);
        bar.set_position(progress.bytes_done);
    })?;
    bar.finish_and_clear();
    let source = Arc::new(FileRows::<AnyRecord>::open(manifest, manifest::RowsOptions::default())?);
    let options = order::RowsOptions { seed, ..Default::default() };
    let mut answer = Answer { rows: Vec::new(), rows_bad: 0, errors: Vec::new() };
    let mut passed = 0;
    for given in ShuffledRows::start(source.clone(), &options, Consumer::ONE)? {
        let given = given?;
        match given.value {
            Err(_) => answer.rows_bad += 1,
            Ok(_) if passed < arguments.from => passed += 1,
            Ok(_) if answer.rows.len() == arguments.rows => break,
            Ok(record) => {
                let manifest = source.manifest();
                let (shard, row) = source.place_of(given.row);
                let file = manifest.path_of(&manifest.shards()[shard]);
                let place = format!(
                    "{}, number {row}, position {} of the epoch",
                    file.display(),
                    given.position
                );
                answer.rows.push(shown(place, record, arguments.characters));
            }
        }
    }
    Ok(answer)
}

fn shown(place: String, record: AnyRecord, characters: usize) -> Shown {
    let form = record.form().as_str();
    let id = record.id().map(str::to_owned);
    Shown { place, form, id, lines: lines(record, characters) }
}

/// A row as far as it is counted.
pub(crate) struct Content {
    pub(crate) text: String,
    pub(crate) images: u64,
}

impl Content {
    /// The text of a row, whatever its form: of conversations what is said, joined.
    pub(crate) fn of(record: AnyRecord) -> Self {
        if let Some(text) = record.text() {
            let images = match &record {
                AnyRecord::ImageText(row) => row.img_list.len() as u64,
                AnyRecord::Captioned(_) => 1,
                _ => 0,
            };
            return Self { text: text.into_owned(), images };
        }
        match record {
            AnyRecord::ImageCaptions(row) => Self { text: row.captions.join("\n"), images: 1 },
            AnyRecord::VideoDescription(row) => {
                let captions = row.captions.into_iter().map(|caption| caption.text);
                let texts = row.title.into_iter().chain(row.description).chain(captions);
                Self { text: texts.collect::<Vec<_>>().join("\n"), images: 0 }
            }
            AnyRecord::Preference(row) => {
                let pair = PreferencePair::try_from(row).unwrap_or_default();
                Self::said(pair.prompt.iter().chain(&pair.chosen).chain(&pair.rejected), 0)
            }
            AnyRecord::ShareGpt(row) => {
                let images = row.pictures().len() as u64;
                Self::conversation(AnyRecord::ShareGpt(row), images)
            }
            AnyRecord::Interleaved(_)
            | AnyRecord::Mmc4(_)
            | AnyRecord::Obelics(_)
            | AnyRecord::ContentList(_) => {
                let sample = record.into_interleaved().unwrap_or_default();
                let images = sample.images().count() + sample.unplaced.len();
                Self { text: sample.text_with(""), images: images as u64 }
            }
            other => Self::conversation(other, 0),
        }
    }

    fn conversation(record: AnyRecord, images: u64) -> Self {
        let conversation = record.into_conversation().unwrap_or_default();
        Self::said(conversation.messages().iter(), images)
    }

    fn said<'a>(messages: impl Iterator<Item = &'a Message>, images: u64) -> Self {
        let texts: Vec<String> = messages.map(Message::text).collect();
        Self { text: texts.join("\n"), images }
    }
}

/// The row for a reader: turns by role, pictures in their place, else the text.
fn lines(record: AnyRecord, characters: usize) -> Vec<String> {
    match record {
        AnyRecord::ImageText(_)
        | AnyRecord::Interleaved(_)
        | AnyRecord::Mmc4(_)
        | AnyRecord::Obelics(_)
        | AnyRecord::ContentList(_) => match record.into_interleaved() {
            Ok(sample) => parts(&sample, characters),
            Err(fault) => vec![fault.to_string()],
        },
        AnyRecord::Preference(row) => match PreferencePair::try_from(row) {
            Ok(pair) => pair_lines(&pair, characters),
            Err(fault) => vec![fault.to_string()],
        },
        AnyRecord::ImageCaptions(row) => {
            let image = Image {
                source: row.file_name,
                width: row.width,
                height: row.height,
                ..Image::default()
            };
            let captions = row.captions.iter().map(|caption| shorten(caption, characters));
            std::iter::once(picture(&image)).chain(captions).collect()
        }
        AnyRecord::Captioned(ref row) => {
            vec![
                format!("[image {}.{}]", row.key, row.extension),
                shorten(&row.caption, characters),
            ]
        }
        record if record.text().is_none() && record.id().is_none() => {
            match record.into_conversation() {
                Ok(conversation) => {
                    conversation.messages().iter().map(|m| turn(m, characters)).collect()
                }
                Err(fault) => vec![fault.to_string()],
            }
        }
        other => vec![shorten(&Content::of(other).text, characters)],
    }
}

fn parts(sample: &Interleaved, characters: usize) -> Vec<String> {
    let part = |part: &Part| match part {
        Part::Text { text } => shorten(text.trim(), characters),
        Part::Image(image) => picture(image),
    };
    let unplaced =
        sample.unplaced.iter().map(|image| format!("{} without a place", picture(image)));
    sample.parts.iter().map(part).filter(|line| !line.is_empty()).chain(unplaced).collect()
}

fn picture(image: &Image) -> String {
    match (image.width, image.height) {
        (Some(width), Some(height)) => format!("[image {} {width}x{height}]", image.source),
        _ => format!("[image {}]", image.source),
    }
}

fn pair_lines(pair: &PreferencePair, characters: usize) -> Vec<String> {
    let prompt = pair.prompt.iter().map(|message| turn(message, characters));
    let chosen = pair.chosen.iter().map(|m| format!("chosen   {}", turn(m, characters)));
    let rejected = pair.rejected.iter().map(|m| format!("rejected {}", turn(m, characters)));
    prompt.chain(chosen).chain(rejected).collect()
}

fn turn(message: &Message, characters: usize) -> String {
    let mut line = format!("{}: {}", message.role, shorten(&message.text(), characters));
    if !message.is_text_only() {
        line.push_str(" [with pictures or sound]");
    }
    for call in &message.tool_calls {
        let arguments = shorten(&call.function.arguments, characters);
        line.push_str(&format!(" [calls {}({arguments})]", call.function.name));
    }
    line
}

fn text(answer: &Answer) -> String {
    let mut text = String::new();
    for Shown { place, form, id, lines } in &answer.rows {
        let id = id.as_ref().map(|id| format!(", id {id}")).unwrap_or_default();
        text.push_str(&format!("── {form}{id} ── {place}\n"));
        for line in lines {
            text.push_str(&format!("  {}\n", line.replace('\n', "\n  ")));
        }
        text.push('\n');
    }
    text.push_str(&format!("{} rows", answer.rows.len()));
    if answer.rows_bad > 0 {
        text.push_str(&format!("; {} bad rows left out, see `lint`", answer.rows_bad));
    }
    for error in &answer.errors {
        text.push_str(&format!("\n{error}"));
    }
    text
}
