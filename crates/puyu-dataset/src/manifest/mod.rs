//! What a data set holds: its files, their rows and hashes, and rows by number.
//!
//! [`Manifest::scan`] reads every file once and writes down its size, hash, number of rows and
//! places in it to read from. With it, [`FileRows`] reads any rows by number: a
//! [`RowSource`](crate::RowSource), over which an order, a mixture or a token cache can be made.
//!
//! Rows are counted as readers deliver them: blank lines are none, a row that cannot be read is
//! one.

mod backing;
mod compare;
mod cursor;
mod file;
mod rows;
mod scan;
mod shard;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

pub use compare::{Change, ManifestDiff, ShardChange};
pub use rows::{FileRows, RowsOptions};
pub use scan::{ScanOptions, ScanProgress};
pub use shard::{CutRow, Shard};

use crate::row::Fingerprint;

/// The files of a data set, in order, with what is needed to read their rows by number.
///
/// # Examples
///
/// ```
/// use puyu_dataset::manifest::{Manifest, ScanOptions};
///
/// let folder = tempfile::tempdir()?;
/// std::fs::write(folder.path().join("part-0.jsonl"), "{\"id\":\"春\"}\n\n{\"id\":\"spring\"}\n")?;
///
/// let manifest = Manifest::scan([folder.path()], &ScanOptions::default(), &|_| {})?;
/// assert_eq!(manifest.n_rows(), 2);
/// assert_eq!(manifest.shards()[0].path, "part-0.jsonl");
///
/// let file = folder.path().join("manifest.json");
/// manifest.save(&file)?;
/// assert_eq!(Manifest::load(&file)?.fingerprint(), manifest.fingerprint());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    root: PathBuf,
    shards: Vec<Shard>,
}

impl Manifest {
    /// The folder that the shards' paths begin at.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The same manifest for data that lies elsewhere.
    #[must_use]
    pub fn with_root(mut self, root: impl Into<PathBuf>) -> Self {
        self.root = root.into();
        self
    }

    /// The files, in order.
    pub fn shards(&self) -> &[Shard] {
        &self.shards
    }

    /// The rows of all files.
    pub fn n_rows(&self) -> u64 {
        // No overflow: loading and scanning check the sum.
        self.shards.iter().map(|shard| shard.n_rows).sum()
    }

    /// The bytes of all files, as they lie on the disk.
    pub fn n_bytes(&self) -> u64 {
        self.shards.iter().map(|shard| shard.n_bytes).sum()
    }

    /// Where a shard lies.
    pub fn path_of(&self, shard: &Shard) -> PathBuf {
        self.root.join(&shard.path)
    }

    /// What identifies the data: a hash over the path below the root, the content and the number of
    /// rows of each shard, in order. It does not depend on where the data lies or when it was
    /// written.
    pub fn fingerprint(&self) -> Fingerprint {
        let mut hasher = blake3::Hasher::new();
        hasher.update(b"puyu-manifest 1");
        for shard in &self.shards {
            hasher.update(&(shard.path.len() as u64).to_le_bytes());
            hasher.update(shard.path.as_bytes());
            hasher.update(&shard.hash.0);
            hasher.update(&shard.n_rows.to_le_bytes());
        }
        Fingerprint(*hasher.finalize().as_bytes())
    }
}
