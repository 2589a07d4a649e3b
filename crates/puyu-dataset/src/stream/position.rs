//! Where a stream is.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::container::Mark;
use crate::error::DatasetError;

/// A place between two rows of a stream, from which another stream over the same files goes on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StreamPosition {
    /// The number of the file in the list, counted from 0.
    pub file: usize,
    /// The file's name without its folder, to notice another list. Empty at the end.
    pub file_name: String,
    /// Rows of this file that are done, bad ones included.
    pub rows_done: u64,
    /// A place at or before this one where the file can be opened.
    pub mark: Mark,
    /// Rows done since the mark.
    pub rows_since_mark: u64,
    /// Lines of the quarantine file that are of rows before this place.
    pub rows_quarantined: u64,
}

impl StreamPosition {
    pub(super) fn start_of(file: usize, files: &[PathBuf], rows_quarantined: u64) -> Self {
        let file_name = files.get(file).map(|path| name(path)).unwrap_or_default();
        Self { file, file_name, rows_quarantined, ..Self::default() }
    }

    /// Checks that this is a place in `files`.
    pub(super) fn check(&self, files: &[PathBuf]) -> Result<(), DatasetError> {
        let expected = files.get(self.file).map(|path| name(path)).unwrap_or_default();
        if self.file > files.len() || self.file_name != expected {
            return Err(DatasetError::State {
                what: "the file at the position",
                expected: match self.file <= files.len() {
                    true => format!("file {} named `{expected}`", self.file),
                    false => format!("at most {} files", files.len()),
                },
                found: format!("file {} named `{}`", self.file, self.file_name),
            });
        }
        if self.rows_since_mark > self.rows_done {
            return Err(DatasetError::State {
                what: "rows since the mark",
                expected: format!("at most {}", self.rows_done),
                found: self.rows_since_mark.to_string(),
            });
        }
        Ok(())
    }
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}
