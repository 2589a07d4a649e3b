//! Unsafe code: forbidden in every crate, but for a short list with reasons.
//!
//! Two proofs that do not trust each other: the compiler's (`#![forbid(unsafe_code)]` at every
//! crate root, which also covers what macros expand to) and the word `unsafe` in the tokens.

use super::workspace::{Member, Workspace};
use super::{Finding, House, Outcome};

pub(super) const RULE: &str = "unsafe";

const LINT: &str = "unsafe_code";

/// Where unsafe code may be.
enum Where {
    Anywhere,
    /// In these files only, from the package's folder; the crate root says `deny`.
    Files(&'static [&'static str]),
}

/// The packages that need unsafe code, where, and why.
const EXCEPTIONS: [(&str, Where, &str); 3] = [
    ("puyu-dataset", Where::Files(&["src/mapped.rs"]), "mapping a file into memory is unsafe"),
    ("puyu-kernels", Where::Anywhere, "SIMD loads and stores take pointers"),
    (
        "puyu-model",
        Where::Files(&["src/checkpoint/mmap.rs"]),
        "mapping a file into memory is unsafe",
    ),
];

/// Checks every crate root and every Rust file.
pub(super) fn check(house: &House) -> Outcome {
    let mut outcome = Outcome { n_items: 0, findings: Vec::new() };
    for member in &house.workspace.members {
        check_roots(house, member, &mut outcome);
    }
    for file in house.tree.files() {
        let Some(source) = file.tokens() else { continue };
        outcome.n_items += 1;
        if is_excepted(&house.workspace, &file.path) {
            continue;
        }
        let words = source.places(&["unsafe"]).map(|at| (source.line(at), "`unsafe`".to_owned()));
        let loosened = ["allow", "expect", "warn"].into_iter().flat_map(|level| {
            let lines = source.lint_lines(level, LINT);
            lines.into_iter().map(move |line| (line, format!("`{level}({LINT})`")))
        });
        for (line, what) in words.chain(loosened) {
            let message = format!(
                "{what} outside the permitted files; move the code to puyu-kernels, or add the \
                 file to EXCEPTIONS in xtask/src/tidy/unsafe_code.rs with its reason"
            );
            outcome.findings.push(Finding::new(&file.path, line, RULE, message));
        }
    }
    outcome
}

/// Every crate root forbids unsafe code; one whose package has an exception may deny it instead.
fn check_roots(house: &House, member: &Member, outcome: &mut Outcome) {
    let levels: &[&str] = match exception(&member.name) {
        None => &["forbid"],
        Some(Where::Files(_)) => &["forbid", "deny"],
        Some(Where::Anywhere) => return,
    };
    for root in &member.roots {
        outcome.n_items += 1;
        let source = house.tree.file(root).and_then(|file| file.tokens());
        let is_held =
            source.is_some_and(|s| levels.iter().any(|level| s.has_inner_lint(level, LINT)));
        if !is_held {
            let lenient = levels[levels.len() - 1];
            let message = format!(
                "the crate root does not {} unsafe code; add `#![{lenient}({LINT})]`",
                levels.join(" or ")
            );
            outcome.findings.push(Finding::new(root, 1, RULE, message));
        }
    }
}

fn exception(package: &str) -> Option<&'static Where> {
    EXCEPTIONS.iter().find(|(name, _, _)| *name == package).map(|(_, place, _)| place)
}

fn is_excepted(workspace: &Workspace, path: &str) -> bool {
    let Some(member) = workspace.owner(path) else { return false };
    match exception(&member.name) {
        None => false,
        Some(Where::Anywhere) => true,
        Some(Where::Files(files)) => {
            path.strip_prefix(member.folder()).is_some_and(|inner| files.contains(&inner))
        }
    }
}

#[cfg(test)]
mod tests;
