//! Writes a checkpoint of random bf16 weights in a released shape, to measure loading and speed
//! without a download.
//!
//! ```text
//! cargo run --release --example random_model -- --shape internlm2-1.8b --out out/random-1.8b
//! ```
#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, reason = "a front end talks to its user")]

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use puyu::model::{Preset, write_random};
use puyu_examples::fail;

/// Writes a model of random weights.
#[derive(Parser)]
struct Arguments {
    /// Released shape, such as internlm2-1.8b, internlm2-7b, internlm-7b, internlm3-8b or tiny.
    #[arg(long)]
    shape: Preset,
    /// Folder to write.
    #[arg(long)]
    out: PathBuf,
    /// Number that decides the weights.
    #[arg(long, default_value_t = 7)]
    seed: u64,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let config = arguments.shape.config();
    match write_random(&arguments.out, &config, arguments.seed) {
        Ok(()) => {
            let (shape, out) = (arguments.shape, arguments.out.display());
            println!("wrote {} parameters of {shape} to {out}", config.n_parameters());
            ExitCode::SUCCESS
        }
        Err(error) => fail(&error.into()),
    }
}
