//! How the verbs speak: one JSON object, or tables and a progress bar.

use std::process::ExitCode;

use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

/// Where answers and progress go.
pub struct Output {
    json: bool,
    threads: usize,
}

impl Output {
    pub fn new(json: bool, threads: Option<usize>) -> Self {
        let all = || std::thread::available_parallelism().map_or(1, usize::from);
        Self { json, threads: threads.unwrap_or_else(all).max(1) }
    }

    /// Threads to work with.
    pub fn threads(&self) -> usize {
        self.threads
    }

    /// A bar over `total` bytes; invisible with `--json` and where nobody looks.
    pub fn bytes_bar(&self, total: u64, what: &'static str) -> ProgressBar {
        let template = "{msg} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta}";
        self.bar(total, template, what)
    }

    /// A bar over `total` things; a total of 0 means that nobody knows.
    pub fn count_bar(&self, total: u64, what: &'static str) -> ProgressBar {
        let template = match total {
            0 => "{msg} {spinner} {human_pos} {per_sec}",
            _ => "{msg} {wide_bar} {human_pos}/{human_len} {per_sec} {eta}",
        };
        self.bar(total, template, what)
    }

    /// Prints the answer: as JSON, or as the text that `text` makes of it.
    pub fn answer<T: Serialize>(
        &self,
        answer: &T,
        text: impl FnOnce(&T) -> String,
    ) -> anyhow::Result<()> {
        if self.json {
            println!("{}", serde_json::to_string(answer)?);
        } else {
            println!("{}", text(answer).trim_end());
        }
        Ok(())
    }

    fn bar(&self, total: u64, template: &str, what: &'static str) -> ProgressBar {
        if self.json {
            return ProgressBar::hidden();
        }
        let style =
            ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        ProgressBar::new(total).with_style(style).with_message(what)
    }
}

/// Prints one clear line about a failure, with its causes, and returns the code to exit with.
#[allow(clippy::print_stderr, reason = "a front end talks to its user")]
pub fn fail(error: &anyhow::Error) -> ExitCode {
    eprintln!("error: {error:#}");
    ExitCode::FAILURE
}
