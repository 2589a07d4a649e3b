//! Measures a model: prefill, decoding, memory, and what the machine could do at most.
//!
//! ```text
//! cargo run --release --example bench -- --shape internlm2-1.8b --weights int4 --threads 2
//! ```
//!
//! Beside each rate stands its share of a roof measured in the same run: decoding reads every
//! weight and every cached key and value once for a step, so its roof is the read bandwidth of the
//! threads; prefill multiplies, so its roof is the rate of their multiply-adds.
#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, reason = "a front end talks to its user")]

mod arguments;
mod measure;
mod model;
mod report;
mod roof;

use std::process::ExitCode;

use clap::Parser;
use puyu_examples::fail;

use arguments::Arguments;

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
    let rates = measure::all(arguments, &mut loaded)?;
    let report = report::Report::new(arguments, &loaded, roofs, rates);
    if arguments.json {
        println!("{}", serde_json::to_string(&report)?);
    } else {
        print!("{report}");
    }
    Ok(())
}
