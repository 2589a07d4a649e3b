//! Talks with a model, the small one of the repository by default.
//!
//! ```text
//! cargo run --release --example chat
//! echo "What is the capital of France?" | cargo run --release --example chat
//! cargo run --release --example chat -- --model DIR --system "请用中文回答。"
//! ```
#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a front end talks to its user")]

use std::io::{BufRead as _, IsTerminal as _, Write as _};
use std::ops::ControlFlow;
use std::process::ExitCode;

use clap::Parser;
use puyu::core::{Event, Generation, Message};
use puyu::deploy::Chat;
use puyu_examples::{ModelArguments, fail};
use rustyline::error::ReadlineError;

/// Talks with a model. On a terminal line by line; in a pipe each line is a message.
#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    model: ModelArguments,
    /// System message.
    #[arg(long, default_value = "")]
    system: String,
    /// Tokens of an answer at most.
    #[arg(long)]
    max_new_tokens: Option<usize>,
    /// Divides the logits; 0 takes the most probable token.
    #[arg(long)]
    temperature: Option<f32>,
    /// Start of the random numbers.
    #[arg(long)]
    seed: Option<u64>,
    /// Prints one JSON object per answer instead of streaming text.
    #[arg(long)]
    json: bool,
}

const HELP: &str = "\
/help            this text                          帮助
/system TEXT     sets the system message            设置系统提示
/history         shows the conversation             查看对话
/clear           starts anew                        重新开始
/quit            leaves; Ctrl-D does too            退出
Anything else is a message to the model.            其他输入都发给模型。";

/// Bytes of a line at most. A million characters of Chinese fit.
const LINE_LIMIT_BYTES: u64 = 4 << 20;

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}

fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let pipeline = arguments.model.open()?;
    let mut options = pipeline.default_options().clone();
    options.max_new_tokens = arguments.max_new_tokens.unwrap_or(options.max_new_tokens);
    options.temperature = arguments.temperature.unwrap_or(options.temperature);
    options.seed = arguments.seed.or(options.seed);
    let mut chat = pipeline.chat().with_options(options);
    chat.set_system(&arguments.system);
    if std::io::stdin().is_terminal() {
        converse(&mut chat, arguments.json)
    } else {
        answer_lines(&mut chat, arguments.json)
    }
}

/// A person at a terminal.
fn converse(chat: &mut Chat, json: bool) -> anyhow::Result<()> {
    println!("Puyu 浦语. /help shows what can be typed. /help 查看可用命令。");
    let mut editor = rustyline::DefaultEditor::new()?;
    loop {
        match editor.readline("> ") {
            Ok(line) => {
                editor.add_history_entry(&line)?;
                if respond(chat, &line, json)? == Outcome::Quit {
                    return Ok(());
                }
            }
            Err(ReadlineError::Eof | ReadlineError::Interrupted) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
}

/// A program, or a file.
fn answer_lines(chat: &mut Chat, json: bool) -> anyhow::Result<()> {
    let mut input = std::io::stdin().lock();
    let mut n_failed = 0;
    for number in 1.. {
        let mut line = Vec::new();
        let n_bytes =
            std::io::Read::take(&mut input, LINE_LIMIT_BYTES + 1).read_until(b'\n', &mut line)?;
        if n_bytes == 0 {
            break;
        }
        anyhow::ensure!(
            n_bytes as u64 <= LINE_LIMIT_BYTES,
            "standard input, line {number}: expected at most {LINE_LIMIT_BYTES} bytes"
        );
        let line = String::from_utf8(line).map_err(|error| {
            let at = error.utf8_error().valid_up_to();
            anyhow::anyhow!("standard input, line {number}: no UTF-8 from byte {at} on")
        })?;
        match respond(chat, &line, json)? {
            Outcome::Done => {}
            Outcome::Failed => n_failed += 1,
            Outcome::Quit => break,
        }
    }
    anyhow::ensure!(n_failed == 0, "{n_failed} messages have no answer");
    Ok(())
}

/// What a line led to.
#[derive(PartialEq, Eq)]
enum Outcome {
    Done,
    /// A message that the model could not answer; the conversation goes on without it.
    Failed,
    Quit,
}

/// Obeys a command or answers a message.
fn respond(chat: &mut Chat, line: &str, json: bool) -> anyhow::Result<Outcome> {
    let line = line.trim();
    let (command, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    match command {
        "" => {}
        "/quit" | "/exit" => return Ok(Outcome::Quit),
        "/help" => println!("{HELP}"),
        "/clear" => chat.clear(),
        "/system" => chat.set_system(rest.trim()),
        "/history" => {
            for message in chat.messages() {
                println!("{}: {}", message.role.as_str(), message.text());
            }
        }
        unknown if unknown.starts_with('/') => println!("unknown command {unknown}\n{HELP}"),
        _ => return answer(chat, line, json),
    }
    Ok(Outcome::Done)
}

fn answer(chat: &mut Chat, text: &str, json: bool) -> anyhow::Result<Outcome> {
    let mut out = std::io::stdout().lock();
    let sent = chat.send(Message::user(text), &mut |event| {
        if let Event::Token { text, .. } = event
            && !json
            && (write!(out, "{text}").is_err() || out.flush().is_err())
        {
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    });
    match sent {
        Ok(generation) if json => writeln!(out, "{}", serde_json::json!(generation))?,
        Ok(generation) => {
            write_calls(&mut out, &generation)?;
            writeln!(out)?;
        }
        // A message that does not fit is no reason to lose the conversation.
        Err(error) => {
            let error = anyhow::Error::from(error);
            if json {
                writeln!(out, "{}", serde_json::json!({ "error": format!("{error:#}") }))?;
            }
            eprintln!("error: {error:#}");
            return Ok(Outcome::Failed);
        }
    }
    Ok(Outcome::Done)
}

fn write_calls(out: &mut impl std::io::Write, generation: &Generation) -> std::io::Result<()> {
    for call in generation.completions.iter().flat_map(|completion| &completion.tool_calls) {
        write!(out, "[{} {}]", call.function.name, call.function.arguments)?;
    }
    Ok(())
}
