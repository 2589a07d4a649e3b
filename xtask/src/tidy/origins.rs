//! Origins: nothing in the repository points at one developer's machine or registry.
//!
//! Paths are found in every text file. Registries are found where cargo would read them: in the
//! lock file and in `.cargo/config.toml`.

use super::{Finding, House, Outcome};

pub(super) const RULE: &str = "origins";

/// Folders of a machine; assembled, so that this file does not contain what it looks for.
const MACHINE_FOLDERS: [&str; 4] =
    [concat!("/wo", "rk"), concat!("/ro", "ot"), concat!("/ho", "me"), concat!("/Us", "ers")];

/// Golden data is found through PUYU_SHARED, not through a path that fits one layout of folders.
const SHARED_BY_PATH: &str = concat!("..", "/..", "/shared");

const PUBLIC_REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// Tables of cargo's configuration that choose a registry.
const REGISTRY_TABLES: [&str; 4] = ["[source", "[registries", "[registry", "[net"];

/// Checks all text files.
pub(super) fn check(house: &House) -> Outcome {
    let mut outcome = Outcome { n_items: 0, findings: Vec::new() };
    for file in house.tree.files() {
        let Some(text) = &file.text else { continue };
        outcome.n_items += 1;
        for (at, line) in text.lines().enumerate() {
            if let Some(message) = fault(&file.path, line) {
                outcome.findings.push(Finding::new(&file.path, at + 1, RULE, message));
            }
        }
    }
    outcome
}

fn fault(path: &str, line: &str) -> Option<String> {
    if let Some(folder) = MACHINE_FOLDERS.into_iter().find(|folder| has_folder(line, folder)) {
        return Some(format!("`{folder}` is a folder of one machine; use a relative path"));
    }
    if line.contains(SHARED_BY_PATH) {
        return Some("golden data by a fixed path; use `puyu_testkit::shared`".to_owned());
    }
    let source = line.strip_prefix("source = \"").map(|rest| rest.trim_end_matches('"'));
    if path == "Cargo.lock" && source.is_some_and(|source| source != PUBLIC_REGISTRY) {
        return Some(format!("`{line}` is not crates.io; depend on a published version"));
    }
    let is_table = REGISTRY_TABLES.iter().any(|table| line.trim_start().starts_with(table));
    if path.starts_with(".cargo/") && is_table {
        return Some(format!("`{line}` chooses a registry for everybody; keep it out of here"));
    }
    None
}

/// Whether an absolute path below `folder` stands in `line`, as opposed to `network/..` or a URL.
fn has_folder(line: &str, folder: &str) -> bool {
    line.match_indices(folder).any(|(at, _)| {
        let is_inside = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '/');
        let rest = &line[at + folder.len()..];
        let is_whole = !rest.starts_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | '-'));
        is_whole && !line[..at].ends_with(is_inside)
    })
}

#[cfg(test)]
mod tests;
