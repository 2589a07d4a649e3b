//! Documents that share most of their text.
//!
//! # Method
//!
//! A document is the set of its *shingles*, windows over its [folded](super::fold) text. Two
//! documents with Jaccard similarity `s = |A ∩ B| / |A ∪ B|` agree in each of the `bands · rows`
//! numbers of their signatures with probability `s`; they share a bucket if they agree in all
//! `rows` numbers of one of `bands` bands; pairs that share a bucket are verified on the whole
//! signatures; what passes is united.
//!
//! # Shingles
//!
//! A shingle begins at each character and reaches as far as its weight is at least 6, where a
//! letter weighs 1 and an ideograph 2: six letters of English, three ideographs of Chinese, and no
//! decision per document that two copies could take differently. An ideograph is an edit unit
//! and a carrier of meaning about as large as half a word, hence a window as short as that. If a
//! share `e` of the characters is edited, a window of `n` survives with `q = (1 − e)ⁿ`, and
//! `s = q / (2 − q)` between a text and its copy. For `e = 10 %` on Chinese:
//!
//! | n | s | unrelated prose, mean s |
//! |---|---|---|
//! | 2 | 0.68 | 0.021 |
//! | **3** | **0.57** | **0.002** |
//! | 5 | 0.42 | 0.0005 |
//!
//! Five, the usual length, loses such copies; two brings unrelated texts within reach of a bucket.
//! English edited by words keeps `s ≈ 0.76` at 10 % with six letters; unrelated novels have 0.05.
//!
//! # Bands
//!
//! 32 bands of 4 rows: a pair meets with `p = 1 − (1 − s⁴)³²`.
//!
//! | s | 0.05 | 0.1 | 0.2 | 0.3 | 0.4 | 0.5 | 0.57 | 0.6 | 0.7 | 0.8 |
//! |---|---|---|---|---|---|---|---|---|---|---|
//! | p | 0.0002 | 0.003 | 0.05 | 0.23 | 0.56 | 0.87 | 0.97 | 0.988 | 0.9998 | 1.0000 |
//!
//! # Verification
//!
//! By the share of equal numbers in the signatures, at least 0.5 by default. Its standard error is
//! `√(s (1 − s) / 128)`, at most 0.044: unrelated texts (`s ≤ 0.05`) are ten errors away. It reads
//! 1 KiB per pair where the exact sets would need the documents again, and it may be set lower or
//! left out.
//!
//! # Memory and machines
//!
//! Signatures (4 bytes × 128 per document) lie in mapped files; band entries are sorted within
//! [`MinHashOptions::memory_bytes`]; clusters take 4 bytes per document, and the largest bucket some
//! 50 bytes per document in it. [`dedup_documents`] does
//! all at once. The same as steps for many machines is in [`stages`]: signatures per shard, then
//! buckets per range of bands, then one union.

pub mod signature;
pub mod stages;

#[cfg(test)]
mod tests;

use std::path::Path;

use serde::{Deserialize, Serialize};

pub use signature::{Signature, Signer};

use super::report::{Clusters, DedupReport};
use super::{DEFAULT_MEMORY_BYTES, option_error};
use crate::error::DatasetError;

/// What a document is cut into.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shingle {
    /// Windows of characters that weigh at least this much, 1 to 64: a letter weighs 1, an
    /// ideograph 2.
    Characters(u32),
    /// Windows of this many words, 1 to 64; an ideograph is a word.
    Words(u32),
}

/// Whether pairs that share a bucket are checked.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verification {
    /// Sharing a bucket is enough.
    None,
    /// The share of equal numbers in the signatures must be at least this, 0 to 1.
    Estimated(f64),
}

/// How near duplicates are found. The reasons are in the [module](self).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MinHashOptions {
    /// What a document is cut into.
    pub shingle: Shingle,
    /// How many bands, 1 to 1024.
    pub bands: u32,
    /// Numbers per band, 1 to 64.
    pub rows: u32,
    /// Whether pairs that share a bucket are checked.
    pub verification: Verification,
    /// Seed of all hashes.
    pub seed: u64,
    /// The memory for sorting band entries, in bytes.
    pub memory_bytes: u64,
}

