//! Ambient state: libraries read no environment variables and no clock.
//!
//! What a library does depends on its arguments alone; front ends, examples and xtask pass in
//! settings, seeds and times. So a result can be had again.

use super::rust_source::RustSource;
use super::{Finding, House, Outcome};

pub(super) const RULE: &str = "ambient";

/// Types whose `now` reads the clock.
const CLOCKS: [&str; 4] = ["Instant", "SystemTime", "Utc", "Local"];

/// Checks the library sources outside tests.
pub(super) fn check(house: &House) -> Outcome {
    let mut outcome = Outcome { n_items: 0, findings: Vec::new() };
    for file in house.tree.files().iter().filter(|file| file.is_library()) {
        let Some(source) = file.tokens() else { continue };
        outcome.n_items += 1;
        for (line, what) in reads(source) {
            if !source.is_test_line(line) {
                let message = format!("{what} in a library; let the caller pass the value in");
                outcome.findings.push(Finding::new(&file.path, line, RULE, message));
            }
        }
    }
    outcome
}

/// Lines that read the environment or a clock.
fn reads(source: &RustSource) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for at in source.places(&["env"]) {
        // `env!(..)` is read when the crate is compiled, and `crate::env` would be a module of ours.
        let is_path = source.reads(at + 1, &[":", ":"]) && source.word(at + 3) != "consts";
        let is_std = at >= 3 && source.reads(at - 3, &["std", ":", ":"]);
        let is_ours = at >= 3
            && source.reads(at - 2, &[":", ":"])
            && matches!(source.word(at - 3), "crate" | "self" | "super");
        let is_import = is_std && matches!(source.word(at + 1), ";" | "," | "as");
        if (is_path && !is_ours) || is_import {
            found.push((source.line(at), "reads the environment (`std::env`)".to_owned()));
        }
    }
    for clock in CLOCKS {
        for at in source.places(&[clock, ":", ":", "now"]) {
            found.push((source.line(at), format!("reads the clock (`{clock}::now`)")));
        }
    }
    found
}

#[cfg(test)]
mod tests;
