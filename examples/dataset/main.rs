//! Data at the command line: look, count, convert, clean, deduplicate, tokenise, pack.
//!
//! ```text
//! cargo run --release --example dataset -- stats path/to/wanjuan --json
//! ```
#![forbid(unsafe_code)]
#![allow(unreachable_pub, reason = "modules of one program")]
#![allow(clippy::print_stdout, reason = "a front end talks to its user")]

mod clean;
mod convert;
mod dedup;
mod inspect;
mod lint;
mod output;
mod pack;
mod preview;
mod rows;
mod stats;
mod tokenize;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use output::Output;

/// Looks at, converts, cleans and packs data for language models.
#[derive(Parser)]
#[command(name = "dataset")]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
    /// Print one JSON object on standard output, and no progress.
    #[arg(long, global = true)]
    json: bool,
    /// Threads; all cores by default.
    #[arg(long, global = true)]
    threads: Option<usize>,
}

#[derive(Subcommand)]
enum Verb {
    /// What files are: container, columns, rows, the form of their rows.
    Inspect(inspect::Arguments),
    /// Documents, bytes, tokens, languages, lengths, duplicates.
    Stats(stats::Arguments),
    /// The same rows in another container or form.
    Convert(convert::Arguments),
    /// Web pages and documents through the cleaning steps, with retention for each.
    Clean(clean::Arguments),
    /// Exact and near duplicates found, and dropped.
    Dedup(dedup::Arguments),
    /// Documents to a memory-mapped token cache, shard by shard, on as many machines as you like.
    Tokenize(tokenize::Arguments),
    /// Token caches to rows of fixed length.
    Pack(pack::Arguments),
    /// Some rows, as a person would like to read them.
    Preview(preview::Arguments),
    /// Every defect, with file, row, byte and field.
    Lint(lint::Arguments),
}

fn main() -> ExitCode {
    let Arguments { verb, json, threads } = Arguments::parse();
    let output = Output::new(json, threads);
    let result = match verb {
        Verb::Inspect(arguments) => inspect::run(&arguments, &output),
        Verb::Stats(arguments) => stats::run(&arguments, &output),
        Verb::Convert(arguments) => convert::run(&arguments, &output),
        Verb::Clean(arguments) => clean::run(&arguments, &output),
        Verb::Dedup(arguments) => dedup::run(&arguments, &output),
        Verb::Tokenize(arguments) => tokenize::run(&arguments, &output),
        Verb::Pack(arguments) => pack::run(&arguments, &output),
        Verb::Preview(arguments) => preview::run(&arguments, &output),
        Verb::Lint(arguments) => lint::run(&arguments, &output),
    };
    match result {
        Ok(code) => code,
        Err(error) => output::fail(&error),
    }
}
