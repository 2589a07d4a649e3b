//! Documents that are equal.
//!
//! A document is represented by the 128-bit xxh3 hash of its (folded) text. Among 10¹⁰ different
//! documents the chance that any two share a hash is 10²⁰ / 2¹²⁹ ≈ 1.5 × 10⁻¹⁹. The hash is not
//! cryptographic: who can choose documents could make one vanish, as they could by copying it.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::Xxh3;

use super::report::{Clusters, DedupReport};
use super::spill::{Sorted, Sorter};
use super::union_find::UnionFind;
use super::{DEFAULT_MEMORY_BYTES, fold};
use crate::error::DatasetError;

/// What counts as equal.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Normalization {
    /// The same bytes. The default, because folding also makes `1 + 1` and `1 - 1` equal.
    #[default]
    None,
    /// The same after [`fold`].
    Folded,
}

/// How equal documents are found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ExactOptions {
    /// What counts as equal.
    pub normalization: Normalization,
    /// The memory for sorting, in bytes; held twice for a moment while results are ordered.
    pub memory_bytes: u64,
    /// Seed of the hash. Any will do; it is explicit so that runs can be repeated.
    pub seed: u64,
}

impl Default for ExactOptions {
    fn default() -> Self {
        Self { normalization: Normalization::None, memory_bytes: DEFAULT_MEMORY_BYTES, seed: 0 }
    }
}

/// Finds documents that equal an earlier one.
///
/// ```
/// use puyu_dataset::dedup::{ExactDedup, ExactOptions, Normalization};
///
/// let folder = tempfile::tempdir()?;
/// let options = ExactOptions { normalization: Normalization::Folded, ..Default::default() };
/// let mut dedup = ExactDedup::new(&options, folder.path())?;
/// for text in ["春眠不觉晓", "Hello, world", "春眠，不觉晓。"] {
///     dedup.push(text)?;
/// }
/// let copies = dedup.finish()?.collect::<Result<Vec<_>, _>>()?;
/// assert_eq!((copies[0].document, copies[0].first), (2, 0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct ExactDedup {
    options: ExactOptions,
    folder: PathBuf,
    sorter: Sorter<3>,
    documents: u64,
    bytes: u64,
    folded: Vec<u8>,
}

impl ExactDedup {
    /// An empty set that spills into `folder`.
    ///
    /// # Errors
    ///
    /// [`DatasetError::Option`] if the memory limit is below 64 KiB.
    pub fn new(options: &ExactOptions, folder: impl AsRef<Path>) -> Result<Self, DatasetError> {
        let folder = folder.as_ref().to_owned();
        let sorter = Sorter::new(&folder, options.memory_bytes)?;
        let options = options.clone();
        Ok(Self { options, folder, sorter, documents: 0, bytes: 0, folded: Vec::new() })
    }

    /// Adds the next document.
    ///
    /// # Errors
    ///
    /// [`DatasetError::Io`] if the folder cannot be written.
    pub fn push(&mut self, text: &str) -> Result<(), DatasetError> {
        let hash = content_hash(text, &self.options, &mut self.folded);
        self.sorter.push([(hash >> 64) as u64, hash as u64, self.documents])?;
        self.documents += 1;
        self.bytes += text.len() as u64;
        Ok(())
    }

    /// The documents that equal an earlier one, in order.
    ///
    /// # Errors
    ///
    /// [`DatasetError::Io`] if the folder cannot be read or written.
    pub fn finish(self) -> Result<Duplicates, DatasetError> {
        let mut copies = Sorter::new(&self.folder, self.options.memory_bytes)?;
        let mut report =
            DedupReport { documents: self.documents, bytes: self.bytes, ..Default::default() };
        let mut first: Option<([u64; 2], u64)> = None;
        let mut has_copy = false;
        for record in self.sorter.finish()? {
            let [high, low, document] = record?;
            match first {
                Some((hash, first)) if hash == [high, low] => {
                    copies.push([document, first])?;
                    report.dropped += 1;
                    report.clusters += u64::from(!has_copy);
                    has_copy = true;
                }
                _ => {
                    first = Some(([high, low], document));
                    has_copy = false;
                }
            }
        }
        report.pairs = report.dropped;
        Ok(Duplicates { copies: copies.finish()?, report })
    }
}

fn content_hash(text: &str, options: &ExactOptions, buffer: &mut Vec<u8>) -> u128 {
    let mut hasher = Xxh3::with_seed(options.seed);
    match options.normalization {
        Normalization::None => hasher.update(text.as_bytes()),
        Normalization::Folded => {
            // Hashing in blocks keeps the buffer small whatever the document.
            const BLOCK: usize = 16 << 10;
            buffer.clear();
            fold::fold(text, |unit| {
                buffer.extend(unit.code.to_le_bytes());
                if buffer.len() >= BLOCK {
                    hasher.update(buffer);
                    buffer.clear();
                }
            });
            hasher.update(buffer);
        }
    }
    hasher.digest128()
}

/// A document that equals an earlier one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Duplicate {
    /// The document, counted from 0.
    pub document: u64,
    /// The first document with the same text.
    pub first: u64,
}

/// The documents that equal an earlier one, in order. After an error there are no more.
#[derive(Debug)]
pub struct Duplicates {
    copies: Sorted<2>,
    report: DedupReport,
}

impl Duplicates {
    /// The sums.
    pub fn report(&self) -> &DedupReport {
        &self.report
    }

    /// All decisions in memory: four bytes per document.
    ///
    /// # Errors
    ///
    /// As iterating; [`DatasetError::Limit`] above 2³² − 1 documents.
    pub fn into_clusters(self) -> Result<Clusters, DatasetError> {
        let mut sets = UnionFind::new(self.report.documents)?;
        for copy in self.copies {
            let [document, first] = copy?;
            // Both are below the length, which fits `u32`.
            sets.unite(document as u32, first as u32);
        }
        Ok(sets.into())
    }
}

impl Iterator for Duplicates {
    type Item = Result<Duplicate, DatasetError>;

    fn next(&mut self) -> Option<Self::Item> {
        let copy = self.copies.next()?;
        Some(copy.map(|[document, first]| Duplicate { document, first }))
    }
}
