//! Prints: a library tells its caller by values and `tracing`, never on the caller's terminal.

use super::{Finding, House, Outcome};

pub(super) const RULE: &str = "prints";

const MACROS: [&str; 5] = ["print", "println", "eprint", "eprintln", "dbg"];

/// Checks the library sources outside tests.
pub(super) fn check(house: &House) -> Outcome {
    let mut outcome = Outcome { n_items: 0, findings: Vec::new() };
    for file in house.tree.files().iter().filter(|file| file.is_library()) {
        let Some(source) = file.tokens() else { continue };
        outcome.n_items += 1;
        for name in MACROS {
            for at in source.places(&[name, "!"]) {
                let line = source.line(at);
                if !source.is_test_line(line) {
                    let message = format!("`{name}!` in a library; return it, or use `tracing`");
                    outcome.findings.push(Finding::new(&file.path, line, RULE, message));
                }
            }
        }
    }
    outcome
}

#[cfg(test)]
mod tests;
