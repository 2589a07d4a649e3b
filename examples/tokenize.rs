//! Turns text into token ids and back.
//!
//! ```text
//! cargo run --release --example tokenize -- --text "你好，浦语"
//! cargo run --release --example tokenize -- --model DIR --ids 77230,60353
//! cargo run --release --example tokenize -- --model DIR --jsonl requests.jsonl
//! ```
//!
//! A line of the file is `{"op": "encode", "text": "…"}` or `{"op": "decode", "ids": […]}` and gets
//! one line of output, `{"ids": […], "pieces": […]}` or `{"text": "…"}`. No `<s>` is added, and
//! special tokens in a text are text: the ids are those of the vocabulary file alone.
#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, reason = "a front end talks to its user")]

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Read as _, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use clap::{CommandFactory as _, Parser};
use puyu::text::Tokenizer;
use puyu_examples::{embedded_model, fail, parse_ids};
use serde_json::{Value, json};

/// Longest line of a file: the longest text that a tokenizer accepts, with room for escapes.
const MAX_LINE_BYTES: u64 = 256 << 20;

/// Turns text into token ids and back.
#[derive(Parser)]
struct Arguments {
    /// Folder with `tokenizer.model` or `tokenizer.json`. The small model of the repository by
    /// default.
    #[arg(long, value_name = "DIR")]
    model: Option<PathBuf>,
    /// Text to encode.
    #[arg(long, conflicts_with_all = ["ids", "jsonl"], allow_hyphen_values = true)]
    text: Option<String>,
    /// Ids to decode: 1,2,3.
    #[arg(long, conflicts_with = "jsonl")]
    ids: Option<String>,
    /// File with one request per line, or `-` for standard input.
    #[arg(long, value_name = "FILE")]
    jsonl: Option<PathBuf>,
    /// Prints one JSON object. Requests of a file are always answered in JSON.
    #[arg(long)]
    json: bool,
}

/// What is asked for.
enum Request {
    Encode(String),
    Decode(Vec<u32>),
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever reads the output has seen enough, as `head` does.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}

fn run(arguments: &Arguments) -> Result<()> {
    let request = match (&arguments.text, &arguments.ids) {
        (Some(text), _) => Some(Request::Encode(text.clone())),
        (None, Some(ids)) => Some(Request::Decode(parse_ids(ids).map_err(anyhow::Error::msg)?)),
        (None, None) => None,
    };
    if request.is_none() && arguments.jsonl.is_none() {
        Arguments::command().print_help()?;
        bail!("nothing to do, expected --text, --ids or --jsonl");
    }
    let folder = arguments.model.clone().unwrap_or_else(embedded_model);
    let tokenizer = Tokenizer::open(folder)?;
    let mut out = BufWriter::new(io::stdout().lock());
    if let Some(request) = request {
        let answer = answer(&tokenizer, request)?;
        writeln!(out, "{}", if arguments.json { one_line(&answer) } else { plain(&answer) })?;
    }
    let result = match &arguments.jsonl {
        Some(path) => answer_lines(&tokenizer, path, &mut out),
        None => Ok(()),
    };
    // The answers before a bad line are good.
    out.flush()?;
    result
}

fn answer(tokenizer: &Tokenizer, request: Request) -> Result<Value> {
    Ok(match request {
        Request::Encode(text) => {
            let ids = tokenizer.encode(&text)?;
            let pieces: Vec<_> = ids.iter().map(|&id| tokenizer.id_to_piece(id)).collect();
            json!({ "ids": ids, "pieces": pieces })
        }
        Request::Decode(ids) => json!({ "text": tokenizer.decode(&ids)? }),
    })
}

/// The answer for a reader's eyes: the text, or ids above their pieces.
fn plain(answer: &Value) -> String {
    if let Some(text) = answer["text"].as_str() {
        return text.to_owned();
    }
    let words = |key: &str| {
        let items = answer[key].as_array().into_iter().flatten();
        items.map(|item| item.as_str().map_or_else(|| item.to_string(), str::to_owned))
    };
    let ids: Vec<String> = words("ids").collect();
    let pieces: Vec<String> = words("pieces").collect();
    format!("{}\n{}", ids.join(","), pieces.join(" "))
}

fn answer_lines(tokenizer: &Tokenizer, path: &Path, out: &mut impl Write) -> Result<()> {
    let mut lines: Box<dyn BufRead> = if path == Path::new("-") {
        Box::new(io::stdin().lock())
    } else {
        let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
        Box::new(BufReader::new(file))
    };
    let mut line = Vec::new();
    for number in 1u64.. {
        let place = || format!("{}, line {number}", path.display());
        line.clear();
        (&mut lines).take(MAX_LINE_BYTES).read_until(b'\n', &mut line).with_context(place)?;
        if line.is_empty() {
            break;
        }
        let request = read_request(&line).with_context(place)?;
        let answer = answer(tokenizer, request).with_context(place)?;
        writeln!(out, "{}", one_line(&answer))?;
    }
    Ok(())
}

/// JSON without the three characters beyond ASCII that some readers take for the end of a line.
fn one_line(answer: &Value) -> String {
    let json = answer.to_string();
    let json = json.replace('\u{85}', "\\u0085");
    json.replace('\u{2028}', "\\u2028").replace('\u{2029}', "\\u2029")
}

fn read_request(line: &[u8]) -> Result<Request> {
    if line.len() as u64 == MAX_LINE_BYTES && !line.ends_with(b"\n") {
        bail!("longer than {MAX_LINE_BYTES} bytes");
    }
    let line = std::str::from_utf8(line).context("not valid UTF-8")?;
    let mut request: Value = serde_json::from_str(line).context("not valid JSON")?;
    match (request["op"].as_str(), request.get("text"), request.get("ids")) {
        (Some("encode"), Some(Value::String(text)), _) => Ok(Request::Encode(text.clone())),
        (Some("encode"), _, _) => bail!("`text` must be a string"),
        (Some("decode"), _, Some(Value::Array(_))) => {
            let ids = serde_json::from_value(request["ids"].take());
            Ok(Request::Decode(ids.context("`ids` must be a list of token ids")?))
        }
        (Some("decode"), _, _) => bail!("`ids` must be a list of token ids"),
        _ => bail!("`op` must be `encode` or `decode`"),
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let io_error = error.downcast_ref::<io::Error>();
    io_error.is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}
