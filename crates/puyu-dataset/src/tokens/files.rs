//! Bounded reading, hashed writing, and the errors about files.

use std::fs::File;
use std::io::{BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use serde::Serialize;

use crate::error::DatasetError;

/// The error about a file of our own that contradicts itself.
pub(crate) fn damaged(
    path: &Path,
    what: &'static str,
    expected: impl ToString,
    found: impl ToString,
) -> DatasetError {
    DatasetError::Damaged {
        path: path.to_owned(),
        what,
        expected: expected.to_string(),
        found: found.to_string(),
    }
}

/// The blake3 hash of bytes.
pub(crate) fn hash(bytes: &[u8]) -> [u8; 32] {
    blake3::hash(bytes).into()
}

/// What a foreign file has instead of what its format asks for.
#[derive(Debug, thiserror::Error)]
#[error("{what}: expected {expected}, found {found}")]
struct Violation {
    what: &'static str,
    expected: String,
    found: String,
}

/// Makes the errors about one foreign file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Foreign<'a> {
    pub(super) path: &'a Path,
    pub(super) format: &'static str,
}

impl Foreign<'_> {
    /// The file breaks the rules of its format.
    pub(super) fn violation(
        &self,
        what: &'static str,
        expected: impl ToString,
        found: impl ToString,
    ) -> DatasetError {
        let (expected, found) = (expected.to_string(), found.to_string());
        DatasetError::Container {
            path: self.path.to_owned(),
            format: self.format,
            source: Box::new(Violation { what, expected, found }),
        }
    }
}

/// Adds a suffix to a whole path: `train` and `.idx` give `train.idx`, `a.bin` gives `a.bin.idx`.
pub(super) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Reads a file that cannot sensibly be larger than `limit` bytes.
pub(super) fn read_bounded(path: &Path, limit: u64) -> Result<Vec<u8>, DatasetError> {
    let file = File::open(path).map_err(DatasetError::io("open", path))?;
    let mut bytes = Vec::new();
    file.take(limit + 1).read_to_end(&mut bytes).map_err(DatasetError::io("read", path))?;
    if bytes.len() as u64 > limit {
        return Err(damaged(path, "size", format!("at most {limit} bytes"), "more"));
    }
    Ok(bytes)
}

/// Maps a file whose size is known beforehand.
pub(super) fn map_exact(path: &Path, expected: Option<u64>) -> Result<Bytes, DatasetError> {
    let bytes = crate::mapped::map(path)?;
    match expected {
        Some(size) if size == bytes.len() as u64 => Ok(bytes),
        Some(size) => Err(damaged(path, "size in bytes", size, bytes.len())),
        None => Err(damaged(path, "size in bytes", "below 2^64", "more, by its header")),
    }
}

/// A file that is hashed while it is written.
pub(super) struct HashedFile {
    path: PathBuf,
    out: BufWriter<File>,
    hasher: blake3::Hasher,
}

impl HashedFile {
    pub(super) fn create(path: PathBuf) -> Result<Self, DatasetError> {
        let file = File::create_new(&path).map_err(DatasetError::io("create", &path))?;
        let out = BufWriter::with_capacity(1 << 18, file);
        Ok(Self { path, out, hasher: blake3::Hasher::new() })
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), DatasetError> {
        self.hasher.update(bytes);
        self.out.write_all(bytes).map_err(DatasetError::io("write", &self.path))
    }

    /// Writes everything down and tells the hash.
    pub(super) fn finish(mut self) -> Result<[u8; 32], DatasetError> {
        self.out
            .flush()
            .and_then(|()| self.out.get_ref().sync_all())
            .map_err(DatasetError::io("sync", &self.path))?;
        Ok(self.hasher.finalize().into())
    }
}

/// A value as JSON with a line end. `path` is for the message.
pub(super) fn to_json(path: &Path, value: &impl Serialize) -> Result<Vec<u8>, DatasetError> {
    let mut text = serde_json::to_vec_pretty(value)
        .map_err(|error| DatasetError::io("write", path)(error.into()))?;
    text.push(b'\n');
    Ok(text)
}
