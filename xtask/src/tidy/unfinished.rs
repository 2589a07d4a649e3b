//! Unfinished work: no marks of it in sources, no test that is switched off.
//!
//! Work that is left goes to an issue, where somebody sees it.

use super::{Finding, House, Outcome};

pub(super) const RULE: &str = "unfinished";

/// Assembled, so that this file does not contain what it looks for.
const MARKS: [&str; 3] = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")];

const MACROS: [&str; 2] = ["todo", "unimplemented"];

const SOURCES: [&str; 4] = [".rs", ".toml", ".sh", ".yml"];

/// Checks the words of all sources and the tokens of the Rust files.
pub(super) fn check(house: &House) -> Outcome {
    let mut outcome = Outcome { n_items: 0, findings: Vec::new() };
    for file in house.tree.files() {
        let Some(text) = &file.text else { continue };
        let is_source =
            file.path == crate::ci::CI_SCRIPT || SOURCES.iter().any(|end| file.path.ends_with(end));
        if !is_source {
            continue;
        }
        outcome.n_items += 1;
        let mut report = |line: usize, message: String| {
            outcome.findings.push(Finding::new(&file.path, line, RULE, message));
        };

        for (at, line) in text.lines().enumerate() {
            if let Some(mark) = MARKS.into_iter().find(|mark| has_word(line, mark)) {
                report(at + 1, format!("`{mark}`; finish it, or open an issue and say the limit"));
            }
            let fence = line.trim_start().trim_start_matches(['/', '!']).trim_start();
            if file.path.ends_with(".rs") && fence.starts_with(concat!("```", "ignore")) {
                report(at + 1, "an example that is not compiled; make it run, or `no_run`".into());
            }
        }

        let Some(source) = file.tokens() else { continue };
        for name in MACROS {
            for at in source.places(&[name, "!"]) {
                report(source.line(at), format!("`{name}!`; write the code or return an error"));
            }
        }
        for at in source.places(&["#", "[", "ignore"]) {
            let advice = "an ignored test; make it fast, or let PUYU_SLOW=1 decide inside it";
            report(source.line(at), advice.to_owned());
        }
    }
    outcome
}

/// Whether `word` stands in `line` with no letter, digit or underscore on either side.
fn has_word(line: &str, word: &str) -> bool {
    let is_inner = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        !line[..at].ends_with(is_inner) && !line[at + word.len()..].starts_with(is_inner)
    })
}

#[cfg(test)]
mod tests;
