//! Development tasks of the workspace: `cargo xtask tidy`, `cargo xtask ci`.
//!
//! Nothing here is published, so errors are `anyhow` and results go to standard output.

#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod ci;
mod tidy;

/// Development tasks of the Puyu workspace.
#[derive(Parser)]
#[command(name = "cargo xtask", version)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Proves the rules of the house from the manifests, the sources and the documents.
    Tidy,
    /// Runs the steps of `.ci/run` one by one and says how long each took.
    Ci(ci::CiOptions),
}

fn main() -> ExitCode {
    let result = match Arguments::parse().task {
        Task::Tidy => tidy::run(),
        Task::Ci(options) => ci::run(&options),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            say(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// Writes one line to standard output.
///
/// A closed pipe (`cargo xtask tidy | head`) is the reader's wish, so a failed write is ignored.
fn say(line: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}
