//! Measures a model: prefill, decoding, memory, and what the machine could do at most.
//!
//! ```text
//! cargo run --release --example bench -- --shape internlm2-1.8b --weights int4 --threads 2
//! ```
//!
//! Beside each rate stands its share of a roof measured in the same run: decoding reads every
//! weight and every cached key and value once for a step, so its roof is the read bandwidth of the
//! threads; prefill multiplies, so its roof is the rate of their multiply-adds.
//!
//! With `--serve` many requests of random lengths go through the engine instead:
//!
//! ```text
//! cargo run --release --example bench -- --serve 64 --concurrency 16 --shared-prefix 256
//! ```
#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, reason = "a front end talks to its user")]

mod arguments;
mod measure;
mod model;
mod report;
mod roof;
mod serve;
mod workload;

use std::process::ExitCode;

use clap::Parser;
use puyu_examples::fail;

use arguments::Arguments;
use report::{Outcome, Report};

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}

fn run(arguments: &Arguments) -> anyhow::Result<()> {
    arguments.check()?;
    let pool = puyu::deploy::Pool::new(arguments.threads())?;
    let roofs = pool.install(roof::measure);
    let mut loaded = model::load(arguments, &pool)?;
    let outcome = if arguments.serving.serve.is_some() {
        Outcome::Served(serve::measure(&arguments.serving, loaded.runner)?)
    } else {
        Outcome::Rates(measure::all(arguments, &mut loaded)?)
    };
    let report = Report::new(arguments, &loaded.facts, roofs, outcome);
    if arguments.json {
        println!("{}", serde_json::to_string(&report)?);
    } else {
        print!("{report}");
    }
    Ok(())
}
