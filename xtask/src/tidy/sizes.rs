//! Sizes: a function fits a screen, a file fits a head, the repository fits a clone.

use super::tree::TreeFile;
use super::{Finding, House, Outcome};

pub(super) const RULE: &str = "sizes";

/// Without tests. Beyond it a file has usually become two subjects.
const MAX_FILE_LINES: usize = 400;
/// Cases are data, so files of tests may be longer.
const MAX_TEST_FILE_LINES: usize = 800;
/// 70 lines is where a function leaves the screen.
const MAX_FUNCTION_LINES: usize = 70;
/// Bytes. Weights, corpora and recordings do not belong into a source repository.
const MAX_FILE_BYTES: u64 = 3_000_000;

/// Folders whose files may be larger, and why.
const LARGE_FILES: [(&str, &str); 1] =
    [("examples/assets/", "the bundled model that lets `chat` run without a download")];

/// Checks all files, and all functions outside tests.
pub(super) fn check(house: &House) -> Outcome {
    let mut outcome = Outcome { n_items: 0, findings: Vec::new() };
    for file in house.tree.files() {
        outcome.n_items += 1;
        check_bytes(file, &mut outcome);
        match &file.rust {
            None => {}
            Some(Err(reason)) => {
                let message = format!("is not Rust: {reason}; mend it");
                outcome.findings.push(Finding::new(&file.path, 1, RULE, message));
            }
            Some(Ok(_)) => {
                check_lines(file, &mut outcome);
                check_functions(file, &mut outcome);
            }
        }
    }
    outcome
}

fn check_bytes(file: &TreeFile, outcome: &mut Outcome) {
    let is_large_by_right = LARGE_FILES.iter().any(|(folder, _)| file.path.starts_with(folder));
    if file.n_bytes > MAX_FILE_BYTES && !is_large_by_right {
        let message = format!(
            "has {} bytes, the limit is {MAX_FILE_BYTES}; make it at run time or fetch it",
            file.n_bytes
        );
        outcome.findings.push(Finding::new(&file.path, 1, RULE, message));
    }
}

fn check_lines(file: &TreeFile, outcome: &mut Outcome) {
    let (Some(text), Some(source)) = (&file.text, file.tokens()) else { return };
    let n_all = text.lines().count();
    let n_tests = (1..=n_all).filter(|&line| source.is_test_line(line)).count();
    let (n_lines, limit) = match file.is_test {
        true => (n_all, MAX_TEST_FILE_LINES),
        false => (n_all - n_tests, MAX_FILE_LINES),
    };
    if n_lines > limit {
        let message = format!("has {n_lines} lines, the limit is {limit}; split it by subject");
        outcome.findings.push(Finding::new(&file.path, limit, RULE, message));
    }
}

fn check_functions(file: &TreeFile, outcome: &mut Outcome) {
    let Some(source) = file.tokens().filter(|_| !file.is_test) else { return };
    for function in source.functions() {
        outcome.n_items += 1;
        let n_lines = function.last_line - function.first_line + 1;
        if n_lines > MAX_FUNCTION_LINES && !source.is_test_line(function.first_line) {
            let message = format!(
                "`{}` has {n_lines} lines, the limit is {MAX_FUNCTION_LINES}; give its parts names",
                function.name
            );
            outcome.findings.push(Finding::new(&file.path, function.first_line, RULE, message));
        }
    }
}

#[cfg(test)]
mod tests;
