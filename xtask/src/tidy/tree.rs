//! The files of the checkout: what git would commit, read once and shared by all rules.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::Context;

use super::rust_source::RustSource;

/// Larger files are data, not text: they are measured and not read.
const MAX_TEXT_BYTES: u64 = 3_000_000;

/// Folders that hold build outputs; looked at only where git cannot say what is ignored.
const BUILD_FOLDERS: [&str; 3] = [".git", "target", "out"];

/// Every file that is tracked, or would be after `git add`.
pub(super) struct Tree {
    files: Vec<TreeFile>,
}

/// One file.
pub(super) struct TreeFile {
    /// From the root, with forward slashes.
    pub(super) path: String,
    pub(super) n_bytes: u64,
    /// `None` if the file is not UTF-8, is a link or is large.
    pub(super) text: Option<String>,
    /// Tokens of a `.rs` file, or why they cannot be read.
    pub(super) rust: Option<Result<RustSource, String>>,
    /// Whether the whole file is compiled for tests only.
    pub(super) is_test: bool,
}

impl TreeFile {
    /// The tokens, if this is a Rust file that lexes.
    pub(super) fn tokens(&self) -> Option<&RustSource> {
        self.rust.as_ref()?.as_ref().ok()
    }

    /// Whether users of the published crates run this code: `crates/*/src`, without tests, the
    /// test kit and programs.
    pub(super) fn is_library(&self) -> bool {
        let Some((package, inner)) = self.package_parts() else { return false };
        package != "puyu-testkit"
            && inner.starts_with("src/")
            && !inner.starts_with("src/bin/")
            && inner != "src/main.rs"
            && inner.ends_with(".rs")
            && !self.is_test
    }

    /// `crates/NAME/REST` as `(NAME, REST)`.
    fn package_parts(&self) -> Option<(&str, &str)> {
        self.path.strip_prefix("crates/")?.split_once('/')
    }
}

impl Tree {
    /// Reads the files under `root`.
    pub(super) fn load(root: &Path) -> anyhow::Result<Self> {
        let paths = match git_paths(root) {
            Some(paths) => paths,
            None => walked_paths(root)?,
        };
        let mut files = Vec::with_capacity(paths.len());
        for path in paths {
            let Ok(metadata) = fs::symlink_metadata(root.join(&path)) else {
                continue; // Deleted, and the deletion is not committed yet.
            };
            let n_bytes = metadata.len();
            let bytes = match metadata.is_file() && n_bytes <= MAX_TEXT_BYTES {
                true => {
                    fs::read(root.join(&path)).with_context(|| format!("cannot read {path}"))?
                }
                false => vec![0xFF],
            };
            let text = String::from_utf8(bytes).ok();
            let is_rust = path.ends_with(".rs");
            let rust = text.as_deref().filter(|_| is_rust).map(RustSource::lex);
            files.push(TreeFile { path, n_bytes, text, rust, is_test: false });
        }
        mark_tests(&mut files);
        Ok(Self { files })
    }

    /// All files, sorted by path.
    pub(super) fn files(&self) -> &[TreeFile] {
        &self.files
    }

    /// The file at `path`.
    pub(super) fn file(&self, path: &str) -> Option<&TreeFile> {
        self.files.iter().find(|file| file.path == path)
    }

    /// The text of the file at `path`.
    pub(super) fn text(&self, path: &str) -> Option<&str> {
        self.file(path)?.text.as_deref()
    }

    /// Whether `path` is a file, or a folder that holds one.
    pub(super) fn holds(&self, path: &str) -> bool {
        let folder = format!("{path}/");
        path.is_empty()
            || self.files.iter().any(|file| file.path == path || file.path.starts_with(&folder))
    }
}

/// The files that git tracks or would add; `None` without git or outside a repository.
fn git_paths(root: &Path) -> Option<Vec<String>> {
    if !root.join(".git").exists() {
        return None;
    }
    let output = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(root)
        .output()
        .ok()
        .filter(|output| output.status.success())?;
    let listing = String::from_utf8(output.stdout).ok()?;
    let paths: BTreeSet<_> =
        listing.split('\0').filter(|path| !path.is_empty()).map(str::to_owned).collect();
    Some(paths.into_iter().collect())
}

/// The files found by walking, for an unpacked archive.
fn walked_paths(root: &Path) -> anyhow::Result<Vec<String>> {
    let mut paths = Vec::new();
    let mut folders = vec![String::new()];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(root.join(&folder))
            .with_context(|| format!("cannot list {}", root.join(&folder).display()))?;
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = if folder.is_empty() { name.clone() } else { format!("{folder}/{name}") };
            if !entry.file_type()?.is_dir() {
                paths.push(path);
            } else if !BUILD_FOLDERS.contains(&name.as_str()) {
                folders.push(path);
            }
        }
    }
    paths.sort();
    Ok(paths)
}

/// Marks the files that only tests compile: `tests.rs`, folders `tests`, and every module that is
/// declared under `#[cfg(test)]`.
fn mark_tests(files: &mut [TreeFile]) {
    let mut modules = Vec::new();
    for file in files.iter() {
        let Some(source) = file.tokens() else { continue };
        let folder = module_folder(&file.path);
        modules.extend(source.test_modules().iter().map(|name| format!("{folder}/{name}")));
    }
    for file in files {
        let stem = file.path.strip_suffix(".rs").unwrap_or(&file.path);
        let declared =
            modules.iter().any(|module| stem == module || stem.starts_with(&format!("{module}/")));
        let in_folder = file.path.starts_with("tests/") || file.path.contains("/tests/");
        file.is_test = declared || in_folder || file.path.ends_with("/tests.rs");
    }
}

/// The folder in which the file's modules live.
fn module_folder(path: &str) -> &str {
    for root in ["/mod.rs", "/lib.rs", "/main.rs"] {
        if let Some(folder) = path.strip_suffix(root) {
            return folder;
        }
    }
    path.strip_suffix(".rs").unwrap_or(path)
}

#[cfg(test)]
mod tests;
