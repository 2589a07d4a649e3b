//! The manifest as a file.

use std::path::{Component, Path};

use serde::{Deserialize, Serialize};

use super::{Manifest, Shard};
use crate::atomic::write_atomic;
use crate::error::DatasetError;

const FORMAT: &str = "puyu-manifest";
const VERSION: u32 = 1;

#[derive(Deserialize)]
struct Head {
    format: String,
    version: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    format: String,
    version: u32,
    root: String,
    shards: Vec<Shard>,
}

impl Manifest {
    /// Writes the manifest as one JSON file, all of it or nothing.
    ///
    /// # Errors
    ///
    /// [`DatasetError::Io`] if it cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), DatasetError> {
        let wire = Wire {
            format: FORMAT.to_owned(),
            version: VERSION,
            root: self.root.to_string_lossy().into_owned(),
            shards: self.shards.clone(),
        };
        let text = serde_json::to_vec(&wire)
            .map_err(|error| DatasetError::io("write", path)(error.into()))?;
        write_atomic(path, &[&text])
    }

    /// Reads what [`save`](Self::save) wrote. A relative root is relative to the working folder, as
    /// it was when the data was scanned; [`with_root`](Self::with_root) sets another.
    ///
    /// # Errors
    ///
    /// [`DatasetError::Io`] if it cannot be read; [`DatasetError::Damaged`] if it is no manifest,
    /// of an unknown version, or contradicts itself.
    pub fn load(path: &Path) -> Result<Self, DatasetError> {
        let text = std::fs::read(path).map_err(DatasetError::io("read", path))?;
        let head: Head = serde_json::from_slice(&text)
            .map_err(|error| damaged(path, "head", "a manifest", error.to_string()))?;
        if head.format != FORMAT {
            return Err(damaged(path, "format", FORMAT, head.format));
        }
        if head.version != VERSION {
            return Err(damaged(path, "version", VERSION, head.version.to_string()));
        }
        let wire: Wire = serde_json::from_slice(&text)
            .map_err(|error| damaged(path, "content", "a manifest", error.to_string()))?;
        let mut n_rows = 0_u64;
        for shard in &wire.shards {
            check(path, shard)?;
            n_rows = n_rows
                .checked_add(shard.n_rows)
                .ok_or_else(|| damaged(path, "rows", "fewer than 2^64", "more".to_owned()))?;
        }
        Ok(Self { root: wire.root.into(), shards: wire.shards })
    }
}

fn check(path: &Path, shard: &Shard) -> Result<(), DatasetError> {
    let inside = |component: Component<'_>| matches!(component, Component::Normal(_));
    if shard.path.is_empty() || !Path::new(&shard.path).components().all(inside) {
        return Err(damaged(path, "shard path", "a path below the root", shard.path.clone()));
    }
    let is_sorted = shard.marks.is_sorted_by(|a, b| a.row < b.row && a.offset <= b.offset);
    let is_inside = shard.marks.last().is_none_or(|mark| mark.row < shard.n_rows);
    if !is_sorted || !is_inside {
        let found = format!("others in `{}`", shard.path);
        return Err(damaged(path, "marks", "rising marks inside the rows", found));
    }
    if shard.cut.is_some() && shard.n_rows == 0 {
        return Err(damaged(
            path,
            "rows",
            "a row that is cut",
            format!("none in `{}`", shard.path),
        ));
    }
    Ok(())
}

fn damaged(
    path: &Path,
    what: &'static str,
    expected: impl ToString,
    found: String,
) -> DatasetError {
    DatasetError::Damaged { path: path.to_owned(), what, expected: expected.to_string(), found }
}
