//! From files, folders and patterns to a list of data files.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::container;
use crate::error::DatasetError;

/// What [`Discovery::of`] found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Discovery {
    /// The data files, in the order in which they are read.
    pub files: Vec<PathBuf>,
    /// What lay beside them and was left out, with the reason.
    pub skipped: Vec<(PathBuf, &'static str)>,
}

/// Expands files, folders and patterns such as `nlp/**/part-*.jsonl.gz` into data files.
///
/// The order is that of `paths`, and inside a folder or pattern by path, on every system and at
/// every time the same. A file given twice is taken once. A file that is named is always taken; of
/// folders and patterns, hidden files and files that are no data (`README.md`, a `.json` file
/// that is one object) are left out with a note in the log; [`Discovery::of`] returns the list.
///
/// # Errors
///
/// [`DatasetError::Io`] for a path that is absent or cannot be listed; [`DatasetError::Option`] for
/// a pattern that is not well formed, or if nothing is found.
///
/// # Examples
///
/// ```
/// let folder = tempfile::tempdir()?;
/// for name in ["part-1.jsonl", "part-0.jsonl", "README.md", ".part-2.jsonl"] {
///     std::fs::write(folder.path().join(name), "{\"id\": \"诗\"}\n")?;
/// }
/// let files = puyu_dataset::stream::discover([folder.path()])?;
/// assert_eq!(files, ["part-0.jsonl", "part-1.jsonl"].map(|name| folder.path().join(name)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn discover<P: AsRef<Path>>(
    paths: impl IntoIterator<Item = P>,
) -> Result<Vec<PathBuf>, DatasetError> {
    let Discovery { files, skipped } = Discovery::of(paths)?;
    for (path, reason) in skipped {
        tracing::warn!(path = %path.display(), reason, "left out of the data");
    }
    Ok(files)
}

impl Discovery {
    /// As [`discover`], with the files that are left out.
    ///
    /// # Errors
    ///
    /// As [`discover`].
    pub fn of<P: AsRef<Path>>(paths: impl IntoIterator<Item = P>) -> Result<Self, DatasetError> {
        let mut found = Self::default();
        let mut asked = Vec::new();
        for path in paths {
            let path = path.as_ref();
            asked.push(path.display().to_string());
            found.add(path)?;
        }
        let mut taken = HashSet::new();
        found.files.retain(|file| taken.insert(file.clone()));
        found.skipped.retain(|(file, _)| !taken.contains(file));
        if found.files.is_empty() {
            return Err(DatasetError::Option {
                option: "paths",
                expected: "at least one data file".to_owned(),
                found: format!("none in {asked:?}; {} files left out", found.skipped.len()),
            });
        }
        Ok(found)
    }

    fn add(&mut self, path: &Path) -> Result<(), DatasetError> {
        match fs::metadata(path) {
            Ok(metadata) if metadata.is_dir() => self.add_folder(path, &mut Vec::new()),
            Ok(_) => {
                self.files.push(path.to_owned());
                Ok(())
            }
            Err(_) if is_pattern(path) => self.add_pattern(path),
            Err(error) => Err(DatasetError::io("open", path)(error)),
        }
    }

    /// Adds a folder's files and folders by name. `above` are the folders it lies in, resolved, so
    /// that a link back up ends the descent.
    fn add_folder(&mut self, folder: &Path, above: &mut Vec<PathBuf>) -> Result<(), DatasetError> {
        let resolved = folder.canonicalize().map_err(DatasetError::io("open", folder))?;
        if above.contains(&resolved) {
            self.skipped.push((folder.to_owned(), "a link to a folder that it lies in"));
            return Ok(());
        }
        let mut entries = fs::read_dir(folder)
            .and_then(|entries| {
                entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>, _>>()
            })
            .map_err(DatasetError::io("list", folder))?;
        entries.sort_unstable();
        above.push(resolved);
        for entry in entries {
            self.add_entry(entry, above)?;
        }
        above.pop();
        Ok(())
    }

    fn add_pattern(&mut self, pattern: &Path) -> Result<(), DatasetError> {
        let text = pattern.to_string_lossy();
        let matches = glob::glob(&text).map_err(|error| DatasetError::Option {
            option: "paths",
            expected: "a well-formed pattern".to_owned(),
            found: format!("`{text}`: {error}"),
        })?;
        let mut entries = Vec::new();
        for found in matches {
            entries.push(found.map_err(|error| {
                let path = error.path().to_owned();
                DatasetError::io("list", path)(error.into())
            })?);
        }
        entries.sort_unstable();
        entries.into_iter().try_for_each(|entry| self.add_entry(entry, &mut Vec::new()))
    }

    fn add_entry(&mut self, path: PathBuf, above: &mut Vec<PathBuf>) -> Result<(), DatasetError> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with(['.', '_']) {
            self.skipped.push((path, "hidden"));
            return Ok(());
        }
        let metadata = fs::metadata(&path).map_err(DatasetError::io("open", &path))?;
        if metadata.is_dir() {
            return self.add_folder(&path, above);
        }
        match reason_to_skip(&path, &name) {
            _ if !metadata.is_file() => self.skipped.push((path, "no plain file")),
            Some(reason) => self.skipped.push((path, reason)),
            None => self.files.push(path),
        }
        Ok(())
    }
}

fn is_pattern(path: &Path) -> bool {
    path.to_string_lossy().contains(['*', '?', '['])
}

/// Why a file of a folder is no data, if so.
///
/// A file with a data file's name is data even if it is damaged: it must not vanish in silence.
fn reason_to_skip(path: &Path, name: &str) -> Option<&'static str> {
    const DATA: [&str; 9] =
        [".jsonl", ".ndjson", ".parquet", ".arrow", ".arrows", ".feather", ".ipc", ".tar", ".tgz"];
    let name = name.to_lowercase();
    let bare = [".gz", ".zst", ".zstd"]
        .iter()
        .find_map(|ending| name.strip_suffix(ending))
        .unwrap_or(&name);
    if DATA.iter().any(|ending| bare.ends_with(ending)) {
        return None;
    }
    if bare.ends_with(".json") {
        return (bare == name && is_one_object(path)).then_some("one JSON object, no rows");
    }
    if bare.contains('.') {
        return Some("not named like data");
    }
    container::detect(path).is_err().then_some("no known container")
}

/// Whether a file holds one JSON object laid out over several lines, and not rows.
fn is_one_object(path: &Path) -> bool {
    const HEAD_BYTES: u64 = 64 << 10;
    let mut head = Vec::new();
    let read = File::open(path).and_then(|file| file.take(HEAD_BYTES).read_to_end(&mut head));
    let text = head.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&head).trim_ascii_start();
    if read.is_err() || !text.starts_with(b"{") {
        return false;
    }
    let line = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let first = serde_json::from_slice::<serde::de::IgnoredAny>(line);
    match first {
        // A first line that is a value of its own is a row, if more follow.
        Ok(_) => text[line.len()..].trim_ascii().is_empty() && (head.len() as u64) < HEAD_BYTES,
        Err(error) => error.is_eof(),
    }
}