impl Default for MinHashOptions {
    fn default() -> Self {
        Self {
            shingle: Shingle::Characters(6),
            bands: 32,
            rows: 4,
            verification: Verification::Estimated(0.5),
            seed: 0,
            memory_bytes: DEFAULT_MEMORY_BYTES,
        }
    }
}

impl MinHashOptions {
    /// How many numbers a signature has.
    pub fn width(&self) -> usize {
        self.bands as usize * self.rows as usize
    }

    /// The chance that two documents of this Jaccard similarity share a bucket.
    ///
    /// ```
    /// use puyu_dataset::dedup::MinHashOptions;
    ///
    /// let options = MinHashOptions::default();
    /// assert!(options.recall(0.7) > 0.999);
    /// assert!(options.recall(0.05) < 0.001);
    /// ```
    pub fn recall(&self, jaccard: f64) -> f64 {
        let band = jaccard.clamp(0.0, 1.0).powi(self.rows as i32);
        1.0 - (1.0 - band).powi(self.bands as i32)
    }

    /// Checks the ranges of all options.
    ///
    /// # Errors
    ///
    /// [`DatasetError::Option`] for the first option out of its range.
    pub fn validate(&self) -> Result<(), DatasetError> {
        let (Shingle::Characters(length) | Shingle::Words(length)) = self.shingle;
        for (option, value, most) in
            [("shingle", length, 64), ("bands", self.bands, 1024), ("rows", self.rows, 64)]
        {
            if !(1..=most).contains(&value) {
                return Err(option_error(option, &format!("1 to {most}"), value));
            }
        }
        if self.width() > 1024 {
            return Err(option_error("bands", "at most 1024 in bands × rows", self.width()));
        }
        match self.verification {
            Verification::Estimated(least) if !(0.0..=1.0).contains(&least) => {
                Err(option_error("verification", "0 to 1", least))
            }
            _ if self.memory_bytes < super::spill::MIN_MEMORY_BYTES => {
                Err(option_error("memory_bytes", "at least 65536", self.memory_bytes))
            }
            _ => Ok(()),
        }
    }

    /// Identifies what decides a signature.
    pub(super) fn signature_fingerprint(&self) -> [u8; 32] {
        let text = format!("1 {:?} {} {} {}", self.shingle, self.bands, self.rows, self.seed);
        *blake3::hash(text.as_bytes()).as_bytes()
    }

    /// Identifies what decides which pairs are found.
    pub(super) fn pair_fingerprint(&self) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&self.signature_fingerprint());
        hasher.update(format!("{:?}", self.verification).as_bytes());
        *hasher.finalize().as_bytes()
    }
}

/// Finds near duplicates among documents; temporary files go into `folder`.
///
/// # Errors
///
/// [`DatasetError::Option`] for options that make no sense, [`DatasetError::Io`] if the folder
/// cannot be read or written, [`DatasetError::Limit`] above 2³² − 1 documents.
///
/// ```
/// use puyu_dataset::dedup::{MinHashOptions, dedup_documents};
///
/// let folder = tempfile::tempdir()?;
/// let texts = [
///     "葡萄美酒夜光杯，欲饮琵琶马上催。醉卧沙场君莫笑，古来征战几人回？",
///     "It is a truth universally acknowledged, that a single man must be in want of a wife.",
///     "葡萄美酒夜光杯,欲饮琵琶马上催;醉卧沙场君莫笑,古来征战几人回!",
/// ];
/// let (clusters, report) = dedup_documents(texts, &MinHashOptions::default(), folder.path())?;
/// assert_eq!(clusters.representatives(), [0, 1, 0]);
/// assert_eq!(report.dropped, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn dedup_documents<I>(
    documents: I,
    options: &MinHashOptions,
    folder: impl AsRef<Path>,
) -> Result<(Clusters, DedupReport), DatasetError>
where
    I: IntoIterator,
    I::Item: AsRef<str> + Send + Sync,
{
    options.validate()?;
    let folder = folder.as_ref();
    let scratch = tempfile::tempdir_in(folder).map_err(DatasetError::io("write", folder))?;
    let (signatures, pairs) = (scratch.path().join("signatures"), scratch.path().join("pairs"));
    stages::write_signatures(documents, options, &signatures)?;
    let job = stages::BandJob { signatures: vec![signatures], bands: 0..options.bands };
    stages::write_pairs(&job, options, &pairs)?;
    stages::unite(&[pairs], options)
}
