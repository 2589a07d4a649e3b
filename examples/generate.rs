//! Continues a prompt once and says how fast.
//!
//! ```text
//! cargo run --release --example generate -- --prompt "你好"
//! cargo run --release --example generate -- --model DIR --ids 1,2,3 --greedy --json
//! ```
#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, reason = "a front end talks to its user")]

use std::io::Write as _;
use std::ops::ControlFlow;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Context as _;
use clap::Parser;
use puyu::core::{Event, GenerateOptions, GenerateRequest, LanguageModel as _, Message, Prompt};
use puyu::deploy::Pipeline;
use puyu_examples::{ModelArguments, fail, parse_ids};

/// Continues a prompt.
#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    model: ModelArguments,
    /// Text to continue.
    #[arg(long, required_unless_present_any = ["ids", "message"], conflicts_with_all = ["ids", "message"])]
    prompt: Option<String>,
    /// Message to answer by the model's chat template.
    #[arg(long, conflicts_with = "ids")]
    message: Option<String>,
    /// Token ids to continue, as they are: 1,2,3.
    #[arg(long)]
    ids: Option<String>,
    /// Tokens to generate at most.
    #[arg(long)]
    max_new_tokens: Option<usize>,
    /// Divides the logits; 0 takes the most probable token.
    #[arg(long)]
    temperature: Option<f32>,
    /// Keeps the most probable tokens, so many.
    #[arg(long)]
    top_k: Option<usize>,
    /// Keeps the most probable tokens up to this share.
    #[arg(long)]
    top_p: Option<f32>,
    /// Keeps tokens at least this fraction as probable as the best.
    #[arg(long)]
    min_p: Option<f32>,
    /// Divides the logits of tokens that occur already.
    #[arg(long)]
    repetition_penalty: Option<f32>,
    /// Start of the random numbers.
    #[arg(long)]
    seed: Option<u64>,
    /// Takes the most probable token each time.
    #[arg(long, conflicts_with_all = ["temperature", "top_k", "top_p", "min_p"])]
    greedy: bool,
    /// Goes on after the model's end token.
    #[arg(long)]
    ignore_eos: bool,
    /// Text that ends the answer; may be given several times.
    #[arg(long)]
    stop: Vec<String>,
    /// Prints one JSON object instead of the text.
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}

fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let pipeline = arguments.model.open()?;
    let request = GenerateRequest::new(prompt(arguments)?, options(arguments, &pipeline));
    let prompt_ids = pipeline.encode(&request.prompt)?;
    let mut out = std::io::stdout().lock();
    let mut clock = Clock::start();
    let generation = pipeline.generate(&request, &mut |event| {
        if let Event::Token { text, .. } = event {
            clock.tick();
            if !arguments.json && (write!(out, "{text}").is_err() || out.flush().is_err()) {
                // Nobody reads any more.
                return ControlFlow::Break(());
            }
        }
        ControlFlow::Continue(())
    })?;
    let answer = generation.completions.first().context("the model gave no answer")?;
    let has_text = pipeline.tokenizer().is_some();
    if !arguments.json {
        writeln!(out)?;
        return Ok(());
    }
    let report = serde_json::json!({
        "prompt_ids": prompt_ids,
        "output_ids": answer.tokens,
        "text": has_text.then_some(&answer.text),
        "finish_reason": answer.reason.wire_name(),
        "prefill_tokens_per_s": clock.prefill_tokens_per_s(prompt_ids.len()),
        "decode_tokens_per_s": clock.decode_tokens_per_s(),
    });
    writeln!(out, "{report}")?;
    Ok(())
}

fn prompt(arguments: &Arguments) -> anyhow::Result<Prompt> {
    if let Some(ids) = &arguments.ids {
        return Ok(Prompt::Tokens(parse_ids(ids).map_err(anyhow::Error::msg)?));
    }
    if let Some(message) = &arguments.message {
        return Ok(Prompt::chat([Message::user(message.as_str())]));
    }
    let text = arguments.prompt.as_deref().context("give --prompt, --message or --ids")?;
    Ok(Prompt::text(text))
}

/// The checkpoint's own options, changed by what was asked for.
fn options(arguments: &Arguments, pipeline: &Pipeline) -> GenerateOptions {
    let mut options = pipeline.default_options().clone();
    let shares = [arguments.temperature, arguments.top_p, arguments.min_p];
    let wants_chance = arguments.top_k.is_some() || shares.iter().any(Option::is_some);
    if options.is_greedy() && wants_chance {
        options.temperature = GenerateOptions::default().temperature;
    }
    if arguments.greedy {
        options.temperature = 0.0;
    }
    options.max_new_tokens = arguments.max_new_tokens.unwrap_or(options.max_new_tokens);
    options.temperature = arguments.temperature.unwrap_or(options.temperature);
    options.top_k = arguments.top_k.or(options.top_k);
    options.top_p = arguments.top_p.unwrap_or(options.top_p);
    options.min_p = arguments.min_p.unwrap_or(options.min_p);
    options.repetition_penalty = arguments.repetition_penalty.unwrap_or(options.repetition_penalty);
    options.seed = arguments.seed.or(options.seed);
    options.ignore_eos = arguments.ignore_eos;
    options.stop_strings = arguments.stop.clone();
    options
}

/// When the first and the last token came.
struct Clock {
    start: Instant,
    first: Option<Instant>,
    last: Option<Instant>,
    n_tokens: usize,
}

impl Clock {
    fn start() -> Self {
        Self { start: Instant::now(), first: None, last: None, n_tokens: 0 }
    }

    fn tick(&mut self) {
        let now = Instant::now();
        self.first.get_or_insert(now);
        self.last = Some(now);
        self.n_tokens += 1;
    }

    /// Prompt tokens over the time to the first token.
    fn prefill_tokens_per_s(&self, n_prompt: usize) -> Option<f64> {
        let seconds = (self.first? - self.start).as_secs_f64();
        (seconds > 0.0).then(|| n_prompt as f64 / seconds)
    }

    /// Tokens after the first over the time since the first.
    fn decode_tokens_per_s(&self) -> Option<f64> {
        let seconds = (self.last? - self.first?).as_secs_f64();
        (seconds > 0.0).then(|| (self.n_tokens - 1) as f64 / seconds)
    }
}
