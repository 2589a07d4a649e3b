//! `cargo xtask tidy`: the rules of the house, proved from what is checked in.
//!
//! Each rule is one module with one `check(&House) -> Vec<Finding>`. A rule that cannot fail is no
//! rule: the tests of each module break it on purpose, in a small tree in a temporary folder.
//!
//! Reading order: [`tree`] (the files), [`rust_source`] (the tokens of one file), [`workspace`]
//! (the packages), then the rules.

use std::fmt;
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::time::Instant;

use anyhow::{Context, bail};

use crate::say;

mod rust_source;
mod tree;
mod workspace;

mod ambient;
mod glossary;
mod layers;
mod links;
mod manifests;
mod origins;
mod prints;
mod readme;
mod sizes;
mod unfinished;
mod unsafe_code;

#[cfg(test)]
mod testing;

use tree::Tree;
use workspace::Workspace;

/// What the rules look at.
struct House {
    tree: Tree,
    workspace: Workspace,
}

/// One broken rule at one place.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Finding {
    /// From the workspace root, with forward slashes.
    path: String,
    /// Counted from 1; 1 as well where the whole file is meant.
    line: usize,
    rule: &'static str,
    /// What is wrong, then what to do.
    message: String,
}

impl Finding {
    fn new(path: &str, line: usize, rule: &'static str, message: String) -> Self {
        Self { path: path.to_owned(), line, rule, message }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}: {}", self.path, self.line, self.rule, self.message)
    }
}

/// What one rule saw.
struct Outcome {
    /// How many things were looked at. A rule that saw nothing has proved nothing, so the summary
    /// shows it.
    n_items: usize,
    findings: Vec<Finding>,
}

/// A rule: its name, what it counts, and its check.
type Rule = (&'static str, &'static str, fn(&House) -> Outcome);

const RULES: [Rule; 11] = [
    (layers::RULE, "edges between our crates; burn-free crates", layers::check),
    (manifests::RULE, "dependency declarations", manifests::check),
    (unsafe_code::RULE, "crate roots and source files", unsafe_code::check),
    (sizes::RULE, "files and functions", sizes::check),
    (unfinished::RULE, "source files", unfinished::check),
    (prints::RULE, "library files", prints::check),
    (ambient::RULE, "library files", ambient::check),
    (origins::RULE, "text files", origins::check),
    (readme::RULE, "commands of the README", readme::check),
    (links::RULE, "relative links", links::check),
    (glossary::RULE, "terms", glossary::check),
];

/// Checks every rule; prints findings, or a table of what was checked.
pub(crate) fn run() -> anyhow::Result<ExitCode> {
    let start = Instant::now();
    let root = workspace_root()?;
    let house = House { tree: Tree::load(&root)?, workspace: Workspace::load(&root)? };

    let outcomes: Vec<_> =
        RULES.iter().map(|&(rule, what, check)| (rule, what, check(&house))).collect();
    let mut findings: Vec<&Finding> =
        outcomes.iter().flat_map(|(_, _, outcome)| &outcome.findings).collect();
    findings.sort();

    if findings.is_empty() {
        for (rule, what, outcome) in &outcomes {
            say(&format!("{rule:<11} ok  {:>6} {what}", outcome.n_items));
        }
        let milliseconds = start.elapsed().as_millis();
        say(&format!("tidy: {} rules hold, {milliseconds} ms", outcomes.len()));
        return Ok(ExitCode::SUCCESS);
    }
    findings.iter().for_each(|finding| say(&finding.to_string()));
    say(&format!("tidy: {} findings", findings.len()));
    Ok(ExitCode::FAILURE)
}

/// The root of the workspace that the current folder belongs to.
///
/// Asked at run time: a build folder shared by two checkouts would make a path fixed at compile
/// time point into the wrong one.
pub(crate) fn workspace_root() -> anyhow::Result<PathBuf> {
    let output = Command::new("cargo")
        .args(["locate-project", "--workspace", "--message-format", "plain"])
        .output()
        .context("cannot start cargo")?;
    if !output.status.success() {
        bail!("no workspace here: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    let manifest = PathBuf::from(String::from_utf8(output.stdout)?.trim());
    let root = manifest.parent().context("the manifest of the workspace has no folder")?;
    Ok(root.to_owned())
}
