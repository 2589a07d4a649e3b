//! README: its two commands are the ones that are tested.
//!
//! The command that passes the tests is a step of `.ci/run`, word for word; the examples that the
//! README runs exist.

use super::{Finding, House, Outcome};
use crate::ci::{CI_SCRIPT, parse_steps};

pub(super) const RULE: &str = "readme";

const README: &str = "README.md";

/// Languages of a fenced block that hold commands.
const SHELLS: [&str; 5] = ["", "sh", "bash", "shell", "console"];

/// Checks the `cargo` commands in the fenced blocks of the README.
pub(super) fn check(house: &House) -> Outcome {
    let mut outcome = Outcome { n_items: 0, findings: Vec::new() };
    let commands = cargo_commands(house.tree.text(README).unwrap_or_default());
    let steps = parse_steps(house.tree.text(CI_SCRIPT).unwrap_or_default());
    let members = &house.workspace.members;
    let examples: Vec<&String> = members.iter().flat_map(|member| &member.examples).collect();
    outcome.n_items = commands.len();
    let mut report = |line: usize, message: String| {
        outcome.findings.push(Finding::new(README, line, RULE, message));
    };

    for (start, meaning) in [("cargo run", "runs the main job"), ("cargo test", "passes the tests")]
    {
        if !commands.iter().any(|(_, command)| command.starts_with(start)) {
            report(1, format!("no `{start} ..` in a fenced block; show the one that {meaning}"));
        }
    }
    for (line, command) in &commands {
        let is_step = steps.iter().any(|step| step.command == *command);
        if command.starts_with("cargo test") && !is_step {
            report(*line, format!("`{command}` is no step of {CI_SCRIPT}; make them the same"));
        }
        if let Some(example) = example_of(command).filter(|&name| !has(&examples, name)) {
            report(*line, format!("there is no example `{example}`; add it or mend the command"));
        }
    }
    outcome
}

fn has(names: &[&String], name: &str) -> bool {
    names.iter().any(|known| *known == name)
}

/// The name behind `--example`.
fn example_of(command: &str) -> Option<&str> {
    let mut words = command.split_whitespace();
    words.find(|word| *word == "--example")?;
    words.next()
}

/// Lines and texts of the `cargo` commands in fenced blocks, without prompts and comments.
fn cargo_commands(markdown: &str) -> Vec<(usize, String)> {
    let mut commands = Vec::new();
    let mut block: Option<&str> = None;
    for (at, line) in markdown.lines().enumerate() {
        if let Some(info) = line.trim_start().strip_prefix("```") {
            block = if block.is_some() { None } else { Some(info.trim()) };
            continue;
        }
        if !block.is_some_and(|language| SHELLS.contains(&language)) {
            continue;
        }
        let command = line.trim().trim_start_matches("$ ");
        let command = command.split(" #").next().unwrap_or(command).trim();
        if command.starts_with("cargo ") {
            commands.push((at + 1, command.to_owned()));
        }
    }
    commands
}

#[cfg(test)]
mod tests;
