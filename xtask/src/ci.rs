//! `cargo xtask ci`: the steps of `.ci/run`, one by one, with timing.
//!
//! The list of steps lives in `.ci/run` alone, as lines `step NAME COMMAND`. This module reads
//! them, so that what a developer runs and what the server runs cannot drift apart. What `.ci/run`
//! adds is the preparation of a bare machine (packages, target folder).

use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use crate::say;

/// Where the list of steps is, from the workspace root.
pub(crate) const CI_SCRIPT: &str = ".ci/run";

/// What to run of `.ci/run`.
#[derive(clap::Args)]
pub(crate) struct CiOptions {
    /// Print the steps and stop.
    #[arg(long)]
    list: bool,
    /// Run this step only; may be given several times.
    #[arg(long, value_name = "STEP")]
    only: Vec<String>,
    /// Go on after a failed step, and fail at the end.
    #[arg(long)]
    keep_going: bool,
}

/// One line `step NAME COMMAND` of `.ci/run`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Step {
    /// Short name, unique in the file.
    pub(crate) name: String,
    /// Shell command, run from the workspace root.
    pub(crate) command: String,
}

/// How a step ended.
struct Timing {
    name: String,
    elapsed: Duration,
    verdict: &'static str,
}

/// Runs the chosen steps and prints a table of their times.
pub(crate) fn run(options: &CiOptions) -> anyhow::Result<ExitCode> {
    let root = crate::tidy::workspace_root()?;
    let script = root.join(CI_SCRIPT);
    let text = std::fs::read_to_string(&script)
        .with_context(|| format!("cannot read {}", script.display()))?;
    let steps = choose(parse_steps(&text), &options.only)?;

    if options.list {
        steps.iter().for_each(|step| say(&format!("{:<10} {}", step.name, step.command)));
        return Ok(ExitCode::SUCCESS);
    }

    let mut timings = Vec::with_capacity(steps.len());
    for step in &steps {
        say(&format!("== {}: {}", step.name, step.command));
        let timing = run_step(&root, step)?;
        let failed = timing.verdict == FAILED;
        timings.push(timing);
        if failed && !options.keep_going {
            break;
        }
    }

    for timing in &timings {
        let seconds = timing.elapsed.as_secs_f64();
        say(&format!("{:<10} {seconds:>8.1} s  {}", timing.name, timing.verdict));
    }
    let failed = timings.iter().any(|timing| timing.verdict == FAILED);
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

const FAILED: &str = "failed";

/// Reads the lines `step NAME COMMAND`; every other line of the script is preparation.
pub(crate) fn parse_steps(script: &str) -> Vec<Step> {
    let mut steps = Vec::new();
    for line in script.lines() {
        let Some(rest) = line.strip_prefix("step ") else { continue };
        if let Some((name, command)) = rest.trim().split_once(char::is_whitespace) {
            steps.push(Step { name: name.to_owned(), command: command.trim().to_owned() });
        }
    }
    steps
}

/// Keeps the steps named in `only`, in the order of the script; all of them if none is named.
fn choose(steps: Vec<Step>, only: &[String]) -> anyhow::Result<Vec<Step>> {
    for name in only {
        if !steps.iter().any(|step| step.name == *name) {
            let known: Vec<&str> = steps.iter().map(|step| step.name.as_str()).collect();
            bail!("{CI_SCRIPT} has no step `{name}`; it has {}", known.join(", "));
        }
    }
    let wanted = |step: &Step| only.is_empty() || only.contains(&step.name);
    Ok(steps.into_iter().filter(wanted).collect())
}

fn run_step(root: &Path, step: &Step) -> anyhow::Result<Timing> {
    let start = Instant::now();
    let status = Command::new("bash")
        .args(["-euo", "pipefail", "-c", &step.command])
        .current_dir(root)
        .env("CI", "true")
        .status()
        .with_context(|| format!("cannot start bash for step `{}`", step.name))?;
    let verdict = if status.success() { "ok" } else { FAILED };
    Ok(Timing { name: step.name.clone(), elapsed: start.elapsed(), verdict })
}

#[cfg(test)]
mod tests;
