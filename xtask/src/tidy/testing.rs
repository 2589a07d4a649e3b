//! Small trees in temporary folders, so that each rule is seen to fail.

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use super::tree::Tree;
use super::workspace::Workspace;
use super::{Finding, House, Outcome};

/// Writes `files` (path, text) into a new folder.
pub(super) fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = TempDir::new().unwrap();
    for (path, text) in files {
        write(folder.path(), path, text.as_bytes());
    }
    folder
}

/// Writes one file and the folders above it.
pub(super) fn write(root: &Path, path: &str, bytes: &[u8]) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

/// A house of `files` that has no packages.
pub(super) fn house(files: &[(&str, &str)]) -> House {
    let folder = folder(files);
    House { tree: Tree::load(folder.path()).unwrap(), workspace: Workspace::default() }
}

/// A house of `files` that is a cargo workspace: its packages are what cargo says.
pub(super) fn cargo_house(files: &[(&str, &str)]) -> House {
    let folder = folder(files);
    // As cargo names it: on some systems the temporary folder is behind a link.
    let root = folder.path().canonicalize().unwrap();
    House { tree: Tree::load(&root).unwrap(), workspace: Workspace::load(&root).unwrap() }
}

/// Manifest of a package with the tables `rest`.
pub(super) fn manifest(name: &str, rest: &str) -> String {
    format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n{rest}")
}

/// Root manifest of a workspace over `crates/*`.
pub(super) const ROOT: &str = "[workspace]\nresolver = \"3\"\nmembers = [\"crates/*\"]\n";

/// Asserts that the findings are at these paths and lines, each with this in its message.
#[track_caller]
pub(super) fn assert_found(outcome: &Outcome, expected: &[(&str, usize, &str)]) {
    let shown: Vec<String> = outcome.findings.iter().map(Finding::to_string).collect();
    assert_eq!(outcome.findings.len(), expected.len(), "{shown:#?}");
    for (path, line, part) in expected {
        let is_there = |f: &Finding| f.path == *path && f.line == *line && f.message.contains(part);
        assert!(outcome.findings.iter().any(is_there), "no {path}:{line} `{part}` in {shown:#?}");
    }
}

/// Asserts that the rule looked at something and found nothing.
#[track_caller]
pub(super) fn assert_clean(outcome: &Outcome) {
    assert_found(outcome, &[]);
    assert!(outcome.n_items > 0, "the rule looked at nothing");
}
