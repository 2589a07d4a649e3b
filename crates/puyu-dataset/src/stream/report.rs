//! What came of reading: counts, and the first bad rows.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Serialize, Serializer};

use crate::fault::{BadRow, FaultKind};

/// How many bad rows a [`ReadReport`] shows in full.
const EXAMPLES: usize = 20;

/// What a stream has delivered so far.
///
/// Counts rows when they are delivered, not when they are read ahead, so that it does not depend on
/// the number of threads. Its display is a table.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ReadReport {
    /// Rows returned.
    pub rows_good: u64,
    /// Rows that could not be read.
    pub rows_bad: u64,
    /// Of the bad ones, how many of each kind.
    pub by_kind: BTreeMap<FaultKind, u64>,
    /// The files begun so far, in order.
    pub by_file: Vec<FileReport>,
    /// The first 20 bad rows.
    pub first_examples: Vec<BadRow>,
    /// Bytes of the chunks delivered, uncompressed. After a resume it includes the part of the
    /// first chunk that was passed over.
    pub bytes_read: u64,
}

/// What a stream has delivered of one file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct FileReport {
    /// The file.
    #[serde(serialize_with = "as_text")]
    pub path: PathBuf,
    /// Rows returned.
    pub rows_good: u64,
    /// Rows that could not be read.
    pub rows_bad: u64,
    /// Why the file could not be read to its end, if so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed: Option<String>,
}

impl ReadReport {
    pub(super) fn begin_file(&mut self, path: PathBuf) {
        self.by_file.push(FileReport { path, ..FileReport::default() });
    }

    pub(super) fn good(&mut self) {
        self.rows_good += 1;
        if let Some(file) = self.by_file.last_mut() {
            file.rows_good += 1;
        }
    }

    pub(super) fn bad(&mut self, row: &BadRow) {
        self.rows_bad += 1;
        *self.by_kind.entry(row.fault.kind).or_default() += 1;
        if let Some(file) = self.by_file.last_mut() {
            file.rows_bad += 1;
        }
        if self.first_examples.len() < EXAMPLES {
            self.first_examples.push(row.clone());
        }
    }

    pub(super) fn failed(&mut self, reason: String) {
        if let Some(file) = self.by_file.last_mut() {
            file.failed = Some(reason);
        }
    }
}

impl fmt::Display for ReadReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let n_failed = self.by_file.iter().filter(|file| file.failed.is_some()).count();
        let mut lines = vec![
            ("files".to_owned(), self.by_file.len() as u64),
            ("  not read to their end".to_owned(), n_failed as u64),
            ("rows good".to_owned(), self.rows_good),
            ("rows bad".to_owned(), self.rows_bad),
        ];
        lines.extend(self.by_kind.iter().map(|(kind, n)| (format!("  {}", kind.as_str()), *n)));
        lines.push(("bytes".to_owned(), self.bytes_read));
        for (name, count) in lines {
            writeln!(f, "{name:<24}{count:>16}")?;
        }
        for file in &self.by_file {
            if let Some(reason) = &file.failed {
                writeln!(f, "{}: {reason}", file.path.display())?;
            }
        }
        self.first_examples.iter().try_for_each(|row| writeln!(f, "{row}"))
    }
}

fn as_text<S: Serializer>(path: impl AsRef<Path>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&path.as_ref().display())
}
