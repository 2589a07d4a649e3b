//! Lines that an earlier place has: menus, notices, mastheads.
//!
//! Cheaper than [`substring`](super::substring) by a factor of the line length, and enough where
//! what repeats are whole lines. Lines are compared after [`fold`].

use std::iter::Peekable;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::Xxh3;

use super::repeat::{DocumentRepeats, Repeat};
use super::spill::{Sorted, Sorter};
use super::{DEFAULT_MEMORY_BYTES, fold};
use crate::error::DatasetError;

/// How repeated lines are found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LineOptions {
    /// Lines with fewer characters after folding are not looked at. 10: shorter ones (`end`, `是。`)
    /// repeat because language does.
    pub min_chars: usize,
    /// How often a line may occur before it counts as repeated; 1 keeps the first occurrence only.
    pub max_occurrences: u64,
    /// The memory for sorting, in bytes; held twice for a moment while results are ordered.
    pub memory_bytes: u64,
    /// Seed of the hash.
    pub seed: u64,
}

impl Default for LineOptions {
    fn default() -> Self {
        Self { min_chars: 10, max_occurrences: 1, memory_bytes: DEFAULT_MEMORY_BYTES, seed: 0 }
    }
}

/// Finds lines that an earlier place has.
///
/// ```
/// use puyu_dataset::dedup::{LineDedup, LineOptions};
///
/// let folder = tempfile::tempdir()?;
/// let mut dedup = LineDedup::new(&LineOptions::default(), folder.path())?;
/// dedup.push("第一篇正文。\n版权所有，未经许可不得转载。")?;
/// dedup.push("第二篇正文。\n版权所有，未经许可不得转载。\n")?;
/// let repeats = dedup.finish()?.collect::<Result<Vec<_>, _>>()?;
/// assert_eq!(repeats[0].document, 1);
/// assert_eq!(
///     repeats[0].remove_from("第二篇正文。\n版权所有，未经许可不得转载。\n"),
///     "第二篇正文。\n"
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct LineDedup {
    options: LineOptions,
    folder: PathBuf,
    /// Hash, document, first byte, byte after the line and its end.
    sorter: Sorter<5>,
    documents: u64,
    folded: Vec<u8>,
}

impl LineDedup {
    /// An empty set that spills into `folder`.
    ///
    /// # Errors
    ///
    /// [`DatasetError::Option`] if the memory limit is below 64 KiB or `max_occurrences` is 0.
    pub fn new(options: &LineOptions, folder: impl AsRef<Path>) -> Result<Self, DatasetError> {
        if options.max_occurrences == 0 {
            return Err(super::option_error("max_occurrences", "at least 1", 0));
        }
        let folder = folder.as_ref().to_owned();
        let sorter = Sorter::new(&folder, options.memory_bytes)?;
        Ok(Self { options: options.clone(), folder, sorter, documents: 0, folded: Vec::new() })
    }

    /// Adds the next document.
    ///
    /// # Errors
    ///
    /// [`DatasetError::Io`] if the folder cannot be written.
    pub fn push(&mut self, text: &str) -> Result<(), DatasetError> {
        let mut start = 0;
        for line in text.split_inclusive('\n') {
            let end = start + line.len();
            if let Some(hash) = self.line_hash(line) {
                let (high, low) = ((hash >> 64) as u64, hash as u64);
                self.sorter.push([high, low, self.documents, start as u64, end as u64])?;
            }
            start = end;
        }
        self.documents += 1;
        Ok(())
    }

    fn line_hash(&mut self, line: &str) -> Option<u128> {
        self.folded.clear();
        fold::fold(line, |unit| self.folded.extend(unit.code.to_le_bytes()));
        if self.folded.len() / 4 < self.options.min_chars.max(1) {
            return None;
        }
        let mut hasher = Xxh3::with_seed(self.options.seed);
        hasher.update(&self.folded);
        Some(hasher.digest128())
    }

    /// The repeated lines, document by document. A span includes the line's end.
    ///
    /// # Errors
    ///
    /// [`DatasetError::Io`] if the folder cannot be read or written.
    pub fn finish(self) -> Result<LineRepeats, DatasetError> {
        let mut repeats = Sorter::new(&self.folder, self.options.memory_bytes)?;
        let mut group: Option<([u64; 2], u64, u64)> = None;
        for record in self.sorter.finish()? {
            let [high, low, document, start, end] = record?;
            let hash = [high, low];
            match &mut group {
                Some((known, source, count)) if *known == hash => {
                    *count += 1;
                    if *count > self.options.max_occurrences {
                        repeats.push([document, start, end, *source])?;
                    }
                }
                _ => group = Some((hash, document, 1)),
            }
        }
        Ok(LineRepeats { repeats: repeats.finish()?.peekable() })
    }
}

/// The repeated lines, document by document. After an error there are no more.
#[derive(Debug)]
pub struct LineRepeats {
    repeats: Peekable<Sorted<4>>,
}

impl Iterator for LineRepeats {
    type Item = Result<DocumentRepeats, DatasetError>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut found: Option<DocumentRepeats> = None;
        while let Some(record) = self.repeats.next_if(|record| match (record, &found) {
            (Ok([document, ..]), Some(found)) => *document == found.document,
            _ => found.is_none(),
        }) {
            match record {
                Err(error) => return Some(Err(error)),
                Ok([document, start, end, source]) => {
                    // Offsets were `usize` when they were pushed.
                    let bytes = start as usize..end as usize;
                    let found = found
                        .get_or_insert_with(|| DocumentRepeats { document, spans: Vec::new() });
                    found.spans.push(Repeat { bytes, source });
                }
            }
        }
        found.map(Ok)
    }
}
