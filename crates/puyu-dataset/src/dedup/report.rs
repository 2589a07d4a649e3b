//! What deduplication found, per document and in sum.

use std::fmt;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::files::{Layout, RecordFile, open_layout};
use super::union_find::UnionFind;
use crate::error::DatasetError;

/// Which documents are copies of which: four bytes per document.
///
/// ```
/// use puyu_dataset::dedup::{Clusters, UnionFind};
///
/// let mut sets = UnionFind::new(4)?;
/// sets.unite(1, 3);
/// let clusters = Clusters::from(sets);
/// assert_eq!(clusters.representative(3), 1);
/// assert!(clusters.is_kept(1) && !clusters.is_kept(3));
/// assert_eq!((clusters.n_clusters(), clusters.n_dropped()), (1, 1));
/// # Ok::<(), puyu_dataset::DatasetError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clusters {
    representatives: Vec<u32>,
}

impl From<UnionFind> for Clusters {
    fn from(sets: UnionFind) -> Self {
        Self { representatives: sets.into_representatives() }
    }
}

const LAYOUT: Layout = Layout { magic: *b"PUYUCLU1", format: "cluster", record_bytes: 4 };

impl Clusters {
    /// How many documents there are.
    pub fn len(&self) -> usize {
        self.representatives.len()
    }

    /// Whether there is no document.
    pub fn is_empty(&self) -> bool {
        self.representatives.is_empty()
    }

    /// The first document of the cluster of `document`; `document` itself if it has no copy.
    ///
    /// # Panics
    ///
    /// If `document` is not below [`len`](Self::len).
    pub fn representative(&self, document: usize) -> u32 {
        self.representatives[document]
    }

    /// Whether `document` is the first of its cluster.
    ///
    /// # Panics
    ///
    /// If `document` is not below [`len`](Self::len).
    pub fn is_kept(&self, document: usize) -> bool {
        self.representatives[document] as usize == document
    }

    /// The first document of each document's cluster, in order.
    pub fn representatives(&self) -> &[u32] {
        &self.representatives
    }

    /// How many documents are copies of an earlier one.
    pub fn n_dropped(&self) -> u64 {
        (0..self.len()).filter(|&document| !self.is_kept(document)).count() as u64
    }

    /// How many clusters have more than one document.
    pub fn n_clusters(&self) -> u64 {
        let mut has_copy = vec![false; self.len()];
        for document in (0..self.len()).filter(|&document| !self.is_kept(document)) {
            has_copy[self.representatives[document] as usize] = true;
        }
        has_copy.iter().filter(|&&has_copy| has_copy).count() as u64
    }

    /// Writes the decisions, all or nothing.
    ///
    /// # Errors
    ///
    /// [`DatasetError::Io`] if the file cannot be written.
    pub fn write(&self, path: impl AsRef<Path>) -> Result<(), DatasetError> {
        let mut file = RecordFile::create(path.as_ref(), LAYOUT)?;
        for representative in &self.representatives {
            file.write(&representative.to_le_bytes())?;
        }
        file.commit([0; 32], [0; 4])
    }

    /// Reads what [`write`](Self::write) wrote.
    ///
    /// # Errors
    ///
    /// [`DatasetError::Damaged`] if the file is not such a file, [`DatasetError::Io`] if it cannot
    /// be read.
    pub fn read(path: impl AsRef<Path>) -> Result<Self, DatasetError> {
        let path = path.as_ref();
        let mapped = open_layout(path, LAYOUT)?;
        let (numbers, _) = mapped.records().as_chunks::<4>();
        let representatives: Vec<u32> =
            numbers.iter().map(|&bytes| u32::from_le_bytes(bytes)).collect();
        let wrong = (0..representatives.len()).find(|&document| {
            let first = representatives[document] as usize;
            first > document || representatives[first] as usize != first
        });
        match wrong {
            None => Ok(Self { representatives }),
            Some(document) => Err(DatasetError::Damaged {
                path: path.to_owned(),
                what: "representative",
                expected: format!("the first of a cluster for document {document}"),
                found: representatives[document].to_string(),
            }),
        }
    }
}

/// Deduplication in sum.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DedupReport {
    /// Documents read.
    pub documents: u64,
    /// Text read, in bytes.
    pub bytes: u64,
    /// Pairs that were compared, or that a hash declared equal.
    pub pairs: u64,
    /// Clusters of at least two documents.
    pub clusters: u64,
    /// Documents that are copies of an earlier one.
    pub dropped: u64,
}

impl DedupReport {
    /// The share of documents that stay, from 0 to 1; 1 where there are none.
    pub fn retention(&self) -> f64 {
        match self.documents {
            0 => 1.0,
            documents => (documents - self.dropped) as f64 / documents as f64,
        }
    }
}

impl fmt::Display for DedupReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { documents, bytes, pairs, clusters, dropped } = self;
        write!(
            f,
            "{documents} documents ({bytes} bytes), {pairs} pairs, {clusters} clusters, \
             {dropped} dropped, {:.2} % kept",
            self.retention() * 100.0
        )
    }
}
