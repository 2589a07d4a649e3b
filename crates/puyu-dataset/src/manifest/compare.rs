//! Manifests against the files, and against each other.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use serde::Serialize;

use super::scan::{Meter, ScanProgress, hash_file, size_and_time};
use super::{Manifest, Shard};
use crate::error::DatasetError;
use crate::row::Fingerprint;

/// What differs between two manifests, by path below the root.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ManifestDiff {
    /// Shards only in the second.
    pub added: Vec<String>,
    /// Shards only in the first.
    pub removed: Vec<String>,
    /// Shards with another content or number of rows.
    pub changed: Vec<String>,
}

impl ManifestDiff {
    /// Whether nothing differs.
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty() && self.changed.is_empty()
    }
}

/// A file that is not as its manifest says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ShardChange {
    /// The path below the root.
    pub path: String,
    /// What is different.
    pub change: Change,
}

/// How a file differs from its manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Change {
    /// It is gone or cannot be opened.
    Missing,
    /// Its size, in bytes.
    Size {
        /// As in the manifest.
        expected: u64,
        /// As it is.
        found: u64,
    },
    /// Written since, with the size it had; the content may be the same.
    Touched,
    /// Its content.
    Content {
        /// As in the manifest.
        expected: Fingerprint,
        /// As it is.
        found: Fingerprint,
    },
}

impl Manifest {
    /// What `later` has that this has not, and the other way round.
    pub fn diff(&self, later: &Self) -> ManifestDiff {
        let by_path = |manifest: &Self| -> BTreeMap<String, (Fingerprint, u64)> {
            let shards = manifest.shards.iter();
            shards.map(|shard| (shard.path.clone(), (shard.hash, shard.n_rows))).collect()
        };
        let (before, after) = (by_path(self), by_path(later));
        let mut diff = ManifestDiff::default();
        for (path, content) in &after {
            match before.get(path) {
                None => diff.added.push(path.clone()),
                Some(was) if was != content => diff.changed.push(path.clone()),
                Some(_) => {}
            }
        }
        diff.removed = before.into_keys().filter(|path| !after.contains_key(path)).collect();
        diff
    }

    /// Compares sizes and times with the files: quick, and misses nothing but a change that hides
    /// its time.
    pub fn check(&self) -> Vec<ShardChange> {
        let changes = self.shards.iter().filter_map(|shard| {
            let change = shard.quick_check(&self.path_of(shard))?;
            Some(ShardChange { path: shard.path.clone(), change })
        });
        changes.collect()
    }

    /// Reads all files and compares their hashes. A touched file with the same content is as it
    /// was.
    ///
    /// # Errors
    ///
    /// [`DatasetError::Io`] if a file that is there cannot be read.
    pub fn verify(
        &self,
        progress: &(dyn Fn(ScanProgress) + Sync),
    ) -> Result<Vec<ShardChange>, DatasetError> {
        let present: Vec<PathBuf> =
            self.shards.iter().map(|s| self.path_of(s)).filter(|path| path.exists()).collect();
        let meter = Meter::new(&present, progress)?;
        let changes: Vec<Option<ShardChange>> = self
            .shards
            .par_iter()
            .map(|shard| {
                let change = shard.full_check(&self.path_of(shard), &meter)?;
                meter.shard_done();
                Ok(change.map(|change| ShardChange { path: shard.path.clone(), change }))
            })
            .collect::<Result<_, DatasetError>>()?;
        Ok(changes.into_iter().flatten().collect())
    }
}

impl Shard {
    /// Whether the file has the size and time that it had.
    pub(super) fn looks_like(&self, path: &Path) -> bool {
        self.quick_check(path).is_none()
    }

    pub(super) fn quick_check(&self, path: &Path) -> Option<Change> {
        match size_and_time(path) {
            Err(_) => Some(Change::Missing),
            Ok((found, _)) if found != self.n_bytes => {
                Some(Change::Size { expected: self.n_bytes, found })
            }
            Ok((_, modified_ns)) => (modified_ns != self.modified_ns || modified_ns.is_none())
                .then_some(Change::Touched),
        }
    }

    fn full_check(&self, path: &Path, meter: &Meter<'_>) -> Result<Option<Change>, DatasetError> {
        let quick = self.quick_check(path);
        if matches!(quick, Some(Change::Missing | Change::Size { .. })) {
            return Ok(quick);
        }
        let found = hash_file(path, meter)?;
        Ok((found != self.hash).then_some(Change::Content { expected: self.hash, found }))
    }

    /// Makes sure that the file is as it was when it was scanned: by size and time, and by its
    /// content where it was touched.
    pub(super) fn ensure_unchanged(&self, path: &Path) -> Result<(), DatasetError> {
        let change = match self.quick_check(path) {
            Some(Change::Touched) => self.full_check(path, &Meter::new([], &|_| {})?)?,
            change => change,
        };
        let (what, expected, found) = match change {
            None => return Ok(()),
            Some(Change::Size { expected, found }) => {
                ("size in bytes", expected.to_string(), found.to_string())
            }
            Some(Change::Content { expected, found }) => {
                ("content hash", expected.to_string(), found.to_string())
            }
            Some(_) => return size_and_time(path).map(|_| ()),
        };
        Err(DatasetError::Damaged { path: path.to_owned(), what, expected, found })
    }
}
